//! The rows that enrolments leave.

use takmil_domain::coverage::{EnrolledMember, Enrolment};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{AccountId, MemberId, ParticipantId, PlanId};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::Relationship;

use crate::column::Row;
use crate::error::{Constraint, StoreError};
use crate::rows::{Id, row};

row! {
    /// What is told of a person. It has no `Debug`: it is a person's.
    struct PersonRow<'a> {
        id: Id as id,
        name: Option<&'a str> as text,
        birth_date: Option<Date> as text,
        sex: Option<Sex> as text,
        at: Instant as integer,
    }
    Some(Constraint::Member);
    "insert into member (id, name, birth_date, sex, created_at)
     select id, name, birth_date, sex, at from batch where true
     on conflict (id) do update
     set name = coalesce(excluded.name, member.name),
         birth_date = coalesce(excluded.birth_date, member.birth_date),
         sex = coalesce(excluded.sex, member.sex)"
}

impl<'a> PersonRow<'a> {
    pub(crate) fn unknown(member: MemberId, at: Instant) -> Self {
        PersonRow {
            id: member.into(),
            name: None,
            birth_date: None,
            sex: None,
            at,
        }
    }

    /// What is told counts over what was known.
    pub(crate) fn learn(&mut self, told: &'a EnrolledMember) {
        self.name = told.name.as_deref().or(self.name);
        self.birth_date = told.birth_date.or(self.birth_date);
        self.sex = told.sex.or(self.sex);
    }
}

row! {
    /// An identifier of a person.
    #[derive(Debug)]
    struct IdentifierRow {
        digest: Id as id,
        member: Id as id,
    }
    Some(Constraint::MemberIdentifier);
    "insert into member_identifier (digest, member) select digest, member from batch"
}

row! {
    #[derive(Debug)]
    struct AccountRow<'a> {
        id: Id as id,
        insurer: &'a ParticipantId as text,
        policy: &'a str as text,
        certificate: &'a str as text,
        at: Instant as integer,
    }
    Some(Constraint::Account);
    "insert into account (id, insurer, policy, certificate, created_at)
     select id, insurer, policy, certificate, at from batch"
}

impl<'a> AccountRow<'a> {
    pub(crate) fn of(account: AccountId, enrolment: &'a Enrolment, at: Instant) -> Self {
        AccountRow {
            id: account.into(),
            insurer: &enrolment.insurer,
            policy: &enrolment.policy,
            certificate: &enrolment.certificate,
            at,
        }
    }
}

row! {
    #[derive(Debug)]
    struct CoverRow<'a> {
        member: Id as id,
        account: Id as id,
        plan: &'a PlanId as text,
        start_on: Date as text,
        end_on: Option<Date> as text,
        insurer: &'a ParticipantId as text,
        role: InsurerRole as text,
        asked: u32 as integer,
        relationship: Relationship as text,
        suspended: i64 as integer,
        prior_cover: i64 as integer,
        group_size: Option<u32> as integer,
        at: Instant as integer,
    }
    Some(Constraint::Cover);
    "insert into cover
         (member, account, plan, start_on, end_on, insurer, role, asked, relationship,
          suspended, prior_cover, group_size, updated_at)
     select member, account, plan, start_on, end_on, insurer, role, asked, relationship,
         suspended, prior_cover, group_size, at
     from batch where true
     on conflict (member, account, plan, start_on) do update
     set end_on = excluded.end_on, role = excluded.role, asked = excluded.asked,
         relationship = excluded.relationship, suspended = excluded.suspended,
         prior_cover = excluded.prior_cover, group_size = excluded.group_size,
         updated_at = excluded.updated_at"
}

impl<'a> CoverRow<'a> {
    /// Whether it is kept already as it is.
    pub(crate) fn is_kept_as(&self, row: &Row) -> Result<bool, StoreError> {
        let end: Option<Date> = row.named_maybe("end_on")?;
        let (role, asked): (InsurerRole, u32) = (row.named("role")?, row.number("asked")?);
        let relationship: Relationship = row.named("relationship")?;
        let (suspended, prior): (i64, i64) = (row.number("suspended")?, row.number("prior_cover")?);
        let group: Option<u32> = row.number_maybe("group_size")?;
        Ok((end, role, asked) == (self.end_on, self.role, self.asked)
            && (relationship, suspended, prior, group)
                == (
                    self.relationship,
                    self.suspended,
                    self.prior_cover,
                    self.group_size,
                ))
    }

    pub(crate) fn of(
        member: MemberId,
        account: AccountId,
        enrolment: &'a Enrolment,
        at: Instant,
    ) -> Self {
        CoverRow {
            member: member.into(),
            account: account.into(),
            plan: &enrolment.plan,
            start_on: enrolment.start,
            end_on: enrolment.end,
            insurer: &enrolment.insurer,
            role: enrolment.role,
            asked: enrolment.order,
            relationship: enrolment.relationship,
            suspended: i64::from(enrolment.suspended),
            prior_cover: i64::from(enrolment.prior_cover),
            group_size: enrolment.group_size,
            at,
        }
    }
}
