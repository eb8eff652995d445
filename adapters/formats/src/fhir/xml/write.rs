//! [`Node`] → FHIR XML.

use super::read::check_div;
use super::{FHIR, first_forbidden, is_name};
use crate::fhir::json::USUAL_ANSWER;
use crate::fhir::r4::{self, Primitive, Structure, Type};
use crate::fhir::tree::{Member, Node, Place};
use takmil_domain::problem::{Problem, ProblemCode};

/// Writes a resource with its elements in the order of R4; elements that R4 does not know come last.
///
/// # Errors
/// A [`Problem`] where the tree holds what XML cannot: a control character, a key that is no name, a
/// narrative that is not well-formed, a primitive that is an object, a resource without its type.
pub(crate) fn render(resource: &Node<'_>) -> Result<String, Problem> {
    let mut out = String::with_capacity(USUAL_ANSWER);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    write_resource(resource, &mut out, &Place::ROOT)?;
    Ok(out)
}

fn write_resource(resource: &Node<'_>, out: &mut String, place: &Place<'_>) -> Result<(), Problem> {
    let Some(name) = resource.resource_type() else {
        return Err(Problem::new(
            ProblemCode::Missing,
            place.pointer(),
            "a resource must name its resourceType",
        ));
    };
    let structure = r4::resource(name);
    if structure.is_none() && !is_name(name) {
        return Err(Problem::new(
            ProblemCode::Unknown,
            place.pointer(),
            "the resourceType is no name",
        ));
    }
    out.push('<');
    out.push_str(name);
    if place.is_root() {
        push_attribute("xmlns", FHIR, out, place)?;
    }
    let members: Vec<_> = resource
        .members()
        .iter()
        .filter(|(key, _)| &**key != "resourceType")
        .collect();
    write_content(&members, structure, true, name, out, place)
}

/// Writes the rest of a start tag (attributes), the children, and the end tag.
fn write_content(
    members: &[&Member<'_>],
    structure: Option<&Structure>,
    is_resource: bool,
    name: &str,
    out: &mut String,
    place: &Place<'_>,
) -> Result<(), Problem> {
    let mut children = Vec::new();
    for (key, value) in members {
        let bare = key.strip_prefix('_').unwrap_or(key);
        let found = structure.and_then(|structure| structure.property(bare));
        let attribute = match (found, structure) {
            (Some((element, _, _)), _) => element.attribute,
            (None, None) => !is_resource && matches!(bare, "id" | "url"),
            (None, Some(_)) => false,
        };
        match value.as_str() {
            Some(text) if attribute && bare.len() == key.len() => {
                push_attribute(key, text, out, &place.key(key))?;
            }
            _ => {
                let order = found.map_or(usize::MAX, |(_, index, _)| index);
                children.push((
                    order,
                    bare,
                    key.len() > bare.len(),
                    value,
                    found.map(|(_, _, kind)| kind),
                ));
            }
        }
    }
    if children.is_empty() {
        out.push_str("/>");
        return Ok(());
    }
    out.push('>');
    // Equal places (the two halves of a primitive, elements that R4 does not know) keep their order,
    // but a half must stand next to its other half.
    children.sort_by_key(|(order, bare, is_extra, _, _)| {
        (
            *order,
            if *order == usize::MAX { *bare } else { "" },
            *is_extra,
        )
    });
    let mut rest = children.as_slice();
    while let [(_, bare, is_extra, first, kind), tail @ ..] = rest {
        let (value, extra, after) = match (is_extra, tail) {
            (true, _) => (None, Some(*first), tail),
            (false, [(_, other, true, second, _), tail @ ..]) if other == bare => {
                (Some(*first), Some(*second), tail)
            }
            (false, _) => (Some(*first), None, tail),
        };
        write_property(bare, value, extra, *kind, out, &place.key(bare))?;
        rest = after;
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
    Ok(())
}

/// Writes an element as often as it stands in the lists of its two halves, or once.
fn write_property(
    name: &str,
    value: Option<&Node<'_>>,
    extra: Option<&Node<'_>>,
    kind: Option<Type>,
    out: &mut String,
    place: &Place<'_>,
) -> Result<(), Problem> {
    let is_list = [value, extra]
        .iter()
        .flatten()
        .any(|half| matches!(half, Node::Array(_)));
    if !is_list {
        return write_element(name, value, extra, kind, out, place);
    }
    let (values, extras) = (
        value.map_or(&[][..], Node::items),
        extra.map_or(&[][..], Node::items),
    );
    for index in 0..values.len().max(extras.len()) {
        write_element(
            name,
            values.get(index),
            extras.get(index),
            kind,
            out,
            &place.index(index),
        )?;
    }
    Ok(())
}

fn write_element(
    name: &str,
    value: Option<&Node<'_>>,
    extra: Option<&Node<'_>>,
    kind: Option<Type>,
    out: &mut String,
    place: &Place<'_>,
) -> Result<(), Problem> {
    let wrong = |what| Problem::new(ProblemCode::WrongType, place.pointer(), what);
    if kind == Some(Type::Primitive(Primitive::Xhtml)) {
        let div = value
            .and_then(Node::as_str)
            .ok_or_else(|| wrong("a narrative must be a string"))?;
        check_div(div, place)?;
        out.push_str(div);
        return Ok(());
    }
    // R4's own names are names.
    if kind.is_none() && !is_name(name) {
        return Err(Problem::new(
            ProblemCode::Unknown,
            place.pointer(),
            "a key is no name that XML can hold",
        ));
    }
    out.push('<');
    out.push_str(name);
    match (value, kind) {
        (Some(resource), Some(Type::Resource)) => {
            out.push('>');
            write_resource(resource, out, place)?;
            out.push_str("</");
            out.push_str(name);
            out.push('>');
            return Ok(());
        }
        (Some(Node::Object(members)), None | Some(Type::Structure(_))) => {
            let structure = match kind {
                Some(Type::Structure(index)) => r4::structure(index),
                _ => None,
            };
            let members: Vec<_> = members.iter().collect();
            return write_content(&members, structure, false, name, out, place);
        }
        (None | Some(Node::Null), _) => {}
        (Some(_), Some(Type::Structure(_))) => return Err(wrong("an object was expected")),
        (Some(Node::Bool(value)), _) => {
            push_attribute("value", if *value { "true" } else { "false" }, out, place)?
        }
        (Some(Node::Number(text) | Node::String(text)), _) => {
            push_attribute("value", text, out, place)?
        }
        (Some(Node::Array(_) | Node::Object(_)), _) => {
            return Err(wrong("a single value was expected"));
        }
    }
    let Some(extra) = extra else {
        out.push_str("/>");
        return Ok(());
    };
    let members: Vec<_> = extra.members().iter().collect();
    write_content(&members, r4::named("Element"), false, name, out, place)
}

fn push_attribute(
    name: &str,
    value: &str,
    out: &mut String,
    place: &Place<'_>,
) -> Result<(), Problem> {
    if first_forbidden(value).is_some() {
        let detail = "the value holds a control character that XML cannot";
        return Err(Problem::new(
            ProblemCode::ControlCharacter,
            place.pointer(),
            detail,
        ));
    }
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    let must_be_escaped = |byte: u8| matches!(byte, b'&' | b'<' | b'"' | b'\n' | b'\r' | b'\t');
    let mut rest = value;
    while let Some(at) = rest.bytes().position(must_be_escaped) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let mut letters = after.chars();
        out.push_str(match letters.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('"') => "&quot;",
            // Raw, these three would be read back as spaces.
            Some('\n') => "&#10;",
            Some('\r') => "&#13;",
            _ => "&#9;",
        });
        rest = letters.as_str();
    }
    out.push_str(rest);
    out.push('"');
    Ok(())
}
