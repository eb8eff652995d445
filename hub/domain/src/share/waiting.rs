//! Step 5, first part: has the waiting period passed?

use super::{Judging, Verdict};
use crate::reason::Reason;

pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let Some(benefit) = judging.benefit else {
        return Verdict::Go;
    };
    let (cover, plan) = (judging.terms.cover, judging.terms.plan);
    let by_prior_cover = benefit.waiver.prior_cover && cover.prior_cover;
    let by_group = matches!((benefit.waiver.group_over, cover.group_size), (Some(least), Some(size)) if size > least);
    if benefit.waiting_months == 0 || by_prior_cover || by_group {
        return Verdict::Go;
    }
    let opens = cover
        .start
        .add_months(benefit.waiting_months, plan.calendar);
    if judging.line.date < opens {
        Verdict::Refuse(Reason::Waiting)
    } else {
        Verdict::Go
    }
}
