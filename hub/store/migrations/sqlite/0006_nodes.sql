-- Who is at what, where several work side by side: deliveries that somebody is handing over, timers that somebody runs.

alter table delivery add column claimed_until integer;

create table lease (
    name text not null constraint lease_pk primary key,
    holder text not null,
    until integer not null
) strict, without rowid;
