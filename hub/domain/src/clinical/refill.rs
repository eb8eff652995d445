//! Is enough of the earlier supply used up?
//!
//! The latest supply of the same ingredients counts, whatever its strength or maker: the share of its days that
//! has passed must reach the contract's. What is given in a stay is not taken home.

use super::{ClinicalRule, Found, Judging, Level, Line, Past, Rule, nothing};
use crate::money::{Amount, Rate};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Refill,
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
    let drugs = case
        .lines
        .iter()
        .filter(|line| !line.ingredients.is_empty());
    for line in drugs {
        let earlier = case
            .past
            .iter()
            .filter(|past| past.ingredients == line.ingredients && past.day <= line.day);
        let latest = earlier.max_by_key(|past| past.day);
        if let Some(past) = latest
            && is_too_soon(line, past, judging.terms.refill_share)
        {
            let codes = [line.evidence(), past.code.clone()];
            found.push(Found {
                lines: vec![line.seq],
                evidence: codes
                    .into_iter()
                    .filter(|code| !code.code.is_empty())
                    .collect(),
                severity: None,
                past: true,
            });
        }
    }
}

fn is_too_soon(line: &Line<'_>, past: &Past, share: Rate) -> bool {
    let Some((used, supply)) = past.used(line.day) else {
        return false;
    };
    let supply = Amount::new(i64::from(supply)).unwrap_or(Amount::ZERO);
    i128::from(used) * share.denominator() < share.of(supply)
}
