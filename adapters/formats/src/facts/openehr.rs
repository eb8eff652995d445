//! The facts of medication orders and dispensings in compositions: by the types of the reference model in canonical JSON,
//! by the ends of paths in FLAT. No reader, and no at-code but that of the step of dispensing.

use serde_json::{Map, Value};
use takmil_domain::date::When;

use super::{Fact, FactKind, Record, documents, pair};
use crate::Context;

/// Of how many entries the paths are looked at in one FLAT composition: each is held against every path.
const MAX_ENTRIES: usize = 1_000;

/// Every entry of a body that is an order or a dispensing, as one record of its composition for each of the two.
pub(super) fn records(body: &[u8], _: &Context) -> Vec<Record> {
    let all =
        documents(body)
            .into_iter()
            .flat_map(|(place, value)| match value.get("composition") {
                Some(inner) => {
                    let mut all = composition(inner, &format!("{place}/composition"));
                    let subject = value.pointer("/ehr_status/subject").map(party);
                    if let (Some(first), Some(subject)) = (all.first_mut(), subject) {
                        first.facts.extend(subject);
                    }
                    all
                }
                None => composition(&value, &place),
            });
    all.collect()
}

fn composition(value: &Value, place: &str) -> Vec<Record> {
    let Some(members) = value.as_object() else {
        return Vec::new();
    };
    let mut sorted: [Vec<Fact>; 2] = Default::default();
    match members.get("_type").and_then(Value::as_str) {
        Some("COMPOSITION") => canonical(value, &mut sorted),
        Some(_) => return Vec::new(),
        None => flat(members, &mut sorted),
    }
    let names = ["order", "dispensing"].into_iter();
    let found = names.zip(sorted).filter(|(_, facts)| !facts.is_empty());
    let record = |(name, facts): (&str, Vec<Fact>)| Record {
        place: place.to_owned(),
        name: name.to_owned(),
        facts,
    };
    found.map(record).collect()
}

/// Looks for entries, and takes what stands in those that count.
fn canonical(value: &Value, sorted: &mut [Vec<Fact>; 2]) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| canonical(item, sorted)),
        Value::Object(members) => {
            let node = value.get("archetype_node_id").and_then(Value::as_str);
            let step = value.pointer("/ism_transition/careflow_step/defining_code/code_string");
            let [orders, given] = sorted;
            let kind = match node.unwrap_or_default() {
                "openEHR-EHR-INSTRUCTION.medication_order.v2"
                | "openEHR-EHR-INSTRUCTION.medication_order.v3" => Some(orders),
                "openEHR-EHR-ACTION.medication.v1"
                    if step.and_then(Value::as_str) == Some("at0003") =>
                {
                    Some(given)
                }
                _ => None,
            };
            match kind {
                Some(facts) => {
                    let lines = value.get("activities").and_then(Value::as_array);
                    let lines = lines.map_or(1, Vec::len);
                    facts.extend((0..lines).map(|_| Fact::new(FactKind::Line, "")));
                    facts.extend(value.get("subject").map(party).unwrap_or_default());
                    for key in ["activities", "description", "protocol", "time"] {
                        if let Some(inner) = value.get(key) {
                            walk(inner, facts);
                        }
                    }
                }
                None => members.values().for_each(|inner| canonical(inner, sorted)),
            }
        }
        _ => {}
    }
}

/// The data values below a part.
fn walk(value: &Value, facts: &mut Vec<Fact>) {
    let text = |path: &str| value.pointer(path).and_then(Value::as_str);
    match text("/_type").unwrap_or_default() {
        "DV_CODED_TEXT" => {
            let system = system_of(text("/defining_code/terminology_id/value").unwrap_or_default());
            if let Some(code) = text("/defining_code/code_string") {
                facts.push(Fact::new(FactKind::Code, pair(Some(system), code)));
            }
            return;
        }
        "DV_DATE_TIME" | "DV_DATE" => {
            facts.extend(text("/value").map(|own| Fact::new(FactKind::Date, own)));
            return;
        }
        "DV_IDENTIFIER" => {
            facts.extend(text("/id").map(|own| Fact::new(FactKind::Identifier, pair(None, own))));
            return;
        }
        _ => {}
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, facts)),
        Value::Object(members) => members.values().for_each(|inner| walk(inner, facts)),
        _ => {}
    }
}

fn party(value: &Value) -> Vec<Fact> {
    let id = value
        .pointer("/external_ref/id/value")
        .and_then(Value::as_str);
    id.map(|id| Fact::new(FactKind::Identifier, pair(None, id)))
        .into_iter()
        .collect()
}

/// The paths below those entries that have a narrative (orders), or the step of dispensing.
fn flat(members: &Map<String, Value>, sorted: &mut [Vec<Fact>; 2]) {
    let [orders, given] = sorted;
    let entries = members.iter().filter_map(|(key, value)| {
        if let Some(entry) = key.strip_suffix("/narrative") {
            return Some((entry, true));
        }
        let entry = key.strip_suffix("/ism_transition/careflow_step|code")?;
        (value.as_str() == Some("at0003")).then_some((entry, false))
    });
    for (entry, is_order) in entries.take(MAX_ENTRIES) {
        let own = |key: &&String| {
            key.strip_prefix(entry)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let is_item = |key: &&String| {
            let (path, attribute) = key.split_once('|').unwrap_or((key, "value"));
            path.ends_with("/medication_item") && attribute == "value"
        };
        let lines = members.keys().filter(own).filter(is_item).count();
        let facts = match is_order {
            true => &mut *orders,
            false => &mut *given,
        };
        facts.extend((0..lines).map(|_| Fact::new(FactKind::Line, "")));
        let known = |key: &str| {
            ["/language|", "/encoding|", "/ism_transition/"]
                .iter()
                .any(|own| key.contains(own))
        };
        for key in members
            .keys()
            .filter(own)
            .filter(|key| lines > 0 && !known(key))
        {
            facts.extend(fact(members, key));
        }
    }
}

fn fact(members: &Map<String, Value>, key: &str) -> Option<Fact> {
    let value = members.get(key)?.as_str()?;
    if let Some(path) = key.strip_suffix("|code") {
        let system = members.get(&format!("{path}|terminology"));
        let system = system_of(system.and_then(Value::as_str).unwrap_or_default());
        return Some(Fact::new(FactKind::Code, pair(Some(system), value)));
    }
    if key.ends_with("|id") || key.ends_with("/_uid") || key.ends_with("|composition_uid") {
        return Some(Fact::new(FactKind::Identifier, pair(None, value)));
    }
    let is_date = !key.contains('|') && value.len() >= 10 && When::parse(value).is_some();
    is_date.then(|| Fact::new(FactKind::Date, value))
}

fn system_of(terminology: &str) -> &str {
    match terminology {
        "SNOMED-CT" => "http://snomed.info/sct",
        "LOINC" => "http://loinc.org",
        "ICD10" => "http://hl7.org/fhir/sid/icd-10",
        "ATC" => "http://www.whocc.no/atc",
        "RXNORM" => "http://www.nlm.nih.gov/research/umls/rxnorm",
        "local" => "openehr:local",
        other => other,
    }
}
