//! The way of a message over REST and FHIR: taken, answered, found again, repeated, taken back.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_PROVIDER, PROVIDER, bill, claim};
use crate::schemas::conforms;

/// One message of each kind, with the address that takes it.
fn one_of_each() -> Vec<(&'static str, Value)> {
    let message = |kind: &str, body: Value| {
        let mut message = claim(&format!("each-{kind}"), "MA-2001");
        let members = message.as_object_mut().unwrap();
        members.remove("claim");
        members.insert("kind".to_owned(), json!(kind));
        members.insert(kind.to_owned(), body);
        message
    };
    let bill = || bill("NC100", 15_000);
    vec![
        ("eligibility", message("eligibility", json!({}))),
        ("estimates", message("estimate", bill())),
        ("admissions", message("admission", json!({"bill": bill()}))),
        (
            "preauthorizations",
            message("preauthorization", json!({"bill": bill()})),
        ),
        ("claims", message("claim", json!({"bill": bill()}))),
        (
            "prescriptions",
            message(
                "prescription",
                json!({"lines": [{"seq": 1, "item": {"text": "amoxicillin"}}]}),
            ),
        ),
        (
            "dispenses",
            message(
                "dispense",
                json!({"lines": [{"line": {"seq": 1, "item": {"text": "amoxicillin"}, "billed": 3_000}}]}),
            ),
        ),
    ]
}

#[tokio::test]
async fn every_kind_has_an_address_and_an_answer() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    for (address, message) in one_of_each() {
        let answer = hub
            .send(Method::POST, &format!("/v1/{address}"), &key, &message)
            .await;
        let told = answer.ok();
        conforms("answer", &told);
        assert_eq!(told["kind"], message["kind"], "{address}");
        assert_eq!(
            answer.header("location"),
            format!("/v1/messages/{}", told["id"].as_str().unwrap())
        );
        let again = hub.send(Method::POST, "/v1/messages", &key, &message).await;
        assert_eq!(again.ok(), told, "{address}: a repeat gets the same answer");
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
}

#[tokio::test]
async fn a_claims_shares_sum_up_and_its_whole_way_can_be_seen() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let answer = hub
        .send(Method::POST, "/v1/claims", &key, &claim("C-1", "MA-2001"))
        .await
        .ok();
    let totals = &answer["decision"]["totals"];
    let part = |name: &str| totals[name].as_i64().unwrap();
    let supplementary: i64 = totals["supplementary"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair[1].as_i64().unwrap())
        .sum();
    assert!(supplementary > 0, "{totals}");
    assert_eq!(
        part("billed"),
        part("base") + part("written_off") + supplementary + part("member")
    );

    let id = answer["id"].as_str().unwrap();
    let way = hub.get(&format!("/v1/messages/{id}"), &key).await.ok();
    conforms("message_way", &way);
    assert_eq!(way["answer"], answer);
    assert_eq!(way["sender"], json!(PROVIDER));
    assert!(!way["legs"].as_array().unwrap().is_empty());

    let insurer = hub.place.key(INSURER);
    let seen = hub.get(&format!("/v1/messages/{id}"), &insurer).await.ok();
    assert_eq!(seen["deliveries"][0]["insurer"], json!(INSURER));
    let remainders = hub
        .get(
            &format!("/v1/members/{}/remainders", way["member"].as_str().unwrap()),
            &insurer,
        )
        .await
        .ok();
    let used: i64 = remainders["remainders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| limit["consumed"].as_i64().unwrap())
        .sum();
    assert_eq!(used, supplementary);
}

#[tokio::test]
async fn a_list_of_messages_has_an_answer_for_each_and_pages() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let bad = json!({"kind": "claim", "claim": {"bill": {"lines": [{"seq": 1}]}}});
    let body = json!([claim("L-1", "MA-2001"), bad, claim("L-2", "MA-2002")]);
    let answer = hub.send(Method::POST, "/v1/messages", &key, &body).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    conforms("results", &answer.json());
    let results = answer.json()["results"].clone();
    assert_eq!(results[0]["answer"]["kind"], json!("claim"));
    assert!(
        results[1]["problems"][0]["pointer"]
            .as_str()
            .unwrap()
            .starts_with("/1/"),
        "{results}"
    );
    assert_eq!(results[2]["place"], json!("/2"));

    let later = claim("L-3", "MA-2001");
    let later = hub
        .send(Method::POST, "/v1/claims", &key, &later)
        .await
        .ok();
    let first = hub.get("/v1/messages?limit=1", &key).await.ok();
    conforms("message_page", &first);
    assert_eq!(first["messages"][0]["id"], later["id"], "the latest first");
    let next = first["next"].as_str().unwrap();
    let path = format!("/v1/messages?kind=claim&limit=5&cursor={next}");
    let second = hub.get(&path, &key).await.ok();
    let ids = |messages: &Value| -> Vec<Value> {
        let mut ids: Vec<Value> = messages
            .as_array()
            .unwrap()
            .iter()
            .map(|own| own["id"].clone())
            .collect();
        ids.sort_by_key(Value::to_string);
        ids
    };
    let mut expected = vec![
        results[0]["answer"]["id"].clone(),
        results[2]["answer"]["id"].clone(),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(ids(&second["messages"]), expected);
    assert!(second.get("next").is_none());
    let foreign = hub
        .get("/v1/messages", &hub.place.key(OTHER_PROVIDER))
        .await
        .ok();
    assert_eq!(
        foreign["messages"],
        json!([]),
        "another provider sees nothing of it"
    );
}

#[tokio::test]
async fn an_admission_taken_back_gives_its_limits_back() {
    let hub = Hub::start("");
    let (key, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let mut admission = claim("A-1", "MA-2003");
    admission["kind"] = json!("admission");
    admission["admission"] = admission["claim"].take();
    admission.as_object_mut().unwrap().remove("claim");
    let answer = hub
        .send(Method::POST, "/v1/admissions", &key, &admission)
        .await
        .ok();
    let id = answer["id"].as_str().unwrap();
    let way = hub.get(&format!("/v1/messages/{id}"), &key).await.ok();
    let remainders = format!("/v1/members/{}/remainders", way["member"].as_str().unwrap());
    let reserved = async || {
        let limits = hub.get(&remainders, &insurer).await.ok();
        conforms("remainder_list", &limits);
        limits["remainders"]
            .as_array()
            .unwrap()
            .iter()
            .map(|limit| limit["reserved"].as_i64().unwrap())
            .sum::<i64>()
    };
    assert!(reserved().await > 0);

    hub.send(
        Method::POST,
        &format!("/v1/claims/{id}/cancel"),
        &key,
        &json!({}),
    )
    .await
    .is_problem(404, "API-NOT-FOUND");
    let path = format!("/v1/admissions/{id}/cancel");
    hub.send(
        Method::POST,
        &path,
        &hub.place.key(OTHER_PROVIDER),
        &json!({}),
    )
    .await
    .is_problem(404, "API-NOT-FOUND");
    let taken_back = hub
        .send(
            Method::POST,
            &path,
            &key,
            &json!({"reason": "the plan of surgery changed"}),
        )
        .await
        .ok();
    assert_eq!(taken_back["kind"], json!("cancel"));
    assert_eq!(reserved().await, 0);
    assert_eq!(
        hub.get(&format!("/v1/messages/{id}"), &key).await.ok()["state"],
        json!("cancelled")
    );
}

#[tokio::test]
async fn a_key_has_one_effect_and_holds_to_one_body() {
    let mut hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("idempotency-key", "till 7/0042"),
        ("x-request-id", "till-7.0042"),
    ];
    let mut message = claim("K-1", "MA-2001");
    message.as_object_mut().unwrap().remove("identifiers");
    let first = hub
        .raw(Method::POST, "/v1/claims", &headers, message.to_string())
        .await;
    assert_eq!(first.header("x-request-id"), "till-7.0042");
    let told = first.ok();
    let again = hub
        .raw(Method::POST, "/v1/claims", &headers, message.to_string())
        .await;
    assert_eq!(
        (again.ok(), again.header("idempotency-replayed")),
        (told.clone(), "true")
    );
    message["claim"]["bill"] = bill("NC100", 14_000);
    let changed = hub
        .raw(Method::POST, "/v1/claims", &headers, message.to_string())
        .await;
    changed.is_problem(422, "API-CHANGED");

    // The same across a restart: an answer that was given is kept.
    assert_eq!(hub.stop(), Some(0));
    message["claim"]["bill"] = bill("NC100", 15_000);
    let mut hub = hub.restart();
    let again = hub
        .raw(Method::POST, "/v1/claims", &headers, message.to_string())
        .await;
    assert_eq!(
        (again.ok(), again.header("idempotency-replayed")),
        (told, "true")
    );
    assert_eq!(hub.stop(), Some(0));
}

#[tokio::test]
async fn a_fhir_body_is_answered_in_fhir() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let bearer = format!("Bearer {key}");
    let body = json!({
        "resourceType": "CoverageEligibilityRequest", "status": "active", "purpose": ["benefits"], "created": "2026-03-02",
        "patient": {"identifier": {"system": "urn:takmil:sample:member", "value": "MA-2001"}},
        "insurer": {"display": "Mutuelle"},
    });
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/fhir+json"),
    ];
    let path = "/fhir/CoverageEligibilityRequest/$submit";
    let answer = hub
        .raw(Method::POST, path, &headers, body.to_string())
        .await;
    assert_eq!(
        answer.ok()["resourceType"],
        json!("CoverageEligibilityResponse")
    );
    assert!(
        answer
            .header("content-type")
            .starts_with("application/fhir+json")
    );
    assert_ne!(answer.header("takmil-receipt"), "");
    // The hub's own address for the kind takes it, too.
    let answer = hub
        .raw(Method::POST, "/v1/eligibility", &headers, body.to_string())
        .await;
    assert_eq!(
        answer.ok()["resourceType"],
        json!("CoverageEligibilityResponse")
    );

    let outcome = |answer: &crate::hub::Answer, status: u16| {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(
            answer.json()["resourceType"],
            json!("OperationOutcome"),
            "{}",
            answer.text
        );
    };
    outcome(
        &hub.raw(Method::POST, path, &headers, "{\"resourceType\":")
            .await,
        400,
    );
    outcome(
        &hub.raw(
            Method::POST,
            path,
            &headers,
            claim("F-1", "MA-2001").to_string(),
        )
        .await,
        415,
    );
    outcome(
        &hub.raw(Method::POST, path, &[], body.to_string()).await,
        401,
    );
    outcome(
        &hub.raw(Method::GET, "/fhir/Patient/1", &headers, "").await,
        404,
    );
    let mut no_such_status = body.clone();
    no_such_status["status"] = json!("perhaps");
    let refused = hub
        .raw(Method::POST, path, &headers, no_such_status.to_string())
        .await;
    outcome(&refused, 422);
    let issue = &refused.json()["issue"][0];
    assert_eq!(issue["details"]["coding"][0]["code"], json!("VAL-VALUE"));
    assert_eq!(
        issue["expression"][0],
        json!("CoverageEligibilityRequest.status")
    );
    let xml = hub
        .raw(
            Method::POST,
            path,
            &headers,
            "<Claim xmlns=\"http://hl7.org/fhir\"><status/",
        )
        .await;
    assert_eq!(
        (xml.status.as_u16(), xml.header("content-type")),
        (400, "application/fhir+xml")
    );
    let statement = hub.raw(Method::GET, "/fhir/metadata", &[], "").await.ok();
    assert_eq!(statement["resourceType"], json!("CapabilityStatement"));
}
