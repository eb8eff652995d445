//! Covers between the core and the wire's types.

use takmil_domain::coverage::{EnrolledMember, Enrolment};
use takmil_domain::date::Date;
use takmil_domain::ids::{Identifier, ParticipantId, PlanId};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::Relationship;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_proto::v1;

use super::delivery::{identifiers, sex, shown};
use crate::decision::text;

/// Letters of a policy's or certificate's number, and of an identifier.
const MAX_NUMBER: usize = 128;
/// Letters of a name or of an identifier's system.
const MAX_NAME: usize = 256;
/// Identifiers of one person.
const MAX_IDENTIFIERS: usize = 16;

/// A cover for the wire.
pub fn to_wire(enrolment: &Enrolment) -> v1::Coverage {
    let person = &enrolment.member;
    v1::Coverage {
        insurer_id: enrolment.insurer.to_string(),
        role: match enrolment.role {
            InsurerRole::Base => v1::InsurerRole::Base.into(),
            InsurerRole::Supplementary => v1::InsurerRole::Supplementary.into(),
        },
        order: enrolment.order,
        policy: enrolment.policy.clone(),
        certificate: enrolment.certificate.clone(),
        member: Some(v1::Member {
            identifiers: identifiers(&person.identifiers),
            name: person.name.clone().unwrap_or_default(),
            birth_date: shown(person.birth_date),
            sex: person.sex.map_or(0, |known| sex(known).into()),
        }),
        relationship: relationship_to_wire(enrolment.relationship).into(),
        plan_id: enrolment.plan.to_string(),
        start: enrolment.start.to_string(),
        end: shown(enrolment.end),
        suspended: enrolment.suspended,
        prior_cover: enrolment.prior_cover,
        group_size: enrolment.group_size.unwrap_or(0),
    }
}

/// Reads a cover. One that names no insurer is `sender`'s; whether `sender` may register another's is not checked.
///
/// # Errors
/// A [`Problem`] with a pointer by field names into [`v1::Coverage`]: the first there is.
pub fn read(wire: &v1::Coverage, sender: &ParticipantId) -> Result<Enrolment, Problem> {
    let insurer = match wire.insurer_id.as_str() {
        "" => sender.clone(),
        named => ParticipantId::parse(named).ok_or_else(|| bad_id("/insurer_id"))?,
    };
    let start =
        day(&wire.start, "/start")?.ok_or_else(|| missing("/start", "a cover has a first day"))?;
    let end = day(&wire.end, "/end")?;
    if end.is_some_and(|end| end < start) {
        let detail = "the cover ends before it begins";
        return Err(Problem::new(ProblemCode::DateOrder, "/end", detail));
    }
    let person = wire
        .member
        .as_ref()
        .ok_or_else(|| missing("/member", "a cover has a member"))?;
    Ok(Enrolment {
        insurer,
        role: role(wire.role)?,
        order: wire.order.max(1),
        policy: number(&wire.policy, "/policy")?,
        certificate: number(&wire.certificate, "/certificate")?,
        member: member(person)?,
        relationship: relationship(wire.relationship)?,
        plan: PlanId::parse(&wire.plan_id).ok_or_else(|| bad_id("/plan_id"))?,
        start,
        end,
        suspended: wire.suspended,
        prior_cover: wire.prior_cover,
        group_size: Some(wire.group_size).filter(|size| *size > 0),
    })
}

fn member(wire: &v1::Member) -> Result<EnrolledMember, Problem> {
    let pointer = "/member/identifiers";
    if wire.identifiers.is_empty() {
        return Err(missing(pointer, "a member has at least one identifier"));
    }
    if wire.identifiers.len() > MAX_IDENTIFIERS {
        let detail = "at most 16 identifiers";
        return Err(Problem::new(ProblemCode::TooMany, pointer, detail));
    }
    let mut identifiers = Vec::with_capacity(wire.identifiers.len());
    for (at, identifier) in wire.identifiers.iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        text(&identifier.system, MAX_NAME, &format!("{pointer}/system"))?;
        let value = number(&identifier.value, &format!("{pointer}/value"))?;
        identifiers.push(Identifier::new(identifier.system.clone(), value));
    }
    text(&wire.name, MAX_NAME, "/member/name")?;
    Ok(EnrolledMember {
        identifiers,
        name: Some(wire.name.clone()).filter(|name| !name.is_empty()),
        birth_date: day(&wire.birth_date, "/member/birth_date")?,
        sex: sex_of(wire.sex)?,
    })
}

fn number(wire: &str, pointer: &str) -> Result<String, Problem> {
    if wire.trim().is_empty() {
        return Err(missing(pointer, "it is needed"));
    }
    text(wire, MAX_NUMBER, pointer)?;
    Ok(wire.to_owned())
}

fn day(wire: &str, pointer: &str) -> Result<Option<Date>, Problem> {
    if wire.is_empty() {
        return Ok(None);
    }
    let unreal = || {
        let detail = "not a day of the form YYYY-MM-DD";
        Problem::new(ProblemCode::BadDate, pointer, detail)
    };
    Date::parse(wire).map(Some).ok_or_else(unreal)
}

fn missing(pointer: &str, detail: &str) -> Problem {
    Problem::new(ProblemCode::Missing, pointer, detail)
}

fn bad_id(pointer: &str) -> Problem {
    let detail = "1 to 64 of the characters a-z A-Z 0-9 . _ -";
    Problem::new(ProblemCode::BadIdentifier, pointer, detail)
}

fn unknown(pointer: &str) -> Problem {
    Problem::new(
        ProblemCode::BadValue,
        pointer,
        "not a value that this hub knows",
    )
}

fn role(wire: i32) -> Result<InsurerRole, Problem> {
    match v1::InsurerRole::try_from(wire) {
        Ok(v1::InsurerRole::Base) => Ok(InsurerRole::Base),
        Ok(v1::InsurerRole::Supplementary) => Ok(InsurerRole::Supplementary),
        Ok(v1::InsurerRole::Unspecified) => Err(missing("/role", "a cover has a role")),
        Err(_) => Err(unknown("/role")),
    }
}

fn sex_of(wire: i32) -> Result<Option<Sex>, Problem> {
    match v1::Sex::try_from(wire) {
        Ok(v1::Sex::Unspecified) => Ok(None),
        Ok(v1::Sex::Female) => Ok(Some(Sex::Female)),
        Ok(v1::Sex::Male) => Ok(Some(Sex::Male)),
        Ok(v1::Sex::Other) => Ok(Some(Sex::Other)),
        Ok(v1::Sex::Unknown) => Ok(Some(Sex::Unknown)),
        Err(_) => Err(unknown("/member/sex")),
    }
}

fn relationship(wire: i32) -> Result<Relationship, Problem> {
    match v1::Relationship::try_from(wire) {
        Ok(v1::Relationship::Unspecified | v1::Relationship::Principal) => {
            Ok(Relationship::Principal)
        }
        Ok(v1::Relationship::Spouse) => Ok(Relationship::Spouse),
        Ok(v1::Relationship::Son) => Ok(Relationship::Son),
        Ok(v1::Relationship::Daughter) => Ok(Relationship::Daughter),
        Ok(v1::Relationship::Student) => Ok(Relationship::Student),
        Ok(v1::Relationship::Parent) => Ok(Relationship::Parent),
        Ok(v1::Relationship::Other) => Ok(Relationship::Other),
        Err(_) => Err(unknown("/relationship")),
    }
}

fn relationship_to_wire(relationship: Relationship) -> v1::Relationship {
    match relationship {
        Relationship::Principal => v1::Relationship::Principal,
        Relationship::Spouse => v1::Relationship::Spouse,
        Relationship::Son => v1::Relationship::Son,
        Relationship::Daughter => v1::Relationship::Daughter,
        Relationship::Student => v1::Relationship::Student,
        Relationship::Parent => v1::Relationship::Parent,
        Relationship::Other => v1::Relationship::Other,
    }
}
