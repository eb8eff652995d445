//! The facts of the national health record's documents, by the names of their members alone: no table, no reader.

use serde_json::{Map, Value};
use takmil_domain::date::{Calendar, Date};
use takmil_domain::money::Amount;
use takmil_domain::text::{digits, normalise};

use super::{Fact, FactKind, Record, documents};
use crate::Context;

/// The members of which each item is a line.
const LINES: &[&str] = &["BillServices", "PrescribedDrugs"];

/// The members that hold money.
const MONEY: &[&str] = &["Charge", "Contribution", "Costs"];

/// Every document of a body.
pub(super) fn records(body: &[u8], _: &Context) -> Vec<Record> {
    let record = |(place, value): (String, Value)| {
        let (name, document) = value
            .as_object()?
            .iter()
            .find(|(key, _)| key.ends_with("MessageVO"))?;
        let mut facts = Vec::new();
        walk(document, "", &mut facts);
        let name = name.clone();
        Some(Record { place, name, facts })
    };
    documents(body).into_iter().filter_map(record).collect()
}

fn walk(value: &Value, key: &str, facts: &mut Vec<Fact>) {
    match value {
        Value::Array(items) => {
            for item in items {
                if LINES.contains(&key) {
                    facts.push(Fact::new(FactKind::Line, ""));
                }
                walk(item, key, facts);
            }
        }
        Value::Object(members) => {
            facts.extend(own(members, key));
            for (inner, value) in members {
                // The sex is said in a word of the hub's own.
                if inner == "Gender" {
                    continue;
                }
                if inner.ends_with("Date") {
                    let time = members.get(&inner.replace("Date", "Time"));
                    facts.extend(moment(value, time));
                    continue;
                }
                // Shares are named by the member around their value.
                let key = if inner == "Value" { key } else { inner };
                walk(value, key, facts);
            }
        }
        Value::String(text) if key == "NationalCode" => {
            let said = format!("urn:ir:national-id|{}", normalise(text));
            facts.push(Fact::new(FactKind::Identifier, said));
        }
        _ => {}
    }
}

/// What an object says that is a data type of the layout.
fn own(members: &Map<String, Value>, key: &str) -> Option<Fact> {
    let text = |key: &str| said(members.get(key)?);
    if let Some(code) = text("Coded_string") {
        let system = match text("Terminology_id")?.to_ascii_uppercase().as_str() {
            "ICD10" => "http://hl7.org/fhir/sid/icd-10".to_owned(),
            "RVU" => "ir:rvu".to_owned(),
            "IRC" => "ir:irc".to_owned(),
            _ => format!("sepas:{}", text("Terminology_id")?),
        };
        return Some(Fact::new(FactKind::Code, format!("{system}|{code}")));
    }
    if let Some(id) = text("ID") {
        let system = match text("Type").unwrap_or_default().as_str() {
            "National_Code" => "urn:ir:national-id".to_owned(),
            "Med_ID" => "urn:ir:medical-council".to_owned(),
            other => format!("sepas:{}:{other}", text("Issuer").unwrap_or_default()),
        };
        return Some(Fact::new(FactKind::Identifier, format!("{system}|{id}")));
    }
    if let Some(magnitude) = text("Magnitude") {
        let is_money = MONEY.iter().any(|end| key.ends_with(end));
        let (amount, _) = Amount::from_decimal(&magnitude, 0).ok()?;
        return is_money.then(|| Fact::new(FactKind::Amount, amount.get().to_string()));
    }
    None
}

/// A text or a number in ASCII digits.
fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(digits(text).into_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A day of the Persian calendar, with its time where one is told, as a Gregorian one.
fn moment(day: &Value, time: Option<&Value>) -> Option<Fact> {
    let parts = |value: &Value, keys: [&str; 3]| {
        let members = value.as_object()?;
        let part = |key: &str| said(members.get(key)?);
        Some(keys.map(|key| part(key).unwrap_or_else(|| "0".to_owned())))
    };
    let written = parts(day, ["Year", "Month", "Day"]).map(|parts| parts.join("/"));
    let date = Date::parse_in(&written.or_else(|| said(day))?, Calendar::Persian)?;
    let clock = time.and_then(|time| {
        let written = parts(time, ["Hour", "Minute", "Second"]);
        let written = written.map(|parts| parts.map(|part| format!("{part:0>2}")).join(":"));
        written.or_else(|| said(time))
    });
    let text = clock.map_or_else(|| date.to_string(), |clock| format!("{date}T{clock}"));
    Some(Fact::new(FactKind::Date, text))
}
