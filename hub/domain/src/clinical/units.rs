//! Are more units of a service billed for a day than are medically likely?
//!
//! Source: the medically unlikely edits of the National Correct Coding Initiative, for services of HCPCS level
//! II. The units of a service on a day are added up over the lines, so that a split line is no way around;
//! a line that spans several days has the day's units on each.

use std::collections::BTreeMap;

use super::{ClinicalRule, CodeKey, Found, HCPCS, Judging, Level, Line, Rule};
use crate::date::Date;

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Units,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: |tables| {
        tables
            .units
            .is_empty()
            .then_some("the table of medically unlikely units")
    },
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let mut services: BTreeMap<(CodeKey, Date, u32), Vec<&Line<'_>>> = BTreeMap::new();
    let of_table = judging
        .case
        .lines
        .iter()
        .filter(|line| line.system == HCPCS);
    for line in of_table {
        if let Some(key) = CodeKey::parse(line.code) {
            let service = (key, line.day, line.days);
            services.entry(service).or_default().push(line);
        }
    }
    for ((key, _, days), lines) in services {
        let Some(most) = judging.tables.units.get(&key) else {
            continue;
        };
        let units: i128 = lines.iter().map(|line| line.quantity.nano()).sum();
        if units > NANO * i128::from(*most) * i128::from(days) {
            let mut seqs: Vec<u32> = lines.iter().map(|line| line.seq).collect();
            seqs.dedup();
            found.push(Found {
                lines: seqs,
                evidence: lines
                    .first()
                    .map(|line| line.evidence())
                    .into_iter()
                    .collect(),
                ..Found::default()
            });
        }
    }
}

/// Billionths of a unit, in which quantities are compared.
const NANO: i128 = 1_000_000_000;
