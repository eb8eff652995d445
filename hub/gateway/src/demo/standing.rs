//! How a message stands at the hub: its answer, and what it owes to insurers.

use std::collections::HashSet;
use takmil_domain::answer::Answer;
use takmil_domain::decision::DecidedBy;
use takmil_domain::ids::MessageId;
use takmil_domain::message::Kind;
use takmil_engine::Record;
use takmil_store::{DeliveryWay, Scope, Store};

use crate::cli::Fatal;

/// A message's standing.
pub(super) struct Standing {
    /// The answer as it is now.
    pub(super) answer: Answer,
    /// What became owed to insurers because of it.
    deliveries: Vec<DeliveryWay>,
    /// What became owed because of the message that it takes back.
    taken_back: Vec<DeliveryWay>,
}

impl Standing {
    /// Looks a message up.
    ///
    /// # Errors
    /// If the hub has no such message.
    pub(super) async fn of(store: &Store, id: MessageId) -> Result<Standing, Fatal> {
        let way = store.way(&Scope::Hub, id).await?;
        let answer = way
            .turns
            .iter()
            .rev()
            .find_map(|turn| turn.answer.as_deref());
        let record: Record = serde_json::from_str(answer.unwrap_or_default())?;
        let taken_back = match record.answer.kind == Kind::Cancel && record.claim != id {
            true => store.way(&Scope::Hub, record.claim).await?.deliveries,
            false => Vec::new(),
        };
        Ok(Standing {
            answer: record.answer,
            deliveries: way.deliveries,
            taken_back,
        })
    }

    /// Whether any insurer is to hear of it.
    pub(super) fn is_owed(&self) -> bool {
        !self.deliveries.is_empty() || !self.taken_back.is_empty()
    }

    /// Whether all insurers that are to hear of it have it, by the hub's word and by their own.
    pub(super) fn is_delivered(&self, received: &HashSet<String>) -> bool {
        let mut all = self.deliveries.iter().chain(&self.taken_back);
        let has = |way: &DeliveryWay| {
            way.delivered_at.is_some() && received.contains(&way.id.to_string())
        };
        self.is_owed() && all.all(has)
    }

    /// The ids of what is owed because of it.
    pub(super) fn delivery_ids(&self) -> impl Iterator<Item = String> {
        self.deliveries.iter().map(|way| way.id.to_string())
    }
}

/// Who decided, or how far it has come where nobody has.
pub(super) fn who(answer: &Answer) -> &'static str {
    let decided_by = answer.decision.as_ref().map(|decision| decision.decided_by);
    match answer.state.is_decided() {
        true => decided_by.unwrap_or(DecidedBy::Hub).as_str(),
        false => answer.state.as_str(),
    }
}
