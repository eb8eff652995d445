//! Step 6: is a pre-authorisation needed, and there?

use super::{Judging, Verdict};
use crate::decision::Input;
use crate::money::Amount;
use crate::plan::AuthorisationRule;
use crate::reason::Reason;

/// What was authorised is capped where quantities and prices are.
pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let Some(benefit) = judging.benefit else {
        return Verdict::Go;
    };
    let is_small = judging.billed <= benefit.authorisation_over;
    if judging.authorised.is_some() || is_small && benefit.authorisation_over > Amount::ZERO {
        return Verdict::Go;
    }
    match &benefit.authorisation {
        AuthorisationRule::Pay => Verdict::Go,
        AuthorisationRule::Refuse | AuthorisationRule::Penalty { .. }
            if judging.case.asks_leave =>
        {
            Verdict::Go
        }
        AuthorisationRule::Refuse => Verdict::Refuse(Reason::AuthorisationMissing),
        AuthorisationRule::Pend => {
            judging.pended = true;
            let rule = judging.rule_of_benefit();
            judging.note(
                6,
                Reason::AuthorisationPended,
                rule,
                Amount::ZERO,
                Amount::ZERO,
                Vec::new(),
            );
            Verdict::Go
        }
        AuthorisationRule::Penalty { rate } => {
            let inputs = vec![
                Input::new("rate", judging.rate),
                Input::new("penalty_rate", *rate),
            ];
            judging.rate = judging.rate.max(*rate);
            let rule = judging.rule_of_benefit();
            judging.note(
                6,
                Reason::AuthorisationPenalty,
                rule,
                Amount::ZERO,
                Amount::ZERO,
                inputs,
            );
            Verdict::Go
        }
    }
}
