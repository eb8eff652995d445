//! E-prescriptions.

use takmil_domain::code::Coded;
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Head, Supporting};
use takmil_domain::money::Quantity;
use takmil_domain::prescription::{Dosage, Measure, Prescription, PrescriptionLine, Timing};
use takmil_domain::problem::ProblemCode;

use super::read::{Reader, particular, party};
use crate::xml::Element;

impl Reader<'_> {
    pub(super) fn prescription(&self, head: &mut Head) -> Body {
        let own = self.own;
        let path = "/prescription";
        let mut order = Prescription {
            prescriber: own
                .text("Clinician")
                .map(|id| party("uae:clinician", id, "prescriber")),
            encounter: self.encounter(path, head),
            diagnoses: self.diagnoses(path),
            authored: head.created.clone(),
            ..Prescription::default()
        };
        for activity in own.all("Activity") {
            let at = order.lines.len();
            self.origin(format!("{path}/lines/{at}"), activity.place.as_str());
            let Some(item) = self.item(activity) else {
                continue;
            };
            let number = |value: Option<Quantity>| {
                value.map(|value| Measure {
                    value: Some(value),
                    ..Measure::default()
                })
            };
            let days = number(self.quantity(activity, "Duration"));
            let quantity = number(self.quantity(activity, "Quantity"));
            let observed = self.observations(activity, head);
            let mut line = PrescriptionLine {
                seq: u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX),
                identifiers: activity
                    .text("ID")
                    .map(|id| Identifier::new("uae:activity", id))
                    .into_iter()
                    .collect(),
                item,
                authored: self.when(activity, "Start"),
                dosage: self.dosage(activity, days.clone()),
                quantity,
                days_supply: days.map(|own| Measure {
                    unit: Some("d".to_owned()),
                    ..own
                }),
                repeats: self.whole(activity, "Refills"),
                authorisation: activity.text("PriorAuthorizationID").map(str::to_owned),
                ..PrescriptionLine::default()
            };
            line.particulars
                .extend(observed.iter().map(|seq| Supporting {
                    text: Some(seq.to_string()),
                    ..particular("Observation")
                }));
            order.lines.push(line);
        }
        if order.lines.is_empty() {
            self.problem(
                own,
                "Activity",
                ProblemCode::Missing,
                "an activity is required",
            );
        }
        head.occurred_on = order.authored.as_ref().and_then(When::day);
        self.origin("/occurred_on", own.place_of("Activity"));
        Body::Prescription(order)
    }

    fn dosage(&self, activity: &Element, days: Option<Measure>) -> Vec<Dosage> {
        let often = activity.child("Frequency");
        let day = |text: &str| match text.to_ascii_lowercase().as_str() {
            "hour" => Some("h"),
            "day" => Some("d"),
            "week" => Some("wk"),
            "month" => Some("mo"),
            _ => None,
        };
        let unit = often.and_then(|own| own.text("FrequencyType"));
        let times = often.and_then(|own| self.whole(own, "FrequencyValue"));
        let per = unit.map(|unit| Measure {
            value: Some(Quantity::ONE),
            unit: Some(day(unit).unwrap_or(unit).to_owned()),
            coded: None,
        });
        let dose = often.and_then(|own| self.quantity(own, "UnitPerFrequency"));
        let timing = Timing {
            frequency: times,
            period: per.filter(|_| times.is_some()),
            duration: days.map(|own| Measure {
                unit: Some("d".to_owned()),
                ..own
            }),
            ..Timing::default()
        };
        let route = activity
            .text("RoutOfAdmin")
            .or_else(|| activity.text("RouteOfAdmin"));
        let dosage = Dosage {
            text: activity.text("Instructions").map(str::to_owned),
            doses: dose
                .map(|value| Measure {
                    value: Some(value),
                    ..Measure::default()
                })
                .into_iter()
                .collect(),
            timing: (timing != Timing::default()).then_some(timing),
            route: route.map(Coded::words),
            ..Dosage::default()
        };
        if dosage == Dosage::default() {
            Vec::new()
        } else {
            vec![dosage]
        }
    }
}
