//! The facts of the Emirates' layouts, by the names of elements alone: no reader.

use quick_xml::Reader;
use quick_xml::events::Event;
use takmil_domain::money::{Amount, Currency};

use super::{Fact, FactKind, Record, pair};
use crate::{Context, encoding};

/// The elements of which each is a message.
const MESSAGES: &[&str] = &["Claim", "Authorization", "Prescription"];

/// The documents that providers send.
const DOCUMENTS: &[&str] = &["Claim.Submission", "Prior.Request", "eRx.Request"];

/// The elements that hold money.
const MONEY: &[&str] = &["Gross", "PatientShare", "Net", "List"];

/// The elements that hold a day, or a day and a time.
const DAYS: &[&str] = &[
    "TransactionDate",
    "DateOrdered",
    "DateOfBirth",
    "Start",
    "End",
];

/// The elements that hold identifiers. What most of them are numbers of is told by their place alone.
const NUMBERS: &[&str] = &[
    "ID",
    "IDPayer",
    "MemberID",
    "PayerID",
    "ProviderID",
    "EmiratesIDNumber",
    "FacilityID",
    "PatientID",
    "Clinician",
    "OrderingClinician",
    "PriorAuthorizationID",
];

/// The elements that hold codes: the element around it, its own name, the system.
const CODES: &[(&str, &str, &str)] = &[
    ("Encounter", "Type", "uae:encounter"),
    ("Encounter", "StartType", "uae:encounter-start"),
    ("Encounter", "EndType", "uae:encounter-end"),
    ("Diagnosis", "Type", "uae:diagnosis-type"),
    ("Diagnosis", "Code", "uae:diagnosis"),
    ("DxInfo", "Code", "uae:present-on-admission"),
    ("Resubmission", "Type", "uae:resubmission-type"),
];

/// Every claim, request and prescription of a body, in the order in which they stand.
pub(super) fn records(body: &[u8], context: &Context) -> Vec<Record> {
    walked(body, context).unwrap_or_default()
}

fn walked(body: &[u8], context: &Context) -> Option<Vec<Record>> {
    let text = encoding::decode(body, encoding::declared_in_xml(body)).ok()?;
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<(String, String)> = Vec::new();
    let mut walk = Walk {
        context,
        header: Vec::new(),
        found: Vec::new(),
        kind: String::new(),
    };
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = start.local_name().into_inner().to_owned();
                walk.starts(&open, &name);
                open.push((name, String::new()));
            }
            Event::Text(own) => {
                if let Some((_, said)) = open.last_mut() {
                    said.push_str(&own);
                }
            }
            Event::End(_) => {
                let (name, said) = open.pop()?;
                walk.ends(&open, &name, said.trim());
                if open.is_empty() {
                    return Some(walk.found);
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

struct Walk<'c> {
    context: &'c Context,
    /// What the header says holds for every message.
    header: Vec<Fact>,
    found: Vec<Record>,
    /// The type of the activity or observation that is open.
    kind: String,
}

impl Walk<'_> {
    fn starts(&mut self, open: &[(String, String)], name: &str) {
        match open {
            [(root, _)] if DOCUMENTS.contains(&root.as_str()) && MESSAGES.contains(&name) => {
                let number = self.found.len() + 1;
                self.found.push(Record {
                    place: format!("/{root}/{name}[{number}]"),
                    name: name.to_owned(),
                    facts: self.header.clone(),
                });
            }
            [_, _] if name == "Activity" => {
                self.kind.clear();
                self.say(open, Fact::new(FactKind::Line, ""));
            }
            _ => {}
        }
    }

    fn ends(&mut self, open: &[(String, String)], name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let around = open.last().map_or("", |(name, _)| name);
        let typed = match around {
            "Activity" => Some("uae:"),
            "Observation" => Some("uae:observation:"),
            _ => None,
        };
        if MONEY.contains(&name) {
            let currency = self.context.default_currency.or(Currency::parse("AED"));
            let exponent = currency.map_or(2, |own| own.exponent(self.context.today));
            if let Ok((amount, _)) = Amount::from_decimal(text, exponent) {
                let said = amount.get().to_string();
                self.say(open, Fact::new(FactKind::Amount, said));
            }
        } else if DAYS.contains(&name) {
            if let Some(day) = day(text) {
                self.say(open, Fact::new(FactKind::Date, day));
            }
        } else if NUMBERS.contains(&name) {
            self.say(open, Fact::new(FactKind::Identifier, pair(None, text)));
        } else if name == "Type" && typed.is_some() {
            text.clone_into(&mut self.kind);
        } else if let (Some(system), "Code") = (typed, name) {
            let system = format!("{system}{}", self.kind);
            let said = pair(Some(&system), text);
            self.say(open, Fact::new(FactKind::Code, said));
        } else if let Some((.., system)) = CODES
            .iter()
            .find(|(parent, own, _)| *parent == around && *own == name)
        {
            let said = pair(Some(system), text);
            self.say(open, Fact::new(FactKind::Code, said));
        }
    }

    fn say(&mut self, open: &[(String, String)], fact: Fact) {
        match open.get(1).map(|(name, _)| name.as_str()) {
            Some("Header") => self.header.push(fact),
            Some(name) if MESSAGES.contains(&name) => {
                if let Some(record) = self.found.last_mut() {
                    record.facts.push(fact);
                }
            }
            _ => {}
        }
    }
}

/// `dd/MM/yyyy HH:mm` as the canonical form writes it.
fn day(text: &str) -> Option<String> {
    let (day, time) = text.split_once(' ').unwrap_or((text, ""));
    let [day, month, year] = day.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let time = match time {
        "" => String::new(),
        time => format!("T{time}"),
    };
    Some(format!("{year}-{month:0>2}-{day:0>2}{time}"))
}
