-- What was sent, what was answered, turn by turn.

create table message (
    id blob not null constraint message_pk primary key,
    sender text not null constraint message_sender references participant (id),
    kind text not null,
    format text not null,
    state text not null,
    turn integer not null,
    received_at integer not null,
    updated_at integer not null,
    deadline integer,
    member blob constraint message_member references member (id),
    digest blob not null
) strict, without rowid;
create index message_by_sender on message (sender, id);
create index message_by_member on message (member, id) where member is not null;
create index message_by_deadline on message (deadline) where deadline is not null;

create table body (
    message blob not null constraint body_pk primary key constraint body_message references message (id),
    original blob not null,
    canonical blob not null
) strict;

create table turn (
    message blob not null constraint turn_message references message (id),
    number integer not null,
    at integer not null,
    state text not null,
    answer text,
    legs text not null,
    constraint turn_pk primary key (message, number)
) strict;

create table message_identifier (
    sender text not null,
    system text not null,
    value text not null,
    message blob not null constraint message_identifier_message references message (id),
    constraint message_identifier_pk primary key (sender, system, value, message)
) strict, without rowid;

create table idempotency (
    sender text not null,
    key text not null,
    message blob not null constraint idempotency_message references message (id),
    constraint idempotency_pk primary key (sender, key)
) strict, without rowid;

create table payer (
    insurer text not null constraint payer_insurer references participant (id),
    message blob not null constraint payer_message references message (id),
    constraint payer_pk primary key (insurer, message)
) strict, without rowid;

create table decision (
    message blob not null constraint decision_message references message (id),
    insurer text not null constraint decision_insurer references participant (id),
    reference text not null,
    at integer not null,
    document text not null,
    constraint decision_pk primary key (message, insurer, reference)
) strict;

create table authorisation (
    member blob not null constraint authorisation_member references member (id),
    number text not null,
    insurer text not null constraint authorisation_insurer references participant (id),
    seq integer not null,
    system text not null,
    code text not null,
    quantity text,
    amount integer constraint authorisation_amount check (amount >= 0),
    valid_until text not null,
    message blob not null constraint authorisation_message references message (id),
    constraint authorisation_pk primary key (member, number, insurer, seq)
) strict, without rowid;

create table unmapped (
    system text not null,
    code text not null,
    sender text not null constraint unmapped_sender references participant (id),
    display text,
    times integer not null,
    first_at integer not null,
    last_at integer not null,
    last_message blob not null constraint unmapped_message references message (id),
    constraint unmapped_pk primary key (system, code, sender)
) strict, without rowid;
