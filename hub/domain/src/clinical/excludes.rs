//! Can two diagnoses of one message stand side by side?
//!
//! Source: the Excludes1 notes of ICD-10-CM. A note holds for all below its category, against all below the
//! categories that it names. The guideline allows two conditions that have nothing to do with each other all the
//! same, and only a person can tell that: so a contract should not refuse by it.

use std::collections::BTreeSet;

use super::{ClinicalRule, CodeKey, Diagnosis, Found, Judging, Level, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Excludes,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for,
    find,
};

pub(super) fn waits_for(tables: &super::Tables) -> Option<&'static str> {
    let missing = tables.notes.is_empty();
    missing.then_some("the notes of the diagnoses' classification")
}

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let mut sorted: Vec<(CodeKey, &Diagnosis<'_>)> = judging
        .case
        .keyed()
        .map(|(diagnosis, key)| (key, diagnosis))
        .collect();
    sorted.sort_by_key(|(key, _)| *key);
    sorted.dedup_by_key(|(key, _)| *key);
    let mut told = BTreeSet::new();
    for (key, diagnosis) in &sorted {
        let notes = key
            .upward()
            .filter_map(|key| judging.tables.notes.get(&key));
        for range in notes.flat_map(|notes| &notes.excludes) {
            let (first, last) = range.ends();
            let from = sorted.partition_point(|(key, _)| *key < first);
            let within = sorted.iter().skip(from).take_while(|(key, _)| *key <= last);
            for (other_key, other) in within.filter(|(other, _)| other != key) {
                if told.insert((*key.min(other_key), *key.max(other_key))) {
                    found.push(Found {
                        lines: diagnosis.line.into_iter().chain(other.line).collect(),
                        evidence: vec![diagnosis.evidence(), other.evidence()],
                        ..Found::default()
                    });
                }
            }
        }
    }
}
