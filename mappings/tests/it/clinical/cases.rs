//! A few real codes for each rule whose table is shipped, so that a wrong reading of a source shows.

use takmil_domain::clinical::{
    Case, ClinicalRule, CodeKey, Diagnosis, ICD_10_PCS, Ingredient, Line, Order, Past, Procedure,
    RXNORM, Terms, check,
};
use takmil_domain::code::Code;
use takmil_domain::date::Date;
use takmil_domain::money::Quantity;
use takmil_mappings::Tables;
use takmil_mappings::clinical::tables;

fn today() -> Date {
    Date::parse("2026-06-01").unwrap()
}

fn diagnosed<'a>(codes: &[&'a str]) -> Case<'a> {
    let diagnosis = |code: &&'a str| Diagnosis {
        code,
        key: CodeKey::parse(code),
        own: true,
        day: today(),
        line: None,
    };
    Case {
        diagnoses: codes.iter().map(diagnosis).collect(),
        ..Case::default()
    }
}

#[test]
fn diagnoses_are_judged_as_the_classification_says() {
    let tables = tables(&Tables::shipped()).unwrap();
    use ClinicalRule::{CodeFirst, Diagnosis, Excludes, UseAdditional};
    let table: [(&[&str], &[ClinicalRule], &str); 13] = [
        (&["I10"], &[], "a diagnosis alone"),
        (
            &["E11.9", "I10"],
            &[],
            "two that have nothing against each other",
        ),
        (&["E11"], &[Diagnosis], "a heading"),
        (&["S06.0X1"], &[Diagnosis], "without its seventh character"),
        (&["S06.0X1A"], &[], "with it"),
        (&["Q99.99"], &[Diagnosis], "no code"),
        (&["E10.9", "E11.9"], &[Excludes], "diabetes of two types"),
        (
            &["E11.9", "R73.9"],
            &[Excludes],
            "hyperglycaemia beside diabetes",
        ),
        (
            &["I10", "O10.011"],
            &[Excludes],
            "hypertension beside that of pregnancy",
        ),
        (&["F02.80"], &[CodeFirst], "dementia before its cause"),
        (&["G30.9", "F02.80"], &[], "Alzheimer's disease first"),
        (&["N41.0"], &[UseAdditional], "prostatitis without its germ"),
        (&["N41.0", "B96.20"], &[], "with it"),
    ];
    for (codes, wanted, why) in table {
        let findings = check(&diagnosed(codes), &tables, &Terms::default());
        let rules: Vec<ClinicalRule> = findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, wanted, "{why}");
    }
}

#[test]
fn drugs_are_held_against_what_they_are_given_for() {
    let tables = tables(&Tables::shipped()).unwrap();
    let judge = |rxcui: u32, code: &str, fits: bool| {
        let line = Line {
            seq: 1,
            system: RXNORM,
            code: "",
            day: today(),
            days: 1,
            quantity: Quantity::ONE,
            days_supply: None,
            dose: None,
            ingredients: vec![Ingredient::RxNorm(rxcui)],
            order: Order::default(),
        };
        let case = Case {
            lines: vec![line],
            ..diagnosed(&[code])
        };
        let findings = check(&case, &tables, &Terms::default());
        let is_it = |rule| findings.iter().any(|finding| finding.rule == rule);
        assert_eq!(is_it(ClinicalRule::Indication), !fits, "{rxcui} for {code}");
    };
    let (metformin, donepezil, sumatriptan) = (6_809, 135_447, 37_418);
    judge(metformin, "E11.9", true);
    judge(metformin, "J45.909", false);
    judge(donepezil, "G30.9", true);
    judge(donepezil, "I10", false);
    judge(sumatriptan, "G43.909", true);
    judge(sumatriptan, "E11.9", false);
}

#[test]
fn an_appendix_is_removed_once() {
    let tables = tables(&Tables::shipped()).unwrap();
    let past = |code| {
        [Past {
            day: Date::parse("2001-01-01").unwrap(),
            code: Code::new(ICD_10_PCS, code),
            ingredients: Vec::new(),
            quantity: Quantity::ONE,
            days_supply: None,
        }]
    };
    let rules = |code, past: &[Past]| -> Vec<ClinicalRule> {
        let case = Case {
            procedures: vec![Procedure {
                system: ICD_10_PCS,
                code,
                day: today(),
            }],
            past,
            ..Case::default()
        };
        let findings = check(&case, &tables, &Terms::default());
        findings.iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules("0DTJ0ZZ", &past("0DTJ4ZZ")), [ClinicalRule::Once]);
    assert_eq!(rules("0DTJ0ZZ", &past("0FT44ZZ")), [], "a gallbladder");
    assert_eq!(rules("0DBJ0ZX", &past("0DBJ0ZX")), [], "a part of it");
}
