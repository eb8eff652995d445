//! Identifiers: the hub's own, and those that the field issues, with their check digits where they have one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;
use std::fmt;
use uuid::Uuid;

use crate::date::Instant;

macro_rules! hub_ids {
    ($($name:ident $meaning:literal)+) => {$(
        #[doc = $meaning]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Made from a moment and 80 random bits (UUID version 7), both passed in.
            pub fn new(at: Instant, random: [u8; 10]) -> Self {
                let milliseconds = u64::try_from(at.0 / 1_000).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
            }

            /// Reads the usual hyphenated form.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

hub_ids! {
    MessageId "A message that the hub has taken."
    MemberId "A person whom the hub knows as insured; a pseudonym, not a national id."
    AccountId "One policy certificate: principal and dependants under one policy. Owns limits."
    DeliveryId "One thing owed to one insurer."
    ReservationId "Parts of limits set aside for an admission."
    TransferId "One movement of money in the book."
    PaymentId "A payment that an insurer gave notice of."
    DisputeId "A dispute about what an insurer owes for a claim."
    RegistrationId "One thing told to the central register."
    DifferenceId "A figure that two parties state differently."
    UploadId "Many messages, sent as one file and taken one by one."
}

// Most are short enough to be kept in place: a copy touches nothing that other threads touch.
macro_rules! slugs {
    ($($name:ident $meaning:literal)+) => {$(
        #[doc = $meaning]
        ///
        /// 1 to 64 of the characters `a-z A-Z 0-9 . _ -`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Reads the name, where it is one.
            pub fn parse(text: &str) -> Option<Self> {
                is_slug(text).then(|| Self(text.into()))
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&$name> for SmolStr {
            fn from(id: &$name) -> SmolStr {
                id.0.clone()
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom("1 to 64 of a-z A-Z 0-9 . _ -"))
            }
        }
    )+};
}

slugs! {
    ParticipantId "A party that the hub talks to: insurer, provider, vendor, regulator."
    PlanId "A plan document over all its versions."
    BenefitId "A benefit within a plan."
    LimitCode "A limit within an insurer's plans; the same code in a later version is the same limit."
    TariffId "A tariff or price list over all its versions."
    GroupId "A named set of codes within a document."
}

fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// An identifier that somebody issued: whose it is, and the value.
///
/// `Debug` masks the value, because it may name a person.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// The issuer's URI, or the empty text where the sender named none: then it means something to the sender alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// The identifier as given.
    pub value: String,
}

impl Identifier {
    /// An identifier of a system.
    pub fn new(system: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            system: system.into(),
            value: value.into(),
        }
    }

    /// Whether the check digit holds; `None` where the hub knows no check for the system.
    pub fn check(&self) -> Option<bool> {
        let value = crate::text::digits(&self.value);
        CHECKS
            .iter()
            .find(|check| check.systems.contains(&self.system.as_str()))
            .map(|check| (check.holds)(value.trim()))
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|•••", self.system)
    }
}

/// The system of Iran's national id of persons.
pub const IR_NATIONAL_ID: &str = "urn:ir:national-id";
/// The system of Iran's national id of legal persons.
pub const IR_LEGAL_ID: &str = "urn:ir:legal-id";
/// The system of the central register's unique code of a policy, endorsement or claim.
pub const IR_UNIQUE_CODE: &str = "urn:ir:unique-code";

/// How to check the identifiers of some systems.
struct Check {
    systems: &'static [&'static str],
    holds: fn(&str) -> bool,
}

const CHECKS: &[Check] = &[
    Check {
        systems: &[IR_NATIONAL_ID],
        holds: ir_national_id,
    },
    Check {
        systems: &[IR_LEGAL_ID],
        holds: ir_legal_id,
    },
    Check {
        systems: &[IR_UNIQUE_CODE],
        holds: |text| decimal_digits(text).is_some_and(|digits| digits.len() == 11),
    },
    Check {
        systems: &[
            "http://hl7.org/fhir/sid/us-npi",
            "urn:oid:2.16.840.1.113883.4.6",
        ],
        holds: us_npi,
    },
    Check {
        systems: &["https://fhir.nhs.uk/Id/nhs-number"],
        holds: nhs_number,
    },
    Check {
        systems: &[
            "http://fhir.de/sid/gkv/kvid-10",
            "http://fhir.de/NamingSystem/gkv/kvid-10",
        ],
        holds: german_kvnr,
    },
];

fn decimal_digits(text: &str) -> Option<Vec<u32>> {
    text.chars().map(|letter| letter.to_digit(10)).collect()
}

/// Ten digits; the last checks the first nine, weighted 10 down to 2, modulo 11. Ten equal digits are nobody's.
fn ir_national_id(text: &str) -> bool {
    let Some(digits) = decimal_digits(text) else {
        return false;
    };
    let (Some((&check, front)), Some(first)) = (digits.split_last(), digits.first()) else {
        return false;
    };
    if front.len() != 9 || digits.iter().all(|digit| digit == first) {
        return false;
    }
    let rest = front
        .iter()
        .zip((2..=10).rev())
        .map(|(digit, weight)| digit * weight)
        .sum::<u32>()
        % 11;
    check == if rest < 2 { rest } else { 11 - rest }
}

/// Eleven digits; the last checks the others: each plus (tenth digit + 2), weighted 29 27 23 19 17 repeated, modulo 11, modulo 10.
fn ir_legal_id(text: &str) -> bool {
    let Some(digits) = decimal_digits(text).filter(|digits| digits.len() == 11) else {
        return false;
    };
    let (Some((&check, front)), Some(&tenth)) = (digits.split_last(), digits.get(9)) else {
        return false;
    };
    let weights = [29, 27, 23, 19, 17].iter().cycle();
    let rest = front
        .iter()
        .zip(weights)
        .map(|(digit, weight)| (digit + tenth + 2) * weight)
        .sum::<u32>()
        % 11;
    check == rest % 10
}

/// Ten digits whose Luhn sum, with the prefix 80840, is a multiple of ten.
fn us_npi(text: &str) -> bool {
    let Some(digits) = decimal_digits(text).filter(|digits| digits.len() == 10) else {
        return false;
    };
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            if place % 2 == 1 {
                doubled(digit)
            } else {
                digit
            }
        })
        .sum();
    // The prefix 80840 adds 24 to the Luhn sum of any ten digits after it.
    (sum + 24).is_multiple_of(10)
}

/// Ten digits; the last checks the first nine, weighted 10 down to 2, modulo 11, taken from 11.
fn nhs_number(text: &str) -> bool {
    let Some(digits) = decimal_digits(text).filter(|digits| digits.len() == 10) else {
        return false;
    };
    let Some((&check, front)) = digits.split_last() else {
        return false;
    };
    let rest = 11
        - front
            .iter()
            .zip((2..=10).rev())
            .map(|(digit, weight)| digit * weight)
            .sum::<u32>()
            % 11;
    check == rest % 11 && rest != 10
}

/// A letter and nine digits; the last checks the rest, the letter as its two-digit place, by alternate doubling.
fn german_kvnr(text: &str) -> bool {
    let mut letters = text.chars();
    let Some(letter @ 'A'..='Z') = letters.next() else {
        return false;
    };
    let place = u32::from(letter) - u32::from('A') + 1;
    let Some(digits) = decimal_digits(letters.as_str()).filter(|digits| digits.len() == 9) else {
        return false;
    };
    let Some((&check, front)) = digits.split_last() else {
        return false;
    };
    let sum: u32 = [place / 10, place % 10]
        .into_iter()
        .chain(front.iter().copied())
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    sum % 10 == check
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn check_digits_hold_or_not() {
        let check = |system: &str, value: &str, expected| {
            assert_eq!(Identifier::new(system, value).check(), expected, "{value}")
        };
        check(IR_NATIONAL_ID, "0012345679", Some(true));
        check(IR_NATIONAL_ID, "۰۰۱۲۳۴۵۶۷۹", Some(true));
        check(IR_NATIONAL_ID, "0012345678", Some(false));
        check(IR_NATIONAL_ID, "1111111111", Some(false));
        check(IR_NATIONAL_ID, "123", Some(false));
        check(IR_LEGAL_ID, "14003778990", Some(true));
        check(IR_LEGAL_ID, "14003778991", Some(false));
        check("http://hl7.org/fhir/sid/us-npi", "1234567893", Some(true));
        check("http://hl7.org/fhir/sid/us-npi", "1234567890", Some(false));
        check(
            "https://fhir.nhs.uk/Id/nhs-number",
            "9449304130",
            Some(true),
        );
        check(
            "https://fhir.nhs.uk/Id/nhs-number",
            "9449304131",
            Some(false),
        );
        check("http://fhir.de/sid/gkv/kvid-10", "X234567891", Some(true));
        check("http://fhir.de/sid/gkv/kvid-10", "X234567890", Some(false));
        check("urn:somebody", "x", None);
    }

    #[test]
    fn personal_identifiers_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", Identifier::new(IR_NATIONAL_ID, "0012345679")).contains("0012"));
    }

    #[test]
    fn message_ids_sort_by_time() {
        let early = MessageId::new(Instant(1_000_000), [255; 10]);
        assert!(early < MessageId::new(Instant(2_000_000), [0; 10]));
        assert_eq!(MessageId::parse(&early.to_string()), Some(early));
    }
}
