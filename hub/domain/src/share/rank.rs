//! Procedures that are done together: of all but the dearest a part of the price is recognised.
//!
//! The whole claim is looked at before any line is judged, so that the order of lines means nothing. Procedures of one
//! day are ranked by what one of each costs; one that is done on both sides counts as two.

use std::collections::BTreeMap;

use super::frame::Places;
use super::{BillLine, Case, CoverTerms};
use crate::date::Date;
use crate::money::{Amount, Rate};
use crate::plan::ProcedureRule;

/// The most units of one line that are ranked one by one; the rest take the last one's rank.
const MOST_UNITS: i64 = 100;

/// What is ranked together: under one rule of a plan, by its place, on one day. Each with what one of it costs and its
/// place in the case.
type Together = BTreeMap<(usize, Date), Vec<(Amount, usize)>>;

/// Notes in `places` what is recognised of each unit's price, for each line and insurer. What no benefit pays for has
/// no rank.
pub(super) fn look_over(case: &Case<'_>, order: &[usize], places: &mut Places<'_>) {
    for (cover, terms) in case.covers.iter().enumerate() {
        if terms.plan.procedures.is_empty() {
            continue;
        }
        let mut all = Together::new();
        for &at in order {
            let Some(line) = case.lines.get(at) else {
                continue;
            };
            let place = places.get(at, cover);
            let is_paid_for = place.is_some_and(|own| own.benefit.is_some());
            let rule = terms.plan.procedure(line.system, line.code);
            if let Some(rule) = rule.filter(|_| is_paid_for) {
                let costs = price_of_one(case, (cover, terms), line);
                all.entry((rule, line.date)).or_default().push((costs, at));
            }
        }
        for ((rule, _), together) in all {
            if let Some(rule) = terms.plan.procedures.get(rule) {
                rank(case, cover, rule, together, places);
            }
        }
    }
}

fn price_of_one(
    case: &Case<'_>,
    (cover, terms): (usize, &CoverTerms<'_>),
    line: &BillLine<'_>,
) -> Amount {
    let agreed = terms.agreed(line.tier(cover));
    let mut agreed = agreed.filter_map(|own| own.unit_price(line.system, line.code, case.sector));
    let billed = || {
        let units = line.quantity.started_units().max(1);
        let billed = line.billed.unwrap_or_default().get();
        Amount::new(billed.checked_div(units).unwrap_or(billed)).unwrap_or_default()
    };
    agreed.next().map_or_else(billed, |price| price.rounded())
}

fn rank(
    case: &Case<'_>,
    cover: usize,
    rule: &ProcedureRule,
    mut together: Vec<(Amount, usize)>,
    places: &mut Places<'_>,
) {
    // Of equals the earlier line comes first: the sort keeps their order.
    together.sort_by_key(|(costs, _)| std::cmp::Reverse(*costs));
    let last = rule.ranks.last().copied().unwrap_or(Rate::ONE);
    let mut ranks = rule.ranks.iter().copied().chain(std::iter::repeat(last));
    for (_, at) in together {
        let Some(line) = case.lines.get(at) else {
            continue;
        };
        let sides = if line.bilateral { 2 } else { 1 };
        let units = (line.quantity.started_units() * sides).clamp(1, MOST_UNITS);
        let of_line = ranks
            .by_ref()
            .take(usize::try_from(units).unwrap_or(1))
            .collect();
        if let Some(place) = places.get_mut(at, cover) {
            place.ranks = of_line;
        }
    }
}
