//! Providers towards the hub.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Json;
use serde_json::{Value, json};
use takmil_conformance::Error;
use takmil_conformance::insurer::{Setup, Simulator, Wire};
use takmil_conformance::provider::Client;
use takmil_conformance::tls::Authority;

/// Tells what it was sent.
async fn echo(uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let header = |name| {
        headers
            .get(name)
            .map(|value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned())
    };
    let told = json!({
        "path": uri.path(), "type": header("content-type"), "key": header("authorization"),
        "once": header("idempotency-key"), "body": String::from_utf8(body.to_vec()).unwrap(),
    });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(told))
}

#[tokio::test]
async fn bytes_go_as_they_are_and_a_refusal_is_an_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(echo)).await });
    let provider = Client::new(&url, None, Some("k-1")).unwrap();
    let body = "{\"کلید\": 1} ".as_bytes().to_vec();
    let reply = provider
        .send("/v1/claims", "application/fhir+json", body, Some("till-7"))
        .await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status, &*reply.media_type),
        (422, "application/json")
    );
    let expected = json!({
        "path": "/v1/claims", "type": "application/fhir+json", "key": "Bearer k-1", "once": "till-7",
        "body": "{\"کلید\": 1} ",
    });
    assert_eq!(reply.json(), expected);
    let stranger = Client::new(&url, None, None).unwrap();
    let reply = stranger.read("/v1/messages/1").await.unwrap();
    assert_eq!(reply.json()["key"], Value::Null);
    assert_eq!(reply.json()["path"], "/v1/messages/1");
}

#[tokio::test]
async fn only_the_hubs_own_authority_is_trusted() {
    let own = Authority::new("own").unwrap();
    let other = Authority::new("other").unwrap();
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned();
    // Any server with a certificate will do.
    let server = Simulator::start(Setup {
        identity: Some(own.issue(&["127.0.0.1"]).unwrap()),
        ..Setup::new("asia", Wire::Rest { secret })
    });
    let server = server.await.unwrap();
    for (authority, status) in [(&own, Some(404)), (&other, None)] {
        let client = Client::new(&server.url(), Some(authority.certificate_pem()), None).unwrap();
        match client.read("/").await {
            Ok(reply) => assert_eq!(status, Some(reply.status)),
            Err(error) => assert!(status.is_none() && matches!(error, Error::Unreachable(_))),
        }
    }
}
