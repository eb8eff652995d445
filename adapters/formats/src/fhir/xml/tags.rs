//! The tags of an XML body one by one: its encoding, what may stand between tags, namespaces and
//! attributes. Everything of XML that FHIR has no use for is refused here.

use super::{FHIR, SCHEMA_INSTANCE, XHTML, first_forbidden, is_forbidden, is_name};
use crate::fhir::json::MAX_NODES;
use crate::fhir::tree::{Member, Node, Place};
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, BytesEnd, BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{Error, NsReader, XmlVersion};
use std::borrow::Cow;
use std::mem;
use takmil_domain::problem::{Problem, ProblemCode};

/// How many attributes a tag may have. FHIR needs three and a few namespaces; XML compares each with
/// all others.
const MAX_ATTRIBUTES: usize = 64;

/// The namespace that an element is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Fhir,
    Xhtml,
    Other,
}

/// A start tag with what its namespace resolved to and where it starts.
pub(super) struct Start<'a> {
    /// Its qualified name.
    pub(super) qualified: &'a str,
    /// Its name without a prefix.
    pub(super) name: &'a str,
    /// All that stands between its brackets.
    content: &'a str,
    pub(super) space: Space,
    pub(super) at: usize,
}

impl<'a> Start<'a> {
    /// Its attributes as they stand there.
    pub(super) fn raw_attributes(&self) -> Attributes<'a> {
        Attributes::new(self.content, self.qualified.len())
    }
}

/// The attributes of a tag that are neither namespaces nor hints at a schema.
#[derive(Default)]
pub(super) struct Attributed<'a> {
    /// The one that holds a primitive's value.
    pub(super) value: Option<Node<'a>>,
    /// The others.
    pub(super) others: Vec<Member<'a>>,
}

/// What follows inside the element that is open.
pub(super) enum Next<'a> {
    Start(Start<'a>),
    /// The end of the element, or of the body where no element is open.
    End,
}

/// A body that is being read.
pub(super) struct Tags<'a> {
    /// The whole body.
    pub(super) text: &'a str,
    encoding: &'static str,
    reader: NsReader<&'a [u8]>,
    open: usize,
    /// Whether the element that is open was written as one tag, so that its end needs no reading.
    is_empty: bool,
    elements: usize,
    /// Where the first character stands that XML cannot hold.
    forbidden: Option<usize>,
}

impl<'a> Tags<'a> {
    pub(super) fn new(text: &'a str, encoding: &'static str) -> Self {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.check_comments = true;
        let forbidden = first_forbidden(text);
        Self {
            text,
            encoding,
            reader,
            open: 0,
            is_empty: false,
            elements: 0,
            forbidden,
        }
    }

    pub(super) fn at(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    pub(super) fn problem(&self, code: ProblemCode, place: &Place<'_>, what: &str) -> Problem {
        let at = self.at();
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            .saturating_add(1);
        Problem::new(
            code,
            place.pointer(),
            format!("{what} (line {line}, before byte {})", at.saturating_add(1)),
        )
    }

    pub(super) fn malformed(&self, place: &Place<'_>, what: &str) -> Problem {
        self.problem(ProblemCode::Malformed, place, what)
    }

    fn syntax(&self, place: &Place<'_>, error: &Error) -> Problem {
        let what = match error {
            Error::IllFormed(_) => {
                "the tags do not match, or something stands where XML does not allow it"
            }
            Error::InvalidAttr(_) => "an attribute is not well-formed or stands twice",
            Error::Escape(_) => {
                "an entity is not one of XML's five, or a character reference is wrong"
            }
            Error::Namespace(_) => "a namespace's prefix is declared wrongly or not at all",
            _ => "the body is not well-formed XML",
        };
        self.malformed(place, what)
    }

    /// The next tag; what stands between tags is let pass or refused here.
    pub(super) fn next(&mut self, place: &Place<'_>) -> Result<Next<'a>, Problem> {
        loop {
            let at = self.at();
            let event = self.event(place)?;
            let refused = match event {
                Event::Start(tag) => return self.start(tag, at, place).map(Next::Start),
                Event::End(_) => {
                    self.open = self.open.saturating_sub(1);
                    return Ok(Next::End);
                }
                Event::Eof if self.open == 0 => return Ok(Next::End),
                Event::Text(text) if text.bytes().all(|byte| b" \t\r\n".contains(&byte)) => {
                    continue;
                }
                Event::Comment(_) => continue,
                Event::Decl(declaration) if at == 0 => {
                    self.declaration(&declaration)?;
                    continue;
                }
                Event::Eof => "the body ends before its last end tag",
                Event::DocType(_) => "a document type declaration is not allowed",
                Event::PI(_) | Event::Decl(_) => "a processing instruction is not allowed",
                _ => "text stands where FHIR has elements and attributes only",
            };
            return Err(self.malformed(place, refused));
        }
    }

    /// Ends the element that is open, if it was written as one tag.
    pub(super) fn close_empty(&mut self) -> bool {
        let is_empty = mem::take(&mut self.is_empty);
        self.open = self.open.saturating_sub(usize::from(is_empty));
        is_empty
    }

    fn event(&mut self, place: &Place<'_>) -> Result<Event<'a>, Problem> {
        if mem::take(&mut self.is_empty) {
            return Ok(Event::End(BytesEnd::new("")));
        }
        let event = match self.reader.read_event() {
            Ok(Event::Empty(tag)) => {
                self.is_empty = true;
                Event::Start(tag)
            }
            Ok(event) => event,
            Err(error) => return Err(self.syntax(place, &error)),
        };
        if self
            .forbidden
            .is_some_and(|forbidden| forbidden < self.at())
        {
            // The tag that holds it, if it is one, is not on the path yet.
            let name = match &event {
                Event::Start(tag) => tag.local_name().into_inner().to_owned(),
                _ => String::new(),
            };
            let inner = place.key(&name);
            let place = if name.is_empty() || !is_name(&name) {
                place
            } else {
                &inner
            };
            let what = "the body holds a control character that XML does not allow";
            return Err(self.problem(ProblemCode::ControlCharacter, place, what));
        }
        Ok(event)
    }

    fn start(
        &mut self,
        tag: BytesStart<'a>,
        at: usize,
        place: &Place<'_>,
    ) -> Result<Start<'a>, Problem> {
        self.open = self.open.saturating_add(1);
        self.elements = self.elements.saturating_add(1);
        if self.elements > MAX_NODES {
            return Err(self.problem(
                ProblemCode::TooLarge,
                place,
                "the body holds more elements than the hub reads",
            ));
        }
        // Each attribute takes a byte at least.
        let may_have_many = tag.len() > MAX_ATTRIBUTES;
        let mut attributes = tag.attributes();
        if may_have_many && attributes.with_checks(false).nth(MAX_ATTRIBUTES).is_some() {
            let what = "a tag has more attributes than the hub reads";
            return Err(self.problem(ProblemCode::TooLarge, place, what));
        }
        let (resolved, local) = self.reader.resolver().resolve_element(tag.name());
        let space = match resolved {
            ResolveResult::Bound(space) if space.into_inner() == FHIR => Space::Fhir,
            ResolveResult::Bound(space) if space.into_inner() == XHTML => Space::Xhtml,
            ResolveResult::Bound(_) | ResolveResult::Unbound => Space::Other,
            ResolveResult::Unknown(_) => {
                return Err(self.malformed(place, "a namespace's prefix is not declared"));
            }
        };
        // The same text as the tag's, but as long-lived as the body.
        let rest = self.text.get(at..).unwrap_or_default();
        let rest = rest.strip_prefix('\u{feff}').unwrap_or(rest).get(1..);
        let content = rest.and_then(|rest| rest.get(..tag.len()));
        let content = content.unwrap_or_default();
        let qualified = content.get(..tag.name().into_inner().len());
        let qualified = qualified.unwrap_or_default();
        let prefix = qualified.len().saturating_sub(local.into_inner().len());
        Ok(Start {
            qualified,
            name: qualified.get(prefix..).unwrap_or_default(),
            content,
            space,
            at,
        })
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), Problem> {
        let version = declaration
            .version()
            .map_err(|error| self.syntax(&Place::ROOT, &error))?;
        if version != "1.0" {
            return Err(self.malformed(&Place::ROOT, "XML must be of version 1.0"));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(declared)) if declared.eq_ignore_ascii_case(self.encoding) => Ok(()),
            Some(_) => {
                let what = format!(
                    "the body is {}, but declares another encoding",
                    self.encoding
                );
                Err(self.problem(ProblemCode::NotText, &Place::ROOT, &what))
            }
        }
    }

    pub(super) fn finish(&mut self, place: &Place<'_>) -> Result<(), Problem> {
        match self.next(place)? {
            Next::End => Ok(()),
            Next::Start(_) => {
                Err(self.malformed(place, "more follows after the end of the element"))
            }
        }
    }

    pub(super) fn attributes(
        &self,
        start: &Start<'a>,
        place: &Place<'_>,
    ) -> Result<Attributed<'a>, Problem> {
        let mut found = Attributed::default();
        let mut attributes = start.raw_attributes();
        // One alone stands not twice, and most tags have one.
        let signs = start.content.bytes().filter(|byte| *byte == b'=').count();
        for attribute in attributes.with_checks(signs > 1) {
            let attribute =
                attribute.map_err(|error| self.syntax(place, &Error::InvalidAttr(error)))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            match self.reader.resolver().resolve_attribute(attribute.key) {
                (ResolveResult::Unbound, _) => {}
                (ResolveResult::Bound(space), _) if space.into_inner() == SCHEMA_INSTANCE => {
                    continue;
                }
                _ => {
                    return Err(self.problem(
                        ProblemCode::Unknown,
                        place,
                        "an attribute is not one of FHIR's",
                    ));
                }
            }
            if attribute.value.bytes().any(|byte| byte == b'<') {
                return Err(self.malformed(place, "an attribute holds a raw <"));
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|error| self.syntax(place, &error))?;
            // What stands there as it is was looked at with the body; what is escaped was not.
            if matches!(&value, Cow::Owned(value) if first_forbidden(value).is_some()) {
                let what = "an attribute holds a control character that XML does not allow";
                return Err(self.problem(ProblemCode::ControlCharacter, place, what));
            }
            match attribute.key.into_inner() {
                "value" => found.value = Some(Node::String(value)),
                name => found.others.push((name.into(), Node::String(value))),
            }
        }
        Ok(found)
    }

    /// Walks to the end of the XHTML element that is open.
    pub(super) fn xhtml(&mut self, place: &Place<'_>) -> Result<(), Problem> {
        let outside = self.open.saturating_sub(1);
        while self.open > outside {
            let at = self.at();
            match self.event(place)? {
                Event::Start(tag) => {
                    let start = self.start(tag, at, place)?;
                    self.attributes(&start, place)?;
                    if start.space != Space::Xhtml {
                        let what = "a narrative holds an element that is not XHTML";
                        return Err(self.problem(ProblemCode::Unknown, place, what));
                    }
                }
                Event::End(_) => self.open = self.open.saturating_sub(1),
                Event::GeneralRef(entity) if is_plain(&entity) => {}
                Event::Text(_) | Event::CData(_) | Event::Comment(_) => {}
                Event::GeneralRef(_) => {
                    return Err(self.malformed(place, "an entity is not one of XML's five"));
                }
                _ => {
                    return Err(self.malformed(
                        place,
                        "a narrative holds more than XHTML's elements and text",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The body's text and the name of its encoding: UTF-8, or UTF-16 with a byte order mark.
pub(super) fn decode(body: &[u8]) -> Result<(Cow<'_, str>, &'static str), Problem> {
    let name = match body {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        [0, _, ..] | [_, 0, ..] => {
            let detail = "UTF-16 needs a byte order mark";
            return Err(Problem::new(ProblemCode::NotText, "", detail));
        }
        _ => "UTF-8",
    };
    Ok((crate::encoding::decode(body, None)?, name))
}

/// Whether a reference in text is one of XML's five entities or a character that XML can hold.
fn is_plain(entity: &BytesRef<'_>) -> bool {
    match entity.resolve_char_ref() {
        Ok(Some(character)) => !is_forbidden(character),
        Ok(None) => matches!(&**entity, "lt" | "gt" | "amp" | "quot" | "apos"),
        Err(_) => false,
    }
}
