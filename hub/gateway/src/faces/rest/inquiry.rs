//! Questions about how claims stand, as X12 asks them: a 276 in, a 277 back.

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use takmil_engine::{Error, RequestsFound};
use takmil_formats::{Answered, Context, Fault, Outcome, Read, Reply, x12};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::faces::reading::record;
use crate::faces::request::{Payload, RequestId};
use crate::faces::submit::{Original, format_of};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(inquire))
}

/// Asks how claims stand, as X12: a 276, answered by a 999 and a 277.
///
/// Each TRN asks for the sender's own claims: for those under the number that REF*EJ or REF*1K names, with whatever has
/// replaced them since, else for all of its member; the provider and the days narrow it. The 277 has the status of each
/// as it is now, the latest first, at most 50, or D0:35 where none fits.
#[utoipa::path(
    post, path = "/v1/messages/$inquire", tag = "messages", operation_id = "inquire_claims",
    request_body(description = "An X12 276.", content(("application/edi-x12"))),
    responses((status = 200, description = "An X12 277.", content_type = "application/edi-x12")),
)]
async fn inquire(
    State(app): State<App>,
    identity: Identity,
    Extension(id): Extension<RequestId>,
    payload: Payload,
) -> Result<Response, Failure> {
    let format = format_of(&payload)?;
    if format.name != x12::FORMAT.name {
        let detail = "this address takes an X12 276";
        return Err(Failure::new(Code::Media, detail));
    }
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
    let kept = Arc::clone(&body);
    // A large body would hold up whoever shares the thread.
    let read = tokio::task::spawn_blocking(move || x12::inquiries(&kept, &context));
    let reading = read.await.map_err(|_| Failure::from(Error::Stopping))??;
    let sender = &identity.participant.id;
    let mut found: Vec<Option<RequestsFound>> = Vec::with_capacity(reading.messages.len());
    for asked in &reading.messages {
        found.push(match &asked.outcome {
            Ok(example) => Some(app.engine.inquire(sender, example).await?),
            Err(_) => None,
        });
    }
    let all = found.iter().flatten().flat_map(|own| &own.requests);
    let ids: Vec<String> = all.map(|own| own.answer.id.to_string()).collect();
    if !ids.is_empty() {
        record(app, identity, "POST /v1/messages/$inquire", ids.join(" ")).await?;
    }
    let faults: Vec<Vec<Fault<'_>>> = reading.messages.iter().map(faults).collect();
    let mut outcomes: Vec<Outcome<'_>> = Vec::new();
    for ((asked, found), faults) in reading.messages.iter().zip(&found).zip(&faults) {
        let place = asked.place.as_str();
        match found {
            Some(found) => outcomes.extend(found.requests.iter().map(|own| Outcome {
                place,
                result: Ok(Answered {
                    message: &own.message,
                    answer: &own.answer,
                    json: None,
                }),
            })),
            None => outcomes.push(Outcome {
                place,
                result: Err(faults),
            }),
        }
    }
    let reply = Reply {
        body: &body,
        hub: &app.base,
        request: &id.0,
        outcomes: &outcomes,
    };
    let written = (x12::FORMAT.answer)(&reply);
    Ok(([(header::CONTENT_TYPE, written.media_type)], written.bytes).into_response())
}

fn faults(asked: &Read) -> Vec<Fault<'_>> {
    let problems = asked.outcome.as_ref().err();
    problems.into_iter().flatten().map(Fault::from).collect()
}
