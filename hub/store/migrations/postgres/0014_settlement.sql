-- Settlement: what insurers owe providers for each claim, every movement of it, what is stated day by day, what was paid,
-- and what is argued about. Ids, amounts and days alone: nothing of a person, so it outlives the erasure of a member.

create table due (
    message uuid not null,
    insurer text collate "C" not null,
    provider text collate "C" not null,
    payee text collate "C" not null,
    currency text collate "C" not null,
    on_day text collate "C" not null,
    due_on text collate "C" not null,
    -- The turn of the claim that it was last brought to.
    turn bigint not null,
    incurred bigint not null,
    noticed bigint not null,
    confirmed bigint not null,
    disputed bigint not null,
    written_off bigint not null,
    -- [[line, billed, base, amount, held], …]
    lines text not null,
    constraint due_pk primary key (message, insurer),
    constraint due_sums check (
        incurred >= 0 and noticed >= 0 and confirmed >= 0 and disputed >= 0 and written_off >= 0)
) partition by range (message);
create index due_by_provider on due (provider, message);
create index due_unsettled on due (insurer, provider, payee, currency, due_on)
    where incurred <> confirmed + written_off or noticed <> 0 or disputed <> 0;
alter table due enable row level security;
grant select on due to takmil_scoped;
create policy due_seen on due for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or provider = (select current_setting('takmil.sender', true))
);

-- A movement's accounts follow from its kind; its id begins with its moment.
create table transfer (
    id uuid not null,
    insurer text collate "C" not null,
    provider text collate "C" not null,
    payee text collate "C" not null,
    currency text collate "C" not null,
    kind text collate "C" not null,
    amount bigint not null,
    message uuid,
    line bigint,
    -- The payment or dispute behind it, or the turn of the claim.
    source uuid,
    turn bigint,
    at bigint not null,
    statement bigint,
    constraint transfer_pk primary key (id),
    constraint transfer_amount check (amount > 0)
) partition by range (id);
create index transfer_unstated on transfer (insurer, provider, payee, currency, at) where statement is null;
create index transfer_of_statement on transfer (statement) where statement is not null;
alter table transfer enable row level security;
grant select on transfer to takmil_scoped;
create policy transfer_seen on transfer for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or provider = (select current_setting('takmil.sender', true))
);

create table statement (
    number bigint generated always as identity constraint statement_pk primary key,
    insurer text collate "C" not null,
    provider text collate "C" not null,
    payee text collate "C" not null,
    currency text collate "C" not null,
    day text collate "C" not null,
    opening bigint not null,
    -- By kind of transfer.
    sums text not null,
    closing bigint not null,
    claims bigint not null,
    transfers bigint not null,
    made_at bigint not null,
    digest bytea not null,
    constraint statement_day unique (insurer, provider, payee, currency, day)
);
create index statement_by_provider on statement (provider, number);
alter table statement enable row level security;
grant select on statement to takmil_scoped;
create policy statement_seen on statement for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or provider = (select current_setting('takmil.sender', true))
);

-- The days that statements were made for, those without movement included.
create table settled_day (
    day text collate "C" not null constraint settled_day_pk primary key,
    at bigint not null
);

create table payment (
    id uuid not null constraint payment_pk primary key,
    insurer text collate "C" not null,
    provider text collate "C" not null,
    payee text collate "C" not null,
    currency text collate "C" not null,
    reference text collate "C" not null,
    digest bytea not null,
    amount bigint not null,
    allocated bigint not null,
    paid_on text collate "C" not null,
    instrument text,
    state text collate "C" not null,
    noticed_at bigint not null,
    settled_at bigint,
    -- What was answered to its notice.
    receipt text not null,
    constraint payment_reference unique (insurer, reference),
    constraint payment_amount check (allocated >= 0 and allocated <= amount)
);
create index payment_by_provider on payment (provider, id);
create index payment_rest on payment (insurer, provider, payee, currency)
    where allocated < amount and state <> 'bounced';
alter table payment enable row level security;
grant select on payment to takmil_scoped;
create policy payment_seen on payment for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or provider = (select current_setting('takmil.sender', true))
);

-- What a payment has reached: a claim, or one of its lines; -1 stands for the claim as a whole.
create table allocation (
    payment uuid not null,
    message uuid not null,
    line bigint not null,
    amount bigint not null constraint allocation_amount check (amount > 0),
    constraint allocation_pk primary key (payment, message, line)
);
create index allocation_by_message on allocation (message);
alter table allocation enable row level security;
grant select on allocation to takmil_scoped;
create policy allocation_seen on allocation for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or exists (select from payment where payment.id = allocation.payment)
);

create table dispute (
    id uuid not null constraint dispute_pk primary key,
    insurer text collate "C" not null,
    provider text collate "C" not null,
    payee text collate "C" not null,
    currency text collate "C" not null,
    message uuid not null,
    line bigint,
    amount bigint not null constraint dispute_amount check (amount > 0),
    opened_by text not null,
    reason text not null,
    state text collate "C" not null,
    opened_at bigint not null,
    decided_at bigint,
    said text
);
create index dispute_by_insurer on dispute (insurer, id);
create index dispute_by_provider on dispute (provider, id);
alter table dispute enable row level security;
grant select on dispute to takmil_scoped;
create policy dispute_seen on dispute for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or provider = (select current_setting('takmil.sender', true))
);

-- Months that are closed for good.
create table period (
    insurer text collate "C" not null,
    currency text collate "C" not null,
    first_day text collate "C" not null,
    last_day text collate "C" not null,
    debits bigint not null,
    digest bytea not null,
    closed_at bigint not null,
    constraint period_pk primary key (insurer, currency, first_day)
);

create or replace function takmil_missing_partitions(start bigint, months bigint)
returns table (parent text, month timestamp)
language sql stable as $$
    select parent, month
    from generate_series(
        date_trunc('month', to_timestamp(start / 1000000) at time zone 'UTC'),
        date_trunc('month', to_timestamp(start / 1000000) at time zone 'UTC')
            + make_interval(months => months::integer - 1),
        interval '1 month'
    ) month,
    unnest(array['message', 'turn', 'payer', 'decision', 'due', 'transfer']) parent
    where to_regclass(parent || to_char(month, '_YYYY_MM')) is null
$$;

create table due_rest partition of due default;
create table transfer_rest partition of transfer default;
