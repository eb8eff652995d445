//! Does a diagnosis stand before its cause?
//!
//! Source: the code-first notes of ICD-10-CM. Two things are certain whatever a note's words: a cause that the
//! note names and that stands after what it caused, and something that may not stand first and does. That a cause
//! is missing in the middle of a list is not certain, for many notes only give examples.

use super::{ClinicalRule, CodeKey, Diagnosis, Found, Judging, Level, Notes, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::CodeFirst,
    level: Level::Information,
    most: Level::Refusal,
    waits_for: super::excludes::waits_for,
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let listed: Vec<(&Diagnosis<'_>, CodeKey)> = judging
        .case
        .keyed()
        .filter(|(diagnosis, _)| diagnosis.line.is_none())
        .collect();
    for (at, (diagnosis, key)) in listed.iter().enumerate() {
        let notes: Vec<&Notes> = key
            .upward()
            .filter_map(|key| judging.tables.notes.get(&key))
            .collect();
        if notes.is_empty() {
            continue;
        }
        let is_cause = |(_, other): &&(&Diagnosis<'_>, CodeKey)| {
            let mut causes = notes.iter().flat_map(|notes| &notes.code_first);
            other != key && causes.any(|range| range.holds(*other))
        };
        if listed.iter().take(at).any(|other| is_cause(&other)) {
            continue;
        }
        let after = listed.iter().skip(at + 1).find(is_cause);
        let never_first = notes.iter().any(|notes| notes.never_first);
        if after.is_some() || (at == 0 && never_first) {
            let cause = after.map(|(other, _)| other.evidence());
            found.push(Found {
                evidence: [diagnosis.evidence()].into_iter().chain(cause).collect(),
                ..Found::default()
            });
        }
    }
}
