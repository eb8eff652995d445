//! Is the additional code there that a diagnosis asks for?
//!
//! Source: the use-additional-code notes of ICD-10-CM that hold without a condition and name codes. What is
//! missing may not be known to the sender, so the rule only informs.

use super::{ClinicalRule, CodeKey, Found, Judging, Level, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::UseAdditional,
    level: Level::Information,
    most: Level::Information,
    waits_for: super::excludes::waits_for,
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let mut keys: Vec<CodeKey> = judging.case.keyed().map(|(_, key)| key).collect();
    keys.sort_unstable();
    for (diagnosis, key) in judging.case.keyed() {
        let notes = key
            .upward()
            .filter_map(|key| judging.tables.notes.get(&key));
        let mut asked = notes.flat_map(|notes| &notes.use_additional).peekable();
        let is_there = |(first, last): (CodeKey, CodeKey)| {
            let from = keys.partition_point(|key| *key < first);
            keys.get(from).is_some_and(|key| *key <= last)
        };
        if asked.peek().is_some() && !asked.any(|range| is_there(range.ends())) {
            found.push(Found {
                lines: diagnosis.lines(),
                evidence: vec![diagnosis.evidence()],
                ..Found::default()
            });
        }
    }
}
