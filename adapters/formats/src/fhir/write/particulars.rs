//! What the reader kept of elements and extensions that have no place in the canonical model, put back where it stood.

use takmil_domain::message::Supporting;

use super::{Writer, code, concept, moment, period, pointer, quantity};
use crate::fhir::datatypes::{Object, coding, date, identifier, primitive, words};
use crate::fhir::r4::{self, Primitive, Type};
use crate::fhir::tree::Node;
use crate::fhir::{ELEMENT, EXTENSION};

impl Writer {
    /// Puts particulars back into the element `structure` that they stood in. What did not stand there is left out.
    pub(super) fn restore(&self, into: Object, structure: &str, parts: &[Supporting]) -> Object {
        self.restore_some(into, structure, parts, None).0
    }

    /// The same, with extensions beside them; the second are the parts that did not stand there.
    pub(super) fn restore_some<'p>(
        &self,
        mut into: Object,
        structure: &str,
        parts: &'p [Supporting],
        beside: impl IntoIterator<Item = Node<'static>>,
    ) -> (Object, Vec<&'p Supporting>) {
        let mut extensions = Vec::from_iter(beside);
        let mut left = Vec::new();
        for part in parts {
            let found = match stood_in(part) {
                Some((EXTENSION, url)) => self.extension(url, part).map(|own| extensions.push(own)),
                Some((_, path)) => {
                    let name = path.strip_prefix(structure);
                    let name = name.and_then(|name| name.strip_prefix('.'));
                    let value = name.and_then(|name| self.element(structure, name, part));
                    let value = value.filter(|(name, _)| !into.has(name));
                    value.map(|(name, value)| into = std::mem::take(&mut into).put(name, value))
                }
                None => None,
            };
            if found.is_none() {
                left.push(part);
            }
        }
        (into.list("extension", extensions), left)
    }

    /// An element of a structure with the value that a part kept of it.
    fn element(
        &self,
        structure: &str,
        name: &str,
        part: &Supporting,
    ) -> Option<(&'static str, Node<'static>)> {
        let known = r4::named(structure)?;
        let mut elements = known.elements.iter();
        let element = elements.find(|own| own.name == name && !own.choice)?;
        let value = self.value(*element.types.first()?, part)?;
        let value = match element.many {
            true => Node::Array(vec![value]),
            false => value,
        };
        Some((element.name, value))
    }

    /// A value of type `kind`.
    fn value(&self, kind: Type, part: &Supporting) -> Option<Node<'static>> {
        let start = part.timing.as_ref().and_then(|own| own.start.as_ref());
        let structure = match kind {
            Type::Primitive(Primitive::Boolean) => return part.yes.map(Node::from),
            Type::Primitive(Primitive::Code) => {
                let source = part.coded.as_ref()?.source.as_ref()?;
                return code(Some(&source.code));
            }
            Type::Primitive(Primitive::Date) => return date(start?),
            Type::Primitive(Primitive::DateTime | Primitive::Instant) => {
                return primitive(Primitive::DateTime, start?.as_str());
            }
            Type::Primitive(number) if number.is_number() => {
                let text = part.quantity.map(|own| own.to_string());
                let node = Node::number(text?);
                return number.check(&node).is_ok().then_some(node);
            }
            Type::Primitive(kind) => return primitive(kind, part.text.as_deref()?),
            Type::Structure(index) => r4::structure(index)?.name,
            Type::Resource => return None,
        };
        match structure {
            "Coding" => coding(part.coded.as_ref()?.source.as_ref()?),
            "CodeableConcept" => concept(part.coded.as_ref()),
            "Period" => period(part.timing.as_ref()),
            "Money" => self.amount(part.amount),
            "Identifier" => identifier(part.identifier.as_ref()?),
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" => {
                quantity(part.quantity, part.unit.as_deref(), part.unit_code.as_ref())
            }
            "Reference" => pointer(part.identifier.as_slice(), part.text.as_deref()),
            _ => None,
        }
    }

    /// An extension with the value that a part kept of it.
    fn extension(&self, url: &str, part: &Supporting) -> Option<Node<'static>> {
        // What stands below another one would lack those beside it.
        if url.contains('#') {
            return None;
        }
        let own = Object::new().put("url", primitive(Primitive::Uri, url)?);
        let own = if let Some(value) = concept(part.coded.as_ref()) {
            own.put("valueCodeableConcept", value)
        } else if let Some(value) = self.amount(part.amount) {
            own.put("valueMoney", value)
        } else if part.quantity.is_some() {
            let unit_code = part.unit_code.as_ref();
            own.maybe(
                "valueQuantity",
                quantity(part.quantity, part.unit.as_deref(), unit_code),
            )
        } else if let Some(number) = &part.identifier {
            match part.text.as_deref() {
                None => own.maybe("valueIdentifier", identifier(number)),
                display => own.maybe(
                    "valueReference",
                    pointer(part.identifier.as_slice(), display),
                ),
            }
        } else if let Some(told) = &part.timing {
            match told.start == told.end {
                true => own.maybe("valueDateTime", moment(told.start.as_ref())),
                false => own.maybe("valuePeriod", period(Some(told))),
            }
        } else if let Some(yes) = part.yes {
            own.put("valueBoolean", yes)
        } else {
            own.put("valueString", words(part.text.as_deref()?)?)
        };
        Some(own.into())
    }
}

/// The element or extension that a part stood in, with the system of its category. None where its place was in a list,
/// or below another element: it would stand elsewhere.
fn stood_in(part: &Supporting) -> Option<(&'static str, &str)> {
    let category = part.category.as_ref()?;
    let source = category.source.as_ref()?;
    let systems = [ELEMENT, EXTENSION];
    let system = systems.into_iter().find(|own| *own == source.system)?;
    let is_plain = category.text.is_none() && category.others.is_empty();
    is_plain.then_some((system, source.code.as_str()))
}
