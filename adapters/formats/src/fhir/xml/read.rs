//! FHIR XML → [`Node`].

use super::tags::{Next, Space, Start, Tags, decode};
use super::{XHTML, is_name};
use crate::MAX_DEPTH;
use crate::fhir::json::is_number;
use crate::fhir::r4::{self, Primitive, Structure, Type};
use crate::fhir::tree::{Node, Place};
use takmil_domain::problem::{Problem, ProblemCode};

/// Reads one resource from a whole body.
///
/// # Errors
/// One [`Problem`], the first met, with the pointer that the innermost element being read has in the
/// JSON form, and the line and byte (from 1) in its sentence.
pub(crate) fn parse(body: &[u8]) -> Result<Node, Problem> {
    let (text, encoding) = decode(body)?;
    let mut tags = Tags::new(&text, encoding);
    let resource = match tags.next(&Place::ROOT)? {
        Next::Start(start) => tags.resource(&start, &Place::ROOT, MAX_DEPTH)?,
        Next::End => return Err(tags.malformed(&Place::ROOT, "the body holds no element")),
    };
    tags.finish(&Place::ROOT)?;
    Ok(resource)
}

/// Checks that `div` is one well-formed XHTML `div` that stands alone.
pub(super) fn check_div(div: &str, place: &Place<'_>) -> Result<(), Problem> {
    let mut tags = Tags::new(div, "UTF-8");
    match tags.next(place)? {
        Next::Start(start) if start.space == Space::Xhtml && start.name() == "div" => {
            tags.xhtml(place)?;
            tags.finish(place)
        }
        _ => Err(tags.malformed(place, "a narrative must be one div of XHTML")),
    }
}

/// What an element of a given name has gathered, in both of the places where JSON keeps it.
struct Field {
    name: Box<str>,
    many: bool,
    items: Vec<(Option<Node>, Option<Node>)>,
}

impl Tags<'_> {
    fn resource(
        &mut self,
        start: &Start<'_>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Node, Problem> {
        if start.space != Space::Fhir {
            return Err(self.problem(
                ProblemCode::Unknown,
                place,
                "a resource must be in the namespace of FHIR",
            ));
        }
        let name = start.name();
        let structure = r4::resource(name);
        if structure.is_none() && !is_name(name) {
            return Err(self.malformed(place, "an element's name is not one"));
        }
        let attributes = self.attributes(start, place)?;
        let mut members = vec![("resourceType".into(), Node::from(name))];
        // In XML a resource's id is an element, unlike the id of anything within it.
        if !attributes.is_empty() {
            return Err(self.problem(ProblemCode::Unknown, place, "a resource has no attributes"));
        }
        self.content(structure, attributes, &mut members, place, depth)?;
        Ok(Node::Object(members))
    }

    /// Reads the children up to the end tag, and adds them after the attributes to `members`.
    fn content(
        &mut self,
        within: Option<&'static Structure>,
        attributes: Vec<(Box<str>, Node)>,
        members: &mut Vec<(Box<str>, Node)>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(), Problem> {
        for (name, value) in attributes {
            let known = within.map_or(matches!(&*name, "id" | "url"), |structure| {
                structure
                    .property(&name)
                    .is_some_and(|(element, _, _)| element.attribute)
            });
            if !known {
                return Err(self.problem(
                    ProblemCode::Unknown,
                    place,
                    "an attribute is not one of the element's",
                ));
            }
            members.push((name, value));
        }
        let mut fields: Vec<Field> = Vec::new();
        while let Next::Start(start) = self.next(place)? {
            self.child(&start, within, &mut fields, place, depth)?;
        }
        for field in fields {
            field.write(members);
        }
        Ok(())
    }

    fn child(
        &mut self,
        start: &Start<'_>,
        within: Option<&'static Structure>,
        fields: &mut Vec<Field>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(), Problem> {
        let name = start.name();
        let known = within
            .and_then(|structure| structure.property(name))
            .filter(|(element, _, _)| !element.attribute);
        let kind = known.map(|(_, _, kind)| kind);
        let many = known.is_some_and(|(element, _, _)| element.many);
        if known.is_none() && !is_name(name) {
            return Err(self.malformed(place, "an element's name is not one"));
        }
        let position = fields
            .iter()
            .rposition(|field| &*field.name == name)
            .unwrap_or(fields.len());
        if position == fields.len() {
            if position >= r4::MAX_ELEMENTS {
                return Err(self.problem(
                    ProblemCode::TooLarge,
                    place,
                    "too many different elements stand in one",
                ));
            }
            fields.push(Field {
                name: name.into(),
                many,
                items: Vec::new(),
            });
        }
        let Some(field) = fields.get_mut(position) else {
            return Ok(());
        };
        let at = place.key(name);
        let item_at = at.index(field.items.len());
        let at = if field.many || !field.items.is_empty() {
            &item_at
        } else {
            &at
        };
        let below = depth.checked_sub(if many { 2 } else { 1 });
        let below = below.ok_or_else(|| {
            self.problem(ProblemCode::TooDeep, at, "elements are nested too deeply")
        })?;
        let expected = if kind == Some(Type::Primitive(Primitive::Xhtml)) {
            Space::Xhtml
        } else {
            Space::Fhir
        };
        if start.space != expected {
            return Err(self.problem(
                ProblemCode::Unknown,
                at,
                "an element is in a namespace that is not its own",
            ));
        }
        let item = match kind {
            Some(Type::Primitive(Primitive::Xhtml)) => (Some(self.div(start, at)?), None),
            Some(Type::Primitive(primitive)) => {
                self.primitive(start, Some(primitive), at, below)?
            }
            Some(Type::Resource) => (Some(self.wrapped(at, below)?), None),
            Some(Type::Structure(index)) => (
                Some(self.object(start, r4::structure(index), at, below)?),
                None,
            ),
            None if start
                .tag
                .attributes()
                .flatten()
                .any(|attribute| attribute.key.into_inner() == "value") =>
            {
                self.primitive(start, None, at, below)?
            }
            None => (Some(self.object(start, None, at, below)?), None),
        };
        field.items.push(item);
        Ok(())
    }

    fn object(
        &mut self,
        start: &Start<'_>,
        structure: Option<&'static Structure>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Node, Problem> {
        let attributes = self.attributes(start, place)?;
        let mut members = Vec::new();
        self.content(structure, attributes, &mut members, place, depth)?;
        Ok(Node::Object(members))
    }

    /// A primitive: its value, and its id and extensions where it has any (or nothing at all).
    fn primitive(
        &mut self,
        start: &Start<'_>,
        primitive: Option<Primitive>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(Option<Node>, Option<Node>), Problem> {
        let mut attributes = self.attributes(start, place)?;
        let value = attributes
            .iter()
            .position(|(name, _)| &**name == "value")
            .map(|at| attributes.swap_remove(at).1);
        let mut members = Vec::new();
        self.content(r4::named("Element"), attributes, &mut members, place, depth)?;
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| !matches!(&**name, "id" | "extension"))
        {
            let detail = "a primitive element has no children but extensions";
            return Err(self.problem(ProblemCode::Unknown, &place.key(name), detail));
        }
        let value = value.map(|value| typed(value, primitive));
        let extra = (!members.is_empty() || value.is_none()).then_some(Node::Object(members));
        Ok((value, extra))
    }

    /// The one resource inside `contained`, `resource` or the like.
    fn wrapped(&mut self, place: &Place<'_>, depth: usize) -> Result<Node, Problem> {
        let resource = match self.next(place)? {
            Next::Start(start) => self.resource(&start, place, depth)?,
            Next::End => {
                return Err(self.problem(
                    ProblemCode::Missing,
                    place,
                    "the element holds no resource",
                ));
            }
        };
        match self.next(place)? {
            Next::End => Ok(resource),
            Next::Start(_) => {
                Err(self.malformed(place, "the element holds more than one resource"))
            }
        }
    }

    /// The narrative as the text that it is in the body.
    fn div(&mut self, start: &Start<'_>, place: &Place<'_>) -> Result<Node, Problem> {
        self.xhtml(place)?;
        let raw = self.text.get(start.at..self.at()).unwrap_or_default();
        let qualified = start.tag.name();
        let prefix = qualified.prefix().map(|prefix| prefix.into_inner());
        let declaration =
            prefix.map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        if start
            .tag
            .attributes()
            .flatten()
            .any(|attribute| attribute.key.into_inner() == declaration)
        {
            return Ok(Node::from(raw));
        }
        // Its namespace was declared outside, where the text that stands alone cannot see it.
        let head = qualified.into_inner().len().saturating_add(1);
        let (head, rest) = raw.split_at_checked(head).unwrap_or((raw, ""));
        Ok(Node::from(format!(
            "{head} {declaration}=\"{XHTML}\"{rest}"
        )))
    }
}

/// The value as JSON writes it; text where it does not have the form of its type.
fn typed(value: Node, primitive: Option<Primitive>) -> Node {
    match (value.as_str(), primitive) {
        (Some("true"), Some(Primitive::Boolean)) => Node::Bool(true),
        (Some("false"), Some(Primitive::Boolean)) => Node::Bool(false),
        (Some(text), Some(primitive)) if primitive.is_number() && is_number(text) => {
            Node::number(text)
        }
        _ => value,
    }
}

impl Field {
    /// Adds the field to an object: `name` for the values, `_name` for what stands beside them. What
    /// repeats though it must not becomes a list, for the check to find.
    fn write(self, members: &mut Vec<(Box<str>, Node)>) {
        let beside = format!("_{}", self.name).into_boxed_str();
        let is_list = self.many || self.items.len() > 1;
        let (values, extras): (Vec<_>, Vec<_>) = self.items.into_iter().unzip();
        for (name, column) in [(self.name, values), (beside, extras)] {
            if column.iter().all(Option::is_none) {
                continue;
            }
            let mut nodes = column.into_iter().map(|item| item.unwrap_or(Node::Null));
            match (is_list, nodes.len()) {
                (false, 1) => members.extend(nodes.next().map(|node| (name, node))),
                _ => members.push((name, Node::Array(nodes.collect()))),
            }
        }
    }
}
