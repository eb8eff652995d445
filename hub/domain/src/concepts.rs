//! The concepts of a message that the common scheme speaks of: services, drugs, diagnoses, procedures.

use crate::bill::{Bill, Diagnosis, Line};
use crate::code::Coded;
use crate::message::{Body, Message};

/// Where a concept stands: lazily, because a pointer is wanted for the few that are not known.
pub type Place<'p> = &'p dyn Fn() -> String;

impl Message {
    /// Visits every concept that is mapped to the common scheme, with its JSON pointer.
    pub fn visit_concepts(&mut self, visit: &mut dyn FnMut(Place<'_>, &mut Coded)) {
        match &mut self.body {
            Body::Eligibility(question) => {
                if let Some(bill) = &mut question.bill {
                    visit_bill("/eligibility/bill", bill, visit);
                }
            }
            Body::Estimate(bill) => visit_bill("/estimate", bill, visit),
            Body::Admission(admission) => visit_bill("/admission/bill", &mut admission.bill, visit),
            Body::Preauthorization(request) => {
                visit_bill("/preauthorization/bill", &mut request.bill, visit)
            }
            Body::Claim(claim) => visit_bill("/claim/bill", &mut claim.bill, visit),
            Body::Prescription(prescription) => {
                visit_diagnoses("/prescription", &mut prescription.diagnoses, visit);
                for (at, line) in prescription.lines.iter_mut().enumerate() {
                    visit(&|| format!("/prescription/lines/{at}/item"), &mut line.item);
                    for (place, reason) in line.reasons.iter_mut().enumerate() {
                        visit(
                            &|| format!("/prescription/lines/{at}/reasons/{place}"),
                            reason,
                        );
                    }
                }
            }
            Body::Dispense(dispense) => {
                for (at, given) in dispense.lines.iter_mut().enumerate() {
                    visit_line(
                        &|| format!("/dispense/lines/{at}/line"),
                        &mut given.line,
                        visit,
                    );
                }
            }
            Body::Cancel(_) => {}
        }
    }
}

fn visit_bill(place: &str, bill: &mut Bill, visit: &mut dyn FnMut(Place<'_>, &mut Coded)) {
    visit_diagnoses(place, &mut bill.diagnoses, visit);
    for (at, procedure) in bill.procedures.iter_mut().enumerate() {
        visit(
            &|| format!("{place}/procedures/{at}/coded"),
            &mut procedure.coded,
        );
    }
    for (at, line) in bill.lines.iter_mut().enumerate() {
        visit_line(&|| format!("{place}/lines/{at}"), line, visit);
    }
}

fn visit_diagnoses(
    place: &str,
    diagnoses: &mut [Diagnosis],
    visit: &mut dyn FnMut(Place<'_>, &mut Coded),
) {
    for (at, diagnosis) in diagnoses.iter_mut().enumerate() {
        visit(
            &|| format!("{place}/diagnoses/{at}/coded"),
            &mut diagnosis.coded,
        );
    }
}

fn visit_line(place: Place<'_>, line: &mut Line, visit: &mut dyn FnMut(Place<'_>, &mut Coded)) {
    visit(&|| format!("{}/item", place()), &mut line.item);
    for (at, detail) in line.details.iter_mut().enumerate() {
        visit_line(&|| format!("{}/details/{at}", place()), detail, visit);
    }
}
