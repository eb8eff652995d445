//! Is the same active ingredient ordered twice, or still at home in another drug?
//!
//! By ingredient, because classes of drugs (ATC) may not be passed on. The same drug again is a refill, which
//! [`super::refill`] judges; what is given in a stay is not taken home.

use std::collections::BTreeMap;

use super::{ClinicalRule, Found, Ingredient, Judging, Level, Line, Past, Rule, nothing};
use crate::code::Code;
use crate::date::Date;

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Duplicate,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: nothing,
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let case = judging.case;
    if case.stays {
        return;
    }
    let mut together: BTreeMap<(&Ingredient, Date), Vec<&Line<'_>>> = BTreeMap::new();
    for line in &case.lines {
        for ingredient in &line.ingredients {
            let lines = together.entry((ingredient, line.day)).or_default();
            if lines.iter().all(|other| other.seq != line.seq) {
                lines.push(line);
            }
        }
    }
    for ((ingredient, _), lines) in together.iter().filter(|(_, lines)| lines.len() > 1) {
        found.push(Found {
            lines: lines.iter().map(|line| line.seq).collect(),
            evidence: evidence(ingredient, lines.iter().map(|line| line.evidence())),
            ..Found::default()
        });
    }
    for line in &case.lines {
        for ingredient in &line.ingredients {
            let in_another = |past: &&Past| {
                past.ingredients.contains(ingredient)
                    && past.ingredients != line.ingredients
                    && past.used(line.day).is_some()
            };
            let at_home = case.past.iter().filter(in_another);
            if let Some(past) = at_home.max_by_key(|past| past.day) {
                found.push(Found {
                    lines: vec![line.seq],
                    evidence: evidence(ingredient, [line.evidence(), past.code.clone()]),
                    severity: None,
                    past: true,
                });
            }
        }
    }
}

fn evidence(ingredient: &Ingredient, codes: impl IntoIterator<Item = Code>) -> Vec<Code> {
    let named = codes.into_iter().filter(|code| !code.code.is_empty());
    [ingredient.evidence()].into_iter().chain(named).collect()
}
