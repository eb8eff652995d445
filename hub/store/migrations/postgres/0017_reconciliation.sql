-- Three-way reconciliation: what insurers and providers state of claims, and where it differs from the hub's book. Ids,
-- amounts and days alone.

create table figures (
    party text collate "C" not null,
    reference text collate "C" not null,
    digest bytea not null,
    first_day text collate "C" not null,
    last_day text collate "C" not null,
    at bigint not null,
    -- What was answered.
    receipt text collate "C" not null,
    constraint figures_pk primary key (party, reference)
);

-- What a party states last of what an insurer owes for a claim.
create table figure (
    message uuid not null,
    insurer text collate "C" not null,
    party text collate "C" not null,
    amount bigint not null constraint figure_amount check (amount >= 0),
    state text collate "C",
    at bigint not null,
    constraint figure_pk primary key (message, insurer, party)
);

create table difference (
    id uuid not null constraint difference_pk primary key,
    message uuid not null,
    insurer text collate "C" not null,
    provider text collate "C" not null,
    kind text collate "C" not null,
    currency text collate "C" not null,
    hub bigint not null,
    insurers bigint,
    providers bigint,
    why text collate "C" not null,
    state text collate "C" not null,
    found_at bigint not null,
    seen_at bigint not null,
    note text,
    constraint difference_once unique (message, insurer, kind)
);
create index difference_by_insurer on difference (insurer, id);
create index difference_by_provider on difference (provider, id);
alter table difference enable row level security;
grant select on difference to takmil_scoped;
create policy difference_seen on difference for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or provider = (select current_setting('takmil.sender', true))
);
