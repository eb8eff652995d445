//! The facts of HL7 v2 by a table of the data types that the standard gives to fields: cut at the separators, no reader.
//! Of persons, findings and the envelope only what tells one message from another is counted.

use takmil_domain::money::{Amount, Currency};

use super::{Fact, FactKind, Record, pair};
use crate::Context;

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    /// A time (TS, DTM, DT): the first component.
    Time,
    /// Two times (DR).
    Range,
    /// Coded elements (CE, CWE): two codes with their systems. The list is that of a code that names none.
    Coded(&'static str),
    /// An identifier or a person's number (CX, EI, XCN, ST): the first component. Who gave it is told in many ways.
    Number,
    /// Money (CP, MO): number and currency.
    Money,
}

/// Segment, field, what it holds.
const HOLDS: &[(&str, usize, Holds)] = &[
    ("MSH", 7, Holds::Time),
    ("MSH", 10, Holds::Number),
    ("PID", 3, Holds::Number),
    ("PID", 7, Holds::Time),
    ("PID", 18, Holds::Number),
    ("PV1", 2, Holds::Coded("0004")),
    ("PV1", 4, Holds::Coded("0007")),
    ("PV1", 7, Holds::Number),
    ("PV1", 8, Holds::Number),
    ("PV1", 9, Holds::Number),
    ("PV1", 10, Holds::Coded("0069")),
    ("PV1", 14, Holds::Coded("0023")),
    ("PV1", 17, Holds::Number),
    ("PV1", 18, Holds::Coded("0018")),
    ("PV1", 19, Holds::Number),
    ("PV1", 36, Holds::Coded("0112")),
    ("PV1", 44, Holds::Time),
    ("PV1", 45, Holds::Time),
    ("PV2", 3, Holds::Coded("")),
    ("IN1", 2, Holds::Number),
    ("IN1", 3, Holds::Number),
    ("IN1", 8, Holds::Number),
    ("IN1", 12, Holds::Time),
    ("IN1", 13, Holds::Time),
    ("IN1", 15, Holds::Coded("0086")),
    ("IN1", 17, Holds::Coded("0063")),
    ("IN1", 36, Holds::Number),
    ("IN1", 49, Holds::Number),
    ("DG1", 3, Holds::Coded("")),
    ("DG1", 5, Holds::Time),
    ("DG1", 6, Holds::Coded("0052")),
    ("PR1", 3, Holds::Coded("")),
    ("PR1", 5, Holds::Time),
    ("PR1", 12, Holds::Number),
    ("FT1", 2, Holds::Number),
    ("FT1", 4, Holds::Range),
    ("FT1", 5, Holds::Time),
    ("FT1", 7, Holds::Coded("")),
    ("FT1", 11, Holds::Money),
    ("FT1", 12, Holds::Money),
    ("FT1", 13, Holds::Coded("")),
    ("FT1", 19, Holds::Coded("")),
    ("FT1", 20, Holds::Number),
    ("FT1", 21, Holds::Number),
    ("FT1", 25, Holds::Coded("")),
    ("FT1", 26, Holds::Coded("0340")),
    ("FT1", 29, Holds::Coded("")),
    ("ACC", 1, Holds::Time),
    ("ACC", 2, Holds::Coded("0050")),
    ("ORC", 2, Holds::Number),
    ("ORC", 3, Holds::Number),
    ("ORC", 4, Holds::Number),
    ("ORC", 9, Holds::Time),
    ("ORC", 12, Holds::Number),
    ("ORC", 16, Holds::Coded("")),
    ("RXO", 1, Holds::Coded("")),
    ("RXO", 5, Holds::Coded("")),
    ("RXO", 9, Holds::Coded("0161")),
    ("RXE", 2, Holds::Coded("")),
    ("RXE", 6, Holds::Coded("")),
    ("RXE", 9, Holds::Coded("0167")),
    ("RXE", 15, Holds::Number),
    ("RXE", 27, Holds::Coded("")),
    ("RXD", 2, Holds::Coded("")),
    ("RXD", 3, Holds::Time),
    ("RXD", 6, Holds::Coded("")),
    ("RXD", 7, Holds::Number),
    ("RXR", 1, Holds::Coded("0162")),
    ("RXR", 2, Holds::Coded("0163")),
    ("RXC", 2, Holds::Coded("")),
    ("OBR", 2, Holds::Number),
    ("OBR", 3, Holds::Number),
    ("OBR", 4, Holds::Coded("")),
    ("OBR", 16, Holds::Number),
    ("OBR", 31, Holds::Coded("")),
    ("OBR", 36, Holds::Time),
    ("ODS", 3, Holds::Coded("")),
    ("TQ1", 7, Holds::Time),
    ("TQ1", 8, Holds::Time),
];

/// The messages in which a provider tells or asks something: type, events, the segments of which each is a line.
const MESSAGES: &[(&str, &[&str], &[&str])] = &[
    ("RDE", &[], ORDERS),
    ("OMP", &[], ORDERS),
    ("ORM", &[], ORDERS),
    ("OMG", &[], ORDERS),
    ("OML", &[], ORDERS),
    ("OMI", &[], ORDERS),
    ("OMD", &[], ORDERS),
    ("RDS", &[], &["RXD"]),
    ("RAS", &[], &["RXD"]),
    ("DFT", &[], &["FT1"]),
    ("BAR", &["P01", "P05"], &["PR1"]),
    ("ADT", &["A01", "A04", "A05", "A11", "A38"], &[]),
];

/// The segments that detail an order: together they are one line.
const ORDERS: &[&str] = &["RXO", "RXE", "OBR", "ODS"];

/// Every order, dispense, charge, account and admission of a body.
pub(super) fn records(body: &[u8], context: &Context) -> Vec<Record> {
    let text = crate::encoding::decode(body, None);
    let text = text.unwrap_or_else(|_| String::from_utf8_lossy(body));
    let framing = |letter: char| matches!(letter, '\u{b}' | '\u{1c}' | '\u{feff}');
    let lines = text
        .split(['\r', '\n'])
        .map(|line| line.trim_matches(framing));
    let mut messages: Vec<Vec<&str>> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match messages.last_mut() {
            _ if line.starts_with("MSH") => messages.push(vec![line]),
            Some(message) => message.push(line),
            None => {}
        }
    }
    let alone = messages.len() == 1;
    let found = messages.iter().enumerate().filter_map(|(at, lines)| {
        let place = match alone {
            true => String::new(),
            false => format!("/MSH[{}]", at + 1),
        };
        record(place, lines, context)
    });
    found.collect()
}

/// The separators of a message: field, component, repetition, subcomponent.
#[derive(Clone, Copy)]
struct Cut([char; 4]);

fn record(place: String, lines: &[&str], context: &Context) -> Option<Record> {
    let mut marks = lines.first()?.chars().skip(3);
    let (field, component, repetition) = (marks.next()?, marks.next()?, marks.next()?);
    let sub = marks.nth(1).filter(|mark| *mark != field).unwrap_or('&');
    let cut = Cut([field, component, repetition, sub]);
    let header: Vec<&str> = lines.first()?.split(field).collect();
    let mut named = header.get(8)?.split(component);
    let (kind, event) = (named.next()?, named.next().unwrap_or_default());
    let taken = MESSAGES
        .iter()
        .find(|(own, events, _)| *own == kind && (events.is_empty() || events.contains(&event)));
    let (.., details) = taken?;
    let mut facts = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let currency = lines.iter().find_map(|line| {
        let amount = line.strip_prefix("FT1")?.split(field).nth(11)?;
        let currency = amount.split(component).next()?.split(sub).nth(1)?;
        Currency::parse(currency)
    });
    let currency = currency.or(context.default_currency);
    for line in lines {
        let fields: Vec<&str> = line.split(field).collect();
        let name = fields.first().copied().unwrap_or_default();
        if name == "ORC" {
            seen.clear();
        }
        if details.contains(&name) {
            let is_charge =
                name != "FT1" || matches!(fields.get(6), None | Some(&("" | "CG" | "CD" | "cg")));
            let is_new = details.len() == 1 || seen.is_empty() || seen.contains(&name);
            if is_charge && is_new {
                facts.push(Fact::new(FactKind::Line, ""));
                seen.clear();
            }
            seen.push(name);
        }
        // The field separator of a header is its first field.
        let offset = usize::from(name == "MSH");
        for (_, number, holds) in HOLDS.iter().filter(|(own, ..)| *own == name) {
            let text = fields.get(number - offset).copied().unwrap_or_default();
            for own in text.split(repetition).filter(|own| !own.trim().is_empty()) {
                cut.facts(own, *holds, currency, context, &mut facts);
            }
        }
    }
    Some(Record {
        place,
        name: format!("{kind}_{event}").trim_end_matches('_').to_owned(),
        facts,
    })
}

impl Cut {
    fn facts(
        self,
        text: &str,
        holds: Holds,
        currency: Option<Currency>,
        context: &Context,
        into: &mut Vec<Fact>,
    ) {
        let Cut([_, component, _, sub]) = self;
        let parts: Vec<&str> = text
            .split(component)
            .map(|part| part.split(sub).next().unwrap_or_default().trim())
            .collect();
        let part = |at: usize| {
            parts
                .get(at)
                .copied()
                .filter(|own| *own != "\"\"")
                .unwrap_or_default()
        };
        let mut push = |kind, text: String| into.push(Fact::new(kind, plain(text)));
        match holds {
            Holds::Time => time(part(0))
                .into_iter()
                .for_each(|own| push(FactKind::Date, own)),
            Holds::Range => [0, 1]
                .into_iter()
                .filter_map(|at| time(part(at)))
                .for_each(|own| push(FactKind::Date, own)),
            Holds::Number if part(0).is_empty() => {}
            Holds::Number => push(FactKind::Identifier, pair(None, part(0))),
            Holds::Coded(list) => {
                for (at, list) in [(0, list), (3, "")] {
                    let (code, system) = (part(at), part(at + 2));
                    if code.is_empty() {
                        continue;
                    }
                    let system = if system.is_empty() { list } else { system };
                    push(FactKind::Code, pair(Some(&named(system)), code));
                }
            }
            Holds::Money => {
                let exponent = currency.map_or(2, |own| own.exponent(context.today));
                if let Ok((amount, _)) = Amount::from_decimal(part(0), exponent) {
                    push(FactKind::Amount, amount.get().to_string());
                }
            }
        }
    }
}

/// A text without the escapes that stand for the usual separators.
fn plain(text: String) -> String {
    const ESCAPES: &[(&str, &str)] = &[
        ("\\F\\", "|"),
        ("\\S\\", "^"),
        ("\\T\\", "&"),
        ("\\R\\", "~"),
        ("\\E\\", "\\"),
    ];
    match text.contains('\\') {
        true => ESCAPES
            .iter()
            .fold(text, |text, (from, to)| text.replace(from, to)),
        false => text,
    }
}

/// The system of a name in table 0396.
fn named(name: &str) -> String {
    let is_oid = name.contains('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match name {
        "" => String::new(),
        _ if name.starts_with("http") || name.starts_with("urn:") => name.to_owned(),
        _ if is_oid => format!("urn:oid:{name}"),
        _ => format!("hl7v2:{name}"),
    }
}

/// A time as the canonical form writes it.
fn time(text: &str) -> Option<String> {
    let (clock, zone) = match text.find(['+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let part = |from: usize, to: usize| clock.get(from..to);
    let mut said = part(0, 4)?.to_owned();
    for (from, mark) in [(4, "-"), (6, "-"), (8, "T"), (10, ":"), (12, ":")] {
        if let Some(two) = part(from, from + 2) {
            said.push_str(mark);
            said.push_str(two);
        }
    }
    if clock.len() == 10 {
        said.push_str(":00");
    }
    said.push_str(clock.get(14..).unwrap_or_default());
    if let Some((hours, minutes)) = zone.get(..3).zip(zone.get(3..5)) {
        said.push_str(&format!("{hours}:{minutes}"));
    }
    Some(said)
}
