//! For those who run the hub: does it live, is it ready, and how is it doing.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use takmil_store::Scope;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use crate::code::{Code, Failure};
use crate::faces::Phase;
use crate::neighbours::Neighbours;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// Says that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()), responses((status = 200, description = "It lives.")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Says whether the hub takes messages: its store answers, its lanes are open, and it is not about to stop.
///
/// What it does without meanwhile stands under `degraded`.
#[utoipa::path(get, path = "/readyz", tag = "operation", security(()), responses((status = 200, description = "It takes messages.")))]
async fn readyz(State(app): State<App>) -> Result<Json<Value>, Failure> {
    if *app.phase.borrow() != Phase::Serving || !app.engine.status().open {
        return Err(Failure::from(Code::Busy));
    }
    app.store.backlogs(&Scope::Hub).await?;
    let mut told = json!({"ready": true});
    let mut degraded: Vec<Value> = app.renewal.stale().into_iter().map(stale).collect();
    let is_away = |neighbours: &Arc<Neighbours>| !neighbours.link.is_up();
    if app.neighbours.as_ref().is_some_and(is_away) {
        degraded.push(
            json!({"part": "redis", "detail": "Redis does not answer; the hub goes on without"}),
        );
    }
    if !degraded.is_empty() {
        told["degraded"] = Value::Array(degraded);
    }
    Ok(Json(told))
}

/// A port whose new certificates cannot be used. Which file, and why, stands in the log: this is open to all.
fn stale(section: &str) -> Value {
    json!({"part": section, "detail": "new certificates cannot be used; those before them are in force"})
}

/// Gives the metrics in the text form that collectors read.
///
/// An operator's key is needed, unless the configuration opens them.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics.", content_type = "text/plain; version=0.0.4")),
)]
async fn metrics(State(app): State<App>) -> Result<Response, Failure> {
    let backlogs = app.store.backlogs(&Scope::Hub).await?;
    app.metrics
        .engine(&app.engine.status(), &backlogs, app.engine.now());
    app.metrics.parties(&app.engine.parties());
    let unregistered = app.store.registration_backlog().await?;
    app.metrics.register(unregistered, app.engine.now());
    let log = app.store.log_state().await?;
    app.metrics.log(&log, app.engine.now());
    let text = app.metrics.text().map_err(Failure::internal)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
