//! Is the diagnosis a code of the edition in force, and exact enough to stand on a bill?
//!
//! Only what the sender itself wrote as ICD-10-CM is judged: a code that a map led there may be the heading of
//! what was meant. The hub has one edition, so that a diagnosis of a day before it is not judged at all.

use super::{ClinicalRule, Diagnosis, Found, Judging, Level, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Diagnosis,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: |tables| {
        tables
            .diagnoses
            .codes
            .is_empty()
            .then_some("the list of diagnoses")
    },
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let edition = &judging.tables.diagnoses;
    let billable = |diagnosis: &Diagnosis<'_>| {
        let known = diagnosis.key.and_then(|key| edition.codes.get(&key));
        known.copied().unwrap_or(false)
    };
    let wrong = judging.case.diagnoses.iter().filter(|diagnosis| {
        diagnosis.own
            && edition.since.is_none_or(|since| diagnosis.day >= since)
            && !billable(diagnosis)
    });
    found.extend(wrong.map(|diagnosis| Found {
        lines: diagnosis.lines(),
        evidence: vec![diagnosis.evidence()],
        ..Found::default()
    }));
}
