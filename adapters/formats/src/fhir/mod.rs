//! FHIR R4 in its two syntaxes, JSON and XML.

#[cfg(test)]
mod corpus;
mod datatypes;
mod json;
mod r4;
mod read;
mod render;
mod tree;
mod write;
mod xml;

use std::borrow::Cow;

use takmil_domain::ids::Identifier;
use takmil_domain::message::{Attachment, Message};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::settlement::{Due, Payment};

use crate::{Context, Format, Reply, Written, peek, rows};

/// FHIR R4, either syntax.
pub const FORMAT: Format = Format {
    name: "fhir",
    media_types: &[
        "application/fhir+json",
        "application/fhir+xml",
        "application/json+fhir",
        "application/xml+fhir",
    ],
    recognise,
    read: read::read,
    answer: render::answer,
    write: Some(write::write),
};

/// What insurers decided earlier, as ExplanationOfBenefit: history, never a message to be decided again.
pub const HISTORY: Format = Format {
    name: "fhir-history",
    media_types: &[],
    recognise,
    read: read::history,
    answer: render::answer,
    write: None,
};

/// The system of identifiers that are a FHIR reference as it was sent: `Patient/1`, a URL, a URN. They
/// mean something within one sender alone, and an `id` in them may be used again for something else.
pub const REFERENCE: &str = "urn:fhir:reference";

/// The system of a cover's subscriber number where the sender names no issuer.
pub const SUBSCRIBER: &str = "urn:fhir:subscriber-id";

/// The system of a device's serial number.
pub const SERIAL: &str = "urn:fhir:serial-number";

/// The system of categories that are a path of R4's own elements: `Claim.fundsReserve`.
pub const ELEMENT: &str = "urn:fhir:element";

/// The system of categories that are the URL of an extension, with `#` before the name of each part of a
/// complex one.
pub const EXTENSION: &str = "urn:fhir:extension";

/// HL7's extension of an element that has to be there and has no value.
pub const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// The hub's own extensions of a line, for money that R4 has no element for: what is asked for it and the price of one (of
/// a MedicationDispense, whose first one may have the total too), what the base insurer paid, what the state pays, what
/// the member has paid. Each holds a Money.
pub const AMOUNTS: [&str; 6] = [
    "urn:takmil:fhir:billed",
    "urn:takmil:fhir:unit-price",
    "urn:takmil:fhir:base-paid",
    "urn:takmil:fhir:subsidy",
    "urn:takmil:fhir:paid-by-member",
    "urn:takmil:fhir:total",
];

/// The same of who says what the base insurer paid: a string.
pub const BASE_CONFIRMATION: &str = "urn:takmil:fhir:base-confirmation";

/// HL7's system of request priorities, which R4 writes as bare codes.
pub const PRIORITY: &str = "http://hl7.org/fhir/request-priority";

/// Reads a body that asks about requests for leave, as an example of them: the identifiers and the numbers by which
/// they were sent or granted, the member, the provider, the days.
///
/// # Errors
/// Everything that is wrong with the body, with pointers into it.
pub fn inquiry(body: &[u8], context: &Context) -> Result<Message, Vec<Problem>> {
    crate::fits(body).map_err(|problem| vec![problem])?;
    let mut read = read::inquiry(body, context).map_err(|problem| vec![problem])?;
    read.examine(context);
    if read.outcome.as_ref().is_ok_and(|asked| !names_any(asked)) {
        let detail = "neither a claim, nor a number, nor a member is named";
        let place = read.locate("/member");
        return Err(vec![Problem::new(ProblemCode::Missing, place, detail)]);
    }
    read.outcome
}

/// A reply to what an insurer has asked about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it is about, by the sender's or the hub's identifiers of the message.
    pub about: Vec<Identifier>,
    /// The insurer's number of the question, where it is told.
    pub question: Option<String>,
    /// What is said.
    pub text: String,
    /// Documents that go with it, by reference.
    pub attachments: Vec<Attachment>,
}

/// Reads a Communication that replies to an insurer's question.
///
/// # Errors
/// Everything that is wrong with the body, with pointers into it.
pub fn communication(body: &[u8], context: &Context) -> Result<Said, Vec<Problem>> {
    crate::fits(body).map_err(|problem| vec![problem])?;
    read::communication::read(body, context)
}

/// Whether an example names requests, or whose they are, so that others than its sender understand it.
fn names_any(example: &Message) -> bool {
    let head = &example.head;
    let bill = example.bill();
    let mut lines = bill.iter().flat_map(|bill| &bill.lines);
    let mut covers = head.coverages.iter();
    let mut persons = head.member.identifiers.iter();
    head.identifiers.iter().any(|own| own.system != REFERENCE)
        || !head.correlates.is_empty()
        || lines.any(|line| line.authorisation.is_some())
        || covers.any(|cover| !cover.authorisations.is_empty())
        || persons.any(|own| own.system != REFERENCE && !own.system.is_empty())
}

/// Writes a payment as a PaymentReconciliation, in JSON or XML. `dues` are those of the claims that it has reached: they
/// tell what the base insurer pays of each.
pub fn payment(payment: &Payment, dues: &[Due], is_json: bool) -> Written {
    render::payment(payment, dues, is_json)
}

/// Writes the messages that were found for a question: the answer to each, as it was given to the message itself, in
/// one Bundle. Where there are more than are told, it says so.
pub fn found(reply: &Reply<'_>, is_cut: bool) -> Written {
    render::found(reply, is_cut)
}

/// How much of an XML body is looked at: comments and declarations may stand before the first element.
const WINDOW: usize = 64 * 1024;

fn recognise(body: &[u8]) -> bool {
    match peek::keys(body, ["resourceType"]) {
        [true] => !rows::is_warehouse(body),
        [false] => is_fhir_xml(body),
    }
}

/// Whether a body is XML whose first element is in FHIR's namespace, as far as its start shows.
fn is_fhir_xml(body: &[u8]) -> bool {
    if read::looks_like_json(body) {
        return false;
    }
    // In UTF-16 every other byte is zero for the letters that matter here.
    let mut window = Cow::Borrowed(body.get(..WINDOW).unwrap_or(body));
    if window.contains(&0) {
        window.to_mut().retain(|byte| *byte != 0);
    }
    let mut tags = window.split(|byte| *byte == b'<').skip(1);
    let root = tags.find(|tag| !matches!(tag.first(), Some(b'?' | b'!')));
    let root = root.and_then(|tag| tag.split(|byte| *byte == b'>').next());
    let name = b"http://hl7.org/fhir";
    let mut ends = root.unwrap_or_default().windows(name.len() + 1);
    ends.any(|text| text.starts_with(name) && matches!(text.last(), Some(b'"' | b'\'')))
}
