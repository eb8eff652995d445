-- What insurers promise, and to whom.

create table plan (
    role text not null,
    id text not null,
    version integer not null,
    insurer text not null constraint plan_insurer references participant (id),
    document text not null,
    revision integer not null,
    constraint plan_pk primary key (role, id, version)
) strict;
create index plan_by_revision on plan (revision);

create table tariff (
    id text not null,
    version integer not null,
    insurer text constraint tariff_insurer references participant (id),
    document text not null,
    revision integer not null,
    constraint tariff_pk primary key (id, version)
) strict;
create index tariff_by_revision on tariff (revision);

create table member (
    id blob not null constraint member_pk primary key,
    name text,
    birth_date text,
    sex text,
    created_at integer not null
) strict, without rowid;

-- The key under which everything of a member is sealed, itself wrapped; the hub's own is owned by nobody (0).
-- Without it, what was sealed is gone, in every backup too.
create table data_key (
    owner blob not null constraint data_key_pk primary key,
    wrapped blob not null
) strict, without rowid;

-- Who was erased, and when.
create table erasure (
    member blob not null constraint erasure_pk primary key,
    at integer not null
) strict, without rowid;

-- The digest of an identifier under the hub's own key.
create table member_identifier (
    digest blob not null constraint member_identifier_pk primary key,
    member blob not null constraint member_identifier_owner references member (id)
) strict, without rowid;
create index member_identifier_by_member on member_identifier (member);

create table account (
    id blob not null constraint account_pk primary key,
    insurer text not null constraint account_insurer references participant (id),
    policy text not null,
    certificate text not null,
    created_at integer not null,
    constraint account_certificate unique (insurer, policy, certificate)
) strict, without rowid;

create table cover (
    member blob not null constraint cover_member references member (id),
    account blob not null constraint cover_account references account (id),
    plan text not null,
    start_on text not null,
    end_on text,
    insurer text not null constraint cover_insurer references participant (id),
    role text not null,
    asked integer not null,
    relationship text not null,
    suspended integer not null,
    prior_cover integer not null,
    group_size integer,
    updated_at integer not null,
    constraint cover_pk primary key (member, account, plan, start_on)
) strict, without rowid;
