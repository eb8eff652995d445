//! What all requests over HTTP have in common: their id, their headers and body as read within bounds, and the
//! one layer that writes failures, counts, and logs. It knows no message.

use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::{MAX_BODY_BYTES, Reply};

use super::submit::Original;
use super::{App, Phase, fhir};
use crate::auth::Refused;
use crate::code::{Chain, Code, Failure};

/// The header of a request's id, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header of the sender's key of a request.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The most that is read, and thrown away, of a body that is too large: a client that writes before it reads
/// then sees the answer instead of a broken connection.
const MAX_DISCARDED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// The media type of a problem (RFC 9457).
const PROBLEM_JSON: &str = "application/problem+json";

/// The id of one request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

impl RequestId {
    /// The sender's own, where it can stand in a log line; else a fresh one.
    fn of(headers: &HeaderMap) -> RequestId {
        let own = headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        let plain = |text: &&str| {
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match own.filter(plain) {
            Some(own) => RequestId(own.into()),
            None => RequestId(
                uuid::Builder::from_random_bytes(rand::random())
                    .into_uuid()
                    .to_string()
                    .into(),
            ),
        }
    }
}

/// The outermost layer: names the request, answers for what fails inside it, counts and logs it.
pub(crate) async fn attend(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let is_fhir = request.uri().path().starts_with("/fhir");
    let (method, version) = (request.method().clone(), request.version());
    request.extensions_mut().insert(id.clone());
    let mut response = match request.extensions_mut().remove::<Refused>() {
        Some(Refused(failure)) => failure.into_response(),
        None => next.run(request).await,
    };
    if let Some(failure) = failure_of(&mut response) {
        if let Some(cause) = &failure.cause {
            // While the database is away, every request fails by the same cause.
            if failure.code == Code::Busy {
                app.outage.failed(cause.as_ref());
            } else {
                tracing::error!(request.id = %id.0, http.route = route, error = %Chain(cause.as_ref()), "a request failed inside the hub");
            }
        }
        response = match response.extensions_mut().remove::<Original>() {
            Some(original) => told_in(&app, &failure, &id, &original),
            None if is_fhir => told_in(&app, &failure, &id, &fhir::original()),
            None => failed(&failure, PROBLEM_JSON, problem(&failure, &id).to_string()),
        };
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if version <= Version::HTTP_11 && *app.phase.borrow() != Phase::Serving {
        // Whoever keeps a connection is to come back on another, before this one is closed between two requests.
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics.request(route, status, took);
    tracing::debug!(
        request.id = %id.0,
        http.method = %method,
        http.route = route,
        http.status = status,
        duration_ms = took.as_millis(),
        "answered a request"
    );
    response
}

/// Marks a response that says all there is to say, though its status is that of a failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Complete;

/// The failure that a response carries, or stands for with a bare status.
fn failure_of(response: &mut Response) -> Option<Arc<Failure>> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    if response.extensions().get::<Complete>().is_some() {
        return None;
    }
    let carried = response.extensions_mut().remove::<Arc<Failure>>();
    Some(carried.unwrap_or_else(|| Arc::new(Failure::from(Code::of_status(status)))))
}

/// A failure as RFC 9457 says it.
fn problem(failure: &Failure, id: &RequestId) -> Value {
    let mut problem = json!({
        "type": format!("/docs#{}", failure.public_code()),
        "title": failure.meaning(),
        "status": failure.code.http().as_u16(),
        "detail": failure.sentence(),
        "code": failure.public_code(),
        "request_id": &*id.0,
    });
    if let (Some(first), Some(members)) = (failure.problems.first(), problem.as_object_mut()) {
        members.insert("pointer".to_owned(), json!(first.pointer));
        members.insert("problems".to_owned(), json!(failure.problems));
    }
    problem
}

/// A failure in the words of the format that the sender speaks.
fn told_in(app: &App, failure: &Failure, id: &RequestId, original: &Original) -> Response {
    let faults = failure.faults();
    let outcome = takmil_formats::Outcome {
        place: "",
        result: Err(&faults),
    };
    let written = (original.format.answer)(&Reply {
        body: &original.body,
        hub: &app.base,
        request: &id.0,
        outcomes: &[outcome],
    });
    failed(failure, written.media_type, written.bytes)
}

/// A response that tells of a failure, with the headers that go with it.
fn failed(failure: &Failure, media_type: &'static str, body: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut response = (failure.code.http(), headers, body.into()).into_response();
    if let Some(seconds) = failure.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if failure.code.http() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The sender's key of a request, where it has one.
///
/// # Errors
/// A failure where it is not 1 to 255 visible ASCII characters.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let wrong = || {
        Failure::new(
            Code::Parameter,
            "Idempotency-Key is 1 to 255 visible ASCII characters",
        )
    };
    let visible = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let fits = (1..=255).contains(&value.len()) && value.as_bytes().iter().all(visible);
    match value.to_str() {
        Ok(key) if fits => Ok(Some(key.to_owned())),
        _ => Err(wrong()),
    }
}

/// A request's body, read within bounds.
#[derive(Debug)]
pub(crate) struct Payload {
    /// The media type that the sender names, with its parameters.
    pub(crate) media_type: Option<String>,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Payload, Failure> {
        let (parts, body) = request.into_parts();
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let media_type = text(header::CONTENT_TYPE).map(str::to_owned);
        if text(header::CONTENT_ENCODING)
            .is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
        {
            return Err(Failure::new(
                Code::Media,
                "bodies are taken as they are, without a content coding",
            ));
        }
        let bytes = read(body).await?;
        Ok(Payload { media_type, bytes })
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut discarded = 0_usize;
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Failure::new(Code::Body, "the body broke off"))?;
        let too_large = discarded > 0 || bytes.len().saturating_add(part.len()) > MAX_BODY_BYTES;
        if !too_large {
            bytes.extend_from_slice(&part);
            continue;
        }
        discarded = discarded
            .saturating_add(bytes.len())
            .saturating_add(part.len());
        bytes = Vec::new();
        if discarded > MAX_DISCARDED_BYTES {
            break;
        }
    }
    match discarded {
        0 => Ok(bytes),
        _ => {
            let detail = format!("a body has at most {MAX_BODY_BYTES} bytes");
            Err(Problem::new(ProblemCode::TooLarge, "", detail).into())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn keys_are_short_visible_text_or_refused() {
        let check = |value: &[u8], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(
                idempotency_key(&headers).ok().flatten().as_deref(),
                expected
            );
        };
        check(
            b"till 7 / 2026-11-21 / 18:40",
            Some("till 7 / 2026-11-21 / 18:40"),
        );
        check(&[b'x'; 255], Some(&"x".repeat(255)));
        check(&[b'x'; 256], None);
        check("کلید".as_bytes(), None);
        check(b"a\tb", None);
        check(b"", None);
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_request_id_is_kept_where_a_log_can_hold_it() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(value).unwrap());
            RequestId::of(&headers).0.to_string()
        };
        assert_eq!(of("till-7.0042"), "till-7.0042");
        assert_eq!(of("two words").len(), 36);
        assert_eq!(of(&"x".repeat(129)).len(), 36);
        assert_ne!(of(""), of(""));
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_bound_and_no_further() {
        assert_eq!(
            read(Body::from(vec![1; MAX_BODY_BYTES]))
                .await
                .unwrap()
                .len(),
            MAX_BODY_BYTES
        );
        let failure = read(Body::from(vec![1; MAX_BODY_BYTES + 1]))
            .await
            .unwrap_err();
        assert_eq!(
            (failure.code, failure.public_code()),
            (Code::Size, "FMT-SIZE")
        );
    }

    #[test]
    fn a_problem_names_its_code_place_and_request() {
        let failure = Failure::from(Problem::new(
            ProblemCode::BadDate,
            "/occurred_on",
            "not a real day",
        ));
        assert_eq!(
            problem(&failure, &RequestId("r-1".into())),
            json!({
                "type": "/docs#VAL-DATE", "title": ProblemCode::BadDate.meaning(), "status": 422,
                "detail": "not a real day", "code": "VAL-DATE", "request_id": "r-1", "pointer": "/occurred_on",
                "problems": [{"code": "VAL-DATE", "pointer": "/occurred_on", "detail": "not a real day"}],
            })
        );
    }
}
