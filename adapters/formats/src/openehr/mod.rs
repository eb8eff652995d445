//! openEHR compositions: medication orders (`INSTRUCTION.medication_order`, versions 2 and 3) as prescriptions, and
//! medication actions at the step "prescription dispensed" (`ACTION.medication`, version 1) as dispenses, in three shapes:
//! canonical JSON, FLAT and STRUCTURED. Written is canonical JSON alone.
//!
//! The orders of one composition are one prescription, a line for each activity; its dispensings are one dispense. What
//! else a composition holds (observations, statements of what a patient takes, doses given) is no message and is listed
//! as unread; a composition that holds nothing else is refused as empty, with the names of what it holds.
//!
//! | of the composition | in the message |
//! |---|---|
//! | `uid`, `feeder_audit`'s ids of items | identifiers; the uid's system is `openehr:composition` |
//! | `context/start_time` | when it was written |
//! | `context/health_care_facility` | the provider |
//! | an entry's `provider`, else `composer` | prescriber, dispenser |
//! | `subject` | the member: by the `external_ref` alone |
//! | an action's `time`, `instruction_details` | when it was handed over, and on which prescription |
//! | elements that the model has no field for | particulars by their at-code, system `openehr:concept` |
//!
//! **The member.** A record is kept apart from who it is about, so that most compositions name nobody: what is read then
//! has no member, and the hub answers as to any message without one. A sender names the member by the `external_ref` of
//! an entry's `subject`, or sends the status of the record beside the composition, as servers export both:
//! `{"ehr_status": {…}, "composition": {…}}`; the status's `subject` counts then. Nothing is taken from an `ehr_id`.
//!
//! FLAT and STRUCTURED have no node ids: entries are known by what the reference model demands of them (`narrative`,
//! `ism_transition`), elements by the ids that the English archetypes give them. A template that renames an element is
//! understood in canonical JSON alone; what is not known is kept as a particular under its own id.

mod answer;
mod canonical;
mod drug;
mod flat;
mod read;
mod tree;
mod values;
mod write;

use takmil_domain::problem::{Problem, ProblemCode};

use crate::native::json;
use crate::native::tree::Node;
use crate::{Context, Format, Read, Reading, peek};
use read::{Entries, Reader, Source};
use tree::Item;

/// openEHR compositions.
pub const FORMAT: Format = Format {
    name: "openehr",
    media_types: &[
        "application/openehr.wt.flat+json",
        "application/openehr.wt.structured+json",
    ],
    recognise,
    read,
    answer: answer::write,
    write: Some(write::write),
};

/// How many compositions one body may hold.
const MAX_MESSAGES: usize = 10_000;

/// How much of a body is looked at.
const WINDOW: usize = 64 * 1024;

fn recognise(body: &[u8]) -> bool {
    let [kind, composition, resource, other] =
        peek::keys(body, ["_type", "composition", "resourceType", "kind"]);
    if resource || other {
        return false;
    }
    if kind || composition {
        return true;
    }
    // The simplified shapes name their template first, but every one of them tells its language or its category.
    let window = body.get(..WINDOW).unwrap_or(body);
    let start = window.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let holds = |part: &[u8]| window.windows(part.len()).any(|own| own == part);
    start.first() == Some(&b'{')
        && [
            &b"/category|code\""[..],
            b"/language|code\"",
            b"/context/start_time\"",
            b"\"|terminology\"",
            b"\"ctx/language\"",
        ]
        .iter()
        .any(|part| holds(part))
}

fn read(body: &[u8], _: &Context) -> Result<Reading, Problem> {
    let root = json::parse(body)?;
    let mut reading = Reading::default();
    match &root {
        Node::List(items) if items.len() > MAX_MESSAGES => {
            let detail = format!("a body holds at most {MAX_MESSAGES} compositions");
            Err(Problem::new(ProblemCode::TooLarge, "", detail))
        }
        Node::List(items) => {
            let mut first = None;
            for (index, node) in items.iter().enumerate() {
                let place = format!("/{index}");
                if let Err(problem) = composition(node, &place, &mut reading) {
                    match problem.code {
                        ProblemCode::NoMessage => reading.unread.push(place),
                        _ => reading.messages.push(Read {
                            origins: vec![(String::new(), place.clone())],
                            place,
                            outcome: Err(vec![problem.clone()]),
                        }),
                    }
                    first.get_or_insert(problem);
                }
            }
            let empty = || Problem::new(ProblemCode::NoMessage, "", "the list is empty");
            match reading.messages.is_empty() {
                true => Err(first.unwrap_or_else(empty)),
                false => Ok(reading),
            }
        }
        node => composition(node, "", &mut reading).map(|()| reading),
    }
}

/// Reads one composition, alone or with the status of its record.
fn composition(node: &Node<'_>, place: &str, reading: &mut Reading) -> Result<(), Problem> {
    let Node::Object(members) = node else {
        let detail = "expected a composition";
        return Err(Problem::new(ProblemCode::NoMessage, place, detail));
    };
    if let Some(inner) = node.at(&["composition"]) {
        let status = node
            .at(&["ehr_status"])
            .map(|own| canonical::item("ehr_status", own, &format!("{place}/ehr_status")));
        let others = members.iter().map(|(key, _)| tree::below(place, key));
        let known = ["/composition", "/ehr_status"].map(|own| format!("{place}{own}"));
        reading
            .unread
            .extend(others.filter(|own| !known.contains(own)));
        return messages(inner, &format!("{place}/composition"), status, reading);
    }
    messages(node, place, None, reading)
}

fn messages(
    node: &Node<'_>,
    place: &str,
    status: Option<Item<'_>>,
    reading: &mut Reading,
) -> Result<(), Problem> {
    let kind = node.at(&["_type"]).and_then(Node::text);
    let mut root = match kind {
        Some("COMPOSITION") => canonical::item("composition", node, place),
        Some(_) => {
            let detail = "the object is of the reference model, but no composition";
            return Err(Problem::new(ProblemCode::NoMessage, place, detail));
        }
        None => {
            let Node::Object(members) = node else {
                let detail = "expected a composition";
                return Err(Problem::new(ProblemCode::NoMessage, place, detail));
            };
            match members.iter().any(|(key, _)| key.contains(['/', '|'])) {
                true => flat::flat(node, place)?,
                false => flat::structured(node, place),
            }
        }
    };
    let defaults = root.parts.iter().position(|part| part.id == "ctx");
    let defaults = defaults.map(|index| root.parts.remove(index));
    let template = (kind.is_none() && root.parts.len() == 1).then(|| root.parts.remove(0));
    let root = template.unwrap_or(root);
    for id in ["language", "territory", "category"] {
        let defaults = defaults.as_ref().and_then(|own| own.part(id));
        let own = root.part(id);
        own.into_iter().chain(defaults).for_each(Item::know_all);
    }
    let mut entries = Entries::default();
    entries.sort(&root);
    if entries.orders.is_empty() && entries.given.is_empty() {
        entries.others.dedup();
        entries.others.truncate(6);
        let detail = match entries.others.is_empty() {
            true => "the composition holds no medication order and no dispensing".to_owned(),
            false => format!(
                "the composition holds no medication order and no dispensing; it holds {}",
                entries.others.join(", ")
            ),
        };
        return Err(Problem::new(ProblemCode::NoMessage, place, detail));
    }
    root.know();
    let source = Source {
        place,
        composition: &root,
        defaults: defaults.as_ref(),
        status: status.as_ref(),
    };
    // A message that shares its composition stands where its first entry does.
    let is_alone = entries.orders.is_empty() || entries.given.is_empty();
    let at = |entries: &[&Item<'_>]| match (is_alone, entries.first()) {
        (false, Some(first)) => first.anchor().to_owned(),
        _ => place.to_owned(),
    };
    if !entries.orders.is_empty() {
        let at = at(&entries.orders);
        let read = Reader::default().prescription(&source, &entries.orders, at);
        reading.messages.push(read);
    }
    if !entries.given.is_empty() {
        let at = at(&entries.given);
        let read = Reader::default().dispense(&source, &entries.given, at);
        reading.messages.push(read);
    }
    root.unread(&mut reading.unread);
    if let Some(own) = &status {
        own.know();
    }
    for own in defaults.iter().chain(&status) {
        own.unread(&mut reading.unread);
    }
    Ok(())
}
