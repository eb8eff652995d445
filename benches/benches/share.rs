//! The share computation: finding the remainders that a bill may touch, and splitting it on what is left of them.
//!
//! `share`: bills of 1, 10 and 100 lines, before a plan of ten limits with a base insurer behind it. `decision`: a bill
//! of three lines that draws on ten limits, with its totals; beside it the arithmetic of its split alone.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use takmil_domain::decision::{LineShare, Totals};
use takmil_domain::ids::LimitCode;
use takmil_domain::limit::LimitNeed;
use takmil_domain::money::{Amount, Rate};
use takmil_domain::plan::{FiledPlan, Limit, LimitKind, LimitUnit, Plan};
use takmil_domain::share::{BillLine, Case, Split};

use sample::{SERVICES, Service, Terms, day, line};

mod sample;

/// The hub's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many limits a bill of all services touches, and one of the three that are decided together.
const LIMITS: usize = 10;

/// Three of the services, by their places: an operation, glasses, a drug. Each of them uses two limits of the pack's
/// plan, in money or in pieces, of the member or of the family.
const TOGETHER: [usize; 3] = [0, 8, 9];

/// Limits beside those: each of the three services uses all four.
const MORE_LIMITS: &str = r#"[
    {"id": "in-all", "title": "all in a year", "owner": "account", "ceiling": 5000000000},
    {"id": "franchise", "title": "once a year", "kind": "deductible", "ceiling": 5000000},
    {"id": "most", "title": "the member's most", "kind": "out_of_pocket", "owner": "account", "ceiling": 90000000},
    {"id": "a-visit", "title": "once a visit", "kind": "copay", "per": "visit", "ceiling": 300000}
]"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut terms = Terms::shipped();
    let cover = terms.cover(0, 0);
    let mut group = criterion.benchmark_group("share");
    for many in [1, 10, 100] {
        let lines = lines(SERVICES.iter().cycle().take(many));
        let case = terms.case(&cover, "visit", lines);
        let needs = case.needs().len();
        assert!(
            many < SERVICES.len() || needs == LIMITS,
            "{many} lines touch {needs} limits"
        );
        group.throughput(Throughput::Elements(many as u64));
        group.bench_function(BenchmarkId::new("lines", many), |bencher| {
            bencher.iter(|| black_box(&case).split(|need| need.ceiling));
        });
    }
    group.finish();
    terms.plan = with_limits_together(&terms.plan);
    let three = lines(TOGETHER.iter().map(|at| &SERVICES[*at]));
    decisions(&mut criterion, &terms.case(&cover, "visit", three));
    criterion.final_summary();
}

/// Whole decisions on a bill of three lines, and beside them what the same sums cost without any rule: no search, no
/// trace, no reasons, no names.
fn decisions(criterion: &mut Criterion, case: &Case<'_>) {
    let decide = |case: &Case<'_>| {
        let split = case.split(|need| need.ceiling);
        (Totals::of(&split.lines), split)
    };
    let (totals, split) = decide(case);
    let used: BTreeSet<usize> = split.draws.iter().map(|draw| draw.need).collect();
    assert_eq!((split.lines.len(), used.len()), (TOGETHER.len(), LIMITS));
    let bare = Bare::of(case, &split);
    assert_eq!(bare.split(), totals.member.get(), "the same member's part");
    let mut group = criterion.benchmark_group("decision");
    group.throughput(Throughput::Elements(1));
    group.bench_function("3-lines-10-limits", |bencher| {
        bencher.iter(|| decide(black_box(case)));
    });
    group.bench_function("its-arithmetic-alone", |bencher| {
        bencher.iter(|| black_box(&bare).split());
    });
    group.finish();
}

/// The plan with more limits, and the services of [`TOGETHER`] under all of them.
fn with_limits_together(plan: &FiledPlan) -> FiledPlan {
    let mut changed = Plan::from(plan.clone());
    let more: Vec<Limit> = serde_json::from_str(MORE_LIMITS).expect("they are limits");
    let named = |kind: LimitKind| more.iter().filter(move |limit| limit.kind == kind);
    let named = named(LimitKind::Ceiling).chain(named(LimitKind::Copay));
    let named: Vec<LimitCode> = named.map(|limit| limit.id.clone()).collect();
    for at in TOGETHER {
        let (system, code, _) = SERVICES[at];
        let (found, _) = plan.benefit(system, code).expect("it has a benefit");
        let mut benefits = changed.benefits.iter_mut();
        let benefit = benefits.find(|own| own.id == found.id);
        let benefit = benefit.expect("it has a benefit");
        benefit.deductible = true;
        benefit.limits.extend(named.iter().cloned());
    }
    changed.limits.extend(more);
    assert_eq!(changed.faults(), []);
    changed.into()
}

fn lines(services: impl Iterator<Item = &'static Service>) -> Vec<BillLine<'static>> {
    let lines = (1..).zip(services);
    lines
        .map(|(seq, service)| line(seq, *service, day("2026-11-21")))
        .collect()
}

/// The sums of a split where everything else is done: rates, prices and the base insurer's part known, limits by their
/// places.
struct Bare {
    left: Vec<i64>,
    lines: Vec<BareLine>,
}

struct BareLine {
    billed: i64,
    allowed: i64,
    base: i64,
    written_off: i64,
    rate: Rate,
    /// What it draws on, by its place, kind and unit.
    limits: Vec<(usize, LimitKind, LimitUnit)>,
}

impl Bare {
    fn of(case: &Case<'_>, split: &Split) -> Bare {
        let needs = &split.needs;
        let line = |(line, share): (&BillLine<'_>, &LineShare)| {
            let limit = |at: usize| {
                needs
                    .get(at)
                    .map(|need: &LimitNeed| (at, need.kind, need.unit))
            };
            let draws = split.draws.iter().filter(|draw| draw.seq == line.seq);
            let benefit = case
                .covers
                .iter()
                .find_map(|terms| terms.plan.benefit(line.system, line.code))
                .map(|(benefit, _)| benefit);
            BareLine {
                billed: share.billed.get(),
                allowed: share.allowed.get(),
                base: share.base.get(),
                written_off: share.written_off.get(),
                rate: benefit.map_or(Rate::ZERO, |own| own.rate),
                limits: draws.filter_map(|draw| limit(draw.need)).collect(),
            }
        };
        Bare {
            left: split.before.clone(),
            lines: case.lines.iter().zip(&split.lines).map(line).collect(),
        }
    }

    /// What the member pays.
    fn split(&self) -> i64 {
        let mut left = self.left.clone();
        let lines = self.lines.iter().map(|line| line.split(&mut left));
        lines.sum()
    }
}

impl BareLine {
    fn split(&self, left: &mut [i64]) -> i64 {
        let least = |left: &[i64], kind: LimitKind| {
            let of_kind = self
                .limits
                .iter()
                .filter(|own| own.1 == kind && own.2 == LimitUnit::Money);
            of_kind.map(|own| left[own.0]).min()
        };
        let allowed = self.allowed;
        let base = self.base.min(allowed);
        let deductible = least(left, LimitKind::Deductible).unwrap_or(0).min(allowed);
        let copay = least(left, LimitKind::Copay).unwrap_or(0);
        let rest = Amount::new(allowed - deductible).unwrap_or_default();
        let cost = (deductible + copay + self.rate.share_of(rest).get()).min(allowed);
        let most = least(left, LimitKind::OutOfPocket).unwrap_or(i64::MAX);
        let share = (allowed - cost.max(base)).max(allowed - base - most);
        let own = allowed - base - share;
        let share = share.min(least(left, LimitKind::Ceiling).unwrap_or(i64::MAX));
        for (at, kind, unit) in &self.limits {
            left[*at] -= match (kind, unit) {
                (LimitKind::Deductible, _) => deductible,
                (LimitKind::OutOfPocket, _) => own,
                (LimitKind::Ceiling, LimitUnit::Money) => share,
                (LimitKind::Ceiling, _) => 1,
                (LimitKind::Copay | LimitKind::LeastShare, _) => left[*at],
            };
        }
        self.billed - self.written_off - self.base - share
    }
}
