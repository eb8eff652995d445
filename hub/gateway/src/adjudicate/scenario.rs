//! A file of scenarios: plans, bills that follow each other, and what is expected of each.
//!
//! The file states documents and a message once; each bill of a scenario says what is otherwise in them (JSON merge
//! patch, RFC 7396), and what is to come of it. Bills of one scenario share their limits, so that families, visits and
//! days over several bills can be told. A file that names a country pack has the documents from there, and its messages
//! are looked over by the clinical rules as before the hub.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::decision::{Decision, LineShare};
use takmil_domain::money::Amount;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::reason::Reason;
use takmil_domain::share::{Course, Documents, Unjudged};
use takmil_mappings::Error;

use super::clinical::{Clinic, Gravest, Histories, Pair};
use super::pack::Pack;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    /// What its scenarios are about.
    title: String,
    /// The pack that its bills are judged by; what documents say is otherwise in them, then.
    pack: Option<Pack>,
    /// Interactions that the holder of a table would import, for the clinical rules.
    #[serde(default)]
    interactions: Vec<Pair>,
    #[serde(default)]
    documents: Value,
    message: Value,
    pub(super) scenarios: Vec<Scenario>,
}

/// Bills that follow each other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What it shows, as a sentence.
    case: String,
    bills: Vec<ScenarioBill>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioBill {
    #[serde(default)]
    documents: Value,
    #[serde(default)]
    message: Value,
    expected: Expected,
}

/// What is to come of a bill. What is not named is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The lines, in the order in which they are judged.
    lines: Option<Vec<ExpectedLine>>,
    /// What is left of limits, by "limit" or "limit stretch".
    #[serde(default)]
    left: BTreeMap<String, i64>,
    /// What is said of the whole bill.
    reasons: Option<Vec<Reason>>,
    /// What the clinical rules find, each rule with its gravest level.
    findings: Option<Gravest>,
    /// Where documents or message are refused: the pointer of the first problem.
    problem: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedLine {
    seq: Option<u32>,
    billed: Option<i64>,
    allowed: Option<i64>,
    base: Option<i64>,
    written_off: Option<i64>,
    member: Option<i64>,
    /// What each supplementary insurer pays.
    paid: Option<Vec<i64>>,
    /// Why each refuses, or null.
    refused: Option<Vec<Option<Reason>>>,
    /// What is told of the line.
    reasons: Option<Vec<Reason>>,
}

/// What came of a scenario.
#[derive(Debug, Serialize)]
pub(super) struct Outcome<'a> {
    about: &'a str,
    case: &'a str,
    bills: Vec<Value>,
    /// Where it is not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) differs: Vec<String>,
}

impl ScenarioFile {
    /// The clinical rules that its messages are looked over by: those of a pack.
    ///
    /// # Errors
    /// Where a table cannot be read.
    pub(super) fn clinic(&self) -> Result<Option<Clinic>, Error> {
        let of_pack = self.pack.as_ref();
        of_pack
            .map(|_| Clinic::with(&self.interactions))
            .transpose()
    }
}

/// What bills leave to those that follow.
#[derive(Default)]
struct Left {
    limits: Course,
    histories: Histories,
}

/// Judges the bills of a scenario one after the other.
pub(super) fn judge<'a>(
    file: &'a ScenarioFile,
    scenario: &'a Scenario,
    clinic: Option<&Clinic>,
) -> Outcome<'a> {
    let mut left = Left::default();
    let mut outcome = Outcome {
        about: &file.title,
        case: &scenario.case,
        bills: Vec::with_capacity(scenario.bills.len()),
        differs: Vec::new(),
    };
    for (at, bill) in scenario.bills.iter().enumerate() {
        let judged = judge_bill(file, bill, clinic, &mut left);
        let mut differ = |place: String, found: Value, expected: Value| {
            if found != expected {
                let difference = format!("bill {at}, {place}: {found}, not {expected}");
                outcome.differs.push(difference);
            }
        };
        match &judged {
            Ok((decision, findings)) => {
                if let Some(expected) = &bill.expected.findings {
                    differ("findings".to_owned(), json!(findings), json!(expected));
                }
                compare(decision, &bill.expected, &mut differ);
            }
            Err(problem) => differ(
                format!("problem ({})", problem.detail),
                json!(problem.pointer),
                json!(bill.expected.problem),
            ),
        }
        outcome.bills.push(match judged {
            Ok((decision, findings)) => shown(&decision, &findings),
            Err(problem) => json!({"problem": problem}),
        });
    }
    outcome
}

fn shown(decision: &Decision, findings: &Gravest) -> Value {
    let mut shown = json!(decision);
    if let Some(members) = shown.as_object_mut().filter(|_| !findings.is_empty()) {
        members.insert("findings".to_owned(), json!(findings));
    }
    shown
}

fn judge_bill(
    file: &ScenarioFile,
    bill: &ScenarioBill,
    clinic: Option<&Clinic>,
    left: &mut Left,
) -> Result<(Decision, Gravest), Problem> {
    let mut message = file.message.clone();
    merge(&mut message, &bill.message);
    let mut documents = match &file.pack {
        Some(pack) => json!(pack.documents(&mut message)?),
        None => json!({}),
    };
    merge(&mut documents, &file.documents);
    merge(&mut documents, &bill.documents);
    let mut documents: Documents = serde_json::from_value(documents)
        .map_err(|error| Problem::new(ProblemCode::BadValue, "", error.to_string()))?;
    let first = |problems: Vec<Problem>| {
        let none = || Problem::new(ProblemCode::NoMessage, "", ProblemCode::NoMessage.meaning());
        problems.into_iter().next().unwrap_or_else(none)
    };
    let message = super::message(message.to_string().as_bytes()).map_err(first)?;
    let findings = clinic.map(|own| own.look_over(&message, &mut documents, &mut left.histories));
    let judged = documents.judge_next(&message, &mut left.limits);
    let judged = judged.map_err(|unjudged| match unjudged {
        Unjudged::Documents(problems) | Unjudged::Message(problems) => first(problems),
    });
    Ok((judged?, findings.unwrap_or_default()))
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        // Nothing said is nothing changed.
        if !patch.is_null() {
            *target = patch.clone();
        }
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

fn compare(
    decision: &Decision,
    expected: &Expected,
    differ: &mut impl FnMut(String, Value, Value),
) {
    differ("problem".to_owned(), Value::Null, json!(expected.problem));
    if let Some(reasons) = &expected.reasons {
        differ(
            "reasons".to_owned(),
            json!(decision.reasons),
            json!(reasons),
        );
    }
    if let Some(lines) = &expected.lines {
        differ(
            "lines".to_owned(),
            decision.lines.len().into(),
            lines.len().into(),
        );
        for (at, (line, expected)) in decision.lines.iter().zip(lines).enumerate() {
            compare_line(line, expected, &mut |name, found, expected| {
                differ(format!("line {at}, {name}"), found, expected);
            });
        }
    }
    for (named, left) in &expected.left {
        let is_named = |row: &&takmil_domain::decision::Remainder| {
            let code = row.key.code.as_str();
            named == code || *named == format!("{code} {}", row.key.stretch)
        };
        let found = decision
            .remainders
            .iter()
            .find(is_named)
            .map(|row| row.after);
        differ(format!("left of {named}"), json!(found), json!(left));
    }
}

fn compare_line(
    line: &LineShare,
    expected: &ExpectedLine,
    differ: &mut impl FnMut(&'static str, Value, Value),
) {
    let mut amount = |name, found: Amount, expected: Option<i64>| {
        if let Some(expected) = expected {
            differ(name, found.get().into(), expected.into());
        }
    };
    amount("billed", line.billed, expected.billed);
    amount("allowed", line.allowed, expected.allowed);
    amount("base", line.base, expected.base);
    amount("written_off", line.written_off, expected.written_off);
    amount("member", line.member, expected.member);
    if let Some(seq) = expected.seq {
        differ("seq", line.seq.into(), seq.into());
    }
    let shares = line.supplementary.iter();
    if let Some(paid) = &expected.paid {
        let found: Vec<i64> = shares.clone().map(|share| share.amount.get()).collect();
        differ("paid", json!(found), json!(paid));
    }
    if let Some(refused) = &expected.refused {
        let found: Vec<Option<Reason>> = shares.map(|share| share.refused).collect();
        differ("refused", json!(found), json!(refused));
    }
    if let Some(reasons) = &expected.reasons {
        differ("reasons", json!(line.reasons), json!(reasons));
    }
}
