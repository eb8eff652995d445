//! The largest differences, with what led to them on either side.

use serde::Serialize;
use std::cmp::Reverse;

use super::Corrupt;
use super::difference::Difference;
use super::history::Place;
use super::judging::decide;
use super::limits::Limits;
use super::run::Desk;
use crate::decision::{Decision, LineShare, TraceEntry};
use crate::ids::ParticipantId;
use crate::message::Kind;

/// The largest of some differences, and where their messages lie.
#[derive(Default)]
pub(super) struct Largest(Vec<(Difference, Place)>);

/// A difference with what led to it.
#[derive(Debug)]
pub struct Explained {
    /// The difference.
    pub difference: Difference,
    /// What kind of message it is.
    pub kind: Kind,
    /// The code system and code of each line.
    pub codes: Vec<(u32, String, String)>,
    /// What comes out by the documents that were in force.
    pub before: Decision,
    /// What comes out by the changed ones.
    pub after: Decision,
}

/// A line that a change moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedLine {
    /// Its shares before.
    pub before: LineShare,
    /// Its shares after.
    pub after: LineShare,
    /// The steps that were before alone.
    pub lost: Vec<TraceEntry>,
    /// The steps that are after alone.
    pub gained: Vec<TraceEntry>,
}

impl Explained {
    /// The lines that move, without the steps that are the same on either side.
    pub fn lines(&self) -> Vec<ChangedLine> {
        let line = |after: &LineShare| {
            let before = self.before.lines.iter().find(|own| own.seq == after.seq)?;
            (before != after).then(|| changed(before.clone(), after.clone()))
        };
        self.after.lines.iter().filter_map(line).collect()
    }
}

fn changed(mut before: LineShare, mut after: LineShare) -> ChangedLine {
    let (was, is) = (
        std::mem::take(&mut before.trace),
        std::mem::take(&mut after.trace),
    );
    let only = |own: &[TraceEntry], other: &[TraceEntry]| {
        let own = own.iter().filter(|entry| !other.contains(entry));
        own.cloned().collect()
    };
    ChangedLine {
        lost: only(&was, &is),
        gained: only(&is, &was),
        before,
        after,
    }
}

impl Largest {
    /// Notes a difference, if it is one of the `most` largest.
    pub(super) fn note(&mut self, difference: &Difference, place: &Place, most: usize) {
        let is_larger = self.0.len() < most
            || self
                .0
                .last()
                .is_some_and(|(least, _)| size(difference) < size(least));
        if is_larger && most > 0 {
            self.0.push((difference.clone(), *place));
            self.keep(most);
        }
    }

    pub(super) fn add(&mut self, other: Largest, most: usize) {
        self.0.extend(other.0);
        self.keep(most);
    }

    fn keep(&mut self, most: usize) {
        self.0.sort_by_cached_key(|(own, _)| size(own));
        self.0.truncate(most);
    }

    /// Judges the groups of the largest again, and keeps what led to each.
    pub(super) fn explain(self, desk: &Desk<'_>) -> Result<Vec<Explained>, Corrupt> {
        let one = |(difference, place)| explain(difference, &place, desk);
        self.0.into_iter().map(one).collect()
    }
}

/// The larger, the earlier: by what insurers pay, by what the member pays, and at last by the message.
fn size(difference: &Difference) -> impl Ord + use<> {
    let paid = difference.paid_change().get().unsigned_abs();
    let member = difference.member.change().get().unsigned_abs();
    (Reverse(paid), Reverse(member), difference.message)
}

fn explain(difference: Difference, place: &Place, desk: &Desk<'_>) -> Result<Explained, Corrupt> {
    let all = desk.history.places();
    let first = all.partition_point(|own| own.group < place.group);
    let end = all.partition_point(|own| own.group <= place.group);
    let group = all.get(first..end).unwrap_or_default();
    let (mut before, mut after) = (Limits::default(), Limits::default());
    let mut postings = desk.history.postings(place.group).peekable();
    for past in desk.pasts(group)? {
        while let Some(posted) = postings.next_if(|posted| posted.at <= past.at) {
            before.post(posted);
            after.post(posted);
        }
        let was = decide(&past, &desk.before, &mut before);
        let is = decide(&past, &desk.after, &mut after);
        if past.id == difference.message {
            let line = |line: &crate::share::BillLine<'_>| {
                (line.seq, line.system.to_owned(), line.code.to_owned())
            };
            return Ok(Explained {
                difference,
                kind: past.kind,
                codes: past.lines.iter().map(line).collect(),
                before: desk.narrow(was),
                after: desk.narrow(is),
            });
        }
    }
    Err(Corrupt::new(0, "a message is missing"))
}

impl Desk<'_> {
    /// A decision as far as it is the viewer's business.
    fn narrow(&self, mut decision: Decision) -> Decision {
        let Some(viewer) = &self.options.viewer else {
            return decision;
        };
        let is_own = |insurer: &ParticipantId| insurer == viewer;
        decision.remainders.retain(|own| is_own(&own.key.insurer));
        decision.basis.retain(|own| is_own(&own.insurer));
        for line in &mut decision.lines {
            line.trace
                .retain(|own| own.insurer.as_ref().is_none_or(is_own));
            let told: Vec<_> = line.trace.iter().map(|own| own.reason).collect();
            line.reasons.retain(|reason| told.contains(reason));
            let others = line.supplementary.iter_mut();
            for share in others.filter(|own| !is_own(&own.insurer)) {
                share.insurer = self.seen(&share.insurer);
                share.benefit = None;
                share.refused = None;
            }
        }
        decision.totals = crate::decision::Totals::of(&decision.lines);
        decision
    }
}
