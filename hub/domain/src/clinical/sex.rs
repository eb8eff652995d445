//! Does the diagnosis occur in the member's sex?
//!
//! Source: the sex conflict edits of Medicare's code editor. Who is registered as neither is never in conflict.

use super::{ClinicalRule, Found, Judging, Level, Rule};
use crate::party::Sex;

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Sex,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: super::age::RULE.waits_for,
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let Some(sex @ (Sex::Female | Sex::Male)) = judging.case.person.sex else {
        return;
    };
    for (diagnosis, key) in judging.case.keyed() {
        let bearer = judging.tables.bearers.nearest(key);
        if bearer
            .and_then(|bearer| bearer.sex)
            .is_some_and(|only| only != sex)
        {
            found.push(Found {
                lines: diagnosis.lines(),
                evidence: vec![diagnosis.evidence()],
                ..Found::default()
            });
        }
    }
}
