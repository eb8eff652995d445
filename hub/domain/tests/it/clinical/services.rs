//! Rules about services: how many in a day, and what can be done once.

use takmil_domain::clinical::{Case, ClinicalRule, HCPCS, Line, Past, Procedure, Terms, check};
use takmil_domain::code::Code;
use takmil_domain::money::Quantity;

use super::{ICD_10_PCS, case, codes, day, found, service, tables, today};

#[test]
fn units_of_a_day_are_added_up() {
    let quantity = |text| Quantity::parse(text).unwrap();
    let line = |seq, code, units| Line {
        quantity: quantity(units),
        ..service(seq, HCPCS, code)
    };
    let spans = |days, units| Line {
        days,
        ..line(1, "A4253", units)
    };
    let other_day = Line {
        day: day("2026-06-02"),
        ..line(2, "A4253", "4")
    };
    let elsewhere = service(1, "urn:other", "A0888");
    type Row<'a> = (Vec<Line<'a>>, &'a [&'a [u32]], &'a str);
    let table: [Row<'_>; 9] = [
        (vec![line(1, "A4253", "4")], &[], "the most"),
        (vec![line(1, "A4253", "4.5")], &[&[1]], "half of one more"),
        (
            vec![line(1, "A4253", "2"), line(2, "A4253", "3")],
            &[&[1, 2]],
            "on two lines",
        ),
        (vec![line(1, "A4253", "4"), other_day], &[], "on two days"),
        (vec![spans(30, "120")], &[], "four a day"),
        (vec![spans(30, "121")], &[&[1]], "one more in thirty days"),
        (vec![line(1, "A0888", "1")], &[&[1]], "none is likely"),
        (vec![line(1, "A9999", "1000")], &[], "no row"),
        (vec![elsewhere], &[], "a code of another system"),
    ];
    for (lines, wanted, why) in table {
        let case = Case { lines, ..case() };
        let findings = found(ClinicalRule::Units, &case);
        let lines: Vec<&[u32]> = findings.iter().map(|finding| &finding.lines[..]).collect();
        assert_eq!(lines, wanted, "{why}");
    }
}

fn done(on: &str, code: &str) -> Past {
    Past {
        day: day(on),
        code: Code::new(ICD_10_PCS, code),
        ingredients: Vec::new(),
        quantity: Quantity::ONE,
        days_supply: None,
    }
}

#[test]
fn an_organ_is_removed_once() {
    let table: [(&str, &[Past], usize, &str); 7] = [
        ("0DTJ0ZZ", &[], 0, "the first time"),
        (
            "0DTJ0ZZ",
            &[done("2010-01-01", "0DTJ4ZZ")],
            1,
            "in another way",
        ),
        (
            "0DTJ0ZZ",
            &[done("2026-06-01", "0DTJ0ZZ")],
            0,
            "told by another provider of the day",
        ),
        ("0DTJ0ZZ", &[done("2026-06-02", "0DTJ0ZZ")], 0, "done later"),
        (
            "0DTJ0ZZ",
            &[done("2010-01-01", "0TT00ZZ")],
            0,
            "another organ",
        ),
        ("0TT00ZZ", &[done("2010-01-01", "0TT00ZZ")], 1, "a kidney"),
        (
            "0TT00ZZ",
            &[done("2010-01-01", "0TT00ZZ"), done("2015-01-01", "0TY00Z0")],
            0,
            "the transplanted one",
        ),
    ];
    for (code, past, count, why) in table {
        let procedure = Procedure {
            system: ICD_10_PCS,
            code,
            day: today(),
        };
        let case = Case {
            procedures: vec![procedure, procedure],
            past,
            ..case()
        };
        let findings = found(ClinicalRule::Once, &case);
        assert_eq!(findings.len(), count, "{why}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.past && finding.lines.is_empty())
        );
    }
}

#[test]
fn a_contract_names_what_can_be_had_once() {
    let terms = Terms {
        once: vec![Code::new("urn:list", "300250")],
        ..Terms::default()
    };
    let past = [Past {
        code: Code::new("urn:list", "300250"),
        ..done("2020-01-01", "")
    }];
    let lines = vec![
        service(1, "urn:list", "300250"),
        service(2, "urn:other", "300250"),
    ];
    let case = Case {
        lines,
        past: &past,
        ..case()
    };
    assert_eq!(found(ClinicalRule::Once, &case), [], "no contract names it");
    let findings = check(&case, &tables(), &terms);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].lines.as_slice(), codes(&findings[0])),
        (&[1][..], vec!["300250"; 2])
    );
    let kept = |system, code| {
        let past = Past {
            code: Code::new(system, code),
            ..past[0].clone()
        };
        past.kept_until(&tables(), &[&terms])
    };
    assert!(kept("urn:list", "300250") > Some(day("2150-01-01")));
    assert!(kept(ICD_10_PCS, "0DTJ0ZZ") > Some(day("2150-01-01")));
    assert_eq!(kept("urn:other", "300250"), None);
    assert_eq!(kept(ICD_10_PCS, "0DBJ0ZZ"), None);
}

#[test]
fn one_bill_with_the_same_removal_on_two_days_is_found() {
    let on = |seq, on: &str| Line {
        day: day(on),
        ..service(seq, ICD_10_PCS, "0DTJ0ZZ")
    };
    let case = Case {
        lines: vec![
            on(1, "2026-06-01"),
            on(2, "2026-06-03"),
            on(3, "2026-06-03"),
        ],
        ..case()
    };
    let findings = found(ClinicalRule::Once, &case);
    assert_eq!(
        findings.len(),
        1,
        "the second of one day is that of another party"
    );
    assert_eq!(
        (findings[0].lines.as_slice(), findings[0].past),
        (&[2][..], false)
    );
}
