-- What is told to the central register, and the unique codes that it gives.

create table registration (
    id blob not null constraint registration_pk primary key,
    subject text not null,
    -- What makes it one thing: the certificate, the claim and its insurer, or the endorsement itself.
    object text not null,
    insurer text not null,
    account blob not null constraint registration_account references account (id),
    message blob,
    -- What an endorsement changes.
    covers text not null,
    created_at integer not null,
    due_at integer not null,
    attempts integer not null default 0,
    -- Why the last attempt failed.
    error text,
    code text,
    registered_at integer,
    constraint registration_object unique (subject, object),
    constraint registration_code unique (code)
) strict;
create index registration_waiting on registration (due_at) where code is null;
create index registration_by_account on registration (account, subject);
create index registration_by_insurer on registration (insurer, id);
create index registration_by_message on registration (message) where message is not null;
