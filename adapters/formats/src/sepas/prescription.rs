//! Prescriptions.

use takmil_domain::code::Coded;
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Head, Supporting};
use takmil_domain::party::Party;
use takmil_domain::prescription::{Dosage, Measure, Prescription, PrescriptionLine};
use takmil_domain::problem::ProblemCode;

use super::values::{from_to, particular};
use crate::cursor::{Part, Reader};

impl<'n> Reader<'n> {
    pub(super) fn prescription(&self, composition: &Part<'n>, head: &mut Head) -> Prescription {
        let path = "/prescription";
        let mut team: Vec<Party> = Vec::new();
        let mut order = Prescription {
            encounter: self.encounter(composition, path, &mut team, head),
            diagnoses: self.diagnoses(composition, path),
            ..Prescription::default()
        };
        if let Some(own) = self.required(composition, "Prescription") {
            for (field, key) in [("authored", "IssueDate"), ("valid/end", "ExpiryDate")] {
                self.origin(format!("{path}/{field}"), own.place_of(key));
            }
            self.origin("/occurred_on", own.place_of("IssueDate"));
            if let Some(id) = self.identifier(&own, "PrescriptionID") {
                head.identifiers.insert(0, id);
            }
            order.authored = self.when(&own, "IssueDate", "IssueTime");
            let end = self.day(&own, "ExpiryDate").map(When::from);
            order.valid = from_to(None, end);
            order.prescriber = self.practitioner(&own, "Prescriber", "prescriber");
        }
        for own in self.objects(composition, "PrescribedDrugs") {
            if self.is_full() {
                break;
            }
            let at = order.lines.len();
            let line = self.drug(&own, &format!("{path}/lines/{at}"));
            order.lines.extend(line.map(|line| PrescriptionLine {
                seq: u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX),
                ..line
            }));
        }
        if order.lines.is_empty() {
            self.missing(composition, "PrescribedDrugs");
        }
        // Who treats beside the prescriber is told with the prescription.
        head.supporting
            .extend(team.into_iter().map(|own| Supporting {
                text: own.name,
                identifier: own.identifiers.into_iter().next(),
                ..particular("Doctor")
            }));
        head.occurred_on = order.authored.as_ref().and_then(When::day);
        order
    }

    fn drug(&self, own: &Part<'n>, path: &str) -> Option<PrescriptionLine> {
        self.origin(path, own.place.as_str());
        self.origin(format!("{path}/quantity"), own.place_of("TotalNumber"));
        self.required(own, "Drug")?;
        let item = self.coded(own, "Drug")?;
        let measure = |key: &str| {
            let (value, unit) = self.quantity(own, key)?;
            Some(Measure {
                value: Some(value),
                unit,
                coded: None,
            })
        };
        let frequency = self.coded(own, "Frequency");
        let dosage = Dosage {
            text: self.words(own, "Description"),
            instructions: frequency.into_iter().collect::<Vec<Coded>>(),
            doses: measure("Dosage").into_iter().collect(),
            route: self.coded(own, "Route"),
            ..Dosage::default()
        };
        let pkid = self.plain(own, "PKID", ProblemCode::BadIdentifier);
        let is_dosed = dosage != Dosage::default();
        Some(PrescriptionLine {
            identifiers: pkid
                .map(|id| Identifier::new("sepas:line", id))
                .into_iter()
                .collect(),
            item,
            dosage: is_dosed.then_some(dosage).into_iter().collect(),
            quantity: measure("TotalNumber"),
            repeats: self.whole(own, "Repeats", ProblemCode::BadValue),
            ..PrescriptionLine::default()
        })
    }
}
