//! Payments: what an insurer says it paid, which claims it reached, and what is left of it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::state::PaymentState;
use super::{Pair, Refused, sum};
use crate::date::{Date, Instant};
use crate::digest::sha256;
use crate::ids::{MessageId, PaymentId};
use crate::money::Amount;

/// An insurer's notice of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The insurer's own reference; one payment has one.
    pub reference: String,
    /// From whom to whom, and in what.
    pub pair: Pair,
    /// How much; above zero.
    pub amount: Amount,
    /// When it was ordered.
    pub paid_on: Date,
    /// By what: a transfer's number, a cheque's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// For what.
    #[serde(default)]
    pub reach: Reach,
}

/// What a payment is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Whatever is open, oldest first.
    #[default]
    Bulk,
    /// The claims of a statement, by its number.
    Statement(u64),
    /// Claims and lines by name.
    Named(Vec<Row>),
}

/// A claim, or one of its lines, that a payment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The claim.
    pub message: MessageId,
    /// The line; the claim as a whole where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How much, below zero for what is taken back; all that is open where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
}

impl Notice {
    /// Whether this is a repeat of what was booked.
    ///
    /// # Errors
    /// [`Refused::Reference`] where the same insurer gave the same reference to something else.
    pub fn repeats(&self, booked: &Payment) -> Result<bool, Refused> {
        let known = (&booked.pair.insurer, booked.reference.as_str());
        if known != (&self.pair.insurer, self.reference.as_str()) {
            return Ok(false);
        }
        match self.digest() == booked.digest {
            true => Ok(true),
            false => Err(Refused::Reference),
        }
    }

    /// What a repeat is known by: SHA-256 over every field, each text with its length before it.
    pub fn digest(&self) -> [u8; 32] {
        let mut text = String::new();
        let instrument = self.instrument.as_deref();
        for part in [&self.reference, instrument.unwrap_or_default()] {
            // Writing to a text cannot fail.
            let _ = write!(text, "{}:{part}|", part.len());
        }
        let _ = write!(text, "{}|", instrument.is_some());
        let _ = write!(text, "{}|{}|{}|", self.pair, self.amount, self.paid_on);
        match &self.reach {
            Reach::Bulk => text.push_str("bulk"),
            Reach::Statement(number) => {
                let _ = write!(text, "statement {number}");
            }
            Reach::Named(rows) => {
                for Row {
                    message,
                    line,
                    amount,
                } in rows
                {
                    let amount = amount.map(Amount::get);
                    let _ = write!(text, "{message} {line:?} {amount:?};");
                }
            }
        }
        sha256(text.as_bytes())
    }
}

/// A payment as it is booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// From whom to whom.
    pub pair: Pair,
    /// The insurer's reference.
    pub reference: String,
    /// The digest of its notice.
    pub digest: [u8; 32],
    /// How much.
    pub amount: Amount,
    /// When it was ordered.
    pub paid_on: Date,
    /// By what.
    pub instrument: Option<String>,
    /// How far it has come.
    pub state: PaymentState,
    /// When the hub had notice of it.
    pub noticed_at: Instant,
    /// When it was confirmed, or bounced.
    pub settled_at: Option<Instant>,
    /// What it has reached: claim, line where one was named, amount. Those of one that bounced tell what it had.
    pub allocations: BTreeMap<(MessageId, Option<u32>), Amount>,
    /// What was answered to its notice, and is to each repeat.
    pub receipt: Receipt,
}

/// What is answered to a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The payment.
    pub payment: PaymentId,
    /// How much of it reached claims at once.
    pub allocated: Amount,
    /// How much waits for later ones.
    pub prepaid: Amount,
    /// What became of each row that it named, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowFate>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenFate")]
pub struct RowFate {
    /// The row.
    #[serde(flatten)]
    pub row: Row,
    /// How much was booked; below zero where it was taken back.
    pub booked: Amount,
    /// Why not, or not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// The JSON form of a [`RowFate`]: the row's own fields beside what became of it.
#[derive(Deserialize)]
struct WrittenFate {
    message: MessageId,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    amount: Option<Amount>,
    booked: Amount,
    #[serde(default)]
    refused: Option<Refused>,
}

impl From<WrittenFate> for RowFate {
    fn from(written: WrittenFate) -> RowFate {
        RowFate {
            row: Row {
                message: written.message,
                line: written.line,
                amount: written.amount,
            },
            booked: written.booked,
            refused: written.refused,
        }
    }
}

impl Payment {
    /// How much has reached claims.
    pub fn allocated(&self) -> Amount {
        self.allocations.values().copied().sum()
    }

    /// How much is there for later claims.
    pub fn rest(&self) -> Amount {
        match self.state.is_live() {
            true => self.amount - self.allocated(),
            false => Amount::ZERO,
        }
    }

    /// How much has reached one claim, its lines included.
    pub fn reached(&self, message: MessageId) -> Amount {
        self.of_claim(message).map(|(_, amount)| amount).sum()
    }

    /// What has reached one claim, line by line.
    pub fn of_claim(&self, message: MessageId) -> impl Iterator<Item = (Option<u32>, Amount)> {
        self.allocations
            .range((message, None)..=(message, Some(u32::MAX)))
            .map(|((_, line), amount)| (*line, *amount))
    }

    /// Moves so much to a claim, or from it where it is below zero.
    pub(super) fn reach(
        &mut self,
        message: MessageId,
        line: Option<u32>,
        change: Amount,
    ) -> Result<(), Refused> {
        let place = (message, line);
        let before = self.allocations.get(&place).copied().unwrap_or_default();
        let after = super::amount(sum([before, change]))?;
        if after < Amount::ZERO || change > self.rest() {
            return Err(Refused::Over);
        }
        match after.is_zero() {
            true => self.allocations.remove(&place),
            false => self.allocations.insert(place, after),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::{currency, id, pair};
    use super::*;

    fn notice() -> Notice {
        Notice {
            reference: "r-1".to_owned(),
            pair: pair(),
            amount: Amount::new(100).unwrap(),
            paid_on: Date::parse("2026-03-01").unwrap(),
            instrument: None,
            reach: Reach::Bulk,
        }
    }

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let row = |line, refused| RowFate {
            row: Row {
                message: id(1),
                line,
                amount: Amount::new(-5),
            },
            booked: Amount::ZERO,
            refused,
        };
        let receipt = Receipt {
            payment: PaymentId(id(2).0),
            allocated: Amount::ONE,
            prepaid: Amount::ZERO,
            rows: vec![row(None, None), row(Some(3), Some(Refused::Over))],
        };
        let written = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&written).unwrap(), receipt);
    }

    #[test]
    fn notices_that_differ_in_anything_have_digests_of_their_own() {
        let row = |line, amount| Row {
            message: id(1),
            line,
            amount,
        };
        let one = Amount::new(1);
        let other: Vec<fn(&mut Notice)> = vec![
            |_| (),
            |notice| notice.reference.push('|'),
            |notice| notice.pair.currency = currency("USD"),
            |notice| notice.pair.payee = super::super::PayeeKind::Member,
            |notice| notice.amount = Amount::new(101).unwrap(),
            |notice| notice.paid_on = notice.paid_on.add_days(1),
            |notice| notice.instrument = Some(String::new()),
            |notice| notice.instrument = Some("r-1".to_owned()),
            |notice| notice.reach = Reach::Statement(1),
            |notice| notice.reach = Reach::Statement(2),
        ];
        let mut all: Vec<Notice> = other
            .iter()
            .map(|change| {
                let mut other = notice();
                change(&mut other);
                other
            })
            .collect();
        for rows in [
            vec![],
            vec![row(None, None)],
            vec![row(Some(0), None)],
            vec![row(None, one)],
            vec![row(None, None), row(None, None)],
        ] {
            all.push(Notice {
                reach: Reach::Named(rows),
                ..notice()
            });
        }
        for (at, one) in all.iter().enumerate() {
            for other in all.iter().skip(at + 1) {
                assert_ne!(one.digest(), other.digest(), "{one:?} {other:?}");
            }
            let written = serde_json::to_string(one).unwrap();
            assert_eq!(serde_json::from_str::<Notice>(&written).unwrap(), *one);
        }
    }
}
