//! Files of many messages: kept at once, taken one by one, with their progress and what became of each.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use takmil_domain::date::Instant;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{ParticipantId, UploadId};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::parts;
use takmil_store::{NewUpload, UploadRecord, Uploaded};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settlement::last_of;
use super::{App, Id, Parameters, page_size, parameter};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::faces::request::{Payload, idempotency_key};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(upload, list_uploads))
        .routes(routes!(find_upload))
        .routes(routes!(list_results))
}

#[derive(Serialize)]
struct Shown {
    id: UploadId,
    participant: ParticipantId,
    received_at: Instant,
    /// How many parts it has, and how many of them are done.
    parts: u64,
    done: u64,
    /// Messages.
    taken: u64,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Instant>,
}

impl From<UploadRecord> for Shown {
    fn from(own: UploadRecord) -> Shown {
        Shown {
            id: own.id,
            participant: own.sender,
            received_at: own.received_at,
            parts: own.parts,
            done: own.done,
            taken: own.taken,
            refused: own.refused,
            finished_at: own.finished_at,
        }
    }
}

/// Uploads a file of messages, which are taken one by one afterwards.
///
/// Lines of JSON (one body in any JSON format each), the rows of a spreadsheet, or any body that the hub reads. It is
/// answered when the file is kept; each line, or each bill of the rows, is then taken as if it had come in a request of
/// its own. The same file, or the same key, again is the same upload.
#[utoipa::path(
    post, path = "/v1/uploads", tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key of this request; the file itself where it is missing.")),
    request_body(description = "The file.", content(("application/x-ndjson"), ("text/csv"), ("application/json"))),
    responses(
        (status = 202, description = "It is kept. Location has its progress.", body = ref("#/components/schemas/upload")),
        (status = 200, description = "It was kept before.", body = ref("#/components/schemas/upload")),
    ),
)]
async fn upload(
    State(app): State<App>,
    identity: Identity,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Failure> {
    let digest = sha256(&payload.bytes);
    let key = match idempotency_key(&headers)? {
        Some(key) => format!("key:{key}"),
        None => format!("file:{}", STANDARD.encode(digest)),
    };
    if payload.bytes.trim_ascii().is_empty() {
        let detail = "the file is empty";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail).into());
    }
    let found = parts(&payload.bytes)?;
    let found: Vec<(u64, &[u8])> = found.iter().map(|part| (part.line, &*part.body)).collect();
    let new = NewUpload {
        sender: &identity.participant.id,
        key: &key,
        digest,
        received_at: app.engine.now(),
        parts: &found,
    };
    let (status, id) = match app.store.keep_upload(&new).await? {
        Uploaded::Kept(id) => (StatusCode::ACCEPTED, id),
        Uploaded::Repeated(id) => (StatusCode::OK, id),
        Uploaded::Changed(id) => {
            let detail = format!("another file was uploaded under this key, as {id}");
            return Err(Failure::new(Code::Changed, detail));
        }
    };
    let shown = Shown::from(app.store.upload(&identity.scope, id).await?);
    let mut response = (status, Json(shown)).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/uploads/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Where a list begins, and how long it is.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    uploads: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists uploads, the latest first.
#[utoipa::path(
    get, path = "/v1/uploads", tag = "messages", params(Asked),
    responses((status = 200, description = "A page of them.", body = ref("#/components/schemas/upload_page"))),
)]
async fn list_uploads(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Page>, Failure> {
    let before = parameter(asked.cursor.as_deref(), UploadId::parse, "cursor")?;
    let size = page_size(asked.limit);
    let found = app.store.uploads(&identity.scope, before, size).await?;
    let next = last_of(&found, size).map(|last| last.id.to_string());
    Ok(Json(Page {
        uploads: found.into_iter().map(Shown::from).collect(),
        next,
    }))
}

/// Tells how far an upload has come.
#[utoipa::path(
    get, path = "/v1/uploads/{id}", tag = "messages",
    params(("id" = String, Path, description = "The upload.")),
    responses((status = 200, description = "Its progress.", body = ref("#/components/schemas/upload"))),
)]
async fn find_upload(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<UploadId>,
) -> Result<Json<Shown>, Failure> {
    Ok(Json(app.store.upload(&identity.scope, id).await?.into()))
}

/// Which results, where the list begins, and how long it is.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResultsAsked {
    /// Only parts of which something was refused.
    refused: Option<bool>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many parts, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Results {
    parts: Vec<PartShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct PartShown {
    line: u64,
    results: Box<RawValue>,
}

/// Tells what became of the messages of an upload, in the order of the file.
#[utoipa::path(
    get, path = "/v1/uploads/{id}/results", tag = "messages",
    params(("id" = String, Path, description = "The upload."), ResultsAsked),
    responses((status = 200, description = "A page of its parts that are done.", body = ref("#/components/schemas/upload_results"))),
)]
async fn list_results(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<UploadId>,
    Parameters(asked): Parameters<ResultsAsked>,
) -> Result<Json<Results>, Failure> {
    let number = |text: &str| text.parse().ok();
    let after = parameter(asked.cursor.as_deref(), number, "cursor")?;
    let size = page_size(asked.limit);
    let wanted = (after, asked.refused.unwrap_or_default());
    let found = app.store.part_results(&identity.scope, id, wanted, size);
    let found = found.await?;
    let next = last_of(&found, size).map(|last| last.number.to_string());
    let shown = |part: takmil_store::PartResults| {
        let results = RawValue::from_string(part.results);
        results.map(|results| PartShown {
            line: part.line,
            results,
        })
    };
    let parts = found.into_iter().map(shown).collect::<Result<_, _>>();
    Ok(Json(Results {
        parts: parts.map_err(|_| takmil_engine::Error::Unwritable)?,
        next,
    }))
}
