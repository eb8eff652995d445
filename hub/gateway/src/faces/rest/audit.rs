//! The tamper-evident log over HTTP: its head, its tiles, and proofs. Entries are for the regulator and for witnesses.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::audit::{
    Asset, InclusionProof, Leaf, Path as ProofPath, Receipt, Tile, TreeHash, bundle_bytes,
};
use takmil_domain::ids::MessageId;
use takmil_domain::participant::Role;
use takmil_store::{FoundLeaf, LogHead};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, Parameters};
use crate::auth::Identity;
use crate::code::{Code, Failure};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(checkpoint))
        .routes(routes!(policy))
        .routes(routes!(tile))
        .routes(routes!(entries))
        .routes(routes!(inclusion))
        .routes(routes!(consistency))
        .routes(routes!(receipts))
}

const PLAIN: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// A complete tile never changes, and no other width of one is asked for twice.
const FOR_GOOD: &str = "private, max-age=31536000, immutable";

/// The head, once the log has one.
async fn head(app: &App) -> Result<(LogHead, String), Failure> {
    let head = app.store.log_head().await?;
    // The first checkpoint is signed as soon as the hub is up.
    let checkpoint = head.checkpoint.clone();
    let checkpoint = checkpoint.ok_or_else(|| Failure::busy(1))?;
    Ok((head, checkpoint))
}

/// Gives the log's last checkpoint: how many entries there are, the root of their tree, signed (C2SP tlog-checkpoint).
#[utoipa::path(
    get, path = "/v1/audit/checkpoint", tag = "audit", operation_id = "log_checkpoint",
    responses((status = 200, description = "The signed note.", content_type = "text/plain")),
)]
async fn checkpoint(State(app): State<App>) -> Result<Response, Failure> {
    let (_, checkpoint) = head(&app).await?;
    Ok(([(header::CONTENT_TYPE, PLAIN)], checkpoint).into_response())
}

/// Gives the log's keys and its witnesses as the hub has them (C2SP tlog-policy).
///
/// A verifier goes by its own copy, from whom it trusts.
#[utoipa::path(
    get, path = "/v1/audit/policy", tag = "audit", operation_id = "log_policy",
    responses((status = 200, description = "The policy.", content_type = "text/plain")),
)]
async fn policy(State(app): State<App>) -> Result<Response, Failure> {
    let key = app.engine.log_key().to_string();
    let policy = crate::audit::policy(&app.config, &key).map_err(Failure::internal)?;
    Ok(([(header::CONTENT_TYPE, PLAIN)], policy).into_response())
}

fn asset(path: &str) -> Result<Asset, Failure> {
    Asset::parse(path).ok_or_else(|| Failure::from(Code::NotFound))
}

fn bytes(bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, BYTES),
        (header::CACHE_CONTROL, FOR_GOOD),
    ];
    (headers, bytes).into_response()
}

/// Gives a tile of the log's tree: the hashes of a level, one after the other (C2SP tlog-tiles).
#[utoipa::path(
    get, path = "/v1/audit/tile/{level}/{*index}", tag = "audit", operation_id = "log_tile",
    params(
        ("level" = String, Path, description = "The level, from 0 for the hashes of entries."),
        ("index" = String, Path, description = "Which one, in groups of three digits such as x001/234, followed by .p/ and the width where it is not complete."),
    ),
    responses((status = 200, description = "The hashes.", content_type = "application/octet-stream")),
)]
async fn tile(
    State(app): State<App>,
    Path((level, index)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let Asset::Hashes(tile) = asset(&format!("tile/{level}/{index}"))? else {
        return Err(Failure::from(Code::NotFound));
    };
    let tiles = app.store.log_tiles([tile]).await?;
    let hashes = tiles.get(tile).ok_or(Failure::from(Code::NotFound))?;
    Ok(bytes(hashes.iter().flat_map(|hash| hash.0).collect()))
}

/// Gives entries of the log, whose hashes are a tile of level 0 (C2SP tlog-tiles).
///
/// For the regulator, and for insurers that witness the log. Entries name nobody: participants stand in them under
/// pseudonyms that they themselves know.
#[utoipa::path(
    get, path = "/v1/audit/tile/entries/{*index}", tag = "audit", operation_id = "log_entries",
    params(("index" = String, Path, description = "Which bundle, as with tiles.")),
    responses((status = 200, description = "The entries, each after its length.", content_type = "application/octet-stream")),
)]
async fn entries(
    State(app): State<App>,
    identity: Identity,
    Path(index): Path<String>,
) -> Result<Response, Failure> {
    let participant = &identity.participant;
    if participant.role == Role::Insurer && !app.config.audit.is_witness(&participant.id) {
        return Err(Failure::new(
            Code::Forbidden,
            "entries are for the regulator and for witnesses of the log",
        ));
    }
    let asset = asset(&format!("tile/entries/{index}"))?;
    let (Asset::Entries(tile) | Asset::Hashes(tile)) = asset;
    let entries = bundle(&app, tile).await?;
    Ok(bytes(entries.ok_or(Failure::from(Code::NotFound))?))
}

/// The entries of a tile, where there are as many.
async fn bundle(app: &App, tile: Tile) -> Result<Option<Vec<u8>>, Failure> {
    let Some(first) = tile.index.checked_mul(256) else {
        return Ok(None);
    };
    let entries = app.store.log_entries(first, tile.width.into()).await?;
    let is_whole = entries.len() == usize::from(tile.width);
    Ok(is_whole.then(|| bundle_bytes(&entries)))
}

/// Proves that what a receipt promises is in the log (C2SP tlog-proof).
///
/// The leaf is the receipt's, in base64url or base64. A leaf gets its number within a second of its answer; until
/// then there is no proof.
#[utoipa::path(
    get, path = "/v1/audit/inclusion/{leaf}", tag = "audit", operation_id = "log_inclusion",
    params(("leaf" = String, Path, description = "The leaf of a receipt.")),
    responses((status = 200, description = "The entry with its number, its place, the way to the root, and the checkpoint.", content_type = "text/plain")),
)]
async fn inclusion(State(app): State<App>, Id(leaf): Id<Leaf>) -> Result<Response, Failure> {
    let found = app.store.log_leaves(leaf.subject).await?;
    let own = found.into_iter().find(|found| *found.leaf() == leaf);
    let (index, entry) = match own.ok_or(Failure::from(Code::NotFound))? {
        FoundLeaf::Entered(index, entry, _) => (index, entry),
        FoundLeaf::Waiting(..) => {
            return Err(Failure {
                retry_after_s: Some(1),
                ..Failure::new(Code::NotFound, "the leaf waits for its number; ask again")
            });
        }
    };
    // The head that is read now has the entry that was there before.
    let (head, checkpoint) = head(&app).await?;
    let path = ProofPath::to_entry(index, head.size).ok_or(Failure::from(Code::NotFound))?;
    let proof = InclusionProof {
        entry,
        index,
        path: hashes(&app, &path).await?,
        checkpoint,
    };
    Ok(([(header::CONTENT_TYPE, PLAIN)], proof.to_string()).into_response())
}

async fn hashes(app: &App, path: &ProofPath) -> Result<Vec<TreeHash>, Failure> {
    let tiles = app.store.log_tiles(path.tiles()).await?;
    path.hashes(&tiles).map_err(Failure::internal)
}

impl super::Named for Leaf {
    fn named(text: &str) -> Option<Leaf> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .or_else(|_| STANDARD.decode(text));
        Leaf::parse(&bytes.ok()?).ok()
    }
}

/// Between which sizes.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Sizes {
    /// The size of the checkpoint that you have.
    from: u64,
    /// The size of the later one; that of the last checkpoint where it is missing.
    to: Option<u64>,
}

/// Proves that an earlier state of the log is the beginning of a later one (RFC 9162).
#[utoipa::path(
    get, path = "/v1/audit/consistency", tag = "audit", operation_id = "log_consistency", params(Sizes),
    responses((status = 200, description = "The sizes, and the hashes that prove it.", body = ref("#/components/schemas/log_consistency"))),
)]
async fn consistency(
    State(app): State<App>,
    Parameters(sizes): Parameters<Sizes>,
) -> Result<Json<Value>, Failure> {
    let (head, _) = head(&app).await?;
    let Sizes { from, to } = sizes;
    let to = to.unwrap_or(head.size);
    let path = ProofPath::between(from, to).filter(|_| to <= head.size);
    let wrong = || {
        let detail = format!("expected from <= to <= {}, the size of the log", head.size);
        Failure::new(Code::Parameter, detail)
    };
    let proof = hashes(&app, &path.ok_or_else(wrong)?).await?;
    Ok(Json(json!({"from": from, "to": to, "proof": proof})))
}

/// The log's promises about a message.
#[derive(Serialize)]
struct Receipts {
    receipts: Vec<Receipt>,
}

/// Gives the receipts of a message, one for each of its turns, the last at the end.
///
/// A receipt promises that the log has the turn; `/v1/audit/inclusion` proves it. Answers carry theirs in the header
/// `Takmil-Receipt`, as JSON in base64.
#[utoipa::path(
    get, path = "/v1/messages/{id}/receipt", tag = "audit", operation_id = "message_receipts",
    params(("id" = String, Path, description = "The hub's id of the message.")),
    responses((status = 200, description = "The receipts.", body = ref("#/components/schemas/message_receipts"))),
)]
async fn receipts(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<MessageId>,
) -> Result<Json<Receipts>, Failure> {
    app.store.envelope(&identity.scope, id).await?;
    let found = app.store.log_leaves(id.0).await?;
    let mut leaves: Vec<Leaf> = found.iter().map(|found| *found.leaf()).collect();
    leaves.sort_by_key(|leaf| leaf.turn);
    // One signature each, as somebody who asks for one of them has no need of the others.
    let receipts = leaves.iter().flat_map(|leaf| app.engine.promise(&[*leaf]));
    let receipts = receipts.map(|receipt| Receipt::clone(&receipt)).collect();
    Ok(Json(Receipts { receipts }))
}
