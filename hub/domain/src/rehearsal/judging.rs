//! One message judged by the documents of a view, on what the messages before it have left.

use super::change::View;
use super::history::Past;
use super::limits::Limits;
use crate::decision::{Basis, DecidedBy, Decision, LineShare, Remainder, Totals};
use crate::share::{Case, Frame, Split};

/// The shares of a message's lines. What it draws is used up.
pub(super) fn judge(past: &Past<'_>, view: &View<'_>, limits: &mut Limits) -> Vec<LineShare> {
    judged(past, view, limits, |_, _, _| ()).0
}

/// The same as a whole decision, to be told in words.
pub(super) fn decide(past: &Past<'_>, view: &View<'_>, limits: &mut Limits) -> Decision {
    let also = |frame: &Frame<'_>, left: &[i64], split: &Split| remainders(frame, left, split);
    let (lines, remainders) = judged(past, view, limits, also);
    let plans = past.covers.iter().filter_map(|own| view.plan(own));
    let basis = plans.map(|plan| Basis {
        insurer: plan.insurer.clone(),
        plan: plan.id.clone(),
        version: plan.version,
    });
    Decision {
        currency: view.currency(past),
        totals: Totals::of(&lines),
        lines,
        remainders,
        basis: basis.collect(),
        exchange: None,
        decided_by: DecidedBy::Hub,
        reasons: Vec::new(),
        valid_until: None,
    }
}

fn judged<R>(
    past: &Past<'_>,
    view: &View<'_>,
    limits: &mut Limits,
    also: impl FnOnce(&Frame<'_>, &[i64], &Split) -> R,
) -> (Vec<LineShare>, R) {
    let mut case: Case<'_> = view.case(past);
    let packages = case.pack();
    let frame = Frame::new(&case);
    let left = limits.left(frame.needs());
    let split = frame.split(&left);
    limits.draw(frame.needs(), &split);
    let more = also(&frame, &left, &split);
    (packages.share_out(split.lines), more)
}

fn remainders(frame: &Frame<'_>, left: &[i64], split: &Split) -> Vec<Remainder> {
    let mut after = left.to_vec();
    for draw in &split.draws {
        if let Some(left) = after.get_mut(draw.need) {
            *left = left.saturating_sub(draw.amount);
        }
    }
    let rows = frame.needs().iter().zip(left.iter().zip(&after));
    rows.map(|(need, (before, after))| Remainder::of(need, need.ceiling, *before, *after))
        .collect()
}
