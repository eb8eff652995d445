//! The figures of a run: what was sent, taken, refused and delivered, and how long it took; for people and as the
//! one JSON object of the command's contract.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::{AnswerMode, Transport};
use takmil_store::Scope;

use super::World;
use super::play::{Became, Row, Taken};
use crate::cli::Fatal;

/// What an insurer was asked and given.
pub(super) struct Delivered {
    /// The insurer.
    pub(super) insurer: ParticipantId,
    /// Its wire.
    pub(super) transport: Transport,
    /// How the hub answers for it.
    pub(super) mode: AnswerMode,
    /// How often it was asked to decide.
    pub(super) asked: u64,
    /// How many deliveries it is owed since the start, by the hub's word.
    pub(super) owed: u64,
    /// How many different ones it has, by its own word.
    pub(super) received: u64,
    /// How many wait.
    pub(super) waiting: u64,
    /// How many came more than once.
    pub(super) repeats: u64,
    /// How many came after a later one of the same message.
    pub(super) out_of_order: u64,
}

/// What every insurer was asked and given so far.
pub(super) async fn delivered(world: &World) -> Result<Vec<Delivered>, Fatal> {
    let backlogs = world.hub.store().backlogs(&Scope::Hub).await?;
    let one = |(id, own): (&ParticipantId, &super::insurers::SampleInsurer)| {
        let received = own.simulator.received();
        let asked = received
            .iter()
            .filter(|delivery| delivery.purpose == "decide")
            .count();
        let tally = own.simulator.tally();
        let backlog = backlogs.iter().find(|backlog| backlog.insurer == *id);
        let owed = backlog.map_or(0, |own| own.delivered.saturating_add(own.waiting));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Delivered {
            insurer: id.clone(),
            transport: own.endpoint.transport,
            mode: own.mode,
            asked: count(asked),
            owed: owed.saturating_sub(world.had.get(id).copied().unwrap_or(0)),
            received: count(received.len().saturating_sub(asked)),
            waiting: backlog.map_or(0, |backlog| backlog.waiting),
            repeats: tally.repeats,
            out_of_order: tally.out_of_order,
        }
    };
    Ok(world.insurers.iter().map(one).collect())
}

/// Sums over messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Messages sent.
    pub(super) messages: usize,
    /// Those that the hub took.
    pub(super) accepted: usize,
    /// Those that it refused.
    pub(super) refused: usize,
    /// Those that it took and whose insurers have them.
    pub(super) delivered: usize,
    /// Those that it took and that no insurer is to hear of.
    pub(super) for_nobody: usize,
    decided_by: BTreeMap<&'static str, usize>,
    formats: BTreeMap<&'static str, usize>,
    /// Of the times, in microseconds: the middle one, and the one that a hundredth is longer than.
    pub(super) p50: u64,
    pub(super) p99: u64,
}

impl Sums {
    /// Sums messages up.
    pub(super) fn of(rows: &[Row]) -> Sums {
        let mut sums = Sums::default();
        let add = |count: &mut usize| *count = count.saturating_add(1);
        for row in rows {
            add(&mut sums.messages);
            add(sums.formats.entry(row.format).or_default());
            let Some(taken) = row.taken() else {
                add(&mut sums.refused);
                continue;
            };
            add(&mut sums.accepted);
            add(sums.decided_by.entry(taken.who).or_default());
            if taken.delivered {
                add(&mut sums.delivered);
            }
            if !taken.owed {
                add(&mut sums.for_nobody);
            }
        }
        let mut times: Vec<u64> = rows.iter().map(|row| row.micros).collect();
        times.sort_unstable();
        sums.p50 = percentile(&times, 50);
        sums.p99 = percentile(&times, 99);
        sums
    }

    /// Whether everything that was taken has come to rest where it belongs.
    pub(super) fn is_whole(&self) -> bool {
        self.delivered.saturating_add(self.for_nobody) == self.accepted
    }

    /// The contract's object, without its rows.
    pub(super) fn json(&self) -> Map<String, Value> {
        let object = json!({
            "messages": self.messages,
            "accepted": self.accepted,
            "refused": self.refused,
            "delivered": self.delivered,
            "decided_by": self.decided_by,
            "formats": self.formats,
            "p50_ms": in_ms(self.p50),
            "p99_ms": in_ms(self.p99),
        });
        match object {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}

/// The least of sorted `times` that so many percent of them are not longer than.
fn percentile(times: &[u64], percent: usize) -> u64 {
    let rank = times.len().saturating_mul(percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// Microseconds as a JSON number of milliseconds.
pub(super) fn in_ms(micros: u64) -> Value {
    let text = format!("{}.{:03}", micros / 1_000, micros % 1_000);
    serde_json::from_str(&text).unwrap_or_default()
}

/// A message's row in JSON. Amounts are in the smallest unit of the currency.
pub(super) fn row(row: &Row) -> Value {
    let mut object = json!({
        "title": row.title,
        "sender": row.sender,
        "format": row.format,
        "ms": in_ms(row.micros),
    });
    let more = match &row.became {
        Became::Taken(taken) => taken_row(taken),
        Became::Refused { code, place } => json!({"refused": {"code": code, "place": place}}),
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn taken_row(taken: &Taken) -> Value {
    let mut object = json!({
        "message": taken.id.to_string(),
        "kind": taken.kind,
        "decided_by": taken.who,
        "reasons": taken.reasons,
        "repeated": taken.repeated,
        "delivered": taken.delivered,
    });
    let Value::Object(members) = &mut object else {
        return object;
    };
    if let Some(later) = taken.later {
        members.insert("later".to_owned(), json!(later));
    }
    if let Some((currency, totals)) = &taken.shares {
        let shares = json!({
            "currency": currency.as_str(),
            "billed": totals.billed.get(),
            "base": totals.base.get(),
            "supplementary": totals.supplementary_total().get(),
            "written_off": totals.written_off.get(),
            "member": totals.member.get(),
        });
        if let Value::Object(shares) = shares {
            members.extend(shares);
        }
    }
    object
}

/// An insurer's deliveries in JSON.
pub(super) fn delivered_json(insurers: &[Delivered]) -> Value {
    let one = |own: &Delivered| {
        json!({
            "insurer": own.insurer,
            "transport": own.transport,
            "mode": own.mode,
            "asked": own.asked,
            "owed": own.owed,
            "received": own.received,
            "waiting": own.waiting,
            "repeats": own.repeats,
            "out_of_order": own.out_of_order,
        })
    };
    insurers.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        assert_eq!(percentile(&[], 50), 0);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[1, 2, 3, 4], 50), 2);
        assert_eq!(percentile(&[1, 2, 3, 4], 99), 4);
    }

    #[test]
    fn times_are_numbers_of_milliseconds() {
        assert_eq!(in_ms(12_045).to_string(), "12.045");
        assert_eq!(in_ms(7).to_string(), "0.007");
    }
}
