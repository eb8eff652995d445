//! One message judged by the documents of a view, on what the messages before it have left.

use super::change::View;
use super::history::Past;
use super::limits::Limits;
use crate::decision::{Basis, DecidedBy, Decision, LineShare, Totals};
use crate::share::Split;

/// The shares of a message's lines. What it draws is used up.
pub(super) fn judge(past: &Past<'_>, view: &View<'_>, limits: &mut Limits) -> Vec<LineShare> {
    split(past, view, limits).lines
}

/// The same as a whole decision, to be told in words.
pub(super) fn decide(past: &Past<'_>, view: &View<'_>, limits: &mut Limits) -> Decision {
    let split = split(past, view, limits);
    let plans = past.covers.iter().filter_map(|own| view.plan(own));
    let basis = plans.map(|plan| Basis {
        insurer: plan.insurer.clone(),
        plan: plan.id.clone(),
        version: plan.version,
    });
    Decision {
        currency: view.currency(past),
        totals: Totals::of(&split.lines),
        remainders: split.remainders(|need| need.ceiling),
        lines: split.lines,
        basis: basis.collect(),
        exchange: None,
        decided_by: DecidedBy::Hub,
        reasons: Vec::new(),
        valid_until: None,
    }
}

fn split(past: &Past<'_>, view: &View<'_>, limits: &mut Limits) -> Split {
    let split = view.case(past).split(|need| limits.left(need));
    limits.draw(&split);
    split
}
