//! The facts of pharmacies' transactions, by the names of their members alone: no table, no reader.

use serde_json::{Map, Value};
use takmil_domain::date::Date;
use takmil_domain::money::{Amount, Currency};

use super::{Fact, FactKind, Record, documents};
use crate::Context;

/// Members that hold money, by their ends.
const MONEY: &[&str] = &["_submitted", "_charge", "_due", "_amount", "_amount_paid"];

/// Members that are identifiers, with their systems.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("claim_id", "urn:ncpdp:claim"),
    ("pa_id", "urn:ncpdp:prior-authorization"),
    ("member_id", "urn:ncpdp:member"),
    ("cardholder_id", "urn:ncpdp:cardholder"),
    ("prescription_number", "urn:ncpdp:prescription"),
    ("bin", "urn:ncpdp:bin"),
    ("npi", "http://hl7.org/fhir/sid/us-npi"),
    ("pharmacy_npi", "http://hl7.org/fhir/sid/us-npi"),
    ("prescriber_npi", "http://hl7.org/fhir/sid/us-npi"),
];

/// Members that are codes, with their systems.
const CODES: &[(&str, &str)] = &[
    ("ndc", "http://hl7.org/fhir/sid/ndc"),
    ("diagnosis", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("diagnosis_code", "http://hl7.org/fhir/sid/icd-10-cm"),
];

/// Sections whose members are a transaction's own.
const SECTIONS: [&str; 9] = [
    "member",
    "patient",
    "rx_plan",
    "prescriber",
    "prescription",
    "medication",
    "pharmacy",
    "claim",
    "primary_claim",
];

/// Every transaction of a body.
pub(super) fn records(body: &[u8], context: &Context) -> Vec<Record> {
    let record = |(place, value): (String, Value)| {
        let transaction = value.as_object()?;
        let request = transaction.get("pa_request").and_then(Value::as_object);
        let transaction = request.unwrap_or(transaction);
        let claim = transaction
            .get("claim")
            .or_else(|| transaction.get("primary_claim"));
        let claim = claim.and_then(Value::as_object);
        let named = claim.and_then(|own| own.get("transaction_code"));
        let named = named.or_else(|| transaction.get("transaction_code"));
        let is_request =
            transaction.contains_key("pa_id") && transaction.contains_key("medication");
        let name = match named.and_then(Value::as_str) {
            Some(name) => name,
            None if is_request => "PA",
            None => claim.filter(|own| own.contains_key("ndc")).map(|_| "B1")?,
        };
        let name = name.to_owned();
        let mut facts = Vec::new();
        if matches!(name.as_str(), "B1" | "PA") {
            facts.push(Fact::new(FactKind::Line, ""));
        }
        let day = claim.and_then(|own| own.get("service_date")?.as_str());
        let day = day.and_then(Date::parse).unwrap_or(context.today);
        let currency = context.default_currency.or(Currency::parse("USD"));
        let exponent = currency.map_or(2, |own| own.exponent(day));
        // A reversal names what was billed only to say which claim it is about.
        if name != "B2" {
            collect(transaction, exponent, &mut facts);
            for section in SECTIONS {
                let section = transaction.get(section).and_then(Value::as_object);
                section
                    .into_iter()
                    .for_each(|own| collect(own, exponent, &mut facts));
            }
            let diagnoses = transaction.get("diagnosis").and_then(Value::as_object);
            let primary = diagnoses.and_then(|own| own.get("primary"));
            let secondary = diagnoses.and_then(|own| own.get("secondary")?.as_array());
            for own in primary.into_iter().chain(secondary.into_iter().flatten()) {
                let code = own.get("code").and_then(Value::as_str);
                facts.extend(code.map(|code| {
                    let text = format!("http://hl7.org/fhir/sid/icd-10-cm|{code}");
                    Fact::new(FactKind::Code, text)
                }));
            }
        }
        Some(Record { place, name, facts })
    };
    documents(body).into_iter().filter_map(record).collect()
}

fn collect(members: &Map<String, Value>, exponent: u32, facts: &mut Vec<Fact>) {
    for (key, value) in members {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        let system = |list: &[(&str, &'static str)]| {
            let mut list = list.iter();
            list.find(|(own, _)| own == key).map(|(_, system)| *system)
        };
        if let Some(system) = system(IDENTIFIERS) {
            facts.push(Fact::new(FactKind::Identifier, format!("{system}|{text}")));
        } else if let Some(system) = system(CODES) {
            facts.push(Fact::new(FactKind::Code, format!("{system}|{text}")));
        } else if key.ends_with("_date") || key.starts_with("date_of_") {
            let dashed = match (text.get(..4), text.get(4..6), text.get(6..8)) {
                (Some(year), Some(month), Some(day)) if text.len() == 8 => {
                    format!("{year}-{month}-{day}")
                }
                _ => text,
            };
            facts.push(Fact::new(FactKind::Date, dashed));
        } else if MONEY.iter().any(|end| key.ends_with(end))
            && let Ok((amount, _)) = Amount::from_decimal(&text, exponent)
        {
            facts.push(Fact::new(FactKind::Amount, amount.get().to_string()));
        }
    }
}
