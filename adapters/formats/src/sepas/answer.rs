//! What goes back through the gateway: the introduction letter (معرفی‌نامه) of an admission, the result of a bill's
//! adjudication, and for everything else, problems and what still waits included, a `ResultVO`.
//!
//! | document | for | members |
//! |---|---|---|
//! | `IntroductionLetterMessageVO` | an admission with a letter | `MsgID`, `State`, `Messages`, `IntroductionLetter`, shares |
//! | `ReimbursementMessageVO` | a decided bill | `MsgID`, `State`, `Messages`, shares |
//! | `ResultVO` | all else | `MsgID`, `State`, `Messages`, shares where there are any; or `Errors` |
//!
//! The shares are `ReimbursementSummary` and, line by line, `ReimbursementServices`; they add up:
//! `TotalCharge` = basic insurer + supplementary insurers + patient + deduction. Days are of the Persian calendar and
//! of Tehran. To be confirmed against the live gateway, as the layout of what comes in.

use serde_json::{Map, Value, json};
use takmil_domain::answer::{Answer, Letter};
use takmil_domain::date::{Calendar, Date, Instant};
use takmil_domain::decision::{Decision, LineShare};
use takmil_domain::ids::{Identifier, ParticipantId};
use takmil_domain::message::{Body, Kind, Message};
use takmil_domain::money::{Amount, Currency};

use super::values::terminology_of;
use crate::{Answered, Fault, Reply, Written};

/// How far Tehran's clocks are ahead of UTC, in milliseconds: three hours and a half all year since 2022.
const TEHRAN: u64 = 12_600_000;

/// Writes a reply: one document for a body that is one, else a list of them, in the order of the body's.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    reply.json(|outcome| match outcome.result {
        Ok(answered) => answer(&answered),
        Err(faults) => refusal(faults),
    })
}

fn named(name: &str, content: Map<String, Value>) -> Value {
    let mut document = Map::new();
    document.insert(name.to_owned(), Value::Object(content));
    Value::Object(document)
}

fn refusal(faults: &[Fault<'_>]) -> Value {
    let error = |own: &Fault<'_>| {
        json!({
            "Code": own.code,
            "Pointer": own.pointer,
            "Meaning": own.meaning,
            "Message": own.detail,
        })
    };
    let mut content = Map::new();
    let first = faults.first().map(|own| own.meaning);
    content.insert("ErrorMessage".to_owned(), json!(first));
    let errors: Vec<Value> = faults.iter().map(error).collect();
    content.insert("Errors".to_owned(), Value::Array(errors));
    named("ResultVO", content)
}

fn answer(own: &Answered<'_>) -> Value {
    let (message, answer) = (own.message, own.answer);
    let mut content = Map::new();
    let mut say = |key: &str, value: Value| {
        content.insert(key.to_owned(), value);
    };
    let mut frame = json!({"MessageUID": answer.id.to_string()});
    if let Some(uid) = composition(message) {
        frame["CompositionUID"] = json!(uid);
    }
    say("MsgID", frame);
    say("State", json!(answer.state.as_str()));
    say("Messages", Value::Array(messages(answer)));
    if let Some(letter) = &answer.letter {
        say("IntroductionLetter", introduction(letter, answer));
    }
    if let Some(decision) = &answer.decision {
        let day = tehran(answer.answered_at);
        let money = Money {
            currency: decision.currency,
            day,
        };
        say("ReimbursementSummary", summary(decision, money));
        let lines = decision.lines.iter();
        let lines = lines.map(|line| service(line, message, money)).collect();
        say("ReimbursementServices", Value::Array(lines));
    }
    let is_decided = answer.decision.is_some() && !answer.state.is_waiting();
    let name = match message.kind() {
        Kind::Admission if answer.letter.is_some() => "IntroductionLetterMessageVO",
        Kind::Claim if is_decided => "ReimbursementMessageVO",
        _ => "ResultVO",
    };
    named(name, content)
}

/// The document's own number.
fn composition(message: &Message) -> Option<&str> {
    let mut own = message.head.identifiers.iter();
    let uid = own.find(|id| id.system == "sepas:composition")?;
    Some(&uid.value)
}

/// Everything that is said in words: why it was decided so, what speaks against it, what an insurer asks.
fn messages(answer: &Answer) -> Vec<Value> {
    let of_decision = answer.decision.iter().flat_map(|own| &own.reasons);
    let reasons = answer.reasons.iter().chain(of_decision);
    let reasons = reasons.map(|own| json!({"Code": own.code(), "Message": own.meaning()}));
    let findings = answer.findings.iter();
    let findings =
        findings.map(|own| json!({"Code": own.rule.code(), "Message": own.rule.meaning()}));
    let notes = answer.notes.iter();
    let notes = notes.map(|own| json!({"Code": "NOTE", "Message": own.text}));
    let mut told: Vec<Value> = reasons.chain(findings).chain(notes).collect();
    told.dedup();
    told
}

fn introduction(letter: &Letter, answer: &Answer) -> Value {
    json!({
        "Number": letter.number,
        "IssueDate": date(tehran(answer.answered_at)),
        "ExpiryDate": date(letter.valid_until),
        "Exclusions": letter.exclusions,
    })
}

/// How amounts are written.
#[derive(Clone, Copy)]
struct Money {
    currency: Currency,
    day: Date,
}

impl Money {
    fn of(self, amount: Amount) -> Value {
        let unit = match self.currency.as_str() {
            "IRR" => "Rial",
            other => other,
        };
        // Rials have no parts, so that the number is exact; any other amount is exact as a text.
        match self.currency.exponent(self.day) {
            0 => json!({"Magnitude": amount.get(), "Unit": unit}),
            digits => json!({"Magnitude": amount.to_decimal(digits), "Unit": unit}),
        }
    }

    fn shares<'s>(self, shares: impl Iterator<Item = (&'s ParticipantId, Amount)>) -> Value {
        let one = |(insurer, amount): (&ParticipantId, Amount)| json!({"Insurer": insurer.as_str(), "Contribution": self.of(amount)});
        Value::Array(shares.map(one).collect())
    }
}

fn summary(decision: &Decision, money: Money) -> Value {
    let totals = &decision.totals;
    let others = totals.supplementary.iter();
    let mut summary = json!({
        "TotalCharge": money.of(totals.billed),
        "TotalBasicInsuranceContribution": money.of(totals.base),
        "TotalSupplementaryContribution": money.shares(others.map(|(who, amount)| (who, *amount))),
        "TotalPatientContribution": money.of(totals.member),
        "TotalDeduction": money.of(totals.written_off),
        "DecidedBy": decision.decided_by.as_str(),
    });
    if let Some(until) = decision.valid_until {
        summary["ValidUntil"] = date(until);
    }
    summary
}

fn service(line: &LineShare, message: &Message, money: Money) -> Value {
    let mut said = json!({"Row": line.seq});
    if let Some((pkid, item)) = asked(message, line.seq) {
        if let Some(pkid) = pkid {
            said["PKID"] = json!(pkid.value);
        }
        said["Service"] = item;
    }
    let others = line.supplementary.iter();
    said["TotalCharge"] = money.of(line.billed);
    said["BasicInsuranceContribution"] = money.of(line.base);
    said["SupplementaryContribution"] =
        money.shares(others.map(|share| (&share.insurer, share.amount)));
    said["PatientContribution"] = money.of(line.member);
    said["Deduction"] = money.of(line.written_off);
    let reasons = line.reasons.iter();
    let reasons: Vec<Value> = reasons
        .map(|own| json!({"Code": own.code(), "Message": own.meaning()}))
        .collect();
    said["Messages"] = Value::Array(reasons);
    said
}

/// What the sender asked for in a line: its own number of it, and the service in its own words.
fn asked(message: &Message, seq: u32) -> Option<(Option<Identifier>, Value)> {
    let (pkid, item) = match &message.body {
        Body::Prescription(order) => {
            let line = order.lines.iter().find(|own| own.seq == seq)?;
            (line.identifiers.first().cloned(), line.item.clone())
        }
        _ => {
            let bill = message.bill()?;
            let line = bill.lines.iter().find(|own| own.seq == seq)?;
            let ids = line.particulars.iter();
            let mut ids = ids.filter_map(|own| own.identifier.as_ref());
            let pkid = ids.find(|id| id.system == "sepas:line").cloned();
            (pkid, line.item.clone())
        }
    };
    let source = item.source?;
    let service = json!({
        "Value": source.display,
        "Coded_string": source.code,
        "Terminology_id": terminology_of(&source.system),
    });
    Some((pkid, service))
}

fn tehran(at: Instant) -> Date {
    at.plus_ms(TEHRAN).day()
}

fn date(day: Date) -> Value {
    let (year, month, day) = day.ymd_in(Calendar::Persian);
    json!({"Year": year, "Month": month, "Day": day})
}
