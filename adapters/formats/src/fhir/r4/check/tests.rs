//! What the check finds, what it lets pass, and that it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::fhir::json;
use ProblemCode::{BadDate, BadValue, ControlCharacter, Missing, TooMany, Unknown, WrongType};
use proptest::prelude::*;

const REQUEST: &str = r#"{"resourceType":"CoverageEligibilityRequest","status":"active","purpose":["benefits"],
    "patient":{"reference":"Patient/1"},"created":"2024-02-29","insurer":{"display":"x"}}"#;

/// The findings of `REQUEST` with one member added or replaced, as (fatal, code, pointer).
fn with(key: &str, value: &str) -> Vec<(bool, ProblemCode, String)> {
    let Node::Object(mut members) = json::parse(REQUEST.as_bytes()).unwrap() else {
        return Vec::new();
    };
    members.retain(|(known, _)| &**known != key);
    if !value.is_empty() {
        members.push((key.into(), json::parse(value.as_bytes()).unwrap()));
    }
    found(&Node::Object(members))
}

fn found(body: &Node) -> Vec<(bool, ProblemCode, String)> {
    check(body)
        .into_iter()
        .map(|found| (found.fatal, found.problem.code, found.problem.pointer))
        .collect()
}

#[test]
fn what_r4_does_not_allow_is_found_where_it_stands() {
    let refused: &[(&str, &str, ProblemCode, &str)] = &[
        ("status", "", Missing, "/status"),
        ("status", "\"done\"", BadValue, "/status"),
        ("status", "\"Active\"", BadValue, "/status"),
        ("status", "\"\"", BadValue, "/status"),
        ("status", "null", WrongType, "/status"),
        ("status", "[\"active\"]", TooMany, "/status"),
        ("purpose", "\"benefits\"", WrongType, "/purpose"),
        ("purpose", "[]", BadValue, "/purpose"),
        ("purpose", "[\"benefits\",\"fun\"]", BadValue, "/purpose/1"),
        ("purpose", "[\"benefits\",null]", WrongType, "/purpose/1"),
        ("patient", "\"Patient/1\"", WrongType, "/patient"),
        ("patient", "{}", BadValue, "/patient"),
        (
            "patient",
            "{\"reference\":7}",
            WrongType,
            "/patient/reference",
        ),
        ("created", "\"2023-02-29\"", BadDate, "/created"),
        ("created", "\"1402/12/10\"", BadDate, "/created"),
        ("created", "20240229", WrongType, "/created"),
        ("id", "\"a b\"", BadValue, "/id"),
        ("Created", "\"2024\"", Unknown, "/Created"),
        ("_insurer", "{\"id\":\"x\"}", Unknown, "/_insurer"),
        ("_created", "\"x\"", WrongType, "/_created"),
        ("_purpose", "{\"id\":\"x\"}", WrongType, "/_purpose"),
        ("servicedDate", "\"2024-02-30\"", BadDate, "/servicedDate"),
        (
            "insurance",
            "[{\"focal\":\"true\",\"coverage\":{\"display\":\"x\"}}]",
            WrongType,
            "/insurance/0/focal",
        ),
        (
            "insurance",
            "[{\"focal\":true}]",
            Missing,
            "/insurance/0/coverage",
        ),
        (
            "item",
            "[{\"supportingInfoSequence\":[0]}]",
            BadValue,
            "/item/0/supportingInfoSequence/0",
        ),
        (
            "item",
            "[{\"quantity\":{\"value\":\"1\"}}]",
            WrongType,
            "/item/0/quantity/value",
        ),
        (
            "item",
            "[{\"diagnosis\":[{\"id\":\"1\",\"diagnosisReference\":7}]}]",
            WrongType,
            "/item/0/diagnosis/0/diagnosisReference",
        ),
        ("text", "{\"status\":\"generated\"}", Missing, "/text/div"),
        ("language", "\"\\u0001\"", ControlCharacter, "/language"),
        (
            "contained",
            "[{\"resourceType\":\"Patient\",\"gender\":\"M\"}]",
            BadValue,
            "/contained/0/gender",
        ),
        (
            "contained",
            "[{\"resourceType\":\"Novel\"}]",
            BadValue,
            "/contained/0/resourceType",
        ),
        (
            "contained",
            "[{\"id\":\"1\"}]",
            Missing,
            "/contained/0/resourceType",
        ),
        (
            "extension",
            "[{\"valueString\":\"x\"}]",
            Missing,
            "/extension/0/url",
        ),
        ("extension", "[{\"url\":\"x\"}]", Missing, "/extension/0"),
        (
            "extension",
            "[{\"url\":\"x\",\"valueString\":\"x\",\"extension\":[{\"url\":\"y\",\"valueCode\":\"z\"}]}]",
            TooMany,
            "/extension/0",
        ),
        (
            "extension",
            "[{\"url\":\"x\",\"valueString\":\"x\",\"valueCode\":\"x\"}]",
            TooMany,
            "/extension/0/valueCode",
        ),
    ];
    for (key, value, code, pointer) in refused {
        assert_eq!(
            with(key, value),
            [(true, *code, (*pointer).to_owned())],
            "{key} {value}"
        );
    }
}

#[test]
fn what_senders_need_is_let_pass() {
    assert_eq!(with("id", ""), []);
    let clean: &[(&str, &str)] = &[
        ("_created", r#"{"extension":[{"url":"x","valueCode":"y"}]}"#),
        (
            "modifierExtension",
            r#"[{"url":"x","_valueString":{"extension":[{"url":"y","valueDecimal":1.50}]}}]"#,
        ),
        (
            "patient",
            r##"{"reference":"#p","extension":[{"url":"x","extension":[{"url":"y","valueInteger":-3}]}]}"##,
        ),
        (
            "patient",
            r#"{"reference":"https://x/fhir/Patient/1/_history/2"}"#,
        ),
        (
            "patient",
            r#"{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}"#,
        ),
    ];
    for (key, value) in clean {
        assert_eq!(with(key, value), [], "{key} {value}");
    }
    let noted: &[(&str, &str, ProblemCode, &str)] = &[
        ("identifier", "[{}]", BadValue, "/identifier/0"),
        ("identifier", "[]", BadValue, "/identifier"),
        ("implicitRules", "\"\"", BadValue, "/implicitRules"),
        ("event", "[{\"type\":{}}]", Unknown, "/event"),
        (
            "patient",
            "{\"reference\":\"Organization/1\"}",
            BadValue,
            "/patient/reference",
        ),
    ];
    for (key, value, code, pointer) in noted {
        assert_eq!(
            with(key, value),
            [(false, *code, (*pointer).to_owned())],
            "{key} {value}"
        );
    }
}

#[test]
fn a_primitive_in_a_list_may_have_extensions_in_place_of_a_value() {
    let names = |given: &str, extra: &str| {
        let body = format!(
            r#"{{"resourceType":"Patient","name":[{{"given":{given},"_given":{extra}}}]}}"#
        );
        found(&json::parse(body.as_bytes()).unwrap())
    };
    let extension = r#"{"extension":[{"url":"x","valueCode":"y"}]}"#;
    assert_eq!(names(r#"["a",null]"#, &format!("[null,{extension}]")), []);
    assert_eq!(
        names(r#"["a",null]"#, &format!("[{extension},null]")),
        [(true, WrongType, "/name/0/given/1".into())]
    );
}

#[test]
fn only_the_message_itself_is_refused_in_a_bundle() {
    let entries = [
        r#"{"resource":{"resourceType":"Patient","gender":"M"}}"#,
        r#"{"resource":{"resourceType":"CoverageEligibilityRequest","status":"active"}}"#,
        r#"{"resource":{"resourceType":"Preauth"}}"#,
        r#"{"resource":[]}"#,
        r#"{"fullUrl":"a b"}"#,
        r#"{"resource":{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Basic"}}]}}"#,
    ];
    let body = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{}],"text":{{}}}}"#,
        entries.join(",")
    );
    let places: Vec<(bool, String)> = found(&json::parse(body.as_bytes()).unwrap())
        .into_iter()
        .map(|(fatal, _, pointer)| (fatal, pointer))
        .collect();
    let expected = [
        (false, "/entry/0/resource/gender"),
        (true, "/entry/1/resource/purpose"),
        (true, "/entry/1/resource/patient"),
        (true, "/entry/1/resource/created"),
        (true, "/entry/1/resource/insurer"),
        (false, "/entry/2/resource/resourceType"),
        (true, "/entry/3/resource"),
        (true, "/entry/4/fullUrl"),
        (false, "/entry/5/resource/entry/0/resource/code"),
        (false, "/text"),
    ];
    assert_eq!(
        places,
        expected.map(|(fatal, pointer)| (fatal, pointer.to_owned()))
    );
}

#[test]
fn no_number_of_findings_hides_a_worse_one() {
    let many = |each: &str, count: usize| vec![each; count].join(",");
    let keys: Vec<String> = (0..1_000).map(|n| format!("\"k{n}\":1")).collect();
    let body = format!(
        r#"{{"resourceType":"Basic",{},"code":{{"text":7}}}}"#,
        keys.join(",")
    );
    let findings = found(&json::parse(body.as_bytes()).unwrap());
    assert_eq!(findings.len(), MAX_FINDINGS_OF_RESOURCE + 1);
    assert_eq!(
        findings.last(),
        Some(&(true, WrongType, "/code/text".to_owned()))
    );

    let entry = format!(
        r#"{{"resource":{{"resourceType":"Claim","item":[{}]}}}}"#,
        many("{}", 500)
    );
    let body = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#,
        many(&entry, 200)
    );
    let findings = check(&json::parse(body.as_bytes()).unwrap());
    assert_eq!(findings.len(), MAX_FINDINGS + 1);
    let last = findings.last().unwrap();
    assert!(
        last.fatal && last.problem.code == ProblemCode::TooLarge && last.problem.pointer.is_empty()
    );
}

proptest! {
    #[test]
    fn any_change_of_a_body_is_judged(at in 0..REQUEST.len(), byte in b' '..b'~') {
        let mut body = REQUEST.as_bytes().to_vec();
        body[at] = byte;
        if let Ok(tree) = json::parse(&body) {
            for found in check(&tree) {
                prop_assert!(found.problem.pointer.starts_with('/'), "{:?}", found);
                let path = super::super::expression(&tree, &found.problem.pointer);
                prop_assert!(!path.is_empty());
            }
        }
    }
}
