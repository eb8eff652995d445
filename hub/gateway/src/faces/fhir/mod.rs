//! The FHIR face: the operations of the standard under their own names. Bodies are JSON or XML; every answer,
//! failures included, is FHIR.

mod communication;
mod inquiry;
mod metadata;
mod terminology;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::Value;
use takmil_domain::message::Kind;
use takmil_formats::Format;
use takmil_formats::fhir::FORMAT;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::request::{Payload, RequestId};
use super::submit::{Original, format_of, submit};
use crate::auth::Identity;
use crate::code::{Code, Failure};

/// What stands for a body where a request had none, or none that could be read.
pub(crate) fn original() -> Original {
    Original {
        format: &FORMAT,
        body: [].into(),
    }
}

/// The routes of this face.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(submit_claim))
        .merge(inquiry::routes())
        .merge(communication::routes())
        .routes(routes!(submit_eligibility))
        .routes(routes!(process_message))
        .merge(terminology::routes())
        .routes(routes!(metadata))
}

/// Sends a claim, a predetermination or a pre-authorisation as FHIR.
///
/// The body is a Claim, or a Bundle that holds one with what it refers to. The answer is a ClaimResponse with
/// its adjudication line by line, in a Bundle where the body was one.
#[utoipa::path(
    post, path = "/fhir/Claim/$submit", tag = "fhir",
    request_body(description = "A Claim, or a Bundle with one.", content(("application/fhir+json"), ("application/fhir+xml"))),
    responses((status = 200, description = "A ClaimResponse, or a Bundle with one.", content(("application/fhir+json"), ("application/fhir+xml")))),
)]
async fn submit_claim(
    State(app): State<App>,
    identity: Identity,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Failure> {
    take(&app, (&identity, &id, &headers), payload, None).await
}

/// Asks about cover as FHIR.
///
/// The body is a CoverageEligibilityRequest, or a Bundle that holds one. The answer is a
/// CoverageEligibilityResponse.
#[utoipa::path(
    post, path = "/fhir/CoverageEligibilityRequest/$submit", tag = "fhir",
    request_body(description = "A CoverageEligibilityRequest, or a Bundle with one.", content(("application/fhir+json"), ("application/fhir+xml"))),
    responses((status = 200, description = "A CoverageEligibilityResponse, or a Bundle with one.", content(("application/fhir+json"), ("application/fhir+xml")))),
)]
async fn submit_eligibility(
    State(app): State<App>,
    identity: Identity,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Failure> {
    take(
        &app,
        (&identity, &id, &headers),
        payload,
        Some(Kind::Eligibility),
    )
    .await
}

/// Sends any message as FHIR.
///
/// The body is a Bundle of any type, or a single resource. Each message in it has its own answer, in order; a bad
/// one sinks no other.
#[utoipa::path(
    post, path = "/fhir/$process-message", tag = "fhir",
    request_body(description = "A Bundle or a resource.", content(("application/fhir+json"), ("application/fhir+xml"))),
    responses((status = 200, description = "The answers.", content(("application/fhir+json"), ("application/fhir+xml")))),
)]
async fn process_message(
    State(app): State<App>,
    identity: Identity,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Failure> {
    take(&app, (&identity, &id, &headers), payload, None).await
}

async fn take(
    app: &App,
    request: (&Identity, &RequestId, &HeaderMap),
    payload: Payload,
    expect: Option<Kind>,
) -> Result<Response, Failure> {
    let format = fhir_alone(&payload)?;
    Ok(submit(app, request, format, expect, payload.bytes).await)
}

/// The format of a body that has to be FHIR.
fn fhir_alone(payload: &Payload) -> Result<&'static Format, Failure> {
    let format = format_of(payload)?;
    if format.name != FORMAT.name {
        return Err(Failure::new(
            Code::Media,
            "this address takes FHIR R4, as JSON or XML",
        ));
    }
    Ok(format)
}

/// Says what this face can do: a CapabilityStatement.
#[utoipa::path(
    get, path = "/fhir/metadata", tag = "fhir", security(()),
    responses((status = 200, description = "A CapabilityStatement.", content_type = "application/fhir+json")),
)]
async fn metadata(State(app): State<App>) -> ([(&'static str, &'static str); 1], Json<Value>) {
    let statement = metadata::statement(&app.base);
    ([("content-type", "application/fhir+json")], Json(statement))
}
