//! Diagnoses, procedures, devices and visits, with what the resources behind them say.

use takmil_domain::bill::{Diagnosis, Encounter, EncounterClass, Procedure};
use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::text::digits;

use super::cursor::Cursor;
use super::links::{concept_behind, follow, names_or_address};
use super::values::{coded, concept, concept_at, concepts, moment, period, span, when};
use crate::fhir::SERIAL;

/// The diagnosis under `diagnosis[x]`: a concept, or the condition that a reference leads to.
pub(super) fn diagnosis(c: Cursor) -> Option<Diagnosis> {
    match c.choice("diagnosis")? {
        ("Reference", reference) => condition(reference),
        (_, value) => Some(bare(concept(value)?)),
    }
}

/// A diagnosis of which nothing but the concept is known.
fn bare(coded: Coded) -> Diagnosis {
    Diagnosis {
        seq: None,
        coded,
        roles: Vec::new(),
        present_on_admission: None,
        when: None,
        recorded: None,
        group: None,
    }
}

/// The condition that a reference leads to.
pub(super) fn condition(reference: Cursor) -> Option<Diagnosis> {
    let link = follow(reference, &["Condition"]);
    let mut found = bare(concept_behind(&link)?);
    if let Some(condition) = link.target {
        found.when = match condition.choice("onset") {
            Some(("DateTime", value)) => moment(value),
            Some(("Period", value)) => when(value, "start"),
            _ => None,
        };
        found.recorded = when(condition, "recordedDate");
    }
    Some(found)
}

/// A procedure of a Claim.
pub(super) fn procedure(c: Cursor) -> Option<Procedure> {
    let dated = when(c, "date");
    let (coded, done) = match c.choice("procedure")? {
        ("Reference", reference) => {
            let link = follow(reference, &["Procedure"]);
            let undated = link.target.filter(|_| dated.is_none());
            let done = undated.and_then(|target| span(target, "performed"));
            (concept_behind(&link)?, done.unwrap_or_default())
        }
        (_, value) => (concept(value)?, Default::default()),
    };
    Some(Procedure {
        seq: c.count("sequence"),
        coded,
        until: done.end.filter(|end| done.start.as_ref() != Some(end)),
        when: dated.or(done.start),
        roles: concepts(c, "type"),
        devices: devices(c),
    })
}

/// The devices that `udi` refers to, by their serial numbers and identifiers.
pub(super) fn devices(c: Cursor) -> Vec<Identifier> {
    let mut known = Vec::new();
    for reference in c.items("udi") {
        let link = follow(reference, &["Device"]);
        let Some(device) = link.target else {
            known.extend(link.identifiers);
            continue;
        };
        known.extend(names_or_address(device));
        if let Some(number) = device.text("serialNumber") {
            known.push(Identifier::new(SERIAL, digits(number)));
        }
        for carrier in device.items("udiCarrier") {
            let issuer = carrier.text("issuer").unwrap_or_default();
            let number = carrier.text("deviceIdentifier");
            known.extend(number.map(|number| Identifier::new(issuer, number)));
        }
    }
    known
}

/// The visit or stay that a reference leads to.
pub(super) fn encounter(c: Cursor) -> Encounter {
    let link = follow(c, &["Encounter"]);
    let Some(visit) = link.target else {
        return Encounter {
            identifiers: link.identifiers,
            ..Encounter::default()
        };
    };
    let setting = visit.get("class").and_then(coded);
    let code = setting.as_ref().and_then(|coded| coded.source.as_ref());
    let class = code.and_then(|coding| encounter_class(&coding.code));
    let stay = visit.get("hospitalization");
    Encounter {
        identifiers: names_or_address(visit),
        class,
        kinds: setting.into_iter().chain(concepts(visit, "type")).collect(),
        period: visit.get("period").and_then(period),
        admission_source: stay.and_then(|stay| concept_at(stay, "admitSource")),
        discharge: stay.and_then(|stay| concept_at(stay, "dischargeDisposition")),
    }
}

/// The class by HL7's v3 codes of encounters.
fn encounter_class(code: &str) -> Option<EncounterClass> {
    Some(match code {
        "AMB" | "HH" | "VR" | "FLD" => EncounterClass::Outpatient,
        "EMER" => EncounterClass::Emergency,
        "IMP" | "ACUTE" | "NONAC" => EncounterClass::Inpatient,
        "SS" => EncounterClass::Day,
        _ => return None,
    })
}
