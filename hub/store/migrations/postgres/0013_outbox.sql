-- What an insurer refuses for what it is comes to rest as a dead letter, kept until a person has seen to it; and how
-- long the call took by which a delivery was taken.

alter table delivery add column took_ms bigint;
-- How often it was refused for what it is, and when it was first.
alter table delivery add column refusals bigint not null default 0;
alter table delivery add column refused_at bigint;
alter table delivery add column dead_at bigint;
-- Who saw to it that its insurer knows all the same, and how.
alter table delivery add column resolved_by text;
alter table delivery add column resolved_note text;
create index delivery_dead on delivery (insurer, sequence)
    where dead_at is not null and delivered_at is null and erased_at is null;
create index delivery_listed on delivery (insurer, sequence);
