//! The two-person rule over HTTP: a plan that one person proposes comes into force when another approves it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use takmil_domain::date::Instant;
use takmil_domain::ids::PlanId;
use takmil_domain::plan::Plan;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_store::{Approval, ApprovalId, ApprovalState, NewApproval, StaffId, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Id, json};
use crate::auth::Identity;
use crate::code::Failure;
use crate::documents::{self, Document};
use crate::faces::request::Payload;

/// The kind of proposal that a plan is.
const PLAN: &str = "plan";

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(propose_plan))
        .routes(routes!(list_approvals))
        .routes(routes!(approve))
        .routes(routes!(refuse))
}

/// A proposal, as people decide on it.
#[derive(Serialize)]
struct Shown {
    id: ApprovalId,
    kind: String,
    subject: String,
    state: ApprovalState,
    proposed_by: StaffId,
    proposed_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<StaffId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Instant>,
    document: Value,
}

impl From<Approval> for Shown {
    fn from(approval: Approval) -> Shown {
        Shown {
            id: approval.id,
            kind: approval.kind,
            subject: approval.subject,
            state: approval.state,
            proposed_by: approval.proposed_by,
            proposed_at: approval.proposed_at,
            decided_by: approval.decided.map(|(person, _)| person),
            decided_at: approval.decided.map(|(_, at)| at),
            document: serde_json::from_str(&approval.document).unwrap_or_default(),
        }
    }
}

/// Proposes a version of a plan.
///
/// It comes into force for services from its first day, once another person of the insurer has approved it. The
/// key must be a plan author's.
#[utoipa::path(
    put, path = "/v1/plans/{id}", tag = "insurers",
    params(("id" = String, Path, description = "The plan over all its versions.")),
    request_body(description = "The plan.", content = ref("#/components/schemas/plan")),
    responses((status = 202, description = "The proposal, which waits for another person.", body = ref("#/components/schemas/approval"))),
)]
async fn propose_plan(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<PlanId>,
    payload: Payload,
) -> Result<(StatusCode, Json<Shown>), Failure> {
    let insurer = &identity.participant;
    let by = identity.person()?.id;
    let document = json(&payload)?;
    let plan: Plan = documents::read(Document::Plan, &document, "")?;
    let mut problems = plan_problems(&plan, "");
    if plan.id != id {
        problems.push(Problem::new(
            ProblemCode::BadValue,
            "/id",
            "the address names another plan",
        ));
    }
    if plan.insurer != insurer.id {
        problems.push(Problem::new(
            ProblemCode::BadValue,
            "/insurer",
            "a plan is proposed by its own insurer",
        ));
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if app
        .engine
        .catalog()
        .plan(&plan.id, plan.version)
        .is_some_and(|kept| **kept != plan)
    {
        let (plan, version) = (plan.id, plan.version);
        return Err(StoreError::PlanDiffers { plan, version }.into());
    }
    let proposal = NewApproval {
        kind: PLAN.to_owned(),
        subject: format!("{}/{}", plan.id, plan.version),
        document: document.to_string(),
        by,
    };
    let approval = app.store.propose(&proposal, app.engine.now()).await?;
    let approval = app.store.approval(&identity.scope, approval).await?;
    Ok((StatusCode::ACCEPTED, Json(approval.into())))
}

/// What makes a plan that stands at `place` useless.
pub(crate) fn plan_problems(plan: &Plan, place: &str) -> Vec<Problem> {
    let faults = plan.faults().into_iter();
    let problem = |(pointer, detail)| {
        Problem::new(ProblemCode::BadValue, format!("{place}{pointer}"), detail)
    };
    faults.map(problem).collect()
}

/// Lists the proposals that wait for a decision, the oldest first.
#[utoipa::path(
    get, path = "/v1/approvals", tag = "insurers",
    responses((status = 200, description = "The proposals.", body = ref("#/components/schemas/approval_list"))),
)]
async fn list_approvals(
    State(app): State<App>,
    identity: Identity,
) -> Result<Json<Value>, Failure> {
    let open = app.store.open_approvals(&identity.scope).await?;
    let shown: Vec<Shown> = open.into_iter().map(Shown::from).collect();
    Ok(Json(serde_json::json!({"approvals": shown})))
}

/// Approves a proposal of another person. The key must be an approver's.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/approve", tag = "insurers",
    params(("id" = String, Path, description = "The proposal.")),
    responses((status = 200, description = "The proposal, approved and in force.", body = ref("#/components/schemas/approval"))),
)]
async fn approve(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<ApprovalId>,
) -> Result<Json<Shown>, Failure> {
    let by = identity.person()?.id;
    let approval = match app
        .store
        .approve(&identity.scope, id, by, app.engine.now())
        .await
    {
        // Approving again finishes what a crash between the approval and its effect has left open.
        Err(StoreError::AlreadyDecided(_)) => app.store.approval(&identity.scope, id).await?,
        approval => approval?,
    };
    if approval.state != ApprovalState::Approved {
        return Err(StoreError::AlreadyDecided(id).into());
    }
    if approval.kind == PLAN {
        let plan: Plan = serde_json::from_str(&approval.document).map_err(Failure::internal)?;
        app.store.upsert_plan(&identity.scope, &plan).await?;
        app.engine.refresh().await?;
        if let Some(neighbours) = &app.neighbours {
            neighbours.tell_of_changes();
        }
    }
    Ok(Json(approval.into()))
}

/// Refuses a proposal of another person. The key must be an approver's.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/refuse", tag = "insurers",
    params(("id" = String, Path, description = "The proposal.")),
    responses((status = 200, description = "The proposal, refused.", body = ref("#/components/schemas/approval"))),
)]
async fn refuse(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<ApprovalId>,
) -> Result<Json<Shown>, Failure> {
    let by = identity.person()?.id;
    let approval = app
        .store
        .refuse(&identity.scope, id, by, app.engine.now())
        .await?;
    Ok(Json(approval.into()))
}
