//! The document that an insurer gets: the message, and the answer as far as it is that insurer's business.

use serde::Serialize;
use takmil_domain::answer::Answer;
use takmil_domain::decision::{Decision, LineShare, Totals};
use takmil_domain::ids::ParticipantId;
use takmil_domain::message::Message;

use crate::error::Error;

/// How a document names every supplementary insurer but its reader: what they pay counts, who they are does not.
const ANOTHER: &str = "another-insurer";

#[derive(Serialize)]
struct Document<'a> {
    message: &'a Message,
    answer: &'a Answer,
}

/// `{"message": …, "answer": …}` for one insurer.
///
/// Other supplementary insurers stay without a name, and their covers, limits and reasons stay out.
pub(crate) fn for_insurer(
    message: &Message,
    answer: &Answer,
    insurer: &ParticipantId,
) -> Result<String, Error> {
    let alone = answer.covers.iter().all(|cover| cover.insurer == *insurer);
    let written = if alone {
        serde_json::to_string(&Document { message, answer })
    } else {
        let mut message = message.clone();
        // The sender's own naming of covers cannot be told apart by insurer with certainty.
        message.head.coverages.clear();
        serde_json::to_string(&Document {
            message: &message,
            answer: &seen_by(answer, insurer),
        })
    };
    written.map_err(|_| Error::Unwritable)
}

/// An answer as one insurer sees it.
pub(crate) fn seen_by(answer: &Answer, insurer: &ParticipantId) -> Answer {
    let mut seen = answer.clone();
    seen.covers.retain(|cover| cover.insurer == *insurer);
    if let Some(decision) = &mut seen.decision {
        narrow(decision, insurer);
    }
    seen
}

fn narrow(decision: &mut Decision, insurer: &ParticipantId) {
    decision
        .remainders
        .retain(|remainder| remainder.key.insurer == *insurer);
    decision.basis.retain(|basis| basis.insurer == *insurer);
    for line in &mut decision.lines {
        narrow_line(line, insurer);
    }
    decision.totals = Totals::of(&decision.lines);
}

fn narrow_line(line: &mut LineShare, insurer: &ParticipantId) {
    line.trace
        .retain(|entry| entry.insurer.as_ref().is_none_or(|own| own == insurer));
    let told: Vec<_> = line.trace.iter().map(|entry| entry.reason).collect();
    line.reasons.retain(|reason| told.contains(reason));
    for share in line
        .supplementary
        .iter_mut()
        .filter(|share| share.insurer != *insurer)
    {
        if let Some(another) = ParticipantId::parse(ANOTHER) {
            share.insurer = another;
        }
        share.benefit = None;
        share.refused = None;
    }
}
