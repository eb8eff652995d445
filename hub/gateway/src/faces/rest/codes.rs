//! Maps of codes as their parties see them: what an insurer calls things, and what maps lack.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takmil_domain::code_map::CodeMap;
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_store::{StoreError, UnmappedCount, Upserted};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::approvals::beside;
use super::{App, Parameters, json, page_size, parameter};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::documents::{self, Document};
use crate::faces::request::Payload;
use crate::lint::{Linted, Remark};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(find_code_map, keep_code_map))
        .routes(routes!(list_unmapped))
}

/// What became of a code map.
#[derive(Serialize)]
struct Kept {
    insurer: ParticipantId,
    version: u32,
    changed: bool,
    remarks: Vec<Remark>,
}

/// Keeps a version of an insurer's own codes.
///
/// What the insurer is sent from then on says its own codes beside the common ones; what they lack is counted. A version
/// that is kept never changes: a repeat is harmless, a change raises the version.
#[utoipa::path(
    put, path = "/v1/code-map", tag = "insurers",
    request_body(description = "The version.", content = ref("#/components/schemas/code_map")),
    responses((status = 200, description = "It counts from now on.", body = ref("#/components/schemas/code_map_kept"))),
)]
async fn keep_code_map(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Kept>, Failure> {
    let map: CodeMap = documents::read(Document::CodeMap, &json(&payload)?, "")?;
    if !identity.scope.sees_insurer(&map.insurer) {
        let detail = "the codes are another insurer's";
        let problem = Problem::new(ProblemCode::BadValue, "/insurer", detail);
        return Err(Failure::from(problem));
    }
    let catalog = app.engine.catalog();
    let beside = beside(&app.engine, &catalog);
    let problems = map.problems_beside(&beside);
    if !problems.is_empty() {
        return Err(Failure::from(problems));
    }
    let differs = "this version is kept already, with other contents; raise the version";
    let kept = app.store.upsert_code_map(&identity.scope, &map).await;
    let kept = kept.map_err(|error| match error {
        StoreError::RuleDiffers { .. } => {
            Failure::from(Problem::new(ProblemCode::BadValue, "/version", differs))
        }
        error => Failure::from(error),
    })?;
    app.changed().await?;
    let remarks = map.remarks_beside(&beside);
    Ok(Json(Kept {
        insurer: map.insurer,
        version: map.version,
        changed: kept != Upserted::Same,
        remarks,
    }))
}

/// Whose codes.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MapAsked {
    /// The insurer; the caller itself where it is missing.
    insurer: Option<String>,
}

/// Shows the version of an insurer's own codes that is in force.
#[utoipa::path(
    get, path = "/v1/code-map", tag = "insurers", params(MapAsked),
    responses((status = 200, description = "The version in force.", body = ref("#/components/schemas/code_map"))),
)]
async fn find_code_map(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<MapAsked>,
) -> Result<Json<CodeMap>, Failure> {
    let named = parameter(asked.insurer.as_deref(), ParticipantId::parse, "insurer")?;
    let insurer = named.unwrap_or_else(|| identity.participant.id.clone());
    let missing = || Failure::from(Code::NotFound);
    if !identity.scope.sees_insurer(&insurer) {
        return Err(missing());
    }
    let catalog = app.engine.catalog();
    let map = catalog.code_map(&insurer).ok_or_else(missing)?;
    Ok(Json(CodeMap::clone(map)))
}

/// How many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UnmappedAsked {
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct UnmappedShown {
    participant: ParticipantId,
    system: String,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<String>,
    times: u64,
    first_at: Instant,
    last_at: Instant,
    last_message: MessageId,
}

impl From<UnmappedCount> for UnmappedShown {
    fn from(count: UnmappedCount) -> UnmappedShown {
        UnmappedShown {
            participant: count.sender,
            system: count.system,
            code: count.code,
            display: count.display,
            times: count.times,
            first_at: count.first_at,
            last_at: count.last_at,
            last_message: count.last_message,
        }
    }
}

#[derive(Serialize)]
struct UnmappedList {
    unmapped: Vec<UnmappedShown>,
}

/// Lists codes that maps lack, the most frequent first.
///
/// A provider sees what it sent that the common scheme does not know; an insurer what its own codes do not know of what
/// it was sent.
#[utoipa::path(
    get, path = "/v1/unmapped", tag = "messages", params(UnmappedAsked),
    responses((status = 200, description = "The codes.", body = ref("#/components/schemas/unmapped_list"))),
)]
async fn list_unmapped(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<UnmappedAsked>,
) -> Result<Json<UnmappedList>, Failure> {
    let most = page_size(asked.limit);
    let unmapped = app.store.unmapped(&identity.scope, most).await?;
    let unmapped = unmapped.into_iter().map(UnmappedShown::from).collect();
    Ok(Json(UnmappedList { unmapped }))
}
