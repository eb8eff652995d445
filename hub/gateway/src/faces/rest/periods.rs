//! Months of the book: their trial balance, and their closing by two persons.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::date::Instant;
use takmil_domain::ids::{DifferenceId, ParticipantId};
use takmil_domain::money::Currency;
use takmil_domain::participant::Role;
use takmil_domain::settlement::Refused;
use takmil_domain::settlement::period::{Hindrance, Month};
use takmil_engine::Period;
use takmil_store::{Approval, NewApproval, OpenDifferences};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::approvals::{Shown, propose};
use super::settlement::may_read;
use super::{App, Id, Parameters, json, parameter};
use crate::auth::Identity;
use crate::backup::hex;
use crate::code::{Code, Failure};
use crate::documents::{self, Document};
use crate::faces::request::Payload;

/// The kind of proposal that the closing of a month is.
pub(super) const PERIOD: &str = "period";

/// How many hindrances are told in one sentence.
const MOST_TOLD: usize = 5;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(find_period))
        .routes(routes!(close_period))
}

/// Whose month.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// In which currency.
    currency: String,
    /// Of which insurer; an insurer need not name itself.
    insurer: Option<String>,
}

/// The month that an address names, in the calendar of the book.
fn month(app: &App, text: &str) -> Result<Month, Failure> {
    let month = Month::parse(text, app.config.settlement.calendar);
    month.ok_or_else(|| Failure::from(Code::NotFound))
}

/// Shows a month of an insurer in one currency: what went through each account, and what stands in the way of closing it.
#[utoipa::path(
    get, path = "/v1/periods/{month}", tag = "settlement",
    params(("month" = String, Path, description = "YYYY-MM, as the book's calendar counts."), Asked),
    responses((status = 200, description = "The month.", body = ref("#/components/schemas/book_month"))),
)]
async fn find_period(
    State(app): State<App>,
    identity: Identity,
    Id(text): Id<String>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let month = month(&app, &text)?;
    let missing = || Failure::new(Code::Parameter, "the parameter cannot be read");
    let currency = Currency::parse(&asked.currency).ok_or_else(missing)?;
    let named = parameter(asked.insurer.as_deref(), ParticipantId::parse, "insurer")?;
    let own = &identity.participant;
    let insurer = match (named, own.role) {
        (Some(named), _) => named,
        (None, Role::Insurer) => own.id.clone(),
        (None, _) => return Err(Failure::new(Code::Parameter, "name the insurer")),
    };
    let whose = (&insurer, currency);
    let period = app.engine.period(&identity.scope, whose, month).await?;
    Ok(Json(shown(&insurer, currency, &period)))
}

fn shown(insurer: &ParticipantId, currency: Currency, period: &Period) -> Value {
    let row = |(account, debits, credits): &(_, i64, i64)| json!({"account": account, "debits": debits, "credits": credits});
    let balance: Vec<Value> = period.balance.rows.iter().map(row).collect();
    // Differences are told beside what hinders whatever somebody accepts.
    let hindrances = period.hindrances.iter().filter(|own| !is_difference(own));
    let hindrances: Vec<String> = hindrances.map(Hindrance::to_string).collect();
    let mut shown = json!({
        "month": period.month.to_string(), "from": period.month.first(), "to": period.month.last(),
        "insurer": insurer, "currency": currency, "state": "open",
        "balance": balance, "hindrances": hindrances,
    });
    if let Some(closed) = &period.closed {
        shown["state"] = json!("closed");
        shown["debits"] = json!(closed.debits);
        shown["digest"] = json!(hex(closed.digest));
        shown["closed_at"] = json!(closed.closed_at);
        shown["accepted"] = json!(closed.accepted);
    } else {
        shown["differences"] = json!(Told::of(period));
    }
    shown
}

fn is_difference(hindrance: &Hindrance) -> bool {
    matches!(hindrance, Hindrance::Difference { .. })
}

/// The open differences of a month: how many, what they are about, and the first of them.
#[derive(Serialize, Deserialize)]
struct Told {
    #[serde(flatten)]
    sum: OpenDifferences,
    first: Vec<DifferenceId>,
}

impl Told {
    fn of(period: &Period) -> Told {
        let first = period.differences.iter().take(MOST_TOLD).map(|own| own.id);
        Told {
            sum: OpenDifferences::of(&period.differences),
            first: first.collect(),
        }
    }
}

/// In which currency a month is to be closed.
#[derive(Deserialize)]
struct Wanted {
    currency: Currency,
    /// Whether it is to be closed though figures differ.
    #[serde(default)]
    accept_differences: bool,
}

/// The closing of a month, as it is proposed.
#[derive(Serialize, Deserialize)]
struct Proposed {
    month: String,
    currency: Currency,
    /// The open differences that there were when it was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    differences: Option<Told>,
    /// Until when differences were found that it is to be closed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted_until: Option<Instant>,
}

/// Proposes to close a month in one currency, once it is over, all its days are stated, and its sums add up.
///
/// Where parties state something differently of its claims, it is closed only with `accept_differences`: the proposal then
/// says how many there are and what they are about, and so does what is kept of the closing. One that is found later hinders it.
/// It is closed for good when another person of the insurer approves it. What comes later is booked in the open month.
/// The key must be a finance person's.
#[utoipa::path(
    post, path = "/v1/periods/{month}/close", tag = "settlement",
    params(("month" = String, Path, description = "YYYY-MM, as the book's calendar counts.")),
    request_body(description = "In which currency.", content = ref("#/components/schemas/closing")),
    responses((status = 202, description = "The proposal, which waits for another person.", body = ref("#/components/schemas/approval"))),
)]
async fn close_period(
    State(app): State<App>,
    identity: Identity,
    Id(text): Id<String>,
    payload: Payload,
) -> Result<(StatusCode, Json<Shown>), Failure> {
    let by = identity.person()?.id;
    let wanted: Wanted = documents::read(Document::Closing, &json(&payload)?, "")?;
    let currency = wanted.currency;
    let month = month(&app, &text)?;
    let insurer = &identity.participant.id;
    let whose = (insurer, currency);
    let now = app.engine.now();
    let period = app.engine.period(&identity.scope, whose, month).await?;
    if period.closed.is_some() {
        return Err(Refused::Closed.into());
    }
    let is_accepted = |own: &Hindrance| wanted.accept_differences && is_difference(own);
    if !period.hindrances.iter().all(is_accepted) {
        return Err(hindered(&period.hindrances));
    }
    let document = Proposed {
        month: month.to_string(),
        currency,
        differences: Some(Told::of(&period)).filter(|told| told.sum.count > 0),
        accepted_until: wanted.accept_differences.then_some(now),
    };
    let proposal = NewApproval {
        kind: PERIOD.to_owned(),
        subject: format!("{month}/{currency}"),
        document: serde_json::to_string(&document).map_err(Failure::internal)?,
        by,
        approver: None,
    };
    propose(&app, &identity, &proposal).await
}

/// Closes a month that another person has agreed to close.
pub(super) async fn close(app: &App, approval: &Approval) -> Result<(), Failure> {
    let agreed: Proposed = serde_json::from_str(&approval.document).map_err(Failure::internal)?;
    let month = month(app, &agreed.month)?;
    let whose = (&approval.participant, agreed.currency);
    let closed = app
        .engine
        .close_period(whose, month, agreed.accepted_until)
        .await?;
    closed.map_err(|hindrances| hindered(&hindrances))
}

fn hindered(hindrances: &[Hindrance]) -> Failure {
    let told = hindrances.iter().take(MOST_TOLD).map(Hindrance::to_string);
    let told: Vec<String> = told.collect();
    let rest = hindrances.len().saturating_sub(MOST_TOLD);
    let more = match rest {
        0 => String::new(),
        rest => format!("; and {rest} more"),
    };
    Failure::new(Code::Conflict, format!("{}{more}", told.join("; ")))
}
