-- What is owed to insurers, in the order in which it became owed, and every attempt to hand it over.

create table delivery (
    sequence bigint generated always as identity constraint delivery_pk primary key,
    id uuid not null constraint delivery_id unique,
    insurer text collate "C" not null,
    claim uuid not null,
    message uuid not null,
    turn bigint not null,
    kind text not null,
    purpose text not null,
    created_at bigint not null,
    due_at bigint not null,
    attempts bigint not null default 0,
    delivered_at bigint,
    -- When it was found that nobody can read it any more: its member was erased before the insurer had it.
    erased_at bigint
) with (fillfactor = 80);
create index delivery_due on delivery (insurer, due_at, sequence, created_at)
    where delivered_at is null and erased_at is null;
create index delivery_in_claim on delivery (insurer, claim, sequence)
    where delivered_at is null and erased_at is null;
create index delivery_done on delivery (insurer, delivered_at) where delivered_at is not null;
create index delivery_erased on delivery (erased_at) where erased_at is not null;
create index delivery_by_message on delivery (message, sequence);
alter table delivery enable row level security;
grant select on delivery to takmil_scoped;
create policy delivery_seen on delivery for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or exists (
        select from message
        where message.id = delivery.message and message.sender = (select current_setting('takmil.sender', true))
    )
);

create table attempt (
    delivery bigint not null,
    number bigint not null,
    at bigint not null,
    error text,
    constraint attempt_pk primary key (delivery, number)
);
alter table attempt enable row level security;
grant select on attempt to takmil_scoped;
create policy attempt_seen on attempt for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or exists (select from delivery where delivery.sequence = attempt.delivery)
);
