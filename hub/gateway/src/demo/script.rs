//! The sample messages, as providers of five countries would send them.
//!
//! Their texts have marks in them: `{{today}}`, `{{today-3}}` and `{{today+2}}` become days, `{{run}}` a number that
//! no other run has, and `{{id:NAME}}` the hub's id of an earlier message of the script.

use std::collections::HashMap;
use takmil_domain::date::Date;

use super::seed::plus_days;
use crate::cli::Fatal;

/// The shape of a body on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The hub's own JSON.
    Native,
    /// One FHIR resource as JSON.
    FhirJson,
    /// One FHIR resource as XML.
    FhirXml,
    /// A FHIR message: a Bundle with a header.
    FhirMessage,
    /// A FHIR Bundle of type collection.
    FhirCollection,
}

impl Shape {
    /// Its name in tables and figures.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Shape::Native => "native JSON",
            Shape::FhirJson => "FHIR JSON",
            Shape::FhirXml => "FHIR XML",
            Shape::FhirMessage => "FHIR message",
            Shape::FhirCollection => "FHIR collection",
        }
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Shape::Native => "application/json",
            Shape::FhirXml => "application/fhir+xml",
            Shape::FhirJson | Shape::FhirMessage | Shape::FhirCollection => "application/fhir+json",
        }
    }
}

/// One message of the script.
pub(super) struct Sample {
    /// Its name; the request's idempotency key is made from it.
    pub(super) name: &'static str,
    /// What it is, in a few words.
    pub(super) title: &'static str,
    /// The provider that sends it.
    pub(super) sender: &'static str,
    /// The address that it goes to.
    pub(super) path: &'static str,
    /// Its shape.
    pub(super) shape: Shape,
    /// Its text.
    pub(super) text: &'static str,
}

macro_rules! samples {
    ($($country:literal { $($name:literal $title:literal $sender:literal $path:literal $shape:ident $file:literal)+ })+) => {
        /// The script, by country, in the order in which it is sent.
        pub(super) const SCRIPT: &[(&str, &[Sample])] = &[$(($country, &[$(Sample {
            name: $name,
            title: $title,
            sender: $sender,
            path: $path,
            shape: Shape::$shape,
            text: include_str!(concat!("messages/", $file)),
        },)+]),)+];
    };
}

samples! {
    "Iran" {
        "ir-eligibility" "Is he covered?" "ir-hafez" "/fhir/CoverageEligibilityRequest/$submit" FhirJson "ir-eligibility.json"
        "ir-visit" "Visit at the state tariff" "ir-namazi" "/fhir/Claim/$submit" FhirJson "ir-visit.json"
        "ir-prescription" "Prescription of two drugs" "ir-namazi" "/fhir/$process-message" FhirCollection "ir-prescription.json"
        "ir-dispense" "The drugs, one an imported brand" "ir-daru" "/v1/dispenses" Native "ir-dispense.json"
        "ir-dispense" "The same again: the line had dropped" "ir-daru" "/v1/dispenses" Native "ir-dispense.json"
        "ir-dispense" "Other contents under that number" "ir-daru" "/v1/dispenses" Native "ir-dispense-changed.json"
        "ir-hand-over" "Hand-over without prices" "ir-daru" "/fhir/$process-message" FhirXml "ir-hand-over.xml"
        "ir-laboratory" "Laboratory, in Persian digits" "ir-namazi" "/v1/claims" Native "ir-laboratory.json"
        "ir-admission" "Admission, two insurers, private room" "ir-hafez" "/v1/admissions" Native "ir-admission.json"
        "ir-discharge" "Its bill: uses what was reserved" "ir-hafez" "/v1/claims" Native "ir-discharge.json"
        "ir-surgeries" "Three operations, one ceiling" "ir-hafez" "/v1/claims" Native "ir-surgeries.json"
        "ir-mri" "MRI outside the network" "ir-tasvir" "/fhir/Claim/$submit" FhirXml "ir-mri.xml"
        "ir-maternity" "Waiting period; an excluded line" "ir-namazi" "/fhir/$process-message" FhirMessage "ir-maternity.json"
        "ir-planned" "Operation planned" "ir-namazi" "/v1/admissions" Native "ir-planned.json"
        "ir-cancel" "The plan is taken back" "ir-namazi" "/v1/messages" Native "ir-cancel.json"
        "ir-aged-out" "A son past the age of cover" "ir-namazi" "/fhir/Claim/$submit" FhirJson "ir-aged-out.json"
    }
    "Morocco" {
        "ma-brand" "Brand at its generic's price" "ma-pharma" "/fhir/Claim/$submit" FhirJson "ma-brand.json"
        "ma-consultation" "Consultation, two insurers" "ma-atlas" "/fhir/Claim/$submit" FhirCollection "ma-consultation.json"
        "ma-dental" "Fillings, family ceiling" "ma-atlas" "/fhir/Claim/$submit" FhirXml "ma-dental.xml"
        "ma-surgery" "Operation without leave: pended" "ma-chu" "/fhir/Claim/$submit" FhirXml "ma-surgery.xml"
        "ma-estimate" "Glasses: what would I pay?" "ma-optic" "/v1/estimates" Native "ma-estimate.json"
    }
    "Mozambique" {
        "mz-stay" "Stay without leave: penalty" "mz-maputo" "/v1/claims" Native "mz-stay.json"
        "mz-leave" "Leave asked for a stay" "mz-maputo" "/fhir/$process-message" FhirMessage "mz-leave.json"
        "mz-stay-with-leave" "The stay, with that leave" "mz-maputo" "/fhir/Claim/$submit" FhirJson "mz-stay-with-leave.json"
    }
    "Yemen" {
        "ye-eligibility" "Is he covered?" "ye-aden" "/v1/eligibility" Native "ye-eligibility.json"
        "ye-visit" "Specialist and blood count" "ye-sanaa" "/v1/claims" Native "ye-visit.json"
        "ye-root-canal" "Root canal: the insurer gives leave" "ye-asnan" "/fhir/Claim/$submit" FhirXml "ye-root-canal.xml"
        "ye-backwards" "Ends before it starts" "ye-sanaa" "/v1/claims" Native "ye-backwards.json"
    }
    "International" {
        "intl-visit" "Visit and tests, deductible" "intl-hospital" "/fhir/Claim/$submit" FhirJson "intl-visit.json"
        "intl-knee" "Knee MRI, top-up insurer" "intl-hospital" "/fhir/Claim/$submit" FhirCollection "intl-knee.json"
        "intl-nobody" "No patient, no such status" "intl-hospital" "/fhir/Claim/$submit" FhirJson "intl-nobody.json"
    }
}

/// What the marks in texts stand for.
pub(super) struct Marks {
    /// The day of the run.
    pub(super) today: Date,
    /// A number that no other run has.
    pub(super) run: String,
    /// The hub's ids of the messages sent so far, by their names.
    pub(super) ids: HashMap<&'static str, String>,
}

impl Marks {
    /// The text with its marks replaced.
    ///
    /// # Errors
    /// If a mark is not known.
    pub(super) fn fill(&self, text: &str) -> Result<String, Fatal> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (mark, after) = after.split_once("}}").ok_or("a mark is not closed")?;
            filled.push_str(before);
            let value = self.value(mark);
            filled.push_str(&value.ok_or_else(|| format!("there is no mark {mark}"))?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, mark: &str) -> Option<String> {
        if let Some(days) = mark.strip_prefix("today") {
            let days = if days.is_empty() {
                0
            } else {
                days.parse().ok()?
            };
            return Some(plus_days(self.today, days).to_string());
        }
        match mark.strip_prefix("id:") {
            Some(name) => self.ids.get(name).cloned(),
            None => (mark == "run").then(|| self.run.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use takmil_formats::{Context, read, recognise};

    fn marks() -> Marks {
        Marks {
            today: Date::parse("2026-11-21").unwrap(),
            run: "r1".to_owned(),
            ids: HashMap::from([(
                "mz-leave",
                "00000000-0000-7000-8000-000000000001".to_owned(),
            )]),
        }
    }

    #[test]
    fn marks_become_days_numbers_and_ids() {
        let filled = marks().fill("{{today-1}} {{today}} {{today+10}} {{run}} {{id:mz-leave}}!");
        let expected = "2026-11-20 2026-11-21 2026-12-01 r1 00000000-0000-7000-8000-000000000001!";
        assert_eq!(filled.unwrap(), expected);
        assert!(marks().fill("{{tomorrow}}").is_err());
        assert!(marks().fill("{{id:nobody}}").is_err());
        assert!(marks().fill("{{run").is_err());
    }

    #[test]
    fn every_sample_reads_as_one_message_but_those_that_are_wrong_on_purpose() {
        let context = Context {
            default_currency: None,
            today: marks().today,
        };
        for sample in SCRIPT.iter().flat_map(|(_, samples)| *samples) {
            let body = marks().fill(sample.text).unwrap();
            let format = recognise(None, body.as_bytes()).unwrap();
            let is_native = sample.shape == Shape::Native;
            assert_eq!(
                format.name == takmil_formats::native::FORMAT.name,
                is_native,
                "{}",
                sample.name
            );
            let reading = read(format, body.as_bytes(), &context).unwrap();
            let [only] = reading.messages.as_slice() else {
                unreachable!("{} holds {} messages", sample.name, reading.messages.len())
            };
            let is_wrong = matches!(sample.name, "ye-backwards" | "intl-nobody");
            assert_eq!(
                only.outcome.is_err(),
                is_wrong,
                "{}: {:?}",
                sample.name,
                only.outcome.as_ref().err()
            );
        }
    }
}
