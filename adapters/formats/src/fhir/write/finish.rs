//! What R4 demands of resources that were put together: its order of elements, codes of its closed lists, and a word
//! for each element that has to be there and that the message does not have.

use crate::fhir::ABSENT;
use crate::fhir::datatypes::Object;
use crate::fhir::r4::{self, Element, Structure, Type};
use crate::fhir::tree::{Member, Node};

/// The resource as R4 wants it. A code that a closed list does not have is left out.
pub(super) fn finished(resource: Node<'static>) -> Node<'static> {
    match resource.resource_type().and_then(r4::named) {
        Some(structure) => element(resource, structure),
        None => resource,
    }
}

fn element(node: Node<'static>, structure: &'static Structure) -> Node<'static> {
    let Node::Object(members) = node else {
        return node;
    };
    let mut ordered: Vec<(Option<usize>, Member<'static>)> = Vec::new();
    for (key, value) in members {
        match structure.property(&key) {
            Some((known, index, kind)) => {
                let value = within(value, known, kind);
                ordered.extend(value.map(|value| (Some(index), (key, value))));
            }
            None => ordered.push((None, (key, value))),
        }
    }
    for (index, known) in structure.elements.iter().enumerate() {
        let is_there = ordered.iter().any(|(own, _)| *own == Some(index));
        if known.required && !is_there {
            ordered.extend(absent(known).map(|member| (Some(index), member)));
        }
    }
    // `resourceType`, which is no element, stands first.
    ordered.sort_by_key(|(index, _)| *index);
    Node::Object(ordered.into_iter().map(|(_, member)| member).collect())
}

/// A value, finished; none where it may not stand there.
fn within(value: Node<'static>, known: &Element, kind: Type) -> Option<Node<'static>> {
    if let Node::Array(items) = value {
        let items = items.into_iter();
        let items: Vec<_> = items.filter_map(|item| within(item, known, kind)).collect();
        return (!items.is_empty()).then_some(Node::Array(items));
    }
    match kind {
        Type::Structure(index) => match r4::structure(index) {
            Some(structure) => Some(element(value, structure)),
            None => Some(value),
        },
        Type::Resource => Some(finished(value)),
        Type::Primitive(_) => {
            let is_known = value.as_str().is_none_or(|code| known.has_code(code));
            is_known.then_some(value)
        }
    }
}

/// An element that has to be there, without a value.
fn absent(known: &Element) -> Option<Member<'static>> {
    let why = Object::new().put("url", ABSENT).put("valueCode", "unknown");
    let why = Node::from(Object::new().list("extension", [why.into()]));
    let kind = *known.types.first()?;
    let (key, value) = match kind {
        Type::Primitive(_) => (format!("_{}", known.name), why),
        Type::Resource => return None,
        Type::Structure(index) => {
            let structure = r4::structure(index)?;
            let suffix = if known.choice { structure.name } else { "" };
            // An element of several parts is there by its parts.
            let value = match structure.name.contains('.') {
                true => element(Object::new().into(), structure),
                false => why,
            };
            (format!("{}{suffix}", known.name), value)
        }
    };
    let value = match known.many {
        true => Node::Array(vec![value]),
        false => value,
    };
    Some((key.into(), value))
}
