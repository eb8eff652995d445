-- What is owed to insurers, in the order in which it became owed, and every attempt to hand it over.

create table delivery (
    sequence integer constraint delivery_pk primary key autoincrement,
    id blob not null constraint delivery_id unique,
    insurer text not null,
    claim blob not null,
    message blob not null,
    turn integer not null,
    kind text not null,
    purpose text not null,
    created_at integer not null,
    due_at integer not null,
    attempts integer not null default 0,
    delivered_at integer,
    -- When it was found that nobody can read it any more: its member was erased before the insurer had it.
    erased_at integer
) strict;
create index delivery_due on delivery (insurer, due_at, sequence, created_at)
    where delivered_at is null and erased_at is null;
create index delivery_in_claim on delivery (insurer, claim, sequence)
    where delivered_at is null and erased_at is null;
create index delivery_done on delivery (insurer, delivered_at) where delivered_at is not null;
create index delivery_erased on delivery (erased_at) where erased_at is not null;
create index delivery_by_message on delivery (message, sequence);

create table attempt (
    delivery integer not null,
    number integer not null,
    at integer not null,
    error text,
    constraint attempt_pk primary key (delivery, number)
) strict, without rowid;
