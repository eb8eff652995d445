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
use takmil_domain::bill::EncounterClass;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::Date;
use takmil_domain::decision::{LineShare, Totals};
use takmil_domain::ids::{AccountId, LimitCode, MemberId, TariffId};
use takmil_domain::limit::LimitNeed;
use takmil_domain::money::{Amount, Quantity, Rate};
use takmil_domain::party::{InsurerRole, Sector, Sex};
use takmil_domain::plan::{BasePlan, Limit, LimitKind, LimitUnit, Plan, Relationship, Tier};
use takmil_domain::share::{BillLine, Case, CoverTerms, Frame, Split};
use takmil_domain::tariff::Tariff;
use takmil_mappings::packs::{Pack, pack};
use takmil_mappings::systems::{HCPCS, RXNORM, SYNTHETIC_RVU};
use uuid::Uuid;

/// The hub's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// System, code, and what is asked.
type Service = (&'static str, &'static str, i64);

/// Services with what is asked for them, one for every benefit that has a limit and one that has none. Together
/// they touch ten limits: of the member and of the family, in money and in pieces.
const SERVICES: &[Service] = &[
    (SYNTHETIC_RVU, "ZS1020", 22_000_000),
    (SYNTHETIC_RVU, "ZH8010", 4_000_000),
    (SYNTHETIC_RVU, "ZS2010", 31_000_000),
    (SYNTHETIC_RVU, "ZV0010", 950_000),
    (SYNTHETIC_RVU, "ZI3030", 2_100_000),
    (SYNTHETIC_RVU, "ZL4010", 430_000),
    (SYNTHETIC_RVU, "ZD5020", 3_600_000),
    (SYNTHETIC_RVU, "ZT7110", 5_200_000),
    (HCPCS, "V2020", 6_000_000),
    (RXNORM, "6809", 270_000),
];

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
    let documents = Documents::of(pack("ir").expect("the pack is shipped"));
    let mut group = criterion.benchmark_group("share");
    for lines in [1, 10, 100] {
        let case = documents.case(lines);
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(BenchmarkId::new("lines", lines), |bencher| {
            bencher.iter(|| {
                let frame = Frame::new(black_box(&case));
                let left: Vec<i64> = frame.needs().iter().map(|need| need.ceiling).collect();
                frame.split(&left)
            });
        });
    }
    group.finish();
    decisions(&mut criterion, &documents);
    criterion.final_summary();
}

/// Whole decisions on a bill of three lines, and beside them what the same sums cost without any rule: no search, no
/// trace, no reasons, no names.
fn decisions(criterion: &mut Criterion, documents: &Documents) {
    let documents = documents.with_limits_together();
    let case = documents.case_of(TOGETHER.iter().map(|at| &SERVICES[*at]));
    let decide = |case: &Case<'_>| {
        let frame = Frame::new(case);
        let left: Vec<i64> = frame.needs().iter().map(|need| need.ceiling).collect();
        let split = frame.split(&left);
        (Totals::of(&split.lines), split)
    };
    let (totals, split) = decide(&case);
    let used: BTreeSet<usize> = split.draws.iter().map(|draw| draw.need).collect();
    assert_eq!((split.lines.len(), used.len()), (TOGETHER.len(), LIMITS));
    let bare = Bare::of(&case, &split);
    assert_eq!(bare.split(), totals.member.get(), "the same member's part");
    let mut group = criterion.benchmark_group("decision");
    group.throughput(Throughput::Elements(1));
    group.bench_function("3-lines-10-limits", |bencher| {
        bencher.iter(|| decide(black_box(&case)));
    });
    group.bench_function("its-arithmetic-alone", |bencher| {
        bencher.iter(|| black_box(&bare).split());
    });
    group.finish();
}

struct Documents {
    cover: Cover,
    plan: Plan,
    base: BasePlan,
    tariffs: Vec<Tariff>,
}

impl Documents {
    fn of(pack: &Pack) -> Documents {
        let plans = pack.plans().expect("its plans are shipped");
        let plan = plans
            .into_iter()
            .find(|plan| plan.id.as_str() == "ir-omid-gold")
            .expect("the plan is shipped");
        let base = pack
            .base_plans()
            .expect("its base plans are shipped")
            .into_iter()
            .next();
        let cover = Cover {
            account: AccountId(Uuid::nil()),
            member: MemberId(Uuid::nil()),
            insurer: plan.insurer.clone(),
            role: InsurerRole::Supplementary,
            order: 1,
            relationship: Relationship::Principal,
            plan: plan.id.clone(),
            start: day("2026-03-21"),
            end: None,
            suspended: false,
            prior_cover: true,
            group_size: Some(1200),
        };
        Documents {
            cover,
            plan,
            base: base.expect("it has a base plan"),
            tariffs: pack.tariffs().expect("its tariffs are shipped"),
        }
    }

    /// The same with more limits, and the services of [`TOGETHER`] under all of them.
    fn with_limits_together(&self) -> Documents {
        let mut plan = self.plan.clone();
        let more: Vec<Limit> = serde_json::from_str(MORE_LIMITS).expect("they are limits");
        let named = |kind: LimitKind| more.iter().filter(move |limit| limit.kind == kind);
        let named = named(LimitKind::Ceiling).chain(named(LimitKind::Copay));
        let named: Vec<LimitCode> = named.map(|limit| limit.id.clone()).collect();
        for at in TOGETHER {
            let (system, code, _) = SERVICES[at];
            let id = plan.benefit(system, code).map(|own| own.id.clone());
            let mut benefits = plan.benefits.iter_mut();
            let benefit = benefits.find(|own| Some(&own.id) == id.as_ref());
            let benefit = benefit.expect("it has a benefit");
            benefit.deductible = true;
            benefit.limits.extend(named.iter().cloned());
        }
        plan.limits.extend(more);
        assert_eq!(plan.faults(), []);
        Documents {
            plan,
            cover: self.cover.clone(),
            base: self.base.clone(),
            tariffs: self.tariffs.clone(),
        }
    }

    fn case(&self, lines: usize) -> Case<'_> {
        let case = self.case_of(SERVICES.iter().cycle().take(lines));
        let needs = Frame::new(&case).needs().len();
        assert!(
            lines < SERVICES.len() || needs == LIMITS,
            "{lines} lines touch {needs} limits"
        );
        case
    }

    fn case_of(&self, services: impl Iterator<Item = &'static Service>) -> Case<'_> {
        let tariff = |id: &TariffId| self.tariffs.iter().find(|own| own.document().id == *id);
        Case {
            currency: self.plan.currency,
            person: Person {
                birth_date: Date::parse("1984-11-02"),
                sex: Some(Sex::Female),
            },
            visit: "visit",
            class: Some(EncounterClass::Inpatient),
            sector: Some(Sector::Private),
            base: tariff(&self.base.tariff).map(|tariff| (&self.base, tariff)),
            accident: false,
            diagnoses: Vec::new(),
            asks_leave: false,
            covers: vec![CoverTerms {
                cover: &self.cover,
                plan: &self.plan,
                tariff: self.plan.tariff.as_ref().and_then(tariff),
                contract: None,
                said: None,
                refused: &[],
            }],
            lines: (1..).zip(services).map(line).collect(),
        }
    }
}

fn line((seq, (system, code, billed)): (u32, &'static Service)) -> BillLine<'static> {
    BillLine {
        seq,
        system,
        code,
        date: day("2026-11-21"),
        quantity: Quantity::ONE,
        billed: Amount::new(*billed),
        base_paid: None,
        subsidy: Amount::ZERO,
        network: vec![Tier::FIRST],
        parts: Vec::new(),
        bilateral: false,
        reference_price: None,
        substitution_refused: false,
        authorised: Vec::new(),
        circumstance: None,
    }
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
        let frame = Frame::new(case);
        let needs = frame.needs();
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
                .find_map(|terms| terms.plan.benefit(line.system, line.code));
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
            left: needs.iter().map(|need| need.ceiling).collect(),
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

fn day(text: &str) -> Date {
    Date::parse(text).expect("it is a day")
}
