//! Procedures that are done together, and what is asked once however many lines there are.

use serde_json::json;
use takmil_domain::bill::EncounterClass;
use takmil_domain::decision::LineShare;
use takmil_domain::money::Quantity;
use takmil_domain::plan::Tier;
use takmil_domain::reason::Reason;

use crate::setting::{Ledger, case, cover, day, line, paid, plan, refusal, tariff, terms};

#[test]
fn the_dearest_procedure_counts_whole_and_the_others_in_part_whatever_their_order() {
    let plan =
        plan(json!({"procedures": [{"codes": [{"prefix": "P"}], "ranks": ["1", "0.5", "0.25"]}]}));
    let cover = cover(day("2020-01-01"));
    let on = day("2024-05-17");
    let check = |rows: &[(&'static str, i64, u32, bool)], expected: &[i64]| {
        let lines = (1..).zip(rows).map(|(seq, (code, billed, units, both))| {
            let mut line = line(seq, on, *billed);
            line.code = code;
            line.quantity = Quantity::whole(*units);
            line.bilateral = *both;
            line
        });
        let case = case(vec![terms(&plan, &cover)], lines.collect());
        assert_eq!(paid(&Ledger::default().judge(&case)), expected, "{rows:?}");
    };
    check(&[("P1", 400, 1, false)], &[400]);
    check(
        &[
            ("P1", 400, 1, false),
            ("P2", 1_000, 1, false),
            ("P3", 200, 1, false),
        ],
        &[200, 1_000, 50],
    );
    check(
        &[
            ("P2", 1_000, 1, false),
            ("x", 5_000, 1, false),
            ("P1", 400, 1, false),
        ],
        &[1_000, 5_000, 200],
    );
    // Four of one: 1 + 1/2 + 1/4 + 1/4.
    check(&[("P1", 400, 4, false)], &[200]);
    // More than are ranked one by one: the rest take the last rank.
    check(&[("P1", 100_000, 1_000, false)], &[25_100]);
    // Both sides at once: 1 + 1/2 of the price of one, which is half of what is asked.
    check(&[("P1", 400, 1, true)], &[300]);
}

#[test]
fn an_agreed_price_is_one_sides_and_what_a_rank_cuts_off_is_waived_in_the_network() {
    let plan = plan(json!({"procedures": [{"codes": [{"prefix": ""}], "ranks": ["1", "0.5"]}]}));
    let cover = cover(day("2020-01-01"));
    let agreed = tariff("IRR", "a", 100);
    let check = |tier: Tier, expected: (i64, i64, i64)| {
        let mut one = terms(&plan, &cover);
        one.contract = Some(&agreed);
        one.tariff = Some(&agreed);
        let mut line = line(1, day("2024-05-17"), 250);
        (line.bilateral, line.network) = (true, vec![tier]);
        let lines = Ledger::default().judge(&case(vec![one], vec![line]));
        let share = &lines[0];
        let told = (share.supplementary_total(), share.written_off, share.member);
        assert_eq!(
            (told.0.get(), told.1.get(), told.2.get()),
            expected,
            "{tier:?}"
        );
        let reasons: Vec<Reason> = share.trace.iter().map(|entry| entry.reason).collect();
        assert!(reasons.contains(&Reason::OverRank), "{reasons:?}");
    };
    check(Tier::FIRST, (150, 100, 0));
    check(Tier::Outside, (150, 0, 100));
}

#[test]
fn procedures_of_another_day_are_not_done_together() {
    let plan = plan(json!({"procedures": [{"codes": [{"prefix": ""}], "ranks": ["1", "0"]}]}));
    let cover = cover(day("2020-01-01"));
    let days = ["2024-05-17", "2024-05-18", "2024-05-18"];
    let lines = (1..).zip(days).map(|(seq, on)| line(seq, day(on), 100));
    let case = case(vec![terms(&plan, &cover)], lines.collect());
    assert_eq!(paid(&Ledger::default().judge(&case)), [100, 100, 0]);
}

fn once(kind: &str, per: &str) -> serde_json::Value {
    json!({
        "limits": [{"id": "l", "title": "", "kind": kind, "per": per, "ceiling": 30}],
        "benefits": [{"id": "all", "title": "", "codes": [{"prefix": ""}], "rate": "0.1", "limits": ["l"]}],
    })
}

#[test]
fn a_copay_of_a_visit_is_asked_once_over_all_lines_and_bills_of_it() {
    let plan = plan(once("copay", "visit"));
    let cover = cover(day("2020-01-01"));
    let on = day("2024-05-17");
    let mut ledger = Ledger::default();
    let judge = |ledger: &mut Ledger, visit: &'static str, billed: &[i64]| {
        let lines = (1..)
            .zip(billed)
            .map(|(seq, billed)| line(seq, on, *billed));
        let mut case = case(vec![terms(&plan, &cover)], lines.collect());
        case.visit = visit;
        let shares: Vec<LineShare> = ledger.judge(&case);
        shares
            .iter()
            .map(|share| share.member.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(judge(&mut ledger, "one", &[100, 200]), [40, 20]);
    assert_eq!(
        judge(&mut ledger, "one", &[100]),
        [10],
        "a second bill of the visit"
    );
    assert_eq!(judge(&mut ledger, "two", &[100]), [40]);
    assert_eq!(
        judge(&mut ledger, "three", &[20, 100]),
        [20, 10],
        "it is not carried on"
    );
}

#[test]
fn a_least_share_is_met_by_what_the_member_pays_anyway() {
    let plan = plan(once("least_share", "visit"));
    let cover = cover(day("2020-01-01"));
    let on = day("2024-05-17");
    for (billed, expected) in [
        (&[100, 200][..], &[30, 20][..]),
        (&[1_000, 200], &[100, 20]),
        (&[20], &[20]),
    ] {
        let lines = (1..)
            .zip(billed)
            .map(|(seq, billed)| line(seq, on, *billed));
        let case = case(vec![terms(&plan, &cover)], lines.collect());
        let shares = Ledger::default().judge(&case);
        let member: Vec<i64> = shares.iter().map(|share| share.member.get()).collect();
        assert_eq!(member, expected, "{billed:?}");
    }
}

#[test]
fn a_visit_counts_once_and_the_one_beyond_the_limit_is_refused_whole() {
    let plan = plan(json!({
        "limits": [{"id": "visits", "title": "", "unit": "visits", "per": "year", "ceiling": 2}],
        "benefits": [{"id": "all", "title": "", "codes": [{"prefix": ""}], "limits": ["visits"]}],
    }));
    let cover = cover(day("2020-01-01"));
    let mut ledger = Ledger::default();
    let mut judge = |visit: &'static str, on: &str, lines: u32| {
        let lines = (1..=lines).map(|seq| line(seq, day(on), 100)).collect();
        let mut case = case(vec![terms(&plan, &cover)], lines);
        case.visit = visit;
        ledger.judge(&case)
    };
    assert_eq!(paid(&judge("one", "2024-05-17", 3)), [100, 100, 100]);
    assert_eq!(paid(&judge("two", "2024-05-18", 2)), [100, 100]);
    let third = judge("three", "2024-05-19", 2);
    assert_eq!(paid(&third), [0, 0]);
    assert_eq!(refusal(&third), Some(Reason::QuantityUsed));
    assert_eq!(
        paid(&judge("two", "2024-05-18", 1)),
        [100],
        "a visit that counts already"
    );
    assert_eq!(paid(&judge("four", "2025-05-19", 1)), [100], "another year");
}

#[test]
fn an_inner_limit_uses_the_outer_one_too() {
    let plan = plan(json!({
        "limits": [
            {"id": "hospital", "title": "", "ceiling": 150},
            {"id": "special", "title": "", "ceiling": 100, "within": "hospital"},
        ],
        "benefits": [
            {"id": "special", "title": "", "codes": [{"prefix": "S"}], "limits": ["special"]},
            {"id": "all", "title": "", "codes": [{"prefix": ""}], "limits": ["hospital"]},
        ],
    }));
    let cover = cover(day("2020-01-01"));
    let lines = (1..)
        .zip([("S1", 120), ("x", 40), ("S1", 10), ("x", 40)])
        .map(|(seq, (code, billed))| {
            let mut line = line(seq, day("2024-05-17"), billed);
            line.code = code;
            line
        });
    let case = case(vec![terms(&plan, &cover)], lines.collect());
    assert_eq!(paid(&Ledger::default().judge(&case)), [100, 40, 0, 10]);
}

#[test]
fn terms_go_by_the_providers_tier_and_by_diagnosis_and_care() {
    let plan = plan(json!({"benefits": [
        {"id": "birth", "title": "", "codes": [{"prefix": "B"}], "diagnoses": [{"from": "O80", "to": "O84"}],
         "classes": ["inpatient"]},
        {"id": "all", "title": "", "codes": [{"prefix": ""}], "rate": "0.1",
         "tiers": [{"tier": 2, "rate": "0.3", "copay": 5}, {"tier": "outside", "refused": true}]},
    ]}));
    let cover = cover(day("2020-01-01"));
    let judge =
        |code: &'static str, tier: Tier, diagnoses: &[(&'static str, &'static str)], class| {
            let mut line = line(1, day("2024-05-17"), 100);
            (line.code, line.network) = (code, vec![tier]);
            let mut case = case(vec![terms(&plan, &cover)], vec![line]);
            (case.diagnoses, case.class) = (diagnoses.to_vec(), class);
            let lines = Ledger::default().judge(&case);
            (paid(&lines)[0], refusal(&lines))
        };
    assert_eq!(judge("x", Tier::FIRST, &[], None), (90, None));
    assert_eq!(judge("x", Tier::Inside(2), &[], None), (65, None));
    assert_eq!(
        judge("x", Tier::Inside(3), &[], None),
        (90, None),
        "as the benefit says"
    );
    assert_eq!(
        judge("x", Tier::Outside, &[], None),
        (0, Some(Reason::OutsideNetwork))
    );
    let inpatient = Some(EncounterClass::Inpatient);
    assert_eq!(
        judge(
            "B",
            Tier::FIRST,
            &[("icd", "E11"), ("icd", "O82.1")],
            inpatient
        ),
        (100, None)
    );
    assert_eq!(
        judge("B", Tier::FIRST, &[("icd", "E11")], inpatient),
        (0, Some(Reason::DiagnosisOutside))
    );
    assert_eq!(
        judge("B", Tier::FIRST, &[], inpatient),
        (100, None),
        "nothing is held against who tells none"
    );
    let day_case = Some(EncounterClass::Day);
    assert_eq!(
        judge("B", Tier::FIRST, &[("icd", "O80")], day_case),
        (0, Some(Reason::CareOutside))
    );
}

#[test]
fn an_exclusion_is_lifted_by_all_that_one_exception_names() {
    let plan = plan(
        json!({"exclusions": [{"title": "", "codes": [{"prefix": "C"}], "unless": [
            {"circumstance": "accident"},
            {"age_min": 7, "age_max": 17, "diagnoses": [{"prefix": "Q"}]},
        ]}]}),
    );
    let cover = cover(day("2000-01-01"));
    let check = |birth: Option<&str>,
                 diagnosis: &'static str,
                 circumstance: Option<&'static str>,
                 excluded: bool| {
        let mut line = line(1, day("2024-05-17"), 100);
        (line.code, line.circumstance) = ("C1", circumstance);
        let mut case = case(vec![terms(&plan, &cover)], vec![line]);
        case.diagnoses = vec![("icd", diagnosis)];
        case.person.birth_date = birth.map(day);
        let refused = refusal(&Ledger::default().judge(&case));
        assert_eq!(
            refused == Some(Reason::Excluded),
            excluded,
            "{birth:?} {diagnosis} {circumstance:?}"
        );
    };
    check(None, "Z41", None, true);
    check(None, "Z41", Some("accident"), false);
    check(None, "Z41", Some("therapeutic"), true);
    check(Some("2014-01-01"), "Q37", None, false);
    check(Some("2014-01-01"), "Z41", None, true);
    check(Some("1980-01-01"), "Q37", None, true);
    check(None, "Q37", None, true);
}

#[test]
fn a_plan_rounds_what_it_pays_its_own_way() {
    let cover = cover(day("2020-01-01"));
    for (way, to, expected) in [
        ("half_up", 10, 70),
        ("down", 10, 60),
        ("up", 10, 70),
        ("up", 1_000, 95),
        ("down", 100, 0),
    ] {
        let plan = plan(json!({
            "rounding": {"to": to, "way": way},
            "benefits": [{"id": "all", "title": "", "codes": [{"prefix": ""}], "rate": "0.3"}],
        }));
        let case = case(
            vec![terms(&plan, &cover)],
            vec![line(1, day("2024-05-17"), 95)],
        );
        // 66.5 of 95: never more than is billed.
        assert_eq!(
            paid(&Ledger::default().judge(&case)),
            [expected],
            "{way} {to}"
        );
    }
}
