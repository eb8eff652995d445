//! What a sender is told of a bad body: the code and the place, for each way of being bad.

use serde_json::{Value, json};
use takmil_domain::problem::ProblemCode::{self, *};
use takmil_formats::{
    FORMATS, Format, MAX_BODY_BYTES, MAX_LINES, MAX_PROBLEMS, Read, read, recognise,
};

fn native() -> &'static Format {
    FORMATS
        .iter()
        .find(|format| format.name == "native")
        .unwrap()
}

/// The problems of a body, with their places.
fn told(body: &[u8]) -> Vec<(ProblemCode, String)> {
    let problems = match read(native(), body, &crate::context()) {
        Err(problem) => vec![problem],
        Ok(reading) => reading
            .messages
            .into_iter()
            .filter_map(|read| read.outcome.err())
            .flatten()
            .collect(),
    };
    problems
        .into_iter()
        .map(|problem| (problem.code, problem.pointer))
        .collect()
}

#[track_caller]
fn check(body: impl AsRef<[u8]>, code: ProblemCode, pointer: &str) {
    assert_eq!(told(body.as_ref()), [(code, pointer.to_owned())]);
}

fn line(part: Value) -> Value {
    let mut line = json!({"seq": 1, "item": {"text": "visit"}});
    for (key, value) in part.as_object().unwrap() {
        line[key] = value.clone();
    }
    line
}

fn claim(lines: Value) -> Value {
    json!({"kind": "claim", "currency": "IRR", "claim": {"bill": {"lines": lines}}})
}

#[test]
fn bytes_that_are_no_json_are_refused() {
    check(b"", Malformed, "");
    check(b"kind=claim", Malformed, "");
    check(b"{\"kind\":\"claim\",\"claim\":{", Malformed, "/claim");
    check(b"{\"kind\":\"cl\xe9im\"}", NotText, "");
    check(b"\xff\xfe{\x00}\x00", NotText, "");
    check(
        b"{\"kind\":\"claim\",\"status\":\"a\nb\"}",
        ControlCharacter,
        "/status",
    );
    check(
        b"{\"kind\":\"claim\",\"kind\":\"cancel\"}",
        TooMany,
        "/kind",
    );
    check(b"{\"kind\":\"cancel\",\"cancel\":{}} true", Malformed, "");
    check(b"[]", NoMessage, "");
    check(b"\"claim\"", NoMessage, "");
    let deep = format!("{{\"kind\":\"claim\",\"claim\":{}", "[".repeat(100_000));
    check(deep, TooDeep, &format!("/claim{}", "/0".repeat(63)));
}

#[test]
fn a_body_that_is_too_large_is_refused_unread() {
    let body = vec![b'['; 50_000_000];
    check(&body, TooLarge, "");
    let fits = vec![b' '; MAX_BODY_BYTES];
    check(&fits, Malformed, "");
}

#[test]
fn a_message_must_say_what_it_is() {
    check("{}", Missing, "/kind");
    check(r#"{"kind":null}"#, Missing, "/kind");
    check(r#"{"kind":7}"#, WrongType, "/kind");
    check(r#"{"kind":"remittance"}"#, BadValue, "/kind");
    check(r#"{"kind":"claim"}"#, Missing, "/claim");
    check(
        r#"{"kind":"cancel","cancel":{},"schema":"2"}"#,
        BadValue,
        "/schema",
    );
    check(
        r#"{"kind":"cancel","cancel":{},"claim":{}}"#,
        Unknown,
        "/claim",
    );
    check(r#"[{"kind":"cancel","cancel":{}},3]"#, WrongType, "/1");
}

#[test]
fn every_wrong_value_of_a_line_is_told_with_its_place() {
    let check = |part: Value, code, pointer: &str| {
        let body = claim(json!([line(part)])).to_string();
        assert_eq!(
            told(body.as_bytes()),
            [(code, format!("/claim/bill/lines/0{pointer}"))],
            "{body}"
        );
    };
    check(json!({"seq": null}), Missing, "/seq");
    check(json!({"seq": "one"}), WrongType, "/seq");
    check(json!({"seq": -1}), Negative, "/seq");
    check(json!({"seq": 5_000_000_000_u64}), OutOfRange, "/seq");
    check(json!({"price": 5}), Unknown, "/price");
    check(json!({"a/b": 5}), Unknown, "/a~1b");
    check(json!({"billed": -1}), Negative, "/billed");
    check(
        json!({"billed": 900_000_000_000_001_i64}),
        OutOfRange,
        "/billed",
    );
    check(json!({"billed": 1e30}), OutOfRange, "/billed");
    check(json!({"billed": 12.5}), WrongType, "/billed");
    check(json!({"billed": "12.5"}), WrongType, "/billed");
    check(json!({"billed": "-۵"}), Negative, "/billed");
    check(json!({"billed": [1]}), WrongType, "/billed");
    check(json!({"quantity": -2}), Negative, "/quantity");
    check(json!({"quantity": -2.5}), Negative, "/quantity");
    check(json!({"quantity": 1_000_000_001}), OutOfRange, "/quantity");
    check(json!({"quantity": "1000000000.5"}), OutOfRange, "/quantity");
    check(json!({"quantity": "many"}), BadValue, "/quantity");
    check(json!({"quantity": true}), WrongType, "/quantity");
    check(
        json!({"quantity": 100_000_000, "unit_price": 900_000_000_i64}),
        OutOfRange,
        "",
    );
    check(
        json!({"serviced": {"start": "2026-02-30"}}),
        BadDate,
        "/serviced/start",
    );
    check(
        json!({"serviced": {"start": "yesterday"}}),
        BadDate,
        "/serviced/start",
    );
    check(
        json!({"serviced": {"start": "۱۴۰۵-۰۸-۳۰"}}),
        BadDate,
        "/serviced/start",
    );
    check(
        json!({"serviced": {"start": "2028-01-01"}}),
        BadDate,
        "/serviced/start",
    );
    check(
        json!({"serviced": {"start": 20_261_120}}),
        WrongType,
        "/serviced/start",
    );
    check(json!({"serviced": "2026-11-20"}), WrongType, "/serviced");
    let reversed = json!({"start": "2026-11-20", "end": "2026-11-19"});
    check(json!({"serviced": reversed}), DateOrder, "/serviced/end");
    check(
        json!({"item": {"source": {"code": "A\u{7}1"}}}),
        ControlCharacter,
        "/item/source/code",
    );
    check(
        json!({"item": {"source": {"code": "x".repeat(1025)}}}),
        TooLarge,
        "/item/source/code",
    );
    check(
        json!({"item": {"common": {"code": ""}}}),
        BadValue,
        "/item/common/code",
    );
    check(
        json!({"modifiers": {"text": "RT"}}),
        WrongType,
        "/modifiers",
    );
    check(json!({"diagnoses": [3]}), DanglingReference, "/diagnoses/0");
    check(json!({"diagnoses": vec![1; 1001]}), TooMany, "/diagnoses");
}

#[test]
fn every_wrong_value_of_the_head_is_told_with_its_place() {
    let check = |key: &str, value: Value, code, pointer: &str| {
        let mut body = claim(json!([line(json!({"billed": 5}))]));
        body[key] = value;
        assert_eq!(
            told(body.to_string().as_bytes()),
            [(code, pointer.to_owned())],
            "{body}"
        );
    };
    check("currency", Value::Null, UnknownCurrency, "/currency");
    check("currency", json!("TOM"), UnknownCurrency, "/currency");
    check("currency", json!("rials"), UnknownCurrency, "/currency");
    check("member", json!({"sex": "f"}), BadValue, "/member/sex");
    check(
        "member",
        json!({"birth_date": "1365-02-11"}),
        BadDate,
        "/member/birth_date",
    );
    let national =
        |value: &str| json!({"identifiers": [{"system": "urn:ir:national-id", "value": value}]});
    check(
        "member",
        national("0012345678"),
        BadIdentifier,
        "/member/identifiers/0/value",
    );
    check(
        "member",
        national("۰۰۱۲۳۴۵۶۷۸"),
        BadIdentifier,
        "/member/identifiers/0/value",
    );
    check(
        "member",
        national(""),
        BadValue,
        "/member/identifiers/0/value",
    );
    check(
        "correlates",
        json!([{"identifier": {"value": "7"}}]),
        Missing,
        "/correlates/0/relation",
    );
    check(
        "attachments",
        json!([{"sha256": "abc"}]),
        BadValue,
        "/attachments/0/sha256",
    );
    check("texts", json!(["a\u{0}b"]), ControlCharacter, "/texts/0");
}

#[test]
fn ten_thousand_lines_are_taken_and_one_more_is_not() {
    let lines =
        |count: usize| -> Value { (1..=count).map(|seq| line(json!({ "seq": seq }))).collect() };
    assert_eq!(told(claim(lines(MAX_LINES)).to_string().as_bytes()), []);
    check(
        claim(lines(MAX_LINES + 1)).to_string(),
        TooManyLines,
        "/claim/bill/lines",
    );
    let inner = line(json!({"seq": 2, "details": lines(MAX_LINES - 1)}));
    let body = claim(json!([line(json!({})), inner]));
    check(body.to_string(), TooManyLines, "/claim/bill/lines");
}

#[test]
fn one_bad_message_sinks_no_other() {
    let good = claim(json!([line(json!({"billed": 5}))]));
    let bad = claim(json!([line(json!({"billed": -5}))]));
    let late = claim(json!([line(json!({})), line(json!({}))]));
    let body = json!([good, bad, late, good]).to_string();
    let reading = read(native(), body.as_bytes(), &crate::context()).unwrap();
    let well: Vec<bool> = reading
        .messages
        .iter()
        .map(|read| read.outcome.is_ok())
        .collect();
    assert_eq!(well, [true, false, false, true]);
    let expected = [
        (Negative, "/1/claim/bill/lines/0/billed".to_owned()),
        (DuplicateLine, "/2/claim/bill/lines/1/seq".to_owned()),
    ];
    assert_eq!(told(body.as_bytes()), expected);
}

#[test]
fn problems_are_bounded_and_repeat_nothing_of_the_person() {
    let bad: Vec<Value> = (0..500)
        .map(|_| line(json!({"billed": -5, "Sara Moradi": 1})))
        .collect();
    assert_eq!(
        told(claim(json!(bad)).to_string().as_bytes()).len(),
        MAX_PROBLEMS
    );
    let body = json!({
        "kind": "claim", "currency": "Moradi", "status": ["Moradi"], "language": {"Moradi": 1},
        "member": {
            "name": 17_711_771, "birth_date": "Moradi", "sex": "Moradi", "identifiers": [{"value": 17_711_771}],
        },
        "claim": {"bill": {"lines": [line(json!({"billed": "Moradi", "quantity": "Moradi"}))], "total": "Moradi"}},
        "attachments": [{"sha256": "Moradi", "bytes": "Moradi"}],
        "occurred_on": "Moradi",
    });
    let reading = read(native(), body.to_string().as_bytes(), &crate::context()).unwrap();
    let problems = reading
        .messages
        .first()
        .unwrap()
        .outcome
        .as_ref()
        .unwrap_err();
    assert_eq!(problems.len(), 13, "{problems:?}");
    for problem in problems {
        let repeats = ["Moradi", "17711771"]
            .iter()
            .any(|part| problem.detail.contains(part));
        assert!(!repeats, "{problem}");
    }
}

#[test]
fn content_decides_what_a_body_is_and_the_media_type_settles_the_rest() {
    let name =
        |media_type, body: &str| recognise(media_type, body.as_bytes()).map(|format| format.name);
    assert_eq!(name(None, r#" [{"kind":"cancel"}]"#), Some("native"));
    assert_eq!(
        name(Some("text/plain"), r#"{"kind":"cancel"}"#),
        Some("native")
    );
    assert_eq!(
        name(Some("Application/JSON; charset=utf-8"), "{}"),
        Some("native")
    );
    assert_eq!(name(Some("text/csv"), "a,b"), Some("sheet"));
    assert_eq!(name(Some("text/plain"), "a,b"), None);
    assert_eq!(name(None, ""), None);
}

#[test]
fn a_canonical_place_is_told_as_the_nearest_place_in_the_body() {
    let origin = |canonical: &str, source: &str| (canonical.to_owned(), source.to_owned());
    let read = Read {
        place: "/entry/2/resource".to_owned(),
        outcome: Err(Vec::new()),
        origins: vec![
            origin("/claim/bill/lines/1", "/entry/2/resource/item/0"),
            origin(
                "/claim/bill/lines/1/billed",
                "/entry/2/resource/item/0/net/value",
            ),
        ],
    };
    let check = |canonical: &str, source: &str| assert_eq!(read.locate(canonical), source);
    check(
        "/claim/bill/lines/1/billed",
        "/entry/2/resource/item/0/net/value",
    );
    check(
        "/claim/bill/lines/1/serviced/end",
        "/entry/2/resource/item/0",
    );
    check("/claim/bill/lines/10", "/entry/2/resource");
}
