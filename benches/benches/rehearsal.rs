//! A rehearsal on a made history of claims of three lines each, before a plan of some ten limits with a base insurer behind
//! it: how fast an extract is made, read and rehearsed on, beside what decoding its messages alone costs in the same run.
//!
//! `--messages N` makes another history than one of a million; without `--bench` it is a tiny one, so that this does not
//! rot. `--threads N` works with another number of threads than the machine has.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::{Duration, Instant as Clock};

use takmil_domain::bill::EncounterClass;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::{Date, Instant};
use takmil_domain::decision::LineShare;
use takmil_domain::ids::{AccountId, MemberId, MessageId, TariffId};
use takmil_domain::limit::LimitKey;
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::party::{InsurerRole, Sector, Sex};
use takmil_domain::plan::{BasePlan, Plan, Relationship, Tier};
use takmil_domain::rehearsal::{Baseline, Change, Entry, History, Options, Told, Writer, rehearse};
use takmil_domain::share::{BillLine, Case, CoverTerms, Frame};
use takmil_domain::tariff::Tariff;
use takmil_mappings::packs::pack;
use takmil_mappings::systems::{HCPCS, RXNORM, SYNTHETIC_RVU};
use uuid::Uuid;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// System, code, and about what is asked.
type Service = (&'static str, &'static str, u64);

/// Services under every benefit that has a limit, and one that has none.
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

const LINES: usize = 3;

/// Claims of one member, and members of one account.
const CLAIMS_OF_MEMBER: u64 = 10;
const MEMBERS_OF_ACCOUNT: u64 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|own| own == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let is_bench = arguments.iter().any(|own| own == "--bench");
    let usual = if is_bench { 1_000_000 } else { 300 };
    let messages = after("--messages").unwrap_or(usual);
    let machine = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = after("--threads").and_then(|own| usize::try_from(own).ok());
    let threads = threads.and_then(NonZeroUsize::new).unwrap_or(machine);

    let documents = Documents::shipped();
    let (bytes, made) = documents.extract(messages);
    let size = u64::try_from(bytes.len()).expect("it fits");
    println!(
        "{messages} claims of {LINES} lines, {} bytes each",
        size / messages
    );
    told("made, with their decisions", messages, made, None);

    let begun = Clock::now();
    let history = History::read(&bytes).expect("it is an extract");
    told("read: sums, groups, order", messages, begun.elapsed(), None);
    let begun = Clock::now();
    assert_eq!(history.lines(), Ok(messages * 3));
    let decoded = begun.elapsed();
    told("decoded alone, on one thread", messages, decoded, None);

    let change = documents.change();
    for (name, baseline, threads) in [
        (
            "rehearsed against the record, one thread",
            Baseline::Recorded,
            NonZeroUsize::MIN,
        ),
        ("rehearsed against the record", Baseline::Recorded, threads),
        (
            "rehearsed against what comes out today",
            Baseline::Recomputed,
            threads,
        ),
    ] {
        let options = Options {
            baseline,
            threads,
            viewer: None,
            premium: None,
            from: None,
            to: None,
            largest: 10,
        };
        let mut differences = 0_u64;
        let begun = Clock::now();
        let outcome = rehearse(&history, &change, &options, |told| {
            differences += u64::from(matches!(told, Told::Difference(_)));
            ControlFlow::Continue(())
        });
        let took = begun.elapsed();
        let summary = outcome.expect("it is a sound extract").summary;
        assert_eq!((summary.touched, summary.not_reproducible), (messages, 0));
        assert!(summary.moved > 0 && summary.moved == differences);
        told(name, messages, took, Some(decoded));
        println!("    on {threads} threads; {} messages moved", summary.moved);
    }
}

fn told(what: &str, messages: u64, took: Duration, ceiling: Option<Duration>) {
    let rate = u128::from(messages) * 1_000_000 / took.as_micros().max(1);
    print!("{what:<44}{:>8} ms{rate:>12} messages/s", took.as_millis());
    match ceiling {
        Some(ceiling) => {
            let percent = ceiling.as_micros() * 100 / took.as_micros().max(1);
            println!("   {percent} % of decoding alone");
        }
        None => println!(),
    }
}

struct Documents {
    plan: Plan,
    base: BasePlan,
    tariffs: Vec<Tariff>,
}

/// Numbers that look random and are the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Documents {
    fn shipped() -> Documents {
        let pack = pack("ir").expect("the pack is shipped");
        let plans = pack.plans().expect("its plans are shipped");
        let plan = plans
            .into_iter()
            .find(|plan| plan.id.as_str() == "ir-omid-gold");
        let base = pack.base_plans().expect("its base plans are shipped");
        Documents {
            plan: plan.expect("the plan is shipped"),
            base: base.into_iter().next().expect("it has a base plan"),
            tariffs: pack.tariffs().expect("its tariffs are shipped"),
        }
    }

    /// Every limit half as high again.
    fn change(&self) -> Change {
        let mut plan = self.plan.clone();
        plan.version += 1;
        for limit in &mut plan.limits {
            limit.ceiling += limit.ceiling / 2;
        }
        Change {
            plans: vec![plan],
            ..Change::default()
        }
    }

    /// An extract of so many claims, each decided on what the ones before have left, and how long it took.
    fn extract(&self, messages: u64) -> (Vec<u8>, Duration) {
        let (from, to) = (day("2026-01-01"), day("2026-12-31"));
        let mut writer = Writer::new(Some((from, to)), &[9; 32]);
        let mut used: HashMap<LimitKey, i64> = HashMap::new();
        let mut numbers = Numbers(1);
        let mut bytes = Vec::new();
        let begun = Clock::now();
        let members = (messages / CLAIMS_OF_MEMBER).max(1);
        for number in 0..messages {
            let member = numbers.below(members);
            let days = u32::try_from(number * 280 / messages).expect("it fits");
            let on = day("2026-03-21").add_days(days);
            let cover = self.cover(member);
            let visit = format!("visit-{number}");
            let case = self.case(&cover, &visit, on, &mut numbers);
            let lines = decide(&case, &mut used);
            let at = Instant(i64::try_from(number).expect("it fits"));
            let entry = Entry {
                id: MessageId(Uuid::from_u128(number.into())),
                kind: Kind::Claim,
                at,
                day: on,
                member: cover.member,
                case: &case,
                exchange: None,
                recorded: Some(&lines),
            };
            writer.push(&entry).expect("it fits");
            bytes.extend(writer.take());
        }
        bytes.extend(writer.finish().expect("it fits"));
        (bytes, begun.elapsed())
    }

    fn cover(&self, member: u64) -> Cover {
        Cover {
            account: AccountId(Uuid::from_u128((member / MEMBERS_OF_ACCOUNT).into())),
            member: MemberId(Uuid::from_u128(member.into())),
            insurer: self.plan.insurer.clone(),
            role: InsurerRole::Supplementary,
            order: 1,
            relationship: Relationship::Principal,
            plan: self.plan.id.clone(),
            start: day("2026-03-21"),
            end: None,
            suspended: false,
            prior_cover: true,
            group_size: Some(1_200),
        }
    }

    fn case<'a>(
        &'a self,
        cover: &'a Cover,
        visit: &'a str,
        on: Date,
        numbers: &mut Numbers,
    ) -> Case<'a> {
        let tariff = |id: &TariffId| self.tariffs.iter().find(|own| own.document().id == *id);
        let mut line = |seq: u32| {
            let service = usize::try_from(numbers.below(10)).expect("it fits");
            let (system, code, about) = SERVICES.get(service).expect("there are ten");
            let billed = about * (60 + numbers.below(80)) / 100;
            BillLine {
                seq,
                system,
                code,
                date: on,
                quantity: Quantity::ONE,
                billed: i64::try_from(billed).ok().and_then(Amount::new),
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
        };
        Case {
            currency: self.plan.currency,
            person: Person {
                birth_date: Date::parse("1984-11-02"),
                sex: Some(Sex::Female),
            },
            visit,
            class: Some(EncounterClass::Inpatient),
            sector: Some(Sector::Private),
            base: tariff(&self.base.tariff).map(|tariff| (&self.base, tariff)),
            accident: false,
            diagnoses: Vec::new(),
            asks_leave: false,
            covers: vec![CoverTerms {
                cover,
                plan: &self.plan,
                tariff: self.plan.tariff.as_ref().and_then(tariff),
                contract: None,
                said: None,
                refused: &[],
            }],
            lines: (1..=3).map(&mut line).collect(),
        }
    }
}

/// The shares of a claim on what is left, by a ledger of its own.
fn decide(case: &Case<'_>, used: &mut HashMap<LimitKey, i64>) -> Vec<LineShare> {
    let mut case = case.clone();
    let packages = case.pack();
    let frame = Frame::new(&case);
    let needs = frame.needs();
    let left: Vec<i64> = needs
        .iter()
        .map(|need| need.ceiling - used.get(&need.key).copied().unwrap_or(0))
        .collect();
    let split = frame.split(&left);
    for draw in &split.draws {
        if let Some(need) = needs.get(draw.need) {
            *used.entry(need.key.clone()).or_default() += draw.amount;
        }
    }
    packages.share_out(split.lines)
}

fn day(text: &str) -> Date {
    Date::parse(text).expect("it is a day")
}
