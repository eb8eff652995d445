//! FHIR R4 into canonical messages: Claim of every type and use, CoverageEligibilityRequest,
//! MedicationRequest, MedicationDispense, and Tasks that take something back; bare, in Bundles of every
//! type that carries messages, and in Parameters. ExplanationOfBenefits are read apart from those, as history.
//!
//! What the reader goes by:
//!
//! - References are resolved within the body, and what they lead to is folded into the message. One that
//!   leads nowhere is kept as an identifier of the system [`REFERENCE`](super::REFERENCE) and never guessed at.
//! - The `id` of a resource is told as the identifier `Type/id` of that same system, so that a later
//!   message that refers to it literally finds it; of a party or cover only where it has no other.
//! - What has a place in the canonical model is put there. What remains of the message's own resources, its
//!   medications and covers, extensions of any profile included, becomes particulars that name the element
//!   or extension they stood in. What remains of other resources, and every modifier extension that is not
//!   known, is listed in `head.unread`; so is every number that had to be rounded.
//! - A request for leave that another one in the body names as the one it follows is there to be referred to, and
//!   is not asked for again.
//! - A message is refused for what is wrong in its own resources or in those it takes part of, and never
//!   for what is wrong in another entry.

mod bill;
mod cancel;
mod certification;
mod claim;
mod clinical;
pub(super) mod communication;
mod cursor;
mod dispense;
mod dosage;
mod eligibility;
mod explanation;
mod frame;
mod library;
mod links;
mod medication;
mod particulars;
mod parties;
mod prescription;
#[cfg(test)]
mod tests;
mod units;
mod values;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use rustc_hash::FxHashMap;
use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::text::digits;

use self::cursor::{Cursor, Reader, Shared};
use self::library::{Form, Library};
use self::units::{Kind, Unit, units};
use super::tree::Node;
use super::{json, r4, xml};
use crate::{Context, MAX_LINES, MAX_PROBLEMS, Read, Reading, lines};

/// Reads a body, JSON or XML.
///
/// # Errors
/// One problem of the whole body: not text, not well-formed, broken outside of its entries, or without a
/// message in it.
pub(super) fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let tree = tree(body)?;
    let library = Library::of(&tree);
    let faults = faults(&tree, &library)?;
    messages(&library, &faults, context)
}

/// Reads what insurers decided earlier: the ExplanationOfBenefits of a body, and nothing else.
///
/// # Errors
/// As [`read`].
pub(super) fn history(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    if lines::are(body) {
        return Ok(lines::read(body, |line| decided(line, context)));
    }
    decided(body, context)
}

/// Reads the ExplanationOfBenefits of one resource.
fn decided(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let tree = tree(body)?;
    let library = Library::of(&tree);
    let faults = faults(&tree, &library)?;
    let mut units = units(&library);
    units.retain(|unit| unit.kind == Kind::Decided);
    if units.is_empty() {
        let detail = "the body holds no ExplanationOfBenefit";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    }
    each(&library, &units, &faults, context)
}

/// Reads a body that asks about requests for leave: the one Claim in it is an example of what is sought.
///
/// # Errors
/// As [`read`], and where there is no Claim to go by or more than one.
pub(super) fn inquiry(body: &[u8], context: &Context) -> Result<Read, Problem> {
    let tree = tree(body)?;
    let library = Library::of(&tree);
    let faults = faults(&tree, &library)?;
    let mut units = units(&library);
    units.retain(|unit| unit.kind == Kind::Claim);
    let mut units = units.into_iter();
    let Some(claim) = units.next() else {
        let detail = "the body holds no Claim that says what is asked about";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    };
    if let Some(second) = units.next() {
        let second = second.resources.first();
        let second = second.and_then(|index| library.resources.get(*index));
        let place = second.map_or("", |resource| &resource.pointer);
        let detail = "one Claim says what is asked about";
        return Err(Problem::new(ProblemCode::TooMany, place, detail));
    }
    let asked = Unit {
        kind: Kind::Inquiry,
        ..claim
    };
    let shared = Shared::default();
    let reader = Reader::new(&library, context, &shared);
    Ok(message(&asked, &reader, &faults, true))
}

fn tree(body: &[u8]) -> Result<Node<'_>, Problem> {
    let mut tree = if looks_like_json(body) {
        json::parse(body)?
    } else {
        xml::parse(body)?
    };
    western_digits(&mut tree, "");
    Ok(tree)
}

/// Reads every message of a body.
fn messages(
    library: &Library,
    faults: &FxHashMap<usize, Vec<Problem>>,
    context: &Context,
) -> Result<Reading, Problem> {
    let mut units = units(library);
    units.retain(|unit| unit.kind != Kind::Decided);
    if units.is_empty() {
        let detail = "the body holds no resource that is a message to the hub";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    }
    each(library, &units, faults, context)
}

/// Reads each of `units` but those that R4 has something against.
fn each(
    library: &Library,
    units: &[Unit],
    faults: &FxHashMap<usize, Vec<Problem>>,
    context: &Context,
) -> Result<Reading, Problem> {
    let mut neighbours: FxHashMap<usize, usize> = FxHashMap::default();
    for unit in units {
        let count = neighbours.entry(unit.container).or_default();
        *count = count.saturating_add(1);
    }
    let shared = Shared::default();
    let mut used = BTreeSet::new();
    let mut messages = Vec::new();
    for unit in units {
        let alone = neighbours.get(&unit.container) == Some(&1);
        let reader = Reader::new(library, context, &shared);
        messages.push(message(unit, &reader, faults, alone));
        used.extend(reader.used());
        // One that was refused was looked at all the same.
        used.extend(&unit.resources);
    }
    Ok(Reading {
        messages,
        unread: unused(library, &used),
    })
}

/// Whether the first byte of a body is that of JSON rather than of XML.
pub(super) fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    // UTF-16, which only XML may be in, starts with a byte order mark or has zeros between its letters.
    !matches!(first, Some(b'<' | 0xfe | 0xff | 0))
}

/// What R4 has against the resources of a body, by resource.
fn faults(tree: &Node<'_>, library: &Library) -> Result<FxHashMap<usize, Vec<Problem>>, Problem> {
    let mut faults: FxHashMap<usize, Vec<Problem>> = FxHashMap::default();
    let mut findings = r4::check(tree);
    findings.retain(|finding| finding.fatal);
    if findings.is_empty() {
        return Ok(faults);
    }
    let tops = library.resources.iter().enumerate();
    let tops = tops.filter(|(index, resource)| resource.owner == *index);
    let tops: HashMap<&str, usize> = tops
        .map(|(index, resource)| (resource.pointer.as_str(), index))
        .collect();
    for finding in findings {
        let pointer = finding.problem.pointer.clone();
        let mut outer = Some(pointer.as_str());
        let found = std::iter::from_fn(|| {
            let here = outer?;
            outer = here.rfind('/').and_then(|at| here.get(..at));
            Some(here)
        });
        match found.filter_map(|place| tops.get(place)).next() {
            Some(index) => faults.entry(*index).or_default().push(finding.problem),
            None => return Err(finding.problem),
        }
    }
    Ok(faults)
}

fn message<'a>(
    unit: &Unit,
    reader: &'a Reader<'a>,
    faults: &FxHashMap<usize, Vec<Problem>>,
    alone: bool,
) -> Read {
    let first = unit.resources.first().copied().unwrap_or_default();
    let first = reader.library.resources.get(first);
    let place = first.map(|resource| resource.pointer.clone());
    let place = place.unwrap_or_default();
    match outcome(unit, reader, faults, alone) {
        Ok((message, origins)) => Read {
            place,
            outcome: Ok(message),
            origins,
        },
        Err(mut problems) => {
            problems.truncate(MAX_PROBLEMS);
            Read {
                place,
                outcome: Err(problems),
                origins: Vec::new(),
            }
        }
    }
}

/// A message and the origins of its parts, or what is wrong with it.
type Outcome = Result<(Message, Vec<(String, String)>), Vec<Problem>>;

fn outcome<'a>(
    unit: &Unit,
    reader: &'a Reader<'a>,
    faults: &FxHashMap<usize, Vec<Problem>>,
    alone: bool,
) -> Outcome {
    let own: BTreeSet<usize> = unit.resources.iter().copied().collect();
    let against = |resources: &mut dyn Iterator<Item = &usize>| -> Vec<Problem> {
        let found = resources.filter_map(|index| faults.get(index));
        found.flatten().cloned().collect()
    };
    let problems = against(&mut own.iter());
    if !problems.is_empty() {
        return Err(problems);
    }
    let cursors = unit.resources.iter();
    let cursors: Vec<Cursor> = cursors.filter_map(|index| reader.open(*index)).collect();
    if cursors.iter().map(|c| lines(c.node)).sum::<usize>() > MAX_LINES {
        let detail = format!("a message has at most {MAX_LINES} lines, details counted");
        let resource = own
            .first()
            .and_then(|index| reader.library.resources.get(*index));
        let place = resource.map_or("", |resource| &resource.pointer);
        return Err(vec![Problem::new(ProblemCode::TooManyLines, place, detail)]);
    }
    let currency = cursors.iter().find_map(|c| announced_currency(c.node));
    reader.currency.set(currency);
    let Some(mut message) = composed(unit.kind, &cursors) else {
        return Err(reader.close().problems);
    };
    // What surrounds a question is about the question, and not about what is sought.
    let container = reader.library.containers.get(unit.container);
    if let Some(container) = container.filter(|_| unit.kind != Kind::Inquiry) {
        frame::complete(&mut message, container, reader, alone);
    }
    if reader.has_money.get() {
        message.head.currency = reader.currency.get();
    }
    let mut account = reader.close();
    let folded = against(&mut reader.used().difference(&own));
    account.problems.extend(folded);
    if !account.problems.is_empty() {
        return Err(account.problems);
    }
    attach(&mut message, reader, &account.origins);
    message.head.unread = account.unread;
    Ok((message, account.origins))
}

fn composed(kind: Kind, cursors: &[Cursor]) -> Option<Message> {
    let first = *cursors.first()?;
    Some(match kind {
        Kind::Claim => claim::read(first),
        Kind::Inquiry => claim::inquiry(first),
        Kind::Eligibility => eligibility::read(first),
        Kind::Prescription => prescription::read(cursors),
        Kind::CancelledPrescription => prescription::cancelled(cursors),
        Kind::Dispense => dispense::read(cursors),
        Kind::Task => cancel::read(first),
        Kind::Decided => explanation::read(first),
    })
}

/// The documents met on the way; one that stands in the body is told by its place there.
fn attach(message: &mut Message, reader: &Reader, origins: &[(String, String)]) {
    let mut attachments = reader.attachments.take();
    for (canonical, source) in origins {
        let index = canonical.strip_prefix("/attachments/");
        let index = index.and_then(|index| index.parse::<usize>().ok());
        if let Some(document) = index.and_then(|index| attachments.get_mut(index)) {
            document.place.get_or_insert_with(|| source.clone());
        }
    }
    message.head.attachments = attachments;
}

/// How many lines a resource will make: those of a bill with details and sub-details, else one.
fn lines(node: &Node<'_>) -> usize {
    fn below(node: &Node<'_>) -> usize {
        let lists = ["item", "detail", "subDetail"];
        let lines = lists.iter().flat_map(|key| node.list(key));
        lines.map(|line| below(line).saturating_add(1)).sum()
    }
    below(node).max(1)
}

/// The first currency that an amount in the tree names: it is that of the amounts that name none.
fn announced_currency(node: &Node<'_>) -> Option<Currency> {
    match node {
        Node::Array(items) => items.iter().find_map(announced_currency),
        Node::Object(members) => {
            let own = node
                .get("value")
                .and_then(|_| Currency::parse(node.text("currency")?));
            own.or_else(|| {
                members
                    .iter()
                    .find_map(|(_, inner)| announced_currency(inner))
            })
        }
        _ => None,
    }
}

/// Digits of the region's scripts in dates, numbers, codes and references as ASCII digits. Words that
/// people write and read are left as they are: `name` is that of the element that the value stands in.
fn western_digits(node: &mut Node<'_>, name: &str) {
    match node {
        Node::String(text) if !text.is_ascii() && !is_words(name) => {
            let plain = digits(text);
            let is_token = |byte: u8| byte.is_ascii_graphic();
            if plain.bytes().all(is_token) {
                *text = Cow::Owned(plain.into_owned());
            }
        }
        Node::Array(items) => items.iter_mut().for_each(|item| western_digits(item, name)),
        Node::Object(members) => {
            for (key, inner) in members {
                western_digits(inner, key);
            }
        }
        _ => {}
    }
}

/// Elements that hold words.
fn is_words(key: &str) -> bool {
    matches!(
        key,
        "display"
            | "text"
            | "div"
            | "given"
            | "family"
            | "prefix"
            | "suffix"
            | "line"
            | "city"
            | "name"
            | "title"
            | "valueString"
            | "valueMarkdown"
    )
}

/// Entries that are no message and that no message took part of.
fn unused(library: &Library, used: &BTreeSet<usize>) -> Vec<String> {
    let mut unread = Vec::new();
    for container in &library.containers {
        if container.form == Form::Bare {
            continue;
        }
        let idle = container
            .entries
            .iter()
            .filter(|(index, _)| !used.contains(index));
        unread.extend(idle.map(|(_, entry)| entry.clone()));
        unread.extend(container.loose.iter().cloned());
    }
    unread
}
