//! What the member's part of a line is made of: amounts that add up to it exactly, each with the reason for it.
//!
//! The trace of one insurer says what it left to the member, step by step. Some of that others have taken over since:
//! the provider by its waiver, the base insurer and earlier insurers by what they paid. Both together give the parts.

use takmil_domain::decision::{InsurerShare, LineShare, TraceEntry};
use takmil_domain::money::Amount;
use takmil_domain::reason::Reason;

/// A part of what the member pays; without a reason where the decision tells none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) reason: Option<Reason>,
    pub(super) amount: Amount,
}

/// What an insurer left to the member in a step.
struct Left {
    step: u8,
    reason: Reason,
    amount: Amount,
}

/// In which order what others pay lowers what an insurer left: what it held back for their sake, the member's own
/// share from its last part on, what was beyond a limit, what was above a price.
const TAKEN_OVER: &[u8] = &[14, 10, 13, 8, 7];

/// The parts of a line's member share, in the order of the steps.
///
/// The steps of a package are those of all its lines together: a line of it has one part.
pub(super) fn of_line(line: &LineShare) -> Vec<Part> {
    if line.member <= Amount::ZERO {
        return Vec::new();
    }
    let whole = |reason: Option<Reason>| {
        vec![Part {
            reason,
            amount: line.member,
        }]
    };
    if line.reasons.contains(&Reason::InPackage) {
        return whole(Some(Reason::InPackage));
    }
    let payers = line.supplementary.iter();
    let payer = payers
        .filter(|share| share.refused.is_none())
        .max_by_key(|share| alone(line, share));
    let Some(payer) = payer else {
        let refused = line.supplementary.iter().find_map(|share| share.refused);
        return whole(refused);
    };
    let mut left = left_by(line, payer);
    let left_in_all: Amount = left.iter().map(|part| part.amount).sum();
    let waived = take(&mut left, 8, line.written_off, false);
    let mut others = left_in_all - line.member - waived;
    for step in TAKEN_OVER {
        others -= take(&mut left, *step, others.or_zero(), true);
    }
    let mut parts: Vec<Part> = left
        .iter()
        .filter(|part| !part.amount.is_zero())
        .map(|part| Part {
            reason: Some(part.reason),
            amount: part.amount,
        })
        .collect();
    let told: Amount = parts.iter().map(|part| part.amount).sum();
    if told < line.member {
        parts.push(Part {
            reason: None,
            amount: line.member - told,
        });
    }
    parts
}

/// Adds parts to those of other lines: one for each reason.
pub(super) fn add(sums: &mut Vec<Part>, parts: &[Part]) {
    for part in parts {
        match sums.iter_mut().find(|sum| sum.reason == part.reason) {
            Some(sum) => sum.amount += part.amount,
            None => sums.push(*part),
        }
    }
}

fn own<'a>(line: &'a LineShare, share: &'a InsurerShare) -> impl Iterator<Item = &'a TraceEntry> {
    let of_insurer = |entry: &&TraceEntry| entry.insurer.as_ref() == Some(&share.insurer);
    line.trace.iter().filter(of_insurer)
}

/// What an insurer would pay if it were alone, within its limits.
fn alone(line: &LineShare, share: &InsurerShare) -> Amount {
    let by_itself = own(line, share).filter(|entry| (11..=13).contains(&entry.step));
    by_itself.last().map_or(share.amount, |entry| entry.after)
}

/// What an insurer left to the member: what it cut off, and the member's own share.
fn left_by(line: &LineShare, share: &InsurerShare) -> Vec<Left> {
    let left = |entry: &TraceEntry| {
        let amount = match entry.step {
            // What the insurer takes over is no loss to the member; rounding it is.
            11 if entry.reason == Reason::Share => Amount::ZERO,
            10 => entry.after - entry.before,
            7 | 8 | 11 | 13 | 14 => entry.before - entry.after,
            _ => Amount::ZERO,
        };
        Left {
            step: entry.step,
            reason: entry.reason,
            amount: amount.or_zero(),
        }
    };
    own(line, share).map(left).collect()
}

/// Lowers what was left in a step by `most` in all, the last part first or the first; says by how much.
fn take(left: &mut [Left], step: u8, most: Amount, last_first: bool) -> Amount {
    let mut taken = Amount::ZERO;
    let mut lower = |part: &mut Left| {
        let less = part.amount.min(most - taken);
        part.amount -= less;
        taken += less;
    };
    let of_step = left.iter_mut().filter(|part| part.step == step);
    match last_first {
        true => of_step.rev().for_each(&mut lower),
        false => of_step.for_each(&mut lower),
    }
    taken
}
