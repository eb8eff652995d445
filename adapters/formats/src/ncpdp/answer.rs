//! What a till is told: paid, rejected or waiting, with D.0's reject codes, the amounts, and what speaks against it.
//!
//! | `transaction_response_status` (112-AN) | |
//! |---|---|
//! | `P` | paid, as a claim: the amounts are there |
//! | `A` | approved: a reversal, a question about cover, a claim that was kept without amounts |
//! | `C` | captured: somebody has still to decide |
//! | `R` | rejected: `reject_codes` says why |
//!
//! `header_response_status` (501-F1) is `R` where the transaction could not be taken at all, else `A`. The reasons of the
//! hub stand beside the codes of D.0, which are coarser.

use serde_json::{Map, Value, json};
use takmil_domain::answer::Answer;
use takmil_domain::clinical::{ClinicalRule, Finding, Level};
use takmil_domain::decision::Decision;
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_domain::money::Amount;
use takmil_domain::problem::ProblemCode;
use takmil_domain::reason::Reason;

use super::fields;
use super::read::CLAIM;
use crate::{Answered, Cause, Fault, Reply, Written};

/// D.0: the processor could not work on it.
const PROCESSING_ERROR: &str = "99";

/// Writes a reply: one response for a body that is one transaction, else a list of them.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    reply.json(|outcome| match outcome.result {
        Ok(answered) => answer(&answered),
        Err(faults) => refusal(faults),
    })
}

fn refusal(faults: &[Fault<'_>]) -> Value {
    let codes = faults.iter().map(|fault| {
        json!({
            "reject_code": rejected_field(fault),
            "reason": fault.code,
            "pointer": fault.pointer,
            "message": fault.detail,
        })
    });
    json!({"response": {
        "header_response_status": "R",
        "transaction_response_status": "R",
        "reject_codes": codes.collect::<Vec<_>>(),
    }})
}

/// The code that rejects the field which a fault is about.
fn rejected_field(fault: &Fault<'_>) -> &'static str {
    let name = fault.pointer.rsplit('/').next().unwrap_or_default();
    let mut all = fields::ALL.iter();
    let field = all.find(|field| field.names.contains(&name));
    match (fault.cause, field) {
        (Cause::Body(_), Some(field)) => field.reject,
        (Cause::Body(ProblemCode::WrongKind), None) => fields::TRANSACTION.reject,
        // A syntax error.
        (Cause::Body(ProblemCode::NotText | ProblemCode::Malformed), None) => "R8",
        (Cause::Duplicate, _) => "83",
        (Cause::Credentials | Cause::Forbidden, _) => "50",
        (Cause::Timeout, _) => "95",
        (Cause::Throttled | Cause::Busy, _) => "92",
        _ => PROCESSING_ERROR,
    }
}

fn answer(own: &Answered<'_>) -> Value {
    let (message, answer) = (own.message, own.answer);
    let decision = answer.decision.as_ref();
    let mut response = Map::new();
    let mut say = |key: &str, value: Value| {
        response.insert(key.to_owned(), value);
    };
    say("header_response_status", json!("A"));
    let status = status(message.kind(), answer);
    say("transaction_response_status", json!(status));
    say("state", json!(answer.state.as_str()));
    say("authorization_number", json!(answer.id.to_string()));
    let mut numbers = message.head.identifiers.iter();
    if let Some(number) = numbers.find(|own| own.system == CLAIM) {
        say("claim_id", json!(number.value));
    }
    if status == "R" {
        let codes = reject_codes(message.kind(), answer);
        say("reject_codes", Value::Array(codes));
    }
    if let Some(decision) = decision {
        say("pricing", pricing(decision, answer));
    }
    if !answer.findings.is_empty() {
        let alerts = answer.findings.iter().map(alert);
        say(
            "dur_response",
            json!({"alert_count": answer.findings.len(), "alerts": alerts.collect::<Vec<_>>()}),
        );
    }
    let covers = answer
        .covers
        .iter()
        .filter(|_| message.kind() == Kind::Eligibility);
    let covers: Vec<Value> = covers
        .map(|cover| {
            json!({
                "insurer": cover.insurer.as_str(),
                "plan": cover.plan.as_str(),
                "active": cover.active,
                "reason": cover.reason.map(|reason| reason.code()),
            })
        })
        .collect();
    if !covers.is_empty() {
        say("coverages", Value::Array(covers));
    }
    say("messages", Value::Array(messages(answer)));
    json!({ "response": response })
}

fn status(kind: Kind, answer: &Answer) -> &'static str {
    let is_refused = || match &answer.decision {
        // Nothing of a bill is paid by anybody, and for a reason that refuses.
        Some(decision) => {
            let paid = [decision.totals.base, decision.totals.supplementary_total()];
            let mut reasons = told(answer);
            paid.iter().all(|amount| amount.is_zero()) && reasons.any(Reason::refuses)
        }
        None => answer.reasons.iter().any(|reason| reason.refuses()),
    };
    match answer.state {
        State::Refused => "R",
        state if state.is_waiting() => "C",
        // Whether the member was known does not matter to what is gone.
        _ if answer.reasons.contains(&Reason::Cancelled) => "A",
        _ if is_refused() => "R",
        _ if kind == Kind::Claim && answer.decision.is_some() => "P",
        _ => "A",
    }
}

/// Every reason, of the message, the bill and its lines.
fn told(answer: &Answer) -> impl Iterator<Item = Reason> {
    let decision = answer.decision.iter();
    let of_bill = decision.clone().flat_map(|own| &own.reasons);
    let of_lines = decision
        .flat_map(|own| &own.lines)
        .flat_map(|line| &line.reasons);
    answer
        .reasons
        .iter()
        .chain(of_bill)
        .chain(of_lines)
        .copied()
}

fn reject_codes(kind: Kind, answer: &Answer) -> Vec<Value> {
    let of_cancel = [Reason::NothingToCancel, Reason::NotCancellable];
    let rejects = |reason: &Reason| match kind {
        Kind::Cancel => of_cancel.contains(reason),
        _ => reason.refuses(),
    };
    let mut reasons: Vec<Reason> = told(answer).filter(rejects).collect();
    reasons.dedup();
    let codes = reasons.iter().map(|reason| {
        json!({
            "reject_code": match reason {
                Reason::ClinicallyRefused if is_early(answer) => "79",
                reason => reject_code(*reason),
            },
            "reason": reason.code(),
            "message": reason.meaning(),
        })
    });
    codes.collect()
}

/// Whether what speaks against it is that it is refilled too soon.
fn is_early(answer: &Answer) -> bool {
    let mut refusals = answer
        .findings
        .iter()
        .filter(|own| own.level == Level::Refusal);
    refusals.any(|own| own.rule == ClinicalRule::Refill)
}

/// D.0's code for a reason that refuses; its own words for it are fewer than the hub's.
fn reject_code(reason: Reason) -> &'static str {
    match reason {
        Reason::MemberUnknown | Reason::MemberAmbiguous => "52",
        Reason::NoCover | Reason::CoverDenied => "65",
        Reason::CoverInactive | Reason::CoverSuspended => "600",
        Reason::AgedOut => "66",
        Reason::AgeOutside => "60",
        Reason::SexOutside => "61",
        Reason::NoBenefit | Reason::Excluded | Reason::CareOutside | Reason::Waiting => "70",
        Reason::DiagnosisOutside => "80",
        Reason::ClinicallyRefused => "88",
        Reason::OutsideNetwork => "40",
        Reason::AuthorisationMissing | Reason::AuthorisationGone => "75",
        Reason::QuantityUsed | Reason::LimitReached => "76",
        Reason::NoPrice => "DU",
        Reason::NothingToCancel => "84",
        Reason::NotCancellable => "87",
        Reason::InsurerRefused | Reason::CurrencyDiffers => "85",
        _ => PROCESSING_ERROR,
    }
}

fn pricing(decision: &Decision, answer: &Answer) -> Value {
    let day = answer.answered_at.day();
    let exponent = decision.currency.exponent(day);
    let money = |amount: Amount| json!(amount.to_decimal(exponent));
    let totals = &decision.totals;
    let others = totals.supplementary.iter();
    let others = others
        .map(|(insurer, amount)| json!({"insurer": insurer.as_str(), "amount": money(*amount)}));
    json!({
        "currency": decision.currency.as_str(),
        "gross_amount_due": money(totals.billed),
        "other_payer_amount_recognized": money(totals.base),
        "total_amount_paid": money(totals.supplementary_total()),
        "paid_by": others.collect::<Vec<_>>(),
        "patient_pay_amount": money(totals.member),
        "amount_written_off": money(totals.written_off),
    })
}

/// A finding as D.0 tells it: a reason for service code where it has one for the rule.
fn alert(finding: &Finding) -> Value {
    let reason_for_service = match finding.rule {
        ClinicalRule::Interaction => Some("DD"),
        ClinicalRule::Duplicate => Some("ID"),
        ClinicalRule::Dose => Some("HD"),
        ClinicalRule::DaysSupply => Some("EX"),
        ClinicalRule::Refill => Some("ER"),
        ClinicalRule::Age => Some("PA"),
        ClinicalRule::Sex => Some("SX"),
        _ => None,
    };
    let level = match finding.level {
        Level::Information => "information",
        Level::Warning => "warning",
        Level::Refusal => "reject",
    };
    json!({
        "dur_code": reason_for_service,
        "rule": finding.rule.code(),
        "severity": level,
        "clinical_message": finding.rule.meaning(),
    })
}

fn messages(answer: &Answer) -> Vec<Value> {
    let reasons = told(answer).map(|own| json!({"code": own.code(), "message": own.meaning()}));
    let notes = answer.notes.iter();
    let notes = notes.map(|own| json!({"code": "NOTE", "message": own.text}));
    let mut all: Vec<Value> = reasons.chain(notes).collect();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_that_refuses_has_a_reject_code_of_its_own() {
        for reason in Reason::ALL.iter().filter(|own| own.refuses()) {
            assert_ne!(reject_code(*reason), PROCESSING_ERROR, "{reason:?}");
        }
    }
}
