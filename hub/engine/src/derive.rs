//! Deriving a stored decision again: the same message, basis and remainders must give the same shares.

use takmil_domain::decision::{Decision, Totals};
use takmil_domain::ids::MessageId;
use takmil_domain::limit::LimitNeed;
use takmil_domain::message::Message;
use takmil_store::{Scope, Store};

use crate::catalog;
use crate::error::Error;
use crate::record::Record;

/// A decision derived again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The decision as it comes out now.
    pub decision: Decision,
    /// Whether it is the stored one, to the last trace entry.
    pub same: bool,
}

/// Derives the last decision of a message again, from what is stored with it and the documents it names.
///
/// # Errors
/// [`Error::NotFound`] if there is no such message or no decision on it; [`Error::Missing`] if a document that it
/// rests on is gone.
pub async fn derive(store: &Store, id: MessageId) -> Result<Derived, Error> {
    let unreadable = |_| Error::Unreadable { message: id };
    let message: Message =
        serde_json::from_slice(&store.canonical(&Scope::Hub, id).await?).map_err(unreadable)?;
    let record: Record =
        serde_json::from_str(&store.answer(&Scope::Hub, id).await?).map_err(unreadable)?;
    let catalog = catalog::load(store, None).await?.unwrap_or_default();
    let (Some(stored), Some(bill)) = (record.answer.decision, message.bill()) else {
        return Err(Error::NotFound);
    };
    let (kind, head) = (message.kind(), &message.head);
    let case = record.basis.case(kind, head, &bill, &catalog)?;
    let before = |need: &LimitNeed| {
        let mut known = stored.remainders.iter();
        let row = known.find(|row| row.key == need.key);
        row.map_or(need.ceiling, |row| row.before)
    };
    let lines = case.split(before).lines;
    let decision = Decision {
        totals: Totals::of(&lines),
        lines,
        ..stored.clone()
    };
    Ok(Derived {
        same: decision == stored,
        decision,
    })
}
