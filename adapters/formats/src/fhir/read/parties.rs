//! Persons, bodies and covers that a message names, with what the resources behind them say.

use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::party::{CoverageClass, CoverageReference, Member, Party, Sex};

use super::cursor::Cursor;
use super::links::{Link, follow, names_or_address};
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
    known(c, MAX_STEPS)
}

fn known(c: Cursor, steps: usize) -> Option<Party> {
    let link = follow(c, PARTIES);
    let mut party = match link.target {
        Some(target) => described(target, steps.saturating_sub(1)),
        None => Party::default(),
    };
    party.identifiers = united(party.identifiers, link.identifiers);
    party.name = party.name.or(link.display.map(Into::into));
    (party != Party::default()).then_some(party)
}

fn united(mut own: Vec<Identifier>, named: Vec<Identifier>) -> Vec<Identifier> {
    for identifier in named {
        if !own.contains(&identifier) {
            own.push(identifier);
        }
    }
    own
}

/// What a resource says of a party.
fn described(c: Cursor, steps: usize) -> Party {
    let around = |key: &str| {
        let outer = (steps > 0).then(|| known(c.get(key)?, steps)).flatten();
        outer.map(Box::new)
    };
    let mut party = Party {
        identifiers: names_or_address(c),
        ..Party::default()
    };
    match c.kind() {
        "PractitionerRole" => role(c, &mut party, steps),
        "Practitioner" => {
            party.name = best_name(c);
            party.specialty = qualification(c);
        }
        "Patient" => party.name = best_name(c),
        "RelatedPerson" => {
            party.name = best_name(c);
            party.role = c.items("relationship").find_map(concept);
        }
        "Organization" => {
            party.name = c.text("name").map(Into::into);
            party.specialty = c.items("type").find_map(concept);
            party.organisation = around("partOf");
        }
        "Location" => {
            party.name = c.text("name").map(Into::into);
            party.specialty = c.items("type").find_map(concept);
            party.organisation = around("managingOrganization");
        }
        "HealthcareService" => {
            party.name = c.text("name").map(Into::into);
            party.specialty = c.items("specialty").find_map(concept);
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
    party.role = c.items("code").find_map(concept);
    party.specialty = c.items("specialty").find_map(concept);
    if steps == 0 {
        return;
    }
    if let Some(person) = c.get("practitioner").and_then(|link| known(link, steps)) {
        let role_alone = std::mem::take(&mut party.identifiers);
        party.identifiers = united(role_alone, person.identifiers);
        party.name = person.name;
        party.specialty = party.specialty.take().or(person.specialty);
    }
    let organisation = c.get("organization").and_then(|link| known(link, steps));
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
        let mut insurer = described(target, MAX_STEPS);
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

/// The person or body named in words alone, or by reference, under `stem` (`authorString`, `authorReference`).
pub(super) fn author(c: Cursor, stem: &str) -> Option<String> {
    match c.choice(stem)? {
        ("Reference", reference) => party(reference)?.name,
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

/// The place that a reference leads to, as a concept: its name, beside the first of its identifiers.
pub(super) fn whereabouts(reference: Cursor) -> Option<Coded> {
    let place = party(reference)?;
    let mut coded = Coded::default();
    if let Some(first) = place.identifiers.into_iter().next() {
        coded = Coded::new(first.system, first.value);
    }
    coded.text = place.name;
    Some(coded)
}
