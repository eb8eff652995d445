//! A body of messages on its way through the engine and back, the same for every face over HTTP.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use takmil_domain::audit::Receipt;
use takmil_domain::message::Kind;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_engine::{Outcome, Refusal, Submission, Taken};
use takmil_formats::{Answered, Format, Reply, native, recognise};

use super::App;
use super::request::{Complete, Payload, RequestId, idempotency_key};
use crate::auth::Identity;
use crate::code::{Code, Failure};

/// Says that the answer is the one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The log's promise to have the answer.
const RECEIPT: HeaderName = HeaderName::from_static("takmil-receipt");

/// A body in a wire format whose own words its sender understands, failures included.
#[derive(Debug, Clone)]
pub(crate) struct Original {
    /// The format.
    pub(crate) format: &'static Format,
    /// The body.
    pub(crate) body: Arc<[u8]>,
}

impl Original {
    /// What goes back for this body: a failure in the words of its format.
    pub(crate) fn told(self, result: Result<Response, Failure>) -> Response {
        result.unwrap_or_else(|failure| {
            let mut response = failure.into_response();
            response.extensions_mut().insert(self);
            response
        })
    }
}

/// Sends a body of `format` in, and gives the response in that format.
pub(crate) async fn submit(
    app: &App,
    request: (&Identity, &RequestId, &HeaderMap),
    format: &'static Format,
    expect: Option<Kind>,
    body: Vec<u8>,
) -> Response {
    let kept: Arc<[u8]> = body.as_slice().into();
    match attempt(app, request, format, expect, body, &kept).await {
        Ok(response) => response,
        Err(failure) if is_native(format) => failure.into_response(),
        failed => Original { format, body: kept }.told(failed),
    }
}

async fn attempt(
    app: &App,
    (identity, id, headers): (&Identity, &RequestId, &HeaderMap),
    format: &'static Format,
    expect: Option<Kind>,
    body: Vec<u8>,
    kept: &[u8],
) -> Result<Response, Failure> {
    let submission = Submission {
        sender: Arc::clone(&identity.participant),
        format,
        expect,
        body,
        idempotency_key: idempotency_key(headers)?,
        received_at: app.engine.now(),
    };
    let outcomes = app.engine.submit(submission).await?;
    outcomes
        .iter()
        .for_each(|outcome| count(app, format, outcome));
    let told: Vec<Told> = outcomes.into_iter().map(Told::from).collect();
    respond(app, id, format, kept, &told)
}

/// Whether a body is in the hub's own form, whose failures are problems (RFC 9457).
fn is_native(format: &Format) -> bool {
    format.name == native::FORMAT.name
}

/// The format of a payload: by content first, then by the media type that its sender names.
///
/// # Errors
/// [`ProblemCode::UnknownFormat`] where it is none that the hub speaks.
pub(crate) fn format_of(payload: &Payload) -> Result<&'static Format, Failure> {
    let unknown = || {
        let code = ProblemCode::UnknownFormat;
        Failure::from(Problem::new(code, "", code.meaning()))
    };
    recognise(payload.media_type.as_deref(), &payload.bytes).ok_or_else(unknown)
}

/// Counts what became of a message.
pub(super) fn count(app: &App, format: &Format, outcome: &Outcome) {
    let kind = outcome
        .message
        .as_ref()
        .map_or("unread", |message| message.kind().as_str());
    let became = match &outcome.result {
        Ok(taken) if taken.repeated => "repeated",
        Ok(taken) => taken.answer.state.as_str(),
        Err(Refusal::Invalid(_)) => "refused",
        Err(Refusal::Changed { .. }) => "changed",
    };
    app.metrics.message(kind, format.name, became);
}

/// What became of one message, as the sender is told it.
struct Told {
    outcome: Outcome,
    failure: Option<Failure>,
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Told {
        let failure = outcome.result.as_ref().err().map(Failure::from);
        Told { outcome, failure }
    }
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Failure {
        match refusal {
            Refusal::Invalid(problems) => Failure::from(problems.clone()),
            Refusal::Changed { earlier } => {
                let detail = format!(
                    "another content was taken before under this key or identifier, as message {earlier}"
                );
                Failure::new(Code::Changed, detail)
            }
        }
    }
}

fn respond(
    app: &App,
    id: &RequestId,
    format: &Format,
    body: &[u8],
    told: &[Told],
) -> Result<Response, Failure> {
    // A lone native message is refused as every request to the hub's own interface is: with a problem.
    if let (
        [
            Told {
                outcome,
                failure: Some(failure),
            },
        ],
        true,
    ) = (told, is_native(format))
        && outcome.place.is_empty()
    {
        return Err(failure.clone());
    }
    let faults: Vec<_> = told
        .iter()
        .map(|told| told.failure.as_ref().map(Failure::faults))
        .collect();
    let outcomes: Vec<_> = told
        .iter()
        .zip(&faults)
        .map(|(told, faults)| as_written(told, faults.as_deref()))
        .collect();
    let written = (format.answer)(&Reply {
        body,
        hub: &app.base,
        request: &id.0,
        outcomes: &outcomes,
    });
    let mut response = Response::new(Body::from(written.bytes));
    *response.status_mut() = status(told, is_native(format));
    response.extensions_mut().insert(Complete);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(written.media_type),
    );
    if let [
        Told {
            outcome: Outcome {
                result: Ok(taken), ..
            },
            ..
        },
    ] = told
    {
        name(headers, taken);
    }
    Ok(response)
}

fn as_written<'a>(
    told: &'a Told,
    faults: Option<&'a [takmil_formats::Fault<'a>]>,
) -> takmil_formats::Outcome<'a> {
    let Outcome {
        place,
        message,
        result,
    } = &told.outcome;
    let result = match (result, message) {
        (Ok(taken), Some(message)) => Ok(Answered {
            message,
            answer: &taken.answer,
            json: Some(taken.answer.json()),
        }),
        _ => Err(faults.unwrap_or_default()),
    };
    takmil_formats::Outcome { place, result }
}

/// The status of a whole response. A list of native messages is a multi-status: each result says its own.
fn status(told: &[Told], is_native: bool) -> StatusCode {
    let any_taken = told.iter().any(|told| told.failure.is_none());
    let first = told.iter().find_map(|told| told.failure.as_ref());
    match (is_native, first) {
        (true, _) if told.len() > 1 => StatusCode::MULTI_STATUS,
        (_, Some(failure)) if !any_taken => failure.code.http(),
        _ => StatusCode::OK,
    }
}

/// Where the message is to be found, and whether it had been answered before.
fn name(headers: &mut HeaderMap, taken: &Taken) {
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/messages/{}", taken.answer.id)) {
        headers.insert(header::LOCATION, place);
    }
    if taken.repeated {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(receipt) = taken.receipt.as_deref().and_then(spelled) {
        headers.insert(RECEIPT, receipt);
    }
}

/// A receipt as a header has it: JSON in base64.
fn spelled(receipt: &Receipt) -> Option<HeaderValue> {
    let json = serde_json::to_vec(receipt).ok()?;
    HeaderValue::try_from(STANDARD.encode(json)).ok()
}

/// The answer to a single message that needed no body in a wire format.
pub(crate) fn answer(result: Result<Taken, Refusal>) -> Result<Response, Failure> {
    let taken = result.as_ref().map_err(Failure::from)?;
    let mut response = axum::Json(&**taken.answer).into_response();
    name(response.headers_mut(), taken);
    Ok(response)
}
