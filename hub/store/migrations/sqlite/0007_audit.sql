-- The tamper-evident log. Leaves are written where things happen and wait here; entries are leaves with their
-- number, at their place in the tree for good. A salt may be erased, which leaves the log as verifiable as before.

-- Who a participant is in the log, which names nobody.
alter table participant add column pseudonym blob;
update participant set pseudonym = randomblob(16);

create table audit_pending (
    id integer not null constraint audit_pending_pk primary key,
    leaf blob not null,
    salt blob
) strict;

create table audit_entry (
    place integer not null constraint audit_entry_pk primary key,
    entry blob not null,
    salt blob
) strict;
-- By the subject, whose ids grow with time: unlike an index by hash it grows at its end alone.
create index audit_entry_by_subject on audit_entry (substr(entry, 24, 16));

create table audit_number (
    participant blob not null constraint audit_number_pk primary key,
    last integer not null
) strict, without rowid;

create table audit_tile (
    level integer not null,
    tile integer not null,
    hashes blob not null,
    constraint audit_tile_pk primary key (level, tile)
) strict;

create table audit_head (
    "only" integer not null constraint audit_head_pk primary key constraint audit_head_only check ("only" = 1),
    size integer not null,
    root blob not null,
    log_key text,
    checkpoint text,
    signed_at integer,
    kept_at integer
) strict;
-- The root of a tree without entries is the hash of nothing.
insert into audit_head ("only", size, root)
values (1, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');

create table audit_checkpoint (
    number integer not null constraint audit_checkpoint_pk primary key,
    size integer not null,
    signed_at integer not null,
    note text not null
) strict;

-- Who read what of persons. The log commits to each row.
create table audit_read (
    id blob not null constraint audit_read_pk primary key,
    document text not null
) strict, without rowid;
