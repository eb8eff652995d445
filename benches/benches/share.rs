//! The share computation on bills of 1, 10 and 100 lines, before a plan of ten limits with a base insurer behind
//! it: finding the remainders that a bill may touch, and splitting it on what is left of them.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use takmil_domain::bill::EncounterClass;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::Date;
use takmil_domain::ids::{AccountId, MemberId, TariffId};
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::party::{InsurerRole, Sector, Sex};
use takmil_domain::plan::{BasePlan, Plan, Relationship, Tier};
use takmil_domain::share::{BillLine, Case, CoverTerms, Frame};
use takmil_domain::tariff::Tariff;
use takmil_mappings::packs::{Pack, pack};
use takmil_mappings::systems::{HCPCS, RXNORM, SYNTHETIC_RVU};
use uuid::Uuid;

/// Services with what is asked for them, one for every benefit that has a limit and one that has none. Together
/// they touch ten limits: of the member and of the family, in money and in pieces.
const SERVICES: &[(&str, &str, i64)] = &[
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

/// How many limits a bill of all services touches.
const LIMITS: usize = 10;

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
    criterion.final_summary();
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

    fn case(&self, lines: usize) -> Case<'_> {
        let tariff = |id: &TariffId| self.tariffs.iter().find(|own| own.document().id == *id);
        let case = Case {
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
            }],
            lines: (1..)
                .zip(SERVICES.iter().cycle())
                .take(lines)
                .map(line)
                .collect(),
        };
        let needs = Frame::new(&case).needs().len();
        assert!(
            lines < SERVICES.len() || needs == LIMITS,
            "{lines} lines touch {needs} limits"
        );
        case
    }
}

fn line((seq, (system, code, billed)): (u32, &'static (&str, &str, i64))) -> BillLine<'static> {
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
        authorisation: None,
        circumstance: None,
    }
}

fn day(text: &str) -> Date {
    Date::parse(text).expect("it is a day")
}
