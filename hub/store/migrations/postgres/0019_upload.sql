-- Files of many messages: each part is taken for itself, and its body goes when its messages have it.

create table upload (
    id uuid not null constraint upload_pk primary key,
    sender text collate "C" not null,
    -- The sender's key of the request, or the digest of the file: by it a repeat is recognised.
    key text collate "C" not null,
    digest bytea not null,
    received_at bigint not null,
    parts bigint not null,
    done bigint not null,
    taken bigint not null,
    refused bigint not null,
    finished_at bigint,
    constraint upload_key unique (sender, key),
    constraint upload_done check (done <= parts)
);
create index upload_open on upload (id) where finished_at is null;

create table upload_part (
    upload uuid not null,
    number bigint not null,
    -- The line of the file on which it begins.
    line bigint not null,
    -- Sealed under the hub's own key, until the part is done.
    body bytea,
    -- What became of its messages, as JSON, when it is done.
    results text,
    refused bigint not null,
    constraint upload_part_pk primary key (upload, number)
);
create index upload_part_open on upload_part (upload, number) where results is null;
alter table upload enable row level security;
alter table upload_part enable row level security;
grant select on upload, upload_part to takmil_scoped;
create policy upload_seen on upload for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or sender = (select current_setting('takmil.sender', true))
);
create policy upload_part_seen on upload_part for select to takmil_scoped using (
    exists (select 1 from upload where upload.id = upload_part.upload)
);
