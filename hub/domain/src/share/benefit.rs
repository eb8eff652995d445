//! Step 3: the most specific benefit that names the service.

use super::{Judging, Verdict};
use crate::reason::Reason;

pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    match judging.benefit {
        None => Verdict::Refuse(Reason::NoBenefit),
        Some(benefit) => {
            let terms = benefit.tiers.iter().find(|own| own.tier == judging.tier);
            if terms.is_some_and(|terms| terms.refused) {
                return Verdict::Refuse(Reason::OutsideNetwork);
            }
            judging.rate = terms.and_then(|terms| terms.rate).unwrap_or(benefit.rate);
            judging.copay = terms.and_then(|terms| terms.copay).unwrap_or(benefit.copay);
            Verdict::Go
        }
    }
}
