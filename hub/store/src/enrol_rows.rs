//! The rows that enrolments leave.

use serde::Serialize;
use takmil_domain::coverage::{EnrolledMember, Enrolment};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{AccountId, MemberId, MessageId, ParticipantId, PlanId};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::Relationship;

use crate::error::Constraint;
use crate::put::Row;
use crate::rows::{Id, over};

/// What is told of a person. It has no `Debug`: it is a person's.
#[derive(Serialize)]
pub(crate) struct PersonRow<'a> {
    id: Id,
    name: Option<&'a str>,
    birth_date: Option<Date>,
    sex: Option<Sex>,
    at: Instant,
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

impl Row for PersonRow<'_> {
    const SQL: &'static str = over!(
        id bytes, name text, birth_date text, sex text, at integer;
        "insert into member (id, name, birth_date, sex, created_at)
         select id, name, birth_date, sex, at from batch where true
         on conflict (id) do update
         set name = coalesce(excluded.name, member.name),
             birth_date = coalesce(excluded.birth_date, member.birth_date),
             sex = coalesce(excluded.sex, member.sex)"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Member);
    fn message(&self) -> Option<MessageId> {
        None
    }
}

/// An identifier of a person. It has no `Debug`: it is a person's.
#[derive(Serialize)]
pub(crate) struct IdentifierRow {
    system: String,
    value: String,
    member: Id,
}

impl IdentifierRow {
    pub(crate) fn of(system: String, value: String, member: MemberId) -> Self {
        IdentifierRow {
            system,
            value,
            member: member.into(),
        }
    }
}

impl Row for IdentifierRow {
    const SQL: &'static str = over!(
        system text, value text, member bytes;
        "insert into member_identifier (system, value, member)
         select system, value, member from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::MemberIdentifier);
    fn message(&self) -> Option<MessageId> {
        None
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct AccountRow<'a> {
    id: Id,
    insurer: &'a ParticipantId,
    policy: &'a str,
    certificate: &'a str,
    at: Instant,
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

impl Row for AccountRow<'_> {
    const SQL: &'static str = over!(
        id bytes, insurer text, policy text, certificate text, at integer;
        "insert into account (id, insurer, policy, certificate, created_at)
         select id, insurer, policy, certificate, at from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Account);
    fn message(&self) -> Option<MessageId> {
        None
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct CoverRow<'a> {
    member: Id,
    account: Id,
    plan: &'a PlanId,
    start_on: Date,
    end_on: Option<Date>,
    insurer: &'a ParticipantId,
    role: InsurerRole,
    asked: u32,
    relationship: Relationship,
    suspended: i64,
    prior_cover: i64,
    group_size: Option<u32>,
    at: Instant,
}

impl<'a> CoverRow<'a> {
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

impl Row for CoverRow<'_> {
    const SQL: &'static str = over!(
        member bytes, account bytes, plan text, start_on text, end_on text, insurer text, role text,
        asked integer, relationship text, suspended integer, prior_cover integer,
        group_size integer, at integer;
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
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Cover);
    fn message(&self) -> Option<MessageId> {
        None
    }
}
