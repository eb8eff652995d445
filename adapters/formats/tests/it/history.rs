//! What insurers decided earlier: read as history, with each of their amounts, and never taken for a message.

use serde_json::{Value, json};
use takmil_domain::message::Kind;
use takmil_domain::problem::ProblemCode;
use takmil_formats::{fhir, read};

use crate::context;

fn sample() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/samples/fhir/history/rabat-consultation.json"
    );
    std::fs::read(path).unwrap()
}

#[test]
fn a_decided_bill_is_history_and_no_message() {
    let refused = read(&fhir::FORMAT, &sample(), &context()).unwrap_err();
    assert_eq!(refused.code, ProblemCode::NoMessage);
    let claim = br#"{"resourceType": "Claim"}"#;
    let refused = read(&fhir::HISTORY, claim, &context()).unwrap_err();
    assert_eq!(
        (refused.code, &*refused.pointer),
        (ProblemCode::NoMessage, "")
    );
}

#[test]
fn what_was_decided_is_told_line_by_line_as_its_insurer_states_it() {
    let reading = read(&fhir::HISTORY, &sample(), &context()).unwrap();
    let [one] = &*reading.messages else { panic!() };
    let message = one.outcome.as_ref().unwrap();
    assert_eq!(message.kind(), Kind::Claim);
    let told = serde_json::to_value(message).unwrap();
    let bill = &told["claim"]["bill"];
    assert_eq!(
        (
            &bill["total"],
            &bill["lines"][0]["billed"],
            &bill["lines"][1]["billed"]
        ),
        (&json!(45_000), &json!(30_000), &json!(15_000))
    );
    let decided = |of: &Value, element: &str| -> Vec<Value> {
        let parts = of.as_array().unwrap().iter();
        let ours = parts.filter(|part| {
            part["category"]["code"] == element || part["category"]["source"]["code"] == element
        });
        ours.map(|part| {
            let code = part["coded"]["source"]["code"].clone();
            json!([
                code,
                part["amount"],
                part["text"],
                part["reason"]["source"]["code"]
            ])
        })
        .collect()
    };
    let line = "ExplanationOfBenefit.item.adjudication";
    assert_eq!(
        decided(&bill["lines"][0]["particulars"], line),
        [
            json!(["submitted", null, null, null]),
            json!(["benefit", 12_050, null, null]),
            json!(["eligpercent", null, null, null])
        ],
        "{told:#}"
    );
    assert_eq!(
        decided(&bill["lines"][1]["particulars"], line),
        [
            json!(["benefit", 0, null, "NC"]),
            json!(["recovered", null, "-20", null])
        ]
    );
    assert_eq!(
        decided(&told["supporting"], "ExplanationOfBenefit.total"),
        [
            json!(["submitted", null, null, null]),
            json!(["benefit", 12_050, null, null])
        ]
    );
    // The number that nothing in the bill has is kept in the original.
    assert!(bill["lines"][0].get("supporting").is_none());
    assert_eq!(told["unread"], json!(["/item/0/informationSequence"]));
    let claim = message
        .head
        .correlates
        .iter()
        .find(|other| other.identifier.value == "F-88");
    assert!(claim.is_some(), "the bill it decides");
}

#[test]
fn a_body_of_one_resource_a_line_is_read_line_by_line() {
    let decided: Value = serde_json::from_slice(&sample()).unwrap();
    let body = format!(
        "{decided}\n\n{{\"resourceType\": 1\n{{\"resourceType\": \"Claim\"}}\r\n{decided}\n"
    );
    let alone = read(&fhir::HISTORY, &sample(), &context()).unwrap();
    let alone = alone.messages[0].outcome.as_ref().unwrap();
    let reading = read(&fhir::HISTORY, body.as_bytes(), &context()).unwrap();
    let [first, broken, other, last] = &*reading.messages else {
        panic!("{:?}", reading.messages)
    };
    for (line, one) in [(0, first), (4, last)] {
        assert_eq!(one.place, format!("/{line}"));
        let message = one.outcome.as_ref().unwrap();
        assert_eq!(message.body, alone.body);
        assert_eq!(
            message.head.unread,
            [format!("/{line}/item/0/informationSequence")]
        );
        let total = one.locate("/claim/bill/lines/0");
        assert!(total.starts_with(&format!("/{line}/")), "{total}");
    }
    for (line, one, code) in [
        (2, broken, ProblemCode::Malformed),
        (3, other, ProblemCode::NoMessage),
    ] {
        let problems = one.outcome.as_ref().unwrap_err();
        assert_eq!(problems[0].code, code);
        let at = &problems[0].pointer;
        assert!(at.starts_with(&format!("/{line}")), "{at}");
    }
    let refused = read(&fhir::FORMAT, body.as_bytes(), &context());
    assert!(refused.is_err(), "history is never a message");
}
