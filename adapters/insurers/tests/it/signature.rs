//! Webhooks: an insurer believes what the hub signed, and nothing else.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use takmil_conformance::insurer::Script;
use takmil_domain::participant::{Endpoint, Purpose, Transport};
use takmil_insurers::{TransportError, Transports};

use crate::fixture::{Insurer, PATIENT, delivery, endpoint, now};
use crate::hostile::serve;

/// A request as it stood on the wire.
type Caught = Arc<Mutex<Option<(HeaderMap, Bytes)>>>;

/// What the hub sends for a delivery.
async fn catch(transports: &Transports) -> (HeaderMap, Bytes) {
    let caught = Caught::default();
    let keep = Arc::clone(&caught);
    let app = Router::new().route(
        "/deliver",
        post(move |headers: HeaderMap, body: Bytes| {
            *keep.lock().unwrap() = Some((headers, body));
            async { StatusCode::NO_CONTENT }
        }),
    );
    let entry = endpoint(Transport::Rest, serve(app).await);
    let handed = delivery(1, Purpose::Decided);
    transports
        .deliver(&entry, &handed, PATIENT, now())
        .await
        .unwrap();
    let caught = caught.lock().unwrap().take();
    caught.unwrap()
}

#[tokio::test]
async fn while_a_secret_is_exchanged_either_is_enough() {
    let insurer = Insurer::start(Transport::Rest, Script::approve()).await;
    let transports = Transports::new();
    let mut exchanged = insurer.endpoint.clone();
    let new = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    exchanged.rotate(new.to_owned(), now().plus_ms(60_000));
    let handed = delivery(1, Purpose::Decided);
    let taken = transports
        .deliver(&exchanged, &handed, PATIENT, now())
        .await;
    taken.unwrap();
    exchanged.rotate(new.to_owned(), now());
    let over = transports
        .deliver(&exchanged, &handed, PATIENT, now())
        .await;
    assert!(
        matches!(over, Err(TransportError::Refused { .. })),
        "{over:?}"
    );
    assert_eq!(insurer.simulator.tally().forged, 1);
}

#[tokio::test]
async fn a_request_that_was_tampered_with_is_not_believed() {
    let transports = Transports::new();
    let (headers, body) = catch(&transports).await;
    assert_eq!(
        headers["webhook-id"],
        delivery(1, Purpose::Decided).id.to_string()
    );
    let insurer = Insurer::start(Transport::Rest, Script::approve()).await;
    let url = format!("{}/deliver", insurer.simulator.url());
    let send = |headers: HeaderMap, body: Vec<u8>| {
        let request = reqwest::Client::new()
            .post(&url)
            .headers(headers)
            .body(body);
        async { request.send().await.unwrap().status().as_u16() }
    };
    let with = |name: &'static str, value: String| {
        let mut headers = headers.clone();
        headers.insert(name, value.parse().unwrap());
        headers
    };
    let without = |name: &str| {
        let mut headers = headers.clone();
        headers.remove(name);
        headers
    };
    let raised = String::from_utf8(body.to_vec())
        .unwrap()
        .replace("243609", "943609");
    assert_ne!(raised.as_bytes(), &body[..]);
    let later = (now().0 / 1_000_000 + 1).to_string();
    let table = [
        (headers.clone(), raised.into_bytes()),
        (
            with("webhook-id", delivery(2, Purpose::Decided).id.to_string()),
            body.to_vec(),
        ),
        (with("webhook-timestamp", later), body.to_vec()),
        (without("webhook-signature"), body.to_vec()),
        (without("webhook-timestamp"), body.to_vec()),
    ];
    for (at, (headers, body)) in table.into_iter().enumerate() {
        assert_eq!(send(headers, body).await, 401, "row {at}");
    }
    assert_eq!(insurer.simulator.tally().forged, 5);
    assert_eq!(insurer.simulator.tally().deliveries, 0);
    assert_eq!(
        send(headers.clone(), body.to_vec()).await,
        200,
        "as it was sent"
    );
    assert_eq!(insurer.simulator.tally().deliveries, 1);
}

#[tokio::test]
async fn another_secret_and_an_old_signature_are_refused() {
    let transports = Transports::new();
    let insurer = Insurer::start(Transport::Rest, Script::approve()).await;
    let refused = |outcome| {
        let status = "http 401".to_owned();
        assert_eq!(
            outcome,
            Err(TransportError::Refused {
                status,
                permanent: false
            })
        );
    };
    let handed = delivery(1, Purpose::Decided);
    let other = Endpoint {
        secret: Some("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        ..insurer.endpoint.clone()
    };
    refused(transports.deliver(&other, &handed, PATIENT, now()).await);
    let mut long_ago = now();
    long_ago.0 -= 10 * 60 * 1_000_000;
    let late = transports.deliver(&insurer.endpoint, &handed, PATIENT, long_ago);
    refused(late.await);
    assert_eq!(insurer.simulator.tally().forged, 2);
    let timely = transports.deliver(&insurer.endpoint, &handed, PATIENT, now());
    timely.await.unwrap();
}
