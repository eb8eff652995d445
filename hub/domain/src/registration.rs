//! Registration with the central register of insurance: each policy, each change of one and each claim is told to it
//! once, and gets its unique code from it.
//!
//! Nothing of the person goes there but the hub's pseudonym.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::date::Date;
use crate::ids::{MemberId, MessageId, ParticipantId, PlanId, RegistrationId};
use crate::money::{Amount, Currency};
use crate::plan::Relationship;

/// How many digits a unique code has.
const DIGITS: usize = 11;

/// A unique code: 11 digits, given by the central register alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueCode(String);

impl UniqueCode {
    /// Reads a code, where it is one.
    pub fn parse(text: &str) -> Option<UniqueCode> {
        let is_code = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| UniqueCode(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for UniqueCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UniqueCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        UniqueCode::parse(&text).ok_or_else(|| de::Error::custom("11 digits"))
    }
}

/// What is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A policy certificate.
    Policy,
    /// A change of one: a member added, a cover ended or changed.
    Endorsement,
    /// A claim for which the insurer owes something.
    Claim,
}

impl Subject {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Subject::Policy => "policy",
            Subject::Endorsement => "endorsement",
            Subject::Claim => "claim",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Subject> {
        let all = [Subject::Policy, Subject::Endorsement, Subject::Claim];
        all.into_iter().find(|subject| subject.as_str() == text)
    }
}

/// What the register is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// The hub's id of it: the same at every attempt, so that the register knows a repeat.
    pub registration: RegistrationId,
    /// What is registered.
    pub subject: Subject,
    /// By which insurer.
    pub insurer: ParticipantId,
    /// The policy's number at the insurer.
    pub policy: String,
    /// The certificate within it.
    pub certificate: String,
    /// The policy's own unique code; `None` for the policy itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_code: Option<UniqueCode>,
    /// What an endorsement changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<EndorsedCover>,
    /// What a claim comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<RegisteredClaim>,
}

/// A cover as an endorsement leaves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndorsedCover {
    /// Whose: the hub's pseudonym.
    pub member: MemberId,
    /// By which plan.
    pub plan: PlanId,
    /// The relation to the principal.
    pub relationship: Relationship,
    /// The first day.
    pub start: Date,
    /// The last day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
    /// Whether payments are suspended.
    pub suspended: bool,
    /// Whether it is added; else it was there and is changed.
    pub added: bool,
}

/// A claim as it is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredClaim {
    /// The hub's id of it.
    pub message: MessageId,
    /// Who sent it.
    pub provider: ParticipantId,
    /// The day on which it was decided.
    pub decided_on: Date,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What the insurer owes for it when it is registered.
    pub owed: Amount,
}

#[cfg(test)]
mod tests {
    use super::{Subject, UniqueCode};

    #[test]
    fn a_unique_code_is_eleven_digits() {
        assert!(UniqueCode::parse("01234567890").is_some());
        for wrong in [
            "",
            "1234567890",
            "123456789012",
            "1234567890a",
            "۱۲۳۴۵۶۷۸۹۰۱",
        ] {
            assert_eq!(UniqueCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn subjects_are_told_by_their_names() {
        for subject in [Subject::Policy, Subject::Endorsement, Subject::Claim] {
            assert_eq!(Subject::parse(subject.as_str()), Some(subject));
        }
    }
}
