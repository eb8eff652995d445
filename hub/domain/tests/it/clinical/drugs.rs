//! Rules about drugs: together, for what, how much, how soon.

use takmil_domain::clinical::{Case, ClinicalRule, Dose, Level, Line, Order, Severity};
use takmil_domain::money::Quantity;

use super::{ASPIRIN, METFORMIN, WARFARIN, case, codes, day, diagnosed, drug, found, had, today};

#[test]
fn two_drugs_of_one_message_act_on_each_other() {
    let case = Case {
        lines: vec![
            drug(1, "11289", &[WARFARIN]),
            drug(2, "1191", &[ASPIRIN]),
            drug(3, "6809", &[METFORMIN]),
        ],
        ..case()
    };
    let findings = found(ClinicalRule::Interaction, &case);
    let told: Vec<_> = findings
        .iter()
        .map(|finding| {
            (
                finding.lines.as_slice(),
                codes(finding),
                finding.severity,
                finding.level,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                &[2, 3][..],
                vec!["1191", "6809"],
                Some(Severity::Consider),
                Level::Information
            ),
            (
                &[1, 2][..],
                vec!["1191", "11289"],
                Some(Severity::NotRecommended),
                Level::Warning
            ),
        ]
    );
}

#[test]
fn the_ingredients_of_one_product_are_meant_to_be_together() {
    let combined = || drug(1, "900001", &[ASPIRIN, METFORMIN]);
    let alone = Case {
        lines: vec![combined()],
        ..case()
    };
    assert_eq!(found(ClinicalRule::Interaction, &alone), []);
    let beside = Case {
        lines: vec![combined(), drug(2, "6809", &[METFORMIN])],
        ..case()
    };
    assert_eq!(
        found(ClinicalRule::Interaction, &beside).len(),
        1,
        "aspirin with the other line"
    );
}

#[test]
fn a_drug_acts_on_what_is_still_at_home() {
    let table = [
        (10, Some(11), 1, "the last day of the supply"),
        (10, Some(10), 0, "used up"),
        (0, Some(1), 1, "handed out today"),
        (10, None, 0, "nobody says how long it lasts"),
    ];
    for (ago, days_supply, count, why) in table {
        let past = [had(ago, "11289", &[WARFARIN], days_supply)];
        let case = Case {
            lines: vec![drug(1, "1191", &[ASPIRIN])],
            past: &past,
            ..case()
        };
        let findings = found(ClinicalRule::Interaction, &case);
        assert_eq!(findings.len(), count, "{why}");
        for finding in findings {
            assert_eq!(
                (codes(&finding), finding.past),
                (vec!["1191", "11289"], true)
            );
        }
    }
}

#[test]
fn a_drug_that_no_diagnosis_calls_for_is_told() {
    let table: [(&[&str], &[u32], usize, &str); 6] = [
        (&["I10"], &[METFORMIN], 1, "another disease"),
        (&["I10", "E11.9"], &[METFORMIN], 0, "one of the diagnoses"),
        (&["I81"], &[WARFARIN], 0, "within a range"),
        (&[], &[METFORMIN], 0, "no diagnosis is told"),
        (&["I10"], &[ASPIRIN], 0, "the table lacks the drug"),
        (&["I10"], &[ASPIRIN, METFORMIN], 0, "a combination"),
    ];
    for (stated, ingredients, count, why) in table {
        let case = Case {
            diagnoses: diagnosed(stated),
            lines: vec![drug(1, "x", ingredients)],
            ..case()
        };
        let findings = found(ClinicalRule::Indication, &case);
        assert_eq!(findings.len(), count, "{why}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.level == Level::Information)
        );
    }
}

#[test]
fn an_ingredient_twice_in_one_message_is_told_once() {
    let lines = || {
        vec![
            drug(1, "861007", &[METFORMIN]),
            drug(2, "900001", &[ASPIRIN, METFORMIN]),
            drug(3, "11289", &[WARFARIN]),
        ]
    };
    let twice = Case {
        lines: lines(),
        ..case()
    };
    let findings = found(ClinicalRule::Duplicate, &twice);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].lines, [1, 2]);
    assert_eq!(codes(&findings[0]), ["6809", "861007", "900001"]);

    let in_a_stay = Case {
        stays: true,
        lines: lines(),
        ..case()
    };
    assert_eq!(found(ClinicalRule::Duplicate, &in_a_stay), []);

    let mut parts = lines();
    parts.truncate(2);
    parts.iter_mut().for_each(|part| part.seq = 1);
    let of_one_line = Case {
        lines: parts,
        ..case()
    };
    assert_eq!(found(ClinicalRule::Duplicate, &of_one_line), []);
}

#[test]
fn an_ingredient_at_home_in_another_drug_is_a_duplicate_and_the_same_drug_a_refill() {
    let past = [had(5, "900001", &[ASPIRIN, METFORMIN], Some(30))];
    let check = |ingredients: &[u32], duplicates: usize, refills: usize| {
        let case = Case {
            lines: vec![drug(1, "x", ingredients)],
            past: &past,
            ..case()
        };
        assert_eq!(found(ClinicalRule::Duplicate, &case).len(), duplicates);
        assert_eq!(found(ClinicalRule::Refill, &case).len(), refills);
    };
    check(&[METFORMIN], 1, 0);
    check(&[ASPIRIN, METFORMIN], 0, 1);
    check(&[WARFARIN], 0, 0);
}

#[test]
fn a_refill_waits_until_three_quarters_are_used() {
    let table = [
        (20, Some(28), 1, "20 of 28 days"),
        (21, Some(28), 0, "21 of 28: three quarters to the day"),
        (0, Some(1), 1, "the same day"),
        (28, Some(28), 0, "used up"),
        (5, None, 0, "nobody says how long it lasts"),
    ];
    for (ago, days_supply, count, why) in table {
        // An older supply that would be used up does not speak for the later one.
        let past = [
            had(ago, "861007", &[METFORMIN], days_supply),
            had(30, "861007", &[METFORMIN], Some(30)),
        ];
        let case = Case {
            lines: vec![drug(1, "6809", &[METFORMIN])],
            past: &past,
            ..case()
        };
        let findings = found(ClinicalRule::Refill, &case);
        assert_eq!(findings.len(), count, "{why}");
        for finding in findings {
            assert_eq!(
                (codes(&finding), finding.past),
                (vec!["6809", "861007"], true)
            );
        }
        let in_a_stay = Case {
            stays: true,
            ..case
        };
        assert_eq!(found(ClinicalRule::Refill, &in_a_stay), []);
    }
}

#[test]
fn a_quantity_fits_the_dose_and_the_days() {
    let quantity = |text| Quantity::parse(text).unwrap();
    let dose = |amount, times, days| Dose {
        amount: quantity(amount),
        times,
        days,
    };
    let table = [
        ("60", Some(dose("1", 2, 1)), Some(30), 0, "just enough"),
        ("59", Some(dose("1", 2, 1)), Some(30), 1, "one too few"),
        ("120", Some(dose("1", 2, 1)), Some(30), 0, "twice as many"),
        ("121", Some(dose("1", 2, 1)), Some(30), 1, "more than twice"),
        ("4", Some(dose("1", 1, 7)), Some(28), 0, "once a week"),
        (
            "3",
            Some(dose("1", 1, 7)),
            Some(28),
            1,
            "once a week, one too few",
        ),
        (
            "10",
            Some(dose("0.5", 24, 8)),
            Some(7),
            1,
            "half of one every eight hours",
        ),
        (
            "10.5",
            Some(dose("0.5", 24, 8)),
            Some(7),
            0,
            "half of one every eight hours",
        ),
        ("1", None, Some(30), 0, "no dose"),
        ("1", Some(dose("1", 2, 1)), None, 0, "no days"),
    ];
    for (amount, dose, days_supply, count, why) in table {
        let line = Line {
            quantity: quantity(amount),
            dose,
            days_supply,
            ..drug(1, "6809", &[METFORMIN])
        };
        let case = Case {
            lines: vec![line],
            ..case()
        };
        assert_eq!(found(ClinicalRule::DaysSupply, &case).len(), count, "{why}");
    }
}

#[test]
fn a_prescription_is_valid_for_its_days() {
    let order = |authored: &str, from: &str, until: &str| Order {
        authored: (!authored.is_empty()).then(|| day(authored)),
        from: (!from.is_empty()).then(|| day(from)),
        until: (!until.is_empty()).then(|| day(until)),
    };
    let none = Order::default();
    let table = [
        (none, none, 0, "no date is known"),
        (order("2026-04-02", "", ""), none, 0, "sixty days"),
        (order("2026-04-01", "", ""), none, 1, "sixty-one"),
        (
            order("2026-06-02", "", ""),
            none,
            0,
            "of tomorrow, east of here",
        ),
        (
            order("2026-01-01", "", "2026-06-01"),
            none,
            0,
            "its own last day",
        ),
        (
            order("2026-05-30", "", "2026-05-31"),
            none,
            1,
            "past its own last day",
        ),
        (
            order("2026-05-30", "2026-06-02", ""),
            none,
            1,
            "before its own first day",
        ),
        (
            order("2026-01-01", "", ""),
            order("2026-05-01", "", ""),
            0,
            "the line's own date",
        ),
    ];
    assert_eq!(today(), day("2026-06-01"));
    for (order, own, count, why) in table {
        let line = Line {
            order: own,
            ..drug(1, "6809", &[METFORMIN])
        };
        let case = Case {
            order,
            lines: vec![line],
            ..case()
        };
        assert_eq!(
            found(ClinicalRule::Prescription, &case).len(),
            count,
            "{why}"
        );
    }
}
