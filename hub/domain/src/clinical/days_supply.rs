//! Does the quantity fit the dose and the days that it is to last?
//!
//! Too little for the days named, or more than twice what they take: a pack may hold more than is needed, so
//! less than that says nothing. Without all three numbers in one unit nothing is judged.

use super::{ClinicalRule, Found, Judging, Level, Line, Rule, nothing};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::DaysSupply,
    level: Level::Information,
    most: Level::Refusal,
    waits_for: nothing,
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let misfits = judging.case.lines.iter().filter(|line| misfits(line));
    found.extend(misfits.map(|line| Found {
        lines: vec![line.seq],
        evidence: vec![line.evidence()],
        ..Found::default()
    }));
}

fn misfits(line: &Line<'_>) -> bool {
    let (Some(dose), Some(days)) = (line.dose, line.days_supply) else {
        return false;
    };
    // Both sides are multiplied with the days of the dose, so that nothing is divided and rounded.
    let needed = dose
        .amount
        .nano()
        .saturating_mul(i128::from(dose.times))
        .saturating_mul(i128::from(days));
    let given = line.quantity.nano().saturating_mul(i128::from(dose.days));
    given < needed || given > needed.saturating_mul(2)
}
