//! Pharmacies' transactions over HTTP: each is answered as a till expects it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Answer, Hub, PROVIDER};

async fn send(hub: &Hub, body: &Value) -> Value {
    let bearer = format!("Bearer {}", hub.place.key(PROVIDER));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/vnd.ncpdp+json"),
    ];
    let answer: Answer = hub
        .raw(Method::POST, "/v1/messages", &headers, body.to_string())
        .await;
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn a_claim_is_answered_and_taken_back_by_its_fill() {
    let hub = Hub::start("");
    let mut transaction = json!({"claim": {
        "transaction_code": "B1", "cardholder_id": "nobody", "prescription_number": "7712", "fill_number": 0,
        "service_date": "2026-03-02", "ndc": "00093505601", "quantity_dispensed": 30, "gross_amount_due": 10.5,
    }});
    let claim = send(&hub, &transaction).await;
    let claim = &claim["response"];
    // Who is covered by nobody pays for himself, and the till is told why.
    assert_eq!(claim["header_response_status"], "A", "{claim}");
    assert_eq!(claim["transaction_response_status"], "R", "{claim}");
    assert_eq!(claim["reject_codes"][0]["reject_code"], "52", "{claim}");
    assert_eq!(claim["reject_codes"][0]["reason"], "COV-MEMBER");

    transaction["claim"]["transaction_code"] = json!("B2");
    let reversal = send(&hub, &transaction).await;
    let reversal = &reversal["response"];
    assert_eq!(reversal["transaction_response_status"], "A", "{reversal}");
    transaction["claim"]["prescription_number"] = json!("7713");
    let unknown = send(&hub, &transaction).await;
    let unknown = &unknown["response"];
    assert_eq!(unknown["transaction_response_status"], "R", "{unknown}");
    assert_eq!(unknown["reject_codes"][0]["reject_code"], "84", "{unknown}");

    transaction["claim"]["service_date"] = json!("yesterday");
    let bad = send(&hub, &transaction).await;
    let bad = &bad["response"];
    assert_eq!(bad["header_response_status"], "R", "{bad}");
    assert_eq!(bad["reject_codes"][0]["reject_code"], "15", "{bad}");
    assert_eq!(bad["reject_codes"][0]["pointer"], "/claim/service_date");
}
