//! A Communication that replies to what an insurer has asked: about which message, to which question, what is said, and
//! the documents that go with it.

use takmil_domain::message::Attachment;
use takmil_domain::problem::{Problem, ProblemCode};

use super::cursor::{Cursor, Reader, Shared};
use super::library::Library;
use super::links::{names_or_address, numbered};
use crate::Context;
use crate::fhir::{REFERENCE, Said};

/// The resource.
const NAME: &str = "Communication";

/// Reads the one Communication of a body.
///
/// # Errors
/// Everything that is wrong with it, with pointers into the body.
pub(in crate::fhir) fn read(body: &[u8], context: &Context) -> Result<Said, Vec<Problem>> {
    let one = |problem| vec![problem];
    let tree = super::tree(body).map_err(one)?;
    let library = Library::of(&tree);
    let faults = super::faults(&tree, &library).map_err(one)?;
    let resources = library.resources.iter().enumerate();
    let mut found = resources.filter(|(index, own)| own.kind == NAME && own.owner == *index);
    let Some((index, _)) = found.next() else {
        let detail = "the body holds no Communication";
        return Err(one(Problem::new(ProblemCode::NoMessage, "", detail)));
    };
    if let Some((_, second)) = found.next() {
        let detail = "a body holds one Communication";
        let place = second.pointer.clone();
        return Err(one(Problem::new(ProblemCode::TooMany, place, detail)));
    }
    if let Some(faults) = faults.get(&index) {
        return Err(faults.clone());
    }
    let shared = Shared::default();
    let reader = Reader::new(&library, context, &shared);
    let said = reader.open(index).map(said);
    let problems = reader.close().problems;
    match said {
        Some(said) if problems.is_empty() => Ok(said),
        _ => Err(problems),
    }
}

fn said(c: Cursor) -> Said {
    if let Some(status) = c.get("status") {
        let is_meant = matches!(
            status.node.as_str(),
            Some("completed" | "in-progress" | "preparation")
        );
        if !is_meant {
            status.fault(ProblemCode::BadValue, "it was not said, or is not meant");
        }
    }
    let about = c.items("about");
    let about = about.flat_map(|reference| numbered(reference, &[], names_or_address));
    let about: Vec<_> = about.collect();
    if about.is_empty() {
        let detail = "about names the claim or request that the insurer has asked about";
        c.fault(ProblemCode::Missing, detail);
    }
    let asked = c.items("basedOn").chain(c.items("inResponseTo"));
    let kinds = &["CommunicationRequest", NAME];
    let mut asked = asked.flat_map(|reference| numbered(reference, kinds, names_or_address));
    let question = asked.find(|number| number.system != REFERENCE);
    let mut words = Vec::new();
    let mut attachments = Vec::new();
    for payload in c.items("payload") {
        match payload.choice("content") {
            Some(("String", text)) => words.extend(text.as_str()),
            Some(("Attachment", document)) => attachments.extend(attachment(document)),
            Some((_, reference)) => words.extend(reference.text("display")),
            None => {}
        }
    }
    if words.is_empty() && attachments.is_empty() {
        c.fault(
            ProblemCode::Missing,
            "it has no payload that says something",
        );
    }
    Said {
        about,
        question: question.map(|number| number.value),
        text: words.join("\n"),
        attachments,
    }
}

/// A document by reference.
fn attachment(c: Cursor) -> Option<Attachment> {
    let Some(place) = c.text("url") else {
        let detail = "documents go by reference: the attachment has no url";
        c.fault(ProblemCode::Missing, detail);
        return None;
    };
    Some(Attachment {
        media_type: c.text("contentType").map(Into::into),
        title: c.text("title").map(Into::into),
        bytes: c.count("size").map(u64::from),
        place: Some(place.to_owned()),
        ..Attachment::default()
    })
}
