//! The bodies of the REST wire, in the core's own JSON names.
//!
//! A request, to all addresses alike (`deadline_ms` where somebody waits: to `/decide` and `/eligibility`):
//! ```json
//! {"delivery": "0190…", "insurer": "asia", "purpose": "decide", "message": "0190…", "kind": "claim",
//!  "sequence": 1, "created_at": "2026-11-21T08:30:00Z", "deadline_ms": 2000,
//!  "document": {"message": {}, "answer": {}}}
//! ```
//! The answer to `/decide`; `currency`, `total`, `lines` and `note` may be missing:
//! ```json
//! {"message": "0190…", "reference": "A-17", "verdict": "adjust", "currency": "IRR", "total": 219240,
//!  "lines": [{"seq": 1, "amount": 219240, "reasons": ["over agreed price"]}], "note": "…"}
//! ```
//! The answer to `/eligibility`; `start`, `end`, `benefits` and `note` may be missing:
//! ```json
//! {"message": "0190…", "reference": "A-17", "standing": "active", "start": "2026-01-01", "end": "2026-12-31",
//!  "benefits": ["surgery"], "note": "…"}
//! ```
//! To `/clarify` the request has a `clarification` beside: the insurer's note with the provider's reply. The answer to
//! it and to `/deliver` is empty, or a receipt:
//! ```json
//! {"reference": "A-17", "repeated": false}
//! ```
//! What the central register is told, and its answer; `policy_code` is missing for a policy itself, `covers` and `claim`
//! stand where it is an endorsement or a claim:
//! ```json
//! {"registration": "0190…", "subject": "claim", "insurer": "asia", "policy": "G-17", "certificate": "G-17-4",
//!  "policy_code": "10000000017",
//!  "claim": {"message": "0190…", "provider": "clinic", "decided_on": "2026-11-21", "currency": "IRR", "owed": 219240}}
//! ```
//! ```json
//! {"code": "20000000042"}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use takmil_domain::date::Date;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::{
    CoverStatement, DecidedLine, Delivery, InsurerDecision, InsurerVerdict, Purpose,
};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::registration::{Registration, UniqueCode};

use crate::Receipt;
use crate::decision::{MAX_REFERENCE, StatedDecision, text};
use crate::error::TransportError;

#[derive(Serialize)]
struct Request<'a> {
    delivery: DeliveryId,
    insurer: &'a ParticipantId,
    purpose: Purpose,
    message: MessageId,
    kind: Kind,
    sequence: i64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clarification: Option<Value>,
    document: Value,
}

/// The body that carries a delivery; `deadline_ms` where a decision is waited for.
pub(crate) fn request(
    delivery: &Delivery,
    deadline_ms: Option<u64>,
) -> Result<Vec<u8>, TransportError> {
    let document = serde_json::from_str(&delivery.document)?;
    written(delivery, deadline_ms, None, document)
}

/// The body that carries a reply to an insurer's question: the one that was given last is what the delivery tells of.
pub(crate) fn clarification(delivery: &Delivery) -> Result<Vec<u8>, TransportError> {
    let document: Value = serde_json::from_str(&delivery.document)?;
    let notes = document.pointer("/answer/notes").and_then(Value::as_array);
    let replied = |note: &&Value| note.pointer("/reply/at").and_then(Value::as_i64);
    let notes = notes.into_iter().flatten();
    let last = notes.filter(|note| replied(note).is_some());
    let last = last.max_by_key(replied).cloned();
    written(delivery, None, last, document)
}

fn written(
    delivery: &Delivery,
    deadline_ms: Option<u64>,
    clarification: Option<Value>,
    document: Value,
) -> Result<Vec<u8>, TransportError> {
    let request = Request {
        delivery: delivery.id,
        insurer: &delivery.insurer,
        purpose: delivery.purpose,
        message: delivery.message,
        kind: delivery.kind,
        sequence: delivery.sequence,
        created_at: delivery.created_at.to_string(),
        deadline_ms,
        clarification,
        document,
    };
    Ok(serde_json::to_vec(&request)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    message: MessageId,
    reference: String,
    verdict: InsurerVerdict,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default)]
    total: Option<Amount>,
    #[serde(default)]
    lines: Vec<DecidedLine>,
    #[serde(default)]
    valid_until: Option<Date>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    revision: u32,
}

/// Reads a decision.
///
/// # Errors
/// A [`Problem`]: with a pointer where the decision is one but is not sound, with line and column where it is none.
pub fn decision(body: &[u8]) -> Result<StatedDecision, Problem> {
    stated(serde_json::from_slice(body).map_err(unreadable)?)
}

/// Reads what an insurer says of a cover.
///
/// # Errors
/// As [`decision`].
pub(crate) fn statement(body: &[u8]) -> Result<CoverStatement, Problem> {
    serde_json::from_slice(body).map_err(unreadable)
}

/// Reads a decision that stands in another body.
///
/// # Errors
/// As [`decision`].
pub fn decision_of(value: &Value) -> Result<StatedDecision, Problem> {
    stated(DecisionBody::deserialize(value).map_err(unreadable)?)
}

fn stated(stated: DecisionBody) -> Result<StatedDecision, Problem> {
    let decision = InsurerDecision {
        message: stated.message,
        reference: stated.reference,
        verdict: stated.verdict,
        lines: stated.lines,
        valid_until: stated.valid_until,
        note: stated.note,
        revision: stated.revision,
    };
    StatedDecision::new(decision, stated.currency, stated.total)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptBody {
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    repeated: bool,
}

/// Reads a receipt. A body that is no JSON object is none: the status alone said that the delivery was taken.
pub(crate) fn receipt(body: &[u8]) -> Result<Receipt, Problem> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Ok(Receipt::default());
    }
    let stated: ReceiptBody = serde_json::from_slice(body).map_err(unreadable)?;
    let reference = stated.reference.filter(|reference| !reference.is_empty());
    text(
        reference.as_deref().unwrap_or(""),
        MAX_REFERENCE,
        "/reference",
    )?;
    Ok(Receipt {
        reference,
        repeated: stated.repeated,
    })
}

/// The body that registers something.
pub(crate) fn registration(registration: &Registration) -> Result<Vec<u8>, TransportError> {
    Ok(serde_json::to_vec(registration)?)
}

/// What the central register answers. It may say more.
#[derive(Deserialize)]
struct Registered {
    code: UniqueCode,
}

/// Reads the unique code that the register has given.
pub(crate) fn unique_code(body: &[u8]) -> Result<UniqueCode, Problem> {
    let stated: Registered = serde_json::from_slice(body).map_err(unreadable)?;
    Ok(stated.code)
}

/// Where an answer is not what it should be. What stands there is not repeated: it may name a person.
fn unreadable(error: serde_json::Error) -> Problem {
    let code = match error.classify() {
        Category::Data => ProblemCode::BadValue,
        Category::Io | Category::Syntax | Category::Eof => ProblemCode::Malformed,
    };
    let (line, column) = (error.line(), error.column());
    let detail = format!("not what the wire asks for, at line {line}, column {column}");
    Problem::new(code, "", detail)
}
