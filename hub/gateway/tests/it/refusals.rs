//! What the hub turns away, each with its own code, and never with more than it should say.

use reqwest::Method;
use serde_json::json;
use std::time::Duration;

use crate::hub::{Hub, INSURER, OTHER_INSURER, OTHER_PROVIDER, PROVIDER, claim};

#[tokio::test]
async fn bad_bodies_are_told_what_is_wrong_and_where() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let bearer = format!("Bearer {key}");
    let send = async |path: &str, body: &str| {
        hub.raw(
            Method::POST,
            path,
            &[
                ("authorization", &bearer),
                ("content-type", "application/json"),
            ],
            body.to_owned(),
        )
        .await
    };
    let mut bad_day = claim("R-1", "MA-2001");
    bad_day["occurred_on"] = json!("2026-02-30");
    let cases = [
        ("/v1/claims", "{".to_owned(), 400, "FMT-MALFORMED"),
        ("/v1/claims", String::new(), 400, "FMT-MALFORMED"),
        ("/v1/claims", "[]".to_owned(), 400, "FMT-EMPTY"),
        (
            "/v1/estimates",
            claim("R-2", "MA-2001").to_string(),
            422,
            "FMT-KIND",
        ),
        ("/v1/claims", bad_day.to_string(), 422, "VAL-DATE"),
        (
            "/v1/claims",
            json!({"kind": "claim"}).to_string(),
            422,
            "VAL-MISSING",
        ),
    ];
    for (path, body, status, code) in cases {
        send(path, &body).await.is_problem(status, code);
    }
    let answer = send("/v1/claims", &bad_day.to_string()).await.json();
    assert_eq!(answer["pointer"], json!("/occurred_on"));
    let unknown = hub
        .raw(
            Method::POST,
            "/v1/messages",
            &[("authorization", &bearer)],
            "words of no format",
        )
        .await;
    unknown.is_problem(415, "FMT-UNKNOWN");
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_and_the_hub_goes_on() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let bearer = format!("Bearer {key}");
    let body = vec![b' '; 16 * 1024 * 1024 + 1];
    let answer = hub
        .raw(
            Method::POST,
            "/v1/claims",
            &[("authorization", &bearer)],
            body,
        )
        .await;
    answer.is_problem(413, "FMT-SIZE");
    hub.send(Method::POST, "/v1/claims", &key, &claim("S-1", "MA-2001"))
        .await
        .ok();
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_or_beyond_their_role() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let no_key = hub.raw(Method::POST, "/v1/claims", &[], "{}").await;
    no_key.is_problem(401, "API-CREDENTIALS");
    assert_eq!(no_key.header("www-authenticate"), "Bearer");
    hub.send(
        Method::POST,
        "/v1/claims",
        "tk_wrong",
        &claim("N-1", "MA-2001"),
    )
    .await
    .is_problem(401, "API-CREDENTIALS");
    hub.send(
        Method::POST,
        "/v1/claims",
        &insurer,
        &claim("N-1", "MA-2001"),
    )
    .await
    .is_problem(403, "API-FORBIDDEN");
    hub.send(Method::PUT, "/v1/coverages", &provider, &json!([]))
        .await
        .is_problem(403, "API-FORBIDDEN");
    hub.send(Method::POST, "/v1/postings", &provider, &json!([]))
        .await
        .is_problem(403, "API-FORBIDDEN");
    hub.get("/v1/deliveries", &provider)
        .await
        .is_problem(403, "API-FORBIDDEN");
    hub.get("/metrics", &provider)
        .await
        .is_problem(403, "API-FORBIDDEN");

    // A revoked key is closed within the few seconds for which its holder is remembered.
    let output = hub.place.run(&["participant", "revoke"], &insurer);
    assert!(output.status.success());
    let revoked = std::time::Instant::now();
    while hub
        .get("/v1/deliveries", &insurer)
        .await
        .status
        .is_success()
    {
        assert!(
            revoked.elapsed() < Duration::from_secs(10),
            "it still opens"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let closed = hub.get("/v1/deliveries", &insurer).await;
    closed.is_problem(401, "API-CREDENTIALS");
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let answer = hub
        .send(Method::POST, "/v1/claims", &key, &claim("X-1", "MA-2001"))
        .await
        .ok();
    let id = answer["id"].as_str().unwrap();
    let way = format!("/v1/messages/{id}");
    let absent = "/v1/messages/019abcde-0000-7000-8000-000000000001";
    let strangers = [hub.place.key(OTHER_PROVIDER), hub.place.key(OTHER_INSURER)];
    for stranger in &strangers {
        for path in [way.as_str(), absent, "/v1/messages/no-id"] {
            let answer = hub.get(path, stranger).await;
            answer.is_problem(404, "API-NOT-FOUND");
            assert_eq!(
                answer.json()["detail"],
                json!("There is nothing here that these credentials may see.")
            );
        }
    }
    let member = hub.get(&way, &key).await.ok()["member"]
        .as_str()
        .unwrap()
        .to_owned();
    hub.get(&format!("/v1/members/{member}/remainders"), &strangers[1])
        .await
        .is_problem(404, "API-NOT-FOUND");
    hub.get("/v1/nothing", &key)
        .await
        .is_problem(404, "API-NOT-FOUND");
    hub.send(Method::DELETE, "/v1/claims", &key, &json!({}))
        .await
        .is_problem(405, "API-METHOD");
    hub.get("/v1/messages?colour=red", &key)
        .await
        .is_problem(400, "API-PARAMETER");
    hub.get("/v1/messages?kind=poem", &key)
        .await
        .is_problem(400, "API-PARAMETER");
}

#[tokio::test]
async fn whoever_sends_too_much_is_told_when_to_come_back() {
    let hub = Hub::start("[limits]\nrequests_per_second = 1\nburst = 2\n");
    let (key, other) = (hub.place.key(PROVIDER), hub.place.key(OTHER_PROVIDER));
    hub.get("/v1/messages", &key).await.ok();
    hub.get("/v1/messages", &key).await.ok();
    let answer = hub.get("/v1/messages", &key).await;
    answer.is_problem(429, "API-RATE");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    hub.get("/v1/messages", &other).await.ok();
}
