//! A decision told to a member: what the hub knows of it, put into words by the portal.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use takmil_domain::answer::Answer;
use takmil_domain::ids::MessageId;
use takmil_domain::message::Message;
use takmil_domain::share::bill_day;
use takmil_engine::Catalog;
use takmil_portal::explain::{Explanation, Language, Titles, explain};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, Parameters};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::faces::reading::record;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(explanation))
}

/// In which language.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// fa, ar, pt, fr or en; the best of `Accept-Language` where it is missing, else English.
    lang: Option<String>,
}

/// Tells the decision on a message in plain words: who pays what, line by line, and why.
///
/// It is the latest decision, in Persian, Arabic, Portuguese, French or English, with digits, days and currencies as
/// they are written there. Text to print comes for `Accept: text/plain`. Insurers have their own view of a decision in
/// their deliveries: the whole of it names the others.
#[utoipa::path(
    get, path = "/v1/decisions/{id}/explanation", tag = "messages",
    params(
        ("id" = String, Path, description = "The hub's id of the message."),
        Asked,
        ("Accept-Language" = Option<String>, Header, description = "The reader's languages, where `lang` names none."),
    ),
    responses((status = 200, description = "The decision in words.", content(
        (ref("#/components/schemas/explanation") = "application/json"),
        (String = "text/plain"),
    ))),
)]
async fn explanation(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<MessageId>,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let language = language(asked.lang.as_deref(), &headers)?;
    let way = app.engine.way(&identity.scope, id).await?;
    let answer = way.turns.into_iter().rev().find_map(|turn| turn.answer);
    let answer = answer.ok_or_else(|| Failure::from(Code::NotFound))?;
    let sent = app.store.canonical(&identity.scope, id).await?;
    let message: Message = serde_json::from_slice(&sent).map_err(Failure::internal)?;
    let told = tell(answer, &message, &app.engine.catalog(), language);
    let told = told.ok_or_else(|| Failure::from(Code::NotFound))?;
    let operation = "GET /v1/decisions/{id}/explanation";
    record(&app, &identity, operation, id.to_string()).await?;
    let written_in = [(header::CONTENT_LANGUAGE, language.as_str())];
    Ok(match wants_text(&headers) {
        true => (written_in, told.to_string()).into_response(),
        false => (written_in, Json(told)).into_response(),
    })
}

/// The words for an answer's decision; `None` where it has none.
fn tell(
    mut answer: Answer,
    message: &Message,
    catalog: &Catalog,
    language: Language,
) -> Option<Explanation> {
    let mut decision = answer.decision.take()?;
    decision.reasons.append(&mut answer.reasons);
    let bill = message.bill();
    let day = bill
        .as_deref()
        .and_then(|bill| bill_day(bill, &message.head));
    let plans = decision.basis.iter();
    let plans = plans.filter_map(|own| catalog.plan(&own.plan, own.version));
    let titles = Titles {
        day: day.unwrap_or_else(|| answer.received_at.day()),
        insurers: catalog
            .insurers()
            .map(|own| (&own.id, own.title.as_str()))
            .collect(),
        plans: plans.map(|own| &***own).collect(),
        starts: answer
            .covers
            .iter()
            .map(|cover| (&cover.plan, cover.start))
            .collect(),
        lines: bill.as_deref().map_or(&[], |bill| &bill.lines),
        findings: &answer.findings,
    };
    Some(explain(&decision, &titles, language))
}

fn language(asked: Option<&str>, headers: &HeaderMap) -> Result<Language, Failure> {
    let known = || {
        let known: Vec<&str> = Language::ALL.iter().map(|own| own.as_str()).collect();
        let detail = format!("the parameter lang is one of {}", known.join(", "));
        Failure::new(Code::Parameter, detail)
    };
    if let Some(asked) = asked {
        return Language::parse(asked).ok_or_else(known);
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE);
    let accepted = accepted.and_then(|header| header.to_str().ok());
    let wanted = accepted.and_then(Language::accepted);
    Ok(wanted.unwrap_or(Language::En))
}

/// Whether text comes before JSON in what the caller accepts.
fn wants_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT);
    let ranges = accepted.and_then(|header| header.to_str().ok());
    let mut types = ranges.unwrap_or_default().split(',').map(|range| {
        let media = range.split(';').next().unwrap_or_default();
        media.trim().to_ascii_lowercase()
    });
    let first = types.find(|media| matches!(media.as_str(), "application/json" | "text/plain"));
    first.is_some_and(|media| media == "text/plain")
}
