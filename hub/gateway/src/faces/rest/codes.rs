//! Maps of codes as their parties see them: what an insurer calls things, and what maps lack.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takmil_domain::code_map::{CodeMap, ItemCode, Level};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::local_map::LocalMap;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_engine::Error;
use takmil_mappings::table::Head;
use takmil_store::{StoreError, UnmappedCount, Upserted};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::approvals::beside;
use super::{App, Parameters, json, page_size, parameter};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::desk::{self, SUGGESTIONS, Suggestion, Wanted, suggestions};
use crate::documents::{self, Document};
use crate::faces::request::Payload;
use crate::lint::{Linted, Remark};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(find_code_map, keep_code_map))
        .routes(routes!(keep_item_code))
        .routes(routes!(list_unmapped))
        .routes(routes!(suggest_codes))
        .routes(routes!(list_code_tables))
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
    keep(&app, &identity, map).await
}

/// Says what the insurer calls one service, drug or thing: the version after the last one, and all else in it as it was.
///
/// It is for a person or system of the insurer's that goes through what its codes lack (`GET /v1/unmapped`), with what is
/// suggested for it.
#[utoipa::path(
    post, path = "/v1/code-map/items", tag = "insurers",
    request_body(description = "The common code and the insurer's own.", content = ref("#/components/schemas/item_code")),
    responses((status = 200, description = "It counts from now on.", body = ref("#/components/schemas/code_map_kept"))),
)]
async fn keep_item_code(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Kept>, Failure> {
    let item: ItemCode = documents::read(Document::ItemCode, &json(&payload)?, "")?;
    // What this hub goes by may be older than what another has kept.
    app.engine.refresh().await?;
    let (insurer, catalog) = (&identity.participant.id, app.engine.catalog());
    let held = catalog.code_map(insurer).map(|map| CodeMap::clone(map));
    let held = held.unwrap_or_else(|| CodeMap {
        insurer: insurer.clone(),
        version: 0,
        plans: Vec::new(),
        commitments: Vec::new(),
        coverages: Vec::new(),
        items: Vec::new(),
    });
    keep(&app, &identity, held.with_item(item)).await
}

async fn keep(app: &App, identity: &Identity, map: CodeMap) -> Result<Json<Kept>, Failure> {
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
    /// The version of the hub's own map that says it has no place in the common scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<u32>,
}

impl UnmappedShown {
    fn of(count: UnmappedCount, local: &LocalMap) -> UnmappedShown {
        let judged = local.find(&count.sender, &count.system, &count.code);
        UnmappedShown {
            judged: judged.map(|(version, _)| version),
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
    let catalog = app.engine.catalog();
    let shown = |count| UnmappedShown::of(count, catalog.local_map());
    let unmapped = unmapped.into_iter().map(shown).collect();
    Ok(Json(UnmappedList { unmapped }))
}

/// What a code is that may be another.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SuggestionsAsked {
    /// The code's system, as it was sent.
    #[serde(default)]
    system: String,
    /// The code, as it was sent.
    #[serde(default)]
    code: String,
    /// Its name, as it was sent.
    #[serde(default)]
    display: String,
    /// The system among whose codes it is looked for. Where it is missing: the code's own where the hub has its list,
    /// else the systems of the common scheme; for what an insurer's own codes lack (`urn:takmil:own:item`) the insurer's own
    /// list, imported as the system `urn:takmil:own:item:` with the insurer's id behind it.
    into: Option<String>,
    /// How many, 1 to 1,000; 10 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Suggestions {
    suggestions: Vec<Suggestion>,
}

/// Suggests which codes an unmapped one may be, the likest first.
///
/// Names are compared in one spelling of letters and digits, in any script; within the code's own system its spelling
/// counts too. Nothing is mapped by a suggestion: it is for a person to judge, by `POST /v1/local-map`, or of an insurer's own
/// codes by `POST /v1/code-map/items`.
#[utoipa::path(
    get, path = "/v1/unmapped/suggestions", tag = "messages", params(SuggestionsAsked),
    responses((status = 200, description = "The codes.", body = ref("#/components/schemas/code_suggestion_list"))),
)]
async fn suggest_codes(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<SuggestionsAsked>,
) -> Result<Json<Suggestions>, Failure> {
    let tables = app.engine.tables().clone();
    let most = page_size(Some(asked.limit.unwrap_or(SUGGESTIONS)));
    let own = desk::own_list(&identity.participant.id);
    let work = move || {
        let is_own = asked.system == Level::Item.system();
        let wanted = Wanted {
            system: &asked.system,
            code: &asked.code,
            display: &asked.display,
            into: asked.into.as_deref().or(is_own.then_some(own.as_str())),
            most: usize::try_from(most).unwrap_or(usize::MAX),
        };
        suggestions(&tables, &wanted)
    };
    let found = tokio::task::spawn_blocking(work).await;
    let found = found.map_err(|_| Failure::from(Error::Stopping))?;
    let unknown = || Failure::new(Code::Parameter, "the hub has no list of this system");
    let suggestions = found.map_err(Failure::internal)?.ok_or_else(unknown)?;
    Ok(Json(Suggestions { suggestions }))
}

#[derive(Serialize)]
struct CodeTable {
    id: String,
    system: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    version: String,
    as_of: Date,
    complete: bool,
    synthetic: bool,
    licence: String,
    source: String,
}

impl From<&Head> for CodeTable {
    fn from(head: &Head) -> CodeTable {
        CodeTable {
            id: head.id.clone(),
            system: head.system.clone(),
            target: head.target.clone(),
            version: head.edition.clone(),
            as_of: head.as_of,
            complete: head.complete,
            synthetic: head.synthetic,
            licence: head.licence.clone(),
            source: head.source.clone(),
        }
    }
}

/// Which tables.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TablesAsked {
    /// Those alone whose edition is of this day or later: YYYY-MM-DD.
    since: Option<String>,
}

#[derive(Serialize)]
struct CodeTables {
    tables: Vec<CodeTable>,
}

/// Lists the code systems and maps that the hub goes by, with their editions and where they come from.
#[utoipa::path(
    get, path = "/v1/code-tables", tag = "messages", params(TablesAsked),
    responses((status = 200, description = "The tables.", body = ref("#/components/schemas/code_table_list"))),
)]
async fn list_code_tables(
    State(app): State<App>,
    Parameters(asked): Parameters<TablesAsked>,
) -> Result<Json<CodeTables>, Failure> {
    let since = parameter(asked.since.as_deref(), Date::parse, "since")?;
    let tables = app.engine.tables().clone();
    // Tables that no message is mapped by unpack at their first use.
    let listed = tokio::task::spawn_blocking(move || {
        let heads = tables.provenance().into_iter();
        let heads = heads.filter(|head| since.is_none_or(|since| head.as_of >= since));
        heads.map(CodeTable::from).collect()
    });
    let tables = listed.await.map_err(|_| Failure::from(Error::Stopping))?;
    Ok(Json(CodeTables { tables }))
}
