-- The parties that the hub talks to, the people who work for them, and how both are recognised.
--
-- Texts that are keys are compared byte by byte, as the hub compares them.

-- What is asked on a caller's behalf is asked in this role, which owns nothing, may read what such questions need,
-- and sees of that only what the policies beside the tables show: the rows of takmil.sender or takmil.insurer, or
-- everything where takmil.scope says all. The hub's own work is done as the owner of the tables, whom no policy
-- binds. A role belongs to the whole server: an operator may have made it for a hub that may not.
do $$
begin
    if not exists (select from pg_roles where rolname = 'takmil_scoped') then
        create role takmil_scoped nologin;
    end if;
    if not pg_has_role(current_user, 'takmil_scoped', 'member') then
        grant takmil_scoped to current_user;
    end if;
end
$$;

create table revision (
    "only" bigint not null constraint revision_pk primary key constraint revision_only check ("only" = 1),
    value bigint not null
);
insert into revision ("only", value) values (1, 0);

create table participant (
    id text collate "C" not null constraint participant_pk primary key,
    role text not null,
    document text not null,
    revision bigint not null
);
create index participant_by_revision on participant (revision);

create table participant_identifier (
    system text collate "C" not null,
    value text collate "C" not null,
    participant text collate "C" not null constraint participant_identifier_owner references participant (id),
    constraint participant_identifier_pk primary key (system, value)
);
create index participant_identifier_by_participant on participant_identifier (participant);

create table staff (
    id uuid not null constraint staff_pk primary key,
    participant text collate "C" not null constraint staff_participant references participant (id),
    name text not null,
    roles text not null,
    created_at bigint not null
);
create index staff_by_participant on staff (participant);

create table credential (
    hash bytea not null constraint credential_pk primary key,
    participant text collate "C" not null constraint credential_participant references participant (id),
    staff uuid constraint credential_staff references staff (id),
    kind text not null,
    label text collate "C" not null,
    created_at bigint not null,
    revoked_at bigint
);
create index credential_by_participant on credential (participant);
alter table credential enable row level security;
grant select on credential to takmil_scoped;
create policy credential_seen on credential for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or participant in ((select current_setting('takmil.sender', true)), (select current_setting('takmil.insurer', true)))
);

create table approval (
    id uuid not null constraint approval_pk primary key,
    participant text collate "C" not null constraint approval_participant references participant (id),
    kind text not null,
    subject text not null,
    document text not null,
    state text not null,
    proposed_by uuid not null constraint approval_proposer references staff (id),
    proposed_at bigint not null,
    decided_by uuid constraint approval_decider references staff (id),
    decided_at bigint,
    constraint approval_second_person check (decided_by is null or decided_by <> proposed_by)
);
create index approval_open on approval (proposed_at, id) where state = 'open';
alter table approval enable row level security;
grant select on approval to takmil_scoped;
create policy approval_seen on approval for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or participant in ((select current_setting('takmil.sender', true)), (select current_setting('takmil.insurer', true)))
);
