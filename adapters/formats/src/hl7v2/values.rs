//! The data types of HL7 v2 as the canonical model's values. What cannot be read is a problem with its place.

use std::cell::{Cell, RefCell};
use takmil_domain::code::{Code, Coded, Coding};
use takmil_domain::date::{Date, Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::Supporting;
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::party::Party;
use takmil_domain::prescription::Measure;
use takmil_domain::problem::{Problem, ProblemCode};

use super::er7::{Part, Repeat, Segment};
use crate::Context;

/// The system of a code of one of HL7's own tables, or of a coding system by its name in table 0396.
pub(super) fn table(name: &str) -> String {
    format!("hl7v2:{name}")
}

/// With how many of a list's last parts a new one is compared before it is taken for new: more than real messages have,
/// and few enough that a hostile one does not cost their square.
pub(super) const COMPARED: usize = 200;

/// Whether a part is among the last of a list.
pub(super) fn is_among<T: PartialEq>(list: &[T], own: &T) -> bool {
    list.iter().rev().take(COMPARED).any(|other| other == own)
}

/// A message that is being read: its segments, and what was found on the way.
pub(super) struct Reader<'m> {
    pub(super) segments: &'m [Segment<'m>],
    pub(super) context: &'m Context,
    /// The currency of amounts that name none.
    pub(super) currency: Cell<Option<Currency>>,
    problems: RefCell<Vec<Problem>>,
    origins: RefCell<Vec<(String, String)>>,
}

impl<'m> Reader<'m> {
    pub(super) fn new(segments: &'m [Segment<'m>], context: &'m Context) -> Self {
        Self {
            segments,
            context,
            currency: Cell::new(None),
            problems: RefCell::default(),
            origins: RefCell::default(),
        }
    }

    /// The problems and the origins that were gathered.
    pub(super) fn into_found(self) -> (Vec<Problem>, Vec<(String, String)>) {
        (self.problems.into_inner(), self.origins.into_inner())
    }

    pub(super) fn problem(&self, code: ProblemCode, place: String, detail: impl Into<String>) {
        self.problems
            .borrow_mut()
            .push(Problem::new(code, place, detail));
    }

    /// Notes which place of the body a part of the message was read from.
    pub(super) fn origin(&self, canonical: impl Into<String>, place: String) {
        self.origins.borrow_mut().push((canonical.into(), place));
    }

    /// The segments of a name.
    pub(super) fn all(
        &self,
        name: &'static str,
    ) -> impl Iterator<Item = &'m Segment<'m>> + use<'m> {
        self.segments
            .iter()
            .filter(move |segment| segment.name == name)
    }

    /// The first segment of a name.
    pub(super) fn first(&self, name: &'static str) -> Option<&'m Segment<'m>> {
        self.all(name).next()
    }

    /// A date or time of any precision.
    pub(super) fn when(&self, part: Part<'_>) -> Option<When> {
        let text = part.text()?;
        let when = moment(&text);
        if when.is_none() {
            let detail = "expected a real date or time as YYYY[MM[DD[HH[MM[SS[.S]]]]]][+/-ZZZZ]";
            self.problem(ProblemCode::BadDate, part.place(), detail);
        }
        when
    }

    /// The date or time in the first component of a field.
    pub(super) fn when_in(&self, segment: &Segment<'_>, field: usize) -> Option<When> {
        self.when(segment.field(field).first().component(1))
    }

    /// A day, or a range of two (DR): the first component, and the second where there is one.
    pub(super) fn range(&self, segment: &Segment<'_>, field: usize) -> Option<Period> {
        let first = segment.field(field).first();
        let start = self.when(first.component(1));
        // Old versions put a degree of precision there: one letter, no date.
        let second = first.component(2);
        let end = match second.text() {
            Some(text) if text.len() > 1 => self.when(second),
            _ => None,
        };
        period(start.clone(), end.or(start))
    }

    /// An amount in the message's currency.
    pub(super) fn amount(&self, part: Part<'_>) -> Option<Amount> {
        let text = part.text()?;
        let currency = self.currency.get();
        if let (Some(named), Some(ours)) = (part.sub(2), currency) {
            match Currency::parse(&named) {
                Some(other) if other != ours => self.problem(
                    ProblemCode::MixedCurrency,
                    part.place(),
                    "another amount of the message is in another currency",
                ),
                Some(_) => {}
                None => self.unknown_currency(&part),
            }
        } else if part.sub(2).is_some() {
            self.unknown_currency(&part);
        }
        let exponent = currency.map_or(2, |own| own.exponent(self.context.today));
        let amount = Amount::from_decimal(&text, exponent)
            .ok()
            .map(|(amount, _)| amount);
        if amount.is_none() {
            let detail = "expected a decimal amount";
            self.problem(ProblemCode::BadValue, part.place(), detail);
        }
        amount
    }

    fn unknown_currency(&self, part: &Part<'_>) {
        let detail = "the currency is not known";
        self.problem(ProblemCode::UnknownCurrency, part.place(), detail);
    }

    /// How much of something.
    pub(super) fn quantity(&self, part: Part<'_>) -> Option<Quantity> {
        let text = part.text()?;
        let quantity = Quantity::parse(&text);
        if quantity.is_none() {
            let detail = "expected a decimal number of 0 or more";
            self.problem(ProblemCode::BadValue, part.place(), detail);
        }
        quantity
    }

    /// A whole number.
    pub(super) fn whole(&self, part: Part<'_>) -> Option<u32> {
        let text = part.text()?;
        let whole = text.parse().ok();
        if whole.is_none() {
            let detail = "expected a whole number of 0 or more";
            self.problem(ProblemCode::BadValue, part.place(), detail);
        }
        whole
    }

    /// A number with the unit that another field names.
    pub(super) fn measure(
        &self,
        segment: &Segment<'_>,
        value: usize,
        unit: usize,
    ) -> Option<Measure> {
        let number = self.quantity(segment.field(value).first().component(1));
        let unit = segment.field(unit).first();
        if unit.is_empty() {
            return measure(number, None, None, None);
        }
        let code = unit.component(1).text();
        let text = unit.component(2).text();
        let system = unit.component(3).text();
        measure(number, code, text, system)
    }

    /// A quantity with its unit in the same field (CQ): the unit's code, name and system are subcomponents.
    pub(super) fn composite(&self, repeat: Repeat<'_>) -> Option<Measure> {
        let unit = repeat.component(2);
        // Older senders write the unit beside the number, as its subcomponent.
        let beside = repeat.component(1).sub(2);
        let number = self.quantity(repeat.component(1));
        measure(number, unit.sub(1).or(beside), unit.sub(2), unit.sub(3))
    }
}

fn measure(
    value: Option<Quantity>,
    code: Option<String>,
    text: Option<String>,
    system: Option<String>,
) -> Option<Measure> {
    let unit = text.or_else(|| code.clone());
    value.map(|value| Measure {
        value: Some(value),
        unit,
        coded: code.map(|code| Code::new(system_of(system.as_deref()), code)),
    })
}

/// A period, where it has a start or an end.
pub(super) fn period(start: Option<When>, end: Option<When>) -> Option<Period> {
    (start.is_some() || end.is_some()).then_some(Period { start, end })
}

/// A time as HL7 v2 writes it, as the model does. The model knows no hour without minutes: it becomes the full hour.
pub(super) fn moment(text: &str) -> Option<When> {
    let (clock, zone) = match text.find(['+', '-']) {
        Some(at) => text.split_at(at),
        None => (text.strip_suffix('Z').unwrap_or(text), ""),
    };
    let (digits, fraction) = match clock.split_once('.') {
        Some((digits, fraction)) => (digits, format!(".{fraction}")),
        None => (clock, String::new()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to);
    let day = match digits.len() {
        4 => digits.to_owned(),
        6 => format!("{}-{}", part(0, 4)?, part(4, 6)?),
        _ => format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
    };
    let time = match digits.len() {
        4 | 6 | 8 => return When::parse(&day),
        10 => format!("{}:00", part(8, 10)?),
        12 => format!("{}:{}", part(8, 10)?, part(10, 12)?),
        14 => format!(
            "{}:{}:{}{fraction}",
            part(8, 10)?,
            part(10, 12)?,
            part(12, 14)?
        ),
        _ => return None,
    };
    let zone = match (zone.get(..3), zone.get(3..5), zone.len()) {
        (None, None, 0) if text.ends_with('Z') => "Z".to_owned(),
        (None, None, 0) => String::new(),
        (Some(hours), Some(minutes), 5) => format!("{hours}:{minutes}"),
        _ => return None,
    };
    When::parse(&format!("{day}T{time}{zone}"))
}

/// The system that a coding system's name stands for.
pub(super) fn system_of(name: Option<&str>) -> String {
    match name {
        None => String::new(),
        Some(name) if name.starts_with("http") || name.starts_with("urn:") => name.to_owned(),
        Some(name) if is_oid(name) => format!("urn:oid:{name}"),
        Some(name) => table(name),
    }
}

fn is_oid(text: &str) -> bool {
    text.contains('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A coded element (CE, CNE, CWE): two codings and the words. `method` is the system where the field names none.
pub(super) fn coded(repeat: Repeat<'_>, method: Option<&str>) -> Option<Coded> {
    if repeat.is_empty() {
        return None;
    }
    let coding = |code: usize, version: usize, method: Option<&str>| {
        let own = repeat.component(code).text();
        let display = repeat.component(code + 1).text();
        let system = repeat.component(code + 2).text();
        let version = repeat.component(version).text();
        (own.is_some() || display.is_some()).then(|| Coding {
            system: system_of(system.as_deref().or(method).filter(|_| own.is_some())),
            version,
            code: own.unwrap_or_default(),
            display,
        })
    };
    let first = coding(1, 7, method);
    let second = coding(4, 8, None);
    let text = repeat.component(9).text();
    if first.is_none() && second.is_none() && text.is_none() {
        return None;
    }
    let is_bare = |coding: &Coding| coding.code.is_empty();
    let mut codings = first.into_iter().chain(second);
    let source = codings.next();
    // Words without a code are words.
    match source {
        Some(coding) if is_bare(&coding) && text.is_none() => Some(Coded {
            text: coding.display,
            others: codings.collect(),
            ..Coded::default()
        }),
        source => Some(Coded {
            source,
            others: codings.collect(),
            text,
            ..Coded::default()
        }),
    }
}

/// The first coded element of a field.
pub(super) fn coded_in(segment: &Segment<'_>, field: usize) -> Option<Coded> {
    coded(segment.field(field).first(), None)
}

/// A code of one of HL7's tables, or of a user's list in its place.
pub(super) fn listed(segment: &Segment<'_>, field: usize, name: &str) -> Option<Coded> {
    coded(segment.field(field).first(), Some(name))
}

/// The system of identifiers that an authority (HD) gives out; empty where it names none.
pub(super) fn authority(part: Part<'_>) -> String {
    let (name, universal, kind) = (part.sub(1), part.sub(2), part.sub(3));
    match (universal, kind.as_deref()) {
        (Some(id), Some("ISO")) => format!("urn:oid:{id}"),
        (Some(id), Some("GUID" | "UUID")) => format!("urn:uuid:{id}"),
        (Some(id), None) if is_oid(&id) => format!("urn:oid:{id}"),
        (Some(id), _) => id,
        (None, _) => name.unwrap_or_default(),
    }
}

/// An identifier with its authority and kind (CX). One that names no authority has its kind's system.
pub(super) fn identifier(repeat: Repeat<'_>) -> Option<Identifier> {
    let value = repeat.component(1).text()?;
    let mut system = authority(repeat.component(4));
    let kind = repeat.component(5).text();
    if system.is_empty() {
        system = kind.map_or_else(String::new, |kind| table(&format!("0203:{kind}")));
    }
    Some(Identifier::new(system, value))
}

/// All identifiers of a field.
pub(super) fn identifiers(segment: &Segment<'_>, field: usize) -> Vec<Identifier> {
    segment
        .field(field)
        .repeats()
        .filter_map(identifier)
        .collect()
}

/// An entity's identifier (EI): the number and who gave it. `role` names those without an authority.
pub(super) fn entity(repeat: Repeat<'_>, role: &str) -> Option<Identifier> {
    let value = repeat.component(1).text();
    let (name, universal) = (repeat.component(2).text(), repeat.component(3).text());
    let kind = repeat.component(4).text();
    let system = match (universal, kind.as_deref()) {
        (Some(id), Some("ISO")) => format!("urn:oid:{id}"),
        (Some(id), _) => id,
        (None, _) => name.unwrap_or_else(|| table(role)),
    };
    value.map(|value| Identifier::new(system, value))
}

/// A person's name (XPN) from its component `from` on, in the order in which it is said.
pub(super) fn name(repeat: Repeat<'_>, from: usize) -> Option<String> {
    // Family, given, middle, suffix, prefix.
    let part = |at: usize| repeat.component(from + at).text();
    let [family, given, middle, suffix, prefix] = [part(0), part(1), part(2), part(3), part(4)];
    let parts: Vec<String> = [prefix, given, middle, family, suffix]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A practitioner (XCN, or CN of old versions).
pub(super) fn person(repeat: Repeat<'_>, role: &str) -> Option<Party> {
    if repeat.is_empty() {
        return None;
    }
    let id = repeat.component(1).text();
    let name = name(repeat, 2);
    let mut system = authority(repeat.component(9));
    let kind = repeat.component(13).text();
    if system.is_empty() {
        system = kind.map_or_else(String::new, |kind| table(&format!("0203:{kind}")));
    }
    (id.is_some() || name.is_some()).then(|| Party {
        identifiers: id
            .map(|id| Identifier::new(system, id))
            .into_iter()
            .collect(),
        name,
        role: Some(Coded::words(role)),
        ..Party::default()
    })
}

/// An organisation by its name and numbers (XON).
pub(super) fn organisation(repeat: Repeat<'_>) -> Option<Party> {
    let name = repeat.component(1).text();
    let id = repeat
        .component(10)
        .text()
        .or_else(|| repeat.component(3).text());
    let system = authority(repeat.component(6));
    (id.is_some() || name.is_some()).then(|| Party {
        identifiers: id
            .map(|id| Identifier::new(system, id))
            .into_iter()
            .collect(),
        name,
        ..Party::default()
    })
}

/// A fact that the model has no field for, under the place it stands at in every message: `FT1-2`.
pub(super) fn particular(place: &str) -> Supporting {
    Supporting {
        category: Some(Coded::new(table("field"), place)),
        ..Supporting::default()
    }
}

/// The day of a moment.
pub(super) fn day(when: Option<&When>) -> Option<Date> {
    when.and_then(When::day)
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn times_of_every_precision_and_zone_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                moment(text).as_ref().map(|when| when.as_str()),
                expected,
                "{text}"
            );
        };
        check("1988", Some("1988"));
        check("198808", Some("1988-08"));
        check("19880818", Some("1988-08-18"));
        check("1988081811", Some("1988-08-18T11:00"));
        check("198808181126", Some("1988-08-18T11:26"));
        check("20210817151943.4+0330", Some("2021-08-17T15:19:43.4+03:30"));
        check("20210817151943-0800", Some("2021-08-17T15:19:43-08:00"));
        for bad in [
            "",
            "19881",
            "19881301",
            "19880230",
            "1988081825",
            "198808181126+02",
            "S1",
            "2010201200+0215",
        ] {
            check(bad, None);
        }
    }
}
