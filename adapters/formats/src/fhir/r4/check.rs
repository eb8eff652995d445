//! Checks a resource against the element table: names, cardinalities, types, forms of values, fixed
//! codes. The base standard only: a national profile's rules are not known here, its extensions are
//! welcome anywhere.
//!
//! A message is refused for whatever R4 does not allow in it, with these exceptions, each of which
//! real senders need and none of which hides a fact from the reader:
//!
//! - resources that stand beside a message in its bundle ([`Standing::Beside`]): a reader refuses what
//!   it needs from them and cannot read;
//! - elements that R4 does not know (those of other versions), unless one is known in other letter
//!   case: they go among what was not read;
//! - optional elements that are empty (`{}`, `[]`, `""`), which templates leave behind: as if absent;
//! - references that lead to a resource of a type that R4 does not provide there; HL7's own examples
//!   hold one.

use super::primitive::Primitive;
use super::{Element, Mask, Structure, Type, bit, named, resource, structure};
use crate::fhir::tree::{Member, Node, Place};
use takmil_domain::problem::{Problem, ProblemCode};

/// How many findings of each severity are told of one resource; its sender needs no more to start
/// mending it, and a hostile body must not cost more to answer than to send.
const MAX_FINDINGS_OF_RESOURCE: usize = 100;

/// How many findings are told of a whole body, over all resources in it.
const MAX_FINDINGS: usize = 10_000;

/// What the check has to say about one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What is wrong, with the pointer to it (to the place where it should be, if it is missing).
    pub(crate) problem: Problem,
    /// Whether the resource must be refused for it.
    pub(crate) fatal: bool,
}

/// The kinds of resource that are messages or answers to them; the others stand beside one.
const MESSAGES: &[&str] = &[
    "Claim",
    "ClaimResponse",
    "CoverageEligibilityRequest",
    "CoverageEligibilityResponse",
    "MedicationDispense",
    "MedicationRequest",
];

/// What a resource is in the body that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A bundle or parameters, around messages.
    Envelope,
    /// A message, or whatever is sent alone.
    Message,
    /// A patient, a coverage, a practitioner: what a message refers to.
    Beside,
}

impl Standing {
    /// What a resource is that is sent by itself.
    fn alone(resource: &Node<'_>) -> Self {
        match resource.resource_type() {
            Some("Bundle" | "Parameters") => Self::Envelope,
            _ => Self::Message,
        }
    }

    /// What a resource is inside an envelope. One that does not say its type may well be a message.
    fn enclosed(resource: &Node<'_>) -> Self {
        match (Self::alone(resource), resource.resource_type()) {
            (Self::Message, Some(kind)) if !MESSAGES.contains(&kind) => Self::Beside,
            (standing, _) => standing,
        }
    }
}

/// Walks a whole resource, and the resources within it, against R4.
///
/// What is wrong inside a bundle's entry has a pointer that starts with `/entry/<n>/`, and each
/// entry's resource is judged to its end however many findings the others have.
pub(crate) fn check(body: &Node<'_>) -> Vec<Finding> {
    let mut walk = Walk {
        findings: Vec::new(),
        told: Told::default(),
        standing: Standing::alone(body),
    };
    walk.resource(body, &Place::ROOT);
    walk.findings
}

/// How many findings of a resource have been told.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    fatal: usize,
    minor: usize,
}

struct Walk {
    findings: Vec<Finding>,
    told: Told,
    standing: Standing,
}

impl Walk {
    /// Tells of something for which a message is refused.
    fn refuse(&mut self, code: ProblemCode, place: &Place<'_>, detail: impl FnOnce() -> String) {
        self.tell(self.standing != Standing::Beside, code, place, detail);
    }

    /// Tells of something that is let pass.
    fn note(&mut self, code: ProblemCode, place: &Place<'_>, detail: impl FnOnce() -> String) {
        self.tell(false, code, place, detail);
    }

    fn tell(
        &mut self,
        fatal: bool,
        code: ProblemCode,
        place: &Place<'_>,
        detail: impl FnOnce() -> String,
    ) {
        let told = if fatal {
            &mut self.told.fatal
        } else {
            &mut self.told.minor
        };
        if *told >= MAX_FINDINGS_OF_RESOURCE {
            return;
        }
        *told = told.saturating_add(1);
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                problem: Problem::new(code, place.pointer(), detail()),
                fatal,
            });
        } else if self.findings.len() == MAX_FINDINGS {
            // Nobody may take an entry for good because its findings were not told.
            let detail = format!("more than {MAX_FINDINGS} problems; the rest is not told");
            self.findings.push(Finding {
                problem: Problem::new(ProblemCode::TooLarge, "", detail),
                fatal: true,
            });
        }
    }

    /// What is empty is as good as absent, so it matters only where something is required or where
    /// messages should be.
    fn empty(&mut self, element: &Element, place: &Place<'_>, detail: impl FnOnce() -> String) {
        let fatal = self.standing == Standing::Envelope
            || (element.required && self.standing == Standing::Message);
        self.tell(fatal, ProblemCode::BadValue, place, detail);
    }

    /// Walks a resource in an envelope: it has a standing of its own, and findings enough of its own.
    fn enclosed(&mut self, node: &Node<'_>, place: &Place<'_>) {
        let outer = (self.told, self.standing);
        self.told = Told::default();
        self.standing = Standing::enclosed(node);
        self.resource(node, place);
        (self.told, self.standing) = outer;
    }

    fn resource(&mut self, node: &Node<'_>, place: &Place<'_>) {
        let Node::Object(members) = node else {
            let detail = || format!("a resource must be an object, not {}", node.shape());
            return self.refuse(ProblemCode::WrongType, place, detail);
        };
        let at = place.key("resourceType");
        let kind = match node.get("resourceType") {
            None => {
                return self.refuse(ProblemCode::Missing, &at, || {
                    "a resource must name its resourceType".into()
                });
            }
            Some(Node::String(kind)) => kind,
            Some(other) => {
                let detail = || format!("resourceType must be a string, not {}", other.shape());
                return self.refuse(ProblemCode::WrongType, &at, detail);
            }
        };
        match resource(kind) {
            Some(structure) => self.members(members, structure, place),
            None => self.refuse(ProblemCode::BadValue, &at, || {
                "R4 has no resource of this type".into()
            }),
        }
    }

    fn object(&mut self, node: &Node<'_>, structure: &Structure, place: &Place<'_>) {
        match node {
            Node::Object(members) => self.members(members, structure, place),
            _ => {
                let detail =
                    || format!("{} must be an object, not {}", structure.name, node.shape());
                self.refuse(ProblemCode::WrongType, place, detail);
            }
        }
    }

    fn members(&mut self, members: &[Member<'_>], structure: &Structure, place: &Place<'_>) {
        let mut seen: Mask = 0;
        for (place_in_object, (key, value)) in members.iter().enumerate() {
            if structure.is_resource && &**key == "resourceType" {
                continue;
            }
            let name = bare(key);
            let at = place.key(key);
            let Some((element, index, kind)) = structure.property(name) else {
                self.unknown(structure, name, &at);
                continue;
            };
            let before = members.get(..place_in_object).unwrap_or_default();
            if seen & bit(index) != 0 && name_of(index, structure, before) != Some(name) {
                let detail = || {
                    format!(
                        "{}.{}[x] must have one type only",
                        structure.name, element.name
                    )
                };
                self.refuse(ProblemCode::TooMany, &at, detail);
            }
            seen |= bit(index);
            if name.len() == key.len() {
                let beside = || {
                    members
                        .iter()
                        .find(|(other, _)| other.strip_prefix('_') == Some(name))
                };
                self.property(value, structure, element, kind, &at, &|| {
                    beside().map(|(_, extra)| extra)
                });
            } else {
                self.beside(value, structure, element, kind, &at);
            }
        }
        let missing = structure.required & !seen;
        let elements = structure.elements.iter().enumerate();
        let elements = elements.take_while(|_| missing != 0);
        for (_, element) in elements.filter(|(index, _)| missing & bit(*index) != 0) {
            let name = if element.choice {
                format!("{}[x]", element.name)
            } else {
                element.name.to_owned()
            };
            let detail = || format!("{}.{name} is required", structure.name);
            self.refuse(ProblemCode::Missing, &place.key(&name), detail);
        }
        if structure.name == "Extension" {
            self.extension(members, place);
        }
    }

    fn unknown(&mut self, structure: &Structure, name: &str, place: &Place<'_>) {
        // Enough has been told: spare the search.
        if self.told.fatal >= MAX_FINDINGS_OF_RESOURCE
            && self.told.minor >= MAX_FINDINGS_OF_RESOURCE
        {
            return;
        }
        match structure.property_near(name) {
            Some(near) => {
                let detail = || {
                    format!(
                        "R4's {} has no element of this name; it has {near}",
                        structure.name
                    )
                };
                self.refuse(ProblemCode::Unknown, place, detail);
            }
            None => {
                let detail = || format!("R4's {} has no element of this name", structure.name);
                self.note(ProblemCode::Unknown, place, detail);
            }
        }
    }

    /// The value of an element: one, or a list of them.
    fn property<'n>(
        &mut self,
        value: &Node<'_>,
        within: &Structure,
        element: &Element,
        kind: Type,
        place: &Place<'_>,
        beside: &dyn Fn() -> Option<&'n Node<'n>>,
    ) {
        match (value, element.many) {
            (Node::Array(items), true) => {
                if items.is_empty() {
                    let detail = || {
                        format!(
                            "{}.{} must be left out rather than empty",
                            within.name, element.name
                        )
                    };
                    self.empty(element, place, detail);
                }
                let extras = if items.contains(&Node::Null) {
                    beside().map_or(&[][..], Node::items)
                } else {
                    &[]
                };
                for (index, item) in items.iter().enumerate() {
                    let has_extra = matches!(extras.get(index), Some(Node::Object(_)));
                    if *item != Node::Null || !has_extra || !matches!(kind, Type::Primitive(_)) {
                        self.value(item, within, element, kind, &place.index(index));
                    }
                }
            }
            (Node::Array(_), false) => {
                let detail = || {
                    format!(
                        "{}.{} stands once, so it must not be a list",
                        within.name, element.name
                    )
                };
                self.refuse(ProblemCode::TooMany, place, detail);
            }
            (_, true) => {
                let detail = || {
                    format!(
                        "{}.{} may repeat, so it must be a list, not {}",
                        within.name,
                        element.name,
                        value.shape()
                    )
                };
                self.refuse(ProblemCode::WrongType, place, detail);
            }
            (_, false) => self.value(value, within, element, kind, place),
        }
    }

    fn value(
        &mut self,
        value: &Node<'_>,
        within: &Structure,
        element: &Element,
        kind: Type,
        place: &Place<'_>,
    ) {
        match kind {
            Type::Primitive(primitive) => self.primitive(value, within, element, primitive, place),
            // What is contained belongs to its container.
            Type::Resource if element.name == "contained" => self.resource(value, place),
            Type::Resource => self.enclosed(value, place),
            Type::Structure(index) => {
                if let Some(structure) = structure(index) {
                    if matches!(value, Node::Object(members) if members.iter().all(|(key, _)| &**key == "id"))
                    {
                        let detail = || {
                            format!("{}.{} must hold more than an id", within.name, element.name)
                        };
                        self.empty(element, place, detail);
                    }
                    self.object(value, structure, place);
                    if structure.name == "Reference" {
                        self.reference(value, within, element, place);
                    }
                }
            }
        }
    }

    fn primitive(
        &mut self,
        value: &Node<'_>,
        within: &Structure,
        element: &Element,
        primitive: Primitive,
        place: &Place<'_>,
    ) {
        if let Err((code, form)) = primitive.check(value) {
            let detail = || format!("{}.{} must be {form}", within.name, element.name);
            return match value.as_str() {
                Some("") => self.empty(element, place, detail),
                _ => self.refuse(code, place, detail),
            };
        }
        if let (Some(codes), Some(code)) = (element.codes, value.as_str())
            && !element.has_code(code)
        {
            let detail = || {
                let shown = if codes.len() <= 200 {
                    codes.replace('|', ", ")
                } else {
                    "a code of its fixed list".into()
                };
                format!("{}.{} must be one of: {shown}", within.name, element.name)
            };
            self.refuse(ProblemCode::BadValue, place, detail);
        }
    }

    /// The `_name` that stands beside a primitive and holds its id and extensions.
    fn beside(
        &mut self,
        value: &Node<'_>,
        within: &Structure,
        element: &Element,
        kind: Type,
        place: &Place<'_>,
    ) {
        if !matches!(kind, Type::Primitive(_)) {
            let detail = || {
                format!(
                    "{}.{} is no primitive, so nothing stands beside it",
                    within.name, element.name
                )
            };
            return self.refuse(ProblemCode::Unknown, place, detail);
        }
        let Some(structure) = named("Element") else {
            return;
        };
        match (value, element.many) {
            (Node::Array(items), true) => {
                for (index, item) in items
                    .iter()
                    .enumerate()
                    .filter(|(_, item)| **item != Node::Null)
                {
                    self.object(item, structure, &place.index(index));
                }
            }
            (_, true) => {
                let detail = || {
                    format!(
                        "{}.{} may repeat, so this must be a list",
                        within.name, element.name
                    )
                };
                self.refuse(ProblemCode::WrongType, place, detail);
            }
            (_, false) => self.object(value, structure, place),
        }
    }

    /// An extension has a value or extensions of its own, never both.
    fn extension(&mut self, members: &[Member<'_>], place: &Place<'_>) {
        let has = |start: &str| members.iter().any(|(key, _)| bare(key).starts_with(start));
        match (has("value"), has("extension")) {
            (true, true) => {
                let detail = || "an extension must have a value or extensions, not both".into();
                self.refuse(ProblemCode::TooMany, place, detail);
            }
            (false, false) => {
                let detail = || "an extension must have a value or extensions".into();
                self.refuse(ProblemCode::Missing, place, detail);
            }
            _ => {}
        }
    }

    /// The type named in a literal reference must be one that the element may refer to.
    fn reference(
        &mut self,
        value: &Node<'_>,
        within: &Structure,
        element: &Element,
        place: &Place<'_>,
    ) {
        let Some(target) = value.text("reference").and_then(target_type) else {
            return;
        };
        if !element.targets.is_empty()
            && !element.targets.split(',').any(|allowed| allowed == target)
        {
            let detail = || {
                let allowed = element.targets.replace(',', ", ");
                format!(
                    "{}.{} must refer to one of: {allowed}",
                    within.name, element.name
                )
            };
            self.note(ProblemCode::BadValue, &place.key("reference"), detail);
        }
    }
}

/// The name of the element that a key holds the value of, or what stands beside it.
fn bare(key: &str) -> &str {
    key.strip_prefix('_').unwrap_or(key)
}

/// The name under which the element of that index stands last among `members`.
fn name_of<'m>(index: usize, structure: &Structure, members: &'m [Member<'_>]) -> Option<&'m str> {
    let names = members.iter().rev().map(|(key, _)| bare(key));
    let is_of = |name: &&str| matches!(structure.property(name), Some((_, at, _)) if at == index);
    names.into_iter().find(is_of)
}

/// The resource type that a literal reference names (`Patient/1`, `https://x/fhir/Patient/1/_history/2`);
/// `None` for fragments, URNs and anything else that names none.
fn target_type(reference: &str) -> Option<&str> {
    let path = reference.split(['?', '#']).next()?;
    let path = path.split_once("/_history/").map_or(path, |(path, _)| path);
    let kind = path.rsplit('/').nth(1)?;
    resource(kind).map(|_| kind)
}

#[cfg(test)]
mod tests;
