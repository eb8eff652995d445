//! Persons, bodies and covers that a message names, with what the resources behind them say.

use takmil_domain::code::{Coded, Coding};
use takmil_domain::ids::Identifier;
use takmil_domain::party::{CoverageClass, CoverageReference, Member, Party, Sex};

use super::cursor::Cursor;
use super::links::{Distinct, Link, follow, names_or_address};
use super::particulars::sweep;
use super::values::{address, best_name, concept, concept_at, period, when};
use crate::fhir::SUBSCRIBER;

/// How many steps from practitioner to organisation to its owner are gone; a circle ends here.
const MAX_STEPS: usize = 3;

const PARTIES: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Patient",
    "RelatedPerson",
    "Location",
    "Device",
    "HealthcareService",
];

/// The person a message is about; `canonical` is where in the message.
pub(super) fn member(c: Cursor, canonical: &str) -> Member {
    let link = follow(c, &["Patient"]);
    let Some(patient) = link.target else {
        c.origin(canonical);
        return Member {
            name: link.display.map(Into::into),
            identifiers: link.identifiers,
            ..Member::default()
        };
    };
    patient.origin(canonical);
    Member {
        identifiers: united(names_or_address(patient), link.identifiers),
        name: best_name(patient).or(link.display.map(Into::into)),
        birth_date: when(patient, "birthDate"),
        sex: patient.text("gender").map(sex),
    }
}

fn sex(code: &str) -> Sex {
    match code {
        "female" => Sex::Female,
        "male" => Sex::Male,
        "other" => Sex::Other,
        _ => Sex::Unknown,
    }
}

/// The party that the reference under `key` leads to.
pub(super) fn party_at(c: Cursor, key: &str) -> Option<Party> {
    party(c.get(key)?)
}

/// The party that a reference leads to; none where it says nothing.
pub(super) fn party(c: Cursor) -> Option<Party> {
    known(c, Party::default(), MAX_STEPS)
}

/// The party under `key`, in the role and of the specialty that the message itself tells of it, if it does.
pub(super) fn cast(c: Cursor, key: &str, role: Option<Coded>, specialty: Option<Coded>) -> Party {
    let told = Party {
        role,
        specialty,
        ..Party::default()
    };
    let party = c
        .get(key)
        .and_then(|link| known(link, told.clone(), MAX_STEPS));
    party.unwrap_or(told)
}

/// The party that a reference leads to. What is told of it already is not read again, so that it stays
/// unread where it differs.
fn known(c: Cursor, told: Party, steps: usize) -> Option<Party> {
    let link = follow(c, PARTIES);
    let mut party = match link.target {
        Some(target) => described(target, told, steps.saturating_sub(1)),
        None => told,
    };
    party.identifiers = united(party.identifiers, link.identifiers);
    party.name = party.name.or(link.display.map(Into::into));
    (party != Party::default()).then_some(party)
}

fn united(own: Vec<Identifier>, named: Vec<Identifier>) -> Vec<Identifier> {
    let mut all = Distinct::default();
    all.add(own);
    all.add(named);
    all.into_list()
}

/// What a resource says of a party, beside what is told of it.
fn described(c: Cursor, told: Party, steps: usize) -> Party {
    let around = |key: &str| {
        let link = c.get(key).filter(|_| steps > 0)?;
        known(link, Party::default(), steps).map(Box::new)
    };
    let mut party = Party {
        identifiers: names_or_address(c),
        ..told
    };
    let first = |told: Option<Coded>, key: &str| told.or_else(|| c.items(key).find_map(concept));
    match c.kind() {
        "PractitionerRole" => role(c, &mut party, steps),
        "Practitioner" => {
            party.name = best_name(c);
            party.specialty = party.specialty.or_else(|| qualification(c));
        }
        "Patient" => party.name = best_name(c),
        "RelatedPerson" => {
            party.name = best_name(c);
            party.role = first(party.role, "relationship");
        }
        "Organization" => {
            party.name = c.text("name").map(Into::into);
            party.specialty = first(party.specialty, "type");
            party.organisation = around("partOf");
        }
        "Location" => {
            party.name = c.text("name").map(Into::into);
            party.specialty = first(party.specialty, "type");
            party.organisation = around("managingOrganization");
        }
        "HealthcareService" => {
            party.name = c.text("name").map(Into::into);
            party.specialty = first(party.specialty, "specialty");
            party.organisation = around("providedBy");
        }
        "Device" => {
            let named = |c: Cursor| c.text("name").map(Into::into);
            party.name = c.items("deviceName").find_map(named);
        }
        _ => {}
    }
    party
}

/// A practitioner in a role: the person's name and numbers beside those of the role.
fn role(c: Cursor, party: &mut Party, steps: usize) {
    let first = |key: &str| c.items(key).find_map(concept);
    party.role = party.role.take().or_else(|| first("code"));
    party.specialty = party.specialty.take().or_else(|| first("specialty"));
    if steps == 0 {
        return;
    }
    let told = Party {
        role: party.role.take(),
        specialty: party.specialty.take(),
        ..Party::default()
    };
    let person = match c.get("practitioner") {
        Some(link) => known(link, told, steps).unwrap_or_default(),
        None => told,
    };
    let of_role = std::mem::take(&mut party.identifiers);
    party.identifiers = united(of_role, person.identifiers);
    party.name = person.name;
    party.role = person.role;
    party.specialty = person.specialty;
    let organisation = c.get("organization");
    let organisation = organisation.and_then(|link| known(link, Party::default(), steps));
    party.organisation = organisation.map(Box::new);
}

/// What a practitioner is by training: the first qualification that has words, else the first.
fn qualification(c: Cursor) -> Option<Coded> {
    let codes: Vec<Cursor> = c
        .items("qualification")
        .filter_map(|one| one.get("code"))
        .collect();
    let worded = codes.iter().find(|code| code.node.text("text").is_some());
    concept(*worded.or(codes.first())?)
}

/// The cover that a reference leads to; `canonical` is where in the message.
pub(super) fn cover(c: Cursor, canonical: &str) -> CoverageReference {
    let link = follow(c, &["Coverage"]);
    let Some(coverage) = link.target.filter(|target| target.kind() == "Coverage") else {
        return unknown_cover(c, link, canonical);
    };
    coverage.origin(canonical);
    let mut identifiers = united(names_or_address(coverage), link.identifiers);
    if let Some(number) = coverage.text("subscriberId") {
        let number = takmil_domain::text::digits(number);
        identifiers.push(Identifier::new(SUBSCRIBER, number));
    }
    coverage
        .get("beneficiary")
        .into_iter()
        .for_each(Cursor::understood);
    let mut cover = CoverageReference {
        order: coverage.count("order"),
        insurer: coverage.items("payor").next().and_then(party),
        identifiers,
        kind: concept_at(coverage, "type"),
        classes: coverage.items("class").filter_map(class).collect(),
        relationship: concept_at(coverage, "relationship"),
        period: coverage.get("period").and_then(period),
        status: coverage.text("status").map(Into::into),
        ..CoverageReference::default()
    };
    sweep(coverage, "Coverage", &mut cover.particulars);
    cover
}

/// A cover of which the body holds nothing but the reference, or a payer in its place (US payers' senders
/// name their organisation where R4 wants a coverage).
fn unknown_cover(c: Cursor, link: Link, canonical: &str) -> CoverageReference {
    c.origin(canonical);
    let insurer = link.target.map(|target| {
        let mut insurer = described(target, Party::default(), MAX_STEPS);
        insurer.name = insurer.name.or(link.display.map(Into::into));
        insurer
    });
    let shown = link.display.filter(|_| insurer.is_none());
    CoverageReference {
        insurer,
        identifiers: link.identifiers,
        kind: shown.map(Coded::words),
        ..CoverageReference::default()
    }
}

fn class(c: Cursor) -> Option<CoverageClass> {
    Some(CoverageClass {
        kind: concept_at(c, "type")?,
        value: c.text("value")?.to_owned(),
        name: c.text("name").map(Into::into),
    })
}

/// The person or body named in words alone, or by reference, under `stem` (`authorString`, `authorReference`):
/// the name, else the number.
pub(super) fn author(c: Cursor, stem: &str) -> Option<String> {
    match c.choice(stem)? {
        ("Reference", reference) => {
            let party = party(reference)?;
            let mut numbers = party.identifiers.into_iter();
            party.name.or_else(|| Some(numbers.next()?.value))
        }
        (_, text) => text.as_str().map(Into::into),
    }
}

/// The words of an address or the name of the place that `stem` leads to.
pub(super) fn place(c: Cursor, stem: &str) -> Option<Coded> {
    match c.choice(stem)? {
        ("CodeableConcept", value) => concept(value),
        ("Address", value) => address(value).map(Coded::words),
        (_, reference) => whereabouts(reference),
    }
}

/// The place that a reference leads to, as a concept: its numbers as codes, its name in words.
pub(super) fn whereabouts(reference: Cursor) -> Option<Coded> {
    let link = follow(reference, &["Location", "Organization"]);
    let own = link.target.map(names_or_address).unwrap_or_default();
    let mut codings = united(own, link.identifiers)
        .into_iter()
        .map(|number| Coding {
            system: number.system,
            code: number.value,
            ..Coding::default()
        });
    let name = link.target.and_then(|place| place.text("name"));
    let place = Coded {
        source: codings.next(),
        others: codings.collect(),
        text: name.or(link.display).map(Into::into),
        ..Coded::default()
    };
    (place != Coded::default()).then_some(place)
}
