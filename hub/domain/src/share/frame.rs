//! Which remainders a bill may touch: found before anything is locked, so that a store locks them in one order.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{BillLine, Case, CoverTerms, OpenLimit, rank};
use crate::date::Date;
use crate::limit::{self, LimitKey, LimitNeed};
use crate::money::{Amount, Rate};
use crate::plan::{Benefit, Limit, LimitPer, LimitUnit};

/// Room for so many remainders is made at once; a bill that touches more is a rare one.
const MANY_NEEDS: usize = 64;

/// A case with its lines in order of judgement, the benefit of each before each insurer, and the remainders
/// that they may touch.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(super) case: &'a Case<'a>,
    /// Lines in the order of (date, sequence).
    pub(super) order: Vec<usize>,
    /// What each line asks: as billed, else by the first tariff that prices it.
    pub(super) billed: Vec<Option<Amount>>,
    /// Each line before each cover.
    pub(super) places: Places<'a>,
    pub(super) needs: Vec<LimitNeed>,
    /// The limits that lines use, as their places name them.
    used: Vec<Used>,
}

/// Each line before each cover.
#[derive(Debug)]
pub(super) struct Places<'a> {
    covers: usize,
    /// All of the first line, then all of the second.
    all: Vec<Place<'a>>,
}

impl<'a> Places<'a> {
    fn of(case: &Case<'_>) -> Places<'a> {
        let mut all = Vec::new();
        let covers = case.covers.len();
        all.resize_with(covers.saturating_mul(case.lines.len()), Place::default);
        Places { covers, all }
    }

    /// A line before a cover.
    pub(super) fn get(&self, line: usize, cover: usize) -> Option<&Place<'a>> {
        self.all.get(line * self.covers + cover)
    }

    /// The same, to say more of it.
    pub(super) fn get_mut(&mut self, line: usize, cover: usize) -> Option<&mut Place<'a>> {
        self.all.get_mut(line * self.covers + cover)
    }

    fn of_line(&mut self, line: usize) -> &mut [Place<'a>] {
        let start = line * self.covers;
        let own = self.all.get_mut(start..start + self.covers);
        own.unwrap_or_default()
    }
}

/// A line before an insurer.
#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    pub(super) benefit: Option<&'a Benefit>,
    /// Where its limits stand among all that are used.
    limits: Range<usize>,
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
    pub(super) fn new(case: &'a Case<'a>) -> Frame<'a> {
        let mut order: Vec<usize> = (0..case.lines.len()).collect();
        order.sort_by_key(|&at| case.lines.get(at).map(|line| (line.date, line.seq)));
        let mut needs = Needs::of(case);
        let mut places = Places::of(case);
        // In the order of judgement, so that the order of sending means nothing to the needs either.
        for &at in &order {
            if let Some(line) = case.lines.get(at) {
                needs.places(line, places.of_line(at));
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
            used: needs.used,
        }
    }

    /// The limits of a line before an insurer, with what is left of each.
    pub(super) fn open_limits(
        &self,
        line: usize,
        cover: usize,
        left: &[i64],
    ) -> Vec<OpenLimit<'a>> {
        let place = self.places.get(line, cover);
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
        let used = self.used.get(place.limits.clone()).unwrap_or_default();
        let mut limits = Vec::with_capacity(used.len());
        limits.extend(used.iter().filter_map(open));
        limits
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

/// Finds the remainders of lines that come in the order of their days: a stretch that has ended does not come again.
struct Needs<'a> {
    case: &'a Case<'a>,
    found: Vec<LimitNeed>,
    /// The limits that lines use, those of one line before one insurer together.
    used: Vec<Used>,
    /// The day of the line that is looked at.
    day: Option<Date>,
    /// What the day's lines of a benefit use: its cover, it, and where it stands in `used`.
    known: Vec<(usize, &'a Benefit, Range<usize>)>,
    /// The day's stretches: limits of one cover and kind share theirs.
    stretches: Vec<(usize, LimitPer, Option<Arc<str>>)>,
    /// For each cover, for each limit of its plan, where it was used last.
    last: Vec<Vec<Option<Used>>>,
    /// Where covers of one account are one insurer's, and so may share remainders: each by its key.
    shared: Option<FxHashMap<LimitKey, usize>>,
}

impl<'a> Needs<'a> {
    fn of(case: &'a Case<'a>) -> Needs<'a> {
        let covers = case.covers.iter().enumerate();
        let owner = |terms: &CoverTerms<'a>| (terms.cover.account, &terms.plan.insurer);
        let mut twins = covers.filter(|(at, terms)| {
            let mut earlier = case.covers.iter().take(*at);
            earlier.any(|own| owner(own) == owner(terms))
        });
        let limits = case.covers.iter().map(|terms| terms.plan.limits.len());
        let many = limits.clone().sum::<usize>().min(MANY_NEEDS);
        Needs {
            case,
            found: Vec::with_capacity(many),
            used: Vec::with_capacity(many),
            day: None,
            known: Vec::with_capacity(case.lines.len().min(MANY_NEEDS)),
            stretches: Vec::with_capacity(2 * case.covers.len()),
            last: limits.map(|limits| vec![None; limits]).collect(),
            shared: twins.next().map(|_| FxHashMap::default()),
        }
    }

    /// The line's place before each insurer.
    fn places(&mut self, line: &BillLine<'a>, places: &mut [Place<'a>]) {
        if self.day != Some(line.date) {
            self.day = Some(line.date);
            self.known.clear();
            self.stretches.clear();
        }
        for (cover, (terms, place)) in self.case.covers.iter().zip(places).enumerate() {
            if let Some((benefit, limits)) = terms.plan.benefit(line.system, line.code) {
                place.benefit = Some(benefit);
                place.limits = self.limits((cover, terms), (benefit, limits), line.date);
            }
        }
    }

    fn limits(
        &mut self,
        (cover, terms): (usize, &'a CoverTerms<'a>),
        (benefit, limits): (&'a Benefit, &[usize]),
        date: Date,
    ) -> Range<usize> {
        let mut known = self.known.iter();
        let same = |row: &&(usize, &Benefit, _)| row.0 == cover && std::ptr::eq(row.1, benefit);
        if let Some((.., limits)) = known.find(same) {
            return limits.clone();
        }
        let start = self.used.len();
        for &at in limits {
            if let Some(limit) = terms.plan.limits.get(at) {
                let used = self.use_limit((cover, terms), (at, limit), date);
                self.used.push(used);
            }
        }
        let limits = start..self.used.len();
        self.known.push((cover, benefit, limits.clone()));
        limits
    }

    fn use_limit(
        &mut self,
        (cover, terms): (usize, &CoverTerms<'a>),
        (at, limit): (usize, &Limit),
        date: Date,
    ) -> Used {
        let last = self.last.get(cover).and_then(|last| *last.get(at)?);
        let place = self.stretch(cover, terms, limit.per, date);
        let stretch = self.stretches.get(place).and_then(|row| row.2.as_ref());
        let Some(stretch) = stretch else {
            return Used {
                limit: at,
                slot: None,
                visit: None,
            };
        };
        let still = last.filter(|used| {
            let need = used.slot.and_then(|slot| self.found.get(slot));
            need.is_some_and(|need| need.key.stretch == *stretch)
        });
        if let Some(used) = still {
            return used;
        }
        let need = limit::need(terms.plan, limit, terms.cover, stretch.clone());
        let counts_visits = limit.unit == LimitUnit::Visits;
        let visit = counts_visits.then(|| need.of_visit(self.case.visit));
        let used = Used {
            limit: at,
            slot: Some(self.slot(need)),
            visit: visit.map(|need| self.slot(need)),
        };
        let last = self.last.get_mut(cover);
        if let Some(last) = last.and_then(|last| last.get_mut(at)) {
            *last = Some(used);
        }
        used
    }

    /// Where the stretch of the day stands among those that are known.
    fn stretch(
        &mut self,
        cover: usize,
        terms: &CoverTerms<'a>,
        per: LimitPer,
        date: Date,
    ) -> usize {
        let mut known = self.stretches.iter();
        let place = known.position(|row| (row.0, row.1) == (cover, per));
        place.unwrap_or_else(|| {
            let stretch = limit::stretch(terms.plan, per, terms.cover, date, self.case.visit);
            self.stretches.push((cover, per, stretch));
            self.stretches.len() - 1
        })
    }

    fn slot(&mut self, need: LimitNeed) -> usize {
        let slot = self.found.len();
        if let Some(shared) = &mut self.shared {
            let known = *shared.entry(need.key.clone()).or_insert(slot);
            if known < slot {
                return known;
            }
        }
        self.found.push(need);
        slot
    }
}
