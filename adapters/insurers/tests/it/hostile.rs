//! Insurers that break the rules of the wire itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Redirect};
use takmil_domain::participant::{Endpoint, Purpose, Transport};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_insurers::{Receipt, TransportError, Transports};
use takmil_proto::v1;
use takmil_proto::v1::insurer_service_server::{InsurerService, InsurerServiceServer};
use tonic::{Request, Response, Status};

use crate::fixture::{PATIENT, WIRES, delivery, endpoint, now, proposal};

/// Serves on a free port and returns the address.
pub(crate) async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

async fn decide(transport: Transport, app: Router, deadline: Duration) -> TransportError {
    let entry = endpoint(transport, serve(app).await);
    let asked = delivery(1, Purpose::Decide);
    let decided = Transports::new()
        .decide(&entry, &asked, &proposal(), deadline, now())
        .await;
    decided.unwrap_err()
}

fn too_large() -> TransportError {
    let detail = "the answer is larger than a decision may be";
    TransportError::Garbled(Problem::new(ProblemCode::TooLarge, "", detail))
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let visits = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&visits);
    let elsewhere = serve(Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { "{}" }
    }))
    .await;
    let app = Router::new().fallback(move || {
        let to = Redirect::temporary(&elsewhere);
        async { to }
    });
    let error = decide(Transport::Rest, app, PATIENT).await;
    let status = "http 307".to_owned();
    let permanent = false;
    assert_eq!(error, TransportError::Refused { status, permanent });
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let flood = Router::new().fallback(|| async {
        let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
        Body::from_stream(chunks)
    });
    assert_eq!(decide(Transport::Rest, flood, PATIENT).await, too_large());
    let drip = Router::new().fallback(|| async {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(" "), ()))
        });
        Body::from_stream(drops)
    });
    let begun = Instant::now();
    let error = decide(Transport::Rest, drip, Duration::from_millis(500)).await;
    assert_eq!(error, TransportError::Silent { waited_ms: 500 });
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_socket_that_opens_and_says_nothing_costs_the_deadline_alone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let authority = takmil_conformance::tls::Authority::new("own").unwrap();
    for wire in WIRES {
        for scheme in ["http", "https"] {
            let entry = Endpoint {
                ca_pem: Some(authority.certificate_pem().to_owned()),
                ..endpoint(wire, format!("{scheme}://{place}"))
            };
            let handed = delivery(1, Purpose::Decided);
            let transports = Transports::new();
            for _ in 0..2 {
                let deadline = Duration::from_millis(300);
                let begun = Instant::now();
                let outcome = transports.deliver(&entry, &handed, deadline, now()).await;
                assert_eq!(
                    outcome,
                    Err(TransportError::Silent { waited_ms: 300 }),
                    "{wire:?} {scheme}"
                );
                assert!(begun.elapsed() < Duration::from_secs(3));
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_decision_is_garbled() {
    for body in [
        "",
        "ok",
        "[]",
        "<html>0012345679</html>",
        "{\"verdict\": \"0012345679\"}",
    ] {
        let app = Router::new().fallback(move || async move { body });
        let error = decide(Transport::Rest, app, PATIENT).await;
        assert!(
            matches!(error, TransportError::Garbled(_)),
            "{body}: {error:?}"
        );
        assert!(
            !error.to_string().contains("0012345679"),
            "what may name a person is not repeated"
        );
    }
}

#[tokio::test]
async fn a_plain_success_is_receipt_enough() {
    let table = [
        ("", Ok(None)),
        ("OK", Ok(None)),
        ("{}", Ok(None)),
        (
            r#" {"reference": "A-1", "repeated": true}"#,
            Ok(Some("A-1")),
        ),
        (r#"{"reference": 1}"#, Err(ProblemCode::BadValue)),
        (r#"{"reference": "A-1""#, Err(ProblemCode::Malformed)),
        (
            "{\"reference\": \"\\u0000\"}",
            Err(ProblemCode::ControlCharacter),
        ),
    ];
    for (body, expected) in table {
        let url = serve(Router::new().fallback(move || async move { body })).await;
        let entry = endpoint(Transport::Rest, url);
        let handed = delivery(1, Purpose::Decided);
        match Transports::new()
            .deliver(&entry, &handed, PATIENT, now())
            .await
        {
            Ok(Receipt { reference, .. }) => {
                assert_eq!(expected, Ok(reference.as_deref()), "{body}")
            }
            Err(TransportError::Garbled(problem)) => {
                assert_eq!(expected, Err(problem.code), "{body}")
            }
            Err(error) => panic!("{body}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn a_status_that_says_something_of_the_call_itself_lasts_and_others_may_pass() {
    let table = [
        (400, true),
        (401, false),
        (403, false),
        (404, false),
        (408, false),
        (409, false),
        (410, false),
        (413, true),
        (422, true),
        (429, false),
        (500, false),
        (501, false),
        (502, false),
        (503, false),
        (504, false),
    ];
    for (code, permanent) in table {
        let answer = StatusCode::from_u16(code).unwrap();
        let app = Router::new().fallback(move || async move { answer });
        let status = format!("http {code}");
        let expected = TransportError::Refused { status, permanent };
        assert_eq!(decide(Transport::Rest, app, PATIENT).await, expected);
    }
}

/// A response as gRPC makes it when there is nothing but a status.
async fn bare_status(headers: Vec<(&'static str, &'static str)>) -> TransportError {
    let app = Router::new().fallback(move || {
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            map.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        async { map.into_response() }
    });
    decide(Transport::Grpc, app, PATIENT).await
}

#[tokio::test]
async fn a_broken_grpc_status_harms_nobody() {
    let grpc = ("content-type", "application/grpc");
    let details = ("grpc-status-details-bin", "*not base64*");
    let error = bare_status(vec![grpc, ("grpc-status", "13"), details]).await;
    assert!(matches!(error, TransportError::Garbled(_)), "{error:?}");
    let refused = |status: &str, permanent| TransportError::Refused {
        status: status.to_owned(),
        permanent,
    };
    let named = vec![grpc, ("grpc-status", "5"), ("grpc-message", "0012345679")];
    assert_eq!(bare_status(named).await, refused("grpc NotFound", false));
    let unknown = vec![grpc, ("grpc-status", "4711")];
    assert_eq!(bare_status(unknown).await, refused("grpc Unknown", false));
    let late = vec![grpc, ("grpc-status", "4")];
    assert!(matches!(
        bare_status(late).await,
        TransportError::Silent { .. }
    ));
    // A server that speaks no gRPC at all.
    let app = Router::new().fallback(|| async { StatusCode::NOT_FOUND });
    let error = decide(Transport::Grpc, app, PATIENT).await;
    assert_eq!(error, refused("grpc Unimplemented", false));
    let app = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "<html>") });
    let error = decide(Transport::Grpc, app, PATIENT).await;
    assert_eq!(error, refused("grpc Internal", false));
}

/// Answers whatever it was made with.
struct Parrot(v1::DecideResponse, v1::DeliverResponse);

#[tonic::async_trait]
impl InsurerService for Parrot {
    async fn decide(
        &self,
        _: Request<v1::DecideRequest>,
    ) -> Result<Response<v1::DecideResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
    async fn deliver(
        &self,
        _: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverResponse>, Status> {
        Ok(Response::new(self.1.clone()))
    }
    async fn clarify(
        &self,
        _: Request<v1::ClarifyRequest>,
    ) -> Result<Response<v1::ClarifyResponse>, Status> {
        Err(Status::unimplemented("an insurer of before"))
    }
    async fn eligibility(
        &self,
        _: Request<v1::EligibilityRequest>,
    ) -> Result<Response<v1::EligibilityResponse>, Status> {
        Err(Status::unimplemented("an insurer of before"))
    }
}

pub(crate) fn parrot(
    decision: Option<v1::InsurerDecision>,
    receipt: Option<v1::DeliveryReceipt>,
) -> Router {
    let parrot = Parrot(
        v1::DecideResponse { decision },
        v1::DeliverResponse { receipt },
    );
    tonic::service::Routes::new(InsurerServiceServer::new(parrot)).into_axum_router()
}

#[tokio::test]
async fn grpc_answers_are_bounded_complete_and_about_what_was_asked() {
    let huge = v1::InsurerDecision {
        note: "x".repeat(2 * 1024 * 1024),
        ..v1::InsurerDecision::default()
    };
    match decide(Transport::Grpc, parrot(Some(huge), None), PATIENT).await {
        TransportError::Garbled(problem) => assert_eq!(problem.code, ProblemCode::TooLarge),
        error => panic!("{error:?}"),
    }
    match decide(Transport::Grpc, parrot(None, None), PATIENT).await {
        TransportError::Garbled(problem) => assert_eq!(problem.pointer, "/decision"),
        error => panic!("{error:?}"),
    }
    let elsewhere = v1::InsurerDecision {
        message_id: "00000000-0000-0000-0000-000000000063".into(),
        reference: "A-1".into(),
        verdict: v1::Verdict::Approve.into(),
        ..v1::InsurerDecision::default()
    };
    match decide(Transport::Grpc, parrot(Some(elsewhere), None), PATIENT).await {
        TransportError::Garbled(problem) => assert_eq!(problem.pointer, "/message"),
        error => panic!("{error:?}"),
    }
    let other = v1::DeliveryReceipt {
        delivery_id: delivery(2, Purpose::Decided).id.to_string(),
        ..v1::DeliveryReceipt::default()
    };
    for (receipt, pointer) in [(None, "/receipt"), (Some(other), "/receipt/delivery_id")] {
        let entry = endpoint(Transport::Grpc, serve(parrot(None, receipt)).await);
        let handed = delivery(1, Purpose::Decided);
        match Transports::new()
            .deliver(&entry, &handed, PATIENT, now())
            .await
        {
            Err(TransportError::Garbled(problem)) => assert_eq!(problem.pointer, pointer),
            other => panic!("{other:?}"),
        }
    }
}
