//! The hub's own interface over HTTP.

mod approvals;
mod audit;
mod codes;
mod deliveries;
mod explanation;
mod faults;
mod feed;
mod figures;
mod health;
mod inquiry;
mod insurers;
mod intake;
mod local_map;
mod messages;
mod participants;
mod payments;
mod periods;
mod published;
mod registrations;
mod settlement;
mod simulations;
mod stages;
mod uploads;
mod validate;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use takmil_domain::problem::Problem;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use approvals::{Shown as Proposed, propose_version};
pub(crate) use deliveries::state_name;
pub(crate) use figures::take as take_figures;
pub(crate) use insurers::enrol_problem;
pub(crate) use participants::OVERLAP_HOURS;
pub(crate) use payments::notify as notify_payment;
pub(crate) use published::Published;
pub(crate) use settlement::place as due_place;
pub(crate) use simulations::Simulations;

use super::App;
use super::request::Payload;
use crate::code::{Code, Failure};
use crate::documents;

/// How many rows one request may bring: a large group's monthly endorsement.
const MAX_ROWS: usize = 10_000;

/// The routes of this face.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(intake::routes())
        .merge(messages::routes())
        .merge(inquiry::routes())
        .merge(explanation::routes())
        .merge(audit::routes())
        .merge(feed::routes())
        .merge(insurers::routes())
        .merge(codes::routes())
        .merge(local_map::routes())
        .merge(faults::routes())
        .merge(registrations::routes())
        .merge(participants::routes())
        .merge(approvals::routes())
        .merge(simulations::routes())
        .merge(deliveries::routes())
        .merge(settlement::routes())
        .merge(payments::routes())
        .merge(periods::routes())
        .merge(stages::routes())
        .merge(figures::routes())
        .merge(published::routes())
        .merge(uploads::routes())
        .merge(validate::routes())
        .merge(health::routes())
}

/// What became of one row of many.
#[derive(Serialize)]
#[serde(untagged)]
enum RowResult<T> {
    Taken(T),
    Refused { problems: Vec<Problem> },
}

/// What became of each row, in their order.
#[derive(Serialize)]
struct Rows<T> {
    results: Vec<RowResult<T>>,
}

impl<T: Serialize> IntoResponse for Rows<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A body that is one JSON value.
fn json(payload: &Payload) -> Result<Value, Failure> {
    Ok(documents::json(&payload.bytes)?)
}

/// A body that is a list of rows.
fn rows(payload: &Payload) -> Result<Vec<Value>, Failure> {
    let wrong = |detail: String| Failure::new(Code::Invalid, detail);
    match json(payload)? {
        Value::Array(rows) if rows.len() <= MAX_ROWS => Ok(rows),
        Value::Array(_) => Err(wrong(format!("a request brings at most {MAX_ROWS} rows"))),
        _ => Err(wrong("the body is a list of rows".to_owned())),
    }
}

/// An id in an address. What is no id names nothing.
struct Id<T>(T);

/// A type that is read from a step of an address.
trait Named: Sized {
    fn named(text: &str) -> Option<Self>;
}

macro_rules! named {
    ($($type:ty)+) => {$(
        impl Named for $type {
            fn named(text: &str) -> Option<Self> {
                <$type>::parse(text)
            }
        }
    )+};
}

named! {
    takmil_domain::ids::MessageId
    takmil_domain::ids::MemberId
    takmil_domain::ids::DeliveryId
    takmil_domain::ids::PaymentId
    takmil_domain::ids::DifferenceId
    takmil_domain::ids::DisputeId
    takmil_domain::ids::UploadId
    takmil_domain::ids::ParticipantId
    takmil_domain::ids::PlanId
    takmil_domain::ids::TariffId
    takmil_store::ApprovalId
}

impl Named for u64 {
    fn named(text: &str) -> Option<u64> {
        text.parse().ok()
    }
}

impl Named for String {
    fn named(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl<T: Named> FromRequestParts<App> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Id<T>, Failure> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let id = path.ok().and_then(|Path(text)| T::named(&text));
        id.map(Id).ok_or_else(|| Failure::from(Code::NotFound))
    }
}

/// The parameters of a query. What cannot be read is the sender's to mend.
struct Parameters<T>(T);

impl<T: DeserializeOwned> FromRequestParts<App> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Parameters<T>, Failure> {
        let query = Query::<T>::from_request_parts(parts, app).await;
        let wrong = |_| {
            Failure::new(
                Code::Parameter,
                "a parameter is unknown, or its value cannot be read",
            )
        };
        query
            .map(|Query(parameters)| Parameters(parameters))
            .map_err(wrong)
    }
}

/// How many rows a page has where the request does not say, and at most.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;

fn page_size(asked: Option<u32>) -> u32 {
    asked.unwrap_or(PAGE).clamp(1, MAX_PAGE)
}

/// Reads a parameter that is a word or an id.
fn parameter<T>(
    text: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
    name: &str,
) -> Result<Option<T>, Failure> {
    let wrong = || {
        Failure::new(
            Code::Parameter,
            format!("the parameter {name} cannot be read"),
        )
    };
    text.map(|text| read(text).ok_or_else(wrong)).transpose()
}
