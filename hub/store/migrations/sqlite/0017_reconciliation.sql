-- Three-way reconciliation: what insurers and providers state of claims, and where it differs from the hub's book. Ids,
-- amounts and days alone.

create table figures (
    party text not null,
    reference text not null,
    digest blob not null,
    first_day text not null,
    last_day text not null,
    at integer not null,
    -- What was answered.
    receipt text not null,
    constraint figures_pk primary key (party, reference)
) strict, without rowid;

-- What a party states last of what an insurer owes for a claim.
create table figure (
    message blob not null,
    insurer text not null,
    party text not null,
    amount integer not null constraint figure_amount check (amount >= 0),
    state text,
    at integer not null,
    constraint figure_pk primary key (message, insurer, party)
) strict, without rowid;

create table difference (
    id blob not null constraint difference_pk primary key,
    message blob not null,
    insurer text not null,
    provider text not null,
    kind text not null,
    currency text not null,
    hub integer not null,
    insurers integer,
    providers integer,
    why text not null,
    state text not null,
    found_at integer not null,
    seen_at integer not null,
    note text,
    constraint difference_once unique (message, insurer, kind)
) strict, without rowid;
create index difference_by_insurer on difference (insurer, id);
create index difference_by_provider on difference (provider, id);
