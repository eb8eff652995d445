//! Appeals: the sender of a decided message says that an insurer has it wrong, and the insurer looks at it again. What
//! was decided stands meanwhile, and a member never pays more for having it looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use takmil_domain::answer::{Answer, Appeal, AppealOutcome};
use takmil_domain::decision::Decision;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::{self, Event, State};
use takmil_domain::message::{Attachment, Message};
use takmil_domain::participant::Purpose;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::reason::Reason;
use takmil_domain::settlement::due::is_paid;

use super::again::{read_record, used_of_limits};
use super::correct::pays_the_same;
use super::{Bench, Done, leg};
use crate::error::Error;
use crate::judge::Heard;
use crate::ledger::Cause;
use crate::record::{Record, Spoken};

/// What a sender appeals against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appealing {
    /// Whose part; the only insurer's, where none is named.
    pub insurer: Option<ParticipantId>,
    /// The sender's own reference.
    pub reference: String,
    /// Why.
    pub text: String,
    /// The lines; all, where none is named.
    pub lines: Vec<u32>,
    /// Documents that belong to it, by reference.
    pub attachments: Vec<Attachment>,
}

impl Bench<'_> {
    /// Takes an appeal, and puts the message before the insurer again.
    pub(super) fn appeal(
        &mut self,
        message: MessageId,
        sender: &ParticipantId,
        appealing: &Appealing,
    ) -> Result<Done, Error> {
        let loaded = self.loaded.get(&message);
        let Some(loaded) = loaded.filter(|loaded| loaded.sender == *sender) else {
            return Ok(Done::Nothing);
        };
        let (from, kind) = (loaded.state, loaded.kind);
        let mut record = read_record(loaded)?;
        let mut known = record.answer.appeals.iter();
        if let Some(known) = known.find(|own| own.reference == appealing.reference) {
            return Ok(match is_same(known, appealing) {
                true => Done::Repeated(Arc::new(Spoken::new(record.answer)?)),
                false => Done::Changed { earlier: message },
            });
        }
        if !life::may(Some(from), Event::Appealed, State::Appealed, kind) {
            let detail = format!(
                "a message of this kind that is {} has nothing to appeal against",
                from.as_str()
            );
            return Ok(refused(ProblemCode::BadValue, "", detail));
        }
        let insurer = match whom(&record.answer, appealing) {
            Ok(insurer) => insurer,
            Err(problem) => return Ok(Done::Refused(vec![problem])),
        };
        let days = self.catalog.contract(&insurer).map(|own| own.appeal_days);
        let last = days.map(|days| record.answer.answered_at.day().add_days(days));
        if last.is_some_and(|last| last < self.today) {
            let detail = "the time to appeal against this decision is over";
            return Ok(refused(ProblemCode::OutOfRange, "", detail));
        }
        record.answer.appeals.push(Appeal {
            insurer: insurer.clone(),
            reference: appealing.reference.clone(),
            at: self.now,
            text: appealing.text.clone(),
            lines: appealing.lines.clone(),
            attachments: appealing.attachments.clone(),
            outcome: None,
        });
        record.answer.state = State::Appealed;
        record.answer.answered_at = self.now;
        record.answer.reasons.push(Reason::Appealed);
        let legs = vec![leg(self.now, "appealed", Some(sender.clone()), None)];
        let owed = [(insurer, Purpose::Review)];
        self.go_on_waiting(message, Event::Appealed, record, &owed, legs)
    }

    /// Takes the word of the insurer that an appeal is before; `None` where others spoke alone.
    pub(super) fn look_again(
        &mut self,
        message: MessageId,
        canonical: &Message,
        record: &mut Record,
        heard: &[(ParticipantId, Heard)],
    ) -> Result<Option<Done>, Error> {
        let Some(insurer) = record.answer.open_appeal().map(|own| own.insurer.clone()) else {
            return Ok(None);
        };
        let Some((_, word)) = heard.iter().find(|(own, _)| *own == insurer) else {
            return Ok(None);
        };
        record.answer.answered_at = self.now;
        record.answer.notes.extend(self.notes_of(heard));
        let what = match word {
            Heard::Says { .. } => {
                let changed = self.decide_appeal(message, canonical, record, heard)?;
                if changed { "changed" } else { "upheld" }
            }
            Heard::Asks(_) => "asked",
            Heard::Pends(_) | Heard::Covers { .. } | Heard::Silent | Heard::Invalid => "heard",
        };
        let legs = vec![leg(self.now, what, Some(insurer.clone()), None)];
        let owed: Vec<_> = match record.answer.state {
            State::Appealed => Vec::new(),
            _ => {
                let covers = record.basis.covers.iter().map(|own| &own.cover.insurer);
                let all: BTreeSet<_> = covers.collect();
                all.into_iter()
                    .map(|own| (own.clone(), Purpose::Decided))
                    .collect()
            }
        };
        self.book_anew(canonical, &record.answer, &record.basis)?;
        let record = record.clone();
        self.go_on_waiting(message, Event::Heard, record, &owed, legs)
            .map(Some)
    }

    /// Judges a message by what the insurer says now. Whether that changed what is paid.
    fn decide_appeal(
        &mut self,
        message: MessageId,
        canonical: &Message,
        record: &mut Record,
        heard: &[(ParticipantId, Heard)],
    ) -> Result<bool, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(false);
        };
        let turn = loaded.turn + 1;
        let cause = Cause { message, turn };
        let used = used_of_limits(loaded);
        let kept = (self.ledger.clone(), self.holdings.clone());
        let mut basis = record.basis.clone();
        // What it reserved is used; what is left of an authorisation's reservation stays with it.
        basis.uses.clear();
        basis.keeps.clear();
        self.take_off(used, cause)?;
        let is_unmapped = !record.answer.unmapped.is_empty();
        let judged = self.judge(cause, canonical, &mut basis, is_unmapped, heard)?;
        let state = judged.state.filter(|state| state.is_decided());
        let before = record.answer.decision.as_ref();
        let better = |after: &Decision| {
            before.is_none_or(|before| {
                !pays_the_same(before, after) && after.totals.member <= before.totals.member
            })
        };
        let after = judged
            .decision
            .filter(|after| state.is_some() && better(after));
        let answer = &mut record.answer;
        answer.reasons.retain(|own| *own != Reason::Appealed);
        let changed = after.is_some();
        if let Some(after) = after {
            answer.decision = Some(after);
            answer.state = State::Adjusted;
            answer.reasons = judged.reasons;
            answer.reasons.push(Reason::AppealChanged);
            record.basis = basis;
        } else {
            (self.ledger, self.holdings) = kept;
            let is_paid = self.dues.get(&message).is_some_and(|own| is_paid(own));
            answer.state = match is_paid {
                true => State::Paid,
                false => as_before(answer),
            };
            answer.reasons.push(Reason::AppealUpheld);
            // It stands by its decision under the revision of the word that says so.
            for (insurer, own) in heard {
                let said = record.basis.said.iter_mut();
                let said = said.filter(|said| said.insurer == *insurer);
                let word = own.word().map(|(word, _)| word.revision);
                said.zip(word)
                    .for_each(|(said, word)| said.revision = said.revision.max(word));
            }
        }
        let mut appeals = answer.appeals.iter_mut();
        if let Some(open) = appeals.find(|own| own.outcome.is_none()) {
            open.outcome = Some(AppealOutcome {
                at: self.now,
                changed,
            });
        }
        Ok(changed)
    }
}

/// The insurer that an appeal is to be put before.
fn whom(answer: &Answer, appealing: &Appealing) -> Result<ParticipantId, Problem> {
    let lines = answer.decision.iter().flat_map(|own| &own.lines);
    let unknown = appealing.lines.iter().enumerate().find(|(_, seq)| {
        let mut known = lines.clone();
        known.all(|own| own.seq != **seq)
    });
    if let Some((at, _)) = unknown {
        let pointer = format!("/lines/{at}");
        let detail = "the decision has no such line";
        return Err(Problem::new(ProblemCode::BadValue, pointer, detail));
    }
    let shares = lines.flat_map(|line| &line.supplementary);
    let mut insurers: Vec<&ParticipantId> = shares.map(|share| &share.insurer).collect();
    insurers.sort();
    insurers.dedup();
    let (found, detail) = match &appealing.insurer {
        Some(named) => (
            insurers.into_iter().find(|own| *own == named),
            "it has no part in this decision",
        ),
        None => match insurers.as_slice() {
            [only] => (Some(*only), ""),
            [] => (None, "no insurer has a part in this decision"),
            _ => (
                None,
                "several insurers have a part in this decision: name one",
            ),
        },
    };
    found
        .cloned()
        .ok_or_else(|| Problem::new(ProblemCode::BadValue, "/insurer", detail))
}

fn is_same(known: &Appeal, appealing: &Appealing) -> bool {
    let insurer = appealing.insurer.as_ref();
    insurer.is_none_or(|own| *own == known.insurer)
        && (&known.text, &known.lines, &known.attachments)
            == (&appealing.text, &appealing.lines, &appealing.attachments)
}

/// The state that a decision without an appeal has.
fn as_before(answer: &Answer) -> State {
    let was = |reason: Reason| answer.reasons.contains(&reason);
    let shares = || {
        let lines = answer.decision.iter().flat_map(|own| &own.lines);
        lines.flat_map(|line| &line.supplementary)
    };
    if was(Reason::Corrected) || was(Reason::AppealChanged) {
        State::Adjusted
    } else if shares().all(|share| share.refused.is_some()) {
        State::Refused
    } else {
        State::Decided
    }
}

fn refused(code: ProblemCode, pointer: &str, detail: impl Into<String>) -> Done {
    Done::Refused(vec![Problem::new(code, pointer, detail)])
}
