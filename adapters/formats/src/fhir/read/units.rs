//! Which resources of a body are messages, and which of them belong to one message. Nothing is read yet:
//! a look at types, group numbers and the event that a message bundle names.

use std::collections::{HashMap, HashSet};

use super::cancel::takes_back;
use super::explanation;
use super::library::{Container, Form, Library};
use crate::fhir::tree::Node;

/// A message to be read: what kind, and which resources it is made of.
pub(super) struct Unit {
    /// What is to be made of them.
    pub(super) kind: Kind,
    /// The resources, at least one.
    pub(super) resources: Vec<usize>,
    /// The container that they stand in.
    pub(super) container: usize,
}

/// What a unit is read into.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A Claim of any use.
    Claim,
    /// A Claim that is an example of what is asked about.
    Inquiry,
    /// A CoverageEligibilityRequest.
    Eligibility,
    /// MedicationRequests.
    Prescription,
    /// MedicationRequests that are taken back.
    CancelledPrescription,
    /// MedicationDispenses.
    Dispense,
    /// A Task that takes something back.
    Task,
    /// An ExplanationOfBenefit: no message, but what became of one.
    Decided,
}

/// The messages of a body, in the order in which their first resources stand.
pub(super) fn units(library: &Library) -> Vec<Unit> {
    let mut units = Vec::new();
    for (index, container) in library.containers.iter().enumerate() {
        Sorter::new(library, container, index).sort(&mut units);
    }
    units.sort_by_key(|unit: &Unit| unit.resources.first().copied());
    units
}

struct Sorter<'s, 'a> {
    library: &'s Library<'a>,
    container: &'s Container<'a>,
    index: usize,
    /// Whether the message takes its orders back.
    cancels: bool,
    parts: HashSet<usize>,
    /// Claims that are there because another one changes them or takes them back.
    earlier: HashSet<usize>,
    groups: HashMap<(Kind, String), usize>,
    versions: HashSet<(&'s str, &'s str)>,
}

impl<'s, 'a> Sorter<'s, 'a> {
    fn new(library: &'s Library<'a>, container: &'s Container<'a>, index: usize) -> Self {
        let (mut updates, mut stands) = (false, false);
        let mut parts = HashSet::new();
        let mut earlier = HashSet::new();
        // Where each entry is a request of its own, it is meant to be taken.
        let is_one_request = !matches!(
            container.form,
            Form::Bundle("batch" | "transaction" | "history" | "searchset")
        );
        for (at, _) in &container.entries {
            let Some(found) = library.resources.get(*at) else {
                continue;
            };
            updates |= found.kind == "MessageHeader" && updates_an_order(found.node);
            if found.kind == "MedicationRequest" {
                stands |= found.node.text("status") != Some("cancelled");
            }
            if found.kind == "MedicationDispense" {
                let named = references_to_parts(found.node);
                parts.extend(named.filter_map(|reference| library.find(*at, reference)));
            }
            if found.kind == "Claim" && is_one_request {
                let named = references_to_earlier(found.node);
                let named = named.filter_map(|reference| library.find(*at, reference));
                earlier.extend(named.filter(|other| other != at));
            }
        }
        Sorter {
            library,
            container,
            index,
            cancels: updates && !stands,
            parts,
            earlier,
            groups: HashMap::new(),
            versions: HashSet::new(),
        }
    }

    fn sort(mut self, units: &mut Vec<Unit>) {
        for (resource, _) in &self.container.entries {
            let Some(found) = self.library.resources.get(*resource) else {
                continue;
            };
            let Some(kind) = self.kind(found.kind, found.node) else {
                continue;
            };
            // A dispensing that another refers to as its part is read with that one.
            let is_part = kind == Kind::Dispense && self.parts.contains(resource);
            let is_earlier = kind == Kind::Claim && self.earlier.contains(resource);
            if is_part || is_earlier || self.is_superseded(found.kind, found.node) {
                continue;
            }
            let group = match kind {
                Kind::Prescription | Kind::CancelledPrescription => prescription(found.node),
                Kind::Dispense => self.hand_over(*resource, found.node),
                _ => None,
            };
            let known = group.map(|group| {
                let next = units.len();
                *self.groups.entry((kind, group)).or_insert(next)
            });
            match known.and_then(|known| units.get_mut(known)) {
                Some(unit) => unit.resources.push(*resource),
                None => units.push(Unit {
                    kind,
                    resources: vec![*resource],
                    container: self.index,
                }),
            }
        }
    }

    fn kind(&self, name: &str, node: &Node) -> Option<Kind> {
        Some(match name {
            "Claim" => Kind::Claim,
            "CoverageEligibilityRequest" => Kind::Eligibility,
            "MedicationRequest" if self.cancels => Kind::CancelledPrescription,
            "MedicationRequest" => Kind::Prescription,
            "MedicationDispense" => Kind::Dispense,
            explanation::NAME => Kind::Decided,
            "Task" if takes_back(node) => Kind::Task,
            _ => return None,
        })
    }

    /// Whether this is an older version in a history, whose newest versions stand first.
    fn is_superseded(&mut self, kind: &'s str, node: &'s Node) -> bool {
        let id = node.text("id");
        let is_history = self.container.form == Form::Bundle("history");
        is_history && id.is_some_and(|id| !self.versions.insert((kind, id)))
    }

    /// What dispensings of one hand-over share: the prescription they fill, else their own number; and the
    /// patient.
    fn hand_over(&self, resource: usize, node: &Node) -> Option<String> {
        let order = node.list("authorizingPrescription").first();
        let target = order.and_then(|order| self.library.find(resource, order.text("reference")?));
        let target = target.and_then(|index| self.library.resources.get(index));
        let number = target
            .and_then(|order| order.node.get("groupIdentifier"))
            .or_else(|| order.and_then(|order| order.get("identifier")))
            .or_else(|| node.list("identifier").first());
        Some(format!("{}|{}", key(number?)?, subject(node)))
    }
}

/// The group number and patient that orders of one prescription share.
fn prescription(node: &Node) -> Option<String> {
    let number = key(node.get("groupIdentifier")?)?;
    Some(format!("{number}|{}", subject(node)))
}

/// How long a number may be that groups resources: it is compared for each of them.
const MAX_KEY: usize = 1_000;

fn key(identifier: &Node) -> Option<String> {
    let system = identifier.text("system").unwrap_or_default();
    let value = identifier.text("value")?;
    let fits = system.len().saturating_add(value.len()) <= MAX_KEY;
    fits.then(|| format!("{system}|{value}"))
}

fn subject(node: &Node) -> String {
    let subject = node.get("subject");
    let business = subject.and_then(|subject| key(subject.get("identifier")?));
    let literal = || subject?.text("reference").map(Into::into);
    business.or_else(literal).unwrap_or_default()
}

fn references_to_parts<'a>(dispensing: &'a Node<'_>) -> impl Iterator<Item = &'a str> {
    let extensions = dispensing.list("extension").iter();
    extensions.filter_map(|extension| {
        let url = extension.text("url")?;
        url.ends_with("/DAV-EX-ERP-ZusatzdatenHerstellung")
            .then(|| extension.get("valueReference")?.text("reference"))?
    })
}

/// References of a request for leave to the one that it follows.
fn references_to_earlier<'a>(claim: &'a Node<'_>) -> impl Iterator<Item = &'a str> {
    let asks_leave = claim.text("use") == Some("preauthorization");
    let related = claim.list("related").iter().filter(move |_| asks_leave);
    related.filter_map(|related| {
        let relation = related.get("relationship");
        let codes = relation.map_or(&[][..], |relation| relation.list("coding"));
        let mut codes = codes.iter().filter_map(|coding| coding.text("code"));
        let follows = codes.any(|code| matches!(code, "prior" | "replaces"));
        follows.then(|| related.get("claim")?.text("reference"))?
    })
}

/// Whether a message header announces a change of an order, in the words of England's service. It knows
/// one change: orders are taken back.
fn updates_an_order(header: &Node) -> bool {
    let event = header.get("eventCoding");
    event.and_then(|event| event.text("code")) == Some("prescription-order-update")
}
