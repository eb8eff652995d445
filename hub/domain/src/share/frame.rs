//! Which remainders a bill may touch: found before anything is locked, so that a store locks them in one order.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{BillLine, Case, OpenLimit, rank};
use crate::date::Date;
use crate::limit::{self, LimitKey, LimitNeed};
use crate::money::{Amount, Rate};
use crate::plan::{Benefit, LimitPer, LimitUnit};

/// A case with its lines in order of judgement, the benefit of each before each insurer, and the remainders
/// that they may touch.
#[derive(Debug)]
pub struct Frame<'a> {
    pub(super) case: &'a Case<'a>,
    /// Lines in the order of (date, sequence).
    pub(super) order: Vec<usize>,
    /// What each line asks: as billed, else by the first tariff that prices it.
    pub(super) billed: Vec<Option<Amount>>,
    /// For each line, for each cover.
    pub(super) places: Vec<Vec<Place<'a>>>,
    needs: Vec<LimitNeed>,
}

/// A line before an insurer.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) benefit: Option<&'a Benefit>,
    limits: Vec<Used>,
    /// What is recognised of the price of each unit; empty where nothing was done together.
    pub(super) ranks: Vec<Rate>,
}

/// A limit of the plan that a line may use.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// The limit, by its place in the plan.
    limit: usize,
    /// The remainder it belongs to; `None` for a limit on the line itself.
    slot: Option<usize>,
    /// Where visits are counted: the remainder that says whether this one still is to be.
    visit: Option<usize>,
}

impl<'a> Frame<'a> {
    /// Finds the benefits and remainders of a case.
    pub fn new(case: &'a Case<'a>) -> Frame<'a> {
        let mut order: Vec<usize> = (0..case.lines.len()).collect();
        order.sort_by_key(|&at| case.lines.get(at).map(|line| (line.date, line.seq)));
        let mut needs = Needs::default();
        let mut places: Vec<Vec<Place<'a>>> = Vec::new();
        places.resize_with(case.lines.len(), Vec::new);
        // In the order of judgement, so that the order of sending means nothing to the needs either.
        for &at in &order {
            if let (Some(line), Some(place)) = (case.lines.get(at), places.get_mut(at)) {
                *place = needs.places(case, line);
            }
        }
        rank::look_over(case, &order, &mut places);
        let billed = case
            .lines
            .iter()
            .map(|line| line.billed.or_else(|| tariff_price(case, line)))
            .collect();
        Frame {
            case,
            order,
            billed,
            places,
            needs: needs.found,
        }
    }

    /// The remainders that the bill may touch. [`Frame::split`] takes what is left of each, in this order.
    pub fn needs(&self) -> &[LimitNeed] {
        &self.needs
    }

    /// The limits of a line before an insurer, with what is left of each.
    pub(super) fn open_limits(
        &self,
        line: usize,
        cover: usize,
        left: &[i64],
    ) -> Vec<OpenLimit<'a>> {
        let place = self.places.get(line).and_then(|places| places.get(cover));
        let plan = self.case.covers.get(cover).map(|terms| terms.plan);
        let (Some(place), Some(plan)) = (place, plan) else {
            return Vec::new();
        };
        let of = |slot: usize| left.get(slot).copied().unwrap_or(0);
        let open = |used: &Used| {
            let limit = plan.limits.get(used.limit)?;
            let is_counted = used.visit.is_some_and(|visit| of(visit) <= 0);
            let left = used.slot.map_or(limit.ceiling, of);
            Some(OpenLimit {
                limit,
                slot: used.slot,
                // A visit that counts already uses nothing, however little is left.
                left: if is_counted { i64::MAX } else { left },
                visit: used.visit,
            })
        };
        place.limits.iter().filter_map(open).collect()
    }
}

fn tariff_price(case: &Case<'_>, line: &BillLine<'_>) -> Option<Amount> {
    let covers = case.covers.iter().enumerate();
    let agreed = covers.flat_map(|(cover, terms)| terms.agreed(line.tier(cover)));
    let tariffs = agreed.chain(case.base.map(|(_, tariff)| tariff));
    let mut prices = tariffs
        .filter(|tariff| tariff.document().currency == case.currency)
        .filter_map(|tariff| tariff.unit_price(line.system, line.code, case.sector));
    let asked = prices.next()?.times(line.quantity);
    // No real price times a real quantity comes to more.
    (asked <= Amount::MAX).then_some(asked)
}

#[derive(Default)]
struct Needs {
    found: Vec<LimitNeed>,
    places: FxHashMap<LimitKey, usize>,
    /// (cover, limit, date) → remainders: lines of one day share theirs.
    known: FxHashMap<(usize, usize, Date), Used>,
    /// (cover, kind of stretch, date) → the stretch: limits of one kind share theirs.
    stretches: FxHashMap<(usize, LimitPer, Date), Option<Arc<str>>>,
}

impl Needs {
    fn places<'a>(&mut self, case: &'a Case<'a>, line: &BillLine<'a>) -> Vec<Place<'a>> {
        let mut places = Vec::with_capacity(case.covers.len());
        for (cover, terms) in case.covers.iter().enumerate() {
            let benefit = terms.plan.benefit(line.system, line.code);
            let mut limits = Vec::new();
            for (at, limit) in terms.plan.limits.iter().enumerate() {
                if benefit.is_some_and(|benefit| terms.plan.is_used(limit, benefit)) {
                    let known = self.known.get(&(cover, at, line.date)).copied();
                    limits.push(known.unwrap_or_else(|| {
                        let (plan, owner) = (terms.plan, terms.cover);
                        let of = (cover, limit.per, line.date);
                        let stretch = self.stretches.entry(of).or_insert_with(|| {
                            limit::stretch(plan, limit.per, owner, line.date, case.visit)
                        });
                        let need = stretch.clone();
                        let need = need.map(|within| limit::need(plan, limit, owner, within));
                        let visit = need.as_ref().filter(|_| limit.unit == LimitUnit::Visits);
                        let visit = visit.map(|need| need.of_visit(case.visit));
                        let used = Used {
                            limit: at,
                            slot: need.map(|need| self.slot(need)),
                            visit: visit.map(|need| self.slot(need)),
                        };
                        self.known.insert((cover, at, line.date), used);
                        used
                    }));
                }
            }
            places.push(Place {
                benefit,
                limits,
                ranks: Vec::new(),
            });
        }
        places
    }

    fn slot(&mut self, need: LimitNeed) -> usize {
        if let Some(slot) = self.places.get(&need.key) {
            return *slot;
        }
        let slot = self.found.len();
        self.places.insert(need.key.clone(), slot);
        self.found.push(need);
        slot
    }
}
