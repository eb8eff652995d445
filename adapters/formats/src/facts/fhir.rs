//! The facts of FHIR, in either syntax, by the shape of the data alone: no table of R4, no reader.

use std::collections::{HashMap, HashSet};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::text::digits;

use super::{Fact, FactKind, Record, pair, taken_back};
use crate::{Context, MAX_DEPTH};

/// The resources that a sender would call messages. Persons, places and findings are what they refer to.
const MESSAGES: &[&str] = &[
    "Claim",
    "Communication",
    "CoverageEligibilityRequest",
    "MedicationDispense",
    "MedicationRequest",
    "Task",
];

/// The resources that say what a message is about, wherever in the body they stand: what they say is the message's.
const MATTERS: &[&str] = &["Invoice", "Medication"];

/// The elements that repeat and lead to resources: each has an index in its pointer, even where it stands alone.
const LISTS: &[&str] = &["entry", "contained", "parameter", "part"];

/// The elements of which each is a line.
const LINES: &[&str] = &["item", "detail", "subDetail"];

/// The resources of which each is a line.
const ORDERS: &[&str] = &["MedicationRequest", "MedicationDispense"];

/// Every message of a body, in the order in which they stand. Contained resources are left out: those are what a
/// message refers to; what is handed out and what it costs is looked up there.
pub(super) fn records(body: &[u8], context: &Context) -> Vec<Record> {
    walked(body, context, MESSAGES)
}

/// Every bill of a body that an insurer has decided; a body may have one resource a line.
pub(super) fn history(body: &[u8], context: &Context) -> Vec<Record> {
    let wanted = &["ExplanationOfBenefit"];
    let rows = body.split(|byte| *byte == b'\n');
    let rows: Vec<_> = rows
        .enumerate()
        .filter(|(_, row)| !row.trim_ascii().is_empty())
        .collect();
    let is_object = |row: &[u8]| serde_json::from_slice::<Map<String, Value>>(row).is_ok();
    if rows.len() < 2 || !rows.first().is_some_and(|(_, row)| is_object(row)) {
        return walked(body, context, wanted);
    }
    let mut records = Vec::new();
    for (number, row) in rows {
        for mut record in walked(row, context, wanted) {
            record.place.insert_str(0, &format!("/{number}"));
            records.push(record);
        }
    }
    records
}

fn walked(body: &[u8], context: &Context, wanted: &'static [&'static str]) -> Vec<Record> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let tree = match body.trim_ascii_start().first() {
        Some(b'<') => xml(body),
        _ => serde_json::from_slice(body).ok(),
    };
    let tree = tree.unwrap_or_default();
    let mut walk = Walk {
        context,
        wanted,
        records: Vec::new(),
        matters: HashMap::new(),
    };
    walk.matters(&tree, None);
    walk.resources(&tree, String::new());
    walk.records
}

struct Walk<'t> {
    context: &'t Context,
    /// The resources that are records.
    wanted: &'static [&'static str],
    records: Vec<Record>,
    /// What messages are about, by its full URL and by `Type/id`.
    matters: HashMap<String, &'t Value>,
}

impl<'t> Walk<'t> {
    fn matters(&mut self, value: &'t Value, full_url: Option<&str>) {
        match value {
            Value::Object(members) => {
                let text = |key: &str| members.get(key).and_then(Value::as_str);
                let name = text("resourceType").filter(|name| MATTERS.contains(name));
                if let Some(name) = name {
                    let literal = text("id").map(|id| format!("{name}/{id}"));
                    let known = full_url.map(str::to_owned).into_iter().chain(literal);
                    known.for_each(|known| {
                        self.matters.entry(known).or_insert(value);
                    });
                }
                for (key, inner) in members.iter().filter(|(key, _)| *key != "contained") {
                    let url = text("fullUrl").filter(|_| key == "resource");
                    self.matters(inner, url);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.matters(item, None)),
            _ => {}
        }
    }

    /// What the message of a record is about: every matter that it refers to, or that those refer to.
    fn about(&self, record: &'t Value) -> Vec<&'t Value> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![record];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(members) => {
                    let inner = members.iter().filter(|(key, _)| *key != "contained");
                    open.extend(inner.map(|(_, inner)| inner));
                    let reference = members.get("reference").and_then(Value::as_str);
                    let Some(reference) = reference.filter(|text| seen.insert(*text)) else {
                        continue;
                    };
                    if let Some(matter) = self.matter(record, reference) {
                        found.push(matter);
                        open.push(matter);
                    }
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        found
    }

    fn matter(&self, record: &'t Value, reference: &str) -> Option<&'t Value> {
        let Some(id) = reference.strip_prefix('#') else {
            let known = self.matters.get(reference).copied();
            let mut steps = reference.rsplitn(3, '/');
            let literal = steps.next().zip(steps.next());
            let literal = literal.map(|(id, name)| format!("{name}/{id}"));
            return known.or_else(|| self.matters.get(&literal?).copied());
        };
        let mut contained = record.get("contained")?.as_array()?.iter();
        contained.find(|inner| {
            let text = |key: &str| inner.get(key).and_then(Value::as_str).unwrap_or_default();
            text("id") == id && MATTERS.contains(&text("resourceType"))
        })
    }

    fn resources(&mut self, value: &'t Value, place: String) {
        match value {
            Value::Object(members) => {
                let name = members.get("resourceType").and_then(Value::as_str);
                if let Some(name) = name.filter(|name| self.wanted.contains(name)) {
                    let mut facts = Vec::new();
                    if ORDERS.contains(&name) {
                        facts.push(Fact::new(FactKind::Line, ""));
                    }
                    self.facts(value, "", &mut facts);
                    for matter in self.about(value) {
                        self.facts(matter, "", &mut facts);
                    }
                    let purpose = members.get("use").and_then(Value::as_str);
                    let name = match purpose.filter(|purpose| *purpose != "claim") {
                        Some(purpose) if name == "Claim" => format!("{name} {purpose}"),
                        _ => name.to_owned(),
                    };
                    self.records.push(Record { place, name, facts });
                    return;
                }
                for (key, inner) in members.iter().filter(|(key, _)| *key != "contained") {
                    self.resources(inner, format!("{place}/{key}"));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.resources(item, format!("{place}/{index}"));
                }
            }
            _ => {}
        }
    }

    fn facts(&self, value: &Value, key: &str, facts: &mut Vec<Fact>) {
        match value {
            Value::Object(members) => {
                let text = |key: &str| members.get(key).and_then(Value::as_str);
                if let Some(code) = text("code") {
                    let said = pair(text("system"), code);
                    facts.push(Fact::new(FactKind::Code, said));
                }
                if let Some(money) = self.amount(members) {
                    facts.push(Fact::new(FactKind::Amount, money));
                } else if let (true, Some(value)) = (key == "identifier", text("value")) {
                    let said = pair(text("system"), value);
                    facts.push(Fact::new(FactKind::Identifier, said));
                }
                for (key, inner) in members {
                    let frame = matches!(key.as_str(), "contained" | "meta" | "id");
                    let narrative = key == "text" && inner.get("div").is_some();
                    if !frame && !narrative {
                        self.facts(inner, key, facts);
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    if LINES.contains(&key) && item.is_object() {
                        facts.push(Fact::new(FactKind::Line, ""));
                    }
                    self.facts(item, key, facts);
                }
            }
            Value::String(text) if key != "value" && is_day(&digits(text)) => {
                facts.push(Fact::new(FactKind::Date, text));
            }
            _ => {}
        }
    }

    /// Money in smallest units.
    fn amount(&self, members: &Map<String, Value>) -> Option<String> {
        let currency = Currency::parse(members.get("currency")?.as_str()?)?;
        let value = match members.get("value")? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if value.starts_with('-') {
            return Some(taken_back(&value, currency.as_str()));
        }
        let exponent = currency.exponent(self.context.today);
        let (amount, _) = Amount::from_decimal(&value, exponent).ok()?;
        Some(amount.get().to_string())
    }
}

/// Whether a text is a whole day, with or without a time.
fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let day = bytes.get(..10).unwrap_or_default().iter().enumerate();
    let fits = |(index, byte): (usize, &u8)| match index {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    bytes.len() >= 10 && day.into_iter().all(fits) && matches!(bytes.get(10), None | Some(b'T'))
}

/// XML as the JSON that says the same, as far as facts go; `None` where it is not well-formed.
fn xml(body: &[u8]) -> Option<Value> {
    let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
    let mut open: Vec<(String, Map<String, Value>)> = Vec::new();
    loop {
        let (event, closes) = match reader.read_event().ok()? {
            Event::Start(start) => (Some(start), false),
            Event::Empty(start) => (Some(start), true),
            Event::End(_) => (None, true),
            Event::Eof => return None,
            _ => continue,
        };
        if let Some(start) = event {
            let (name, members) = element(&start)?;
            open.push((name, members));
            if open.len() > 2 * MAX_DEPTH {
                return None;
            }
        }
        if closes {
            let (name, members) = open.pop()?;
            let value = settled(&name, members);
            match open.last_mut() {
                Some((outer, parent)) => adopt(outer, parent, name, value),
                None => return Some(value),
            }
        }
    }
}

/// The name of an element, without its prefix, and its attributes.
fn element(start: &BytesStart<'_>) -> Option<(String, Map<String, Value>)> {
    let name = start.local_name().into_inner().to_owned();
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let key = attribute.key.into_inner();
        let text = quick_xml::escape::unescape(&attribute.value).ok()?;
        if !key.starts_with("xmlns") {
            members.insert(key.to_owned(), Value::String(text.into_owned()));
        }
    }
    Some((name, members))
}

/// A primitive is its value; a resource, known by the capital that it begins with, says what it is.
fn settled(name: &str, mut members: Map<String, Value>) -> Value {
    if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        members.insert("resourceType".to_owned(), Value::String(name.to_owned()));
        return Value::Object(members);
    }
    match members.get("value") {
        Some(Value::String(text)) if members.len() == 1 => Value::String(text.clone()),
        _ => Value::Object(members),
    }
}

/// Puts an element into the one around it.
fn adopt(outer: &str, parent: &mut Map<String, Value>, name: String, value: Value) {
    // `<resource>` and `<contained>` hold one element, which is the resource.
    if value.get("resourceType").is_some() && matches!(outer, "resource" | "contained") {
        if let Value::Object(members) = value {
            *parent = members;
        }
        return;
    }
    match parent.get_mut(&name) {
        Some(Value::Array(items)) => items.push(value),
        Some(first) => {
            let both = vec![first.take(), value];
            *first = Value::Array(both);
        }
        None if LISTS.contains(&&*name) || LINES.contains(&&*name) => {
            parent.insert(name, Value::Array(vec![value]));
        }
        None => drop(parent.insert(name, value)),
    }
}
