//! What is registered with the central register, and what waits for its unique code.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId, RegistrationId};
use takmil_domain::registration::{Registration, UniqueCode};
use takmil_store::{RegistrationFilter, RegistrationRecord};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settlement::last_of;
use super::{App, Parameters, page_size, parameter};
use crate::auth::Identity;
use crate::code::Failure;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_registrations))
}

/// Which registrations, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// Of this claim alone, by the hub's id.
    message: Option<String>,
    /// True for what has no code yet alone.
    waiting: Option<bool>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    registrations: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<RegistrationId>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    registration: Registration,
    created_at: Instant,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<UniqueCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_at: Option<Instant>,
}

impl From<RegistrationRecord> for Shown {
    fn from(record: RegistrationRecord) -> Shown {
        Shown {
            registration: record.registration,
            created_at: record.created_at,
            attempts: record.attempts,
            error: record.error,
            code: record.code,
            registered_at: record.registered_at,
        }
    }
}

/// Lists what is told to the central register, and the unique codes that it gave.
///
/// Policies, their changes and claims of insurers whose contract says so are each registered once, and tried until they
/// have their code; what belongs to a policy waits for the policy's. A provider sees its own claims.
#[utoipa::path(
    get, path = "/v1/registrations", tag = "insurers", params(Asked),
    responses((status = 200, description = "A page of registrations, the earliest first.", body = ref("#/components/schemas/registration_page"))),
)]
async fn list_registrations(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Page>, Failure> {
    let filter = RegistrationFilter {
        insurer: parameter(asked.insurer.as_deref(), ParticipantId::parse, "insurer")?,
        message: parameter(asked.message.as_deref(), MessageId::parse, "message")?,
        is_waiting: asked.waiting == Some(true),
        after: parameter(asked.cursor.as_deref(), RegistrationId::parse, "cursor")?,
    };
    let size = page_size(asked.limit);
    let found = app.store.registrations(&identity.scope, &filter, size);
    let found = found.await?;
    let next = last_of(&found, size).map(|last| last.registration.registration);
    Ok(Json(Page {
        registrations: found.into_iter().map(Shown::from).collect(),
        next,
    }))
}
