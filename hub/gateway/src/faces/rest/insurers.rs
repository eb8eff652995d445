//! What insurers tell the hub: covers, decisions, consumption elsewhere; and what they may ask of a member.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use takmil_domain::audit::Receipt;
use takmil_domain::coverage::Enrolment;
use takmil_domain::ids::{AccountId, MemberId};
use takmil_domain::life::State as MessageState;
use takmil_domain::limit::{EntryKind, LimitKey, Standing};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_insurers::rest::json::decision;
use takmil_store::{EnrolRefusal, Posting, PostingRefusal};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, RowResult, Rows, rows};
use crate::auth::Identity;
use crate::code::Failure;
use crate::documents::{self, Document};
use crate::faces::decisions::decide;
use crate::faces::reading::record;
use crate::faces::request::Payload;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(upsert_coverages))
        .routes(routes!(send_decision))
        .routes(routes!(post_to_limits))
        .routes(routes!(remainders))
}

/// A cover that the hub has taken.
#[derive(Serialize)]
struct CoverTaken {
    account: AccountId,
    member: MemberId,
    /// Whether the cover is new, or other than before.
    changed: bool,
}

/// Registers covers, or brings them up to date.
///
/// Each row is taken or refused for itself; what is taken is durable. A row is known by member, certificate, plan
/// and first day, and sending it again is harmless.
#[utoipa::path(
    put, path = "/v1/coverages", tag = "insurers",
    request_body(description = "A list of covers.", content = ref("#/components/schemas/enrolment_list")),
    responses((status = 200, description = "One result for each row, in their order.", body = ref("#/components/schemas/enrolment_results"))),
)]
async fn upsert_coverages(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Rows<CoverTaken>, Failure> {
    let rows = rows(&payload)?;
    let places = (0..).map(|index: usize| format!("/{index}"));
    let read: Vec<Result<Enrolment, Vec<Problem>>> = rows
        .iter()
        .zip(places)
        .map(|(row, place)| documents::read(Document::Enrolment, row, &place))
        .collect();
    let sound: Vec<Enrolment> = read
        .iter()
        .filter_map(|row| row.as_ref().ok().cloned())
        .collect();
    let mut taken = app
        .store
        .enrol(&identity.scope, &sound, app.engine.now())
        .await?
        .into_iter();
    let results = read.into_iter().enumerate().map(|(index, row)| match row {
        Err(problems) => RowResult::Refused { problems },
        Ok(_) => match taken.next() {
            Some(Ok(enrolled)) => RowResult::Taken(CoverTaken {
                account: enrolled.account,
                member: enrolled.member,
                changed: enrolled.changed,
            }),
            Some(Err(refusal)) => RowResult::Refused {
                problems: vec![enrol_problem(&refusal, &format!("/{index}"))],
            },
            None => RowResult::Refused {
                problems: Vec::new(),
            },
        },
    });
    Ok(Rows {
        results: results.collect(),
    })
}

/// Why a cover at `place` was not taken, in the words of problems.
pub(crate) fn enrol_problem(refusal: &EnrolRefusal, place: &str) -> Problem {
    let (code, at, detail) = match refusal {
        EnrolRefusal::Unidentified => (
            ProblemCode::Missing,
            "/member/identifiers",
            "one identifier at least names its system",
        ),
        EnrolRefusal::Ambiguous(_) => (
            ProblemCode::BadIdentifier,
            "/member/identifiers",
            "the identifiers name several members",
        ),
        EnrolRefusal::NoSuchPlan => (
            ProblemCode::DanglingReference,
            "/plan",
            "the insurer has no such plan in this role",
        ),
        EnrolRefusal::EndsBeforeStart => (
            ProblemCode::DateOrder,
            "/end",
            "the end stands before the start",
        ),
    };
    Problem::new(code, format!("{place}{at}"), detail)
}

/// What became of a decision.
#[derive(Serialize)]
struct Decided {
    state: MessageState,
    repeated: bool,
    superseded: bool,
    under_review: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

/// Decides a message, early or late.
///
/// A decision after the hub has answered in the insurer's place opens a review and moves no money. A repeat under
/// the same reference has no further effect.
#[utoipa::path(
    post, path = "/v1/decisions", tag = "insurers",
    request_body(description = "The decision.", content = ref("#/components/schemas/insurer_decision")),
    responses((status = 200, description = "How far the message has come with it.", body = ref("#/components/schemas/decision_receipt"))),
)]
async fn send_decision(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Json<Decided>, Failure> {
    let stated = decision(&payload.bytes);
    let receipt = decide(&app, &identity, stated).await?;
    Ok(Json(Decided {
        state: receipt.answer.state,
        repeated: receipt.repeated,
        superseded: receipt.superseded,
        under_review: receipt.under_review,
        receipt: receipt.receipt.map(Arc::unwrap_or_clone),
    }))
}

/// A fact about a limit that lies outside the hub.
#[derive(Deserialize)]
struct PostedFact {
    reference: String,
    key: LimitKey,
    limit: LimitKind,
    unit: LimitUnit,
    per: LimitPer,
    ceiling: i64,
    kind: EntryKind,
    amount: i64,
}

/// A limit after a posting.
#[derive(Serialize)]
struct Posted {
    #[serde(flatten)]
    standing: Standing,
    left: i64,
}

/// Posts what the hub cannot know of limits: opening balances, consumption elsewhere, overrides, changed ceilings.
///
/// Each row is posted or refused for itself, in order. A repeat under the same reference has no further effect.
#[utoipa::path(
    post, path = "/v1/postings", tag = "insurers",
    request_body(description = "A list of postings.", content = ref("#/components/schemas/posting_list")),
    responses((status = 200, description = "The limit after each row, in their order.", body = ref("#/components/schemas/posting_results"))),
)]
async fn post_to_limits(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Rows<Posted>, Failure> {
    let insurer = &identity.participant;
    let rows = rows(&payload)?;
    let at = app.engine.now();
    let read = rows.iter().enumerate().map(|(index, row)| {
        let fact: PostedFact = documents::read(Document::Posting, row, &format!("/{index}"))?;
        let PostedFact {
            reference,
            key,
            limit,
            unit,
            per,
            ceiling,
            kind,
            amount,
        } = fact;
        Ok(Posting {
            reference,
            key,
            limit,
            unit,
            per,
            ceiling,
            kind,
            amount,
            at,
        })
    });
    let read: Vec<Result<Posting, Vec<Problem>>> = read.collect();
    let sound: Vec<Posting> = read
        .iter()
        .filter_map(|row| row.as_ref().ok().cloned())
        .collect();
    let mut posted = app
        .store
        .post(&identity.scope, &insurer.id, &sound)
        .await?
        .into_iter();
    let results = read.into_iter().enumerate().map(|(index, row)| match row {
        Err(problems) => RowResult::Refused { problems },
        Ok(_) => match posted.next() {
            Some(Ok(standing)) => RowResult::Taken(Posted {
                standing,
                left: standing.left(),
            }),
            Some(Err(refusal)) => RowResult::Refused {
                problems: vec![posting_problem(refusal, index)],
            },
            None => RowResult::Refused {
                problems: Vec::new(),
            },
        },
    });
    Ok(Rows {
        results: results.collect(),
    })
}

fn posting_problem(refusal: PostingRefusal, index: usize) -> Problem {
    let (code, at, detail) = match refusal {
        PostingRefusal::NoAccount => (
            ProblemCode::DanglingReference,
            "key",
            "the insurer has no such account or member",
        ),
        PostingRefusal::Kind => (
            ProblemCode::BadValue,
            "kind",
            "opening, off_hub and override above 0, or a change of the ceiling",
        ),
        PostingRefusal::NoRoom => (
            ProblemCode::OutOfRange,
            "amount",
            "beyond the ceiling, or under what is used; post the override first",
        ),
        PostingRefusal::ReferenceDiffers => (
            ProblemCode::BadValue,
            "reference",
            "the reference stands for another posting",
        ),
    };
    Problem::new(code, format!("/{index}/{at}"), detail)
}

/// A limit of a member.
#[derive(Serialize)]
struct Remainder {
    key: LimitKey,
    kind: LimitKind,
    unit: LimitUnit,
    per: LimitPer,
    #[serde(flatten)]
    standing: Standing,
    left: i64,
}

/// Says what is left of a member's limits, those shared with the family among them.
///
/// A limit that nobody has touched yet does not stand here: all of it is left.
#[utoipa::path(
    get, path = "/v1/members/{id}/remainders", tag = "insurers",
    params(("id" = String, Path, description = "The hub's id of the member.")),
    responses((status = 200, description = "The limits.", body = ref("#/components/schemas/remainder_list"))),
)]
async fn remainders(
    State(app): State<App>,
    identity: Identity,
    Id(member): Id<MemberId>,
) -> Result<Json<Value>, Failure> {
    let limits = app
        .store
        .standings_of_member(&identity.scope, member)
        .await?;
    let operation = "GET /v1/members/{id}/remainders";
    record(&app, &identity, operation, member.to_string()).await?;
    let shown = limits.into_iter().map(|limit| Remainder {
        key: limit.key,
        kind: limit.kind,
        unit: limit.unit,
        per: limit.per,
        left: limit.standing.left(),
        standing: limit.standing,
    });
    let remainders: Vec<Remainder> = shown.collect();
    Ok(Json(serde_json::json!({"remainders": remainders})))
}
