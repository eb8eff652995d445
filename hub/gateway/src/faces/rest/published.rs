//! What the hub publishes of itself: its lists of codes, its schemas, its interface, and the page about them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use takmil_domain::clinical::{self, Level, Rule, State as RuleState};
use takmil_domain::date::Date;
use takmil_domain::life::{self, State as MessageState};
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::reason::Reason;
use takmil_domain::settlement::Refused;
use takmil_formats::{Context, FORMATS, Read, recognise};
use takmil_portal::docs::{self, Entry, Pasted, Registry, Understood};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id};
use crate::cli::Fatal;
use crate::code::{Code, Failure};
use crate::documents;
use crate::faces::openapi;

/// What is written once, and given to all who ask.
pub(crate) struct Published {
    interface: Bytes,
    page: Bytes,
}

impl Published {
    /// Writes it.
    ///
    /// # Errors
    /// If the page's template cannot be filled.
    pub(crate) fn new() -> Result<Published, Fatal> {
        let interface = openapi::document();
        Ok(Published {
            page: docs::page(interface, &registries())?.into(),
            interface: interface.to_string().into(),
        })
    }
}

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(reasons))
        .routes(routes!(problems))
        .routes(routes!(states))
        .routes(routes!(clinical_rules))
        .routes(routes!(schema))
        .routes(routes!(interface))
        .routes(routes!(page))
        .routes(routes!(style))
        .routes(routes!(reader, paste))
}

/// Lists the reasons that an answer can give.
#[utoipa::path(
    get, path = "/v1/reasons", tag = "published", security(()),
    responses((status = 200, description = "Code, meaning, and whether the insurer pays nothing.", content_type = "application/json")),
)]
async fn reasons() -> Json<Value> {
    let one = |reason: &Reason| json!({"code": reason.code(), "meaning": reason.meaning(), "refuses": reason.refuses()});
    let reasons: Vec<Value> = Reason::ALL.iter().map(one).collect();
    Json(json!({"reasons": reasons}))
}

/// Lists what can be wrong with a request or a body.
#[utoipa::path(
    get, path = "/v1/problems", tag = "published", security(()),
    responses((status = 200, description = "Code, HTTP status and meaning.", content_type = "application/json")),
)]
async fn problems() -> Json<Value> {
    let of_request = Code::ALL
        .iter()
        .map(|code| (code.code(), *code, code.meaning()));
    let of_body = ProblemCode::ALL
        .iter()
        .map(|code| (code.code(), Code::of(*code), code.meaning()));
    let of_book = Refused::ALL.iter().map(|refused| {
        let status = Code::of_refused(*refused);
        (refused.code(), status, refused.meaning())
    });
    let one = |(name, code, meaning): (&str, Code, &str)| json!({"code": name, "status": code.http().as_u16(), "meaning": meaning});
    let problems: Vec<Value> = of_request.chain(of_body).chain(of_book).map(one).collect();
    Json(json!({"problems": problems}))
}

/// Lists the states of a message, and all that leads from one to another.
#[utoipa::path(
    get, path = "/v1/states", tag = "published", security(()),
    responses((status = 200, description = "The states with their meanings; and of each event the states that it leads from (none: where a message begins), those that it may lead to (none: it stays as it is), and which messages are meant.", content_type = "application/json")),
)]
async fn states() -> Json<Value> {
    let one = |state: &MessageState| json!({"state": state, "meaning": state.meaning()});
    let states: Vec<Value> = MessageState::ALL.iter().map(one).collect();
    Json(json!({"states": states, "transitions": life::TRANSITIONS}))
}

/// Lists the clinical rules, and what those wait for that find nothing yet.
#[utoipa::path(
    get, path = "/v1/clinical-rules", tag = "published", security(()),
    responses((status = 200, description = "Code, meaning, what findings do where no plan says otherwise, the most that a plan may make of them, and whether the rule is active.", content_type = "application/json")),
)]
async fn clinical_rules(State(app): State<App>) -> Json<Value> {
    let tables = app.engine.clinical();
    let one = |own: &Rule| {
        let mut told = json!({
            "code": own.rule.code(), "meaning": own.rule.meaning(),
            "level": own.level, "most": own.most, "active": true,
        });
        if let RuleState::Inactive { waits_for } = own.state(tables) {
            told["active"] = json!(false);
            told["waits_for"] = json!(waits_for);
        }
        told
    };
    let rules: Vec<Value> = clinical::RULES.iter().map(one).collect();
    Json(json!({"rules": rules}))
}

/// Gives a published JSON Schema: of a kind of message, or a library that they refer to.
#[utoipa::path(
    get, path = "/v1/schemas/{name}", tag = "published", security(()),
    params(("name" = String, Path, description = "A kind of message, or common, documents or answers.")),
    responses((status = 200, description = "The schema (2020-12).", content_type = "application/schema+json")),
)]
async fn schema(Id(name): Id<String>) -> Result<Response, Failure> {
    let found = documents::schemas()
        .into_iter()
        .find(|schema| schema.name == name);
    let schema = found.ok_or(Failure::from(Code::NotFound))?;
    Ok((
        [(header::CONTENT_TYPE, "application/schema+json")],
        schema.text,
    )
        .into_response())
}

/// Gives this interface as an OpenAPI 3.1 document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "published", security(()),
    responses((status = 200, description = "The document.", content_type = "application/json")),
)]
async fn interface(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        app.published.interface.clone(),
    )
}

/// What the page may load: its own style, and nothing that runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same for the page with a form.
const FORM_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The most that is read of what anybody pastes: enough for a long bill in any format.
const MAX_PASTED_BYTES: usize = 256 * 1024;

/// Shows this interface as a page, which needs nothing from elsewhere.
#[utoipa::path(
    get, path = "/docs", tag = "published", security(()),
    responses((status = 200, description = "The page.", content_type = "text/html")),
)]
async fn page(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CONTENT_SECURITY_POLICY, POLICY)],
        Html(app.published.page.clone()),
    )
}

/// Gives the page's style sheet.
#[utoipa::path(
    get, path = "/docs/style.css", tag = "published", security(()),
    responses((status = 200, description = "The style sheet.", content_type = "text/css")),
)]
async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        docs::STYLE,
    )
}

/// Shows a page that reads what is pasted into it.
#[utoipa::path(
    get, path = "/docs/reader", tag = "published", security(()),
    responses((status = 200, description = "The page.", content_type = "text/html")),
)]
async fn reader() -> Result<Response, Failure> {
    shown(&Form::default(), None)
}

/// What is pasted.
#[derive(Default, Deserialize)]
struct Form {
    #[serde(default)]
    message: String,
    #[serde(default)]
    currency: String,
}

/// Reads what is pasted, keeps nothing of it, and shows the canonical form, what is part of no message, and what is wrong.
#[utoipa::path(
    post, path = "/docs/reader", tag = "published", security(()),
    request_body(description = "The form: message, currency.", content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The page.", content_type = "text/html")),
)]
async fn paste(
    State(app): State<App>,
    axum::Form(form): axum::Form<Form>,
) -> Result<Response, Failure> {
    let reading = understood(&form, app.engine.now().day());
    shown(&form, Some(reading))
}

fn understood(form: &Form, today: Date) -> Result<Understood, Problem> {
    let body = form.message.as_bytes();
    if body.len() > MAX_PASTED_BYTES {
        let detail = format!("this page reads at most {MAX_PASTED_BYTES} bytes");
        return Err(Problem::new(ProblemCode::TooLarge, "", detail));
    }
    let currency = form.currency.trim().to_ascii_uppercase();
    let default_currency = match currency.as_str() {
        "" => None,
        named => Some(Currency::parse(named).ok_or_else(|| {
            let detail = "the currency is no code of three letters (ISO 4217)";
            Problem::new(ProblemCode::BadValue, "", detail)
        })?),
    };
    let unknown = || {
        let code = ProblemCode::UnknownFormat;
        Problem::new(code, "", code.meaning())
    };
    let format = recognise(None, body).ok_or_else(unknown)?;
    let context = Context {
        default_currency,
        today,
    };
    let reading = takmil_formats::read(format, body, &context)?;
    let entry = |read: Read| Entry {
        place: read.place,
        outcome: read.outcome.map(|message| {
            let text = serde_json::to_string_pretty(&message).unwrap_or_default();
            (message.kind().as_str(), text)
        }),
    };
    Ok(Understood {
        format: format.name,
        messages: reading.messages.into_iter().map(entry).collect(),
        unread: reading.unread,
    })
}

fn shown(form: &Form, reading: Option<Result<Understood, Problem>>) -> Result<Response, Failure> {
    let page = docs::reader(&Pasted {
        body: form.message.clone(),
        currency: form.currency.clone(),
        formats: FORMATS.iter().map(|format| format.name).collect(),
        reading,
    });
    let page = page.map_err(|_| Failure::from(Code::Internal))?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, FORM_POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Html(page)).into_response())
}

fn registries() -> Vec<Registry> {
    let reason = |reason: &Reason| {
        let pays = if reason.refuses() { "nothing" } else { "" };
        vec![
            reason.code().to_owned(),
            pays.to_owned(),
            reason.meaning().to_owned(),
        ]
    };
    let rule = |own: &Rule| {
        let word = |level: Level| match level {
            Level::Information => "inform",
            Level::Warning => "warn",
            Level::Refusal => "refuse",
        };
        vec![
            own.rule.code().to_owned(),
            word(own.level).to_owned(),
            word(own.most).to_owned(),
            own.rule.meaning().to_owned(),
        ]
    };
    let state = |state: &MessageState| {
        let rows = life::TRANSITIONS.iter();
        let own = rows.filter(|own| own.from.contains(state) && !own.to.is_empty());
        let leads = own.map(|own| {
            let to: Vec<_> = own.to.iter().map(|to| to.as_str()).collect();
            format!("{}: {}", own.event.as_str(), to.join(", "))
        });
        vec![
            state.as_str().to_owned(),
            leads.collect::<Vec<_>>().join("; "),
            state.meaning().to_owned(),
        ]
    };
    let request = |code: &Code| {
        vec![
            code.code().to_owned(),
            code.http().as_u16().to_string(),
            format!("{:?}", code.grpc()),
            code.meaning().to_owned(),
        ]
    };
    let body = |code: &ProblemCode| {
        let status = Code::of(*code).http().as_u16().to_string();
        vec![code.code().to_owned(), status, code.meaning().to_owned()]
    };
    let book = |refused: &Refused| {
        let status = Code::of_refused(*refused).http().as_u16().to_string();
        vec![
            refused.code().to_owned(),
            status,
            refused.meaning().to_owned(),
        ]
    };
    vec![
        Registry {
            anchor: "reasons",
            title: "Reasons",
            about: "Why an answer is what it is.",
            columns: vec!["code", "the insurer pays", "meaning"],
            rows: Reason::ALL.iter().map(reason).collect(),
        },
        Registry {
            anchor: "states",
            title: "States of a message",
            about: "How far a message has come, and what leads it on.",
            columns: vec!["state", "event: next", "meaning"],
            rows: MessageState::ALL.iter().map(state).collect(),
        },
        Registry {
            anchor: "clinical-rules",
            title: "Clinical rules",
            about: "What speaks against an order, a handing out or a bill from the medical side.",
            columns: vec!["code", "findings", "at most", "meaning"],
            rows: clinical::RULES.iter().map(rule).collect(),
        },
        Registry {
            anchor: "failures",
            title: "Failed requests",
            about: "Why a request failed as a whole.",
            columns: vec!["code", "HTTP", "gRPC", "meaning"],
            rows: Code::ALL.iter().map(request).collect(),
        },
        Registry {
            anchor: "problems",
            title: "Problems of a body",
            about: "What is wrong with a body, each with a pointer to the place.",
            columns: vec!["code", "HTTP", "meaning"],
            rows: ProblemCode::ALL.iter().map(body).collect(),
        },
        Registry {
            anchor: "book",
            title: "Refusals of the book",
            about: "Why the book of settlement does not take a payment, a row of it, or a dispute.",
            columns: vec!["code", "HTTP", "meaning"],
            rows: Refused::ALL.iter().map(book).collect(),
        },
    ]
}
