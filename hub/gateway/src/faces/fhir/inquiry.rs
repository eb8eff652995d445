//! Questions about requests for leave: `$inquire`, as Da Vinci's guide to pre-authorisations defines it.

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use takmil_domain::message::Message;
use takmil_domain::problem::Problem;
use takmil_engine::{Error, RequestFound};
use takmil_formats::{Answered, Context, Outcome, Reply, fhir};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, fhir_alone};
use crate::auth::Identity;
use crate::code::Failure;
use crate::faces::reading::record;
use crate::faces::request::{Payload, RequestId};
use crate::faces::submit::Original;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(inquire))
}

/// Asks how pre-authorisations stand, by an example of them, as FHIR.
///
/// The body is a Claim of use `preauthorization`, or a Bundle with one. It asks for the sender's own requests: for those
/// under the identifiers or authorisation numbers that it names, with whatever has replaced them since, else for all of
/// its patient; a provider and days narrow it. The answer is a Bundle with the ClaimResponse of each as it is now, the
/// latest first, at most 50 and an OperationOutcome where there are more.
#[utoipa::path(
    post, path = "/fhir/Claim/$inquire", tag = "fhir",
    request_body(description = "A Claim, or a Bundle with one.", content(("application/fhir+json"), ("application/fhir+xml"))),
    responses((status = 200, description = "A Bundle of ClaimResponses.", content(("application/fhir+json"), ("application/fhir+xml")))),
)]
async fn inquire(
    State(app): State<App>,
    identity: Identity,
    Extension(id): Extension<RequestId>,
    payload: Payload,
) -> Result<Response, Failure> {
    let format = fhir_alone(&payload)?;
    let body: Arc<[u8]> = payload.bytes.into();
    let result = answer(&app, &identity, &id, Arc::clone(&body)).await;
    Ok(Original { format, body }.told(result))
}

async fn answer(
    app: &App,
    identity: &Identity,
    id: &RequestId,
    body: Arc<[u8]>,
) -> Result<Response, Failure> {
    let context = Context {
        default_currency: identity.participant.currency,
        today: app.engine.now().day(),
    };
    let example = read(Arc::clone(&body), context).await??;
    let sender = &identity.participant.id;
    let found = app.engine.inquire(sender, &example).await?;
    let ids = found.requests.iter().map(|own| own.answer.id.to_string());
    let ids: Vec<String> = ids.collect();
    if !ids.is_empty() {
        record(app, identity, "POST /fhir/Claim/$inquire", ids.join(" ")).await?;
    }
    let outcomes: Vec<Outcome<'_>> = found.requests.iter().map(told).collect();
    let reply = Reply {
        body: &body,
        hub: &app.base,
        request: &id.0,
        outcomes: &outcomes,
    };
    let written = fhir::found(&reply, found.is_cut);
    Ok(([(header::CONTENT_TYPE, written.media_type)], written.bytes).into_response())
}

/// A large body would hold up whoever shares the thread.
async fn read(body: Arc<[u8]>, context: Context) -> Result<Result<Message, Vec<Problem>>, Failure> {
    let read = tokio::task::spawn_blocking(move || fhir::inquiry(&body, &context));
    read.await.map_err(|_| Failure::from(Error::Stopping))
}

fn told(found: &RequestFound) -> Outcome<'_> {
    Outcome {
        place: "",
        result: Ok(Answered {
            message: &found.message,
            answer: &found.answer,
            json: None,
        }),
    }
}
