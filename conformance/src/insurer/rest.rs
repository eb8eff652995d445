//! The REST face of a simulated insurer: it believes a body only where its signature holds.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use takmil_proto::{MAX_DELIVERY_BYTES, v1};

use super::records::{Notice, ProposedLine};
use super::{Declined, Insurer, lock};
use crate::Error;

struct Face {
    insurer: Arc<Insurer>,
    webhook: Webhook,
}

pub(super) fn app(insurer: Arc<Insurer>, secret: &str) -> Result<Router, Error> {
    let webhook = Webhook::new(secret).map_err(|_| Error::Secret)?;
    let routes = Router::new()
        .route("/decide", post(decide))
        .route("/deliver", post(deliver))
        .route("/clarify", post(clarify))
        .route("/eligibility", post(eligibility))
        .layer(DefaultBodyLimit::max(MAX_DELIVERY_BYTES));
    Ok(routes.with_state(Arc::new(Face { insurer, webhook })))
}

async fn decide(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let notice = face.read(&headers, &body)?;
    let decision = face.insurer.decide(notice).await?;
    Ok(Json(shown(&decision)))
}

async fn deliver(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let notice = face.read(&headers, &body)?;
    let reference = format!("{}-{}", face.insurer.id, notice.delivery_id);
    let repeated = face.insurer.keep(notice).await?;
    Ok(Json(json!({"reference": reference, "repeated": repeated})))
}

async fn clarify(
    face: State<Arc<Face>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    match call.pointer("/clarification/reply").is_some() {
        true => deliver(face, headers, body).await,
        false => Err(Refusal(StatusCode::BAD_REQUEST)),
    }
}

async fn eligibility(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let notice = face.read(&headers, &body)?;
    let said = face.insurer.cover(notice).await?;
    let standing = match said.standing() {
        v1::CoverStanding::Active => "active",
        v1::CoverStanding::Inactive => "inactive",
        v1::CoverStanding::Suspended => "suspended",
        v1::CoverStanding::Unspecified => "perhaps",
    };
    Ok(Json(json!({
        "message": said.message_id,
        "reference": said.reference,
        "standing": standing,
        "benefits": said.benefits,
    })))
}

struct Refusal(StatusCode);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<Declined> for Refusal {
    fn from(declined: Declined) -> Self {
        Refusal(match declined.permanent {
            true => StatusCode::UNPROCESSABLE_ENTITY,
            false => StatusCode::SERVICE_UNAVAILABLE,
        })
    }
}

/// The body of a call, as far as an insurer needs it.
#[derive(Deserialize)]
struct Call {
    delivery: String,
    message: String,
    purpose: String,
    kind: String,
    sequence: i64,
    document: Value,
}

#[derive(Deserialize)]
struct Shares {
    currency: String,
    decided_by: String,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    seq: u32,
    billed: i64,
    base: i64,
    #[serde(default)]
    subsidy: i64,
    supplementary: Vec<Share>,
}

#[derive(Deserialize)]
struct Share {
    insurer: String,
    amount: i64,
}

impl Face {
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, Refusal> {
        if self.webhook.verify(body, headers).is_err() {
            lock(&self.insurer.records).add_forged();
            return Err(Refusal(StatusCode::UNAUTHORIZED));
        }
        let unreadable = |_| Refusal(StatusCode::BAD_REQUEST);
        let call: Call = serde_json::from_slice(body).map_err(unreadable)?;
        let signed_for = headers.get(standardwebhooks::HEADER_WEBHOOK_ID);
        if signed_for.is_none_or(|id| id != call.delivery.as_str()) {
            return Err(Refusal(StatusCode::BAD_REQUEST));
        }
        let document = serde_json::to_vec(&call.document).map_err(unreadable)?;
        let mut notice = Notice {
            delivery_id: call.delivery,
            message_id: call.message,
            purpose: call.purpose,
            kind: call.kind,
            sequence: call.sequence,
            document: document.into(),
            ..Notice::default()
        };
        if let Some(shares) = call.document.pointer("/answer/decision") {
            let shares = Shares::deserialize(shares).map_err(unreadable)?;
            notice.currency = shares.currency;
            notice.decided_by = shares.decided_by;
            let lines = shares.lines.iter();
            notice.lines = lines.map(|line| self.proposed(line)).collect();
        }
        Ok(notice)
    }

    fn proposed(&self, line: &Line) -> ProposedLine {
        let own = line.supplementary.iter();
        let own = own.filter(|share| share.insurer == self.insurer.id);
        let own = own.map(|share| share.amount);
        // Whoever is no supplementary insurer of the bill is its base insurer.
        let base = || line.base.saturating_sub(line.subsidy);
        ProposedLine {
            seq: line.seq,
            billed: line.billed,
            share: own.reduce(i64::saturating_add).unwrap_or_else(base),
        }
    }
}

/// A decision as the REST wire spells it.
fn shown(decision: &v1::InsurerDecision) -> Value {
    let verdict = match decision.verdict() {
        v1::Verdict::Approve => "approve",
        v1::Verdict::Adjust => "adjust",
        v1::Verdict::Refuse => "refuse",
        v1::Verdict::Pend => "pend",
        v1::Verdict::Ask => "ask",
        // Also what stands for a number that is no verdict.
        v1::Verdict::Unspecified => "perhaps",
    };
    let units = |money: &Option<v1::Money>| money.as_ref().map(|money| money.units);
    let lines: Vec<Value> = decision
        .lines
        .iter()
        .map(
            |line| json!({"seq": line.seq, "amount": units(&line.amount), "reasons": line.reasons}),
        )
        .collect();
    let mut body = json!({
        "message": decision.message_id,
        "reference": decision.reference,
        "verdict": verdict,
        "lines": lines,
    });
    if let (Value::Object(body), Some(total)) = (&mut body, &decision.total) {
        body.insert("currency".into(), total.currency_code.clone().into());
        body.insert("total".into(), total.units.into());
    }
    body
}
