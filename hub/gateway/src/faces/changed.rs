//! What has changed of a caller's messages, whichever face asks.

use takmil_engine::Changes;
use takmil_store::ChangeCursor;

use super::App;
use super::reading::record;
use crate::auth::Identity;
use crate::code::{Code, Failure};

/// The messages that have changed since a cursor, so many at most; that they are read is recorded.
///
/// # Errors
/// [`Code::Parameter`] where the cursor is none, or not of this hub's history.
pub(crate) async fn changes(
    app: &App,
    identity: &Identity,
    operation: &'static str,
    (after, most): (&str, u32),
) -> Result<Changes, Failure> {
    let after = ChangeCursor::parse(after)
        .ok_or_else(|| Failure::new(Code::Parameter, "the cursor is none that the hub gave"))?;
    let changes = app.engine.changes(&identity.scope, after, most).await?;
    let changes = changes.ok_or_else(|| {
        let detail = "the cursor is not of this hub's history; begin anew without one";
        Failure::new(Code::Parameter, detail)
    })?;
    let read = changes
        .messages
        .iter()
        .map(|own| own.envelope.id.to_string());
    let read: Vec<String> = read.collect();
    if !read.is_empty() {
        record(app, identity, operation, read.join(" ")).await?;
    }
    Ok(changes)
}
