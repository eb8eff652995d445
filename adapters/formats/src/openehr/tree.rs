//! One tree for the three shapes in which compositions are sent: parts by their id in the template, and by their node id
//! where the shape tells it, with attributes by the names that the FLAT shape has for them.

use std::borrow::Cow;
use std::cell::Cell;

use takmil_domain::text::normalise;

/// A part of a composition.
#[derive(Debug, Default)]
pub(super) struct Item<'n> {
    /// Its id in the template, without a number: `medication_order`.
    pub(super) id: String,
    /// What its author called it, where the shape tells that.
    pub(super) name: Option<String>,
    /// Its node id: an archetype's where one begins here, else an at-code. Only the canonical shape tells it.
    pub(super) node: Option<String>,
    /// Its pointer into the body; none where the shape has no place for the part itself.
    pub(super) place: Option<String>,
    /// What it says: attribute by attribute, the main one under the empty name.
    pub(super) said: Vec<Said<'n>>,
    /// Its parts.
    pub(super) parts: Vec<Item<'n>>,
    is_read: Cell<bool>,
}

/// One attribute with its value.
#[derive(Debug)]
pub(super) struct Said<'n> {
    pub(super) attribute: &'n str,
    pub(super) value: Cow<'n, str>,
    pub(super) place: String,
    is_read: Cell<bool>,
}

/// A concept of an archetype: its at-code there, and the id that templates give it. Either may be empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Concept(pub(super) &'static str, pub(super) &'static str);

impl<'n> Item<'n> {
    pub(super) fn new(id: impl Into<String>, place: Option<String>) -> Self {
        Self {
            id: id.into(),
            place,
            ..Self::default()
        }
    }

    pub(super) fn say(
        &mut self,
        attribute: &'n str,
        value: impl Into<Cow<'n, str>>,
        place: String,
    ) {
        self.said.push(Said {
            attribute,
            value: value.into(),
            place,
            is_read: Cell::new(false),
        });
    }

    /// Whether it is the concept: by its node id where it has one, else by its id in the template.
    pub(super) fn is(&self, concept: Concept) -> bool {
        match &self.node {
            Some(node) => node == concept.0,
            None => self.id == concept.1,
        }
    }

    /// Whether an archetype of this name begins here, of whatever version and specialisation.
    pub(super) fn is_archetype(&self, name: &str) -> bool {
        let node = self.node.as_deref().unwrap_or_default();
        let rest = node.strip_prefix("openEHR-EHR-");
        let rest = rest.and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with(['.', '-']))
    }

    /// Whether an archetype of this name and one of these versions begins here.
    pub(super) fn is_version(&self, name: &str, versions: &[&str]) -> bool {
        let node = self.node.as_deref().unwrap_or_default();
        let version = node.rsplit_once(".v").map(|(_, version)| version);
        let major = version.and_then(|version| version.split('.').next());
        self.is_archetype(name) && major.is_some_and(|major| versions.contains(&major))
    }

    /// A place that leads to it: its own, else that of the first thing it says.
    pub(super) fn anchor(&self) -> &str {
        let own = self.place.as_deref();
        let said = || self.said.first().map(|said| said.place.as_str());
        let below = || self.parts.first().map(Item::anchor);
        own.or_else(said).or_else(below).unwrap_or_default()
    }

    /// Takes the part itself for understood, whatever becomes of what it holds.
    pub(super) fn know(&self) {
        self.is_read.set(true);
    }

    /// Takes it for understood with all that it holds.
    pub(super) fn know_all(&self) {
        self.know();
        self.said.iter().for_each(|said| said.is_read.set(true));
        self.parts.iter().for_each(Item::know_all);
    }

    /// Its parts of an id.
    pub(super) fn all<'i>(&'i self, id: &'i str) -> impl Iterator<Item = &'i Item<'n>> {
        let named = self.parts.iter().filter(move |part| part.id == id);
        named.inspect(|part| part.know())
    }

    /// Its first part of an id.
    pub(super) fn part(&self, id: &str) -> Option<&Item<'n>> {
        let part = self.parts.iter().find(|part| part.id == id)?;
        part.know();
        Some(part)
    }

    /// An attribute's value as it stands; `None` where it is blank.
    pub(super) fn words(&self, attribute: &str) -> Option<&str> {
        let said = self.said.iter().find(|said| said.attribute == attribute)?;
        self.know();
        said.is_read.set(true);
        Some(&*said.value).filter(|value| !value.trim().is_empty())
    }

    /// Where an attribute stands, or would.
    pub(super) fn place_of(&self, attribute: &str) -> &str {
        let said = self.said.iter().find(|said| said.attribute == attribute);
        said.map_or_else(|| self.anchor(), |said| said.place.as_str())
    }

    /// An attribute that is a code or an identifier, in one spelling.
    pub(super) fn plain(&self, attribute: &str) -> Option<String> {
        let plain = normalise(self.words(attribute)?).trim().to_owned();
        (!plain.is_empty()).then_some(plain)
    }

    /// What it says in words.
    pub(super) fn text(&self) -> Option<&str> {
        self.words("").or_else(|| self.words("value"))
    }

    /// The places of what was not understood; of a part of which nothing was, its own alone, where it has one.
    pub(super) fn unread(&self, found: &mut Vec<String>) {
        if !self.is_read.get()
            && let Some(place) = &self.place
        {
            found.push(place.clone());
            return;
        }
        let said = self.said.iter().filter(|said| !said.is_read.get());
        found.extend(said.map(|said| said.place.clone()));
        self.parts.iter().for_each(|part| part.unread(found));
    }
}

/// A pointer one step further.
pub(super) fn below(place: &str, step: &str) -> String {
    let step = step.replace('~', "~0").replace('/', "~1");
    format!("{place}/{step}")
}
