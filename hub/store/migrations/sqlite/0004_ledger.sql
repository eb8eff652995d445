-- Limits, every movement of them, and what is set aside.
--
-- The account comes first in every key, so that a distributed database can spread accounts over nodes.
-- "id" is a digest of the rest of the limit's key.

create table standing (
    account blob not null,
    id blob not null,
    member blob,
    insurer text not null,
    code text not null,
    stretch text not null,
    kind text not null,
    unit text not null,
    per text not null,
    first_ceiling integer not null,
    ceiling integer not null,
    consumed integer not null,
    reserved integer not null,
    overdraft integer not null,
    version integer not null,
    constraint standing_pk primary key (account, id),
    constraint standing_room check (consumed + reserved <= ceiling + overdraft),
    constraint standing_ceiling check (ceiling >= 0),
    constraint standing_consumed check (consumed >= 0),
    constraint standing_reserved check (reserved >= 0),
    constraint standing_overdraft check (overdraft >= 0)
) strict, without rowid;

create table reservation (
    message blob not null constraint reservation_pk primary key,
    expires_on text not null,
    state text not null,
    -- What it still holds: [account, limit, how much], in order.
    parts text not null
) strict, without rowid;
create index reservation_open on reservation (expires_on, message) where state = 'open';

create table posting (
    insurer text not null constraint posting_insurer references participant (id),
    reference text not null,
    account blob not null,
    standing blob not null,
    kind text not null,
    amount integer not null,
    at integer not null,
    constraint posting_pk primary key (insurer, reference),
    constraint posting_standing foreign key (account, standing) references standing (account, id),
    constraint posting_kind check (kind in ('opening', 'off_hub', 'override', 'ceiling')),
    constraint posting_amount check (amount > 0 or kind = 'ceiling')
) strict, without rowid;

-- The movements of a turn lie with it, by limit: [account, limit, [[line, kind, amount, reservation?], …]].
create view entry (account, standing, message, turn, line, kind, amount, reservation, at) as
select
    unhex(moved.value ->> 0), unhex(moved.value ->> 1), turn.message, turn.number,
    one.value ->> 0, one.value ->> 1, one.value ->> 2, unhex(one.value ->> 3), turn.at
from turn, json_each(turn.entries) moved, json_each(moved.value, '$[2]') one;

create view reservation_part (reservation, account, standing, open) as
select reservation.message, unhex(part.value ->> 0), unhex(part.value ->> 1), part.value ->> 2
from reservation, json_each(reservation.parts) part;

create view ledger (account, standing, kind, amount) as
select account, standing, kind, amount from entry
union all
select account, standing, kind, amount from posting;
