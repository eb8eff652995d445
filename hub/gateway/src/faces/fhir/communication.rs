//! Replies to what insurers have asked, as FHIR.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_engine::{Error, Question};
use takmil_formats::{Context, fhir};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, fhir_alone};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::faces::request::Payload;
use crate::faces::submit::Original;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(communicate))
}

/// Replies to a question that an insurer has asked about a message, as FHIR.
///
/// The body is a Communication, or a Bundle with one. `about` names the message by an identifier of it, the sender's or
/// the hub's; `basedOn` the question by the identifier of its CommunicationRequest, as the ClaimResponse had it, where more
/// than one is open. The message goes before the insurer again. Sending the same reply again has no further effect.
#[utoipa::path(
    post, path = "/fhir/Communication", tag = "fhir",
    request_body(description = "A Communication, or a Bundle with one.", content(("application/fhir+json"), ("application/fhir+xml"))),
    responses((status = 201, description = "It was passed on. Location is the message that it is about.")),
)]
async fn communicate(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Response, Failure> {
    let format = fhir_alone(&payload)?;
    let body: Arc<[u8]> = payload.bytes.into();
    let result = reply(&app, &identity, Arc::clone(&body)).await;
    Ok(Original { format, body }.told(result))
}

async fn reply(app: &App, identity: &Identity, body: Arc<[u8]>) -> Result<Response, Failure> {
    let context = Context {
        default_currency: identity.participant.currency,
        today: app.engine.now().day(),
    };
    // A large body would hold up whoever shares the thread.
    let read = tokio::task::spawn_blocking(move || fhir::communication(&body, &context));
    let said = read.await.map_err(|_| Failure::from(Error::Stopping))??;
    let sender = &identity.participant;
    let message = app.engine.named(&sender.id, &said.about).await?;
    let message = message.ok_or(Code::NotFound)?;
    let reference = match said.question {
        Some(question) => question,
        None => {
            let mut open = app.engine.open_questions(&sender.id, message).await?;
            match (open.pop(), open.is_empty()) {
                (Some(only), true) => only,
                (None, _) => {
                    let detail = "no insurer waits for a reply about the message";
                    return Err(Problem::new(ProblemCode::BadValue, "/about", detail).into());
                }
                (Some(_), false) => {
                    let detail = "several questions are open: basedOn names one";
                    return Err(Problem::new(ProblemCode::Missing, "/basedOn", detail).into());
                }
            }
        }
    };
    let question = Question {
        reference,
        reply: said.text,
        attachments: said.attachments,
    };
    let taken = app.engine.reply(sender, message, question).await?;
    let taken = taken.as_ref().map_err(Failure::from)?;
    let mut headers = HeaderMap::new();
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/messages/{}", taken.answer.id)) {
        headers.insert(header::LOCATION, place);
    }
    Ok((StatusCode::CREATED, headers).into_response())
}
