-- A proposal may be another participant's to decide, and may follow one that was approved.

alter table approval add column approver text constraint approval_approver references participant (id);
alter table approval add column follows blob constraint approval_follows references approval (id);
create unique index approval_follower on approval (follows);
