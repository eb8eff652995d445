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
    state text not null
) strict, without rowid;
create index reservation_open on reservation (expires_on, message) where state = 'open';

create table entry (
    account blob not null,
    standing blob not null,
    message blob not null,
    turn integer not null,
    line integer not null,
    kind text not null,
    amount integer not null,
    reservation blob,
    at integer not null,
    constraint entry_pk primary key (message, turn, line, account, standing, kind),
    constraint entry_amount check (amount > 0 or kind = 'ceiling')
) strict, without rowid;

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

create view ledger (account, standing, kind, amount) as
select account, standing, kind, amount from entry
union all
select account, standing, kind, amount from posting;

create table reservation_part (
    reservation blob not null,
    account blob not null,
    standing blob not null,
    open integer not null,
    constraint reservation_part_pk primary key (reservation, account, standing),
    constraint reservation_part_open check (open >= 0)
) strict, without rowid;
