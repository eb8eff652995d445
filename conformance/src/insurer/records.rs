//! What a simulated insurer was given: each delivery once, how often, and in which order.

use std::collections::HashMap;
use std::time::Instant;

use takmil_proto::{Bytes, v1};

/// Documents of so many of the latest deliveries are kept; of older ones only what stands beside them.
const MAX_DOCUMENTS: usize = 1_000;

/// A delivery that an insurer was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The delivery, by the hub's id.
    pub delivery_id: String,
    /// The message, by the hub's id.
    pub message_id: String,
    /// What was to be done with it: decide, decided, review, clarified, eligibility, cancelled.
    pub purpose: String,
    /// The kind of the message: claim, admission…
    pub kind: String,
    /// Its place among the deliveries of its claim, as the hub counts.
    pub sequence: i64,
    /// Who decided, as the answer says: hub, insurer, stand_in, person. Empty where nothing was.
    pub decided_by: String,
    /// The currency of `share`; empty where there is no bill.
    pub currency: String,
    /// What the answer has this insurer pay, over all lines, in the smallest unit.
    pub share: i64,
    /// Its place among everything that the insurer was given, from 1.
    pub place: usize,
    /// When it came first.
    pub at: Instant,
    /// How often it came.
    pub times: u32,
    /// The document, `{"message": …, "answer": …}`; `None` for an old one.
    pub document: Option<Bytes>,
}

/// How much an insurer was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Different deliveries.
    pub deliveries: usize,
    /// Calls with a delivery that had come before.
    pub repeats: u64,
    /// Deliveries that came for the first time after a later one of the same message.
    pub out_of_order: u64,
    /// Calls whose signature did not hold.
    pub forged: u64,
}

/// One call's delivery, whichever wire it came by.
#[derive(Debug, Clone, Default)]
pub(super) struct Notice {
    pub(super) delivery_id: String,
    pub(super) message_id: String,
    pub(super) purpose: String,
    pub(super) kind: String,
    pub(super) sequence: i64,
    pub(super) decided_by: String,
    pub(super) currency: String,
    pub(super) lines: Vec<ProposedLine>,
    pub(super) document: Bytes,
}

/// What the answer says of one line.
#[derive(Debug, Clone)]
pub(super) struct ProposedLine {
    pub(super) seq: u32,
    pub(super) billed: i64,
    /// What this insurer pays of it.
    pub(super) share: i64,
}

impl Notice {
    pub(super) fn money(&self, units: i64) -> v1::Money {
        v1::Money {
            units,
            currency_code: self.currency.clone(),
        }
    }
}

/// Everything that an insurer was given.
#[derive(Debug, Default)]
pub(super) struct Records {
    all: Vec<Received>,
    by_delivery: HashMap<String, usize>,
    latest: HashMap<String, i64>,
    repeats: u64,
    out_of_order: u64,
    forged: u64,
}

impl Records {
    /// Notes a call. Says whether its delivery had come before.
    pub(super) fn add(&mut self, notice: Notice) -> bool {
        let known = self.by_delivery.get(&notice.delivery_id);
        if let Some(known) = known.and_then(|at| self.all.get_mut(*at)) {
            known.times = known.times.saturating_add(1);
            self.repeats = self.repeats.saturating_add(1);
            return true;
        }
        let latest = self.latest.entry(notice.message_id.clone());
        let latest = latest.or_insert(notice.sequence);
        if notice.sequence < *latest {
            self.out_of_order = self.out_of_order.saturating_add(1);
        }
        *latest = notice.sequence.max(*latest);
        let shares = notice.lines.iter().map(|line| line.share);
        let received = Received {
            share: shares.fold(0, i64::saturating_add),
            delivery_id: notice.delivery_id.clone(),
            message_id: notice.message_id,
            purpose: notice.purpose,
            kind: notice.kind,
            sequence: notice.sequence,
            decided_by: notice.decided_by,
            currency: notice.currency,
            place: self.all.len().saturating_add(1),
            at: Instant::now(),
            times: 1,
            document: Some(notice.document),
        };
        self.by_delivery.insert(notice.delivery_id, self.all.len());
        self.all.push(received);
        let old = self.all.len().checked_sub(MAX_DOCUMENTS.saturating_add(1));
        if let Some(old) = old.and_then(|at| self.all.get_mut(at)) {
            old.document = None;
        }
        false
    }

    /// Notes a call whose signature did not hold.
    pub(super) fn add_forged(&mut self) {
        self.forged = self.forged.saturating_add(1);
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.all.clone()
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            deliveries: self.all.len(),
            repeats: self.repeats,
            out_of_order: self.out_of_order,
            forged: self.forged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(delivery: &str, message: &str, sequence: i64) -> Notice {
        Notice {
            delivery_id: delivery.into(),
            message_id: message.into(),
            sequence,
            document: "{}".into(),
            ..Notice::default()
        }
    }

    #[test]
    fn repeats_and_wrong_order_are_counted_by_delivery_and_message() {
        let mut records = Records::default();
        assert!(!records.add(notice("a", "claim 1", 1)));
        assert!(!records.add(notice("b", "claim 2", 7)));
        assert!(records.add(notice("a", "claim 1", 1)));
        assert!(!records.add(notice("c", "claim 1", 3)));
        assert_eq!(
            records.tally().out_of_order,
            0,
            "another claim has its own order"
        );
        assert!(!records.add(notice("d", "claim 1", 2)));
        assert!(records.add(notice("d", "claim 1", 2)));
        let tally = Tally {
            deliveries: 4,
            repeats: 2,
            out_of_order: 1,
            forged: 0,
        };
        assert_eq!(records.tally(), tally);
        let first = records.all().into_iter().next();
        assert_eq!(first.map(|first| (first.place, first.times)), Some((1, 2)));
    }

    #[test]
    fn documents_of_old_deliveries_are_let_go() {
        let mut records = Records::default();
        for number in 0..=MAX_DOCUMENTS {
            records.add(notice(&number.to_string(), "claim", 1));
        }
        let kept: Vec<bool> = records
            .all()
            .iter()
            .map(|received| received.document.is_some())
            .collect();
        assert_eq!(kept.iter().filter(|kept| !**kept).count(), 1);
        assert_eq!(kept.first(), Some(&false));
    }
}
