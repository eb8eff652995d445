//! The central register: what is registered, once each, by which way it gets its code, and what waits while it is away.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use takmil_conformance::register::{Register, RegisterManner};

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, Place, claim, pack};
use crate::schemas::conforms;

const SECRET: &str = "whsec_dGFrbWlsLXJlZ2lzdGVyLXNlY3JldC0xMjM0NTY3OA==";

/// A hub whose insurer registers, with its central register.
fn hub(register: &Register) -> Hub {
    let place = Place::new("");
    place.fill();
    let listed = std::fs::read(pack().join("participants.json")).unwrap();
    let listed: Vec<Value> = serde_json::from_slice(&listed).unwrap();
    let own = listed.into_iter().find(|own| own["id"] == INSURER);
    let mut insurer = own.unwrap();
    insurer["contract"]["registers"] = json!(true);
    let entry = json!({
        "id": "central-register", "title": "Central register", "role": "register",
        "callback": {"transport": "rest", "url": register.url(), "secret": SECRET},
    });
    let participants = place.path("registering.json");
    std::fs::write(&participants, json!([insurer, entry]).to_string()).unwrap();
    let participants = participants.display().to_string();
    let imported = place.json(&["import", "participants", &participants]);
    assert_eq!(imported["refused"], json!([]), "{imported}");
    Hub::on(place)
}

/// What is listed, policies before what belongs to them: of one millisecond, chance says which comes first.
async fn listed(hub: &Hub, key: &str, query: &str) -> Vec<Value> {
    let path = format!("/v1/registrations{query}");
    let page = hub.get(&path, key).await.ok();
    conforms("registration_page", &page);
    let mut listed = page["registrations"].as_array().unwrap().clone();
    listed.sort_by_key(|own| (own["policy"].to_string(), own["subject"] != "policy"));
    listed
}

/// Waits until what waits for its code is as it should be.
async fn until(hub: &Hub, key: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    loop {
        let waiting = listed(hub, key, "?waiting=true").await;
        if is_so(&waiting) {
            return waiting;
        }
        assert!(tokio::time::Instant::now() < deadline, "{waiting:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn all_registered(hub: &Hub, key: &str) {
    until(hub, key, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn policies_claims_and_endorsements_get_one_code_each_however_often_they_are_said() {
    let register = Register::start(SECRET, 0).await.unwrap();
    let hub = hub(&register);
    let (insurer, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    let claimed = claim("R-1", "MA-2001");
    let sent = hub.send(Method::POST, "/v1/claims", &provider, &claimed);
    let id = sent.await.ok()["id"].as_str().unwrap().to_owned();
    hub.send(Method::POST, "/v1/claims", &provider, &claimed)
        .await
        .ok();
    all_registered(&hub, &insurer).await;
    let found = listed(&hub, &insurer, "").await;
    let subjects: Vec<_> = found
        .iter()
        .map(|own| own["subject"].as_str().unwrap())
        .collect();
    assert_eq!(
        subjects,
        ["policy", "claim"],
        "the claim brings its policy along"
    );
    assert_eq!(found[1]["policy_code"], found[0]["code"]);
    assert_eq!(found[1]["claim"]["message"], json!(id));
    let own = listed(&hub, &provider, &format!("?message={id}")).await;
    assert_eq!(own.len(), 1, "the provider sees the code of its claim");
    assert_eq!(own[0]["code"], found[1]["code"]);
    let stranger = hub.place.key(OTHER_INSURER);
    assert!(listed(&hub, &stranger, "").await.is_empty());

    // A cover that changes is an endorsement; one that is sent again is nothing.
    let cover = |end: Option<&str>| {
        let mut cover = json!({
            "insurer": INSURER, "role": "supplementary", "policy": "MU-77", "certificate": "MU-77-1",
            "member": {"identifiers": [{"system": "urn:takmil:sample:member", "value": "MA-7701"}]},
            "plan": "ma-mutuelle-360", "start": "2025-01-01",
        });
        if let Some(end) = end {
            cover["end"] = json!(end);
        }
        json!([cover])
    };
    for (body, changed) in [
        (cover(None), true),
        (cover(None), false),
        (cover(Some("2027-01-01")), true),
    ] {
        let put = hub
            .send(Method::PUT, "/v1/coverages", &insurer, &body)
            .await
            .ok();
        conforms("enrolment_results", &put);
        assert_eq!(put["results"][0]["changed"], json!(changed), "{put}");
    }
    all_registered(&hub, &insurer).await;
    let found = listed(&hub, &insurer, "").await;
    let of_policy = found.iter().filter(|own| own["policy"] == "MU-77");
    let of_policy: Vec<_> = of_policy.collect();
    let subjects: Vec<_> = of_policy
        .iter()
        .map(|own| own["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["policy", "endorsement"]);
    let endorsed = &of_policy[1]["covers"][0];
    assert_eq!(
        (&endorsed["end"], &endorsed["added"]),
        (&json!("2027-01-01"), &json!(false))
    );

    let told = register.registered();
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|own| own.times == 1), "{told:?}");
    assert!(
        told.iter()
            .all(|own| !own.told.to_string().contains("MA-7701")),
        "the register learns no identifier of a person"
    );
}

#[tokio::test]
async fn what_the_register_does_not_take_waits_in_sight_and_gets_its_code_when_it_is_back() {
    let register = Register::start(SECRET, 0).await.unwrap();
    let hub = hub(&register);
    let (insurer, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    register.kill().await;
    let claimed = claim("R-2", "MA-2001");
    hub.send(Method::POST, "/v1/claims", &provider, &claimed)
        .await
        .ok();
    let is_tried = |waiting: &[Value]| waiting.iter().any(|own| own["attempts"] != json!(0));
    let waiting = until(&hub, &insurer, is_tried).await;
    assert!(waiting[0]["error"].is_string(), "{waiting:?}");
    assert_eq!(
        waiting[1]["attempts"],
        json!(0),
        "a claim waits for its policy's code"
    );
    let added = ["participant", "add", "operator", "--role", "operator"];
    let operator = hub.place.json(&added)["key"].clone();
    let metrics = hub.get("/metrics", operator.as_str().unwrap()).await.text;
    assert!(
        metrics.contains("takmil_registrations_waiting 2"),
        "{metrics}"
    );
    register.revive().await.unwrap();
    all_registered(&hub, &insurer).await;
    assert_eq!(register.registered().len(), 2);

    // A code that something else has is none.
    register.behave(RegisterManner::SameForAll);
    let claimed = claim("R-3", "MA-2001");
    let sent = hub.send(Method::POST, "/v1/claims", &provider, &claimed);
    sent.await.ok();
    let is_refused = |waiting: &[Value]| waiting.iter().any(|own| own["error"].is_string());
    let waiting = until(&hub, &insurer, is_refused).await;
    assert_eq!(
        waiting[0]["error"],
        "the register gave a code that something else has"
    );
}
