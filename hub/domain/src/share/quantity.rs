//! Step 7: how much of the quantity is covered.

use super::{Judging, OpenLimit, Verdict};
use crate::decision::Input;
use crate::money::Quantity;
use crate::plan::LimitUnit;
use crate::reason::Reason;

/// The least of what is asked, the benefit's maximum, what was authorised, and the room in each count limit.
pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let line = judging.line;
    let asked = line.quantity;
    let maximum = judging.benefit.and_then(|benefit| benefit.max_quantity);
    let authorised = judging.authorised.and_then(|own| own.quantity);
    let room = judging.limits.iter().filter_map(room).min();
    let covered = [maximum, authorised, room]
        .into_iter()
        .flatten()
        .fold(asked, Ord::min);
    if covered.is_zero() {
        return Verdict::Refuse(Reason::QuantityUsed);
    }
    judging.quantity = covered;
    judging.asked = covered.part_of(asked, judging.billed);
    if covered < asked {
        let rule = judging.rule_of_benefit();
        let inputs = vec![Input::new("asked", asked), Input::new("covered", covered)];
        let (before, after) = (judging.billed, judging.asked);
        judging.note(7, Reason::QuantityCapped, rule, before, after, inputs);
    }
    Verdict::Go
}

/// How many a limit leaves room for; `None` where it counts none.
fn room(open: &OpenLimit<'_>) -> Option<Quantity> {
    match open.limit.unit {
        LimitUnit::Money => None,
        // A visit that counts already has room for more; so has one that still can be counted.
        LimitUnit::Visits => (open.left <= 0).then_some(Quantity::ZERO),
        LimitUnit::Count | LimitUnit::Days => {
            let left = u32::try_from(open.left.max(0)).unwrap_or(u32::MAX);
            Some(Quantity::whole(left))
        }
    }
}
