//! The hub's own map: what persons judge of codes that no table knows.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takmil_domain::local_map::Judgement;
use takmil_store::Judged;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Parameters, json, page_size};
use crate::auth::Identity;
use crate::code::Failure;
use crate::desk;
use crate::documents::{self, Document};
use crate::faces::request::Payload;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_judged, judge_code))
}

/// What became of a judgement.
#[derive(Serialize)]
struct Kept {
    #[serde(flatten)]
    judged: Judged,
    changed: bool,
}

/// Says what a code is that no table knows, or that it has no place in the common scheme.
///
/// It makes a version of the hub's own map, by which whatever comes from then on is read; what was decided before stays as
/// it is. Tables go before it. The key must be a person's who runs the hub.
#[utoipa::path(
    post, path = "/v1/local-map", tag = "messages",
    request_body(description = "What is judged.", content = ref("#/components/schemas/code_judgement")),
    responses((status = 200, description = "It counts from now on.", body = ref("#/components/schemas/code_judged"))),
)]
async fn judge_code(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Kept>, Failure> {
    let by = identity.person()?.id;
    let judgement: Judgement = documents::read(Document::Judgement, &json(&payload)?, "")?;
    let judgement = desk::checked(judgement, &app.engine.catalog(), app.engine.tables())?;
    let now = app.engine.now();
    let (judged, changed) = app.store.judge_code(&judgement, Some(by), now).await?;
    app.changed().await?;
    Ok(Json(Kept { judged, changed }))
}

/// Since when.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only what came after this version; everything where it is missing.
    since: Option<u32>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Listed {
    version: u32,
    judged: Vec<Judged>,
}

/// Lists what was judged of codes that no table knows, version after version.
///
/// A provider sees what was judged of its own codes and of everybody's.
#[utoipa::path(
    get, path = "/v1/local-map", tag = "messages", params(Asked),
    responses((status = 200, description = "The judgements.", body = ref("#/components/schemas/local_map"))),
)]
async fn list_judged(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed>, Failure> {
    let (since, most) = (asked.since.unwrap_or(0), page_size(asked.limit));
    let judged = app.store.judged_codes(&identity.scope, since, most).await?;
    let version = app.engine.catalog().local_map().version();
    Ok(Json(Listed { version, judged }))
}
