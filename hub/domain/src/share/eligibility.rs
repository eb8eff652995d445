//! Step 2: is there a cover on the service date, in the bill's currency?

use super::{Judging, Verdict};
use crate::reason::Reason;

pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let (cover, plan, line) = (judging.terms.cover, judging.terms.plan, judging.line);
    let tariffs = [judging.terms.tariff, judging.terms.contract];
    let tariffs = tariffs
        .into_iter()
        .flatten()
        .map(|tariff| tariff.document().currency);
    if tariffs
        .chain([plan.currency])
        .any(|currency| currency != judging.case.currency)
    {
        return Verdict::Refuse(Reason::CurrencyDiffers);
    }
    if line.date < cover.start || cover.end.is_some_and(|end| end < line.date) {
        return Verdict::Refuse(Reason::CoverInactive);
    }
    if cover.suspended {
        return Verdict::Refuse(Reason::CoverSuspended);
    }
    let age = judging.age();
    let aged_out = plan
        .age_out
        .iter()
        .any(|row| row.relationship == cover.relationship && age.is_some_and(|age| age >= row.age));
    if aged_out {
        Verdict::Refuse(Reason::AgedOut)
    } else {
        Verdict::Go
    }
}
