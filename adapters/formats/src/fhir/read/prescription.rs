//! MedicationRequests, one or several under one group identifier, into a prescription.

use std::collections::HashSet;

use takmil_domain::bill::Encounter;
use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Cancel, Head, Message, Relation, Supporting};
use takmil_domain::party::Party;
use takmil_domain::prescription::{Prescription, PrescriptionLine, Substitution};

use super::claim::plain;
use super::clinical::{condition, encounter};
use super::cursor::Cursor;
use super::dosage::dosages;
use super::eligibility::ordinal;
use super::links::{Distinct, correlate, identifier_in, names, names_or_address};
use super::medication::medication;
use super::particulars::sweep;
use super::parties::{cover, member, party_at};
use super::values::{concept, concept_at, concepts, identifiers, measure_at, period, when};
use crate::fhir::{ELEMENT, PRIORITY, json};

/// Reads the orders, at least one, of one prescription.
pub(super) fn read(orders: &[Cursor]) -> Message {
    let (head, prescription) = prescription(orders, "/prescription");
    Message {
        head,
        body: Body::Prescription(prescription),
    }
}

/// Reads orders that are taken back: which ones, the correlates say by every number of theirs.
pub(super) fn cancelled(orders: &[Cursor]) -> Message {
    let (mut head, prescription) = prescription(orders, "/cancel/prescription");
    let mut numbers = Distinct::default();
    numbers.add(std::mem::take(&mut head.identifiers));
    let own = prescription.lines.iter();
    numbers.add(own.flat_map(|line| line.identifiers.iter().cloned()));
    let taken_back = numbers
        .into_list()
        .into_iter()
        .map(|number| plain(Relation::Cancels, number));
    head.correlates.extend(taken_back);
    let mut lines = prescription.lines.iter();
    Message {
        head,
        body: Body::Cancel(Cancel {
            reason: lines.find_map(|line| line.status_reason.clone()),
            prescription: Some(prescription),
        }),
    }
}

/// What orders of one prescription have in common.
struct Shared {
    prescriber: Option<Party>,
    dispenser: Option<Party>,
    recorder: Option<Party>,
    encounter: Option<Encounter>,
    priority: Option<Coded>,
}

fn prescription(orders: &[Cursor], base: &str) -> (Head, Prescription) {
    let mut head = Head::default();
    let mut whole = Prescription::default();
    let mut first: Option<Shared> = None;
    let mut numbers = Distinct::default();
    let mut said = HashSet::new();
    for (index, order) in orders.iter().enumerate() {
        order.origin(format!("{base}/lines/{index}"));
        if index == 0 {
            opening(*order, base, &mut head);
        }
        numbers.add(group(*order));
        let own = shared(*order, &mut head);
        let mut line = line(*order, ordinal(index));
        beside(*order, &mut line, &mut head, &mut whole, &mut said);
        match &first {
            Some(first) => differences(first, own, &mut line),
            None => first = Some(own),
        }
        sweep(*order, "MedicationRequest", &mut line.particulars);
        whole.lines.push(line);
    }
    if let Some(first) = first {
        head.provider = first.prescriber.clone();
        head.actor = first.recorder;
        head.priority = first.priority;
        whole.prescriber = first.prescriber;
        whole.dispenser = first.dispenser;
        whole.encounter = first.encounter;
    }
    lift(&mut whole);
    let authored = whole.lines.iter().find_map(|line| line.authored.as_ref());
    let authored = whole.authored.as_ref().or(authored);
    head.occurred_on = authored.and_then(|when| when.first_day());
    if let [only] = whole.lines.as_slice() {
        numbers.add(only.identifiers.iter().cloned());
    }
    head.identifiers = numbers.into_list();
    (head, whole)
}

/// Dates that are the same for every line stand once.
fn lift(whole: &mut Prescription) {
    let Some(first) = whole.lines.first() else {
        return;
    };
    let (authored, valid) = (first.authored.clone(), first.valid.clone());
    if whole.lines.iter().all(|line| line.authored == authored) {
        whole.authored = authored;
        whole.lines.iter_mut().for_each(|line| line.authored = None);
    }
    if whole.lines.iter().all(|line| line.valid == valid) {
        whole.valid = valid;
        whole.lines.iter_mut().for_each(|line| line.valid = None);
    }
}

fn opening(c: Cursor, base: &str, head: &mut Head) {
    c.origin("");
    head.status = c.text("status").map(Into::into);
    head.language = c.text("language").map(Into::into);
    let supply = c.get("dispenseRequest");
    let validity = supply.and_then(|supply| supply.get("validityPeriod"));
    for (element, field) in [(c.get("authoredOn"), "authored"), (validity, "valid")] {
        if let Some(element) = element {
            element.origin(format!("{base}/{field}"));
        }
    }
}

fn shared(c: Cursor, head: &mut Head) -> Shared {
    if let Some(subject) = c.get("subject") {
        // Orders of one prescription have one subject; a later one is read for the account alone.
        head.member = member(subject, "/member");
    }
    let supply = c.get("dispenseRequest");
    Shared {
        prescriber: party_at(c, "requester"),
        dispenser: supply.and_then(|supply| party_at(supply, "performer")),
        recorder: party_at(c, "recorder"),
        encounter: c.get("encounter").map(encounter),
        priority: c.text("priority").map(|code| Coded::new(PRIORITY, code)),
    }
}

/// Where a later order differs from the first in what stands once, its line says so.
fn differences(first: &Shared, own: Shared, line: &mut PrescriptionLine) {
    let mut tell = |name: &str, part: Supporting| {
        let category = Coded::new(ELEMENT, format!("MedicationRequest.{name}"));
        line.particulars.push(Supporting {
            category: Some(category),
            ..part
        });
    };
    let parties = [
        ("requester", &first.prescriber, own.prescriber),
        ("dispenseRequest.performer", &first.dispenser, own.dispenser),
        ("recorder", &first.recorder, own.recorder),
    ];
    for (name, known, own) in parties {
        if let Some(party) = own.filter(|own| known.as_ref() != Some(own)) {
            let part = Supporting {
                identifier: party.identifiers.into_iter().next(),
                text: party.name,
                ..Supporting::default()
            };
            tell(name, part);
        }
    }
    if let Some(visit) = own
        .encounter
        .filter(|own| first.encounter.as_ref() != Some(own))
    {
        let part = Supporting {
            identifier: visit.identifiers.into_iter().next(),
            timing: visit.period,
            ..Supporting::default()
        };
        tell("encounter", part);
    }
    if own.priority.is_some() && own.priority != first.priority {
        let part = Supporting {
            coded: own.priority,
            ..Supporting::default()
        };
        tell("priority", part);
    }
}

/// The numbers of the prescription that an order belongs to; England's has a short one and a long one.
fn group(c: Cursor) -> Vec<Identifier> {
    let long = c
        .get("groupIdentifier")
        .and_then(|group| group.extension("Extension-DM-PrescriptionId"));
    let mut known = identifiers(c, "groupIdentifier");
    known.extend(long.and_then(identifier_in));
    known
}

fn line(c: Cursor, seq: u32) -> PrescriptionLine {
    let mut line = PrescriptionLine {
        seq,
        identifiers: names(c),
        authored: when(c, "authoredOn"),
        status: c.text("status").map(Into::into),
        status_reason: concept_at(c, "statusReason"),
        intent: c.text("intent").map(Into::into),
        do_not_perform: c.flag("doNotPerform"),
        categories: concepts(c, "category"),
        course: concept_at(c, "courseOfTherapyType"),
        dosage: dosages(c, "dosageInstruction"),
        substitution: c.get("substitution").and_then(substitution),
        reasons: concepts(c, "reasonCode"),
        ..PrescriptionLine::default()
    };
    (line.item, line.product) = medication(c, &mut line.particulars);
    if let Some(supply) = c.get("dispenseRequest") {
        line.valid = supply.get("validityPeriod").and_then(period);
        let first = supply.get("initialFill");
        line.first_fill = first.and_then(|first| measure_at(first, "quantity"));
        line.interval = measure_at(supply, "dispenseInterval");
        line.repeats = supply.count("numberOfRepeatsAllowed");
        line.quantity = measure_at(supply, "quantity");
        line.days_supply = measure_at(supply, "expectedSupplyDuration");
    }
    line
}

/// What an order refers to beside what is ordered: reasons, covers, other orders. What orders of one
/// prescription refer to alike is told once.
fn beside(
    c: Cursor,
    line: &mut PrescriptionLine,
    head: &mut Head,
    whole: &mut Prescription,
    said: &mut HashSet<String>,
) {
    let mut is_new = |name: &str, c: Cursor| said.insert(format!("{name}{}", json::render(c.node)));
    for reference in c.items("reasonReference") {
        if let Some(found) = condition(reference) {
            line.reasons.push(found.coded.clone());
            if is_new("reason", reference) {
                whole.diagnoses.push(found);
            }
        }
    }
    for reference in c.items("insurance") {
        if is_new("insurance", reference) {
            let canonical = format!("/coverages/{}", head.coverages.len());
            head.coverages.push(cover(reference, &canonical));
        } else {
            reference.understood();
        }
    }
    for element in ["basedOn", "priorPrescription"] {
        let name = format!("MedicationRequest.{element}");
        for reference in c.items(element) {
            let kinds = &["MedicationRequest", "ServiceRequest", "CarePlan"];
            let found = correlate(reference, kinds, Relation::Related, Some(&name));
            let found = found.filter(|_| is_new(element, reference));
            head.correlates.extend(found);
        }
    }
    if let Some(number) = series(c, line) {
        let new = said.insert(format!("series {}|{}", number.system, number.value));
        let group = new.then(|| plain(Relation::Group, number));
        head.correlates.extend(group);
    }
    notes(c, head);
}

fn substitution(c: Cursor) -> Option<Substitution> {
    let mut found = Substitution {
        reasons: c.items("reason").filter_map(concept).collect(),
        ..Substitution::default()
    };
    match c.choice("allowed")? {
        ("CodeableConcept", value) => found.coded = concept(value),
        (_, value) => found.allowed = value.as_bool(),
    }
    Some(found)
}

/// Notes that are words alone; one with an author or a time is left for the particulars.
pub(super) fn notes(c: Cursor, head: &mut Head) {
    for note in c.items("note") {
        if note.choice("author").is_none() && note.get("time").is_none() {
            head.texts.extend(note.text("text").map(Into::into));
        }
    }
}

/// A German order that is one of several to be filled one after the other: the time in which it may be
/// filled, and the number that all of them share.
fn series(c: Cursor, line: &mut PrescriptionLine) -> Option<Identifier> {
    let series = c.extension("KBV_EX_ERP_Multiple_Prescription")?;
    series.text("url");
    if let Some(time) = series.extension("Zeitraum").and_then(Cursor::value) {
        line.valid = period(time).or(line.valid.take());
    }
    series.extension("ID").and_then(identifier_in)
}

/// The numbers by which a dispensing names the order it fills.
pub(super) fn numbers(order: Cursor) -> Vec<Identifier> {
    let mut known = group(order);
    known.extend(names_or_address(order));
    known
}
