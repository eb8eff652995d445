//! The book of settlement as both sides read it: what is owed, how old it is, and the statements of each day.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::money::Amount;
use takmil_domain::settlement::age::Aging;
use takmil_domain::settlement::remittance::Remittance;
use takmil_domain::settlement::{Due, DueLine, Pair, TransferKind};
use takmil_formats::uae;
use takmil_store::{BookFilter, StaffRole, StatementFilter, StatementRecord};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::payments::accepts;
use super::{App, Id, Parameters, page_size, parameter};
use crate::auth::Identity;
use crate::backup::hex;
use crate::code::{Code, Failure};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_dues))
        .routes(routes!(aging))
        .routes(routes!(list_statements))
        .routes(routes!(find_statement))
}

/// The people who may look into the book; systems may in any case.
const READERS: &[StaffRole] = &[
    StaffRole::Finance,
    StaffRole::Billing,
    StaffRole::Auditor,
    StaffRole::Operator,
];

/// Lets a participant's system through, and of its people those with one of these roles.
///
/// # Errors
/// [`Code::Forbidden`] for other people.
pub(super) fn entitled(identity: &Identity, roles: &[StaffRole]) -> Result<(), Failure> {
    let is_entitled = identity
        .person
        .as_ref()
        .is_none_or(|person| person.roles.iter().any(|role| roles.contains(role)));
    let refused = || Failure::new(Code::Forbidden, "this person's roles do not allow it");
    is_entitled.then_some(()).ok_or_else(refused)
}

/// Lets through who may read the book.
pub(super) fn may_read(identity: &Identity) -> Result<(), Failure> {
    entitled(identity, READERS)
}

/// Whose rows are asked for.
pub(super) fn whose(insurer: Option<&str>, provider: Option<&str>) -> Result<BookFilter, Failure> {
    Ok(BookFilter {
        insurer: parameter(insurer, ParticipantId::parse, "insurer")?,
        provider: parameter(provider, ParticipantId::parse, "provider")?,
    })
}

/// The last of a page's rows, where there may be more.
pub(super) fn last_of<T>(rows: &[T], size: u32) -> Option<&T> {
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count >= size);
    rows.last().filter(|_| is_full)
}

/// Which dues, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DuesAsked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// Of this provider alone.
    provider: Option<String>,
    /// Of this claim alone, by the hub's id.
    message: Option<String>,
    /// True for what is not settled alone.
    open: Option<bool>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// What an insurer owes for a claim, and what became of it.
#[derive(Serialize)]
struct DueShown {
    message: MessageId,
    #[serde(flatten)]
    pair: Pair,
    on_day: Date,
    due_on: Date,
    incurred: Amount,
    noticed: Amount,
    confirmed: Amount,
    disputed: Amount,
    written_off: Amount,
    open: Amount,
    lines: Vec<DueLine>,
}

impl From<Due> for DueShown {
    fn from(due: Due) -> DueShown {
        DueShown {
            open: due.open(),
            message: due.message,
            pair: due.pair,
            on_day: due.on_day,
            due_on: due.due_on,
            incurred: due.incurred,
            noticed: due.noticed,
            confirmed: due.confirmed,
            disputed: due.disputed,
            written_off: due.written_off,
            lines: due.lines,
        }
    }
}

/// The place of a due in their order, as a cursor.
pub(crate) fn place(text: &str) -> Option<(MessageId, ParticipantId)> {
    let (message, insurer) = text.split_once(':')?;
    Some((MessageId::parse(message)?, ParticipantId::parse(insurer)?))
}

/// Lists what insurers owe for claims, and what became of it.
///
/// A due is born in the turn that decides its claim, and follows each correction and cancellation. An insurer sees what it
/// owes, a provider what it is owed. Open is what is neither paid, on its way, argued about nor written off; below 0
/// where more was paid than is owed any longer.
#[utoipa::path(
    get, path = "/v1/dues", tag = "settlement", params(DuesAsked),
    responses((status = 200, description = "A page of dues, in the order of their claims.", body = ref("#/components/schemas/due_page"))),
)]
async fn list_dues(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<DuesAsked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let filter = whose(asked.insurer.as_deref(), asked.provider.as_deref())?;
    let message = parameter(asked.message.as_deref(), MessageId::parse, "message")?;
    let after = parameter(asked.cursor.as_deref(), place, "cursor")?;
    let (size, open) = (page_size(asked.limit), asked.open.unwrap_or(false));
    let dues = app
        .store
        .dues(
            &identity.scope,
            &filter,
            message,
            open,
            after.as_ref(),
            size,
        )
        .await?;
    let next = last_of(&dues, size).map(|due| format!("{}:{}", due.message, due.pair.insurer));
    let shown: Vec<DueShown> = dues.into_iter().map(DueShown::from).collect();
    Ok(page("dues", &shown, next))
}

/// A page of a list.
pub(super) fn page(name: &str, rows: &[impl Serialize], next: Option<String>) -> Json<Value> {
    let mut page = json!({ name: rows });
    if let (Some(next), Some(page)) = (next, page.as_object_mut()) {
        page.insert("next".to_owned(), json!(next));
    }
    Json(page)
}

/// On which day, and between whom.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AgingAsked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// Of this provider alone.
    provider: Option<String>,
    /// On this day; today where it is missing.
    on: Option<String>,
}

/// How old is what one insurer owes one provider.
#[derive(Serialize)]
struct AgedShown {
    #[serde(flatten)]
    pair: Pair,
    #[serde(flatten)]
    aging: Aging,
}

/// Says how old is what insurers owe: not due yet, and past its day by up to 30, 60, 90 days, or more.
///
/// What is on its way is no longer owed; what is argued about goes on ageing beside what is open.
#[utoipa::path(
    get, path = "/v1/aging", tag = "settlement", params(AgingAsked),
    responses((status = 200, description = "The ages, insurer by insurer and provider by provider.", body = ref("#/components/schemas/aging"))),
)]
async fn aging(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<AgingAsked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let filter = whose(asked.insurer.as_deref(), asked.provider.as_deref())?;
    let day = parameter(asked.on.as_deref(), Date::parse, "on")?;
    let day = day.unwrap_or_else(|| app.engine.book_day());
    let aged = app.store.aging(&identity.scope, &filter, day).await?;
    let shown = aged.into_iter().map(|own| AgedShown {
        pair: own.pair,
        aging: own.aging,
    });
    let shown: Vec<AgedShown> = shown.collect();
    Ok(Json(json!({"day": day, "aging": shown})))
}

/// Which statements, and how many.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatementsAsked {
    /// Of this insurer alone.
    insurer: Option<String>,
    /// Of this provider alone.
    provider: Option<String>,
    /// Of this day, or later.
    from: Option<String>,
    /// Of this day, or earlier.
    to: Option<String>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1,000; 100 where it is missing.
    limit: Option<u32>,
}

/// A day's statement of one insurer and one provider.
#[derive(Serialize)]
struct StatementShown {
    number: u64,
    #[serde(flatten)]
    pair: Pair,
    day: Date,
    opening: i64,
    sums: BTreeMap<TransferKind, i64>,
    closing: i64,
    claims: u64,
    transfers: u64,
    made_at: Instant,
    digest: String,
}

impl From<StatementRecord> for StatementShown {
    fn from(record: StatementRecord) -> StatementShown {
        let statement = record.statement;
        StatementShown {
            number: record.number,
            pair: statement.pair,
            day: statement.day,
            opening: statement.opening,
            sums: statement.sums,
            closing: statement.closing,
            claims: statement.claims,
            transfers: statement.transfers,
            made_at: statement.made_at,
            digest: hex(statement.digest),
        }
    }
}

/// Lists the statements of days that are over, in the order of their numbers.
///
/// Every night each insurer and provider between whom something moved have one: what was owed before, what came and went,
/// what is owed now. What was committed too late for its day is in the next one.
#[utoipa::path(
    get, path = "/v1/statements", tag = "settlement", params(StatementsAsked),
    responses((status = 200, description = "A page of statements.", body = ref("#/components/schemas/statement_page"))),
)]
async fn list_statements(
    State(app): State<App>,
    identity: Identity,
    Parameters(asked): Parameters<StatementsAsked>,
) -> Result<Json<Value>, Failure> {
    may_read(&identity)?;
    let filter = StatementFilter {
        whose: whose(asked.insurer.as_deref(), asked.provider.as_deref())?,
        from: parameter(asked.from.as_deref(), Date::parse, "from")?,
        to: parameter(asked.to.as_deref(), Date::parse, "to")?,
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let after = parameter(asked.cursor.as_deref(), number, "cursor")?;
    let size = page_size(asked.limit);
    let found = app
        .store
        .statements(&identity.scope, &filter, after.unwrap_or(0), size)
        .await?;
    let next = last_of(&found, size).map(|last| last.number.to_string());
    let shown: Vec<StatementShown> = found.into_iter().map(StatementShown::from).collect();
    Ok(page("statements", &shown, next))
}

/// Gives a statement as a remittance advice: claim by claim and line by line, what was billed, what the base insurer
/// pays, what this one pays, and what of it was paid that day.
///
/// What was taken back stands there with its claim, below 0. What is open is as it stands now. Who accepts
/// application/xml has it as the Emirates' Remittance.Advice.
#[utoipa::path(
    get, path = "/v1/statements/{number}", tag = "settlement",
    params(("number" = u64, Path, description = "The statement's number.")),
    responses((status = 200, description = "The statement with its claims.", body = ref("#/components/schemas/statement_detail"))),
)]
async fn find_statement(
    State(app): State<App>,
    identity: Identity,
    Id(number): Id<u64>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    may_read(&identity)?;
    let book = app.store.statement(&identity.scope, number).await?;
    let (folio, statement) = (&book.folio, &book.record.statement);
    // The provider knows its claims by the hub's ids; its own numbers are sealed with what it sent.
    let own = |_| None;
    let made_at = app.engine.now();
    let remittance =
        Remittance::of_statement(folio, number, statement, &book.transfers, own, made_at);
    let remittance = remittance.map_err(Failure::internal)?;
    if accepts(&headers, "application/xml") {
        let written = uae::remittance(&remittance);
        return Ok(([(CONTENT_TYPE, written.media_type)], written.bytes).into_response());
    }
    let Remittance {
        claims,
        ahead,
        paid,
        ..
    } = remittance;
    let statement = StatementShown::from(book.record);
    let shown = json!({"statement": statement, "claims": claims, "ahead": ahead, "paid": paid});
    Ok(Json(shown).into_response())
}
