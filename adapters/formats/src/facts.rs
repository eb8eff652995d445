//! How much of a body its messages say: a second look at the bytes that shares nothing with the readers.
//!
//! For each format that has an entry in [`EXTRACTORS`] a small walk over the raw body lists its records (what a
//! sender would call a message) and the amounts, codes, dates, identifiers and lines that stand in each. What of
//! these the canonical message says too is its completeness. It measures; it must not be used to read.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;
use takmil_domain::message::Message;
use takmil_domain::text::digits;

use crate::{Context, Format};

pub use tally::{Measured, Share, Shares, UNNAMED, measure};

mod en13606;
mod fhir;
mod hl7v2;
mod ncpdp;
mod openehr;
mod rows;
mod sepas;
mod tally;
mod uae;
mod x12;

/// What a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// Money, in smallest units of its currency; what is below zero as it was written, with the currency.
    Amount,
    /// A code with its system: `system|code`.
    Code,
    /// A date or time, as it was written.
    Date,
    /// An identifier with its system: `system|value`.
    Identifier,
    /// A line of a bill or an order; it has no text and is counted only.
    Line,
}

impl FactKind {
    /// Every kind.
    pub const ALL: &'static [FactKind] = &[
        FactKind::Amount,
        FactKind::Code,
        FactKind::Date,
        FactKind::Identifier,
        FactKind::Line,
    ];
}

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub kind: FactKind,
    /// How it is compared; see [`FactKind`].
    pub text: String,
}

impl Fact {
    /// A fact; digits of any script are compared as the same digits.
    fn new(kind: FactKind, text: impl AsRef<str>) -> Fact {
        let text = digits(text.as_ref()).into_owned();
        Fact { kind, text }
    }
}

/// One record of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands, in the pointers of its format's reader.
    pub place: String,
    /// What its format calls it: `Claim`.
    pub name: String,
    /// What it says.
    pub facts: Vec<Fact>,
}

/// Lists the records of a body; none where it cannot be walked.
type Extractor = fn(&[u8], &Context) -> Vec<Record>;

/// The extractors, by the name of their format.
const EXTRACTORS: &[(&str, Extractor)] = &[
    (crate::fhir::FORMAT.name, fhir::records),
    (crate::fhir::HISTORY.name, fhir::history),
    (crate::hl7v2::FORMAT.name, hl7v2::records),
    (crate::uae::FORMAT.name, uae::records),
    (crate::x12::FORMAT.name, x12::records),
    (crate::sepas::FORMAT.name, sepas::records),
    (crate::ncpdp::FORMAT.name, ncpdp::records),
    (crate::rows::HISTORY.name, rows::records),
    (crate::openehr::FORMAT.name, openehr::records),
    (crate::en13606::FORMAT.name, en13606::records),
];

/// The documents of a body of JSON that is one or a list of them, with their places.
fn documents(body: &[u8]) -> Vec<(String, Value)> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    match serde_json::from_slice(body).unwrap_or_default() {
        Value::Array(items) => {
            let places = (0..items.len()).map(|index| format!("/{index}"));
            places.zip(items).collect()
        }
        whole => vec![(String::new(), whole)],
    }
}

/// The records of a body in `format`; `None` where nobody wrote an extractor for it.
pub fn records(format: &Format, body: &[u8], context: &Context) -> Option<Vec<Record>> {
    let found = EXTRACTORS.iter().find(|(name, _)| *name == format.name);
    found.map(|(_, extract)| extract(body, context))
}

/// Which of `facts` the message does not say. An amount or a line that stands twice must be said twice.
pub fn missing<'f>(facts: impl IntoIterator<Item = &'f Fact>, message: &Message) -> Vec<&'f Fact> {
    let mut said = Said::default();
    // A message is made of text, numbers and lists: it always becomes JSON.
    said.add(&serde_json::to_value(message).unwrap_or_default(), "");
    let lost = facts.into_iter().filter(|fact| !said.says(fact));
    lost.collect()
}

/// What a canonical message says, ready to be searched.
#[derive(Default)]
struct Said {
    texts: HashSet<String>,
    pairs: HashSet<String>,
    amounts: HashMap<String, usize>,
    lines: usize,
}

/// The fields of canonical JSON that hold amounts.
const AMOUNTS: &[&str] = &[
    "billed",
    "unit_price",
    "amount",
    "total",
    "paid_by_member",
    "paid",
    "subsidy",
];

impl Said {
    fn add(&mut self, value: &Value, key: &str) {
        match value {
            // What is only pointed to is not said.
            _ if key == "unread" => {}
            Value::Object(members) => {
                let text = |key: &str| members.get(key).and_then(Value::as_str);
                if let Some((below, unit)) = text("text").zip(text("unit"))
                    && below.starts_with('-')
                {
                    let words = taken_back(below, unit);
                    *self.amounts.entry(words).or_default() += 1;
                }
                if let Some(second) = text("code").or(text("value")) {
                    self.pairs.insert(pair(text("system"), second));
                }
                for (key, inner) in members {
                    if matches!(key.as_str(), "lines" | "details") {
                        self.lines += inner.as_array().map_or(0, Vec::len);
                    }
                    self.add(inner, key);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item, key)),
            Value::String(text) => drop(self.texts.insert(text.clone())),
            // The field's name is its unit.
            Value::Number(_) if key == "days_supply" => {
                let days = pair(Some("http://unitsofmeasure.org"), "d");
                self.pairs.insert(days);
            }
            Value::Number(number) if AMOUNTS.contains(&key) => {
                *self.amounts.entry(number.to_string()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Whether it says `fact`; what is counted is used up.
    fn says(&mut self, fact: &Fact) -> bool {
        let count = match fact.kind {
            FactKind::Code => return self.pairs.contains(&fact.text),
            // One that names no system is said wherever its text stands.
            FactKind::Identifier => {
                let bare = fact.text.strip_prefix('|');
                return self.pairs.contains(&fact.text)
                    || bare.is_some_and(|bare| self.texts.contains(bare));
            }
            FactKind::Date => return self.texts.contains(&fact.text),
            FactKind::Line => Some(&mut self.lines),
            FactKind::Amount => self.amounts.get_mut(&fact.text),
        };
        let left = count.filter(|count| **count > 0);
        left.map(|count| *count -= 1).is_some()
    }
}

/// How an amount below zero is compared: messages tell it in words.
fn taken_back(number: &str, currency: &str) -> String {
    let plain = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    format!("{plain} {currency}")
}

/// How a code or an identifier is compared.
fn pair(system: Option<&str>, second: &str) -> String {
    format!("{}|{second}", system.unwrap_or_default())
}

#[cfg(test)]
mod tests;
