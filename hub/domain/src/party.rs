//! The persons and bodies that a message speaks of, as the message names them.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::code::Coded;
use crate::date::{Period, When};
use crate::ids::Identifier;
use crate::message::Supporting;

/// The insured person a message is about. `Debug` shows nothing of the person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// National id, member number, passport…, each with its issuer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// The name as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The date of birth, perhaps only its year or month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<When>,
    /// The administrative sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member(•••)")
    }
}

/// Administrative sex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Another.
    Other,
    /// Not known.
    Unknown,
}

/// A person or body that takes part: provider, prescriber, dispenser, insurer, payee.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Licence numbers, tax numbers, the sender's own references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// The name as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the party does here: prescriber, performer, dispenser, assistant, facility…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Coded>,
    /// Specialty or kind of facility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialty: Option<Coded>,
    /// Who owns the facility, where tariffs differ by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<Sector>,
    /// For whom a practitioner works here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Box<Party>>,
    /// The number by which the message's lines name the party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// Whether this one answers for the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responsible: Option<bool>,
}

/// Who owns a facility. National tariffs have a column for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sector {
    /// The state.
    Public,
    /// A public body that is not the state (social security, municipalities…).
    NonGovernmentPublic,
    /// A charity.
    Charity,
    /// A private owner.
    Private,
}

/// A cover as the message names it. What counts is the hub's own record of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverageReference {
    /// Which insurer this is to the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<InsurerRole>,
    /// The order in which insurers are asked, 1 first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// Whether the message is addressed to this cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal: Option<bool>,
    /// The insurer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insurer: Option<Party>,
    /// Numbers of the policy, certificate or card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Kind of cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Coded>,
    /// Group, plan and class as printed on the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<CoverageClass>,
    /// The member's relation to the principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relationship: Option<Coded>,
    /// From when to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Numbers of pre-authorisations under this cover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorisations: Vec<String>,
    /// As the sender sees it: active, cancelled…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the sender says of the cover beyond the fields here, each part named by its category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub particulars: Vec<Supporting>,
}

/// A class printed on a card: group, plan, class, with its value and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverageClass {
    /// What it classifies.
    pub kind: Coded,
    /// The value.
    pub value: String,
    /// The name beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Which insurer this is to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InsurerRole {
    /// The one that pays first by law: social security, health insurance, AMO…
    Base,
    /// One that completes what the base insurer pays.
    Supplementary,
}
