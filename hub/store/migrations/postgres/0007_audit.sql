-- The tamper-evident log. Leaves are written where things happen and wait here; entries are leaves with their
-- number, at their place in the tree for good. A salt may be erased, which leaves the log as verifiable as before.
-- Nobody but the hub itself sees these tables.

-- Who a participant is in the log, which names nobody. A hub of the version before adds participants, too.
alter table participant add column pseudonym uuid not null default gen_random_uuid();

create table audit_pending (
    id bigint generated always as identity constraint audit_pending_pk primary key,
    leaf bytea not null,
    salt bytea
);

create table audit_entry (
    place bigint not null constraint audit_entry_pk primary key,
    entry bytea not null,
    salt bytea
);
-- By the subject, whose ids grow with time: unlike an index by hash it grows at its end alone.
create index audit_entry_by_subject on audit_entry (substr(entry, 24, 16));

create table audit_number (
    participant uuid not null constraint audit_number_pk primary key,
    last bigint not null
);

create table audit_tile (
    level bigint not null,
    tile bigint not null,
    hashes bytea not null,
    constraint audit_tile_pk primary key (level, tile)
);

create table audit_head (
    "only" bigint not null constraint audit_head_pk primary key constraint audit_head_only check ("only" = 1),
    size bigint not null,
    root bytea not null,
    log_key text,
    checkpoint text,
    signed_at bigint,
    kept_at bigint
);
-- The root of a tree without entries is the hash of nothing.
insert into audit_head ("only", size, root)
values (1, 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');

create table audit_checkpoint (
    number bigint not null constraint audit_checkpoint_pk primary key,
    size bigint not null,
    signed_at bigint not null,
    note text not null
);

-- Who read what of persons. The log commits to each row.
create table audit_read (
    id uuid not null constraint audit_read_pk primary key,
    document text not null
);
