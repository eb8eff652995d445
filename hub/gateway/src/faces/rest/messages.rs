//! Where is my message? Lists and ways, as far as the caller may see.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takmil_domain::answer::Answer;
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MemberId, MessageId, ParticipantId};
use takmil_domain::life::State as MessageState;
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;
use takmil_engine::{Change, DocumentStages, StagesAsked};
use takmil_store::{AttemptRecord, DeliveryWay, Leg, MessageEnvelope, MessageFilter, Scope};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, Parameters, page_size, parameter};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::faces::changed::changes;
use crate::faces::reading::record;

/// The most insurers of one document whose stages are told.
const MOST_INSURERS: usize = 100;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_messages))
        .routes(routes!(find_message))
}

/// A message without its content.
#[derive(Serialize)]
struct Envelope {
    id: MessageId,
    sender: ParticipantId,
    kind: Kind,
    format: String,
    state: MessageState,
    received_at: Instant,
    updated_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberId>,
}

impl From<MessageEnvelope> for Envelope {
    fn from(kept: MessageEnvelope) -> Envelope {
        Envelope {
            id: kept.id,
            sender: kept.sender,
            kind: kept.kind,
            format: kept.format,
            state: kept.state,
            received_at: kept.received_at,
            updated_at: kept.updated_at,
            deadline: kept.deadline,
            member: kept.member,
        }
    }
}

/// A message's whole way.
#[derive(Serialize)]
struct Way {
    #[serde(flatten)]
    envelope: Envelope,
    /// The answer as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    legs: Vec<Leg>,
    deliveries: Vec<DeliveryShown>,
    /// Its stages on the way to payment, insurer by insurer.
    stages: Vec<DocumentStages>,
}

impl Way {
    /// The way as `identity` may see it. Insurers have their view of the answer in their deliveries: the whole
    /// of it names the others.
    fn of(way: takmil_engine::Way, stages: Vec<DocumentStages>, identity: &Identity) -> Way {
        let sees_all = !matches!(identity.scope, Scope::Insurer(_));
        let mut answer = way.turns.iter().rev().find_map(|turn| turn.answer.clone());
        if let Some(answer) = &mut answer {
            // Later turns without an answer of their own, as that it was paid, have led it on.
            answer.state = way.envelope.state;
        }
        let legs = way.turns.into_iter().flat_map(|turn| turn.legs);
        let deliveries = way.deliveries.into_iter().map(DeliveryShown::from);
        Way {
            answer: answer.filter(|_| sees_all),
            legs: legs.collect(),
            deliveries: deliveries.collect(),
            stages,
            envelope: way.envelope.into(),
        }
    }
}

/// What became owed to an insurer, and what came of it.
#[derive(Serialize)]
struct DeliveryShown {
    id: DeliveryId,
    insurer: ParticipantId,
    purpose: Purpose,
    created_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_note: Option<String>,
    attempts: Vec<AttemptShown>,
}

#[derive(Serialize)]
struct AttemptShown {
    at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<DeliveryWay> for DeliveryShown {
    fn from(way: DeliveryWay) -> DeliveryShown {
        let shown = |AttemptRecord { at, error }| AttemptShown { at, error };
        let (resolved_by, resolved_note) = way.resolved.unzip();
        DeliveryShown {
            id: way.id,
            insurer: way.insurer,
            purpose: way.purpose,
            created_at: way.created_at,
            delivered_at: way.delivered_at,
            took_ms: way.took_ms,
            dead_at: way.dead_at,
            resolved_by,
            resolved_note,
            attempts: way.attempts.into_iter().map(shown).collect(),
        }
    }
}

/// Says where a message is: its state, its answer, every leg of its way with its time, and its stages on the way to payment.
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "messages",
    params(("id" = String, Path, description = "The hub's id of the message.")),
    responses((status = 200, description = "The message's way.", body = ref("#/components/schemas/message_way"))),
)]
async fn find_message(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<MessageId>,
) -> Result<Json<Value>, Failure> {
    let way = app.engine.way(&identity.scope, id).await?;
    let operation = "GET /v1/messages/{id}";
    record(&app, &identity, operation, id.to_string()).await?;
    let asked = StagesAsked {
        message: Some(id),
        ..StagesAsked::default()
    };
    let stages = app
        .engine
        .stages(&identity.scope, &asked, None, MOST_INSURERS);
    let way = Way::of(way, stages.await?.documents, &identity);
    Ok(Json(serde_json::to_value(way).map_err(Failure::internal)?))
}

/// Which messages, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only of this kind.
    kind: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// Only of this member, by the hub's id.
    member: Option<String>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// What has changed since: `next` of the page before, empty for all; then without the other conditions.
    updated_after: Option<String>,
    /// How many messages, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    messages: Vec<Envelope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<MessageId>,
}

/// A page of messages in the order in which they changed.
#[derive(Serialize)]
struct ChangePage {
    messages: Vec<Changed>,
    next: String,
    caught_up: bool,
}

/// A message that has changed.
#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    envelope: Envelope,
    cursor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Value>,
}

impl TryFrom<Change> for Changed {
    type Error = serde_json::Error;

    fn try_from(change: Change) -> Result<Changed, serde_json::Error> {
        let document = change.document.as_deref().map(serde_json::from_str);
        Ok(Changed {
            envelope: change.envelope.into(),
            cursor: change.cursor.to_string(),
            document: document.transpose()?,
        })
    }
}

/// Lists messages, the latest first; or, with `updated_after`, in the order in which they changed.
///
/// A provider sees what it sent; an insurer sees what it has a share in. In the order of changes each message is listed once,
/// as it stands, and to an insurer with its document; whoever goes on from `next` misses none. One that changes again comes
/// again. A change is there within seconds of its answer.
#[utoipa::path(
    get, path = "/v1/messages", tag = "messages", params(Asked),
    responses((status = 200, description = "A page of messages.", body = ref("#/components/schemas/message_page"))),
)]
async fn list_messages(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failure> {
    let size = page_size(asked.limit);
    if let Some(after) = &asked.updated_after {
        let conditions = [&asked.kind, &asked.state, &asked.member, &asked.cursor];
        if conditions.iter().any(|own| own.is_some()) {
            let detail = "updated_after stands alone, but for limit";
            return Err(Failure::new(Code::Parameter, detail));
        }
        let changes = changes(&app, &identity, "GET /v1/messages", (after, size)).await?;
        let messages = changes.messages.into_iter().map(Changed::try_from);
        let page = ChangePage {
            messages: messages
                .collect::<Result<_, _>>()
                .map_err(Failure::internal)?,
            next: changes.next.to_string(),
            caught_up: changes.caught_up,
        };
        return Ok(Json(serde_json::to_value(page).map_err(Failure::internal)?));
    }
    let filter = MessageFilter {
        kind: parameter(asked.kind.as_deref(), Kind::parse, "kind")?,
        state: parameter(asked.state.as_deref(), MessageState::parse, "state")?,
        member: parameter(asked.member.as_deref(), MemberId::parse, "member")?,
    };
    let after = parameter(asked.cursor.as_deref(), MessageId::parse, "cursor")?;
    let found = app
        .store
        .messages(&identity.scope, &filter, after, size)
        .await?;
    let listed = found.iter().map(|found| found.id.to_string());
    let listed: Vec<String> = listed.collect();
    if !listed.is_empty() {
        record(&app, &identity, "GET /v1/messages", listed.join(" ")).await?;
    }
    let is_full = u32::try_from(found.len()).is_ok_and(|count| count >= size);
    let page = Page {
        next: found.last().filter(|_| is_full).map(|last| last.id),
        messages: found.into_iter().map(Envelope::from).collect(),
    };
    Ok(Json(serde_json::to_value(page).map_err(Failure::internal)?))
}
