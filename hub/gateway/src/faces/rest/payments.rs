//! Payments and disputes: what an insurer says it paid, what the provider says arrived, and what the two argue about.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DisputeId, MessageId, ParticipantId, PaymentId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::Role;
use takmil_domain::settlement::dispute::{Objection, Side};
use takmil_domain::settlement::payment::{Reach, Row};
use takmil_domain::settlement::state::{DisputeEvent, DisputeState, PaymentEvent, PaymentState};
use takmil_domain::settlement::{Notice, Pair, PayeeKind, Payment, Receipt, Refused};
use takmil_formats::{fhir, x12};
use takmil_store::{DisputeRecord, NewDispute, PaymentRecord, StaffRole};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settlement::{entitled, last_of, may_read, page, whose};
use super::{App, Id, Parameters, json, page_size, parameter};
use crate::auth::Identity;
use crate::code::Failure;
use crate::documents::{self, Document};
use crate::faces::request::Payload;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(notify_payment))
        .routes(routes!(list_payments))
        .routes(routes!(find_payment))
        .routes(routes!(confirm_payment))
        .routes(routes!(bounce_payment))
        .routes(routes!(open_dispute))
        .routes(routes!(list_disputes))
        .routes(routes!(decide_dispute))
}

/// The people who may move something in the book; systems may in any case.
pub(super) const BOOKERS: &[StaffRole] = &[StaffRole::Finance, StaffRole::Billing];

/// A notice of a payment, as an insurer writes it.
#[derive(Deserialize)]
struct Written {
    reference: String,
    provider: ParticipantId,
    #[serde(default)]
    payee: PayeeKind,
    currency: Currency,
    amount: Amount,
    paid_on: Date,
    #[serde(default)]
    instrument: Option<String>,
    #[serde(default)]
    statement: Option<u64>,
    #[serde(default)]
    allocations: Option<Vec<Row>>,
}

impl Written {
    fn of(self, insurer: ParticipantId) -> Notice {
        let reach = match (self.statement, self.allocations) {
            (Some(number), _) => Reach::Statement(number),
            (None, Some(rows)) => Reach::Named(rows),
            (None, None) => Reach::Bulk,
        };
        Notice {
            reference: self.reference,
            pair: Pair {
                insurer,
                provider: self.provider,
                payee: self.payee,
                currency: self.currency,
            },
            amount: self.amount,
            paid_on: self.paid_on,
            instrument: self.instrument,
            reach,
        }
    }
}

/// Gives notice of a payment: of claims or lines by name, of the claims of a statement, or of whatever is open, the oldest
/// first.
///
/// A row that the book does not take is refused with a code of its own, and the others stand. What reaches no claim waits
/// for later ones. Nothing counts as arrived before the provider confirms it. A repeat under the same reference is
/// answered as it was before.
#[utoipa::path(
    post, path = "/v1/payments", tag = "settlement",
    request_body(description = "The notice.", content = ref("#/components/schemas/payment_notice")),
    responses((status = 200, description = "What the payment has reached.", body = ref("#/components/schemas/payment_receipt"))),
)]
async fn notify_payment(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Receipt>, Failure> {
    Ok(Json(notify(&app, &identity, &json(&payload)?).await?))
}

/// Books a notice of the insurer that calls, whichever wire it came by.
///
/// # Errors
/// What is wrong with it, by its place in the document.
pub(crate) async fn notify(
    app: &App,
    identity: &Identity,
    document: &Value,
) -> Result<Receipt, Failure> {
    entitled(identity, BOOKERS)?;
    let written: Written = documents::read(Document::PaymentNotice, document, "")?;
    let notice = written.of(identity.participant.id.clone());
    let catalog = app.engine.catalog();
    let provider = catalog.participant(&notice.pair.provider);
    if provider.is_none_or(|provider| provider.role != Role::Provider) {
        return Err(Refused::Unknown.into());
    }
    let now = app.engine.now();
    Ok(app.store.notice(&identity.scope, &notice, now).await??)
}

/// Which payments, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PaymentsAsked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// To this provider alone.
    provider: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// A payment.
#[derive(Serialize)]
struct PaymentShown {
    id: PaymentId,
    #[serde(flatten)]
    pair: Pair,
    reference: String,
    amount: Amount,
    allocated: Amount,
    paid_on: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    instrument: Option<String>,
    state: PaymentState,
    noticed_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<Instant>,
    /// What it has reached, where one payment is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    allocations: Option<Vec<Reached>>,
}

/// A claim, or one of its lines, that a payment has reached.
#[derive(Serialize)]
struct Reached {
    message: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    amount: Amount,
}

impl From<PaymentRecord> for PaymentShown {
    fn from(record: PaymentRecord) -> PaymentShown {
        let payment = record.payment;
        PaymentShown {
            id: payment.id,
            pair: payment.pair,
            reference: payment.reference,
            amount: payment.amount,
            allocated: record.allocated,
            paid_on: payment.paid_on,
            instrument: payment.instrument,
            state: payment.state,
            noticed_at: payment.noticed_at,
            settled_at: payment.settled_at,
            allocations: None,
        }
    }
}

impl From<Payment> for PaymentShown {
    fn from(payment: Payment) -> PaymentShown {
        let reached = |(place, amount): (&(MessageId, Option<u32>), &Amount)| Reached {
            message: place.0,
            line: place.1,
            amount: *amount,
        };
        let allocations = payment.allocations.iter().map(reached).collect();
        let allocated = payment.allocated();
        PaymentShown {
            allocations: Some(allocations),
            ..PaymentRecord { payment, allocated }.into()
        }
    }
}

/// Lists payments, the earliest first. An insurer sees those that it gave notice of, a provider those to it.
#[utoipa::path(
    get, path = "/v1/payments", tag = "settlement", params(PaymentsAsked),
    responses((status = 200, description = "A page of payments.", body = ref("#/components/schemas/payment_page"))),
)]
async fn list_payments(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<PaymentsAsked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let filter = whose(asked.insurer.as_deref(), asked.provider.as_deref())?;
    let state = parameter(asked.state.as_deref(), PaymentState::parse, "state")?;
    let after = parameter(asked.cursor.as_deref(), PaymentId::parse, "cursor")?;
    let size = page_size(asked.limit);
    let found = app
        .store
        .payments(&identity.scope, &filter, state, after, size)
        .await?;
    let next = last_of(&found, size).map(|last| last.payment.id.to_string());
    let shown: Vec<PaymentShown> = found.into_iter().map(PaymentShown::from).collect();
    Ok(page("payments", &shown, next))
}

/// Gives a payment with every claim and line that it has reached.
///
/// Who accepts application/fhir+json or application/fhir+xml has it as a PaymentReconciliation, which tells beside each
/// amount what the base insurer pays of the same claim or line, and what this one owes for it; who accepts
/// application/edi-x12, as an X12 835.
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "settlement",
    params(("id" = String, Path, description = "The payment.")),
    responses((status = 200, description = "The payment.", content(
        (Value = "application/json"), ("application/fhir+json"), ("application/fhir+xml"), ("application/edi-x12"),
    ))),
)]
async fn find_payment(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<PaymentId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    may_read(&identity)?;
    let payment = app.store.payment(&identity.scope, id).await?;
    let forms = [
        "application/fhir+json",
        "application/fhir+xml",
        "application/edi-x12",
    ];
    let Some(form) = forms.into_iter().find(|form| accepts(&headers, form)) else {
        return Ok(Json(PaymentShown::from(payment)).into_response());
    };
    let dues = app.store.reached_dues(&identity.scope, &payment).await?;
    let written = match form {
        "application/edi-x12" => x12::payment(&payment, &dues),
        form => fhir::payment(&payment, &dues, form == "application/fhir+json"),
    };
    Ok(([(CONTENT_TYPE, written.media_type)], written.bytes).into_response())
}

/// Whether a caller accepts a media type by its name.
pub(super) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains(wanted))
}

/// Says that a payment has arrived. Saying it again is harmless.
#[utoipa::path(
    post, path = "/v1/payments/{id}/confirm", tag = "settlement",
    params(("id" = String, Path, description = "The payment.")),
    responses((status = 200, description = "The payment, confirmed.", body = ref("#/components/schemas/payment"))),
)]
async fn confirm_payment(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<PaymentId>,
) -> Result<Json<PaymentShown>, Failure> {
    settle(&app, &identity, id, PaymentEvent::Confirmed).await
}

/// Says that a payment has not arrived, or was called back: what it reached is owed again. Saying it again is harmless.
#[utoipa::path(
    post, path = "/v1/payments/{id}/bounce", tag = "settlement",
    params(("id" = String, Path, description = "The payment.")),
    responses((status = 200, description = "The payment, bounced.", body = ref("#/components/schemas/payment"))),
)]
async fn bounce_payment(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<PaymentId>,
) -> Result<Json<PaymentShown>, Failure> {
    settle(&app, &identity, id, PaymentEvent::Bounced).await
}

async fn settle(
    app: &App,
    identity: &Identity,
    id: PaymentId,
    event: PaymentEvent,
) -> Result<Json<PaymentShown>, Failure> {
    entitled(identity, BOOKERS)?;
    let now = app.engine.now();
    let settled = app.store.settle(&identity.scope, id, event, now).await?;
    Ok(Json(settled?.into()))
}

/// What somebody argues about.
#[derive(Deserialize)]
struct Argued {
    #[serde(default)]
    insurer: Option<ParticipantId>,
    message: MessageId,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    amount: Option<Amount>,
    reason: String,
}

/// Opens a dispute about what is owed for a claim, or for one of its lines.
///
/// What it is about is not to be paid until it is decided, and goes on ageing. The words of both sides are kept for good,
/// and are to name no person.
#[utoipa::path(
    post, path = "/v1/disputes", tag = "settlement",
    request_body(description = "What it is about.", content = ref("#/components/schemas/objection")),
    responses((status = 200, description = "The dispute.", body = ref("#/components/schemas/dispute"))),
)]
async fn open_dispute(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    entitled(&identity, BOOKERS)?;
    let argued: Argued = documents::read(Document::Objection, &json(&payload)?, "")?;
    let own = &identity.participant;
    let (by, insurer) = match own.role {
        Role::Insurer => (Side::Insurer, Some(own.id.clone())),
        _ => (Side::Provider, argued.insurer),
    };
    let new = NewDispute {
        insurer: insurer.ok_or(Refused::Unknown)?,
        objection: Objection {
            message: argued.message,
            line: argued.line,
            amount: argued.amount,
            by,
        },
        reason: argued.reason,
    };
    let now = app.engine.now();
    let opened = app.store.open_dispute(&identity.scope, &new, now).await?;
    Ok(Json(shown(&opened?)))
}

/// Which disputes, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DisputesAsked {
    /// With this insurer alone.
    insurer: Option<String>,
    /// With this provider alone.
    provider: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// Lists disputes, the earliest first.
#[utoipa::path(
    get, path = "/v1/disputes", tag = "settlement", params(DisputesAsked),
    responses((status = 200, description = "A page of disputes.", body = ref("#/components/schemas/dispute_page"))),
)]
async fn list_disputes(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<DisputesAsked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let filter = whose(asked.insurer.as_deref(), asked.provider.as_deref())?;
    let state = parameter(asked.state.as_deref(), DisputeState::parse, "state")?;
    let after = parameter(asked.cursor.as_deref(), DisputeId::parse, "cursor")?;
    let size = page_size(asked.limit);
    let found = app
        .store
        .disputes(&identity.scope, &filter, state, after, size)
        .await?;
    let next = last_of(&found, size).map(|last| last.dispute.id.to_string());
    let rows: Vec<Value> = found.iter().map(shown).collect();
    Ok(page("disputes", &rows, next))
}

/// A dispute as it is shown: whose it is stands beside the rest.
fn shown(record: &DisputeRecord) -> Value {
    let DisputeRecord {
        dispute,
        reason,
        said,
    } = record;
    let mut shown = json!({
        "id": dispute.id, "message": dispute.message, "amount": dispute.amount,
        "insurer": dispute.pair.insurer, "provider": dispute.pair.provider,
        "payee": dispute.pair.payee, "currency": dispute.pair.currency,
        "opened_by": dispute.opened_by, "state": dispute.state, "opened_at": dispute.opened_at,
        "reason": reason,
    });
    let more = [
        ("line", dispute.line.map(|line| json!(line))),
        ("decided_at", dispute.decided_at.map(|at| json!(at))),
        ("said", said.as_ref().map(|said| json!(said))),
    ];
    for (name, value) in more {
        if let (Some(value), Some(shown)) = (value, shown.as_object_mut()) {
            shown.insert(name.to_owned(), value);
        }
    }
    shown
}

/// How a dispute ends.
#[derive(Deserialize)]
struct Ruling {
    outcome: DisputeEvent,
    #[serde(default)]
    note: Option<String>,
}

/// Decides a dispute: the other side than opened it upholds what is owed or dismisses it; who opened it withdraws.
///
/// Saying the same again is harmless.
#[utoipa::path(
    post, path = "/v1/disputes/{id}/decide", tag = "settlement",
    params(("id" = String, Path, description = "The dispute.")),
    request_body(description = "How it ends.", content = ref("#/components/schemas/ruling")),
    responses((status = 200, description = "The dispute, decided.", body = ref("#/components/schemas/dispute"))),
)]
async fn decide_dispute(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<DisputeId>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    entitled(&identity, BOOKERS)?;
    let ruling: Ruling = documents::read(Document::Ruling, &json(&payload)?, "")?;
    let (note, now) = (ruling.note.as_deref(), app.engine.now());
    let decided = app
        .store
        .decide_dispute(&identity.scope, id, ruling.outcome, note, now)
        .await?;
    Ok(Json(shown(&decided?)))
}
