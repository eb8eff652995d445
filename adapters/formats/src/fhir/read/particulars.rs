//! What is left of an element once all that has a place of its own was read: each leftover value becomes a
//! [`Supporting`] part whose category names the element (under [`ELEMENT`]) or the extension (under
//! [`EXTENSION`]) that it stood in. The table of R4 tells the type of each; nothing is interpreted.
//!
//! Not taken: modifier extensions (they change the meaning of what they stand in, so a hub that does not
//! know them must not pretend to), and types that no part can hold. Those stay unread.

use std::fmt::Write as _;

use takmil_domain::code::{Coded, Coding};
use takmil_domain::message::{Attachment, Supporting};
use takmil_domain::money::Quantity;
use takmil_domain::text::digits;

use super::cursor::Cursor;
use super::links::pointed;
use super::parties::author;
use super::values::{
    address, coded, concept, identifier, is_negative, measure, moment, money, name, period, single,
    unit_code,
};
use crate::fhir::r4::{self, Primitive, Structure, Type};
use crate::fhir::{ABSENT, ELEMENT, EXTENSION};

/// How long the URL of an extension may be that becomes a category, with those of the extensions around
/// it: each part of a complex extension is told with all of it.
const MAX_URL: usize = 300;

/// Takes what is left of `owner`, an element of the structure `structure`, into `parts`.
pub(super) fn sweep(owner: Cursor, structure: &'static str, parts: &mut Vec<Supporting>) {
    if let Some(known) = r4::named(structure) {
        members(owner, known, &Trail::of(structure), parts);
    }
}

/// Takes what is left of the extensions of `owner` alone.
pub(super) fn extensions(owner: Cursor, parts: &mut Vec<Supporting>) {
    let trail = Trail::of("");
    for inner in owner.items("extension") {
        extension(inner, "", &trail, parts);
    }
}

/// Where below the owner a leftover stands: a chain on the stack, spelt out for what is told alone.
#[derive(Clone, Copy)]
struct Trail<'t> {
    outer: Option<&'t Trail<'t>>,
    name: &'t str,
    index: Option<usize>,
}

impl<'t> Trail<'t> {
    /// The owner itself, an element of the structure `structure`.
    fn of(structure: &'t str) -> Self {
        Self {
            outer: None,
            name: structure,
            index: None,
        }
    }

    fn down(&'t self, name: &'t str, index: Option<usize>) -> Self {
        Self {
            outer: Some(self),
            name,
            index,
        }
    }

    /// Names alone: `Claim.diagnosis.type`.
    fn names(&self) -> String {
        match self.outer {
            None => self.name.to_owned(),
            Some(outer) => outer.names() + "." + self.name,
        }
    }

    /// With places in lists, from the owner down: `diagnosis[1].type`.
    fn places(&self) -> String {
        let Some(outer) = self.outer else {
            return String::new();
        };
        let mut places = outer.places();
        if !places.is_empty() {
            places.push('.');
        }
        places.push_str(self.name);
        if let Some(index) = self.index {
            // Writing to a string cannot fail.
            let _ = write!(places, "[{index}]");
        }
        places
    }

    /// The category of a leftover element. Its place is told where the names alone do not tell it.
    fn element(&self) -> Coded {
        Coded {
            text: Some(self.places()).filter(|places| places.contains('[')),
            ..Coded::new(ELEMENT, self.names())
        }
    }

    /// The category of a leftover extension.
    fn extension(&self, url: &str) -> Coded {
        Coded {
            text: Some(self.places()).filter(|places| !places.is_empty()),
            ..Coded::new(EXTENSION, url)
        }
    }
}

fn members(
    c: Cursor,
    structure: &'static Structure,
    trail: &Trail<'_>,
    parts: &mut Vec<Supporting>,
) {
    if c.is_marked() {
        return;
    }
    for (key, node) in c.node.members() {
        if is_frame(key, structure) || c.to(node).is_marked() {
            continue;
        }
        if &**key == "extension" {
            for inner in c.items(key) {
                extension(inner, "", trail, parts);
            }
            continue;
        }
        if let Some(bare) = key.strip_prefix('_') {
            // The extensions that stand beside a primitive.
            let at = trail.down(bare, None);
            let beside = c.items(key).flat_map(|one| one.items("extension"));
            beside.for_each(|inner| extension(inner, "", &at, parts));
            continue;
        }
        let Some((element, _, kind)) = structure.property(key) else {
            continue;
        };
        let many = node.items().len() > 1;
        for (index, item) in c.items(key).enumerate() {
            let at = trail.down(element.name, many.then_some(index));
            leftover(item, kind, &at, &|| at.element(), parts);
        }
    }
}

/// Members that say nothing of the matter, are read where something refers to them, or must not be taken.
fn is_frame(key: &str, structure: &Structure) -> bool {
    let everywhere = matches!(key, "id" | "modifierExtension");
    let of_resources = matches!(key, "resourceType" | "meta" | "text" | "contained");
    everywhere || structure.is_resource && of_resources
}

/// Takes what is left of one value of type `kind`.
fn leftover(
    c: Cursor,
    kind: Type,
    trail: &Trail<'_>,
    category: &dyn Fn() -> Coded,
    parts: &mut Vec<Supporting>,
) {
    if c.is_marked() {
        return;
    }
    let mut part = Supporting::default();
    if c.is_untouched() && fill(kind, c, &mut part) {
        part.category = Some(category());
        parts.push(part);
    }
    // What the part could not hold, an identifier's type for one, is told beside it.
    if let Type::Structure(index) = kind
        && let Some(structure) = r4::structure(index)
    {
        members(c, structure, trail, parts);
    }
}

fn extension(c: Cursor, outer: &str, trail: &Trail<'_>, parts: &mut Vec<Supporting>) {
    let Some(url) = c.node.text("url") else {
        return;
    };
    if url == ABSENT {
        // It says that nothing is there, and so does the message.
        return c.understood();
    }
    let url = if outer.is_empty() {
        url.to_owned()
    } else {
        format!("{outer}#{url}")
    };
    if url.len() > MAX_URL {
        return;
    }
    let before = parts.len();
    for inner in c.items("extension") {
        extension(inner, &url, trail, parts);
    }
    let Some(structure) = r4::named("Extension") else {
        return;
    };
    if let Some((suffix, value)) = c.choice("value")
        && let Some((_, _, kind)) = structure.property(&format!("value{suffix}"))
    {
        leftover(value, kind, trail, &|| trail.extension(&url), parts);
    }
    if parts.len() > before {
        c.text("url");
    }
}

/// Puts a value into the part of its kind. Says whether there is one for it.
pub(super) fn fill(kind: Type, c: Cursor, part: &mut Supporting) -> bool {
    match kind {
        Type::Primitive(primitive) => fill_primitive(primitive, c, part),
        Type::Structure(index) => {
            let name = r4::structure(index).map_or("", |structure| structure.name);
            fill_structure(name, c, part)
        }
        Type::Resource => false,
    }
}

fn fill_primitive(primitive: Primitive, c: Cursor, part: &mut Supporting) -> bool {
    match primitive {
        Primitive::Boolean => part.yes = c.as_bool(),
        Primitive::Date | Primitive::DateTime | Primitive::Instant => {
            part.timing = moment(c).map(single);
        }
        Primitive::Code => {
            let source = c.as_str().map(|code| Coding {
                code: digits(code).into_owned(),
                ..Coding::default()
            });
            part.coded = source.map(|source| Coded {
                source: Some(source),
                ..Coded::default()
            });
        }
        Primitive::Base64Binary | Primitive::Xhtml => {}
        number if number.is_number() => {
            if let Some(text) = c.as_number() {
                part.quantity = Quantity::parse(text);
                part.text = part.quantity.is_none().then(|| text.to_owned());
            }
        }
        _ => part.text = c.as_str().map(Into::into),
    }
    *part != Supporting::default()
}

fn fill_structure(structure: &str, c: Cursor, part: &mut Supporting) -> bool {
    match structure {
        "Coding" => part.coded = coded(c),
        "CodeableConcept" => part.coded = concept(c),
        "Period" => part.timing = period(c),
        "Money" => sum(c, part),
        "Identifier" => part.identifier = identifier(c),
        "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "MoneyQuantity"
        | "SimpleQuantity" => number(c, part),
        "Range" => part.text = between(c, ["low", "high"], " – "),
        "Ratio" => part.text = between(c, ["numerator", "denominator"], " : "),
        "Reference" => {
            (part.identifier, part.text) = pointed(c);
        }
        "HumanName" => part.text = name(c),
        "Address" => part.text = address(c),
        "ContactPoint" => part.text = c.text("value").map(Into::into),
        "Annotation" => {
            let by = author(c, "author").map(|name| format!("{name}: "));
            let words = c.text("text").unwrap_or_default();
            part.text = Some(format!("{}{words}", by.unwrap_or_default()));
            part.timing = c.get("time").and_then(moment).map(single);
        }
        "Attachment" => attachment(c, part),
        _ => return false,
    }
    *part != Supporting::default()
}

/// Money. What is below zero, taken back of an earlier amount, is told in words: an amount is 0 or more.
pub(super) fn sum(c: Cursor, part: &mut Supporting) {
    let value = c.node.get("value").and_then(|value| value.as_number());
    if value.is_some_and(is_negative) {
        part.text = c.number("value").map(Into::into);
        part.unit = c.text("currency").map(Into::into);
    } else {
        part.amount = money(c);
    }
}

/// A number with its unit; one that cannot be below zero, or is only a bound, in words.
fn number(c: Cursor, part: &mut Supporting) {
    let plain = c.get("comparator").is_none()
        && c.node
            .get("value")
            .and_then(|value| value.as_number())
            .is_none_or(|text| Quantity::parse(text).is_some());
    if !plain {
        let bound = c.text("comparator").unwrap_or_default();
        part.text = c.number("value").map(|text| format!("{bound}{text}"));
    }
    if let Some(measure) = plain.then(|| measure(c)).flatten() {
        part.quantity = measure.value;
        part.unit = measure.unit;
        part.unit_code = measure.coded;
    } else {
        part.unit = c.text("unit").map(Into::into);
        part.unit_code = unit_code(c);
    }
}

/// Two quantities in words.
fn between(c: Cursor, [first, second]: [&str; 2], sign: &str) -> Option<String> {
    let words = |key: &str| {
        let quantity = c.get(key)?;
        let unit = quantity.text("unit").or_else(|| quantity.text("code"));
        let value = quantity.number("value").unwrap_or_default();
        Some(unit.map_or(value.to_owned(), |unit| format!("{value} {unit}")))
    };
    let (one, other) = (words(first), words(second));
    (one.is_some() || other.is_some()).then(|| {
        format!(
            "{}{sign}{}",
            one.unwrap_or_default(),
            other.unwrap_or_default()
        )
    })
}

/// A document: told of among the message's attachments, and named by its title here.
pub(super) fn attachment(c: Cursor, part: &mut Supporting) {
    let mut attachments = c.reader.attachments.borrow_mut();
    let document = Attachment {
        media_type: c.text("contentType").map(Into::into),
        title: c.text("title").map(Into::into),
        bytes: c.count("size").map(u64::from),
        place: c.text("url").map(Into::into),
        ..Attachment::default()
    };
    if let Some(data) = c.get("data") {
        data.understood();
        data.origin(format!("/attachments/{}", attachments.len()));
    }
    part.text = document.title.clone().or(document.place.clone());
    part.timing = c.get("creation").and_then(moment).map(single);
    attachments.push(document);
}
