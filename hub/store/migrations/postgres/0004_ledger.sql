-- Limits, every movement of them, and what is set aside.
--
-- The account comes first in every key, so that a distributed database can spread accounts over nodes.
-- "id" is a digest of the rest of the limit's key.

-- Room in each page, so that a standing that moves stays where it is.
create table standing (
    account uuid not null,
    id uuid not null,
    member uuid,
    insurer text collate "C" not null,
    code text collate "C" not null,
    stretch text collate "C" not null,
    kind text not null,
    unit text not null,
    per text not null,
    first_ceiling bigint not null,
    ceiling bigint not null,
    consumed bigint not null,
    reserved bigint not null,
    overdraft bigint not null,
    version bigint not null,
    constraint standing_pk primary key (account, id),
    constraint standing_room check (consumed + reserved <= ceiling + overdraft),
    constraint standing_ceiling check (ceiling >= 0),
    constraint standing_consumed check (consumed >= 0),
    constraint standing_reserved check (reserved >= 0),
    constraint standing_overdraft check (overdraft >= 0)
) with (fillfactor = 60);
alter table standing enable row level security;
grant select on standing to takmil_scoped;
create policy standing_seen on standing for select to takmil_scoped using (
    (select current_setting('takmil.scope', true)) = 'all'
    or insurer = (select current_setting('takmil.insurer', true))
);

create table reservation (
    message uuid not null constraint reservation_pk primary key,
    expires_on text collate "C" not null,
    state text not null,
    -- What it still holds: [account, limit, how much], in order.
    parts text not null
);
create index reservation_open on reservation (expires_on, message) where state = 'open';

create table posting (
    insurer text collate "C" not null constraint posting_insurer references participant (id),
    reference text collate "C" not null,
    account uuid not null,
    standing uuid not null,
    kind text not null,
    amount bigint not null,
    at bigint not null,
    constraint posting_pk primary key (insurer, reference),
    constraint posting_standing foreign key (account, standing) references standing (account, id),
    constraint posting_kind check (kind in ('opening', 'off_hub', 'override', 'ceiling')),
    constraint posting_amount check (amount > 0 or kind = 'ceiling')
);

-- The movements of a turn lie with it, by limit: [account, limit, [[line, kind, amount, reservation?], …]].
create view entry (account, standing, message, turn, line, kind, amount, reservation, at) as
select
    (moved ->> 0)::uuid, (moved ->> 1)::uuid, turn.message, turn.number,
    (one ->> 0)::bigint, one ->> 1, (one ->> 2)::bigint, (one ->> 3)::uuid, turn.at
from turn
cross join lateral jsonb_array_elements(turn.entries::jsonb) moved
cross join lateral jsonb_array_elements(moved -> 2) one;

create view reservation_part (reservation, account, standing, open) as
select reservation.message, (part ->> 0)::uuid, (part ->> 1)::uuid, (part ->> 2)::bigint
from reservation
cross join lateral jsonb_array_elements(reservation.parts::jsonb) part;

create view ledger (account, standing, kind, amount) as
select account, standing, kind, amount from entry
union all
select account, standing, kind, amount from posting;
