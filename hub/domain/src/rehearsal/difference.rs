//! What a change does to one message.

use serde::{Serialize, Serializer};

use super::form::RecordedRow;
use crate::date::Date;
use crate::decision::LineShare;
use crate::ids::{MessageId, ParticipantId};
use crate::money::Amount;
use crate::reason::Reason;

/// An amount before the change and after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BeforeAfter {
    /// Before.
    pub before: Amount,
    /// After.
    pub after: Amount,
}

impl BeforeAfter {
    /// By how much it grows; below zero where it falls.
    pub fn change(self) -> Amount {
        self.after - self.before
    }

    /// The change in percent of what was before, with two digits after the point, halves up; `None` where that was
    /// nothing.
    pub fn percent(self) -> Option<String> {
        percent(self.change(), self.before)
    }

    pub(super) fn add(&mut self, other: BeforeAfter) {
        self.before += other.before;
        self.after += other.after;
    }
}

/// `part` in percent of `whole`, exact to two digits after the point, halves away from zero.
pub(super) fn percent(part: Amount, whole: Amount) -> Option<String> {
    let (part, whole) = (i128::from(part.get()), i128::from(whole.get()));
    if whole <= 0 {
        return None;
    }
    let size = crate::money::round_half_up(part.abs() * 10_000, whole).to_decimal(2);
    let is_zero = size.chars().all(|digit| matches!(digit, '0' | '.'));
    Some(if part < 0 && !is_zero {
        format!("-{size}")
    } else {
        size
    })
}

impl Serialize for BeforeAfter {
    /// `{"before", "after", "change", "percent"}`; percent is a text, and missing where nothing was before.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            before: Amount,
            after: Amount,
            change: Amount,
            #[serde(skip_serializing_if = "Option::is_none")]
            percent: Option<String>,
        }
        Written {
            before: self.before,
            after: self.after,
            change: self.change(),
            percent: self.percent(),
        }
        .serialize(serializer)
    }
}

/// What one supplementary insurer pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InsurerPart {
    /// The insurer.
    pub insurer: ParticipantId,
    /// What it pays.
    #[serde(flatten)]
    pub paid: BeforeAfter,
}

/// A message whose shares a change moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The message.
    pub message: MessageId,
    /// The number of its member in this history.
    pub member_number: u32,
    /// The day that it is about.
    pub day: Date,
    /// What the base insurer pays.
    pub base: BeforeAfter,
    /// What each supplementary insurer pays.
    pub supplementary: Vec<InsurerPart>,
    /// What the provider waives.
    pub written_off: BeforeAfter,
    /// What the member pays.
    pub member: BeforeAfter,
    /// Reasons that a line has after the change alone: its number and the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<(u32, Reason)>,
    /// Reasons that a line had before the change alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<(u32, Reason)>,
}

impl Difference {
    /// Whether any amount moves.
    pub(super) fn is_any(&self) -> bool {
        let others = [self.base, self.written_off, self.member];
        let mut all = self.supplementary.iter().map(|own| own.paid).chain(others);
        all.any(|own| own.before != own.after)
    }

    /// By how much what supplementary insurers pay grows, all together.
    pub fn paid_change(&self) -> Amount {
        self.supplementary.iter().map(|own| own.paid.change()).sum()
    }
}

/// The parts of a message's bill, each added up over its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) billed: Amount,
    pub(super) base: Amount,
    pub(super) written_off: Amount,
    pub(super) member: Amount,
    /// In the order of the covers.
    pub(super) paid: Vec<Amount>,
}

impl Parts {
    pub(super) fn of(lines: &[LineShare]) -> Parts {
        let mut parts = Parts::default();
        for line in lines {
            parts.billed += line.billed;
            parts.base += line.base;
            parts.written_off += line.written_off;
            parts.member += line.member;
            let paid = line.supplementary.iter().map(|own| own.amount);
            parts.add_paid(paid);
        }
        parts
    }

    pub(super) fn of_recorded(lines: &[RecordedRow]) -> Parts {
        let mut parts = Parts::default();
        // What was kept are amounts; what is none counts as nothing.
        let amount = |value: i64| Amount::new(value).unwrap_or_default();
        for line in lines {
            parts.billed += amount(line.billed);
            parts.base += amount(line.base);
            parts.written_off += amount(line.written_off);
            parts.member += amount(line.member);
            parts.add_paid(line.paid.iter().map(|own| amount(*own)));
        }
        parts
    }

    fn add_paid(&mut self, paid: impl Iterator<Item = Amount>) {
        for (at, amount) in paid.enumerate() {
            match self.paid.get_mut(at) {
                Some(sum) => *sum += amount,
                None => self.paid.push(amount),
            }
        }
    }
}

/// The reasons of each line, as far as they are `viewer`'s business: those of its own steps, and those of nobody's.
pub(super) fn reasons(lines: &[LineShare], viewer: Option<&ParticipantId>) -> Vec<(u32, Reason)> {
    let mut all: Vec<(u32, Reason)> = Vec::new();
    for line in lines {
        match viewer {
            None => all.extend(line.reasons.iter().map(|reason| (line.seq, *reason))),
            Some(viewer) => {
                let own = line.trace.iter();
                let own =
                    own.filter(|entry| entry.insurer.as_ref().is_none_or(|who| who == viewer));
                all.extend(own.map(|entry| (line.seq, entry.reason)));
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn percentages_are_exact_texts() {
        let check = |part: i64, whole: i64, expected: Option<&str>| {
            let told = percent(Amount::new(part).unwrap(), Amount::new(whole).unwrap());
            assert_eq!(told.as_deref(), expected, "{part} of {whole}");
        };
        check(31, 1_000, Some("3.10"));
        check(-31, 1_000, Some("-3.10"));
        check(1, 3, Some("33.33"));
        check(2, 3, Some("66.67"));
        check(-1, 1_000_000, Some("0.00"));
        check(0, 5, Some("0.00"));
        check(900_000_000_000_000, 1, Some("90000000000000000.00"));
        check(1, 0, None);
    }
}
