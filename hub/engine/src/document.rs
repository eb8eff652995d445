//! The documents that go out: to an insurer the message, and the answer as far as it is that insurer's business; to the
//! provider that sent the message, the answer in the form that it speaks itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use takmil_domain::answer::Answer;
use takmil_domain::clinical::Level;
use takmil_domain::code_map::{CodeMap, OwnCodes};
use takmil_domain::decision::{Decision, LineShare, Totals};
use takmil_domain::ids::{Identifier, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::{Correlate, Kind, Message};
use takmil_domain::participant::{Delivery, Purpose};
use takmil_domain::reason::Reason;
use takmil_formats::{Answered, FORMATS, Outcome, Reply, native};
use takmil_store::Owed;

use crate::catalog::Catalog;
use crate::error::Error;

/// How a document names every supplementary insurer but its reader: what they pay counts, who they are does not.
const ANOTHER: &str = "another-insurer";

/// What is kept of a turn, as far as a document needs it.
#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    answer: &'a RawValue,
}

#[derive(Serialize)]
struct Document<M, A> {
    message: M,
    answer: A,
    /// Both in the insurer's own codes, where it has told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<OwnCodes>,
}

/// What an insurer is handed: `{"message": …, "answer": …, "codes": …}`; or a provider, where it is told of its own
/// message.
///
/// Other supplementary insurers stay without a name, and their covers, limits and reasons stay out.
pub(crate) fn delivery(owed: Owed, catalog: &Catalog) -> Result<Delivery, Error> {
    let document = match owed.purpose {
        Purpose::Answered => for_sender(&owed),
        _ => {
            let map = catalog.code_map(&owed.insurer).map(AsRef::as_ref);
            seen(&owed.canonical, &owed.answer, &owed.insurer, map)
        }
    };
    let document = document.map_err(|_| Error::Unreadable {
        message: owed.message,
    })?;
    Ok(Delivery {
        id: owed.id,
        insurer: owed.insurer,
        purpose: owed.purpose,
        message: owed.message,
        kind: owed.kind,
        sequence: owed.sequence,
        created_at: owed.created_at,
        document,
    })
}

/// A message and what is kept of one of its turns, as an insurer sees them.
pub(crate) fn seen(
    canonical: &[u8],
    record: &str,
    insurer: &ParticipantId,
    map: Option<&CodeMap>,
) -> Result<String, serde_json::Error> {
    let kept: Kept<'_> = serde_json::from_str(record)?;
    let concerned: Concerned<'_> = serde_json::from_str(kept.answer.get())?;
    // Nearly every answer is one insurer's alone: it goes out as it is kept.
    if map.is_none()
        && concerned
            .covers
            .iter()
            .all(|own| own.insurer == insurer.as_str())
    {
        let message: &RawValue = serde_json::from_slice(canonical)?;
        let answer = kept.answer;
        return serde_json::to_string(&Document {
            message,
            answer,
            codes: None,
        });
    }
    let message = serde_json::from_slice(canonical)?;
    let answer = serde_json::from_str(kept.answer.get())?;
    for_insurer(message, &answer, insurer, map)
}

/// Whose covers an answer is about.
#[derive(Deserialize)]
struct Concerned<'a> {
    #[serde(borrow, default)]
    covers: Vec<ConcernedCover<'a>>,
}

#[derive(Deserialize)]
struct ConcernedCover<'a> {
    #[serde(borrow)]
    insurer: Cow<'a, str>,
}

/// The webhook that tells a provider of its message.
#[derive(Serialize)]
struct Webhook<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    message: MessageId,
    identifiers: &'a [Identifier],
    correlates: &'a [Correlate],
    kind: Kind,
    state: State,
    format: &'static str,
    media_type: &'static str,
    answer: &'a RawValue,
}

/// A JSON body, so that a format that has several syntaxes answers in this one: the answer stands in a JSON document.
const IN_JSON: &[u8] = b"{}";

fn for_sender(owed: &Owed) -> Result<String, serde_json::Error> {
    let kept: Kept<'_> = serde_json::from_str(&owed.answer)?;
    let answer: Answer = serde_json::from_str(kept.answer.get())?;
    let message: Message = serde_json::from_slice(&owed.canonical)?;
    let mut formats = FORMATS.iter();
    let format = formats.find(|format| format.name == owed.format);
    let format = format.unwrap_or(&native::FORMAT);
    let answered = Answered {
        message: &message,
        answer: &answer,
        json: Some(kept.answer.get()),
    };
    let written = (format.answer)(&Reply {
        body: IN_JSON,
        hub: "",
        request: &owed.id.to_string(),
        outcomes: &[Outcome {
            place: "",
            result: Ok(answered),
        }],
    });
    let shown: &RawValue = serde_json::from_slice(&written.bytes)?;
    serde_json::to_string(&Webhook {
        r#type: "message.answered",
        timestamp: owed.created_at.to_string(),
        data: Told {
            message: owed.message,
            identifiers: &message.head.identifiers,
            correlates: &message.head.correlates,
            kind: owed.kind,
            state: answer.state,
            format: format.name,
            media_type: written.media_type,
            answer: shown,
        },
    })
}

/// The document of an answer that is not kept yet.
pub(crate) fn for_insurer(
    mut message: Message,
    answer: &Answer,
    insurer: &ParticipantId,
    map: Option<&CodeMap>,
) -> Result<String, serde_json::Error> {
    let codes = map.map(|map| map.say(&message, answer));
    if !is_alone(answer, insurer) {
        // The sender's own naming of covers cannot be told apart by insurer with certainty.
        message.head.coverages.clear();
    }
    serde_json::to_string(&Document {
        message,
        answer: seen_by(answer, insurer),
        codes,
    })
}

/// Whether no other supplementary insurer has to do with it.
fn is_alone(answer: &Answer, insurer: &ParticipantId) -> bool {
    answer.covers.iter().all(|cover| cover.insurer == *insurer)
}

/// An answer as one insurer sees it.
pub(crate) fn seen_by(answer: &Answer, insurer: &ParticipantId) -> Answer {
    let mut seen = answer.clone();
    seen.covers.retain(|cover| cover.insurer == *insurer);
    seen.notes.retain(|note| note.insurer == *insurer);
    seen.appeals.retain(|appeal| appeal.insurer == *insurer);
    if let Some(decision) = &mut seen.decision {
        narrow(decision, insurer);
    }
    let lines = seen.decision.iter().flat_map(|own| &own.lines);
    let refuses = |line: &LineShare| line.reasons.contains(&Reason::ClinicallyRefused);
    let refused: Vec<u32> = lines
        .filter(|line| refuses(line))
        .map(|line| line.seq)
        .collect();
    for finding in &mut seen.findings {
        // What another insurer's terms make of it is that insurer's business.
        let own = match finding.lines.is_empty() {
            true => !refused.is_empty(),
            false => finding.lines.iter().any(|line| refused.contains(line)),
        };
        if finding.level == Level::Refusal && !own {
            finding.level = Level::Warning;
        }
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
