//! The rules of a whole message, each with an input that breaks it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use serde_json::{Value, json};

/// The problems of a message that is all right but for `changes`, as code and pointer.
fn told(kind: &str, body: Value, head: Value) -> Vec<(ProblemCode, String)> {
    let mut message = json!({"kind": kind, "currency": "IRR", "occurred_on": "2026-11-20"});
    message[kind] = body;
    for (key, value) in head.as_object().unwrap() {
        message[key] = value.clone();
    }
    let message: Message = serde_json::from_value(message).unwrap();
    let problems = check(&message, Date::parse("2026-11-21").unwrap());
    problems
        .into_iter()
        .map(|problem| (problem.code, problem.pointer))
        .collect()
}

fn of_claim(bill: Value, head: Value) -> Vec<(ProblemCode, String)> {
    told("claim", json!({ "bill": bill }), head)
}

fn line(part: Value) -> Value {
    let mut line = json!({"seq": 1, "item": {"text": "visit"}});
    for (key, value) in part.as_object().unwrap() {
        line[key] = value.clone();
    }
    line
}

#[test]
fn a_line_is_told_what_is_wrong_with_it() {
    use ProblemCode::*;
    let check = |part: Value, code, pointer: &str| {
        let found = of_claim(json!({"lines": [line(part)]}), json!({}));
        let expected = vec![(code, format!("/claim/bill/lines/0{pointer}"))];
        assert_eq!(found, expected);
    };
    let reversed = json!({"start": "2026-11-20", "end": "2026-11-19"});
    check(json!({"serviced": reversed}), DateOrder, "/serviced/end");
    let ahead = json!({"start": "2027-11-23"});
    check(json!({"serviced": ahead}), BadDate, "/serviced/start");
    let persian = json!({"start": "1405-08-30"});
    check(json!({"serviced": persian}), BadDate, "/serviced/start");
    check(json!({"billed": -1}), Negative, "/billed");
    check(json!({"base": {"paid": -1}}), Negative, "/base/paid");
    let absurd = json!({"quantity": 1_000_000, "unit_price": 900_000_000_000_i64});
    check(absurd, OutOfRange, "");
    check(json!({"diagnoses": [1]}), DanglingReference, "/diagnoses/0");
    check(
        json!({"practitioners": [1]}),
        DanglingReference,
        "/practitioners/0",
    );
    check(
        json!({"procedures": [1]}),
        DanglingReference,
        "/procedures/0",
    );
    check(
        json!({"supporting": [1]}),
        DanglingReference,
        "/supporting/0",
    );
    let inner = json!({"details": [line(json!({"diagnoses": [7]}))]});
    check(inner, DanglingReference, "/details/0/diagnoses/0");
    let code = json!({"item": {"source": {"code": "A\u{7}"}}});
    check(code, ControlCharacter, "/item/source/code");
    check(
        json!({"item": {"text": "\u{0}"}}),
        ControlCharacter,
        "/item/text",
    );
    let shown = json!({"authorisation": "A\u{1b}"});
    check(shown, ControlCharacter, "/authorisation");
}

#[test]
fn a_line_that_names_parts_of_its_bill_is_sound() {
    let bill = json!({
        "diagnoses": [{"seq": 1, "coded": {"text": "asthma"}}],
        "care_team": [{"seq": 4}],
        "procedures": [{"seq": 9, "coded": {"text": "x-ray"}}],
        "lines": [line(json!({
            "details": [line(json!({})), line(json!({}))],
            "diagnoses": [1], "practitioners": [4], "procedures": [9], "supporting": [2],
            "item": {"text": "line one\nline two"}, "billed": 5,
        }))],
    });
    assert_eq!(of_claim(bill, json!({"supporting": [{"seq": 2}]})), []);
}

#[test]
fn no_bill_comes_to_more_than_any_real_amount() {
    let bill = |second: i64| {
        let first = line(json!({"billed": 899_999_999_999_999_i64}));
        json!({"lines": [first, line(json!({"seq": 2, "billed": second}))]})
    };
    assert_eq!(of_claim(bill(1), json!({})), []);
    let place = "/claim/bill/lines".to_owned();
    let told = vec![(ProblemCode::OutOfRange, place)];
    assert_eq!(of_claim(bill(2), json!({})), told);
}

#[test]
fn the_message_is_looked_at_as_a_whole() {
    use ProblemCode::*;
    let check = |head: Value, code, pointer: &str| {
        let bill = json!({"lines": [line(json!({"billed": 5}))]});
        assert_eq!(of_claim(bill, head), vec![(code, pointer.to_owned())]);
    };
    check(json!({"currency": null}), UnknownCurrency, "/currency");
    let member = json!({"member": {"birth_date": "2026-11-21"}});
    check(member, DateOrder, "/occurred_on");
    let member = json!({"member": {"birth_date": "1365-02"}});
    check(member, BadDate, "/member/birth_date");
    let id = json!({"system": IR_NATIONAL_ID, "value": "0012345678"});
    let member = json!({"member": {"identifiers": [id]}});
    check(member, BadIdentifier, "/member/identifiers/0/value");
    let twice = json!({"supporting": [{"seq": 1}, {"seq": 1}]});
    check(twice, DuplicateLine, "/supporting/1/seq");
    let period = json!({"start": "2026-02", "end": "2025"});
    assert_eq!(
        of_claim(
            json!({"lines": []}),
            json!({"coverages": [{"period": period}]})
        ),
        []
    );
}

#[test]
fn orders_and_dispensings_number_their_lines() {
    use ProblemCode::*;
    let order = json!({"lines": [{"seq": 1, "item": {}}, {"seq": 1, "item": {}}]});
    let expected = vec![(DuplicateLine, "/prescription/lines/1/seq".to_owned())];
    assert_eq!(told("prescription", order, json!({})), expected);
    let given =
        json!({"lines": [{"line": line(json!({}))}, {"line": line(json!({"diagnoses": [1]}))}]});
    let expected = vec![
        (DuplicateLine, "/dispense/lines/1/line/seq".to_owned()),
        (
            DanglingReference,
            "/dispense/lines/1/line/diagnoses/0".to_owned(),
        ),
    ];
    assert_eq!(told("dispense", given, json!({})), expected);
}

#[test]
fn too_many_lines_are_told_once_and_not_looked_at() {
    let details: Vec<Value> = (0..MAX_LINES)
        .map(|_| line(json!({"billed": -1})))
        .collect();
    let found = of_claim(
        json!({"lines": [line(json!({"details": details}))]}),
        json!({}),
    );
    assert_eq!(
        found,
        [(ProblemCode::TooManyLines, "/claim/bill/lines".to_owned())]
    );
}

#[test]
fn the_problems_of_one_message_are_bounded() {
    let lines: Vec<Value> = (0..200).map(|_| line(json!({"billed": -1}))).collect();
    let found = of_claim(json!({ "lines": lines }), json!({}));
    assert_eq!(found.len(), MAX_PROBLEMS);
}
