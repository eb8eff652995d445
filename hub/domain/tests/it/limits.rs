//! Limits that several bills, members, covers or days share, and those of every kind.

use serde_json::json;
use takmil_domain::coverage::Cover;
use takmil_domain::ids::MemberId;
use takmil_domain::money::{Amount, Quantity, Rate};
use takmil_domain::reason::Reason;
use takmil_domain::share::{BillLine, CoverTerms, InsurerSays};
use uuid::Uuid;

use crate::setting::{
    Ledger, case, cover, day, line, paid, plan_with_limit, refusal, terms, with_benefit,
};

#[test]
fn a_family_shares_the_accounts_limit_and_no_member_anothers() {
    for (owner, expected) in [("account", [80, 20]), ("member", [80, 80])] {
        let plan = plan_with_limit(json!({"ceiling": 100, "owner": owner}), json!({}));
        let mut ledger = Ledger::default();
        let mut pays = |member| {
            let cover = Cover {
                member: MemberId(Uuid::from_u128(member)),
                ..cover(day("2024-01-01"))
            };
            paid(&ledger.judge(&case(
                vec![terms(&plan, &cover)],
                vec![line(1, day("2024-06-01"), 80)],
            )))
        };
        assert_eq!([pays(1), pays(2)].concat(), expected, "{owner}");
    }
}

#[test]
fn visit_and_day_limits_span_bills() {
    let days = ["2024-06-01", "2024-06-01", "2024-06-02"];
    // Of three bills of 80 with 100 to spend: the first, one of the same or another visit, one a day later.
    let check = |per: &str, visits: [&str; 3], expected: [i64; 3]| {
        let plan = plan_with_limit(json!({"ceiling": 100, "per": per}), json!({}));
        let cover = cover(day("2024-01-01"));
        let mut ledger = Ledger::default();
        let mut pays = |(visit, date)| {
            let mut case = case(vec![terms(&plan, &cover)], vec![line(1, day(date), 80)]);
            case.visit = visit;
            paid(&ledger.judge(&case))
        };
        let paid: Vec<i64> = visits.into_iter().zip(days).flat_map(&mut pays).collect();
        assert_eq!(paid, expected, "{per} {visits:?}");
    };
    check("visit", ["a", "a", "a"], [80, 20, 0]);
    check("visit", ["a", "b", "a"], [80, 80, 20]);
    check("day", ["a", "b", "a"], [80, 20, 80]);
    check("item", ["a", "a", "a"], [80, 80, 80]);
    check("month", ["a", "b", "c"], [80, 20, 0]);
    check("lifetime", ["a", "b", "c"], [80, 20, 0]);
}

#[test]
fn a_deductible_is_a_limit_that_two_bills_do_not_spend_twice() {
    let plan = plan_with_limit(json!({"ceiling": 100, "kind": "deductible"}), json!({}));
    let cover = cover(day("2024-01-01"));
    let mut ledger = Ledger::default();
    let mut pays = |billed| {
        let lines = vec![line(1, day("2024-06-01"), billed)];
        paid(&ledger.judge(&case(vec![terms(&plan, &cover)], lines)))
    };
    assert_eq!([pays(70), pays(70), pays(70)].concat(), [0, 40, 70]);
}

#[test]
fn beyond_the_out_of_pocket_maximum_the_insurer_pays() {
    let plan = plan_with_limit(json!({"ceiling": 30, "kind": "out_of_pocket"}), json!({}));
    let plan = with_benefit(&plan, |own| own.rate = Rate::parse("20%").unwrap());
    let cover = cover(day("2024-01-01"));
    let mut ledger = Ledger::default();
    let mut member = || {
        let lines = vec![line(1, day("2024-06-01"), 100)];
        ledger.judge(&case(vec![terms(&plan, &cover)], lines))[0]
            .member
            .get()
    };
    assert_eq!([member(), member(), member()], [20, 10, 0]);
}

#[test]
fn a_started_unit_counts() {
    let plan = plan_with_limit(json!({"ceiling": 5, "unit": "count"}), json!({}));
    let cover = cover(day("2024-01-01"));
    let of = |seq, quantity| BillLine {
        quantity: Quantity::parse(quantity).unwrap(),
        ..line(seq, day("2024-06-01"), 1_000)
    };
    let lines = vec![of(1, "2.5"), of(2, "1"), of(3, "2"), of(4, "1")];
    let split = Ledger::default().judge(&case(vec![terms(&plan, &cover)], lines));
    // Three units, one, and of the two that are asked then the last one; nothing is left for the fourth line.
    assert_eq!(paid(&split), [1_000, 1_000, 500, 0]);
    assert_eq!(
        split[3].supplementary[0].refused,
        Some(Reason::QuantityUsed)
    );
}

#[test]
fn two_covers_of_one_account_use_their_common_limit_once() {
    let plan = plan_with_limit(json!({"ceiling": 100}), json!({"coordination": "standard"}));
    let cover = cover(day("2024-01-01"));
    let half = with_benefit(&plan, |own| own.rate = Rate::parse("50%").unwrap());
    let plans = [half, plan];
    let covers = vec![terms(&plans[0], &cover), terms(&plans[1], &cover)];
    let mut ledger = Ledger::default();
    let split = ledger.judge(&case(covers, vec![line(1, day("2024-06-01"), 150)]));
    let paid: Vec<i64> = split[0]
        .supplementary
        .iter()
        .map(|share| share.amount.get())
        .collect();
    assert_eq!(paid, [75, 25]);
    assert_eq!(ledger.0.into_values().collect::<Vec<_>>(), [0]);
}

#[test]
fn an_insurers_own_word_stays_within_its_limit_and_what_is_open() {
    let plan = plan_with_limit(json!({"ceiling": 90}), json!({}));
    let cover = cover(day("2024-01-01"));
    let check = |said: InsurerSays, expected: i64, reason: Option<Reason>| {
        let terms = CoverTerms {
            said: Some(&said),
            refused: &[],
            ..terms(&plan, &cover)
        };
        let mut ledger = Ledger::default();
        let split = ledger.judge(&case(vec![terms], vec![line(1, day("2024-06-01"), 80)]));
        assert_eq!(
            (paid(&split), refusal(&split)),
            (vec![expected], reason),
            "{said:?}"
        );
        assert_eq!(
            ledger.0.into_values().collect::<Vec<_>>(),
            [90 - expected],
            "{said:?}"
        );
    };
    let amount = |value| Amount::new(value).unwrap();
    check(InsurerSays::Approved, 80, None);
    check(InsurerSays::Adjusted(vec![(1, amount(30))]), 30, None);
    check(InsurerSays::Adjusted(vec![(1, amount(500))]), 80, None);
    check(InsurerSays::Adjusted(vec![(2, amount(30))]), 80, None);
    check(InsurerSays::Refused, 0, Some(Reason::InsurerRefused));
}

#[test]
fn ten_thousand_days_in_one_bill_take_no_longer_than_lines() {
    let plan = plan_with_limit(json!({"ceiling": 7, "per": "day"}), json!({}));
    let cover = cover(day("2000-01-01"));
    let lines = (0..10_000)
        .map(|at| line(at, day("2000-01-01").add_days(at), 10))
        .collect();
    let begun = std::time::Instant::now();
    let split = Ledger::default().judge(&case(vec![terms(&plan, &cover)], lines));
    assert!(paid(&split).iter().all(|paid| *paid == 7));
    // Work that grew with the square of the days would take a minute.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
