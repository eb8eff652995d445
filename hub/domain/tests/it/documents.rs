//! A bill judged by documents in one piece.

use serde_json::{Value, json};
use takmil_domain::message::Message;
use takmil_domain::problem::ProblemCode;
use takmil_domain::share::{Documents, Unjudged};

use crate::setting::{plan, plan_with_limit};

fn bill(lines: Value) -> Message {
    serde_json::from_value(json!({
        "kind": "claim", "currency": "IRR", "occurred_on": "2024-06-01", "claim": {"bill": {"lines": lines}},
    }))
    .unwrap()
}

#[test]
fn what_the_sender_takes_back_is_not_asked_for() {
    let message = bill(json!([
        {"seq": 1, "item": {}, "billed": 10, "cancelled": true},
        {"seq": 2, "item": {}, "details": [
            {"seq": 1, "item": {}, "billed": 20, "cancelled": true},
            {"seq": 2, "item": {}, "billed": 30},
        ]},
    ]));
    let decision = Documents::from(vec![plan(json!({}))])
        .judge(&message)
        .unwrap();
    let lines: Vec<(u32, i64)> = decision
        .lines
        .iter()
        .map(|line| (line.seq, line.billed.get()))
        .collect();
    assert_eq!(lines, [(2, 30)]);
}

#[test]
fn documents_that_contradict_themselves_are_told_so() {
    let message = bill(json!([
        {"seq": 1, "item": {}, "billed": 10, "serviced": {"start": "2023-06-01"}},
        {"seq": 2, "item": {}, "billed": 10},
    ]));
    let check = |change: fn(&mut Value), expected: &[(ProblemCode, &str)]| {
        let plan = plan_with_limit(json!({"ceiling": 5}), json!({}));
        let mut documents = json!({"plans": [plan]});
        change(&mut documents);
        let documents: Documents = serde_json::from_value(documents).unwrap();
        let problems = match documents.judge(&message) {
            Ok(_) => Vec::new(),
            Err(Unjudged::Documents(problems) | Unjudged::Message(problems)) => problems,
        };
        let told: Vec<(ProblemCode, &str)> = problems
            .iter()
            .map(|problem| (problem.code, problem.pointer.as_str()))
            .collect();
        assert_eq!(told, expected);
    };
    check(|_| {}, &[]);
    check(
        |own| own["plans"][0]["version"] = json!(0),
        &[(ProblemCode::BadValue, "/plans/0/version")],
    );
    check(
        |own| own["plans"][0]["tariff"] = json!("none"),
        &[(ProblemCode::DanglingReference, "/plans/0/tariff")],
    );
    check(
        |own| {
            let plan = own["plans"][0].clone();
            own["plans"].as_array_mut().unwrap().push(plan);
        },
        &[(ProblemCode::BadValue, "/plans/1/insurer")],
    );
    check(
        |own| own["out_of_network"] = json!(["other"]),
        &[(ProblemCode::DanglingReference, "/out_of_network/0")],
    );
    check(
        |own| own["covers"] = json!([{"insurer": "other", "start": "2024-01-01"}]),
        &[(ProblemCode::DanglingReference, "/covers/0/insurer")],
    );
    check(
        |own| own["authorisations"] = json!([{"number": "1", "amount": -1}]),
        &[(ProblemCode::BadValue, "/authorisations/0/amount")],
    );
    check(
        |own| own["remainders"] = json!([{"insurer": "ins", "limit": "other", "left": 1}]),
        &[(ProblemCode::DanglingReference, "/remainders/0/limit")],
    );
    check(
        |own| own["remainders"] = json!([{"insurer": "ins", "limit": "limit", "left": -1}]),
        &[(ProblemCode::BadValue, "/remainders/0/left")],
    );
    // The lines lie in two years: which of them has 1 left?
    check(
        |own| own["remainders"] = json!([{"insurer": "ins", "limit": "limit", "left": 1}]),
        &[(ProblemCode::Missing, "/remainders/0/stretch")],
    );
    check(
        |own| {
            own["remainders"] =
                json!([{"insurer": "ins", "limit": "limit", "left": 1, "stretch": "2024-01-01"}])
        },
        &[],
    );
}
