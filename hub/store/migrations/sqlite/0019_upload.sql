-- Files of many messages: each part is taken for itself, and its body goes when its messages have it.

create table upload (
    id blob not null constraint upload_pk primary key,
    sender text not null,
    -- The sender's key of the request, or the digest of the file: by it a repeat is recognised.
    key text not null,
    digest blob not null,
    received_at integer not null,
    parts integer not null,
    done integer not null,
    taken integer not null,
    refused integer not null,
    finished_at integer,
    constraint upload_key unique (sender, key),
    constraint upload_done check (done <= parts)
) strict, without rowid;
create index upload_open on upload (id) where finished_at is null;

create table upload_part (
    upload blob not null,
    number integer not null,
    -- The line of the file on which it begins.
    line integer not null,
    -- Sealed under the hub's own key, until the part is done.
    body blob,
    -- What became of its messages, as JSON, when it is done.
    results text,
    refused integer not null,
    constraint upload_part_pk primary key (upload, number)
) strict, without rowid;
create index upload_part_open on upload_part (upload, number) where results is null;
