//! Do two drugs act on each other: within the message, or with what the member still has at home?
//!
//! The ingredients of one product are meant to be together and are not held against each other. Each finding
//! carries the severity of the table's row.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClinicalRule, Found, Ingredient, Judging, Level, Past, Rule};
use crate::date::Date;

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Interaction,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: |tables| {
        tables
            .interactions
            .is_empty()
            .then_some("a table of interactions, which its holder imports")
    },
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let table = &judging.tables.interactions;
    // As many as the table knows, however long the message: so are the pairs.
    let mut given: BTreeMap<&Ingredient, BTreeSet<u32>> = BTreeMap::new();
    for line in &judging.case.lines {
        let known = line.ingredients.iter();
        for ingredient in known.filter(|ingredient| table.knows(ingredient)) {
            given.entry(ingredient).or_default().insert(line.seq);
        }
    }
    for (at, (one, lines)) in given.iter().enumerate() {
        for (other, other_lines) in given.iter().skip(at + 1) {
            let apart = lines != other_lines;
            if let Some(severity) = table.between(one, other).filter(|_| apart) {
                found.push(Found {
                    lines: lines.union(other_lines).copied().collect(),
                    evidence: vec![one.evidence(), other.evidence()],
                    severity: Some(severity),
                    past: false,
                });
            }
        }
    }
    for other in at_home(judging) {
        // What is ordered again was judged with what stands beside it.
        if given.contains_key(other) {
            continue;
        }
        for (one, lines) in &given {
            if let Some(severity) = table.between(one, other) {
                found.push(Found {
                    lines: lines.iter().copied().collect(),
                    evidence: vec![one.evidence(), other.evidence()],
                    severity: Some(severity),
                    past: true,
                });
            }
        }
    }
}

/// What the table knows of what the member has at home on the day of any line.
fn at_home<'a>(judging: &Judging<'a>) -> BTreeSet<&'a Ingredient> {
    let days: BTreeSet<Date> = judging.case.lines.iter().map(|line| line.day).collect();
    let is_left = |past: &&Past| days.iter().any(|day| past.used(*day).is_some());
    let table = &judging.tables.interactions;
    let left = judging.case.past.iter().filter(is_left);
    left.flat_map(|past| &past.ingredients)
        .filter(|ingredient| table.knows(ingredient))
        .collect()
}
