//! The facts of medication orders in extracts after EN 13606, by the attributes of elements alone: no reader.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Fact, FactKind, Record, pair};
use crate::{Context, encoding};

/// The elements of an order whose attributes are facts: who, which and when. The frame around them (`meaning`, `name`,
/// links' natures) says nothing of the order.
const ELEMENTS: &[&str] = &[
    "value",
    "low",
    "high",
    "rc_id",
    "target_id",
    "performer",
    "healthcare_facility",
    "time_committed",
];

/// Every order of a body.
pub(super) fn records(body: &[u8], _: &Context) -> Vec<Record> {
    let Ok(text) = encoding::decode(body, encoding::declared_in_xml(body)) else {
        return Vec::new();
    };
    let mut reader = Reader::from_str(&text);
    let (mut depth, mut count, mut records) = (0_usize, 0_usize, Vec::new());
    let mut open: Option<Record> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                depth = depth.saturating_add(1);
                begin(&start, depth, &mut count, &mut open);
            }
            Ok(Event::Empty(start)) => {
                begin(&start, depth.saturating_add(1), &mut count, &mut open)
            }
            Ok(Event::End(_)) => {
                if depth == 2 {
                    records.extend(open.take().filter(|own| own.name == "lko"));
                }
                depth = depth.saturating_sub(1);
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => return Vec::new(),
        }
    }
    if depth > 0 { Vec::new() } else { records }
}

fn begin(start: &BytesStart<'_>, depth: usize, count: &mut usize, open: &mut Option<Record>) {
    let local = start.local_name();
    let name: &str = local.as_ref();
    if depth == 2 && name == "all_compositions" {
        *count = count.saturating_add(1);
        *open = Some(Record {
            place: format!("/ehr_extract/all_compositions[{count}]"),
            name: String::new(),
            facts: Vec::new(),
        });
    }
    let Some(record) = open else { return };
    let get = |wanted: &str| {
        let mut all = start.attributes().take(64).flatten();
        let own = all.find(|own| {
            let name = own.key.local_name();
            let name: &str = name.as_ref();
            name == wanted
        })?;
        let value = own.normalized_value(XmlVersion::Explicit1_0).ok()?;
        Some(value.trim().to_owned())
    };
    if name == "meaning" && depth == 3 {
        record.name = get("code").unwrap_or_default();
    }
    if name == "content" {
        record.facts.push(Fact::new(FactKind::Line, ""));
    }
    if !ELEMENTS.contains(&name) {
        return;
    }
    if let Some(id) = get("extension") {
        record
            .facts
            .push(Fact::new(FactKind::Identifier, pair(None, &id)));
    }
    if let Some(code) = get("code") {
        let system = get("codeSystem").unwrap_or_default();
        let is_oid = !system.is_empty()
            && system
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let system = if is_oid {
            format!("urn:oid:{system}")
        } else {
            system
        };
        record
            .facts
            .push(Fact::new(FactKind::Code, pair(Some(&system), &code)));
    }
    let value = get("value").filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(moment) = value.and_then(|value| moment(&value)) {
        record.facts.push(Fact::new(FactKind::Date, moment));
    }
}

fn moment(text: &str) -> Option<String> {
    let (day, time) = text.split_at_checked(8)?;
    let day = format!("{}-{}-{}", day.get(..4)?, day.get(4..6)?, day.get(6..)?);
    let pairs: Vec<&str> = (0..time.len())
        .step_by(2)
        .filter_map(|from| time.get(from..from.saturating_add(2)))
        .collect();
    match pairs.len() {
        0 => Some(day),
        2 | 3 => Some(format!("{day}T{}", pairs.join(":"))),
        _ => None,
    }
}
