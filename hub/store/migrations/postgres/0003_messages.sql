-- What was sent, what was answered, turn by turn.
--
-- History lies in partitions of a month. Ids of messages and deliveries begin with their moment (UUID version 7),
-- so a month is a range of ids, and whoever names an id is led to one partition. What has to be unique or found by
-- other keys (idempotency, identifiers) stays whole.
--
-- References. What is rare (participants, members, covers, plans, postings) is held to its references by foreign
-- keys. What lanes write is not: a foreign key costs a look-up and a row lock for each row, and locks that many
-- lanes share on one sender's or account's row are the worst that a lane can do to the others. Nothing that it would
-- refer to is ever deleted, and either it is written by the same turn, or the statement that writes the row
-- looks for it (senders, members, limits, reservations, insurers) and the store refuses what is missing.

create table message (
    id uuid not null constraint message_pk primary key,
    sender text collate "C" not null,
    kind text collate "C" not null,
    format text not null,
    state text collate "C" not null,
    turn bigint not null,
    received_at bigint not null,
    updated_at bigint not null,
    deadline bigint,
    member uuid,
    digest bytea not null
) partition by range (id);
create index message_by_sender on message (sender, id);
create index message_by_member on message (member, id) where member is not null;
create index message_by_deadline on message (deadline) where deadline is not null;

create table turn (
    message uuid not null,
    number bigint not null,
    at bigint not null,
    state text not null,
    -- What was answered and, with the first turn, what was sent, as it came and as it was understood.
    body bytea,
    legs text not null,
    -- What it moved of limits (the view "entry").
    entries text not null,
    constraint turn_pk primary key (message, number)
) partition by range (message);
-- It is compressed already.
alter table turn alter column body set storage external;

-- Identifiers and keys are kept as digests under the hub's own key, the sender's name among what is digested.
create table message_identifier (
    digest uuid not null,
    message uuid not null,
    constraint message_identifier_pk primary key (digest, message)
);

create table idempotency (
    digest uuid not null constraint idempotency_pk primary key,
    message uuid not null
);

create table payer (
    insurer text collate "C" not null,
    message uuid not null,
    constraint payer_pk primary key (insurer, message)
) partition by range (message);

create table decision (
    message uuid not null,
    insurer text collate "C" not null,
    reference text collate "C" not null,
    at bigint not null,
    document bytea not null,
    constraint decision_pk primary key (message, insurer, reference)
) partition by range (message);

create table authorisation (
    member uuid not null,
    number text collate "C" not null,
    insurer text collate "C" not null,
    seq bigint not null,
    system text not null,
    code text not null,
    quantity text,
    amount bigint constraint authorisation_amount check (amount >= 0),
    valid_until text collate "C" not null,
    message uuid not null,
    constraint authorisation_pk primary key (member, number, insurer, seq)
);

create table unmapped (
    system text collate "C" not null,
    code text collate "C" not null,
    sender text collate "C" not null,
    display text,
    times bigint not null,
    first_at bigint not null,
    last_at bigint not null,
    last_message uuid not null,
    constraint unmapped_pk primary key (system, code, sender)
);

alter table payer enable row level security;
grant select on payer to takmil_scoped;
create policy payer_seen on payer for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
);

alter table message enable row level security;
grant select on message to takmil_scoped;
create policy message_seen on message for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or sender = (select current_setting('takmil.sender', true))
    or exists (
        select from payer
        where payer.insurer = (select current_setting('takmil.insurer', true)) and payer.message = message.id
    )
);

-- What belongs to a message is seen by whom the message is seen by.
alter table turn enable row level security;
grant select on turn to takmil_scoped;
create policy turn_seen on turn for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or exists (select from message where message.id = turn.message)
);
