//! Is the prescription valid on the day?
//!
//! The days that it names itself count before the contract's.

use super::{ClinicalRule, Found, Judging, Level, Line, Order, Rule, nothing};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Prescription,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: nothing,
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let days = judging.terms.prescription_days;
    let invalid = |line: &&Line<'_>| !is_valid(line, judging.case.order, days);
    let lines = judging.case.lines.iter().filter(invalid);
    found.extend(lines.map(|line| {
        Found {
            lines: vec![line.seq],
            evidence: [line.evidence()]
                .into_iter()
                .filter(|code| !code.code.is_empty())
                .collect(),
            ..Found::default()
        }
    }));
}

fn is_valid(line: &Line<'_>, order: Order, days: u32) -> bool {
    let authored = line.order.authored.or(order.authored);
    let from = line.order.from.or(order.from);
    let until = line
        .order
        .until
        .or(order.until)
        .or(authored.map(|authored| authored.add_days(days)));
    from.is_none_or(|from| from <= line.day) && until.is_none_or(|until| line.day <= until)
}
