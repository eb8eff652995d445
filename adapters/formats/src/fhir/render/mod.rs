//! The hub's answers as FHIR R4, in the syntax and the kind of bundle of the body that they answer.
//!
//! | message | answer |
//! |---|---|
//! | claim, pre-authorisation, estimate, admission | ClaimResponse |
//! | question about cover | CoverageEligibilityResponse |
//! | prescription with an estimate of its shares | ClaimResponse of use predetermination: a till wants amounts |
//! | hand-over of drugs with prices | ClaimResponse of use claim |
//! | taking back by a Claim | ClaimResponse |
//! | prescription or hand-over without prices; any other taking back | OperationOutcome that informs |
//! | a payment, when it is asked for | PaymentReconciliation |
//! | refused | OperationOutcome with a FHIRPath for each issue |
//!
//! Nothing here computes a share. What is written keeps to R4 itself, whatever was read: a value that R4
//! does not allow in its place is left out.

mod adjudication;
mod bundle;
mod claim;
mod eligibility;
mod head;
mod outcome;
mod payment;
#[cfg(test)]
mod tests;

use takmil_domain::message::Body;
use takmil_domain::settlement::{Due, Payment};

use super::read::looks_like_json;
use super::tree::Node;
use super::{json, xml};
use crate::{Answered, Outcome, Reply, Written};

/// Writes a reply.
pub(super) fn answer(reply: &Reply<'_>) -> Written {
    let is_json = looks_like_json(reply.body);
    write(&composed(reply, is_json), is_json)
}

/// Writes what was found for a question; `is_cut` where there is more.
pub(super) fn found(reply: &Reply<'_>, is_cut: bool) -> Written {
    write(&bundle::found(reply, is_cut), looks_like_json(reply.body))
}

/// Writes a payment.
pub(super) fn payment(payment: &Payment, dues: &[Due], is_json: bool) -> Written {
    write(&payment::reconciliation(payment, dues), is_json)
}

fn composed(reply: &Reply<'_>, is_json: bool) -> Node<'static> {
    let body = || {
        let parsed = if is_json {
            json::parse(reply.body)
        } else {
            xml::parse(reply.body)
        };
        // What cannot be read has no places: pointers into it are told as they are.
        parsed.unwrap_or(Node::Null)
    };
    match reply.outcomes {
        [
            Outcome {
                place: "",
                result: Ok(answered),
            },
        ] => resource(answered),
        [
            Outcome {
                place: "",
                result: Err(faults),
            },
        ] => {
            let id = Some(bundle::stem(reply)).filter(|stem| !stem.is_empty());
            outcome::refused(faults, &body(), id.as_deref())
        }
        _ => bundle::answer(reply, &body()),
    }
}

/// The answer to one message.
fn resource(answered: &Answered<'_>) -> Node<'static> {
    let has_shares = answered.answer.decision.is_some();
    match &answered.message.body {
        Body::Eligibility(asked) => eligibility::response(answered, asked),
        Body::Claim(_) | Body::Preauthorization(_) | Body::Estimate(_) | Body::Admission(_) => {
            claim::response(answered)
        }
        Body::Prescription(_) | Body::Dispense(_) if has_shares => claim::response(answered),
        Body::Cancel(_) if claim::is_of_claim(answered.message) => claim::response(answered),
        Body::Prescription(_) | Body::Dispense(_) | Body::Cancel(_) => outcome::told(answered),
    }
}

fn write(node: &Node<'_>, is_json: bool) -> Written {
    if !is_json && let Ok(text) = xml::render(node) {
        return Written {
            media_type: "application/fhir+xml",
            bytes: text.into_bytes(),
        };
    }
    // Also for what XML cannot hold, which the datatypes let nothing be.
    Written {
        media_type: "application/fhir+json",
        bytes: json::render(node).into_bytes(),
    }
}
