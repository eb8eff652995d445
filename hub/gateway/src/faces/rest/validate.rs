//! Reading a body without taking it: what the hub understands of it, and what it would refuse.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use takmil_domain::message::Message;
use takmil_domain::problem::Problem;
use takmil_formats::Context;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use crate::auth::Identity;
use crate::code::Failure;
use crate::faces::request::Payload;
use crate::faces::submit::format_of;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(validate))
}

/// What a body holds.
#[derive(Serialize)]
struct Validated {
    format: &'static str,
    results: Vec<Found>,
    /// Places that belong to no message.
    unread: Vec<String>,
}

/// One message of it.
#[derive(Serialize)]
struct Found {
    place: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Message(Box<Message>),
    Problems(Vec<Problem>),
}

/// Reads and checks messages of any kind, in any format, and takes none of them.
///
/// Each comes back in canonical form, or with everything that is wrong with it.
#[utoipa::path(
    post, path = "/v1/messages/$validate", tag = "messages", operation_id = "validate_messages",
    request_body(description = "A message, or a list of them.", content(
        (Value = "application/json"), ("application/fhir+json"), ("application/fhir+xml"),
    )),
    responses(
        (status = 200, description = "What was read, message by message.", body = Value),
    ),
)]
async fn validate(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let sender = &identity.participant;
    let format = format_of(&payload)?;
    let context = Context {
        default_currency: sender.currency,
        today: app.engine.now().day(),
    };
    let reading = takmil_formats::read(format, &payload.bytes, &context)?;
    let found = |read: takmil_formats::Read| Found {
        place: read.place,
        outcome: match read.outcome {
            Ok(message) => Outcome::Message(Box::new(message)),
            Err(problems) => Outcome::Problems(problems),
        },
    };
    let results = reading.messages.into_iter().map(found).collect();
    let validated = Validated {
        format: format.name,
        results,
        unread: reading.unread,
    };
    Ok(Json(
        serde_json::to_value(validated).map_err(|_| takmil_engine::Error::Unwritable)?,
    ))
}
