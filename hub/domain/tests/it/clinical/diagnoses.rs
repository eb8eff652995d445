//! Rules about diagnoses alone.

use takmil_domain::clinical::{Case, ClinicalRule, Level};
use takmil_domain::party::Sex;

use super::{case, codes, day, diagnosed, found, person};

#[test]
fn a_diagnosis_of_another_age_is_found() {
    let table = [
        ("O80", "2014-06-02", 1, "11 years old"),
        ("O80", "2014-06-01", 0, "12 on the day"),
        ("O80", "1970-06-02", 0, "55 to the day before the birthday"),
        ("O80", "1970-06-01", 1, "56"),
        ("P07.1", "2025-06-02", 0, "not one year old"),
        ("P07.1", "2025-06-01", 1, "one year old"),
        ("P07.10", "2000-01-01", 1, "below a category of the table"),
        ("I10", "2026-01-01", 0, "no row"),
        ("nonsense!", "2026-01-01", 0, "no code"),
    ];
    for (code, birth, count, why) in table {
        let case = Case {
            person: person(birth, Sex::Unknown),
            diagnoses: diagnosed(&[code]),
            ..case()
        };
        let findings = found(ClinicalRule::Age, &case);
        assert_eq!(findings.len(), count, "{why}");
        for finding in findings {
            assert_eq!(
                (finding.level, codes(&finding)),
                (Level::Warning, vec![code])
            );
        }
    }
    let unknown = Case {
        diagnoses: diagnosed(&["O80"]),
        ..case()
    };
    assert_eq!(found(ClinicalRule::Age, &unknown), [], "no birth date");
}

#[test]
fn a_diagnosis_of_the_other_sex_is_found() {
    let table = [
        ("O80", Sex::Male, 1),
        ("O80", Sex::Female, 0),
        ("C61", Sex::Female, 1),
        ("C61", Sex::Male, 0),
        ("C61", Sex::Other, 0),
        ("C61", Sex::Unknown, 0),
        ("P07.1", Sex::Male, 0),
        ("I10", Sex::Female, 0),
    ];
    for (code, sex, count) in table {
        let case = Case {
            person: person("1990-01-01", sex),
            diagnoses: diagnosed(&[code]),
            ..case()
        };
        assert_eq!(
            found(ClinicalRule::Sex, &case).len(),
            count,
            "{code} {sex:?}"
        );
    }
}

#[test]
fn the_reason_of_an_order_is_judged_and_names_its_line() {
    let mut diagnoses = diagnosed(&["C61"]);
    diagnoses
        .iter_mut()
        .for_each(|reason| reason.line = Some(4));
    let case = Case {
        person: person("1990-01-01", Sex::Female),
        diagnoses,
        ..case()
    };
    let findings = found(ClinicalRule::Sex, &case);
    assert_eq!(
        findings
            .iter()
            .map(|finding| &finding.lines[..])
            .collect::<Vec<_>>(),
        [[4]]
    );
}

#[test]
fn a_diagnosis_is_a_leaf_of_the_edition_in_force() {
    let table = [
        ("E11.9", "2026-06-01", true, 0, "a leaf"),
        ("e119", "2026-06-01", true, 0, "a leaf, spelled otherwise"),
        ("E11", "2026-06-01", true, 1, "a heading"),
        ("E99.9", "2026-06-01", true, 1, "no code"),
        ("E11,9", "2026-06-01", true, 1, "not even written as one"),
        ("E11", "2026-04-01", true, 1, "on the edition's first day"),
        ("E11", "2026-03-31", true, 0, "before the edition"),
        ("E11", "2026-06-01", false, 0, "a map led there"),
    ];
    for (code, on, own, count, why) in table {
        let mut diagnoses = diagnosed(&[code]);
        for diagnosis in &mut diagnoses {
            (diagnosis.day, diagnosis.own) = (day(on), own);
        }
        let case = Case {
            diagnoses,
            ..case()
        };
        assert_eq!(found(ClinicalRule::Diagnosis, &case).len(), count, "{why}");
    }
}

#[test]
fn diagnoses_that_exclude_each_other_are_found_once() {
    let table: [(&[&str], &[[&str; 2]]); 6] = [
        (&["E10.9", "E11.9"], &[["E10.9", "E11.9"]]),
        (&["E11.9", "I10"], &[]),
        (&["E11.9", "E11.65"], &[]),
        (&["E11.9", "R73.09"], &[["R73.09", "E11.9"]]),
        (&["E14", "R73.09", "R73"], &[]),
        (&["E10.9", "E10.9", "E13.1"], &[["E10.9", "E13.1"]]),
    ];
    for (stated, wanted) in table {
        let case = Case {
            diagnoses: diagnosed(stated),
            ..case()
        };
        let findings = found(ClinicalRule::Excludes, &case);
        let pairs: Vec<Vec<&str>> = findings.iter().map(codes).collect();
        assert_eq!(pairs, wanted, "{stated:?}");
    }
}

#[test]
fn a_diagnosis_stands_after_its_cause() {
    type Row<'a> = (&'a [&'a str], &'a [&'a [&'a str]], &'a str);
    let table: [Row<'_>; 7] = [
        (&["G30.9", "F02.80"], &[], "the cause first"),
        (
            &["F02.80", "G30.9"],
            &[&["F02.80", "G30.9"]],
            "the cause after it",
        ),
        (&["F02.80"], &[&["F02.80"]], "first, and may not be"),
        (
            &["I10", "F02.80"],
            &[],
            "the cause may be one that the note does not name",
        ),
        (
            &["I10", "F02.80", "G20.C"],
            &[&["F02.80", "G20.C"]],
            "in the middle",
        ),
        (&["I43"], &[], "a cause only if there is one"),
        (&["I43", "E85.4"], &[&["I43", "E85.4"]], "then before it"),
    ];
    for (stated, wanted, why) in table {
        let case = Case {
            diagnoses: diagnosed(stated),
            ..case()
        };
        let findings = found(ClinicalRule::CodeFirst, &case);
        let evidence: Vec<Vec<&str>> = findings.iter().map(codes).collect();
        assert_eq!(evidence, wanted, "{why}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.level == Level::Information)
        );
    }
}

#[test]
fn an_additional_code_is_asked_for() {
    let table: [(&[&str], usize); 4] = [
        (&["N41.0"], 1),
        (&["N41.0", "I10"], 1),
        (&["B96.20", "N41.0"], 0),
        (&["I10"], 0),
    ];
    for (stated, count) in table {
        let case = Case {
            diagnoses: diagnosed(stated),
            ..case()
        };
        assert_eq!(
            found(ClinicalRule::UseAdditional, &case).len(),
            count,
            "{stated:?}"
        );
    }
}
