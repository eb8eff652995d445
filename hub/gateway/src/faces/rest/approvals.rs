//! The two-person rule over HTTP: a plan that one person proposes comes into force when another approves it, and where
//! the insurer's contract says so, when who ratifies it has agreed too. A price list is proposed by one of the two whose
//! it is, and approved by the other. What late facts change of decisions is listed, and done when another has approved.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{ParticipantId, PlanId, TariffId};
use takmil_domain::plan::Plan;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::tariff::{self, Tariff};
use takmil_engine::{Catalog, Correction, Engine, MOST_CORRECTIONS};
use takmil_formats::MAX_PROBLEMS;
use takmil_store::{Approval, ApprovalId, ApprovalState, NewApproval, Scope, StaffId, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::periods::{self, PERIOD};
use super::{App, Id, json};
use crate::auth::Identity;
use crate::changes::{Change, changes};
use crate::code::Failure;
use crate::documents::{self, Document};
use crate::faces::reading::record;
use crate::faces::request::Payload;
use crate::lint::{Beside, Linted, Remark, too_soon};

/// The kind of proposal that a plan is, a price list, and a list of corrections.
const PLAN: &str = "plan";
const PRICE_LIST: &str = "price_list";
const CORRECTIONS: &str = "corrections";

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(propose_plan))
        .routes(routes!(propose_price_list))
        .routes(routes!(propose_corrections))
        .routes(routes!(list_approvals))
        .routes(routes!(approve))
        .routes(routes!(refuse))
}

/// A proposal, as people decide on it.
#[derive(Serialize)]
pub(crate) struct Shown {
    pub(crate) id: ApprovalId,
    kind: String,
    pub(crate) subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<ParticipantId>,
    state: ApprovalState,
    proposed_by: StaffId,
    proposed_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<StaffId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Instant>,
    document: Value,
    /// What the author of a plan or a price list should look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<Remark>,
    /// What it changes of the version before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
}

impl From<Approval> for Shown {
    fn from(approval: Approval) -> Shown {
        Shown {
            id: approval.id,
            kind: approval.kind,
            subject: approval.subject,
            approver: approval.approver,
            state: approval.state,
            proposed_by: approval.proposed_by,
            proposed_at: approval.proposed_at,
            decided_by: approval.decided.map(|(person, _)| person),
            decided_at: approval.decided.map(|(_, at)| at),
            document: serde_json::from_str(&approval.document).unwrap_or_default(),
            remarks: Vec::new(),
            changes: Vec::new(),
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
    let document = json(&payload)?;
    let proposal = propose_version(&app, &identity, Some(&id), &document).await?;
    Ok((StatusCode::ACCEPTED, Json(proposal)))
}

/// Proposes a version of a plan in a person's name, whichever face it came to. `named` is the plan of the address.
///
/// # Errors
/// Everything that is wrong with it; a conflict where there is another plan of this version.
pub(crate) async fn propose_version(
    app: &App,
    identity: &Identity,
    named: Option<&PlanId>,
    document: &Value,
) -> Result<Shown, Failure> {
    let insurer = &identity.participant;
    let by = identity.person()?.id;
    let plan: Plan = documents::read(Document::Plan, document, "")?;
    let catalog = app.engine.catalog();
    let mut problems = plan.problems_beside(&beside(&app.engine, &catalog));
    if named.is_some_and(|named| plan.id != *named) {
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
    if catalog
        .plan(&plan.id, plan.version)
        .is_some_and(|kept| Plan::clone(kept) != plan)
    {
        let (plan, version) = (plan.id, plan.version);
        return Err(StoreError::PlanDiffers { plan, version }.into());
    }
    let proposal = NewApproval {
        kind: PLAN.to_owned(),
        subject: format!("{}/{}", plan.id, plan.version),
        document: document.to_string(),
        by,
        approver: None,
    };
    kept(app, identity, &proposal).await
}

pub(super) async fn propose(
    app: &App,
    identity: &Identity,
    proposal: &NewApproval,
) -> Result<(StatusCode, Json<Shown>), Failure> {
    let proposal = kept(app, identity, proposal).await?;
    Ok((StatusCode::ACCEPTED, Json(proposal)))
}

async fn kept(app: &App, identity: &Identity, proposal: &NewApproval) -> Result<Shown, Failure> {
    let approval = app.store.propose(proposal, app.engine.now()).await?;
    let approval = app.store.approval(&identity.scope, approval).await?;
    Ok(shown(approval, &app.engine))
}

/// Gives notice of a version of a provider's price list with an insurer.
///
/// One of the two proposes it; it comes into force for services from its first day, once a person of the other has
/// approved it. The first day lies as many days ahead as the insurer's contract asks. The key must be a plan author's.
#[utoipa::path(
    put, path = "/v1/price-lists/{id}", tag = "insurers",
    params(("id" = String, Path, description = "The price list over all its versions.")),
    request_body(description = "The price list.", content = ref("#/components/schemas/tariff")),
    responses((status = 202, description = "The proposal, which waits for the other party.", body = ref("#/components/schemas/approval"))),
)]
async fn propose_price_list(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<TariffId>,
    payload: Payload,
) -> Result<(StatusCode, Json<Shown>), Failure> {
    let by = identity.person()?.id;
    let document = json(&payload)?;
    let list: tariff::Document = documents::read(Document::Tariff, &document, "")?;
    let catalog = app.engine.catalog();
    let bad = |place: &str, detail: String| Problem::new(ProblemCode::BadValue, place, detail);
    let Some(contract) = &list.contract else {
        let detail = "a price list names the provider and the insurer whose it is".to_owned();
        return Err(vec![Problem::new(ProblemCode::Missing, "/contract", detail)].into());
    };
    let own = &identity.participant.id;
    let other = match () {
        () if contract.provider == *own => &contract.insurer,
        () if contract.insurer == *own => &contract.provider,
        () => {
            let detail = "it is another's to propose".to_owned();
            return Err(vec![bad("/contract", detail)].into());
        }
    };
    let other = other.clone();
    let mut problems = list.problems_beside(&beside(&app.engine, &catalog));
    if list.id != id {
        let detail = "the address names another price list".to_owned();
        problems.push(bad("/id", detail));
    }
    let early = too_soon(&list, &catalog, app.engine.now().day());
    problems.extend(early.map(|detail| bad("/from", detail)));
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let subject = format!("{}/{}", list.id, list.version);
    let (id, version) = (list.id.clone(), list.version);
    let list = Tariff::try_from(list).map_err(|fault| bad("", fault.to_owned()))?;
    if catalog
        .tariff(&id, version)
        .is_some_and(|kept| **kept != list)
    {
        let tariff = id;
        return Err(StoreError::TariffDiffers { tariff, version }.into());
    }
    let proposal = NewApproval {
        kind: PRICE_LIST.to_owned(),
        subject,
        document: document.to_string(),
        by,
        approver: Some(other),
    };
    propose(&app, &identity, &proposal).await
}

/// A period in which decisions are looked at again.
#[derive(Deserialize)]
struct Period {
    from: Date,
    to: Date,
    #[serde(default)]
    reason: Option<String>,
}

/// A list of corrections, as it is proposed.
#[derive(Serialize, Deserialize)]
struct Corrections {
    from: Date,
    to: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    corrections: Vec<Correction>,
}

/// Lists what late facts would change of decisions, and proposes to make them anew.
///
/// Covers, plans, tariffs and price lists count as they are known now; what insurers have said stands. Looked at are the
/// claims and dispenses that came in the period. Nothing changes until another person approves the list: then each
/// decision is reversed and made anew, unless its message has gone on since or comes out otherwise by then. The key must
/// be a plan author's.
#[utoipa::path(
    post, path = "/v1/corrections", tag = "insurers",
    request_body(description = "The period.", content = ref("#/components/schemas/correction_period")),
    responses((status = 202, description = "The proposal with its list, which waits for another person.", body = ref("#/components/schemas/approval"))),
)]
async fn propose_corrections(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<(StatusCode, Json<Shown>), Failure> {
    let by = identity.person()?.id;
    let period: Period = documents::read(Document::CorrectionPeriod, &json(&payload)?, "")?;
    let bad = |code, place: &str, detail: String| vec![Problem::new(code, place, detail)];
    if period.to < period.from {
        let detail = "the period ends before it begins".to_owned();
        return Err(bad(ProblemCode::DateOrder, "/to", detail).into());
    }
    let insurer = &identity.participant.id;
    let days = (period.from, period.to);
    let corrections = app.engine.corrections(insurer, days).await?;
    if corrections.len() > MOST_CORRECTIONS {
        let detail = format!("more than {MOST_CORRECTIONS} decisions would change");
        return Err(bad(ProblemCode::TooMany, "/to", detail).into());
    }
    record(&app, &identity, "POST /v1/corrections", insurer.to_string()).await?;
    let document = Corrections {
        from: period.from,
        to: period.to,
        reason: period.reason,
        corrections,
    };
    let proposal = NewApproval {
        kind: CORRECTIONS.to_owned(),
        subject: format!("{}/{}", period.from, period.to),
        document: serde_json::to_string(&document).map_err(Failure::internal)?,
        by,
        approver: None,
    };
    propose(&app, &identity, &proposal).await
}

pub(super) fn beside<'a>(engine: &'a Engine, catalog: &'a Catalog) -> Beside<'a> {
    Beside {
        catalog,
        tables: engine.tables(),
    }
}

/// A proposal with what is to be known of it: what its author should look at, and what it changes.
fn shown(approval: Approval, engine: &Engine) -> Shown {
    let mut shown = Shown::from(approval);
    let catalog = engine.catalog();
    let beside = beside(engine, &catalog);
    let before = match shown.kind.as_str() {
        PLAN => serde_json::from_value(shown.document.clone()).map(|plan: Plan| {
            shown.remarks = plan.remarks_beside(&beside);
            let before = catalog.plan_versions(&plan.id).iter();
            let before = before.filter(|own| own.version < plan.version);
            let before = before.max_by_key(|own| own.version);
            before.map(|before| (json!(before.as_ref()), json!(plan)))
        }),
        PRICE_LIST => {
            serde_json::from_value(shown.document.clone()).map(|list: tariff::Document| {
                shown.remarks = list.remarks_beside(&beside);
                let before = catalog.tariff_on(&list.id, list.from);
                let before = before.filter(|own| own.document().version < list.version)?;
                // Both as they are kept, which is in the order of their codes.
                let list = Tariff::try_from(list).ok()?;
                Some((json!(before.as_ref()), json!(list)))
            })
        }
        _ => return shown,
    };
    shown.remarks.truncate(MAX_PROBLEMS);
    if let Ok(Some((before, new))) = before {
        shown.changes = changes(&before, &new);
    }
    shown
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
    let shown: Vec<Shown> = open
        .into_iter()
        .map(|one| shown(one, &app.engine))
        .collect();
    Ok(Json(json!({"approvals": shown})))
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
    let (by, at) = (identity.person()?.id, app.engine.now());
    let proposed = app.store.approval(&identity.scope, id).await?;
    let catalog = app.engine.catalog();
    let contract = catalog.contract(&proposed.participant);
    let ratifier = contract.and_then(|contract| contract.ratified_by.as_ref());
    let is_first = proposed.kind == PLAN && proposed.follows.is_none();
    let then = ratifier.filter(|_| is_first);
    let approved = app.store.approve(&identity.scope, id, by, at, then).await;
    let approval = match approved {
        // Approving again finishes what a crash between the approval and its effect has left open.
        Err(StoreError::AlreadyDecided(_)) => app.store.approval(&identity.scope, id).await?,
        approval => approval?,
    };
    if approval.state != ApprovalState::Approved {
        return Err(StoreError::AlreadyDecided(id).into());
    }
    if app.store.follower(id).await?.is_none() {
        bring_into_force(&app, &approval).await?;
    }
    Ok(Json(approval.into()))
}

/// What everybody has agreed to comes into force. It was checked against its proposer's rights when it was proposed.
async fn bring_into_force(app: &App, approval: &Approval) -> Result<(), Failure> {
    match approval.kind.as_str() {
        PLAN => {
            let plan: Plan = serde_json::from_str(&approval.document).map_err(Failure::internal)?;
            app.store.upsert_plan(&Scope::Hub, &plan).await?;
        }
        CORRECTIONS => {
            let agreed: Corrections =
                serde_json::from_str(&approval.document).map_err(Failure::internal)?;
            let insurer = &approval.participant;
            let done = app.engine.correct(insurer, &agreed.corrections).await?;
            tracing::info!(approval.id = %approval.id, done.corrected, done.left, "corrections were made");
            return Ok(());
        }
        PERIOD => return periods::close(app, approval).await,
        PRICE_LIST => {
            let list: Tariff =
                serde_json::from_str(&approval.document).map_err(Failure::internal)?;
            app.store.upsert_tariff(&Scope::Hub, &list).await?;
        }
        _ => return Ok(()),
    }
    app.changed().await
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
