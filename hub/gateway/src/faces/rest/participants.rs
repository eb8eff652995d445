//! Who talks to the hub, for those who run it: an insurer is an entry here, and needs no restart; and the secrets that
//! webhooks are signed with.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::{Participant, Role};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_store::{CredentialKind, NewCredential, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, json};
use crate::auth::{self, Identity};
use crate::code::{Code, Failure};
use crate::documents::{self, Document};
use crate::faces::request::Payload;
use crate::lint::{Beside, Linted, Remark};

/// For how long a secret counts beside the one that follows it, where nothing else is said.
pub(crate) const OVERLAP_HOURS: u32 = 24;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_participants))
        .routes(routes!(find_participant))
        .routes(routes!(put_participant))
        .routes(routes!(rotate_secret))
}

/// An entry, without its secrets.
#[derive(Serialize)]
struct Shown {
    participant: Participant,
    /// Until when webhooks to it are signed with the secret before the one in force, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_secret_until: Option<Instant>,
    /// What its author should look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<Remark>,
    /// The key of a new one, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Shown {
    fn of(participant: Participant, app: &App) -> Shown {
        let (now, catalog) = (app.engine.now(), app.engine.catalog());
        let beside = Beside {
            catalog: &catalog,
            tables: app.engine.tables(),
        };
        let former = participant.listens().and_then(|own| own.former.as_ref());
        Shown {
            former_secret_until: former.map(|own| own.until).filter(|until| now < *until),
            remarks: participant.remarks_beside(&beside),
            participant: participant.without_secrets(),
            key: None,
        }
    }
}

/// Lists all who talk to the hub, without their secrets.
#[utoipa::path(
    get, path = "/v1/participants", tag = "participants",
    responses((status = 200, description = "The entries, in the order of their names.", body = ref("#/components/schemas/participant_list"))),
)]
async fn list_participants(State(app): State<App>) -> Result<Json<Value>, Failure> {
    let all = app.store.participants().await?.into_iter();
    let shown: Vec<_> = all.map(|own| Shown::of(own, &app)).collect();
    Ok(Json(json!({ "participants": shown })))
}

/// Shows one who talks to the hub, without its secrets.
#[utoipa::path(
    get, path = "/v1/participants/{id}", tag = "participants",
    params(("id" = String, Path, description = "The name in the hub.")),
    responses((status = 200, description = "The entry.", body = ref("#/components/schemas/participant_entry"))),
)]
async fn find_participant(
    State(app): State<App>,
    Id(id): Id<ParticipantId>,
) -> Result<Json<Shown>, Failure> {
    let kept = app.store.participant(&id).await?;
    Ok(Json(Shown::of(kept, &app)))
}

/// Makes a participant, or brings it up to date.
///
/// What it says counts at once, on every hub within seconds: for what is asked, answered and delivered from then on. Secrets
/// are taken and never shown; of those that are left out the ones before stay. A new participant gets a key, which is shown
/// this once.
#[utoipa::path(
    put, path = "/v1/participants/{id}", tag = "participants",
    params(("id" = String, Path, description = "The name in the hub.")),
    request_body(description = "The whole entry.", content = ref("#/components/schemas/participant")),
    responses(
        (status = 200, description = "The entry as it is now.", body = ref("#/components/schemas/participant_entry")),
        (status = 201, description = "A new entry, with its key.", body = ref("#/components/schemas/participant_entry")),
    ),
)]
async fn put_participant(
    State(app): State<App>,
    Id(id): Id<ParticipantId>,
    payload: Payload,
) -> Result<(StatusCode, Json<Shown>), Failure> {
    let participant: Participant = documents::read(Document::Participant, &json(&payload)?, "")?;
    let before = match app.store.participant(&id).await {
        Err(StoreError::NotFound) => None,
        before => Some(before?),
    };
    let participant = match &before {
        Some(before) => participant.keeping_secrets_of(before),
        None => participant,
    };
    let catalog = app.engine.catalog();
    let mut problems = participant.problems_beside(&Beside {
        catalog: &catalog,
        tables: app.engine.tables(),
    });
    if participant.id != id {
        let detail = "the address names another participant";
        problems.push(Problem::new(ProblemCode::BadValue, "/id", detail));
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    app.store.upsert_participant(&participant).await?;
    let key = match before {
        Some(_) => None,
        None => Some(give_key(&app, &id).await?),
    };
    app.changed().await?;
    let status = match key {
        Some(_) => StatusCode::CREATED,
        None => StatusCode::OK,
    };
    let kept = app.store.participant(&id).await?;
    let shown = Shown {
        key,
        ..Shown::of(kept, &app)
    };
    Ok((status, Json(shown)))
}

async fn give_key(app: &App, participant: &ParticipantId) -> Result<String, Failure> {
    let (key, hash) = auth::fresh_key();
    let credential = NewCredential {
        participant: participant.clone(),
        staff: None,
        kind: CredentialKind::Key,
        hash,
        label: "key".to_owned(),
    };
    app.store
        .add_credential(&credential, app.engine.now())
        .await?;
    Ok(key)
}

/// For how long the secret before counts.
#[derive(Deserialize)]
struct Rotation {
    #[serde(default = "overlap")]
    overlap_hours: u32,
}

fn overlap() -> u32 {
    OVERLAP_HOURS
}

/// A new secret.
#[derive(Serialize)]
struct Rotated {
    secret: String,
    former_until: Instant,
}

/// Puts a new secret in force with which webhooks to a participant are signed.
///
/// Until the end of the overlap they are signed with the one before, too: both signatures stand in the header, with a space
/// between them, and a receiver that goes by either refuses nothing. The new secret is shown this once. Participants change
/// their own, operators anybody's.
#[utoipa::path(
    post, path = "/v1/participants/{id}/secret", tag = "participants",
    params(("id" = String, Path, description = "The participant.")),
    request_body(description = "For how long the secret before counts; a day, where the body is empty.", content = ref("#/components/schemas/secret_rotation")),
    responses((status = 200, description = "The new secret.", body = ref("#/components/schemas/secret_rotated"))),
)]
async fn rotate_secret(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<ParticipantId>,
    payload: Payload,
) -> Result<Json<Rotated>, Failure> {
    let own = &identity.participant;
    if own.role != Role::Operator && own.id != id {
        return Err(Failure::from(Code::NotFound));
    }
    let asked = match payload.bytes.is_empty() {
        true => json!({}),
        false => json(&payload)?,
    };
    let Rotation { overlap_hours } = documents::read(Document::SecretRotation, &asked, "")?;
    let secret = auth::fresh_secret();
    let former_until = app
        .engine
        .now()
        .plus_ms(u64::from(overlap_hours).saturating_mul(3_600_000));
    app.store.rotate_secret(&id, &secret, former_until).await?;
    app.changed().await?;
    Ok(Json(Rotated {
        secret,
        former_until,
    }))
}
