//! Later revisions: an insurer decides anew what it decided when nobody waited for it any more. What was told at the
//! counter stands; what came after it is replaced, as a reversal and a new decision.

use std::collections::BTreeSet;

use takmil_domain::decision::{Decision, LineShare};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::{self, Event, State};
use takmil_domain::message::Message;
use takmil_domain::participant::Purpose;
use takmil_domain::reason::Reason;

use super::again::used_of_limits;
use super::{Bench, Done, leg};
use crate::error::Error;
use crate::judge::Heard;
use crate::ledger::Cause;
use crate::record::Record;

impl Bench<'_> {
    /// Judges a decided message by what an insurer says of it now; `None` where that comes to no decision.
    pub(super) fn revise(
        &mut self,
        message: MessageId,
        canonical: &Message,
        record: &Record,
        heard: &[(ParticipantId, Heard)],
    ) -> Result<Option<Done>, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(None);
        };
        if !life::may(
            Some(loaded.state),
            Event::Revised,
            State::Adjusted,
            loaded.kind,
        ) {
            return Ok(None);
        }
        let turn = loaded.turn + 1;
        let cause = Cause { message, turn };
        let used = used_of_limits(loaded);
        let kept = (self.ledger.clone(), self.holdings.clone());
        let mut record = record.clone();
        // What it reserved is used; what is left of an authorisation's reservation stays with it.
        record.basis.uses.clear();
        record.basis.keeps.clear();
        self.take_off(used, cause)?;
        let is_unmapped = !record.answer.unmapped.is_empty();
        let judged = self.judge(cause, canonical, &mut record.basis, is_unmapped, heard)?;
        let before = record.answer.decision.as_ref();
        let fits = |after: &Decision| {
            // What is owed is booked in one currency.
            before.is_none_or(|before| before.currency == after.currency)
        };
        let is_decided = judged.state.is_some_and(State::is_decided);
        let Some(after) = judged.decision.filter(|after| is_decided && fits(after)) else {
            (self.ledger, self.holdings) = kept;
            return Ok(None);
        };
        let who = heard.first().map(|(insurer, _)| insurer.clone());
        let legs = vec![leg(self.now, "revised", who, None)];
        if before.is_some_and(|before| tells_the_same(before, &after)) {
            (self.ledger, self.holdings) = kept;
            return self
                .go_on_waiting(message, Event::HeardLate, record, &[], legs)
                .map(Some);
        }
        let answer = &mut record.answer;
        answer.decision = Some(after);
        answer.state = State::Adjusted;
        answer.answered_at = self.now;
        answer.covers = judged.covers;
        answer.reasons = judged.reasons;
        answer.reasons.push(Reason::InsurerRevised);
        answer.notes.extend(self.notes_of(heard));
        let insurers: BTreeSet<&ParticipantId> = record
            .basis
            .covers
            .iter()
            .map(|own| &own.cover.insurer)
            .collect();
        let owed: Vec<_> = insurers
            .into_iter()
            .map(|insurer| (insurer.clone(), Purpose::Decided))
            .collect();
        self.book_anew(canonical, &record.answer, &record.basis)?;
        self.go_on_waiting(message, Event::Revised, record, &owed, legs)
            .map(Some)
    }
}

/// Whether each line comes out the same, for the same reasons; the way that led there may be another. Where nobody pays
/// otherwise the later word is told all the same: the highest revision counts, in whichever order they came.
fn tells_the_same(one: &Decision, other: &Decision) -> bool {
    let told = |decision: &Decision| -> Vec<LineShare> {
        let mut lines = decision.lines.clone();
        lines.iter_mut().for_each(|line| line.trace.clear());
        lines
    };
    one.currency == other.currency && one.totals == other.totals && told(one) == told(other)
}
