//! FHIR XML → [`Node`].

use super::tags::{Attributed, Next, Space, Start, Tags, decode};
use super::{XHTML, is_name};
use crate::MAX_DEPTH;
use crate::fhir::json::is_number;
use crate::fhir::r4::{self, Primitive, Structure, Type};
use crate::fhir::tree::{Member, Node, Place};
use std::borrow::Cow;
use std::iter;
use takmil_domain::problem::{Problem, ProblemCode};

/// Reads one resource from a whole body.
///
/// # Errors
/// One [`Problem`], the first met, with the pointer that the innermost element being read has in the
/// JSON form, and the line and byte (from 1) in its sentence.
pub(crate) fn parse(body: &[u8]) -> Result<Node<'_>, Problem> {
    match decode(body)? {
        (Cow::Borrowed(text), encoding) => whole(text, encoding),
        (Cow::Owned(text), encoding) => whole(&text, encoding).map(Node::into_owned),
    }
}

fn whole<'a>(text: &'a str, encoding: &'static str) -> Result<Node<'a>, Problem> {
    let mut tags = Tags::new(text, encoding);
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
        Next::Start(start) if start.space == Space::Xhtml && start.name == "div" => {
            tags.xhtml(place)?;
            tags.finish(place)
        }
        _ => Err(tags.malformed(place, "a narrative must be one div of XHTML")),
    }
}

/// One element in both of the places where JSON keeps it: its value, and what stands beside that.
type Item<'a> = (Option<Node<'a>>, Option<Node<'a>>);

/// What an element of a given name has gathered.
struct Field<'a> {
    name: &'a str,
    many: bool,
    first: Item<'a>,
    more: Vec<Item<'a>>,
}

impl<'a> Tags<'a> {
    fn resource(
        &mut self,
        start: &Start<'a>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Node<'a>, Problem> {
        if start.space != Space::Fhir {
            return Err(self.problem(
                ProblemCode::Unknown,
                place,
                "a resource must be in the namespace of FHIR",
            ));
        }
        let name = start.name;
        let structure = r4::resource(name);
        if structure.is_none() && !is_name(name) {
            return Err(self.malformed(place, "an element's name is not one"));
        }
        let attributes = self.attributes(start, place)?;
        let mut members = vec![("resourceType".into(), Node::from(name))];
        // In XML a resource's id is an element, unlike the id of anything within it.
        if attributes.value.is_some() || !attributes.others.is_empty() {
            return Err(self.problem(ProblemCode::Unknown, place, "a resource has no attributes"));
        }
        self.content(structure, attributes, &mut members, place, depth)?;
        Ok(Node::Object(members))
    }

    /// Reads the children up to the end tag, and adds them after the attributes to `members`.
    fn content(
        &mut self,
        within: Option<&'static Structure>,
        attributes: Attributed<'a>,
        members: &mut Vec<Member<'a>>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(), Problem> {
        // No element of R4 but a primitive has a value, and a primitive's is taken out before.
        let value = attributes.value.map(|value| ("value".into(), value));
        for (name, value) in attributes.others.into_iter().chain(value) {
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
        let mut fields: Vec<Field<'a>> = Vec::new();
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
        start: &Start<'a>,
        within: Option<&'static Structure>,
        fields: &mut Vec<Field<'a>>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(), Problem> {
        let name = start.name;
        let known = within
            .and_then(|structure| structure.property(name))
            .filter(|(element, _, _)| !element.attribute);
        let kind = known.map(|(_, _, kind)| kind);
        let many = known.is_some_and(|(element, _, _)| element.many);
        if known.is_none() && !is_name(name) {
            return Err(self.malformed(place, "an element's name is not one"));
        }
        let position = fields.iter().rposition(|field| field.name == name);
        if position.is_none() && fields.len() >= r4::MAX_ELEMENTS {
            return Err(self.problem(
                ProblemCode::TooLarge,
                place,
                "too many different elements stand in one",
            ));
        }
        let before = position.and_then(|position| fields.get(position));
        let before = before.map_or(0, Field::len);
        let at = place.key(name);
        let item_at = at.index(before);
        let at = if many || before > 0 { &item_at } else { &at };
        let item = self.item(start, kind, many, at, depth)?;
        match position.and_then(|position| fields.get_mut(position)) {
            Some(field) => field.more.push(item),
            None => fields.push(Field {
                name,
                many,
                first: item,
                more: Vec::new(),
            }),
        }
        Ok(())
    }

    fn item(
        &mut self,
        start: &Start<'a>,
        kind: Option<Type>,
        many: bool,
        at: &Place<'_>,
        depth: usize,
    ) -> Result<Item<'a>, Problem> {
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
        Ok(match kind {
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
                .raw_attributes()
                .flatten()
                .any(|attribute| attribute.key.into_inner() == "value") =>
            {
                self.primitive(start, None, at, below)?
            }
            None => (Some(self.object(start, None, at, below)?), None),
        })
    }

    fn object(
        &mut self,
        start: &Start<'a>,
        structure: Option<&'static Structure>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Node<'a>, Problem> {
        let attributes = self.attributes(start, place)?;
        let mut members = Vec::new();
        self.content(structure, attributes, &mut members, place, depth)?;
        Ok(Node::Object(members))
    }

    /// A primitive: its value, and its id and extensions where it has any (or nothing at all).
    fn primitive(
        &mut self,
        start: &Start<'a>,
        primitive: Option<Primitive>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Item<'a>, Problem> {
        let mut attributes = self.attributes(start, place)?;
        let value = attributes.value.take();
        if value.is_some() && attributes.others.is_empty() && self.close_empty() {
            return Ok((value.map(|value| typed(value, primitive)), None));
        }
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
    fn wrapped(&mut self, place: &Place<'_>, depth: usize) -> Result<Node<'a>, Problem> {
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
    fn div(&mut self, start: &Start<'a>, place: &Place<'_>) -> Result<Node<'a>, Problem> {
        self.xhtml(place)?;
        let raw = self.text.get(start.at..self.at()).unwrap_or_default();
        let prefix = start.qualified.split_once(':').map(|(prefix, _)| prefix);
        let declaration =
            prefix.map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        if start
            .raw_attributes()
            .flatten()
            .any(|attribute| attribute.key.into_inner() == declaration)
        {
            return Ok(Node::from(raw));
        }
        // Its namespace was declared outside, where the text that stands alone cannot see it.
        let head = start.qualified.len().saturating_add(1);
        let (head, rest) = raw.split_at_checked(head).unwrap_or((raw, ""));
        Ok(Node::from(format!(
            "{head} {declaration}=\"{XHTML}\"{rest}"
        )))
    }
}

/// The value as JSON writes it; text where it does not have the form of its type.
fn typed<'a>(value: Node<'a>, primitive: Option<Primitive>) -> Node<'a> {
    match (value, primitive) {
        (Node::String(text), Some(Primitive::Boolean)) if text == "true" => Node::Bool(true),
        (Node::String(text), Some(Primitive::Boolean)) if text == "false" => Node::Bool(false),
        (Node::String(text), Some(primitive)) if primitive.is_number() && is_number(&text) => {
            Node::Number(text)
        }
        (value, _) => value,
    }
}

impl<'a> Field<'a> {
    fn len(&self) -> usize {
        self.more.len().saturating_add(1)
    }

    /// Adds the field to an object: `name` for the values, `_name` for what stands beside them. What
    /// repeats though it must not becomes a list, for the check to find.
    fn write(self, members: &mut Vec<Member<'a>>) {
        let beside = || Cow::Owned(format!("_{}", self.name));
        if !self.many && self.more.is_empty() {
            let (value, extra) = self.first;
            members.extend(value.map(|value| (self.name.into(), value)));
            members.extend(extra.map(|extra| (beside(), extra)));
            return;
        }
        let length = self.len();
        let (mut values, mut extras) = (Vec::with_capacity(length), Vec::new());
        for (index, (value, extra)) in iter::once(self.first).chain(self.more).enumerate() {
            values.push(value.unwrap_or(Node::Null));
            if let Some(extra) = extra {
                // Those before it have nothing beside them.
                extras.resize(index, Node::Null);
                extras.push(extra);
            }
        }
        if values.iter().any(|value| *value != Node::Null) {
            members.push((self.name.into(), Node::Array(values)));
        }
        if !extras.is_empty() {
            extras.resize(length, Node::Null);
            members.push((beside(), Node::Array(extras)));
        }
    }
}
