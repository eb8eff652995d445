//! What surrounds a message in its bundle and speaks of it: the bundle's own number and time, the header
//! of a message, the composition of a document.

use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Head, Message, Relation, Supporting};

use super::claim::plain;
use super::clinical::encounter;
use super::cursor::{Cursor, Reader};
use super::library::{Container, Form};
use super::links::identifier_in;
use super::particulars::extensions;
use super::parties::{party, party_at};
use super::values::{coded, concept_at, identifiers, when};
use crate::fhir::ELEMENT;

/// How long a text of the bundle may be that is told in each of its messages.
const MAX_TEXT: usize = 1_000;

/// Adds what `container` says of its message, or of each of its messages where it holds several.
pub(super) fn complete<'a>(
    message: &mut Message,
    container: &Container<'a>,
    reader: &'a Reader<'a>,
    is_only: bool,
) {
    let Form::Bundle(form) = container.form else {
        return;
    };
    if !matches!(form, "searchset" | "history") {
        numbered(message, container, is_only);
    }
    let around = container.frame.and_then(|index| reader.open(index));
    match around.map(|around| (form, around.kind(), around)) {
        Some(("message", "MessageHeader", header)) => announced(header, &mut message.head),
        Some(("document", "Composition", composition)) => composed(composition, message),
        _ => {}
    }
    let stamp = container.node.text("timestamp");
    let stamp = stamp.filter(|stamp| stamp.len() <= MAX_TEXT);
    if matches!(form, "message" | "document") && message.head.created.is_none() {
        message.head.created = stamp.and_then(takmil_domain::date::When::parse);
    }
}

/// The bundle's number is the message's own where it holds one message. Germany's prescriptions and what
/// is dispensed on them carry the prescription's: there it names the order.
fn numbered(message: &mut Message, container: &Container, is_only: bool) {
    let Some(number) = container.node.get("identifier") else {
        return;
    };
    let Some(value) = number.text("value") else {
        return;
    };
    let system = number.text("system").unwrap_or_default();
    if value.len().saturating_add(system.len()) > MAX_TEXT {
        return;
    }
    let number = Identifier::new(system, takmil_domain::text::digits(value));
    let head = &mut message.head;
    let mut correlates = head.correlates.iter();
    if head.identifiers.contains(&number) || correlates.any(|known| known.identifier == number) {
        return;
    }
    if is_only {
        head.identifiers.insert(0, number);
    } else {
        head.correlates.push(plain(Relation::Group, number));
    }
}

/// What the header of a message says: who sends it, and which message it answers or replaces.
fn announced(c: Cursor, head: &mut Head) {
    // What it is about stands in the bundle.
    c.get("focus").into_iter().for_each(Cursor::understood);
    let event = c.get("eventCoding").and_then(coded);
    let said = [("event", event), ("reason", concept_at(c, "reason"))];
    for (name, coded) in said.into_iter().filter(|(_, coded)| coded.is_some()) {
        head.supporting.push(Supporting {
            category: Some(Coded::new(ELEMENT, format!("MessageHeader.{name}"))),
            coded,
            ..Supporting::default()
        });
    }
    let numbers = [
        "Extension-MessageHeader-messageId",
        "Extension-Spine-MessageHeader-messageId",
    ];
    for extension in numbers.iter().flat_map(|url| c.extensions(url)) {
        head.identifiers.extend(identifier_in(extension));
    }
    let replaced = c
        .extension("Extension-replacementOf")
        .and_then(identifier_in);
    head.correlates
        .extend(replaced.map(|number| plain(Relation::Replaces, number)));
    if let Some(answered) = c
        .get("response")
        .and_then(|response| response.text("identifier"))
    {
        let number = Identifier::new("", answered);
        head.correlates.push(plain(Relation::Related, number));
    }
    head.submitted_by = party_at(c, "sender");
    head.actor = head.actor.take().or_else(|| party_at(c, "author"));
}

/// What the composition of a document says: whose document it is, who wrote it and with what software.
fn composed(c: Cursor, message: &mut Message) {
    let head = &mut message.head;
    // Whose document it is and what is in it stands in the bundle.
    c.get("subject").into_iter().for_each(Cursor::understood);
    for section in c.items("section") {
        section
            .get("entry")
            .into_iter()
            .for_each(Cursor::understood);
    }
    extensions(c, &mut head.supporting);
    head.supporting
        .extend(concept_at(c, "type").map(|coded| Supporting {
            category: Some(Coded::new(ELEMENT, "Composition.type")),
            coded: Some(coded),
            ..Supporting::default()
        }));
    for number in identifiers(c, "identifier") {
        if !head.identifiers.contains(&number) {
            head.identifiers.push(number);
        }
    }
    if head.created.is_none() {
        head.created = when(c, "date");
    }
    // A prescription's own provider is its prescriber, who stands in its body as well.
    if head.provider.is_none() || matches!(message.body, Body::Prescription(_)) {
        head.provider = party_at(c, "custodian").or(head.provider.take());
    }
    for author in c.items("author") {
        if author.node.text("type") == Some("Device") {
            if head.submitted_by.is_none() {
                head.submitted_by = party(author);
            }
        } else if head.actor.is_none() {
            head.actor = party(author).filter(|person| head.provider.as_ref() != Some(person));
        }
    }
    let stay = match &mut message.body {
        Body::Prescription(order) => &mut order.encounter,
        Body::Claim(claim) => &mut claim.bill.encounter,
        Body::Preauthorization(asked) => &mut asked.bill.encounter,
        _ => return,
    };
    if stay.is_none() {
        *stay = c.get("encounter").map(encounter);
    }
}
