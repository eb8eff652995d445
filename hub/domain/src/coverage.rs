//! The hub's own record of who is insured by whom, under which plan, from when to when.

mod order;

pub use order::{Criterion, PayingOrder};

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::ids::{AccountId, Identifier, MemberId, ParticipantId, PlanId};
use crate::party::{InsurerRole, Sex};
use crate::plan::Relationship;

/// A cover as an insurer registers it: one member under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The insurer.
    pub insurer: ParticipantId,
    /// Base or supplementary.
    pub role: InsurerRole,
    /// The order in which insurers are asked, 1 first.
    #[serde(default = "first")]
    pub order: u32,
    /// The policy's number at the insurer.
    pub policy: String,
    /// The certificate within the policy: principal and dependants share it, and with it the family's limits.
    pub certificate: String,
    /// The member.
    pub member: EnrolledMember,
    /// The relation to the principal.
    #[serde(default)]
    pub relationship: Relationship,
    /// The plan.
    pub plan: PlanId,
    /// The first day.
    pub start: Date,
    /// The last day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
    /// Whether payments are suspended.
    #[serde(default)]
    pub suspended: bool,
    /// Whether the member came from another supplementary cover without a gap.
    #[serde(default)]
    pub prior_cover: bool,
    /// How many members the policy's group has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_size: Option<u32>,
}

fn first() -> u32 {
    1
}

/// The person of an enrolment. `Debug` shows nothing of the person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledMember {
    /// By which the member is recognised: national id, member number with the insurer's system.
    pub identifiers: Vec<Identifier>,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The date of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<Date>,
    /// The administrative sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

impl std::fmt::Debug for EnrolledMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnrolledMember(•••)")
    }
}

/// A cover as the hub keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    /// The account that owns the limits. It never changes; a member who moves gets a new cover.
    pub account: AccountId,
    /// The member.
    pub member: MemberId,
    /// The insurer.
    pub insurer: ParticipantId,
    /// Base or supplementary.
    pub role: InsurerRole,
    /// The order in which insurers are asked, 1 first.
    pub order: u32,
    /// The relation to the principal.
    pub relationship: Relationship,
    /// The plan.
    pub plan: PlanId,
    /// The first day.
    pub start: Date,
    /// The last day, where it ends.
    pub end: Option<Date>,
    /// Whether payments are suspended.
    pub suspended: bool,
    /// Whether the member came from another supplementary cover without a gap.
    pub prior_cover: bool,
    /// How many members the policy's group has.
    pub group_size: Option<u32>,
    /// The day on which a dependant's principal was born, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_born: Option<Date>,
}

/// What the rules need to know of a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The date of birth; the first day of what is known of it.
    pub birth_date: Option<Date>,
    /// The administrative sex.
    pub sex: Option<Sex>,
}
