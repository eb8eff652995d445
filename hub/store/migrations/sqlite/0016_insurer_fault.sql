-- What insurers said that could not be used, counted by insurer, code and message: a flood of it makes no flood of rows.

create table insurer_fault (
    insurer text not null,
    code text not null,
    -- The message it was about; all zeros where the hub knows none.
    message blob not null,
    -- Where and what, as of the last time.
    pointer text not null,
    detail text not null,
    times integer not null,
    first_at integer not null,
    last_at integer not null,
    constraint insurer_fault_pk primary key (insurer, code, message)
) strict, without rowid;
create index insurer_fault_latest on insurer_fault (last_at);
