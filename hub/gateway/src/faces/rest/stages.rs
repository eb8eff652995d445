//! Where documents are on their way to payment, and what is late.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use takmil_domain::settlement::stage::Stage;
use takmil_engine::StagesAsked;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settlement::{may_read, page, place, whose};
use super::{App, Parameters, page_size, parameter};
use crate::auth::Identity;
use crate::code::Failure;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_stages))
}

/// Which documents, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// Of this provider alone.
    provider: Option<String>,
    /// Only what awaits this stage: decided, delivered, stated, noticed, confirmed, reconciled.
    stage: Option<String>,
    /// True for what is awaited and late alone.
    late: Option<bool>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// Lists documents with the stages of their way to payment, insurer by insurer, in the order in which they came.
///
/// Each stage has its time or, where it is awaited, its deadline, by the insurer's contract and the hub's settings. A
/// document is listed under the first stage that it awaits; with `late`, under each one whose deadline has passed. A page
/// may hold fewer than were asked for, or none, and still have one that follows it.
#[utoipa::path(
    get, path = "/v1/stages", tag = "settlement", params(Asked),
    responses((status = 200, description = "A page of documents.", body = ref("#/components/schemas/stage_page"))),
)]
async fn list_stages(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let wanted = StagesAsked {
        whose: whose(asked.insurer.as_deref(), asked.provider.as_deref())?,
        message: None,
        stage: parameter(asked.stage.as_deref(), Stage::parse, "stage")?,
        is_late: asked.late.unwrap_or(false),
    };
    let after = parameter(asked.after.as_deref(), place, "after")?;
    let size = usize::try_from(page_size(asked.limit)).map_err(Failure::internal)?;
    let found = app
        .engine
        .stages(&identity.scope, &wanted, after, size)
        .await?;
    let next = found
        .next
        .map(|(message, insurer)| format!("{message}:{insurer}"));
    Ok(page("documents", &found.documents, next))
}
