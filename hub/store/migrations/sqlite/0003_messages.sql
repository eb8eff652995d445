-- What was sent, what was answered, turn by turn.
--
-- References. What is rare (participants, members, covers, plans, postings) is held to its references by foreign
-- keys. What lanes write is not: each would cost a look-up a row. Nothing that it would refer to is ever deleted,
-- and either it is written by the same turn, or the statement that writes the row looks for it (senders, members,
-- limits, reservations, insurers) and the store refuses what is missing.

create table message (
    id blob not null constraint message_pk primary key,
    sender text not null,
    kind text not null,
    format text not null,
    state text not null,
    turn integer not null,
    received_at integer not null,
    updated_at integer not null,
    deadline integer,
    member blob,
    digest blob not null
) strict, without rowid;
create index message_by_sender on message (sender, id);
create index message_by_member on message (member, id) where member is not null;
create index message_by_deadline on message (deadline) where deadline is not null;

create table turn (
    message blob not null,
    number integer not null,
    at integer not null,
    state text not null,
    answer blob,
    legs text not null,
    -- What was sent, as it came and as it was understood: with the first turn.
    original blob,
    canonical blob,
    constraint turn_pk primary key (message, number)
) strict;

create table message_identifier (
    sender text not null,
    system text not null,
    value text not null,
    message blob not null,
    constraint message_identifier_pk primary key (sender, system, value, message)
) strict, without rowid;

create table idempotency (
    sender text not null,
    key text not null,
    message blob not null,
    constraint idempotency_pk primary key (sender, key)
) strict, without rowid;

create table payer (
    insurer text not null,
    message blob not null,
    constraint payer_pk primary key (insurer, message)
) strict, without rowid;

create table decision (
    message blob not null,
    insurer text not null,
    reference text not null,
    at integer not null,
    document blob not null,
    constraint decision_pk primary key (message, insurer, reference)
) strict;

create table authorisation (
    member blob not null,
    number text not null,
    insurer text not null,
    seq integer not null,
    system text not null,
    code text not null,
    quantity text,
    amount integer constraint authorisation_amount check (amount >= 0),
    valid_until text not null,
    message blob not null,
    constraint authorisation_pk primary key (member, number, insurer, seq)
) strict, without rowid;

create table unmapped (
    system text not null,
    code text not null,
    sender text not null,
    display text,
    times integer not null,
    first_at integer not null,
    last_at integer not null,
    last_message blob not null,
    constraint unmapped_pk primary key (system, code, sender)
) strict, without rowid;
