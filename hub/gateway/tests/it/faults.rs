//! What insurers say that cannot be used: refused with its place, without effect, and on record.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, claim};
use crate::schemas::conforms;

const NOBODYS: &str = "01a2060e-d101-7af6-a5c4-d6b472e06398";

async fn listed(hub: &Hub, key: &str, query: &str) -> Value {
    let page = hub
        .get(&format!("/v1/insurer-faults{query}"), key)
        .await
        .ok();
    conforms("insurer_fault_page", &page);
    page
}

/// Waits until faults with a code are on record as often as they were made.
pub(crate) async fn counted(hub: &Hub, key: &str, code: &str, expected: u64) {
    let mut page = Value::Null;
    for _ in 0..100 {
        page = listed(hub, key, "").await;
        let faults = page["faults"].as_array().unwrap().iter();
        let own = faults.filter(|own| own["code"] == code);
        let times: u64 = own.map(|own| own["times"].as_u64().unwrap()).sum();
        if times == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not {expected} times {code}: {page}");
}

#[tokio::test]
async fn each_refused_decision_is_counted_by_its_code_and_message_and_has_no_effect() {
    let hub = Hub::start("");
    let (insurer, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    let claimed = claim("F-1", "MA-2001");
    let sent = hub.send(Method::POST, "/v1/claims", &provider, &claimed);
    let sent = sent.await.ok();
    let id = sent["id"].as_str().unwrap();
    let decision = |message: &str, more: Value| {
        let mut body =
            json!({"message": message, "reference": "D-1", "verdict": "adjust", "currency": "MAD"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let line = |seq: u32, amount: i64| json!([{"seq": seq, "amount": amount}]);
    let wrong = [
        (
            decision(NOBODYS, json!({"lines": line(1, 1)})),
            "API-NOT-FOUND",
        ),
        (
            decision(id, json!({"lines": line(1, 10), "total": 11})),
            "VAL-VALUE",
        ),
        (
            decision(id, json!({"lines": line(1, 10), "total": 11})),
            "VAL-VALUE",
        ),
        (decision(id, json!({"lines": line(7, 10)})), "VAL-REFERENCE"),
        (
            decision(id, json!({"lines": line(1, 90_000_000)})),
            "VAL-RANGE",
        ),
        (json!({"message": id}), "VAL-VALUE"),
    ];
    let mut told: Vec<&str> = Vec::new();
    for (body, expected) in &wrong {
        let refused = hub
            .send(Method::POST, "/v1/decisions", &insurer, body)
            .await;
        assert!(refused.status.is_client_error(), "{}", refused.text);
        assert_eq!(refused.json()["code"], *expected, "{}", refused.text);
        told.push(expected);
    }
    // A decision under a reference that names another one already.
    let said = |verdict: &str| json!({"message": id, "reference": "D-2", "verdict": verdict});
    for (verdict, expected) in [
        ("approve", None),
        ("approve", None),
        ("refuse", Some("API-CHANGED")),
    ] {
        let said = said(verdict);
        let sent = hub
            .send(Method::POST, "/v1/decisions", &insurer, &said)
            .await;
        match expected {
            None => drop(sent.ok()),
            Some(code) => sent.is_problem(422, code),
        }
        told.extend(expected);
    }
    let stranger = hub.place.key(OTHER_INSURER);
    let foreign = decision(id, json!({"lines": line(1, 1)}));
    let refused = hub
        .send(Method::POST, "/v1/decisions", &stranger, &foreign)
        .await;
    refused.is_problem(404, "API-NOT-FOUND");

    // A fault is on record a moment after it was told.
    for code in &told {
        let expected = told.iter().filter(|own| *own == code).count();
        counted(&hub, &insurer, code, expected as u64).await;
    }
    counted(&hub, &stranger, "API-NOT-FOUND", 1).await;
    let page = listed(&hub, &insurer, "").await;
    let faults = page["faults"].as_array().unwrap();
    let times = faults.iter().map(|own| own["times"].as_u64().unwrap());
    assert_eq!(times.sum::<u64>(), told.len() as u64, "{page}");
    let mut unknown = faults.iter().filter(|own| own["code"] == "API-NOT-FOUND");
    assert!(
        unknown.all(|own| own.get("message").is_none()),
        "no row for each that is nobody's"
    );
    // Page by page it is the same.
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = listed(&hub, &insurer, &format!("?limit=1{cursor}")).await;
        all.extend(page["faults"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(all), page["faults"]);
    let others = listed(&hub, &stranger, "").await;
    assert_eq!(others["faults"].as_array().unwrap().len(), 1, "{others}");

    let after = hub.get(&format!("/v1/messages/{id}"), &provider).await.ok();
    assert_eq!(
        after["answer"]["decision"], sent["decision"],
        "nothing had an effect"
    );
}
