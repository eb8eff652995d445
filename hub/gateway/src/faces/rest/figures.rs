//! Three-way reconciliation: insurers and providers state their figures, and read where they differ from the book.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use takmil_domain::date::Date;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{DifferenceId, MessageId, ParticipantId};
use takmil_domain::participant::Role;
use takmil_domain::settlement::Refused;
use takmil_domain::settlement::reconcile::Figure;
use takmil_domain::settlement::state::DifferenceState;
use takmil_store::{DifferenceRecord, FiguresReceipt, StatedFigures};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::payments::BOOKERS;
use super::settlement::{entitled, last_of, may_read, page, whose};
use super::{App, Id, Parameters, json, page_size, parameter};
use crate::auth::Identity;
use crate::code::Failure;
use crate::documents::{self, Document};
use crate::faces::request::Payload;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(state_figures))
        .routes(routes!(list_differences))
        .routes(routes!(resolve_difference))
}

/// Figures, as a party writes them.
#[derive(Deserialize)]
struct Written {
    reference: String,
    from: Date,
    to: Date,
    claims: Vec<WrittenFigure>,
}

#[derive(Deserialize)]
struct WrittenFigure {
    message: MessageId,
    #[serde(default)]
    insurer: Option<ParticipantId>,
    #[serde(flatten)]
    figure: Figure,
}

/// States what a party's own books say of claims that came to be owed in some days.
///
/// Every night the hub compares them with its book and with what the other side states. A claim of these days that is not
/// stated is one that the sender lacks. A row about a claim that is not between the two is refused by its place, and the
/// others stand. The same reference again is answered as it was before.
#[utoipa::path(
    post, path = "/v1/figures", tag = "settlement",
    request_body(description = "The figures: up to 10,000 claims a call.", content = ref("#/components/schemas/figures")),
    responses((status = 200, description = "What was taken.", body = ref("#/components/schemas/figures_receipt"))),
)]
async fn state_figures(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<FiguresReceipt>, Failure> {
    let digest = sha256(&payload.bytes);
    Ok(Json(take(&app, &identity, &json(&payload)?, digest).await?))
}

/// Takes the figures of a party, whichever wire they came by; `digest` is that of what was sent.
///
/// # Errors
/// What is wrong with them, by its place in the document.
pub(crate) async fn take(
    app: &App,
    identity: &Identity,
    document: &Value,
    digest: [u8; 32],
) -> Result<FiguresReceipt, Failure> {
    entitled(identity, BOOKERS)?;
    let written: Written = documents::read(Document::Figures, document, "")?;
    let own = &identity.participant;
    let mut claims = Vec::with_capacity(written.claims.len());
    for row in written.claims {
        let insurer = match own.role {
            Role::Insurer => Some(own.id.clone()),
            _ => row.insurer,
        };
        claims.push((row.message, insurer.ok_or(Refused::Unknown)?, row.figure));
    }
    let figures = StatedFigures {
        reference: written.reference,
        digest,
        from: written.from,
        to: written.to,
        claims,
    };
    let now = app.engine.now();
    let taken = app
        .store
        .take_figures(&identity.scope, &figures, now)
        .await?;
    Ok(taken?)
}

/// Which differences, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DifferencesAsked {
    /// With this insurer alone.
    insurer: Option<String>,
    /// With this provider alone.
    provider: Option<String>,
    /// Only in this state: open, explained, settled.
    state: Option<String>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// Lists where figures differ, the earliest first: each names the claim behind it, and what the hub knows of why.
#[utoipa::path(
    get, path = "/v1/differences", tag = "settlement", params(DifferencesAsked),
    responses((status = 200, description = "A page of differences.", body = ref("#/components/schemas/difference_page"))),
)]
async fn list_differences(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<DifferencesAsked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let filter = whose(asked.insurer.as_deref(), asked.provider.as_deref())?;
    let state = parameter(asked.state.as_deref(), DifferenceState::parse, "state")?;
    let after = parameter(asked.after.as_deref(), DifferenceId::parse, "after")?;
    let size = page_size(asked.limit);
    let found = app
        .store
        .differences(&identity.scope, &filter, state, after, size)
        .await?;
    let next = last_of(&found, size).map(|last| last.id.to_string());
    Ok(page("differences", &found, next))
}

/// What is said to a difference.
#[derive(Deserialize)]
struct Said {
    note: String,
}

/// Says why figures differ. It stands as explained until they agree, or differ in another way.
#[utoipa::path(
    post, path = "/v1/differences/{id}/resolve", tag = "settlement",
    params(("id" = String, Path, description = "The difference.")),
    request_body(description = "Why.", content = ref("#/components/schemas/difference_note")),
    responses((status = 200, description = "The difference, explained.", body = ref("#/components/schemas/difference_told"))),
)]
async fn resolve_difference(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<DifferenceId>,
    payload: Payload,
) -> Result<Json<DifferenceRecord>, Failure> {
    entitled(&identity, BOOKERS)?;
    let said: Said = documents::read(Document::DifferenceNote, &json(&payload)?, "")?;
    let now = app.engine.now();
    let explained = app
        .store
        .explain_difference(&identity.scope, id, &said.note, now)
        .await?;
    Ok(Json(explained?))
}
