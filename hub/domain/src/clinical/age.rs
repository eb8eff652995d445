//! Does the diagnosis occur at the member's age?
//!
//! Source: the age conflict edits of Medicare's code editor.

use super::{ClinicalRule, Found, Judging, Level, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Age,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: |tables| {
        tables
            .bearers
            .is_empty()
            .then_some("the table of ages and sexes of diagnoses")
    },
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let Some(birth) = judging.case.person.birth_date else {
        return;
    };
    for (diagnosis, key) in judging.case.keyed() {
        let bearer = judging.tables.bearers.nearest(key);
        let age = diagnosis.day.age_since(birth);
        if let Some((from, to)) = bearer.and_then(|bearer| bearer.ages)
            && !(from..=to).contains(&age)
        {
            found.push(Found {
                lines: diagnosis.lines(),
                evidence: vec![diagnosis.evidence()],
                ..Found::default()
            });
        }
    }
}
