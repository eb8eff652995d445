//! Canonical messages as FHIR R4: what [`super::read`] reads, written so that it reads the same again.
//!
//! | message | resources |
//! |---|---|
//! | claim, pre-authorisation, estimate | Claim, of that use |
//! | question about cover | CoverageEligibilityRequest |
//! | prescription | a MedicationRequest for each line, under one group identifier |
//! | hand-over of drugs | a MedicationDispense for each line, on one prescription |
//! | taking back | Task |
//!
//! A message that is one resource is that resource; one that refers to others is a Bundle of them. R4 has no message
//! that announces an admission. Where R4 demands an element that the message does not have, it is written where only one
//! thing can be meant (a request is active, a line has a number), else as absent.

mod bill;
mod finish;
mod order;
mod particulars;
mod party;

use takmil_domain::code::{Code, Coded};
use takmil_domain::date::{Period, When};
use takmil_domain::digest::sha256;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Correlate, Head, Message, Relation};
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::prescription::{Measure, Ratio};

use crate::fhir::datatypes::{Money, Object, coded, date, date_time, identifier, primitive, words};
use crate::fhir::r4::{self, Primitive};
use crate::fhir::tree::Node;
use crate::fhir::{REFERENCE, json};
use crate::{Context, Written, native};

/// Writes a message; `None` of one that R4 has no resource for, or that its resources could not hold together.
pub(super) fn write(message: &Message, context: &Context) -> Option<Written> {
    let mut writer = Writer::of(message, context);
    let head = &message.head;
    let own: Vec<Object> = match &message.body {
        Body::Claim(claim) => vec![writer.claim(head, &claim.bill, "claim")],
        Body::Estimate(bill) => vec![writer.claim(head, bill, "predetermination")],
        Body::Preauthorization(asked) => vec![writer.claim(head, &asked.bill, "preauthorization")],
        Body::Eligibility(asked) => vec![writer.question(head, asked)],
        Body::Prescription(ordered) => writer.orders(head, ordered)?,
        Body::Dispense(given) => writer.dispensings(head, given)?,
        Body::Cancel(cancel) => vec![writer.task(head, cancel)?],
        Body::Admission(_) => return None,
    };
    let node = writer.put_together(own);
    Some(Written {
        media_type: "application/fhir+json",
        bytes: json::render(&node).into_bytes(),
    })
}

/// A message while it is written.
struct Writer {
    money: Money,
    /// What the addresses of resources are made of: the same message has the same ones.
    seed: [u8; 32],
    /// A number of the whole, where no resource has a place for it.
    number: Option<Node<'static>>,
    /// The resources that the message refers to, with their addresses.
    around: Vec<(String, Node<'static>)>,
}

impl Writer {
    fn of(message: &Message, context: &Context) -> Self {
        let head = &message.head;
        // As the reader takes it: the day that the message is about tells how a currency is counted.
        let day = head.occurred_on.unwrap_or(context.today);
        Self {
            money: Money::new(head.currency.unwrap_or(Currency::NONE), day),
            seed: sha256(&native::write(message)),
            number: None,
            around: Vec::new(),
        }
    }

    /// The resources as one: the only one, or a Bundle.
    fn put_together(self, own: Vec<Object>) -> Node<'static> {
        let own = own.into_iter().enumerate();
        let mut own: Vec<(String, Node<'static>)> = own
            .map(|(index, resource)| (address(&self.seed, 0, index), resource.into()))
            .collect();
        if own.len() == 1 && self.around.is_empty() && self.number.is_none() {
            return finish::finished(own.swap_remove(0).1);
        }
        let entries = own.into_iter().chain(self.around);
        let entries = entries.map(|(address, resource)| {
            let entry = Object::new().put("fullUrl", address);
            entry.put("resource", resource).into()
        });
        let bundle = Object::resource("Bundle")
            .maybe("identifier", self.number)
            .put("type", "collection")
            .list("entry", entries);
        finish::finished(bundle.into())
    }

    /// Adds a resource, if anything is in it, and refers to it.
    fn refer(&mut self, resource: Object) -> Option<Node<'static>> {
        if resource.is_bare() {
            return None;
        }
        let address = address(&self.seed, 1, self.around.len());
        self.around.push((address.clone(), resource.into()));
        Some(Object::new().put("reference", address).into())
    }

    fn amount(&self, amount: Option<Amount>) -> Option<Node<'static>> {
        amount.map(|amount| self.money.of(amount))
    }
}

/// The address of a resource in its Bundle: a UUID (of version 8) of the message and its place.
fn address(seed: &[u8; 32], list: u8, index: usize) -> String {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    let place = [&seed[..], &[list], &index.to_be_bytes()].concat();
    let hex: String = sha256(&place)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32),
    )
}

/// A resource with the sender's identifiers of it: numbers, and an `id` where one of them is `Type/id`.
fn named(kind: &'static str, identifiers: &[Identifier]) -> Object {
    let ids = identifiers.iter().filter(|own| own.system == REFERENCE);
    let mut ids = ids.filter_map(|own| own.value.strip_prefix(kind)?.strip_prefix('/'));
    let id = ids.next_back().and_then(|id| primitive(Primitive::Id, id));
    Object::resource(kind)
        .maybe("id", id)
        .list("identifier", numbers(identifiers))
}

/// The identifiers that are no references.
fn numbers(identifiers: &[Identifier]) -> impl Iterator<Item = Node<'static>> {
    let numbers = identifiers.iter().filter(|own| own.system != REFERENCE);
    numbers.filter_map(identifier)
}

/// A reference to what the message names and does not describe: by its number, by what was sent for it, and by name.
/// None where one reference cannot say it.
fn pointer(identifiers: &[Identifier], display: Option<&str>) -> Option<Node<'static>> {
    let is_literal = |own: &&Identifier| own.system == REFERENCE;
    let (literal, number) = match identifiers {
        [] => (None, None),
        [one] if is_literal(&one) => (Some(one), None),
        [one] => (None, Some(one)),
        [one, two] if !is_literal(&one) && is_literal(&two) => (Some(two), Some(one)),
        _ => return None,
    };
    let literal = match literal {
        // A fragment leads into a resource that is not here.
        Some(one) if one.value.starts_with('#') => return None,
        Some(one) => Some(words(&one.value)?),
        None => None,
    };
    let number = match number {
        Some(number) => Some(identifier(number)?),
        None => None,
    };
    let display = display.and_then(words);
    let says_something = literal.is_some() || number.is_some() || display.is_some();
    says_something.then(|| {
        Object::new()
            .maybe("reference", literal)
            .maybe("identifier", number)
            .maybe("display", display)
            .into()
    })
}

/// A reference to what is named by one identifier.
fn reference(identifier: &Identifier) -> Option<Node<'static>> {
    pointer(std::slice::from_ref(identifier), None)
}

fn code(text: Option<&str>) -> Option<Node<'static>> {
    primitive(Primitive::Code, text?)
}

/// The code of an element with a closed list: as told, or the one that is meant where nothing of the list is.
fn listed(kind: &str, element: &str, told: Option<&str>, meant: &'static str) -> Node<'static> {
    let known = r4::named(kind).and_then(|own| own.property(element));
    let told = told.filter(|code| known.is_some_and(|(known, _, _)| known.has_code(code)));
    code(told).unwrap_or(meant.into())
}

fn concept(concept: Option<&Coded>) -> Option<Node<'static>> {
    coded(concept?)
}

fn concepts(concepts: &[Coded]) -> impl Iterator<Item = Node<'static>> {
    concepts.iter().filter_map(coded)
}

fn moment(when: Option<&When>) -> Option<Node<'static>> {
    date_time(when?)
}

fn number(number: u32) -> Option<Node<'static>> {
    (1..=i32::MAX.unsigned_abs())
        .contains(&number)
        .then(|| Node::number(number.to_string()))
}

fn sequences(numbers: &[u32]) -> impl Iterator<Item = Node<'static>> {
    numbers.iter().filter_map(|own| number(*own))
}

fn period(period: Option<&Period>) -> Option<Node<'static>> {
    let period = period?;
    let (start, end) = (moment(period.start.as_ref()), moment(period.end.as_ref()));
    let says_something = start.is_some() || end.is_some();
    says_something.then(|| Object::new().maybe("start", start).maybe("end", end).into())
}

/// Adds a day, or the time from one to another, under the name of either.
fn span(into: Object, [day, time]: [&'static str; 2], told: Option<&Period>) -> Object {
    let single = told.filter(|told| told.start == told.end);
    let single = single.and_then(|told| date(told.start.as_ref()?));
    match single {
        Some(single) => into.put(day, single),
        None => into.maybe(time, period(told)),
    }
}

fn quantity(
    value: Option<Quantity>,
    unit: Option<&str>,
    unit_code: Option<&Code>,
) -> Option<Node<'static>> {
    let system = |code: &Code| primitive(Primitive::Uri, &code.system);
    let value = value.map(|value| Node::number(value.to_string()));
    let unit = unit.and_then(words);
    let coded = unit_code.and_then(|unit| code(Some(&unit.code)));
    let says_something = value.is_some() || unit.is_some() || coded.is_some();
    says_something.then(|| {
        Object::new()
            .maybe("value", value)
            .maybe("unit", unit)
            .maybe("system", unit_code.and_then(system))
            .maybe("code", coded)
            .into()
    })
}

fn measure(told: Option<&Measure>) -> Option<Node<'static>> {
    let told = told?;
    quantity(told.value, told.unit.as_deref(), told.coded.as_ref())
}

fn ratio(told: Option<&Ratio>) -> Option<Node<'static>> {
    let told = told?;
    let (above, below) = (
        measure(told.numerator.as_ref()),
        measure(told.denominator.as_ref()),
    );
    let says_something = above.is_some() || below.is_some();
    says_something.then(|| {
        Object::new()
            .maybe("numerator", above)
            .maybe("denominator", below)
            .into()
    })
}

/// The first earlier message that is so related.
fn earlier(head: &Head, relation: Relation) -> Option<&Correlate> {
    let mut all = head.correlates.iter();
    all.find(|own| own.relation == relation)
}
