-- A proposal may be another participant's to decide, and may follow one that was approved.

alter table approval add column approver text collate "C" constraint approval_approver references participant (id);
alter table approval add column follows uuid constraint approval_follows references approval (id);
create unique index approval_follower on approval (follows);
create policy approval_to_decide on approval for select to takmil_scoped using (
    approver in ((select current_setting('takmil.sender', true)), (select current_setting('takmil.insurer', true)))
);
