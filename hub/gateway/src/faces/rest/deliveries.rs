//! What the hub owes: for insurers that pull, their word that they have it, and what people do about what was refused.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::participant::{Delivery, Purpose, Role};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_engine::CircuitState;
use takmil_insurers::rest::json::decision_of;
use takmil_store::{
    Attempt, DeliveryPage, DeliveryState, ListedDelivery, Outcome, Redelivery, Scope,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, Parameters, RowResult, Rows, page_size, parameter};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::documents::{self, Document};
use crate::faces::acks::{self, MAX_ACKS, Said, Unheard};
use crate::faces::request::Payload;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_deliveries))
        .routes(routes!(acknowledge))
        .routes(routes!(acknowledge_many))
        .routes(routes!(redeliver_one))
        .routes(routes!(redeliver))
        .routes(routes!(resolve))
        .routes(routes!(health))
}

/// Which deliveries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// owed, dead, delivered or all; owed where it is missing.
    state: Option<String>,
    /// Of an insurer, for operators; an insurer has its own.
    insurer: Option<String>,
    /// The cursor of the page before; not of what is owed.
    after: Option<i64>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// A delivery, as an insurer gets it.
#[derive(Serialize)]
struct Shown {
    id: DeliveryId,
    purpose: Purpose,
    message: MessageId,
    kind: Kind,
    created_at: Instant,
    document: Value,
}

impl TryFrom<Delivery> for Shown {
    type Error = serde_json::Error;

    fn try_from(delivery: Delivery) -> Result<Shown, serde_json::Error> {
        Ok(Shown {
            id: delivery.id,
            purpose: delivery.purpose,
            message: delivery.message,
            kind: delivery.kind,
            created_at: delivery.created_at,
            document: serde_json::from_str(&delivery.document)?,
        })
    }
}

/// A delivery without its document.
#[derive(Serialize)]
struct Listed {
    id: DeliveryId,
    insurer: ParticipantId,
    purpose: Purpose,
    message: MessageId,
    kind: Kind,
    state: &'static str,
    created_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_at: Option<Instant>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_note: Option<String>,
}

impl From<ListedDelivery> for Listed {
    fn from(kept: ListedDelivery) -> Listed {
        let (resolved_by, resolved_note) = kept.resolved.unzip();
        Listed {
            id: kept.id,
            insurer: kept.insurer,
            purpose: kept.purpose,
            message: kept.message,
            kind: kept.kind,
            state: state_name(kept.state),
            created_at: kept.created_at,
            delivered_at: kept.delivered_at,
            dead_at: kept.dead_at,
            attempts: kept.attempts,
            error: kept.error,
            resolved_by,
            resolved_note,
        }
    }
}

/// How far a delivery has come, in the words of the interface.
pub(crate) fn state_name(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Owed => "owed",
        DeliveryState::Dead => "dead",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Erased => "erased",
    }
}

/// What is asked for by a word: one state, or all.
fn asked_state(word: &str) -> Option<Option<DeliveryState>> {
    match word {
        "owed" => Some(Some(DeliveryState::Owed)),
        "dead" => Some(Some(DeliveryState::Dead)),
        "delivered" => Some(Some(DeliveryState::Delivered)),
        "all" => Some(None),
        _ => None,
    }
}

/// Lists what the hub owes, the longest due first; or what it has owed, in the order in which it became so.
///
/// An insurer gets what it is owed with its documents. Of each claim only the earliest is listed: the next comes when it
/// is acknowledged. What is not acknowledged is listed again. Other states, and whatever operators ask for, are listed
/// page by page without documents.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "insurers", params(Asked),
    responses((status = 200, description = "The deliveries.", body = ref("#/components/schemas/delivery_list"))),
)]
async fn list_deliveries(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failure> {
    let state = parameter(asked.state.as_deref(), asked_state, "state")?;
    let state = state.unwrap_or(Some(DeliveryState::Owed));
    let insurer = parameter(asked.insurer.as_deref(), ParticipantId::parse, "insurer")?;
    let (most, own) = (page_size(asked.limit), &identity.participant);
    if own.role == Role::Insurer && state == Some(DeliveryState::Owed) {
        let due = app.engine.due(&own.id, most).await?;
        let shown = due.into_iter().map(Shown::try_from);
        let shown = shown.collect::<Result<Vec<_>, _>>();
        return Ok(Json(
            json!({"deliveries": shown.map_err(Failure::internal)?}),
        ));
    }
    let page = DeliveryPage {
        insurer,
        state,
        after: asked.after.unwrap_or(0),
        most,
    };
    let found = app.store.deliveries(&identity.scope, &page).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|found| found >= most);
    let next = found.last().filter(|_| is_full).map(|last| last.sequence);
    let listed: Vec<_> = found.into_iter().map(Listed::from).collect();
    let mut list = json!({ "deliveries": listed });
    if let Some(next) = next {
        list["next"] = next.into();
    }
    Ok(Json(list))
}

/// Says that a delivery was taken. Saying it again is harmless.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/ack", tag = "insurers",
    params(("id" = String, Path, description = "The delivery.")),
    responses((status = 204, description = "The hub has noted it.")),
)]
async fn acknowledge(
    State(app): State<App>,
    identity: Identity,
    Id(delivery): Id<DeliveryId>,
) -> Result<StatusCode, Failure> {
    let attempt = Attempt {
        delivery,
        at: app.engine.now(),
        outcome: Outcome::Delivered { took_ms: None },
    };
    let found = app.store.record_attempts(&identity.scope, &[attempt]).await;
    match found?.first() {
        Some(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(Failure::from(Code::NotFound)),
    }
}

/// What became of a delivery at its insurer.
#[derive(Deserialize)]
struct Ack {
    delivery: DeliveryId,
    outcome: AckOutcome,
    #[serde(default)]
    decision: Option<Value>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum AckOutcome {
    Taken,
    Later,
    Refused,
}

impl From<Ack> for acks::Ack {
    fn from(ack: Ack) -> acks::Ack {
        acks::Ack {
            delivery: ack.delivery,
            said: match ack.outcome {
                AckOutcome::Taken => Said::Taken,
                AckOutcome::Later => Said::Later,
                AckOutcome::Refused => Said::Refused,
            },
            decision: ack.decision.as_ref().map(decision_of),
        }
    }
}

/// An acknowledgement that the hub has noted.
#[derive(Serialize)]
struct Noted {
    delivery: DeliveryId,
}

/// Says of many deliveries what became of them: taken, later, or refused for what they are; with decisions, where the
/// insurer has them already.
///
/// Each row is noted or refused for itself, and all that are noted are durable. Saying it again is harmless. What is
/// refused three times over ten minutes waits for a person, and what comes after it in its claim with it.
#[utoipa::path(
    post, path = "/v1/deliveries/ack", tag = "insurers",
    request_body(description = "A list of acknowledgements.", content = ref("#/components/schemas/delivery_ack_list")),
    responses((status = 200, description = "One result for each row, in their order.", body = ref("#/components/schemas/delivery_ack_results"))),
)]
async fn acknowledge_many(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Rows<Noted>, Failure> {
    let rows = super::rows(&payload)?;
    if rows.len() > MAX_ACKS {
        let detail = format!("a request brings at most {MAX_ACKS} acknowledgements");
        return Err(Failure::new(Code::Invalid, detail));
    }
    let read = |(index, row): (usize, &Value)| {
        documents::read::<Ack>(Document::DeliveryAck, row, &format!("/{index}"))
    };
    let read: Vec<Result<Ack, Vec<Problem>>> = rows.iter().enumerate().map(read).collect();
    let (mut places, mut sound) = (Vec::with_capacity(read.len()), Vec::new());
    for row in read {
        places.push(row.map(|ack| {
            let delivery = ack.delivery;
            sound.push(ack.into());
            delivery
        }));
    }
    let mut heard = acks::acknowledge(&app, &identity, sound).await?.into_iter();
    let results = places.into_iter().enumerate().map(|(index, row)| {
        let noted = row.and_then(|delivery| match heard.next() {
            Some(Ok(())) => Ok(Noted { delivery }),
            Some(Err(Unheard::Decision(failure))) => Err(with_place(failure, index)),
            Some(Err(Unheard::NotOwed)) | None => Err(vec![Problem::new(
                ProblemCode::DanglingReference,
                format!("/{index}/delivery"),
                "no such delivery is owed to the insurer",
            )]),
        });
        match noted {
            Ok(noted) => RowResult::Taken(noted),
            Err(problems) => RowResult::Refused { problems },
        }
    });
    Ok(Rows {
        results: results.collect(),
    })
}

/// What is wrong with the decision of a row, with its place.
fn with_place(failure: Failure, index: usize) -> Vec<Problem> {
    let place = format!("/{index}/decision");
    if failure.problems.is_empty() {
        let code = ProblemCode::DanglingReference;
        return vec![Problem::new(code, place, failure.sentence().to_owned())];
    }
    let placed = |problem: Problem| Problem {
        pointer: format!("{place}{}", problem.pointer),
        ..problem
    };
    failure.problems.into_iter().map(placed).collect()
}

/// Makes a delivery owed again that was had, or that waits for a person.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/redeliver", tag = "insurers",
    params(("id" = String, Path, description = "The delivery.")),
    responses((status = 200, description = "How many deliveries are owed again: one, or none where it is owed still.", body = ref("#/components/schemas/redelivered"))),
)]
async fn redeliver_one(
    State(app): State<App>,
    identity: Identity,
    Id(delivery): Id<DeliveryId>,
) -> Result<Json<Value>, Failure> {
    let what = Redelivery::One(delivery);
    again(&app, &identity, what).await
}

/// A stretch of time.
#[derive(Deserialize)]
struct Stretch {
    from: Instant,
    to: Instant,
    #[serde(default)]
    insurer: Option<ParticipantId>,
}

/// Makes everything owed again that became owed to an insurer in a stretch of time, in the old order.
///
/// An insurer asks for itself, and recognises what it has by the deliveries' ids; an operator names the insurer.
#[utoipa::path(
    post, path = "/v1/deliveries/redeliver", tag = "insurers",
    request_body(description = "The stretch of time.", content = ref("#/components/schemas/redelivery")),
    responses((status = 200, description = "How many deliveries are owed again.", body = ref("#/components/schemas/redelivered"))),
)]
async fn redeliver(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let stretch: Stretch = documents::read(Document::Redelivery, &super::json(&payload)?, "")?;
    let own = match identity.scope {
        Scope::Insurer(_) => Some(identity.participant.id.clone()),
        _ => None,
    };
    let insurer = stretch.insurer.or(own).ok_or_else(|| {
        Problem::new(
            ProblemCode::Missing,
            "/insurer",
            "an operator names the insurer",
        )
    })?;
    let what = Redelivery::Stretch {
        insurer: &insurer,
        from: stretch.from,
        to: stretch.to,
    };
    again(&app, &identity, what).await
}

async fn again(
    app: &App,
    identity: &Identity,
    what: Redelivery<'_>,
) -> Result<Json<Value>, Failure> {
    let now = app.engine.now();
    let deliveries = app.store.redeliver(&identity.scope, what, now).await?;
    app.engine.wake();
    Ok(Json(json!({ "deliveries": deliveries })))
}

/// How a person saw to it.
#[derive(Deserialize)]
struct Resolution {
    note: String,
}

/// Closes a delivery that its insurer refused: it knows by other means, as the note says. What comes after it in its claim
/// goes on.
///
/// The key must be a person's, of the insurer or of an operator.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/resolve", tag = "insurers",
    params(("id" = String, Path, description = "The delivery.")),
    request_body(description = "How it was seen to.", content = ref("#/components/schemas/delivery_resolution")),
    responses((status = 204, description = "It is owed no longer.")),
)]
async fn resolve(
    State(app): State<App>,
    identity: Identity,
    Id(delivery): Id<DeliveryId>,
    payload: Payload,
) -> Result<StatusCode, Failure> {
    let by = identity.person()?.id.to_string();
    let value = super::json(&payload)?;
    let Resolution { note } = documents::read(Document::DeliveryResolution, &value, "")?;
    let now = app.engine.now();
    app.store
        .resolve_delivery(&identity.scope, delivery, (&by, &note), now)
        .await?;
    app.engine.wake();
    Ok(StatusCode::NO_CONTENT)
}

/// How the hub stands with a party.
#[derive(Serialize)]
struct Health {
    insurer: ParticipantId,
    /// How this hub stands with it, where it has called it or carries anything to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    asking: Option<CircuitShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivering: Option<CircuitShown>,
    on_the_way: usize,
    waiting: u64,
    dead: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Instant>,
    delivered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_delivered: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<u32>,
}

#[derive(Serialize)]
struct CircuitShown {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Instant>,
}

impl From<(CircuitState, Option<Instant>)> for CircuitShown {
    fn from((state, since): (CircuitState, Option<Instant>)) -> CircuitShown {
        let state = match state {
            CircuitState::Closed => "closed",
            CircuitState::Open => "open",
            CircuitState::HalfOpen => "half_open",
        };
        CircuitShown { state, since }
    }
}

/// Says how much is owed to each insurer, and whether this hub calls it: an insurer its own, an operator all.
#[utoipa::path(
    get, path = "/v1/deliveries/health", tag = "insurers",
    responses((status = 200, description = "The insurers to which anything was ever owed.", body = ref("#/components/schemas/delivery_health"))),
)]
async fn health(State(app): State<App>, identity: Identity) -> Result<Json<Value>, Failure> {
    let backlogs = app.store.backlogs(&identity.scope).await?;
    let (standings, catalog) = (app.engine.parties(), app.engine.catalog());
    let shown = backlogs.into_iter().map(|backlog| {
        let standing = standings.iter().find(|own| own.party == backlog.insurer);
        let contract = catalog.contract(&backlog.insurer);
        Health {
            asking: standing.map(|own| own.asking.into()),
            delivering: standing.map(|own| own.delivering.into()),
            on_the_way: standing.map_or(0, |own| own.on_the_way),
            waiting: backlog.waiting,
            dead: backlog.dead,
            oldest: backlog.oldest,
            delivered: backlog.delivered,
            last_delivered: backlog.last_delivered,
            per_second: contract.and_then(|own| own.delivery.per_second),
            insurer: backlog.insurer,
        }
    });
    let insurers: Vec<_> = shown.collect();
    Ok(Json(json!({ "insurers": insurers })))
}
