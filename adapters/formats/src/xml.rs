//! The little of XML that layouts of data use: elements with attributes and text, by name and place. Document types,
//! processing instructions and entities beyond XML's five are refused, so that a body reaches nothing outside and cannot
//! swell.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::cell::Cell;
use std::collections::BTreeMap;
use takmil_domain::problem::{Problem, ProblemCode};

use crate::MAX_DEPTH;

/// How many elements a body may have: ten thousand claims of a hundred elements each.
const MAX_ELEMENTS: usize = 1_000_000;

/// How many attributes an element may have: each is compared with those before it.
const MAX_ATTRIBUTES: usize = 64;

/// How much of a body is looked at: comments and declarations may stand before the first element.
const WINDOW: usize = 64 * 1024;

/// An element with what it holds.
#[derive(Debug)]
pub(crate) struct Element {
    /// Its name without a prefix.
    pub(crate) name: String,
    /// Where it stands: `/Claim.Submission/Claim[2]/Net`.
    pub(crate) place: String,
    /// The line it starts in, from 1.
    pub(crate) line: usize,
    text: String,
    /// Its attributes by their names without a prefix, but for those that name namespaces and schemas, or say why
    /// nothing is said.
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    /// How many children of a numbered name it has so far.
    counts: BTreeMap<String, usize>,
    is_read: Cell<bool>,
}

impl Element {
    /// Its children of a name.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        let named = self.children.iter().filter(move |child| child.name == name);
        named.inspect(|child| child.is_read.set(true))
    }

    /// Its first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        let child = self.children.iter().find(|child| child.name == name)?;
        child.is_read.set(true);
        Some(child)
    }

    /// The same, without taking it as read.
    pub(crate) fn peek(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text, where there is some.
    pub(crate) fn said(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// An attribute that says something.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let named = self.attributes.iter().find(|(own, _)| own == name);
        let value = named.map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// Takes it for read, whatever becomes of what it holds.
    pub(crate) fn know(&self) {
        self.is_read.set(true);
    }

    /// Takes it for read with all that it holds.
    pub(crate) fn know_all(&self) {
        self.is_read.set(true);
        self.children.iter().for_each(Element::know_all);
    }

    /// The text of its first child of a name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name)?.said()
    }

    /// Where a child stands, or would.
    pub(crate) fn place_of(&self, name: &str) -> String {
        let child = self.children.iter().find(|child| child.name == name);
        child.map_or_else(
            || format!("{}/{name}", self.place),
            |child| child.place.clone(),
        )
    }

    /// The places of what is in it and was not read, children of the name `but` aside.
    pub(crate) fn unread(&self, but: Option<&str>, places: &mut Vec<String>) {
        for child in self
            .children
            .iter()
            .filter(|own| Some(own.name.as_str()) != but)
        {
            match child.is_read.get() {
                true => child.unread(None, places),
                false
                    if child.said().is_some()
                        || !child.children.is_empty()
                        || !child.attributes.is_empty() =>
                {
                    places.push(child.place.clone());
                }
                false => {}
            }
        }
    }

    /// All its children, without taking them as read.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Element> {
        self.children.iter()
    }

    fn problem(&self, code: ProblemCode, what: &str) -> Problem {
        Problem::new(
            code,
            self.place.as_str(),
            format!("{what} (line {})", self.line),
        )
    }
}

/// The name of a body's first element, without a prefix, where the body looks like XML. A cheap look, that judges nothing.
pub(crate) fn root(body: &[u8]) -> Option<String> {
    let skipped = |byte: &u8| {
        matches!(byte, 0 | 0xef | 0xbb | 0xbf | 0xff | 0xfe) || byte.is_ascii_whitespace()
    };
    let mut window = body.get(..WINDOW).unwrap_or(body).to_vec();
    let start = window.iter().position(|byte| !skipped(byte));
    window.drain(..start.unwrap_or(window.len()));
    // In UTF-16 every other byte is zero for the letters that matter here.
    window.retain(|byte| *byte != 0);
    let text = String::from_utf8_lossy(&window);
    let tags = text.strip_prefix('<')?;
    let mut tags = tags.split('<');
    let root = tags.find(|tag| !tag.starts_with(['?', '!']))?;
    let name = root.split([' ', '\t', '\r', '\n', '>', '/']).next()?;
    name.rsplit(':').next().map(str::to_owned)
}

/// A problem with an element, or with its parent where it is missing: with the line.
pub(crate) fn problem(at: &Element, child: &str, code: ProblemCode, what: &str) -> Problem {
    match at.children.iter().find(|own| own.name == child) {
        Some(child) => child.problem(code, what),
        None => Problem {
            pointer: at.place_of(child),
            ..at.problem(code, what)
        },
    }
}

/// Reads a whole body, in which elements of some names may stand several times: those are numbered in places.
///
/// # Errors
/// The first thing that is wrong, with its place and line.
pub(crate) fn parse(text: &str, is_repeated: fn(&str) -> bool) -> Result<Element, Problem> {
    let mut tree = Tree {
        text,
        is_repeated,
        open: Vec::new(),
        root: None,
        count: 0,
        at: 0,
        line: 1,
    };
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    loop {
        let event = reader.read_event();
        tree.reach(usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        match event {
            Ok(Event::Start(start)) => tree.start(&start)?,
            Ok(Event::Empty(start)) => {
                tree.start(&start)?;
                tree.end();
            }
            Ok(Event::End(_)) => tree.end(),
            Ok(Event::Text(text)) => {
                tree.say(&text, false)?;
            }
            Ok(Event::CData(data)) => tree.say(&data, true)?,
            Ok(Event::GeneralRef(entity)) => tree.entity(&entity)?,
            Ok(Event::Comment(_) | Event::Decl(_)) => {}
            Ok(Event::DocType(_)) => return Err(tree.malformed("a document type is not taken")),
            Ok(Event::PI(_)) => return Err(tree.malformed("a processing instruction is not taken")),
            Ok(Event::Eof) => break,
            Err(_) => {
                let what = "the tags do not match, or something stands where XML does not allow it";
                return Err(tree.malformed(what));
            }
        }
    }
    if !tree.open.is_empty() {
        return Err(tree.malformed("the body ends before its elements do"));
    }
    let missing = tree.malformed("the body holds no element");
    tree.root.ok_or(missing)
}

/// What has been read so far.
struct Tree<'t> {
    text: &'t str,
    is_repeated: fn(&str) -> bool,
    open: Vec<Element>,
    root: Option<Element>,
    count: usize,
    at: usize,
    line: usize,
}

impl Tree<'_> {
    fn reach(&mut self, at: usize) {
        let passed = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        let lines = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(lines);
        self.at = at;
    }

    fn refuse(&self, code: ProblemCode, what: &str) -> Problem {
        let place = self.open.last().map_or("", |open| open.place.as_str());
        Problem::new(code, place, format!("{what} (line {})", self.line))
    }

    fn malformed(&self, what: &str) -> Problem {
        self.refuse(ProblemCode::Malformed, what)
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Problem> {
        self.count = self.count.saturating_add(1);
        if self.count > MAX_ELEMENTS {
            let what = format!("a body has at most {MAX_ELEMENTS} elements");
            return Err(self.refuse(ProblemCode::TooLarge, &what));
        }
        if self.open.len() >= MAX_DEPTH {
            let what = format!("elements are nested at most {MAX_DEPTH} deep");
            return Err(self.refuse(ProblemCode::TooDeep, &what));
        }
        if self.root.is_some() {
            return Err(self.malformed("an element follows after the end of the first"));
        }
        let name = start.local_name();
        let name = name.as_ref();
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || !name.as_bytes().iter().all(is_name) {
            return Err(self.malformed("an element's name is none of the layouts'"));
        }
        let place = match self.open.last_mut() {
            None => format!("/{name}"),
            Some(parent) => {
                // Only what may stand several times is numbered.
                match (self.is_repeated)(name) {
                    true => {
                        let count = parent.counts.entry(name.to_owned()).or_default();
                        *count = count.saturating_add(1);
                        format!("{}/{name}[{count}]", parent.place)
                    }
                    false => format!("{}/{name}", parent.place),
                }
            }
        };
        let attributes = self.attributes(start)?;
        self.open.push(Element {
            name: name.to_owned(),
            attributes,
            place,
            line: self.line,
            text: String::new(),
            children: Vec::new(),
            counts: BTreeMap::new(),
            is_read: Cell::new(false),
        });
        Ok(())
    }

    fn attributes(&self, start: &BytesStart<'_>) -> Result<Vec<(String, String)>, Problem> {
        let mut found = Vec::new();
        for (count, attribute) in start.attributes().enumerate() {
            if count >= MAX_ATTRIBUTES {
                let what = format!("an element has at most {MAX_ATTRIBUTES} attributes");
                return Err(self.refuse(ProblemCode::TooLarge, &what));
            }
            let broken = "an attribute is not well-formed, or stands twice";
            let own = attribute.map_err(|_| self.malformed(broken))?;
            let name: &str = own.key.as_ref();
            if name == "xmlns" || name.starts_with("xmlns:") || name.ends_with("chemaLocation") {
                continue;
            }
            let value = own.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|_| self.malformed(broken))?;
            if value
                .chars()
                .any(|letter| letter.is_control() && letter != '\n')
            {
                let what = "text holds a control character";
                return Err(self.refuse(ProblemCode::ControlCharacter, what));
            }
            let local = own.key.local_name();
            let local: &str = local.as_ref();
            if local == "nullFlavor" {
                continue;
            }
            found.push((local.to_owned(), value.into_owned()));
        }
        Ok(found)
    }

    fn end(&mut self) {
        let Some(done) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
    }

    fn say(&mut self, text: &str, always: bool) -> Result<(), Problem> {
        let is_forbidden =
            |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
        if text.contains(is_forbidden) {
            return Err(self.refuse(
                ProblemCode::ControlCharacter,
                "text holds a control character",
            ));
        }
        match self.open.last_mut() {
            Some(open) => open.text.push_str(text),
            None if always
                || !text
                    .trim_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
                    .is_empty() =>
            {
                return Err(self.malformed("text stands outside of the first element"));
            }
            None => {}
        }
        Ok(())
    }

    fn entity(&mut self, entity: &BytesRef<'_>) -> Result<(), Problem> {
        let letter = match entity.resolve_char_ref() {
            Ok(Some(letter)) => Some(letter),
            Ok(None) => match &**entity {
                "lt" => Some('<'),
                "gt" => Some('>'),
                "amp" => Some('&'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => None,
            },
            Err(_) => None,
        };
        match letter {
            Some(letter) => self.say(letter.encode_utf8(&mut [0; 4]), true),
            None => Err(self.malformed("an entity is not one of XML's five")),
        }
    }
}
