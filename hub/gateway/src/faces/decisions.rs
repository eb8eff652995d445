//! An insurer's decision on its way into the engine, whichever wire it came by.

use takmil_engine::{DecisionReceipt, Record};
use takmil_insurers::StatedDecision;

use super::App;
use crate::auth::Identity;
use crate::code::Failure;

/// Holds a decision against what the hub has answered so far, and takes it.
///
/// # Errors
/// The problem where it does not fit; not found where the insurer has no share in such a message.
pub(crate) async fn decide(
    app: &App,
    identity: &Identity,
    stated: StatedDecision,
) -> Result<DecisionReceipt, Failure> {
    let insurer = &identity.participant;
    let answer = app.store.answer(&identity.scope, stated.message()).await?;
    let record: Record = serde_json::from_str(&answer).map_err(Failure::internal)?;
    let decision = stated.fit(&record.answer)?;
    Ok(app.engine.decide(&insurer.id, decision).await?)
}
