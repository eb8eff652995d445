//! The clinical rules, each by what it must find, what it must not, and the edge between.

mod diagnoses;
mod drugs;
mod reading;
mod services;
mod terms;

use takmil_domain::clinical::{
    Bearer, Case, ClinicalRule, CodeKey, CodeRange, Diagnoses, Diagnosis, Drugs, Finding,
    ICD_10_PCS, Ingredient, Interactions, Line, Notes, Order, Organ, Past, RXNORM, Severity,
    Tables, Terms, check,
};
use takmil_domain::code::Code;
use takmil_domain::coverage::Person;
use takmil_domain::date::Date;
use takmil_domain::money::Quantity;
use takmil_domain::party::Sex;

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn today() -> Date {
    day("2026-06-01")
}

fn key(code: &str) -> CodeKey {
    CodeKey::parse(code).unwrap()
}

fn ranges(text: &str) -> Box<[CodeRange]> {
    let ranges = text.split_whitespace();
    ranges
        .map(|range| CodeRange::parse(range).unwrap())
        .collect()
}

const METFORMIN: u32 = 6_809;
const ASPIRIN: u32 = 1_191;
const WARFARIN: u32 = 11_289;
/// A product of metformin and aspirin, which nobody sells.
const BOTH: u32 = 900_001;
/// Metformin as it is sold.
const TABLET: u32 = 861_007;

/// Small tables, a few rows of each kind.
fn tables() -> Tables {
    let bearer = |ages, sex| Bearer { ages, sex };
    let notes = [
        ("E10", "E11 E13", "", false, ""),
        ("E11", "E10", "", false, ""),
        ("R73.0", "E08-E13", "", false, ""),
        ("F02", "", "G30 G20", true, ""),
        ("I43", "", "E85", false, ""),
        ("N41", "", "", false, "B95-B97"),
    ];
    let drugs = [
        (METFORMIN, vec![METFORMIN]),
        (TABLET, vec![METFORMIN]),
        (ASPIRIN, vec![ASPIRIN]),
        (WARFARIN, vec![WARFARIN]),
        (BOTH, vec![ASPIRIN, METFORMIN]),
    ];
    let names = [
        ("metformin", METFORMIN),
        ("aspirin", ASPIRIN),
        ("warfarin", WARFARIN),
    ];
    let own = Ingredient::RxNorm;
    let organ = |organ, restored: Option<&str>| Organ {
        organ: key(organ),
        restored: restored.map(key),
    };
    Tables {
        diagnoses: Diagnoses {
            since: Some(day("2026-04-01")),
            codes: [("E11", false), ("E11.9", true), ("I10", true)]
                .map(|(code, billable)| (key(code), billable))
                .into_iter()
                .collect(),
        },
        bearers: [
            ("O80", bearer(Some((12, 55)), Some(Sex::Female))),
            ("P07.1", bearer(Some((0, 0)), None)),
            ("C61", bearer(None, Some(Sex::Male))),
        ]
        .map(|(code, bearer)| (key(code), bearer))
        .into_iter()
        .collect(),
        notes: notes
            .map(
                |(code, excludes, code_first, never_first, use_additional)| {
                    let notes = Notes {
                        excludes: ranges(excludes),
                        code_first: ranges(code_first),
                        never_first,
                        use_additional: ranges(use_additional),
                    };
                    (key(code), notes)
                },
            )
            .into_iter()
            .collect(),
        units: [("A4253", 4), ("A0888", 0)]
            .map(|(code, most)| (key(code), most))
            .into_iter()
            .collect(),
        drugs: Drugs::new(
            drugs.map(|(drug, parts)| (drug, parts.into())),
            names.map(|(name, rxcui)| (name.into(), rxcui)),
        ),
        indications: [
            (METFORMIN, ranges("E11 E28")),
            (WARFARIN, ranges("I26 I48 I80-I82")),
        ]
        .into_iter()
        .collect(),
        interactions: Interactions::new([
            (own(WARFARIN), own(ASPIRIN), Severity::NotRecommended),
            (own(ASPIRIN), own(METFORMIN), Severity::Consider),
            (
                Ingredient::Named("domperidone".into()),
                own(WARFARIN),
                Severity::Contraindicated,
            ),
        ]),
        organs: [
            ("0DTJ0ZZ", organ("0DTJ", None)),
            ("0DTJ4ZZ", organ("0DTJ", None)),
            ("0TT00ZZ", organ("0TT0", Some("0TY0"))),
        ]
        .map(|(code, organ)| (key(code), organ))
        .into_iter()
        .collect(),
    }
}

fn case() -> Case<'static> {
    Case::default()
}

fn person(birth: &str, sex: Sex) -> Person {
    Person {
        birth_date: Date::parse(birth),
        sex: Some(sex),
    }
}

/// Diagnoses of the message, as the sender wrote them.
fn diagnosed<'a>(codes: &[&'a str]) -> Vec<Diagnosis<'a>> {
    let diagnosis = |code: &&'a str| Diagnosis {
        code,
        key: CodeKey::parse(code),
        own: true,
        day: today(),
        line: None,
    };
    codes.iter().map(diagnosis).collect()
}

fn service<'a>(seq: u32, system: &'a str, code: &'a str) -> Line<'a> {
    Line {
        seq,
        system,
        code,
        day: today(),
        days: 1,
        quantity: Quantity::ONE,
        days_supply: None,
        dose: None,
        ingredients: Vec::new(),
        order: Order::default(),
    }
}

/// A line with a drug of those ingredients.
fn drug<'a>(seq: u32, code: &'a str, ingredients: &[u32]) -> Line<'a> {
    Line {
        ingredients: ingredients
            .iter()
            .copied()
            .map(Ingredient::RxNorm)
            .collect(),
        ..service(seq, RXNORM, code)
    }
}

/// So many days' supply of a drug, so many days ago.
fn had(ago: u32, code: &str, ingredients: &[u32], days_supply: Option<u32>) -> Past {
    let day = (1..=28)
        .flat_map(|of| {
            [
                day(&format!("2026-05-{of:02}")),
                day(&format!("2026-06-{of:02}")),
            ]
        })
        .find(|day| today().days_since(*day) == i64::from(ago));
    Past {
        day: day.unwrap(),
        code: Code::new(RXNORM, code),
        ingredients: ingredients
            .iter()
            .copied()
            .map(Ingredient::RxNorm)
            .collect(),
        quantity: Quantity::ONE,
        days_supply,
    }
}

/// What one rule finds by the usual terms.
fn found(rule: ClinicalRule, case: &Case<'_>) -> Vec<Finding> {
    let mut all = check(case, &tables(), &Terms::default());
    all.retain(|finding| finding.rule == rule);
    all
}

fn codes(finding: &Finding) -> Vec<&str> {
    let codes = finding.evidence.iter();
    codes.map(|code| code.code.as_str()).collect()
}
