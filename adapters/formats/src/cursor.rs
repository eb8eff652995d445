//! A look at the parts of a document that remembers what was understood, so that the rest can be told.

use std::cell::RefCell;
use std::collections::HashSet;

use takmil_domain::message::Message;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::text::normalise;

use crate::native::json;
use crate::native::tree::Node;
use crate::{MAX_LINES, MAX_PROBLEMS, Read, Reading};

/// How many documents one body may hold.
const MAX_DOCUMENTS: usize = 10_000;

/// Reads a body that is one JSON document or a list of them, each by `one` with its place.
///
/// # Errors
/// The body is no JSON, holds nothing, or too much.
pub(crate) fn documents(
    body: &[u8],
    one: impl for<'n> Fn(&'n Node<'n>, String) -> Read,
) -> Result<Reading, Problem> {
    let root = json::parse(body)?;
    let messages: Vec<Read> = match &root {
        Node::Object(_) => vec![one(&root, String::new())],
        Node::List(items) if items.len() > MAX_DOCUMENTS => {
            let detail = format!("a body holds at most {MAX_DOCUMENTS} documents");
            return Err(Problem::new(ProblemCode::TooLarge, "", detail));
        }
        Node::List(items) if !items.is_empty() => {
            let places = (0..).map(|index: usize| format!("/{index}"));
            let each = items.iter().zip(places);
            each.map(|(item, place)| one(item, place)).collect()
        }
        _ => {
            let detail = "expected a document, or a list of documents";
            return Err(Problem::new(ProblemCode::NoMessage, "", detail));
        }
    };
    let unread = Vec::new();
    Ok(Reading { messages, unread })
}

/// A part of a document and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Part<'n> {
    node: &'n Node<'n>,
    /// Its JSON pointer.
    pub(crate) place: String,
}

impl<'n> Part<'n> {
    pub(crate) fn new(node: &'n Node<'n>, place: String) -> Self {
        Self { node, place }
    }

    /// The pointer of a member, whether it is there or not.
    pub(crate) fn place_of(&self, key: &str) -> String {
        let key = key.replace('~', "~0").replace('/', "~1");
        format!("{}/{key}", self.place)
    }

    /// A member that says something.
    pub(crate) fn member(&self, key: &str) -> Option<Part<'n>> {
        let Node::Object(members) = self.node else {
            return None;
        };
        let (_, node) = members.iter().find(|(own, _)| own == key)?;
        let is_said = !matches!(node, Node::Null);
        is_said.then(|| Part::new(node, self.place_of(key)))
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.node, Node::Object(_))
    }

    /// What it says, where it is text.
    pub(crate) fn text(&self) -> Option<&'n str> {
        match self.node {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the parts of one document.
#[derive(Default)]
pub(crate) struct Reader<'n> {
    /// The parts that were understood, by where they lie in memory; the tree stands still while it is read.
    known: RefCell<HashSet<*const Node<'n>>>,
    problems: RefCell<Vec<Problem>>,
    origins: RefCell<Vec<(String, String)>>,
}

impl<'n> Reader<'n> {
    pub(crate) fn problem(&self, code: ProblemCode, place: impl Into<String>, what: &str) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem::new(code, place, what));
        }
    }

    /// Whether something is told to be wrong with a member, or within it.
    fn told(&self, place: &str) -> bool {
        let within = |own: &Problem| {
            let rest = own.pointer.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.problems.borrow().iter().any(within)
    }

    /// Whether so much is wrong that nothing more would be told.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MAX_PROBLEMS
    }

    /// Notes which place of the body a part of the message was read from.
    pub(crate) fn origin(&self, canonical: impl Into<String>, place: impl Into<String>) {
        let pair = (canonical.into(), place.into());
        self.origins.borrow_mut().push(pair);
    }

    /// What the document at `place` comes to: the message, if there is one and nothing was wrong.
    pub(crate) fn finish(self, place: String, message: Option<Message>) -> Read {
        let problems = self.problems.into_inner();
        Read {
            place,
            outcome: message.filter(|_| problems.is_empty()).ok_or(problems),
            origins: self.origins.into_inner(),
        }
    }

    /// Marks a part as understood.
    pub(crate) fn know(&self, part: &Part<'n>) {
        self.known.borrow_mut().insert(part.node);
    }

    fn wrong_type(&self, part: &Part<'n>, expected: &str) {
        self.know(part);
        self.problem(ProblemCode::WrongType, part.place.as_str(), expected);
    }

    /// A member that is an object.
    pub(crate) fn object(&self, at: &Part<'n>, key: &str) -> Option<Part<'n>> {
        let part = at.member(key)?;
        if !part.is_object() {
            self.wrong_type(&part, "expected an object");
            return None;
        }
        self.know(&part);
        Some(part)
    }

    /// A member that must be there and is an object.
    pub(crate) fn required(&self, at: &Part<'n>, key: &str) -> Option<Part<'n>> {
        if at.member(key).is_none() {
            self.missing(at, key);
        }
        self.object(at, key)
    }

    /// Tells that a member says nothing, unless it is known to be wrong.
    pub(crate) fn missing(&self, at: &Part<'n>, key: &str) {
        let place = at.place_of(key);
        if !self.told(&place) {
            let what = format!("{key} is required");
            self.problem(ProblemCode::Missing, place, &what);
        }
    }

    /// The objects of a member that is a list.
    pub(crate) fn objects(&self, at: &Part<'n>, key: &str) -> Vec<Part<'n>> {
        let Some(list) = at.member(key) else {
            return Vec::new();
        };
        let Node::List(items) = list.node else {
            self.wrong_type(&list, "expected a list");
            return Vec::new();
        };
        self.know(&list);
        if items.len() > MAX_LINES {
            let what = format!("a list has at most {MAX_LINES} items");
            self.problem(ProblemCode::TooManyLines, list.place.as_str(), &what);
            return Vec::new();
        }
        let mut parts = Vec::new();
        for (index, node) in items.iter().enumerate() {
            let part = Part::new(node, format!("{}/{index}", list.place));
            if part.is_object() {
                self.know(&part);
                parts.push(part);
            } else {
                self.wrong_type(&part, "expected an object");
            }
        }
        parts
    }

    /// A member that is text or a number, as it was written; `None` where it is blank.
    pub(crate) fn words(&self, at: &Part<'n>, key: &str) -> Option<String> {
        self.own_words(&at.member(key)?)
    }

    pub(crate) fn own_words(&self, part: &Part<'n>) -> Option<String> {
        let text = match part.node {
            Node::Text(text) => text.trim().to_owned(),
            Node::Number(number) => number.to_string(),
            _ => {
                self.wrong_type(part, "expected a text");
                return None;
            }
        };
        self.know(part);
        (!text.is_empty()).then_some(text)
    }

    /// A member that is a code, a number or an identifier, in one spelling. `code` is what is told where it mixes
    /// digits of two scripts.
    pub(crate) fn plain(&self, at: &Part<'n>, key: &str, code: ProblemCode) -> Option<String> {
        self.own_plain(&at.member(key)?, code)
    }

    pub(crate) fn own_plain(&self, part: &Part<'n>, code: ProblemCode) -> Option<String> {
        let text = self.own_words(part)?;
        if mixes_digits(&text) {
            let what = "digits of two scripts are mixed in one value";
            self.problem(code, part.place.as_str(), what);
            return None;
        }
        let plain = normalise(&text).into_owned();
        (!plain.is_empty()).then_some(plain)
    }

    /// Lists the places of what was not understood; a part of which nothing was is named once.
    pub(crate) fn unread(&self, part: &Part<'n>, found: &mut Vec<String>) {
        let is_known = |node: &Node<'n>| {
            let address: *const Node<'n> = node;
            self.known.borrow().contains(&address)
        };
        let mut below = |node: &'n Node<'n>, place: &dyn Fn() -> String| match node {
            Node::Null => {}
            _ if !is_known(node) => found.push(place()),
            Node::Object(_) | Node::List(_) => self.unread(&Part::new(node, place()), found),
            _ => {}
        };
        match part.node {
            Node::Object(members) => {
                for (key, node) in members {
                    below(node, &|| part.place_of(key));
                }
            }
            Node::List(items) => {
                for (index, node) in items.iter().enumerate() {
                    below(node, &|| format!("{}/{index}", part.place));
                }
            }
            _ => {}
        }
    }
}

/// Whether a text has digits of more than one script.
fn mixes_digits(text: &str) -> bool {
    let has = |from: char, to: char| text.chars().any(|letter| (from..=to).contains(&letter));
    let scripts = [
        has('0', '9'),
        has('\u{660}', '\u{669}'),
        has('\u{6f0}', '\u{6f9}'),
    ];
    scripts.iter().filter(|has| **has).count() > 1
}
