//! Is any diagnosis of the message one that the drug is known to be given for?
//!
//! What a drug may be given for is never fully listed, and diagnoses are seldom all told. So the rule only
//! informs, and says nothing of a drug that the table lacks or of a message without a diagnosis.

use super::{ClinicalRule, CodeKey, Found, Ingredient, Judging, Level, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Indication,
    level: Level::Information,
    most: Level::Information,
    waits_for: |tables| {
        tables
            .indications
            .is_empty()
            .then_some("a table of what drugs are given for")
    },
    find,
};

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let diagnoses: Vec<CodeKey> = judging.case.keyed().map(|(_, key)| key).collect();
    if diagnoses.is_empty() {
        return;
    }
    for line in &judging.case.lines {
        // Of a product of several ingredients the table knows what each is for alone, not what they are for.
        let [Ingredient::RxNorm(ingredient)] = line.ingredients.as_slice() else {
            continue;
        };
        let Some(known) = judging.tables.indications.get(ingredient) else {
            continue;
        };
        let fits = |range: &super::CodeRange| diagnoses.iter().any(|key| range.holds(*key));
        if !known.iter().any(fits) {
            let stated = judging.case.keyed().map(|(stated, _)| stated.evidence());
            found.push(Found {
                lines: vec![line.seq],
                evidence: [Ingredient::RxNorm(*ingredient).evidence()]
                    .into_iter()
                    .chain(stated)
                    .collect(),
                ..Found::default()
            });
        }
    }
}
