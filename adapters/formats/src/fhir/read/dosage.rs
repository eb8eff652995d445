//! Dosage and Timing in canonical words. What has no place there is left for the line's particulars.

use takmil_domain::code::{Code, Coded};
use takmil_domain::prescription::{Dosage, Measure, Ratio, Timing};

use super::cursor::Cursor;
use super::eligibility::ordinal;
use super::values::{
    concept, concept_at, concepts, measure, measure_at, moment, period, quantity, ratio,
};

/// The system of units that FHIR's timing codes belong to.
const UCUM: &str = "http://unitsofmeasure.org";

/// How each line of a list of dosages says it.
pub(super) fn dosages(c: Cursor, key: &str) -> Vec<Dosage> {
    let said = c.items(key).enumerate().map(|(index, said)| {
        // A number that says no more than the order of the list does.
        let number = said.get("sequence");
        let plain = number
            .filter(|number| number.node.as_number() == Some(ordinal(index).to_string().as_str()));
        plain.into_iter().for_each(Cursor::understood);
        dosage(said)
    });
    said.filter(|dosage| *dosage != Dosage::default()).collect()
}

fn dosage(c: Cursor) -> Dosage {
    let mut instructions = concepts(c, "additionalInstruction");
    instructions.extend(c.text("patientInstruction").map(Coded::words));
    let mut dosage = Dosage {
        text: c.text("text").map(Into::into),
        instructions,
        timing: c.get("timing").and_then(timing),
        route: concept_at(c, "route"),
        site: concept_at(c, "site"),
        method: concept_at(c, "method"),
        maximum: c.get("maxDosePerPeriod").and_then(ratio),
        ..Dosage::default()
    };
    match c.choice("asNeeded") {
        Some(("CodeableConcept", value)) => {
            dosage.needed_for = concept(value);
            dosage.as_needed = Some(true);
        }
        Some((_, value)) => dosage.as_needed = value.as_bool(),
        None => {}
    }
    if let Some(dose) = c.items("doseAndRate").next() {
        dosage.dose_kind = concept_at(dose, "type");
        dosage.doses = doses(dose);
        dosage.rate = rate(dose);
    }
    dosage
}

fn doses(c: Cursor) -> Vec<Measure> {
    match c.choice("dose") {
        Some(("Range", range)) => {
            let ends = ["low", "high"].into_iter();
            ends.filter_map(|end| measure_at(range, end)).collect()
        }
        Some((_, value)) => measure(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The speed, where it is one; a range of speeds has no place.
fn rate(c: Cursor) -> Option<Ratio> {
    match c.choice("rate")? {
        ("Ratio", value) => ratio(value),
        ("Quantity", value) => Some(Ratio {
            numerator: Some(measure(value)?),
            denominator: None,
        }),
        _ => None,
    }
}

fn timing(c: Cursor) -> Option<Timing> {
    let mut timing = Timing {
        coded: concept_at(c, "code"),
        events: c.items("event").filter_map(moment).collect(),
        ..Timing::default()
    };
    if let Some(repeat) = c.get("repeat") {
        match repeat.choice("bounds") {
            Some(("Period", value)) => timing.bounds = period(value),
            Some(("Duration", value)) => timing.duration = measure(value),
            _ => {}
        }
        // The most, where there is a range: the least is left for the particulars.
        let most = |least: &str, most: &str| repeat.count(most).or_else(|| repeat.count(least));
        timing.frequency = most("frequency", "frequencyMax");
        timing.count = most("count", "countMax");
        timing.period = every(repeat);
        let named = ["dayOfWeek", "timeOfDay", "when"].into_iter();
        timing.when = named
            .flat_map(|key| repeat.items(key).filter_map(Cursor::as_str))
            .map(Into::into)
            .collect();
    }
    (timing != Timing::default()).then_some(timing)
}

fn every(c: Cursor) -> Option<Measure> {
    let value = c.get("period").and_then(quantity);
    let unit = c.text("periodUnit");
    (value.is_some() || unit.is_some()).then(|| Measure {
        value,
        unit: None,
        coded: unit.map(|unit| Code::new(UCUM, unit)),
    })
}
