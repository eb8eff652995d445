//! The one tree that both syntaxes of FHIR are read into and written from: JSON's shape, with every
//! number kept as the digits that were sent. Texts are borrowed from the body, or from the program, as far
//! as they stand there as they are. It knows nothing of FHIR's own rules (see [`super::r4`]), and its numbers
//! must never go through floating point.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A value in the JSON form of FHIR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node<'a> {
    /// `null`, which FHIR allows only to keep two parallel lists in step.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its exact text in JSON's grammar (`10.00` stays `10.00`).
    Number(Cow<'a, str>),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// A list.
    Array(Vec<Node<'a>>),
    /// Members in the order in which they were sent; a key stands once.
    Object(Vec<Member<'a>>),
}

/// A key and its value.
pub(crate) type Member<'a> = (Cow<'a, str>, Node<'a>);

impl<'a> Node<'a> {
    /// An object of these members, in this order.
    #[cfg(test)]
    pub(crate) fn object<K: Into<Cow<'a, str>>>(
        members: impl IntoIterator<Item = (K, Node<'a>)>,
    ) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    /// A list of these items.
    #[cfg(test)]
    pub(crate) fn array(items: impl IntoIterator<Item = Node<'a>>) -> Self {
        Self::Array(items.into_iter().collect())
    }

    /// A number from its decimal text; the caller answers for JSON's grammar.
    pub(crate) fn number(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Number(text.into())
    }

    /// The same tree with texts of its own.
    pub(crate) fn into_owned(self) -> Node<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Node::Null,
            Self::Bool(value) => Node::Bool(value),
            Self::Number(text) => Node::Number(own(text)),
            Self::String(text) => Node::String(own(text)),
            Self::Array(items) => Node::Array(items.into_iter().map(Node::into_owned).collect()),
            Self::Object(members) => Node::Object(
                members
                    .into_iter()
                    .map(|(key, value)| (own(key), value.into_owned()))
                    .collect(),
            ),
        }
    }

    /// The member of that name; `None` if there is none or if this is no object.
    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.members()
            .iter()
            .find(|(name, _)| &**name == key)
            .map(|(_, value)| value)
    }

    /// The members of an object; none for anything else.
    pub(crate) fn members(&self) -> &[Member<'a>] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node<'a>] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The exact digits of a number.
    pub(crate) fn as_number(&self) -> Option<&str> {
        match self {
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of the member of that name, if it is a string.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The items of the member of that name; none if it is absent or no list.
    pub(crate) fn list(&self, key: &str) -> &[Node<'a>] {
        self.get(key).map_or(&[], Node::items)
    }

    /// The `resourceType` of a resource.
    pub(crate) fn resource_type(&self) -> Option<&str> {
        self.text("resourceType")
    }

    /// What this is, for a problem's sentence.
    pub(crate) fn shape(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The same value with every object's members in one order, which JSON and XML need not share.
    #[cfg(test)]
    pub(crate) fn sorted(mut self) -> Self {
        match &mut self {
            Self::Object(members) => {
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                members
                    .iter_mut()
                    .for_each(|(_, value)| *value = std::mem::replace(value, Self::Null).sorted());
            }
            Self::Array(items) => {
                items
                    .iter_mut()
                    .for_each(|item| *item = std::mem::replace(item, Self::Null).sorted());
            }
            _ => {}
        }
        self
    }

    /// The node that an RFC 6901 pointer leads to.
    #[cfg(test)]
    pub(crate) fn at(&self, pointer: &str) -> Option<&Node<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |node, step| match node {
                Self::Array(items) => items.get(step.parse::<usize>().ok()?),
                _ => node.get(&unescape_step(step)),
            })
    }
}

impl<'a> From<&'a str> for Node<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Node<'_> {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Node<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A place in a tree, kept on the stack while walking down, so that a pointer is spelt out only for
/// what is wrong: `let line = item.index(3); line.key("net").pointer()` is `…/item/3/net`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The whole body.
    pub(crate) const ROOT: Place<'static> = Place {
        parent: None,
        step: Step::Root,
    };

    /// The member `key` of what stands here.
    pub(crate) fn key(&'a self, key: &'a str) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    /// The item `index` (from 0) of the list that stands here.
    pub(crate) fn index(&'a self, index: usize) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// Whether this is the whole body.
    pub(crate) fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// The RFC 6901 pointer; empty for the whole body.
    pub(crate) fn pointer(&self) -> String {
        self.pointer_below("")
    }

    /// The pointer in a body whose pointer to the root of this place is `root`.
    pub(crate) fn pointer_below(&self, root: &str) -> String {
        let mut pointer = String::with_capacity(root.len().saturating_add(USUAL_POINTER));
        pointer.push_str(root);
        self.append_to(&mut pointer);
        pointer
    }

    fn append_to(&self, pointer: &mut String) {
        if let Some(parent) = self.parent {
            parent.append_to(pointer);
        }
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                pointer.push('/');
                push_step(key, pointer);
            }
            Step::Index(index) => {
                // Writing to a string cannot fail.
                let _ = write!(pointer, "/{index}");
            }
        }
    }
}

/// How many bytes most pointers have room in.
const USUAL_POINTER: usize = 48;

/// Adds one step to a pointer, with `~` and `/` escaped as RFC 6901 says.
pub(crate) fn push_step(step: &str, pointer: &mut String) {
    if step.bytes().all(|byte| !matches!(byte, b'~' | b'/')) {
        return pointer.push_str(step);
    }
    for letter in step.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            letter => pointer.push(letter),
        }
    }
}

/// The key that a step of a pointer names.
pub(crate) fn unescape_step(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_spells_out_its_pointer_and_the_pointer_leads_back() {
        let tree = Node::object([(
            "a/b",
            Node::array([Node::Null, Node::object([("~x", Node::number("1.50"))])]),
        )]);
        let list = Place::ROOT.key("a/b");
        let item = list.index(1);
        let pointer = item.key("~x").pointer();
        assert_eq!(pointer, "/a~1b/1/~0x");
        assert_eq!(tree.at(&pointer).and_then(Node::as_number), Some("1.50"));
        assert_eq!(Place::ROOT.pointer(), "");
        assert_eq!(tree.at(""), Some(&tree));
        for nowhere in ["a", "/a~1b/2", "/a~1b/x", "/a~1b/1/~0x/0", "/"] {
            assert_eq!(tree.at(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn members_and_items_of_something_else_are_none() {
        assert!(Node::from("x").members().is_empty());
        assert!(Node::from("x").items().is_empty());
        assert_eq!(Node::from("x").get("y"), None);
        assert_eq!(
            Node::object([("y", Node::from(true))])
                .get("y")
                .and_then(Node::as_bool),
            Some(true)
        );
    }
}
