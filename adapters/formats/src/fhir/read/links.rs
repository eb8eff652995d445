//! References: what they lead to, and what is kept of one that leads nowhere.

use std::collections::HashSet;

use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Correlate, Relation};
use takmil_domain::problem::ProblemCode;

use super::cursor::Cursor;
use super::values::{concept, identifier, identifiers};
use crate::fhir::{ELEMENT, REFERENCE};

/// Up to how many identifiers are compared one by one: persons and bodies have a few.
const COMPARED: usize = 16;

/// Identifiers in the order in which they were met, none of them twice.
#[derive(Default)]
pub(super) struct Distinct {
    list: Vec<Identifier>,
    /// The same once they are many.
    seen: HashSet<Identifier>,
}

impl Distinct {
    /// Adds those that are new.
    pub(super) fn add(&mut self, identifiers: impl IntoIterator<Item = Identifier>) {
        for identifier in identifiers {
            if self.is_new(&identifier) {
                self.list.push(identifier);
            }
        }
    }

    fn is_new(&mut self, identifier: &Identifier) -> bool {
        if self.list.len() < COMPARED {
            return !self.list.contains(identifier);
        }
        if self.seen.is_empty() {
            self.seen.extend(self.list.iter().cloned());
        }
        self.seen.insert(identifier.clone())
    }

    /// The list.
    pub(super) fn into_list(self) -> Vec<Identifier> {
        self.list
    }
}

/// A reference that was followed.
pub(super) struct Link<'a> {
    /// Where it leads, if the body holds that.
    pub(super) target: Option<Cursor<'a>>,
    /// Its business identifier, and its text where it leads nowhere.
    pub(super) identifiers: Vec<Identifier>,
    /// What the sender shows for it.
    pub(super) display: Option<&'a str>,
}

/// Follows a reference to a resource of one of `kinds` (which count for business identifiers alone; a
/// literal reference leads where it leads).
pub(super) fn follow<'a>(c: Cursor<'a>, kinds: &[&str]) -> Link<'a> {
    let target = c.target(kinds).and_then(|index| c.reader.open(index));
    let mut known = identifiers(c, "identifier");
    if let Some(reference) = c.text("reference") {
        if target.is_none() {
            known.push(Identifier::new(REFERENCE, reference));
        }
        if target.is_none() && reference.starts_with('#') {
            let detail = "the resource contains nothing of this id";
            c.fault(ProblemCode::DanglingReference, detail);
        }
    }
    c.text("type");
    Link {
        target,
        identifiers: known,
        display: c.text("display"),
    }
}

/// The identifier and display of a reference that is told on, without making what it leads to part of the
/// message.
pub(super) fn pointed(c: Cursor) -> (Option<Identifier>, Option<String>) {
    let business = c.get("identifier").and_then(identifier);
    let literal = || {
        let reference = c.text("reference")?;
        Some(Identifier::new(REFERENCE, reference))
    };
    c.text("type");
    let display = c.text("display").map(Into::into);
    (business.or_else(literal), display)
}

/// The identifiers of a resource: its business identifiers, and `Type/id` under [`REFERENCE`].
pub(super) fn names(resource: Cursor) -> Vec<Identifier> {
    let mut known = identifiers(resource, "identifier");
    known.extend(address(resource));
    known
}

/// The identifiers of a resource: its business identifiers, or `Type/id` where it has none.
pub(super) fn names_or_address(resource: Cursor) -> Vec<Identifier> {
    let mut known = identifiers(resource, "identifier");
    if known.is_empty() {
        known.extend(address(resource));
    }
    known
}

/// `Type/id` of a resource as an identifier: what literal references to it say.
fn address(resource: Cursor) -> Option<Identifier> {
    let id = resource
        .node
        .text("id")
        .filter(|_| !resource.is_contained())?;
    Some(Identifier::new(
        REFERENCE,
        format!("{}/{id}", resource.kind()),
    ))
}

/// The one identifier by which another message is named by this reference.
pub(super) fn named(c: Cursor, kinds: &[&str]) -> Option<Identifier> {
    let numbers = numbered(c, kinds, names_or_address);
    numbers.into_iter().next()
}

/// Every identifier by which another message is named by this reference: by `numbers` what the body says
/// of that message, which does not become part of this one, and what the reference itself says.
pub(super) fn numbered(
    c: Cursor,
    kinds: &[&str],
    numbers: fn(Cursor) -> Vec<Identifier>,
) -> Vec<Identifier> {
    let target = c.target(kinds).and_then(|index| c.reader.look(index));
    let mut known = target.map(numbers).unwrap_or_default();
    known.extend(identifiers(c, "identifier"));
    let literal = c.text("reference").filter(|_| target.is_none());
    known.extend(literal.map(|reference| Identifier::new(REFERENCE, reference)));
    c.text("type");
    c.text("display");
    known
}

/// A message that the reference says this one belongs to. `element` is told with it where the relation
/// alone does not say which element named it.
pub(super) fn correlate(
    c: Cursor,
    kinds: &[&str],
    relation: Relation,
    element: Option<&str>,
) -> Option<Correlate> {
    Some(Correlate {
        relation,
        identifier: named(c, kinds)?,
        coded: element.map(|name| Coded::new(ELEMENT, name)),
    })
}

/// The concept that a reference stands for: the code of the resource it leads to, else the reference
/// itself under [`REFERENCE`] with what the sender shows for it.
pub(super) fn concept_behind(link: &Link) -> Option<Coded> {
    if let Some(code) = link.target.and_then(|target| concept(target.get("code")?)) {
        return Some(code);
    }
    let mut concept = link.identifiers.first().map(|identifier| {
        let system = if identifier.system.is_empty() {
            REFERENCE
        } else {
            &identifier.system
        };
        Coded::new(system, &identifier.value)
    });
    if let Some(display) = link.display {
        concept.get_or_insert_default().text = Some(display.to_owned());
    }
    concept
}

/// The identifier in the extension of that URL, whether it holds one or a reference with one.
pub(super) fn identifier_in(extension: Cursor) -> Option<Identifier> {
    let value = extension.value()?;
    match value.get("identifier") {
        Some(inside) => identifier(inside),
        None => identifier(value),
    }
}
