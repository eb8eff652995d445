//! An insurer's decision on its way into the engine, whichever wire it came by.

use takmil_domain::ids::MessageId;
use takmil_domain::problem::Problem;
use takmil_engine::{DecisionReceipt, Record};
use takmil_insurers::StatedDecision;

use super::App;
use crate::auth::Identity;
use crate::code::{Code, Failure};

/// Holds a decision against what the hub has answered so far, and takes it. One that cannot be used is counted under its
/// insurer.
///
/// # Errors
/// The problem where it does not fit; not found where the insurer has no share in such a message.
pub(crate) async fn decide(
    app: &App,
    identity: &Identity,
    stated: Result<StatedDecision, Problem>,
) -> Result<DecisionReceipt, Failure> {
    let message = stated.as_ref().ok().map(StatedDecision::message);
    let taken = match stated {
        Ok(stated) => take(app, identity, stated).await,
        Err(problem) => Err(Failure::from(problem)),
    };
    taken.inspect_err(|failure| count(app, identity, message, failure))
}

/// Counts something that an insurer said and that is refused, unless the hub itself failed.
pub(crate) fn count(app: &App, identity: &Identity, message: Option<MessageId>, failure: &Failure) {
    if failure.code.http().is_server_error() {
        return;
    }
    let first = failure.problems.first();
    let pointer = first.map_or("", |problem| problem.pointer.as_str());
    // What nobody knows may be anything: no row for each.
    let message = message.filter(|_| failure.code != Code::NotFound);
    let insurer = &identity.participant.id;
    let (code, detail) = (failure.public_code(), failure.sentence());
    app.engine.fault(insurer, message, code, pointer, detail);
}

async fn take(
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
