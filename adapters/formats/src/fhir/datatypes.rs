//! Canonical values as FHIR's datatypes. Whatever is written here R4 allows and XML can hold: what a value
//! has beyond that is left out, and nothing is made up for it.

use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::{Date, When};
use takmil_domain::ids::Identifier;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::reason::Reason;

use crate::fhir::REFERENCE;
use crate::fhir::r4::{self, Primitive};
use crate::fhir::tree::{Member, Node};

/// The code system of the hub's reasons.
pub(super) const REASONS: &str = "urn:takmil:reason";

/// The system of the clinical rules' codes.
pub(super) const FINDINGS: &str = "urn:takmil:clinical-rule";

/// The system of the hub's own names of insurers.
pub(super) const PARTICIPANTS: &str = "urn:takmil:participant";

/// The extension that names the insurer an amount belongs to.
pub(super) const INSURER: &str = "urn:takmil:fhir:insurer";

/// An object being put together. Nothing empty gets into it.
#[derive(Default)]
pub(super) struct Object(Vec<Member<'static>>);

impl Object {
    /// An empty element.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// An empty resource.
    pub(super) fn resource(kind: &'static str) -> Self {
        Self::new().put("resourceType", kind)
    }

    /// Adds a member.
    pub(super) fn put(mut self, key: &'static str, value: impl Into<Node<'static>>) -> Self {
        self.0.push((key.into(), value.into()));
        self
    }

    /// Adds a member, where there is a value for it.
    pub(super) fn maybe(self, key: &'static str, value: Option<impl Into<Node<'static>>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// Adds a list, where it has items.
    pub(super) fn list(
        self,
        key: &'static str,
        items: impl IntoIterator<Item = Node<'static>>,
    ) -> Self {
        let items: Vec<Node<'static>> = items.into_iter().collect();
        let items = (!items.is_empty()).then_some(Node::Array(items));
        self.maybe(key, items)
    }

    /// The object, if anything is in it.
    pub(super) fn filled(self) -> Option<Self> {
        (!self.0.is_empty()).then_some(self)
    }

    /// Whether it is a resource of which nothing but the type is told.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.0.as_slice(), [(key, _)] if key == "resourceType")
    }

    /// Whether it has a member of that name.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(own, _)| own == key)
    }
}

impl From<Object> for Node<'static> {
    fn from(object: Object) -> Node<'static> {
        Node::Object(object.0)
    }
}

/// Words, without the characters that FHIR or XML forbids; none where nothing is left.
pub(super) fn words(text: &str) -> Option<Node<'static>> {
    let allowed = |letter: &char| match letter {
        '\t' | '\n' | '\r' => true,
        _ => !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}'),
    };
    let clean: String = text.chars().filter(allowed).collect();
    (!clean.is_empty()).then(|| Node::from(clean))
}

/// The text as a value of `kind`, where it is one.
pub(super) fn primitive(kind: Primitive, text: &str) -> Option<Node<'static>> {
    let node = words(text)?;
    kind.check(&node).is_ok().then_some(node)
}

/// A date or time as a `date`, where it is a date alone.
pub(super) fn date(when: &When) -> Option<Node<'static>> {
    primitive(Primitive::Date, when.as_str())
}

/// A date or time as a `dateTime`, or its day where FHIR would want its seconds or offset.
pub(super) fn date_time(when: &When) -> Option<Node<'static>> {
    let day = || Some(Node::from(when.day()?.to_string()));
    primitive(Primitive::DateTime, when.as_str()).or_else(day)
}

/// The days from `start` to `end`.
pub(super) fn days(start: Date, end: Option<Date>) -> Node<'static> {
    Object::new()
        .put("start", start.to_string())
        .maybe("end", end.map(|end| end.to_string()))
        .into()
}

/// How amounts are written: the currency, and how many digits it had after the point on the day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Money {
    currency: Currency,
    exponent: u32,
}

impl Money {
    /// Amounts of `currency` as it was on `day`.
    pub(super) fn new(currency: Currency, day: Date) -> Self {
        Self {
            currency,
            exponent: currency.exponent(day),
        }
    }

    /// An amount.
    pub(super) fn of(self, amount: Amount) -> Node<'static> {
        self.units(amount.get())
    }

    /// An amount of so many smallest units.
    pub(super) fn units(self, units: i64) -> Node<'static> {
        let named = (self.currency != Currency::NONE).then(|| self.currency.as_str().to_owned());
        Object::new()
            .put("value", Node::number(self.decimal(units)))
            .maybe("currency", named)
            .into()
    }

    /// An amount in words: "135.50 MAD".
    pub(super) fn words(self, amount: Amount) -> String {
        let value = self.decimal(amount.get());
        match self.currency {
            Currency::NONE => value,
            currency => format!("{value} {currency}"),
        }
    }

    /// Exact decimal digits. Limits may be larger than any amount, so this is plain text work.
    fn decimal(self, units: i64) -> String {
        let places = usize::try_from(self.exponent).unwrap_or(0);
        let mut decimal = units.unsigned_abs().to_string();
        if places > 0 {
            let missing = places.saturating_add(1).saturating_sub(decimal.len());
            decimal.insert_str(0, &"0".repeat(missing));
            decimal.insert(decimal.len().saturating_sub(places), '.');
        }
        if units < 0 {
            decimal.insert(0, '-');
        }
        decimal
    }
}

/// A concept of one coding.
pub(super) fn concept(
    system: &'static str,
    code: &'static str,
    display: Option<&'static str>,
) -> Node<'static> {
    let coding = Object::new()
        .put("system", system)
        .put("code", code)
        .maybe("display", display);
    Object::new().list("coding", [coding.into()]).into()
}

/// A reason, with its meaning in words.
pub(super) fn reason(reason: Reason) -> Node<'static> {
    let coding = Object::new()
        .put("system", REASONS)
        .put("code", reason.code());
    Object::new()
        .list("coding", [coding.into()])
        .put("text", reason.meaning())
        .into()
}

/// A sender's concept, as it was given.
pub(super) fn coded(coded: &Coded) -> Option<Node<'static>> {
    let concept = Object::new()
        .list("coding", coded.codings().filter_map(coding))
        .maybe("text", coded.text.as_deref().and_then(words));
    filled(concept)
}

pub(super) fn coding(coding: &Coding) -> Option<Node<'static>> {
    let code = coding.code.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = Object::new()
        .maybe("system", primitive(Primitive::Uri, &coding.system))
        .maybe("version", coding.version.as_deref().and_then(words))
        .maybe("code", primitive(Primitive::Code, &code))
        .maybe("display", coding.display.as_deref().and_then(words));
    filled(parts)
}

/// An identifier as the sender gave it.
pub(super) fn identifier(identifier: &Identifier) -> Option<Node<'static>> {
    let value = words(&identifier.value)?;
    let system = primitive(Primitive::Uri, &identifier.system);
    Some(
        Object::new()
            .maybe("system", system)
            .put("value", value)
            .into(),
    )
}

/// A participant under the hub's own name for it.
pub(super) fn participant(name: &str) -> Node<'static> {
    let identifier = Object::new()
        .put("system", PARTICIPANTS)
        .put("value", name.to_owned());
    Object::new()
        .put("identifier", identifier)
        .put("display", name.to_owned())
        .into()
}

/// The extension that names an insurer.
pub(super) fn insurer(name: &str) -> Node<'static> {
    let identifier = Object::new()
        .put("system", PARTICIPANTS)
        .put("value", name.to_owned());
    Object::new()
        .put("url", INSURER)
        .put("valueIdentifier", identifier)
        .into()
}

/// A reference by what the sender's message names the target with: literally where it was sent so, and by
/// its first number. `targets` are the resource types that R4 allows here.
///
/// References into the sender's own body (`#p1`, `urn:uuid:…`) lead nowhere from an answer; they are told
/// only where there is nothing else to tell.
pub(super) fn reference(identifiers: &[Identifier], targets: &[&str]) -> Option<Node<'static>> {
    let number = identifiers
        .iter()
        .find(|known| known.system != REFERENCE)
        .and_then(identifier);
    let literal: Vec<&str> = identifiers
        .iter()
        .filter(|known| known.system == REFERENCE && leads_to(&known.value, targets))
        .map(|known| known.value.as_str())
        .collect();
    let abroad = literal.iter().find(|text| !text.starts_with("urn:"));
    let inner = literal.first().filter(|_| number.is_none());
    let literal = abroad.or(inner).and_then(|text| words(text));
    filled(
        Object::new()
            .maybe("reference", literal)
            .maybe("identifier", number),
    )
}

/// Whether a literal reference may stand where one of `targets` is wanted.
fn leads_to(reference: &str, targets: &[&str]) -> bool {
    let path = reference.split(['?', '#']).next().unwrap_or_default();
    let path = path
        .split_once("/_history/")
        .map_or(path, |(before, _)| before);
    let named = path
        .rsplit('/')
        .nth(1)
        .filter(|kind| r4::resource(kind).is_some());
    let fits = named.is_none_or(|kind| targets.is_empty() || targets.contains(&kind));
    fits && !path.is_empty() && !reference.contains(char::is_whitespace)
}

/// A reference in words alone.
pub(super) fn described(text: impl Into<Node<'static>>) -> Node<'static> {
    Object::new().put("display", text).into()
}

fn filled(object: Object) -> Option<Node<'static>> {
    object.filled().map(Node::from)
}
