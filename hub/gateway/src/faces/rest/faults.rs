//! What insurers said that could not be used, as they and those who watch see it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_store::{FaultPlace, InsurerFault};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settlement::last_of;
use super::{App, Parameters, page_size, parameter};
use crate::auth::Identity;
use crate::code::Failure;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_faults))
}

/// Which, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    faults: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    insurer: ParticipantId,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    pointer: String,
    detail: String,
    times: u64,
    first_at: Instant,
    last_at: Instant,
}

impl From<InsurerFault> for Shown {
    fn from(fault: InsurerFault) -> Shown {
        Shown {
            insurer: fault.insurer,
            code: fault.code,
            message: fault.message,
            pointer: fault.pointer,
            detail: fault.detail,
            times: fault.times,
            first_at: fault.first_at,
            last_at: fault.last_at,
        }
    }
}

/// A place in the list, as a cursor.
fn place(text: &str) -> Option<FaultPlace> {
    let mut parts = text.splitn(3, ':');
    let at = parts.next()?.parse().ok()?;
    let code = parts.next()?.to_owned();
    let message = match parts.next()? {
        "" => None,
        message => Some(MessageId::parse(message)?),
    };
    Some((Instant(at), code, message))
}

/// Lists what insurers said that could not be used, the latest first.
///
/// Decisions on messages that are not there or not theirs, of amounts that do not fit, words that cannot be read, streams
/// that are not read: each was refused with its place and had no effect. Counted by code and message. An insurer sees its
/// own.
#[utoipa::path(
    get, path = "/v1/insurer-faults", tag = "insurers", params(Asked),
    responses((status = 200, description = "A page of faults.", body = ref("#/components/schemas/insurer_fault_page"))),
)]
async fn list_faults(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Page>, Failure> {
    let insurer = parameter(asked.insurer.as_deref(), ParticipantId::parse, "insurer")?;
    let after = parameter(asked.cursor.as_deref(), place, "cursor")?;
    let size = page_size(asked.limit);
    let found = app
        .store
        .insurer_faults(&identity.scope, insurer.as_ref(), after.as_ref(), size);
    let found = found.await?;
    let next = last_of(&found, size).map(|last| {
        let message = last
            .message
            .map_or_else(String::new, |message| message.to_string());
        format!("{}:{}:{message}", last.last_at.0, last.code)
    });
    Ok(Json(Page {
        faults: found.into_iter().map(Shown::from).collect(),
        next,
    }))
}
