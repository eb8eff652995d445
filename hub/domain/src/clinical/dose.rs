//! Is the dose of a day above the largest for the drug?
//!
//! The lists of largest doses that are known may not be passed on: those of labels are sold, and the WHO's
//! defined daily dose is a mean and no maximum. So the rule stands here by name and waits.

use super::{ClinicalRule, Level, Rule};

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Dose,
    level: Level::Warning,
    most: Level::Refusal,
    waits_for: |_| {
        Some("a table of the largest daily dose of each ingredient, with the strengths of drugs")
    },
    find: |_, _| {},
};
