-- What is told to the central register, and the unique codes that it gives.

create table registration (
    id uuid not null constraint registration_pk primary key,
    subject text collate "C" not null,
    -- What makes it one thing: the certificate, the claim and its insurer, or the endorsement itself.
    object text collate "C" not null,
    insurer text collate "C" not null,
    account uuid not null constraint registration_account references account (id),
    message uuid,
    -- What an endorsement changes.
    covers text not null,
    created_at bigint not null,
    due_at bigint not null,
    attempts bigint not null default 0,
    -- Why the last attempt failed.
    error text,
    code text collate "C",
    registered_at bigint,
    constraint registration_object unique (subject, object),
    constraint registration_code unique (code)
);
create index registration_waiting on registration (due_at) where code is null;
create index registration_by_account on registration (account, subject);
create index registration_by_insurer on registration (insurer, id);
create index registration_by_message on registration (message) where message is not null;
alter table registration enable row level security;
grant select on registration to takmil_scoped;
create policy registration_seen on registration for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or exists (select from message where message.id = registration.message)
);
-- A registration names the certificate that it is about.
alter table account enable row level security;
grant select on account to takmil_scoped;
create policy account_seen on account for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
    or exists (select from registration where registration.account = account.id)
);
