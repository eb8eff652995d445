-- The parties that the hub talks to, the people who work for them, and how both are recognised.

create table revision (
    only integer not null constraint revision_pk primary key constraint revision_only check (only = 1),
    value integer not null
) strict;
insert into revision (only, value) values (1, 0);

create table participant (
    id text not null constraint participant_pk primary key,
    role text not null,
    document text not null,
    revision integer not null
) strict, without rowid;
create index participant_by_revision on participant (revision);

create table participant_identifier (
    system text not null,
    value text not null,
    participant text not null constraint participant_identifier_owner references participant (id),
    constraint participant_identifier_pk primary key (system, value)
) strict, without rowid;
create index participant_identifier_by_participant on participant_identifier (participant);

create table staff (
    id blob not null constraint staff_pk primary key,
    participant text not null constraint staff_participant references participant (id),
    name text not null,
    roles text not null,
    created_at integer not null
) strict, without rowid;
create index staff_by_participant on staff (participant);

create table credential (
    hash blob not null constraint credential_pk primary key,
    participant text not null constraint credential_participant references participant (id),
    staff blob constraint credential_staff references staff (id),
    kind text not null,
    label text not null,
    created_at integer not null,
    revoked_at integer
) strict, without rowid;
create index credential_by_participant on credential (participant);

create table approval (
    id blob not null constraint approval_pk primary key,
    participant text not null constraint approval_participant references participant (id),
    kind text not null,
    subject text not null,
    document text not null,
    state text not null,
    proposed_by blob not null constraint approval_proposer references staff (id),
    proposed_at integer not null,
    decided_by blob constraint approval_decider references staff (id),
    decided_at integer,
    constraint approval_second_person check (decided_by is null or decided_by <> proposed_by)
) strict, without rowid;
create index approval_open on approval (proposed_at, id) where state = 'open';
