//! Who reads personal data is recorded before it is given away, whichever face it is read by.

use takmil_engine::Reading;

use super::App;
use crate::auth::Identity;
use crate::code::Failure;

/// Records that somebody reads, by an operation, of an object that is told by ids alone.
///
/// # Errors
/// If it cannot be recorded: then nothing is given away.
pub(crate) async fn record(
    app: &App,
    identity: &Identity,
    operation: &'static str,
    object: impl Into<String>,
) -> Result<(), Failure> {
    let reading = Reading {
        participant: identity.participant.id.clone(),
        person: identity.person.as_ref().map(|person| person.id.to_string()),
        operation,
        object: object.into(),
    };
    Ok(app.engine.read(&reading).await?)
}
