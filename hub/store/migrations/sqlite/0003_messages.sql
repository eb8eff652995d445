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
    -- What was answered and, with the first turn, what was sent, as it came and as it was understood.
    body blob,
    legs text not null,
    -- What it moved of limits (the view "entry").
    entries text not null,
    constraint turn_pk primary key (message, number)
) strict;

-- Identifiers and keys are kept as digests under the hub's own key, the sender's name among what is digested.
create table message_identifier (
    digest blob not null,
    message blob not null,
    constraint message_identifier_pk primary key (digest, message)
) strict, without rowid;

create table idempotency (
    digest blob not null constraint idempotency_pk primary key,
    message blob not null
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
