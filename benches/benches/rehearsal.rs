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

use takmil_domain::clinical::Tables;
use takmil_domain::date::Instant;
use takmil_domain::decision::LineShare;
use takmil_domain::ids::MessageId;
use takmil_domain::limit::{LimitKey, LimitNeed};
use takmil_domain::message::Kind;
use takmil_domain::plan::Plan;
use takmil_domain::rehearsal::{Baseline, Change, Entry, History, Options, Told, Writer, rehearse};
use takmil_domain::share::Case;
use uuid::Uuid;

use sample::{SERVICES, Service, Terms, day, line};

mod sample;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LINES: u32 = 3;

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

    let terms = Terms::shipped();
    let (bytes, made) = extract(&terms, messages);
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
    assert_eq!(history.lines(), Ok(messages * u64::from(LINES)));
    let decoded = begun.elapsed();
    told("decoded alone, on one thread", messages, decoded, None);

    let change = change(&terms);
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
        let outcome = rehearse(&history, &change, &Tables::default(), &options, |told| {
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

    /// A service, and something about what is usually asked for it.
    fn service(&mut self) -> Service {
        let at = usize::try_from(self.below(10)).expect("it fits");
        let (system, code, about) = SERVICES.get(at).expect("there are ten");
        let percent = i64::try_from(60 + self.below(80)).expect("it fits");
        (system, code, about * percent / 100)
    }
}

/// Every limit half as high again.
fn change(terms: &Terms) -> Change {
    let mut plan = Plan::from(terms.plan.clone());
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
fn extract(terms: &Terms, messages: u64) -> (Vec<u8>, Duration) {
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
        let cover = terms.cover(member / MEMBERS_OF_ACCOUNT, member);
        let visit = format!("visit-{number}");
        let lines = (1..=LINES).map(|seq| line(seq, numbers.service(), on));
        let case = terms.case(&cover, &visit, lines.collect());
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
            clinical: None,
        };
        writer.push(&entry).expect("it fits");
        bytes.extend(writer.take());
    }
    bytes.extend(writer.finish().expect("it fits"));
    (bytes, begun.elapsed())
}

/// The shares of a claim on what is left, by a ledger of its own.
fn decide(case: &Case<'_>, used: &mut HashMap<LimitKey, i64>) -> Vec<LineShare> {
    let left = |need: &LimitNeed| need.ceiling - used.get(&need.key).copied().unwrap_or(0);
    let split = case.split(left);
    for draw in &split.draws {
        if let Some(need) = split.needs.get(draw.need) {
            *used.entry(need.key.clone()).or_default() += draw.amount;
        }
    }
    split.lines
}
