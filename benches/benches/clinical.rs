//! The clinical rules: filling their tables, and a prescription of three drugs for a member with a past.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::hint::black_box;

use criterion::Criterion;
use takmil_domain::clinical::{
    Case, ClinicalRule, Ingredient, Interactions, Past, RXNORM, Severity, Terms, check,
};
use takmil_domain::code::Code;
use takmil_domain::coverage::Person;
use takmil_domain::date::Date;
use takmil_domain::message::Message;
use takmil_domain::money::Quantity;
use takmil_domain::party::Sex;
use takmil_mappings::{Lookup, Tables, clinical};

/// A man with diabetes and a diagnosis that he cannot have, and three drugs.
const PRESCRIPTION: &str = r#"{"kind": "prescription", "member": {}, "prescription": {
    "authored": "2026-11-21",
    "diagnoses": [
        {"coded": {"source": {"system": "icd-10-cm", "code": "E11.9"}}},
        {"coded": {"source": {"system": "icd-10-cm", "code": "O80"}}}],
    "lines": [
        {"seq": 1, "item": {"source": {"system": "rxnorm", "code": "861007"}}, "days_supply": {"value": 30}},
        {"seq": 2, "item": {"source": {"system": "rxnorm", "code": "1191"}}},
        {"seq": 3, "item": {"source": {"system": "rxnorm", "code": "11289"}}}]}}"#;

/// As many drugs in the table of interactions; a published thesaurus has some 4,500 pairs.
const DRUGS: u32 = 95;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let codes = Tables::shipped();
    codes.warm().expect("the shipped tables unpack");
    let mut group = criterion.benchmark_group("clinical");
    group.sample_size(10);
    group.bench_function("fill the tables", |bencher| {
        bencher.iter(|| clinical::tables(black_box(&codes)));
    });

    let mut tables = clinical::tables(&codes).expect("the shipped tables are whole");
    let listed = [1_191, 6_809, 11_289];
    let drugs = || {
        listed
            .into_iter()
            .chain(1..=DRUGS - 3)
            .map(Ingredient::RxNorm)
    };
    tables.interactions = Interactions::new(drugs().enumerate().flat_map(|(at, one)| {
        let others = drugs().skip(at + 1);
        others.map(move |other| (one.clone(), other, Severity::Consider))
    }));
    let today = Date::parse("2026-11-22").expect("it is a day");
    let mut message: Message = serde_json::from_str(PRESCRIPTION).expect("it is a message");
    message.visit_concepts(&mut |_, coded| {
        if let Lookup::Mapped(mapped) = codes.concept(coded) {
            (coded.common, coded.via) = (Some(mapped.common), Some(mapped.via));
        }
    });
    let person = Person {
        birth_date: Date::parse("1970-01-01"),
        sex: Some(Sex::Male),
    };
    let past: Vec<Past> = (1..=20)
        .map(|rxcui| Past {
            day: Date::parse("2026-11-01").expect("it is a day"),
            code: Code::new(RXNORM, rxcui.to_string()),
            ingredients: vec![Ingredient::RxNorm(rxcui)],
            quantity: Quantity::ONE,
            days_supply: Some(if rxcui % 4 == 0 { 30 } else { 7 }),
        })
        .collect();
    let terms = Terms::default();
    let judged = || {
        let case = Case {
            past: &past,
            ..Case::of(&message, &tables, person, today)
        };
        check(&case, &tables, &terms)
    };
    let sexes = judged();
    assert!(
        sexes
            .iter()
            .any(|finding| finding.rule == ClinicalRule::Sex),
        "{sexes:?}"
    );
    group.bench_function(
        "prescription of three drugs, twenty had before",
        |bencher| {
            bencher.iter(&judged);
        },
    );
    group.finish();
    criterion.final_summary();
}
