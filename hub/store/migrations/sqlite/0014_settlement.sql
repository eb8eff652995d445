-- Settlement: what insurers owe providers for each claim, every movement of it, what is stated day by day, what was paid,
-- and what is argued about. Ids, amounts and days alone: nothing of a person, so it outlives the erasure of a member.

create table due (
    message blob not null,
    insurer text not null,
    provider text not null,
    payee text not null,
    currency text not null,
    on_day text not null,
    due_on text not null,
    -- The turn of the claim that it was last brought to.
    turn integer not null,
    incurred integer not null,
    noticed integer not null,
    confirmed integer not null,
    disputed integer not null,
    written_off integer not null,
    -- [[line, billed, base, amount, held], …]
    lines text not null,
    constraint due_pk primary key (message, insurer),
    constraint due_sums check (
        incurred >= 0 and noticed >= 0 and confirmed >= 0 and disputed >= 0 and written_off >= 0)
) strict, without rowid;
create index due_by_provider on due (provider, message);
create index due_unsettled on due (insurer, provider, payee, currency, due_on)
    where incurred <> confirmed + written_off or noticed <> 0 or disputed <> 0;

-- A movement's accounts follow from its kind; its id begins with its moment.
create table transfer (
    id blob not null,
    insurer text not null,
    provider text not null,
    payee text not null,
    currency text not null,
    kind text not null,
    amount integer not null,
    message blob,
    line integer,
    -- The payment or dispute behind it, or the turn of the claim.
    source blob,
    turn integer,
    at integer not null,
    statement integer,
    constraint transfer_pk primary key (id),
    constraint transfer_amount check (amount > 0)
) strict, without rowid;
create index transfer_unstated on transfer (insurer, provider, payee, currency, at) where statement is null;
create index transfer_of_statement on transfer (statement) where statement is not null;

create table statement (
    number integer constraint statement_pk primary key autoincrement,
    insurer text not null,
    provider text not null,
    payee text not null,
    currency text not null,
    day text not null,
    opening integer not null,
    -- By kind of transfer.
    sums text not null,
    closing integer not null,
    claims integer not null,
    transfers integer not null,
    made_at integer not null,
    digest blob not null,
    constraint statement_day unique (insurer, provider, payee, currency, day)
) strict;
create index statement_by_provider on statement (provider, number);

-- The days that statements were made for, those without movement included.
create table settled_day (
    day text not null constraint settled_day_pk primary key,
    at integer not null
) strict, without rowid;

create table payment (
    id blob not null constraint payment_pk primary key,
    insurer text not null,
    provider text not null,
    payee text not null,
    currency text not null,
    reference text not null,
    digest blob not null,
    amount integer not null,
    allocated integer not null,
    paid_on text not null,
    instrument text,
    state text not null,
    noticed_at integer not null,
    settled_at integer,
    -- What was answered to its notice.
    receipt text not null,
    constraint payment_reference unique (insurer, reference),
    constraint payment_amount check (allocated >= 0 and allocated <= amount)
) strict, without rowid;
create index payment_by_provider on payment (provider, id);
create index payment_rest on payment (insurer, provider, payee, currency)
    where allocated < amount and state <> 'bounced';

-- What a payment has reached: a claim, or one of its lines; -1 stands for the claim as a whole.
create table allocation (
    payment blob not null,
    message blob not null,
    line integer not null,
    amount integer not null constraint allocation_amount check (amount > 0),
    constraint allocation_pk primary key (payment, message, line)
) strict, without rowid;
create index allocation_by_message on allocation (message);

create table dispute (
    id blob not null constraint dispute_pk primary key,
    insurer text not null,
    provider text not null,
    payee text not null,
    currency text not null,
    message blob not null,
    line integer,
    amount integer not null constraint dispute_amount check (amount > 0),
    opened_by text not null,
    reason text not null,
    state text not null,
    opened_at integer not null,
    decided_at integer,
    said text
) strict, without rowid;
create index dispute_by_insurer on dispute (insurer, id);
create index dispute_by_provider on dispute (provider, id);

-- Months that are closed for good.
create table period (
    insurer text not null,
    currency text not null,
    first_day text not null,
    last_day text not null,
    debits integer not null,
    digest blob not null,
    closed_at integer not null,
    constraint period_pk primary key (insurer, currency, first_day)
) strict, without rowid;
