-- What insurers said that could not be used, counted by insurer, code and message: a flood of it makes no flood of rows.

create table insurer_fault (
    insurer text collate "C" not null,
    code text collate "C" not null,
    -- The message it was about; all zeros where the hub knows none.
    message uuid not null,
    -- Where and what, as of the last time.
    pointer text not null,
    detail text not null,
    times bigint not null,
    first_at bigint not null,
    last_at bigint not null,
    constraint insurer_fault_pk primary key (insurer, code, message)
);
create index insurer_fault_latest on insurer_fault (last_at);
alter table insurer_fault enable row level security;
grant select on insurer_fault to takmil_scoped;
create policy insurer_fault_seen on insurer_fault for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
);
