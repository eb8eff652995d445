//! The edges of the share computation: first and last days, years that end within a stay, limits that several
//! bills, members or covers share, and inputs at the end of what is possible.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::{Calendar, Date};
use takmil_domain::decision::LineShare;
use takmil_domain::ids::{AccountId, MemberId, ParticipantId, PlanId};
use takmil_domain::limit::LimitKey;
use takmil_domain::message::Message;
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::{BasePlan, Plan, Relationship};
use takmil_domain::problem::ProblemCode;
use takmil_domain::reason::Reason;
use takmil_domain::share::{BillLine, Case, CoverTerms, Documents, Frame, InsurerSays, Unjudged};
use takmil_domain::tariff::Tariff;
use uuid::Uuid;

/// What is left of limits from one bill to the next.
#[derive(Default)]
struct Ledger(BTreeMap<LimitKey, i64>);

impl Ledger {
    fn judge(&mut self, case: &Case<'_>) -> Vec<LineShare> {
        let frame = Frame::new(case);
        let left = |need: &takmil_domain::limit::LimitNeed| {
            self.0.get(&need.key).copied().unwrap_or(need.ceiling)
        };
        let left: Vec<i64> = frame.needs().iter().map(left).collect();
        let split = frame.split(&left);
        for (need, left) in frame.needs().iter().zip(left) {
            self.0.insert(need.key.clone(), left);
        }
        for draw in &split.draws {
            let key = &frame.needs()[draw.need].key;
            *self.0.get_mut(key).unwrap() -= draw.amount;
        }
        split.lines
    }
}

/// A plan of one insurer that pays all of everything, with other parts in place of its own.
fn plan(parts: Value) -> Plan {
    let mut plan = json!({
        "id": "plan", "version": 1, "insurer": "ins", "title": "", "currency": "IRR", "from": "2000-01-01",
        "benefits": [{"id": "all", "title": "", "codes": [{"prefix": ""}]}],
    });
    for (name, part) in parts.as_object().unwrap() {
        plan[name] = part.clone();
    }
    let plan: Plan = serde_json::from_value(plan).unwrap();
    assert_eq!(plan.faults(), []);
    plan
}

/// The same with one limit on the one benefit.
fn plan_with_limit(limit: Value, parts: Value) -> Plan {
    let mut limit = limit;
    limit["id"] = json!("limit");
    limit["title"] = json!("");
    let ceiling = limit["kind"].is_null();
    let benefit = json!({
        "id": "all", "title": "", "codes": [{"prefix": ""}], "deductible": true,
        "limits": if ceiling { json!(["limit"]) } else { json!([]) },
    });
    let mut parts = parts;
    parts["benefits"] = json!([benefit]);
    parts["limits"] = json!([limit]);
    plan(parts)
}

fn cover(start: Date) -> Cover {
    Cover {
        account: AccountId(Uuid::from_u128(1)),
        member: MemberId(Uuid::from_u128(1)),
        insurer: ParticipantId::parse("ins").unwrap(),
        role: InsurerRole::Supplementary,
        order: 1,
        relationship: Relationship::Principal,
        plan: PlanId::parse("plan").unwrap(),
        start,
        end: None,
        suspended: false,
        prior_cover: false,
        group_size: None,
    }
}

fn terms<'a>(plan: &'a Plan, cover: &'a Cover) -> CoverTerms<'a> {
    CoverTerms {
        cover,
        plan,
        tariff: None,
        contract: None,
        said: None,
    }
}

fn line(seq: u32, date: Date, billed: i64) -> BillLine<'static> {
    BillLine {
        seq,
        system: "",
        code: "a",
        date,
        quantity: Quantity::ONE,
        billed: Amount::new(billed),
        base_paid: None,
        subsidy: Amount::ZERO,
        in_network: Vec::new(),
        reference_price: None,
        substitution_refused: false,
        authorisation: None,
        circumstance: None,
    }
}

fn case<'a>(covers: Vec<CoverTerms<'a>>, lines: Vec<BillLine<'a>>) -> Case<'a> {
    Case {
        currency: Currency::parse("IRR").unwrap(),
        person: Person::default(),
        visit: "visit-1",
        class: None,
        sector: None,
        base: None,
        asks_leave: false,
        covers,
        lines,
    }
}

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn persian(text: &str) -> Date {
    Date::parse_in(text, Calendar::Persian).unwrap()
}

fn paid(lines: &[LineShare]) -> Vec<i64> {
    lines
        .iter()
        .map(|line| line.supplementary_total().get())
        .collect()
}

/// Why the first insurer refuses the first line.
fn refusal(lines: &[LineShare]) -> Option<Reason> {
    lines[0].supplementary[0].refused
}

fn tariff(currency: &str, code: &str, price: i64) -> Tariff {
    serde_json::from_value(json!({
        "id": "tariff", "version": 1, "title": "", "currency": currency, "from": "2000-01-01",
        "prices": [{"code": {"code": code}, "price": price}],
    }))
    .unwrap()
}

#[test]
fn a_stay_that_crosses_a_coverage_year_uses_each_years_limit() {
    let check = |plan: Plan, start: Date, first: Date, second: Date, expected: [i64; 2]| {
        let cover = cover(start);
        let lines = vec![line(1, first, 80), line(2, second, 80)];
        let split = Ledger::default().judge(&case(vec![terms(&plan, &cover)], lines));
        assert_eq!(paid(&split), expected, "{first} and {second}");
    };
    let yearly = json!({"ceiling": 100});
    let own = || plan_with_limit(yearly.clone(), json!({}));
    let start = day("2023-05-10");
    check(own(), start, day("2024-05-09"), day("2024-05-10"), [80, 80]);
    check(own(), start, day("2024-05-08"), day("2024-05-09"), [80, 20]);
    check(own(), start, day("2023-12-31"), day("2024-01-01"), [80, 20]);
    let calendar = |name: &str| {
        plan_with_limit(
            yearly.clone(),
            json!({"year": "calendar", "calendar": name}),
        )
    };
    check(
        calendar("gregorian"),
        start,
        day("2023-12-31"),
        day("2024-01-01"),
        [80, 80],
    );
    let (last, first) = (persian("1402/12/29"), persian("1403/01/01"));
    check(calendar("persian"), start, last, first, [80, 80]);
    check(calendar("gregorian"), start, last, first, [80, 20]);
    // A cover that began on a leap day has its anniversary on the last day of February.
    let leap = day("2024-02-29");
    check(own(), leap, day("2025-02-27"), day("2025-02-28"), [80, 80]);
    check(own(), leap, day("2028-02-28"), day("2028-02-29"), [80, 80]);
}

#[test]
fn a_waiting_period_ends_by_the_policys_calendar() {
    let check = |calendar: &str, start: Date, months: u32, date: Date, expected: Option<Reason>| {
        let benefit =
            json!({"id": "all", "title": "", "codes": [{"prefix": ""}], "waiting_months": months});
        let plan = plan(json!({"calendar": calendar, "benefits": [benefit]}));
        let cover = cover(start);
        let split =
            Ledger::default().judge(&case(vec![terms(&plan, &cover)], vec![line(1, date, 10)]));
        assert_eq!(
            refusal(&split),
            expected,
            "{calendar}: {start} and {months} months, on {date}"
        );
    };
    let start = persian("1403/02/01");
    check(
        "persian",
        start,
        9,
        persian("1403/10/30"),
        Some(Reason::Waiting),
    );
    check("persian", start, 9, persian("1403/11/01"), None);
    // Nine Gregorian months after the same day end one day earlier.
    check(
        "gregorian",
        start,
        9,
        day("2025-01-19"),
        Some(Reason::Waiting),
    );
    check("gregorian", start, 9, day("2025-01-20"), None);
    assert_eq!(persian("1403/11/01"), day("2025-01-20"));
    // The last day of a month that the later month does not have: the later month's last day.
    check(
        "persian",
        persian("1403/06/31"),
        6,
        persian("1403/12/29"),
        Some(Reason::Waiting),
    );
    check(
        "persian",
        persian("1403/06/31"),
        6,
        persian("1403/12/30"),
        None,
    );
    check("persian", start, 0, start, None);
}

#[test]
fn the_first_and_the_last_day_of_a_cover_belong_to_it() {
    let plan = plan(json!({"age_out": [{"relationship": "son", "age": 22}]}));
    let check = |date: &str, suspended, birth: Option<&str>, expected| {
        let cover = Cover {
            end: Some(day("2024-12-31")),
            suspended,
            relationship: Relationship::Son,
            ..cover(day("2024-01-01"))
        };
        let mut case = case(vec![terms(&plan, &cover)], vec![line(1, day(date), 10)]);
        case.person.birth_date = birth.map(day);
        assert_eq!(refusal(&Ledger::default().judge(&case)), expected, "{date}");
    };
    check("2023-12-31", false, None, Some(Reason::CoverInactive));
    check("2024-01-01", false, None, None);
    check("2024-12-31", false, None, None);
    check("2025-01-01", false, None, Some(Reason::CoverInactive));
    check("2024-06-01", true, None, Some(Reason::CoverSuspended));
    check("2024-06-01", false, Some("2002-06-02"), None);
    check(
        "2024-06-02",
        false,
        Some("2002-06-02"),
        Some(Reason::AgedOut),
    );
}

#[test]
fn what_a_record_does_not_tell_is_not_held_against_the_member() {
    let benefit = json!({
        "id": "all", "title": "", "codes": [{"prefix": ""}], "sex": "female", "age_min": 18, "age_max": 40,
    });
    let plan = plan(json!({"benefits": [benefit]}));
    let check = |birth: Option<&str>, sex, expected| {
        let cover = cover(day("2024-01-01"));
        let mut case = case(
            vec![terms(&plan, &cover)],
            vec![line(1, day("2024-06-01"), 10)],
        );
        case.person = Person {
            birth_date: birth.map(day),
            sex,
        };
        assert_eq!(
            refusal(&Ledger::default().judge(&case)),
            expected,
            "{birth:?} {sex:?}"
        );
    };
    check(None, None, None);
    check(None, Some(Sex::Unknown), None);
    check(None, Some(Sex::Female), None);
    check(None, Some(Sex::Male), Some(Reason::SexOutside));
    check(None, Some(Sex::Other), Some(Reason::SexOutside));
    check(Some("2006-06-02"), None, Some(Reason::AgeOutside));
    check(Some("2006-06-01"), None, None);
    check(Some("1983-06-02"), None, None);
    check(Some("1983-06-01"), None, Some(Reason::AgeOutside));
}

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
    let mut plan = plan_with_limit(json!({"ceiling": 30, "kind": "out_of_pocket"}), json!({}));
    plan.benefits[0].rate = takmil_domain::money::Rate::parse("20%").unwrap();
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
fn nothing_is_paid_in_another_currency() {
    let check = |plan_currency: &str, tariff_currency: &str, expected| {
        let plan = plan(json!({"currency": plan_currency}));
        let (cover, tariff) = (cover(day("2024-01-01")), tariff(tariff_currency, "a", 50));
        for (by_tariff, by_contract) in [(Some(&tariff), None), (None, Some(&tariff))] {
            let terms = CoverTerms {
                tariff: by_tariff,
                contract: by_contract,
                ..terms(&plan, &cover)
            };
            let split =
                Ledger::default().judge(&case(vec![terms], vec![line(1, day("2024-06-01"), 80)]));
            assert_eq!(
                refusal(&split),
                expected,
                "{plan_currency} {tariff_currency}"
            );
        }
    };
    check("IRR", "IRR", None);
    check("USD", "USD", Some(Reason::CurrencyDiffers));
    check("IRR", "USD", Some(Reason::CurrencyDiffers));
}

#[test]
fn a_base_tariff_in_another_currency_computes_nothing() {
    let base = |currency: &str| -> BasePlan {
        serde_json::from_value(json!({
            "id": "base", "version": 1, "insurer": "base", "title": "", "currency": currency, "from": "2000-01-01",
            "tariff": "tariff", "rates": [{"codes": {"prefix": ""}, "rate": "50%"}],
        }))
        .unwrap()
    };
    for (currency, expected) in [("IRR", 40), ("USD", 0)] {
        let (base, tariff) = (base(currency), tariff(currency, "a", 80));
        let mut case = case(Vec::new(), vec![line(1, day("2024-06-01"), 100)]);
        case.base = Some((&base, &tariff));
        let split = Ledger::default().judge(&case);
        assert_eq!(
            (split[0].base.get(), split[0].member.get()),
            (expected, 100 - expected),
            "{currency}"
        );
    }
}

#[test]
fn a_line_without_a_price_goes_by_the_first_tariff_that_has_one() {
    let plan = plan(json!({}));
    let cover = cover(day("2024-01-01"));
    let check = |tariff: &Tariff, quantity: &str, billed: i64, reason: Option<Reason>| {
        let terms = CoverTerms {
            tariff: Some(tariff),
            ..terms(&plan, &cover)
        };
        let mut line = line(1, day("2024-06-01"), 0);
        line.billed = None;
        line.quantity = Quantity::parse(quantity).unwrap();
        let split = Ledger::default().judge(&case(vec![terms], vec![line]));
        assert_eq!(
            (split[0].billed.get(), refusal(&split)),
            (billed, reason),
            "{quantity}"
        );
    };
    check(&tariff("IRR", "a", 50), "2.5", 125, None);
    check(&tariff("IRR", "b", 50), "2.5", 0, Some(Reason::NoPrice));
    check(&tariff("USD", "a", 50), "2.5", 0, Some(Reason::NoPrice));
    check(
        &tariff("IRR", "a", Amount::MAX.get()),
        "1",
        Amount::MAX.get(),
        None,
    );
    check(
        &tariff("IRR", "a", Amount::MAX.get()),
        "1000000000",
        0,
        Some(Reason::NoPrice),
    );
}

#[test]
fn the_largest_bill_with_the_finest_quantity_stays_exact() {
    let mut plan = plan(json!({}));
    plan.benefits[0].max_quantity = Quantity::parse("999999998.999999999");
    let cover = cover(day("2024-01-01"));
    let line = BillLine {
        quantity: Quantity::parse("999999999.999999999").unwrap(),
        ..line(1, day("2024-06-01"), Amount::MAX.get())
    };
    let split = Ledger::default().judge(&case(vec![terms(&plan, &cover)], vec![line]));
    // One unit of the thousand million is not covered: 900,000 of the amount.
    assert_eq!(split[0].member.get(), 900_000);
}

#[test]
fn nobody_waives_what_another_insurer_pays() {
    let (plan, cover) = (plan(json!({})), cover(day("2024-01-01")));
    let second = Plan {
        insurer: ParticipantId::parse("second").unwrap(),
        ..plan.clone()
    };
    let second_cover = Cover {
        insurer: second.insurer.clone(),
        account: AccountId(Uuid::from_u128(2)),
        ..cover.clone()
    };
    let contract = tariff("IRR", "a", 60);
    // Billed 100; the first insurer has a contract price of 60, the second recognises all.
    let check = |in_network: [bool; 2], insurers: [i64; 2], written_off, member| {
        let first = CoverTerms {
            contract: Some(&contract),
            ..terms(&plan, &cover)
        };
        let mut line = line(1, day("2024-06-01"), 100);
        line.in_network = in_network.to_vec();
        let split = Ledger::default().judge(&case(
            vec![first, terms(&second, &second_cover)],
            vec![line],
        ));
        let paid: Vec<i64> = split[0]
            .supplementary
            .iter()
            .map(|share| share.amount.get())
            .collect();
        assert_eq!(
            (paid, split[0].written_off.get(), split[0].member.get()),
            (insurers.to_vec(), written_off, member),
            "{in_network:?}"
        );
    };
    check([true, false], [60, 40], 0, 0);
    check([true, true], [60, 40], 0, 0);
    check([false, true], [100, 0], 0, 0);
}

#[test]
fn two_covers_of_one_account_use_their_common_limit_once() {
    let plan = plan_with_limit(json!({"ceiling": 100}), json!({"coordination": "standard"}));
    let cover = cover(day("2024-01-01"));
    let mut plans = [plan.clone(), plan];
    plans[0].benefits[0].rate = takmil_domain::money::Rate::parse("50%").unwrap();
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
fn a_year_of_days_in_one_bill_is_judged_line_by_line() {
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

fn bill(lines: Value) -> Message {
    serde_json::from_value(json!({
        "kind": "claim", "currency": "IRR", "occurred_on": "2024-06-01", "claim": {"bill": {"lines": lines}},
    }))
    .unwrap()
}

#[test]
fn what_the_sender_takes_back_is_not_asked_for() {
    let message = bill(json!([
        {"seq": 1, "item": {}, "billed": 10, "cancelled": true},
        {"seq": 2, "item": {}, "details": [
            {"seq": 1, "item": {}, "billed": 20, "cancelled": true},
            {"seq": 2, "item": {}, "billed": 30},
        ]},
    ]));
    let decision = Documents::from(vec![plan(json!({}))])
        .judge(&message)
        .unwrap();
    let lines: Vec<(u32, i64)> = decision
        .lines
        .iter()
        .map(|line| (line.seq, line.billed.get()))
        .collect();
    assert_eq!(lines, [(2, 30)]);
}

#[test]
fn documents_that_contradict_themselves_are_told_so() {
    let message = bill(json!([
        {"seq": 1, "item": {}, "billed": 10, "serviced": {"start": "2023-06-01"}},
        {"seq": 2, "item": {}, "billed": 10},
    ]));
    let check = |change: fn(&mut Value), expected: &[(ProblemCode, &str)]| {
        let plan = plan_with_limit(json!({"ceiling": 5}), json!({}));
        let mut documents = json!({"plans": [plan]});
        change(&mut documents);
        let documents: Documents = serde_json::from_value(documents).unwrap();
        let problems = match documents.judge(&message) {
            Ok(_) => Vec::new(),
            Err(Unjudged::Documents(problems) | Unjudged::Message(problems)) => problems,
        };
        let told: Vec<(ProblemCode, &str)> = problems
            .iter()
            .map(|problem| (problem.code, problem.pointer.as_str()))
            .collect();
        assert_eq!(told, expected);
    };
    check(|_| {}, &[]);
    check(
        |own| own["plans"][0]["version"] = json!(0),
        &[(ProblemCode::BadValue, "/plans/0/version")],
    );
    check(
        |own| own["plans"][0]["tariff"] = json!("none"),
        &[(ProblemCode::DanglingReference, "/plans/0/tariff")],
    );
    check(
        |own| {
            let plan = own["plans"][0].clone();
            own["plans"].as_array_mut().unwrap().push(plan);
        },
        &[(ProblemCode::BadValue, "/plans/1/insurer")],
    );
    check(
        |own| own["out_of_network"] = json!(["other"]),
        &[(ProblemCode::DanglingReference, "/out_of_network/0")],
    );
    check(
        |own| own["covers"] = json!([{"insurer": "other", "start": "2024-01-01"}]),
        &[(ProblemCode::DanglingReference, "/covers/0/insurer")],
    );
    check(
        |own| own["authorisations"] = json!([{"number": "1", "amount": -1}]),
        &[(ProblemCode::BadValue, "/authorisations/0/amount")],
    );
    check(
        |own| own["remainders"] = json!([{"insurer": "ins", "limit": "other", "left": 1}]),
        &[(ProblemCode::DanglingReference, "/remainders/0/limit")],
    );
    check(
        |own| own["remainders"] = json!([{"insurer": "ins", "limit": "limit", "left": -1}]),
        &[(ProblemCode::BadValue, "/remainders/0/left")],
    );
    // The lines lie in two years: which of them has 1 left?
    check(
        |own| own["remainders"] = json!([{"insurer": "ins", "limit": "limit", "left": 1}]),
        &[(ProblemCode::Missing, "/remainders/0/stretch")],
    );
    check(
        |own| {
            own["remainders"] =
                json!([{"insurer": "ins", "limit": "limit", "left": 1, "stretch": "2024-01-01"}])
        },
        &[],
    );
}
