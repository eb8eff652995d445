//! History judged again: limits go from message to message, accounts side by side, and whatever is broken is found.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use serde_json::{Value, json};
use takmil_domain::clinical::Tables;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::{Date, Instant};
use takmil_domain::decision::LineShare;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{AccountId, LimitCode, MemberId, MessageId, ParticipantId, PlanId};
use takmil_domain::limit::{LimitKey, LimitNeed};
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::{FiledPlan, Plan, Relationship, Tier};
use takmil_domain::rehearsal::{
    Baseline, Change, Difference, Entry, History, Options, Outcome, Posted, Told, Writer, rehearse,
};
use takmil_domain::share::{BillLine, Case, CoverTerms};
use uuid::Uuid;

use crate::sample::Sample;
use crate::tape::Tape;

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn amount(value: i64) -> Amount {
    Amount::new(value).unwrap()
}

fn insurer(name: &str) -> ParticipantId {
    ParticipantId::parse(name).unwrap()
}

/// A plan of an insurer that pays all of dental care and of visits, each up to a yearly limit of its own.
fn plan(of: &str, dental: i64) -> Plan {
    let benefit = |id: &str, prefix: &str| {
        json!({
            "id": id, "title": id, "codes": [{"system": "s", "prefix": prefix}], "rate": "0", "limits": [id],
        })
    };
    let limit = |id: &str, ceiling: i64, owner: &str| {
        json!({
            "id": id, "title": id, "ceiling": ceiling, "owner": owner, "per": "year",
        })
    };
    serde_json::from_value(json!({
        "id": format!("{of}-plan"), "version": 1, "insurer": of, "title": "plan", "currency": "IRR",
        "from": "2024-01-01", "year": "calendar",
        "benefits": [benefit("dental", "D"), benefit("visits", "V")],
        "limits": [limit("dental", dental, "member"), limit("visits", 10_000, "account")],
    }))
    .unwrap()
}

/// A bill of one line: whose, on which day, for what, how much.
#[derive(Clone, Copy)]
struct Bill {
    number: u128,
    member: u128,
    account: u128,
    day: &'static str,
    code: &'static str,
    billed: i64,
}

fn cover(plan: &Plan, bill: &Bill) -> Cover {
    Cover {
        account: AccountId(Uuid::from_u128(bill.account)),
        member: MemberId(Uuid::from_u128(bill.member)),
        insurer: plan.insurer.clone(),
        role: InsurerRole::Supplementary,
        order: 1,
        relationship: Relationship::Principal,
        plan: plan.id.clone(),
        start: day("2024-01-01"),
        end: None,
        suspended: false,
        prior_cover: false,
        group_size: None,
        principal_born: None,
    }
}

/// What was used of limits, kept apart from what the rehearsal keeps.
type Used = HashMap<LimitKey, i64>;

fn decide(case: &Case<'_>, used: &mut Used) -> Vec<LineShare> {
    let left = |need: &LimitNeed| need.ceiling - used.get(&need.key).copied().unwrap_or(0);
    let split = case.split(left);
    for draw in &split.draws {
        let key = split.needs[draw.need].key.clone();
        *used.entry(key).or_default() += draw.amount;
    }
    split.lines
}

/// An extract of bills under plans, recorded as they come out one after another.
fn extract(plans: &[Plan], bills: &[Bill], posted: &[Posted]) -> Vec<u8> {
    let mut writer = Writer::new(Some((day("2024-01-01"), day("2024-12-31"))), &[7; 32]);
    let mut used = Used::new();
    let plans: Vec<FiledPlan> = plans.iter().cloned().map(FiledPlan::from).collect();
    for bill in bills {
        let covers: Vec<Cover> = plans.iter().map(|plan| cover(plan, bill)).collect();
        let terms = plans.iter().zip(&covers).map(|(plan, cover)| CoverTerms {
            cover,
            plan,
            tariff: None,
            contract: None,
            said: None,
            refused: &[],
        });
        let service = ("s", bill.code);
        let line = BillLine {
            network: vec![Tier::FIRST; plans.len()],
            ..BillLine::new(1, service, day(bill.day), Some(amount(bill.billed)))
        };
        let visit = format!("visit of {}", bill.number);
        let case = Case {
            currency: Currency::parse("IRR").unwrap(),
            person: Person {
                birth_date: Some(day("1990-05-01")),
                sex: Some(Sex::Female),
            },
            visit: &visit,
            class: None,
            sector: None,
            base: None,
            accident: false,
            diagnoses: vec![("d", "K02")],
            asks_leave: false,
            covers: terms.collect(),
            lines: vec![line],
        };
        let lines = decide(&case, &mut used);
        writer
            .push(&Entry {
                id: MessageId(Uuid::from_u128(bill.number)),
                kind: Kind::Claim,
                at: Instant(bill.number as i64),
                day: day(bill.day),
                member: MemberId(Uuid::from_u128(bill.member)),
                case: &case,
                exchange: None,
                recorded: Some(&lines),
                clinical: None,
            })
            .unwrap();
    }
    writer.post(posted).unwrap();
    writer.finish().unwrap()
}

fn options(threads: usize) -> Options {
    Options {
        baseline: Baseline::Recomputed,
        threads: NonZeroUsize::new(threads).unwrap(),
        viewer: None,
        premium: None,
        from: None,
        to: None,
        largest: 10,
    }
}

fn run(bytes: &[u8], change: &Change, options: &Options) -> (Outcome, Vec<Difference>) {
    let history = History::read(bytes).unwrap();
    assert_eq!(change.problems_with(history.held()), []);
    let mut differences = Vec::new();
    let outcome = rehearse(&history, change, &Tables::default(), options, |told| {
        if let Told::Difference(difference) = told {
            differences.push(difference);
        }
        ControlFlow::Continue(())
    });
    (outcome.unwrap(), differences)
}

fn changed(plan: Plan) -> Change {
    Change {
        plans: vec![plan],
        ..Change::default()
    }
}

const BILLS: &[Bill] = &[
    Bill {
        number: 1,
        member: 1,
        account: 1,
        day: "2024-02-01",
        code: "D1",
        billed: 800,
    },
    Bill {
        number: 2,
        member: 2,
        account: 1,
        day: "2024-02-02",
        code: "D1",
        billed: 500,
    },
    Bill {
        number: 3,
        member: 1,
        account: 1,
        day: "2024-03-01",
        code: "D2",
        billed: 800,
    },
    Bill {
        number: 4,
        member: 3,
        account: 2,
        day: "2024-03-01",
        code: "D1",
        billed: 2_500,
    },
    Bill {
        number: 5,
        member: 3,
        account: 2,
        day: "2024-04-01",
        code: "V1",
        billed: 100,
    },
    Bill {
        number: 6,
        member: 1,
        account: 1,
        day: "2025-01-01",
        code: "D1",
        billed: 1_000,
    },
];

#[test]
fn a_raised_dental_limit_gains_those_who_had_reached_it_and_nobody_else() {
    let bytes = extract(&[plan("one", 1_000)], BILLS, &[]);
    let (outcome, differences) = run(&bytes, &changed(plan("one", 2_000)), &options(2));
    let told: Vec<_> = differences
        .iter()
        .map(|own| {
            (
                own.message.0.as_u128(),
                own.member.before.get(),
                own.member.after.get(),
            )
        })
        .collect();
    // The third bill finds 1,200 where it found 200; the fourth 2,000 where it found 1,000; the sixth is of another year.
    assert_eq!(told, [(3, 600, 0), (4, 1_500, 500)]);
    let summary = &outcome.summary;
    assert_eq!(
        (summary.messages, summary.members, summary.touched),
        (6, 3, 6)
    );
    assert_eq!((summary.moved, summary.not_reproducible), (2, 0));
    assert_eq!((summary.gain.members, summary.gain.sum.get()), (2, 1_600));
    assert_eq!(summary.lose.members, 0);
    let paid = summary.supplementary[0].paid;
    assert_eq!((paid.before.get(), paid.after.get()), (3_600, 5_200));
    assert_eq!(paid.percent().as_deref(), Some("44.44"));
    assert_eq!(summary.by_benefit[0].of, "dental");
    let reasons: Vec<_> = summary
        .by_reason
        .iter()
        .map(|own| own.of.as_str())
        .collect();
    assert_eq!(
        reasons,
        ["-LIMIT-REACHED"],
        "the fourth bill still reaches its limit"
    );
    let largest = &outcome.largest;
    assert_eq!(largest.len(), 2);
    assert_eq!(largest[0].difference.message.0.as_u128(), 4);
    assert_eq!(
        largest[1].lines()[0].lost.len(),
        1,
        "the limit's own step is gone"
    );
    assert_eq!(largest[1].codes, [(1, "s".to_owned(), "D2".to_owned())]);
}

#[test]
fn the_premium_gives_loss_ratios_and_the_period_counts_its_own_messages() {
    let bytes = extract(&[plan("one", 1_000)], BILLS, &[]);
    let change = changed(plan("one", 2_000));
    let with_premium = Options {
        premium: Some(amount(10_000)),
        ..options(1)
    };
    let (outcome, _) = run(&bytes, &change, &with_premium);
    let summary = outcome.summary;
    assert_eq!(summary.loss_ratio_before.as_deref(), Some("36.00"));
    assert_eq!(summary.loss_ratio_after.as_deref(), Some("52.00"));
    // All were decided in the first seconds of 1970: a period after that counts none, and a limit still moves.
    let later = Options {
        from: Some(day("1970-01-02")),
        ..options(1)
    };
    let (outcome, differences) = run(&bytes, &change, &later);
    assert_eq!((outcome.summary.messages, differences.len()), (0, 0));
}

#[test]
fn what_was_used_before_counts_and_what_is_posted_counts_from_then_on() {
    let posted = |at: i64, account: u128, used: i64, room: i64| Posted {
        at: Instant(at),
        key: LimitKey {
            account: AccountId(Uuid::from_u128(account)),
            member: Some(MemberId(Uuid::from_u128(if account == 1 { 1 } else { 3 }))),
            insurer: insurer("one"),
            code: LimitCode::parse("dental").unwrap(),
            stretch: "2024-01-01".into(),
        },
        used,
        room,
    };
    // Of the first account 300 were used before; an override of 5,000 comes to the second after its dental bill. The
    // third account has no bill.
    let all = [
        posted(0, 1, 300, 0),
        posted(5, 2, 0, 5_000),
        posted(0, 3, 9, 9),
    ];
    let bytes = extract(&[plan("one", 1_000)], BILLS, &all);
    let recorded = Options {
        baseline: Baseline::Recorded,
        ..options(1)
    };
    let (_, differences) = run(&bytes, &changed(plan("one", 1_000)), &recorded);
    let told: Vec<_> = differences
        .iter()
        .map(|own| {
            (
                own.message.0.as_u128(),
                own.member.before.get(),
                own.member.after.get(),
            )
        })
        .collect();
    assert_eq!(told, [(1, 0, 100), (3, 600, 800)]);
    let (outcome, differences) = run(&bytes, &changed(plan("one", 1_000)), &options(1));
    assert_eq!(
        outcome.summary.not_reproducible, 2,
        "the record knew nothing of it"
    );
    assert_eq!(differences, []);
}

#[test]
fn any_number_of_threads_and_any_order_of_accounts_gives_the_same() {
    let mut bills = Vec::new();
    for number in 1..6_000_u128 {
        bills.push(Bill {
            number,
            member: number % 1_500,
            account: number % 500,
            day: "2024-05-05",
            code: if number % 7 == 0 { "V1" } else { "D1" },
            billed: 100 + (number as i64 * 37) % 900,
        });
    }
    let change = changed(plan("one", 1_300));
    let mut seen: Option<(Value, Vec<Value>)> = None;
    for (is_reversed, threads) in [(false, 1), (false, 2), (false, 5), (true, 3)] {
        let mut own = bills.clone();
        if is_reversed {
            own.sort_by_key(|bill| (std::cmp::Reverse(bill.account), bill.number));
        }
        let bytes = extract(&[plan("one", 1_000)], &own, &[]);
        let (outcome, differences) = run(&bytes, &change, &options(threads));
        assert!(differences.len() > 500 && outcome.summary.not_reproducible == 0);
        let mut told: Vec<Value> = differences.iter().map(|own| json!(own)).collect();
        // Members' numbers go by who comes first.
        told.iter_mut()
            .for_each(|own| drop(own.as_object_mut().unwrap().remove("member_number")));
        told.sort_by_key(|own| own["message"].to_string());
        let now = (json!(outcome.summary), told);
        assert_eq!(
            *seen.get_or_insert_with(|| now.clone()),
            now,
            "{threads} threads"
        );
    }
}

#[test]
fn whoever_stops_it_stops_it() {
    let bytes = extract(&[plan("one", 1_000)], BILLS, &[]);
    let history = History::read(&bytes).unwrap();
    let change = changed(plan("one", 2_000));
    let stopped = rehearse(&history, &change, &Tables::default(), &options(2), |_| {
        ControlFlow::Break(())
    });
    assert_eq!(
        stopped.err(),
        Some(takmil_domain::rehearsal::Failed::Stopped)
    );
}

#[test]
fn an_insurer_sees_its_own_part_and_others_without_a_name() {
    // The second pays what the first leaves open.
    let plans = [plan("one", 1_000), plan("two", 5_000)];
    let bytes = extract(&plans, BILLS, &[]);
    let own = Options {
        viewer: Some(insurer("one")),
        premium: Some(amount(10_000)),
        ..options(1)
    };
    let (outcome, differences) = run(&bytes, &changed(plan("one", 2_000)), &own);
    let text = format!("{}{}", json!(outcome.summary), json!(differences));
    assert!(!text.contains("two"), "{text}");
    let names: Vec<_> = outcome
        .summary
        .supplementary
        .iter()
        .map(|own| own.insurer.as_str())
        .collect();
    assert_eq!(names, ["another-insurer", "one"]);
    assert_eq!(outcome.summary.loss_ratio_before.as_deref(), Some("36.00"));
    for explained in &outcome.largest {
        let text = format!("{}{}", json!(explained.lines()), json!(explained.after));
        assert!(!text.contains("two"), "{text}");
    }
}

#[test]
fn what_is_broken_is_found_with_its_place() {
    let bytes = extract(&[plan("one", 1_000)], BILLS, &[]);
    assert!(History::read(&bytes).is_ok());
    for cut in 0..bytes.len() {
        assert!(History::read(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (at % 8);
        let corrupt = History::read(&broken).err();
        assert!(
            corrupt.is_some_and(|corrupt| corrupt.at <= at),
            "a bit of byte {at}"
        );
    }
    let told = |bytes: &[u8]| History::read(bytes).unwrap_err().to_string();
    assert_eq!(told(b"{}"), "at byte 0: this is no extract");
    let mut older = bytes.clone();
    older[8] = 0;
    assert_eq!(
        told(&older),
        "at byte 8: the extract is of another version: make it anew"
    );
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(told(&longer).ends_with("something follows after the end"));
}

/// Sums only tell of accidents: whoever writes a block anew can write anything into it.
#[test]
fn nonsense_under_a_right_sum_is_an_error_or_another_history_and_never_more() {
    let bytes = extract(&[plan("one", 1_000)], BILLS, &[]);
    let change = changed(plan("one", 2_000));
    let (mut at, mut refused) = (10, 0);
    while at < bytes.len() {
        let size = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        let payload = at + 9..at + 9 + size;
        for place in payload.clone() {
            for bit in [0, 3, 7] {
                let mut other = bytes.clone();
                other[place] ^= 1 << bit;
                let mut sum = crc32fast::Hasher::new();
                sum.update(&other[at..at + 5]);
                sum.update(&other[payload.clone()]);
                other[at + 5..at + 9].copy_from_slice(&sum.finalize().to_le_bytes());
                let judged = History::read(&other)
                    .map_err(Into::into)
                    .and_then(|history| {
                        rehearse(&history, &change, &Tables::default(), &options(1), |_| {
                            ControlFlow::Continue(())
                        })
                    });
                refused += usize::from(judged.is_err());
            }
        }
        at = payload.end;
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn the_form_of_an_extract_stays_what_it_is() {
    let bytes = extract(&[plan("one", 1_000)], &BILLS[..2], &[]);
    // The documents are JSON and tell themselves; what lies before them does not.
    let documents = bytes
        .windows(7)
        .position(|own| own == b"{\"from\"")
        .unwrap();
    let digest = sha256(&bytes[..documents - 9]);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex, "c5f8c46b8c1af5874a55ab3a5ae81381c6259e05783b07704694e6ec691a2c05",
        "whoever changes the form counts its version up"
    );
}

#[test]
fn what_cannot_take_another_plans_place_is_refused_with_its_pointer() {
    let bytes = extract(&[plan("one", 1_000)], BILLS, &[]);
    let history = History::read(&bytes).unwrap();
    let check = |change: &dyn Fn(&mut Plan), own: &[&str], beside: &[&str]| {
        let mut plan = plan("one", 1_000);
        change(&mut plan);
        let change = changed(plan);
        let pointers = |problems: Vec<takmil_domain::problem::Problem>| {
            problems
                .into_iter()
                .map(|own| own.pointer)
                .collect::<Vec<_>>()
        };
        assert_eq!(pointers(change.problems()), own);
        assert_eq!(pointers(change.problems_with(history.held())), beside);
    };
    check(&|_| {}, &[], &[]);
    check(
        &|plan| {
            plan.benefits[0]
                .limits
                .push(LimitCode::parse("none").unwrap())
        },
        &["/plans/0/benefits/0/limits/1"],
        &[],
    );
    check(
        &|plan| plan.insurer = insurer("other"),
        &[],
        &["/plans/0/insurer"],
    );
    check(
        &|plan| plan.currency = Currency::parse("MAD").unwrap(),
        &[],
        &["/plans/0/currency"],
    );
    check(
        &|plan| plan.tariff = takmil_domain::ids::TariffId::parse("none"),
        &[],
        &["/plans/0/tariff"],
    );
    let twice = Change {
        plans: vec![plan("one", 1), plan("one", 2)],
        ..Change::default()
    };
    assert_eq!(twice.problems()[0].pointer, "/plans/1/id");
    assert_eq!(Change::default().problems()[0].pointer, "/plans");
}

/// Bills with everything that bills can have come back out of an extract as they went in: judged again by the same
/// documents, three times in a row, nothing moves.
#[test]
fn generated_bills_come_out_again_as_they_were_recorded() {
    let mut paid = 0;
    for seed in 0..3_000 {
        let mut sample = Sample::from_tape(&mut Tape::random(seed));
        for at in 0..sample.insurers.len() {
            sample.change_plan(at, |plan| {
                // Generated plans have names of their own only within a kind.
                plan.id = PlanId::parse(&format!("plan-{at}")).unwrap();
                plan.currency = Currency::parse("IRR").unwrap();
            });
        }
        if sample
            .insurers
            .iter()
            .any(|own| own.tariff.is_some() || own.contract.is_some())
            && sample.base.is_some()
        {
            // Generated tariffs share their names, which real ones do not.
            sample.base = None;
        }
        let many = sample
            .insurers
            .iter()
            .filter(|own| own.tariff.is_some() || own.contract.is_some());
        if many.count() > 1
            || sample
                .insurers
                .iter()
                .any(|own| own.tariff.is_some() && own.contract.is_some())
        {
            continue;
        }
        let mut writer = Writer::new(None, &[1; 32]);
        let mut used = Used::new();
        for number in 1..=3_u128 {
            let case = sample.case();
            let lines = decide(&case, &mut used);
            paid += lines
                .iter()
                .map(|line| line.supplementary_total().get())
                .sum::<i64>()
                % 1_000;
            writer
                .push(&Entry {
                    id: MessageId(Uuid::from_u128(number)),
                    kind: Kind::Claim,
                    at: Instant(number as i64),
                    day: day("2024-05-05"),
                    member: MemberId(Uuid::from_u128(9)),
                    case: &case,
                    exchange: None,
                    recorded: Some(&lines),
                    clinical: None,
                })
                .unwrap();
        }
        let bytes = writer.finish().unwrap();
        let change = changed(sample.insurers[0].plan.clone().into());
        let (outcome, differences) = run(&bytes, &change, &options(1));
        let summary = &outcome.summary;
        assert_eq!(summary.not_reproducible, 0, "seed {seed}");
        assert_eq!((summary.touched, differences.len()), (3, 0), "seed {seed}");
    }
    assert!(paid > 0);
}
