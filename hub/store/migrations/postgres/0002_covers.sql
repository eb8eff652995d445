-- What insurers promise, and to whom.

create table plan (
    role text collate "C" not null,
    id text collate "C" not null,
    version bigint not null,
    insurer text collate "C" not null constraint plan_insurer references participant (id),
    document text not null,
    revision bigint not null,
    constraint plan_pk primary key (role, id, version)
);
create index plan_by_revision on plan (revision);
alter table plan enable row level security;
grant select on plan to takmil_scoped;
create policy plan_seen on plan for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
);

create table tariff (
    id text collate "C" not null,
    version bigint not null,
    insurer text collate "C" constraint tariff_insurer references participant (id),
    document text not null,
    revision bigint not null,
    constraint tariff_pk primary key (id, version)
);
create index tariff_by_revision on tariff (revision);

create table member (
    id uuid not null constraint member_pk primary key,
    name text,
    birth_date text collate "C",
    sex text,
    created_at bigint not null
);

-- The key under which everything of a member is sealed, itself wrapped; the hub's own is owned by nobody (0).
-- Without it, what was sealed is gone, in every backup too.
create table data_key (
    owner uuid not null constraint data_key_pk primary key,
    wrapped bytea not null
);

-- Who was erased, and when.
create table erasure (
    member uuid not null constraint erasure_pk primary key,
    at bigint not null
);

-- The digest of an identifier under the hub's own key.
create table member_identifier (
    digest uuid not null constraint member_identifier_pk primary key,
    member uuid not null constraint member_identifier_owner references member (id)
);
create index member_identifier_by_member on member_identifier (member);

create table account (
    id uuid not null constraint account_pk primary key,
    insurer text collate "C" not null constraint account_insurer references participant (id),
    policy text collate "C" not null,
    certificate text collate "C" not null,
    created_at bigint not null,
    constraint account_certificate unique (insurer, policy, certificate)
);

create table cover (
    member uuid not null constraint cover_member references member (id),
    account uuid not null constraint cover_account references account (id),
    plan text collate "C" not null,
    start_on text collate "C" not null,
    end_on text collate "C",
    insurer text collate "C" not null constraint cover_insurer references participant (id),
    role text collate "C" not null,
    asked bigint not null,
    relationship text not null,
    suspended bigint not null,
    prior_cover bigint not null,
    group_size bigint,
    updated_at bigint not null,
    constraint cover_pk primary key (member, account, plan, start_on)
);
alter table cover enable row level security;
grant select on cover to takmil_scoped;
create policy cover_seen on cover for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
);

-- A member is seen by whom one of its covers is seen by.
alter table member enable row level security;
grant select on member to takmil_scoped;
create policy member_seen on member for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or exists (select from cover where cover.member = member.id)
);
