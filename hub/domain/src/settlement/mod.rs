//! Settlement: what insurers owe providers, what they paid, and a book in which every unit of money has its place.
//!
//! The book is kept double-entry and is balanced by construction: a [`Transfer`] has one debit account, one credit
//! account and one amount above zero, and nothing moves money but transfers. What a claim's sums come to stands beside
//! it in a [`Due`], what a day came to in a [`Statement`]; both can be added up again from the transfers, and
//! [`period`] does before a month is closed.
//!
//! Pure: moments, days and ids are passed in. Nothing here names a person: ids, amounts and days alone, so that the
//! book outlives the erasure of a member.

pub mod account;
pub mod age;
pub mod allocate;
pub mod dispute;
pub mod due;
pub mod folio;
pub mod payment;
pub mod period;
pub mod reconcile;
pub mod remittance;
pub mod stage;
pub mod state;
pub mod statement;

#[cfg(test)]
mod sample;

pub use account::{Account, Balances, Transfer, TransferKind};
pub use due::{Change, Due, DueLine, Says, Word};
pub use folio::Folio;
pub use payment::{Notice, Payment, Reach, Receipt};
pub use statement::Statement;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use crate::bill::Payee;
use crate::ids::ParticipantId;
use crate::money::{Amount, Currency};

/// Whose book: one insurer, one provider, one kind of payee, one currency. Every account exists once for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Who owes.
    pub insurer: ParticipantId,
    /// Who sent the claims.
    pub provider: ParticipantId,
    /// Who is to have the money.
    #[serde(default)]
    pub payee: PayeeKind,
    /// In what.
    pub currency: Currency,
}

impl fmt::Display for Pair {
    /// One text: insurer/provider/payee/currency.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payee = self.payee.as_str();
        write!(
            f,
            "{}/{}/{payee}/{}",
            self.insurer, self.provider, self.currency
        )
    }
}

impl Pair {
    /// Refuses what belongs to another pair: [`Refused::Currency`] where the currency alone differs.
    fn accepts(&self, other: &Pair) -> Result<(), Refused> {
        let (mine, its) = (&self.insurer, &other.insurer);
        if (mine, &self.provider, self.payee) != (its, &other.provider, other.payee) {
            return Err(Refused::Unknown);
        }
        match self.currency == other.currency {
            true => Ok(()),
            false => Err(Refused::Currency),
        }
    }
}

/// Who is to have the money that an insurer pays for a claim.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PayeeKind {
    /// The sender of the claim.
    #[default]
    Provider,
    /// The insured person, who has paid the bill already.
    Member,
    /// Somebody else: a representative, an office.
    Other,
}

impl PayeeKind {
    /// Every kind.
    pub const ALL: &'static [PayeeKind] =
        &[PayeeKind::Provider, PayeeKind::Member, PayeeKind::Other];

    /// The name in the book.
    pub fn as_str(self) -> &'static str {
        match self {
            PayeeKind::Provider => "provider",
            PayeeKind::Member => "member",
            PayeeKind::Other => "other",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<PayeeKind> {
        PayeeKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
    }

    /// Whom a bill names: the provider where it names nobody. FHIR's payee types are subscriber, provider and other.
    pub fn of(payee: Option<&Payee>) -> PayeeKind {
        let kind = payee.and_then(|payee| payee.kind.as_ref());
        match kind.and_then(|kind| kind.effective()) {
            None | Some((_, "provider")) => PayeeKind::Provider,
            Some((_, "subscriber" | "member" | "beneficiary" | "patient")) => PayeeKind::Member,
            Some(_) => PayeeKind::Other,
        }
    }
}

/// Why the book does not take something. Each has one stable public code; whoever tells it names the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// See [`Refused::meaning`], as for every other one.
    #[error("no such claim, line, statement or payment between these two")]
    Unknown,
    /// More than is left.
    #[error("more than is open")]
    Over,
    /// Another currency.
    #[error("another currency than what is owed")]
    Currency,
    /// A closed month.
    #[error("the month is closed")]
    Closed,
    /// A reference used twice.
    #[error("the reference names another payment already")]
    Reference,
    /// Nothing, or less.
    #[error("the amount is not one that can be booked")]
    Amount,
    /// At the wrong time.
    #[error("not in a state that allows it")]
    State,
    /// Too large.
    #[error("larger than any real sum")]
    Range,
    /// Rows beyond their payment.
    #[error("the rows come to more than the payment")]
    Sum,
    /// The book itself.
    #[error("the sums do not add up")]
    Unbalanced,
}

impl Refused {
    /// Every refusal, for the published list.
    pub const ALL: &'static [Refused] = &[
        Refused::Unknown,
        Refused::Over,
        Refused::Currency,
        Refused::Closed,
        Refused::Reference,
        Refused::Amount,
        Refused::State,
        Refused::Range,
        Refused::Sum,
        Refused::Unbalanced,
    ];

    /// The stable public code.
    pub fn code(self) -> &'static str {
        match self {
            Refused::Unknown => "PAY-UNKNOWN",
            Refused::Over => "PAY-OVER",
            Refused::Currency => "PAY-CURRENCY",
            Refused::Closed => "PAY-CLOSED",
            Refused::Reference => "PAY-REFERENCE",
            Refused::Amount => "PAY-AMOUNT",
            Refused::State => "PAY-STATE",
            Refused::Range => "PAY-RANGE",
            Refused::Sum => "PAY-SUM",
            Refused::Unbalanced => "PAY-UNBALANCED",
        }
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Refused::Unknown => {
                "What is named does not exist between this insurer and this provider."
            }
            Refused::Over => "The amount is more than is open, disputed, or on its way.",
            Refused::Currency => "The amount is in another currency than what is owed.",
            Refused::Closed => {
                "The day lies in a month that is closed; a later fact is booked in the open month."
            }
            Refused::Reference => {
                "A payment with the same reference and another content has been booked already."
            }
            Refused::Amount => "The amount is zero, or below zero where it may not be.",
            Refused::State => {
                "The payment, dispute, day or month has come too far for it, or not far enough."
            }
            Refused::Range => "An amount or a sum is larger than any real one.",
            Refused::Sum => {
                "The rows named by a payment come to more than its amount and what they take back."
            }
            Refused::Unbalanced => "Sums that have to be equal are not.",
        }
    }
}

impl Serialize for Refused {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Refused, D::Error> {
        let code = String::deserialize(deserializer)?;
        let mut all = Refused::ALL.iter().copied();
        all.find(|refused| refused.code() == code)
            .ok_or_else(|| serde::de::Error::custom("no such refusal"))
    }
}

/// An amount, where one row may name so much.
fn amount(value: i128) -> Result<Amount, Refused> {
    i64::try_from(value)
        .ok()
        .and_then(Amount::new)
        .ok_or(Refused::Range)
}

/// A sum as the book states it, where 64 bits hold it.
fn total(value: i128) -> Result<i64, Refused> {
    i64::try_from(value).map_err(|_| Refused::Range)
}

/// A sum of amounts, which cannot overflow: there are not 2⁶⁴ of them.
fn sum(amounts: impl IntoIterator<Item = Amount>) -> i128 {
    amounts
        .into_iter()
        .map(|amount| i128::from(amount.get()))
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::code::Coded;
    use std::collections::BTreeSet;

    #[test]
    fn every_refusal_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = Refused::ALL.iter().map(|refused| refused.code()).collect();
        assert_eq!(codes.len(), Refused::ALL.len());
        assert!(codes.iter().all(|code| code.starts_with("PAY-")));
        assert_eq!(
            serde_json::to_string(&Refused::Over).unwrap(),
            "\"PAY-OVER\""
        );
    }

    #[test]
    fn who_is_paid_is_whom_the_bill_names() {
        let payee = |code: &str| Payee {
            kind: Some(Coded::new(
                "http://terminology.hl7.org/CodeSystem/payeetype",
                code,
            )),
            party: None,
        };
        for (named, expected) in [
            (None, PayeeKind::Provider),
            (Some("provider"), PayeeKind::Provider),
            (Some("subscriber"), PayeeKind::Member),
            (Some("other"), PayeeKind::Other),
            (Some("?"), PayeeKind::Other),
        ] {
            let bill = named.map(payee);
            assert_eq!(PayeeKind::of(bill.as_ref()), expected, "{named:?}");
        }
        for kind in PayeeKind::ALL {
            assert_eq!(PayeeKind::parse(kind.as_str()), Some(*kind));
        }
    }
}
