//! That nothing is left untold: every reason in every language, with the same figures, counted as the language
//! counts; and that the parts of what the member pays come to what the member pays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use super::parts;
use super::words::{Words, count, resource};
use super::*;
use fluent_bundle::{FluentArgs, FluentResource};
use fluent_syntax::ast::{self, Entry, Expression, InlineExpression, PatternElement, VariantKey};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use takmil_domain::decision::LineShare;

/// What a trace entry's sentence may tell.
const FIGURES: &[&str] = &[
    "insurer",
    "said_by",
    "before",
    "after",
    "change",
    "price",
    "quantity",
    "reference_price",
    "authorised",
    "rate",
    "penalty_rate",
    "ranks",
    "of",
    "base",
    "cost_share",
    "how",
    "left",
    "paid_before",
    "open",
    "asked",
    "covered",
    "package",
    "least",
    "to",
    "limit",
    "benefit",
    "months",
    "start",
    "opens",
    "ages",
    "age_min",
    "age_max",
    "on",
    "one",
    "worth",
];

/// Of the figures, those that are counted.
const COUNTED: &[&str] = &[
    "quantity", "asked", "covered", "package", "months", "age_min", "age_max", "ceiling", "number",
    "day", "month", "count",
];

/// A text: what it puts in, and how it counts (the forms of each choice).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Text {
    variables: BTreeSet<String>,
    choices: Vec<BTreeSet<String>>,
}

fn read(pattern: &ast::Pattern<&str>, text: &mut Text) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            placed(expression, text);
        }
    }
}

fn placed(expression: &Expression<&str>, text: &mut Text) {
    let mut put = |inline: &InlineExpression<&str>| {
        if let InlineExpression::VariableReference { id } = inline {
            text.variables.insert(id.name.to_owned());
        }
    };
    match expression {
        Expression::Inline(inline) => put(inline),
        Expression::Select { selector, variants } => {
            put(selector);
            // A choice that names numbers does not count.
            let named = variants.iter().map(|variant| match variant.key {
                VariantKey::Identifier { name } => Some(name.to_owned()),
                VariantKey::NumberLiteral { .. } => None,
            });
            text.choices
                .extend(named.collect::<Option<BTreeSet<String>>>());
            for variant in variants {
                read(&variant.value, text);
            }
        }
    }
}

/// Every text of a language by its name, `CODE` or `CODE.attribute`; none stands twice.
fn texts(language: Language) -> BTreeMap<String, Text> {
    let mut texts = BTreeMap::new();
    let mut keep = |name: String, pattern: &ast::Pattern<&str>| {
        let mut text = Text::default();
        read(pattern, &mut text);
        assert!(
            texts.insert(name.clone(), text).is_none(),
            "{}: {name} stands twice",
            language.as_str()
        );
    };
    for entry in resource(language).entries() {
        if let Entry::Message(message) = entry {
            let name = message.id.name;
            if let Some(value) = &message.value {
                keep(name.to_owned(), value);
            }
            for attribute in &message.attributes {
                keep(format!("{name}.{}", attribute.id.name), &attribute.value);
            }
        }
    }
    texts
}

#[test]
fn every_reason_has_a_text_in_every_language() {
    let mut missing = Vec::new();
    for language in Language::ALL {
        let texts = texts(*language);
        let reasons = Reason::ALL.iter().map(|own| (own.code(), own.meaning()));
        let rules = ClinicalRule::ALL.iter();
        let rules = rules.map(|own| (own.code(), own.meaning()));
        for (code, meaning) in reasons.chain(rules) {
            if !texts.contains_key(code) {
                let language = language.as_str();
                missing.push(format!("words/{language}/explain.ftl: {code} ({meaning})"));
            }
        }
    }
    assert!(missing.is_empty(), "no text for {missing:#?}");
}

#[test]
fn every_reason_that_refuses_says_what_the_member_then_pays_for() {
    let texts = texts(Language::En);
    let about_messages = ["MSG-NOT-FOUND", "MSG-FINAL"];
    for reason in Reason::ALL.iter().filter(|reason| reason.refuses()) {
        let told = texts.contains_key(&format!("{}.part", reason.code()));
        assert!(
            told || about_messages.contains(&reason.code()),
            "{} has no part",
            reason.code()
        );
    }
}

#[test]
fn all_languages_have_the_same_texts_with_the_same_figures() {
    let english = texts(Language::En);
    let mut faults = Vec::new();
    for language in Language::ALL {
        let own = texts(*language);
        let names: BTreeSet<&String> = english.keys().chain(own.keys()).collect();
        for name in names {
            let variables =
                |texts: &BTreeMap<String, Text>| texts.get(name).map(|text| text.variables.clone());
            if variables(&english) != variables(&own) {
                faults.push(format!(
                    "{} {name}: {:?}, in English {:?}",
                    language.as_str(),
                    variables(&own),
                    variables(&english)
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_reason_tells_only_what_is_always_known_or_what_a_step_can_tell() {
    for (name, text) in texts(Language::En) {
        let code = name.split('.').next().unwrap_or_default();
        if ClinicalRule::parse(code).is_some() {
            assert!(text.variables.is_empty(), "{name} tells figures");
            continue;
        }
        if Reason::parse(code).is_none() {
            assert!(
                !code.contains(char::is_uppercase) || code.starts_with("money-"),
                "{name} is no reason"
            );
            continue;
        }
        let allowed: BTreeSet<String> = match name.split_once('.').map(|(_, part)| part) {
            None => BTreeSet::from(["insurer".to_owned()]),
            Some("told") => FIGURES.iter().map(ToString::to_string).collect(),
            Some("part") => BTreeSet::new(),
            Some(other) => panic!("{name}: nothing reads {other}"),
        };
        let unknown: Vec<&String> = text.variables.difference(&allowed).collect();
        assert!(unknown.is_empty(), "{name} tells {unknown:?}");
    }
}

/// The forms in which a language counts.
fn forms(language: Language) -> &'static [&'static str] {
    match language {
        Language::Fa => &["other"],
        Language::Ar => &["zero", "one", "two", "few", "many", "other"],
        Language::Pt | Language::Fr | Language::En => &["one", "other"],
    }
}

#[test]
fn what_is_counted_is_counted_in_every_form_of_the_language() {
    let all: BTreeSet<&str> = forms(Language::Ar).iter().copied().collect();
    for language in Language::ALL {
        let expected: BTreeSet<String> = forms(*language).iter().map(ToString::to_string).collect();
        let mut counted = 0;
        for (name, text) in texts(*language) {
            // Names of currencies follow numbers in one form where the language writes bills so.
            let by_number = text.choices.iter().filter(|choice| {
                !name.starts_with("money") && choice.iter().all(|form| all.contains(form.as_str()))
            });
            for choice in by_number {
                counted += 1;
                assert_eq!(*choice, expected, "{} {name}", language.as_str());
            }
        }
        assert!(counted >= 6, "{} counts {counted} times", language.as_str());
    }
}

#[test]
fn every_text_can_be_told_and_keeps_what_is_put_in_apart() {
    let numbers = ["0", "1", "2", "3", "11", "100", "1.5"];
    let choices = [
        ("whole", "between"),
        ("own", "from"),
        ("rest", "to"),
        ("offset", "to"),
        ("waive", "to"),
        ("additive", "to"),
    ];
    for language in Language::ALL {
        let words = Words::of(*language);
        for name in texts(*language).keys() {
            for number in numbers {
                for (how, ages) in choices {
                    let mut args = FluentArgs::new();
                    for figure in FIGURES.iter().chain(&[
                        "amount", "billed", "payers", "last", "until", "part", "parts", "currency",
                        "year",
                    ]) {
                        args.set(*figure, "Figure");
                    }
                    for figure in COUNTED {
                        args.set(*figure, count(number));
                    }
                    if name.starts_with("left-") {
                        args.set("after", count(number));
                    }
                    args.set("how", how);
                    args.set("ages", ages);
                    let told = match name.split_once('.') {
                        None => words.say(name, &args),
                        Some((id, attribute)) => {
                            words.say_if(id, attribute, &args).unwrap_or_else(|| {
                                panic!("{} {name} lacks a figure", language.as_str())
                            })
                        }
                    };
                    let marks = |mark: char| told.chars().filter(|own| *own == mark).count();
                    assert_eq!(marks('\u{2068}'), marks('\u{2069}'), "{told}");
                    assert!(
                        !told.contains(['{', '}', '$']),
                        "{} {name}: {told}",
                        language.as_str()
                    );
                    assert!(
                        told.trim() == told || ["comma", "then"].contains(&name.as_str()),
                        "{} {name}: {told:?}",
                        language.as_str()
                    );
                    assert_ne!(told, *name);
                }
            }
        }
    }
}

#[test]
fn the_files_are_read_whole() {
    for language in Language::ALL {
        let source = resource(*language).source().to_owned();
        let faults = FluentResource::try_new(source)
            .err()
            .map(|(_, faults)| faults);
        assert!(faults.is_none(), "{}: {faults:?}", language.as_str());
        let junk = resource(*language)
            .entries()
            .filter(|entry| matches!(entry, Entry::Junk { .. }));
        assert_eq!(junk.count(), 0);
    }
}

#[test]
fn days_amounts_and_rates_are_told_as_their_readers_write_them() {
    let day = takmil_domain::date::Date::parse("2024-12-05").unwrap();
    let currency = |code: &str| takmil_domain::money::Currency::parse(code).unwrap();
    let plain = |text: String| text.replace(['\u{2068}', '\u{2069}'], "");
    let rate = |text: &str| takmil_domain::money::Rate::parse(text).unwrap();
    for (language, date, rials, meticais, fifth) in [
        (
            Language::Fa,
            "۱۵ آذر ۱۴۰۳",
            "۱٬۲۰۰ ریال",
            "۱۲٫۰۰ متیکال موزامبیک",
            "۱۲٫۵٪",
        ),
        (
            Language::Ar,
            "٥ ديسمبر ٢٠٢٤",
            "١٬٢٠٠ ريال إيراني",
            "١٢٫٠٠ متيكال موزمبيقي",
            "١٢٫٥٪",
        ),
        (
            Language::Pt,
            "5 de Dezembro de 2024",
            "1200 riais iranianos",
            "12,00 meticais",
            "12,5%",
        ),
        (
            Language::Fr,
            "5 décembre 2024",
            "1\u{202f}200 rials iraniens",
            "12,00 meticais",
            "12,5\u{a0}%",
        ),
        (
            Language::En,
            "5 December 2024",
            "1,200 rials",
            "12.00 meticais",
            "12.5%",
        ),
    ] {
        let words = Words::of(language);
        let amount = |sum| Amount::new(sum).unwrap();
        assert_eq!(plain(words.date(day)), date);
        assert_eq!(plain(words.money(amount(1_200), currency("IRR"), 0)), rials);
        assert_eq!(
            plain(words.money(amount(1_200), currency("MZN"), 2)),
            meticais
        );
        assert_eq!(plain(words.rate(rate("12.5%"))), fifth);
    }
    let words = Words::of(Language::En);
    assert_eq!(
        plain(words.money(Amount::new(1).unwrap(), currency("IRR"), 0)),
        "1 rial"
    );
    assert_eq!(
        plain(words.money(Amount::new(100).unwrap(), currency("AED"), 2)),
        "1.00 AED"
    );
    assert_eq!(words.rate(rate("1/3")), "1/3");
}

/// A line of 100 with one insurer or more, by its trace.
fn line(base: i64, written_off: i64, member: i64, paid: &[(&str, i64)], trace: Value) -> LineShare {
    let supplementary: Vec<Value> = paid
        .iter()
        .map(|(insurer, amount)| json!({"insurer": insurer, "amount": amount, "allowed": amount}))
        .collect();
    serde_json::from_value(json!({
        "seq": 1, "billed": 100, "allowed": 100, "base": base, "supplementary": supplementary,
        "written_off": written_off, "member": member, "trace": trace,
    }))
    .unwrap()
}

#[test]
fn the_parts_come_to_what_the_member_pays_and_name_what_it_is_for() {
    let entry = |step: u8, insurer: &str, reason: &str, before: i64, after: i64| json!({"step": step, "insurer": insurer, "reason": reason, "before": before, "after": after});
    let cases = [
        (
            "above the tariff, the own share, above the ceiling",
            line(
                0,
                0,
                50,
                &[("a", 50)],
                json!([
                    entry(8, "a", "PRICE-TARIFF", 100, 80),
                    entry(10, "a", "SHARE-RATE", 0, 8),
                    entry(11, "a", "SHARE-PAID", 80, 72),
                    entry(13, "a", "LIMIT-REACHED", 72, 50),
                ]),
            ),
            vec![
                ("PRICE-TARIFF", 20),
                ("SHARE-RATE", 8),
                ("LIMIT-REACHED", 22),
            ],
        ),
        (
            "the base insurer pays the own share off first",
            line(
                30,
                0,
                20,
                &[("a", 50)],
                json!([
                    entry(10, "a", "SHARE-RATE", 0, 10),
                    entry(11, "a", "SHARE-PAID", 100, 70),
                    entry(13, "a", "LIMIT-REACHED", 70, 50),
                ]),
            ),
            vec![("LIMIT-REACHED", 20)],
        ),
        (
            "what the provider waives is nobody's part",
            line(
                0,
                20,
                8,
                &[("a", 72)],
                json!([
                    entry(8, "a", "PRICE-CONTRACT", 100, 80),
                    entry(10, "a", "SHARE-RATE", 0, 8),
                    entry(11, "a", "SHARE-PAID", 80, 72),
                ]),
            ),
            vec![("SHARE-RATE", 8)],
        ),
        (
            "of two insurers the more generous one's own share is left",
            line(
                18,
                0,
                12,
                &[("a", 50), ("b", 20)],
                json!([
                    entry(10, "a", "SHARE-RATE", 0, 20),
                    entry(11, "a", "SHARE-PAID", 100, 80),
                    entry(13, "a", "LIMIT-REACHED", 80, 50),
                    entry(10, "b", "SHARE-RATE", 0, 30),
                    entry(11, "b", "SHARE-PAID", 100, 70),
                    entry(14, "b", "COB-REDUCED", 70, 20),
                ]),
            ),
            vec![("SHARE-RATE", 12)],
        ),
    ];
    for (name, line, expected) in cases {
        let parts = parts::of_line(&line);
        let told: Vec<(&str, i64)> = parts
            .iter()
            .map(|part| (part.reason.map_or("", Reason::code), part.amount.get()))
            .collect();
        assert_eq!(told, expected, "{name}");
    }
    let refused = json!({"insurer": "a", "amount": 0, "allowed": 0, "refused": "BEN-WAITING"});
    let mut uncovered = line(40, 0, 60, &[], json!([]));
    uncovered.supplementary = vec![serde_json::from_value(refused).unwrap()];
    let parts = parts::of_line(&uncovered);
    assert_eq!(
        parts.first().and_then(|part| part.reason),
        Some(Reason::Waiting)
    );
    assert!(parts::of_line(&line(100, 0, 0, &[], json!([]))).is_empty());
}
