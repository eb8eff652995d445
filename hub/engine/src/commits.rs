//! What the lanes have committed, told to whoever watches: live feeds, other hubs. Watching never holds a lane up:
//! who is too slow loses the oldest, and hears that it did.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_store::{Batch, LoadedMessage};
use tokio::sync::broadcast;

/// How many turns of lanes wait for a watcher that is busy.
const MOST_WAITING: usize = 1_024;

/// What one turn of a lane has made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The messages that came further, in the order in which they did.
    pub steps: Vec<Step>,
    /// Whether something became owed to insurers.
    pub owes: bool,
}

/// A message came further. Nothing of the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub message: MessageId,
    /// Its kind.
    pub kind: Kind,
    /// How far it is now.
    pub state: State,
    /// Who sent it.
    pub sender: ParticipantId,
    /// The insurers that have a share in it.
    pub insurers: Vec<ParticipantId>,
    /// When.
    pub at: Instant,
}

/// The lanes' side.
#[derive(Debug)]
pub(crate) struct Commits(broadcast::Sender<Arc<Committed>>);

impl Default for Commits {
    fn default() -> Self {
        Self(broadcast::channel(MOST_WAITING).0)
    }
}

impl Commits {
    /// What is committed from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.0.subscribe()
    }

    /// Tells what was committed. `loaded` are the messages that went on.
    pub(crate) fn tell(&self, batch: &Batch, loaded: &HashMap<MessageId, LoadedMessage>) {
        if self.0.receiver_count() == 0 || (batch.messages.is_empty() && batch.updates.is_empty()) {
            return;
        }
        let committed = Committed {
            steps: steps(batch, loaded),
            owes: !batch.outbox.is_empty(),
        };
        // An error says that the last watcher has left meanwhile.
        let _ = self.0.send(Arc::new(committed));
    }
}

fn steps(batch: &Batch, loaded: &HashMap<MessageId, LoadedMessage>) -> Vec<Step> {
    let taken = batch.messages.iter().map(|message| Step {
        message: message.id,
        kind: message.kind,
        state: message.state,
        sender: message.sender.clone(),
        insurers: message.insurers.clone(),
        at: message.answered_at,
    });
    let gone_on = batch.updates.iter().filter_map(|update| {
        let known = loaded.get(&update.id)?;
        Some(Step {
            message: update.id,
            kind: known.kind,
            state: update.to,
            sender: known.sender.clone(),
            insurers: payers(&known.answer),
            at: update.at,
        })
    });
    taken.chain(gone_on).collect()
}

/// The part of a [`crate::Record`] that says who pays: the rest is not read.
#[derive(Deserialize)]
struct Payers {
    basis: PayersBasis,
}

#[derive(Deserialize)]
struct PayersBasis {
    covers: Vec<PayersCover>,
}

#[derive(Deserialize)]
struct PayersCover {
    cover: Payer,
}

#[derive(Deserialize)]
struct Payer {
    insurer: ParticipantId,
}

/// The insurers that a kept record names. A record that cannot be read has failed its turn before.
fn payers(record: &str) -> Vec<ParticipantId> {
    let read = serde_json::from_str::<Payers>(record);
    let covers = read.map_or_else(|_| Vec::new(), |payers| payers.basis.covers);
    let insurers: BTreeSet<ParticipantId> =
        covers.into_iter().map(|own| own.cover.insurer).collect();
    insurers.into_iter().collect()
}
