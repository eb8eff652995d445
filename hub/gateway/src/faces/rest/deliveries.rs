//! For insurers that pull: what the hub owes them, and their word that they have it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MessageId};
use takmil_domain::message::Kind;
use takmil_domain::participant::{Delivery, Purpose};
use takmil_store::{Attempt, Outcome};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, Parameters, page_size};
use crate::auth::Identity;
use crate::code::Failure;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_deliveries))
        .routes(routes!(acknowledge))
}

/// How many deliveries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// A delivery, as an insurer gets it.
#[derive(Serialize)]
struct Shown {
    id: DeliveryId,
    purpose: Purpose,
    message: MessageId,
    kind: Kind,
    created_at: Instant,
    document: Value,
}

impl TryFrom<Delivery> for Shown {
    type Error = serde_json::Error;

    fn try_from(delivery: Delivery) -> Result<Shown, serde_json::Error> {
        Ok(Shown {
            id: delivery.id,
            purpose: delivery.purpose,
            message: delivery.message,
            kind: delivery.kind,
            created_at: delivery.created_at,
            document: serde_json::from_str(&delivery.document)?,
        })
    }
}

/// Lists what the hub owes, the longest due first.
///
/// Of each claim only the earliest is listed: the next comes when it is acknowledged. What is not acknowledged is
/// listed again.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "insurers", params(Asked),
    responses((status = 200, description = "The deliveries.", body = ref("#/components/schemas/delivery_list"))),
)]
async fn list_deliveries(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failure> {
    let insurer = &identity.participant;
    let due = app.engine.due(&insurer.id, page_size(asked.limit)).await?;
    let shown = due
        .into_iter()
        .map(Shown::try_from)
        .collect::<Result<Vec<_>, _>>();
    Ok(Json(
        serde_json::json!({"deliveries": shown.map_err(Failure::internal)?}),
    ))
}

/// Says that a delivery was taken. Saying it again is harmless.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/ack", tag = "insurers",
    params(("id" = String, Path, description = "The delivery.")),
    responses((status = 204, description = "The hub has noted it.")),
)]
async fn acknowledge(
    State(app): State<App>,
    identity: Identity,
    Id(delivery): Id<DeliveryId>,
) -> Result<StatusCode, Failure> {
    let attempt = Attempt {
        delivery,
        at: app.engine.now(),
        outcome: Outcome::Delivered,
    };
    app.store
        .record_attempts(&identity.scope, &[attempt])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
