//! What the tamper-evident log is to have of a turn: a leaf for each turn of a message, written with it, and one
//! promise for all of them, given once it is durable.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use takmil_domain::audit::{Commitment, Event, Leaf, Pseudonym, Receipt, Salt, Signer, promise};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_store::{Batch, MessageUpdate, NewLeaf, NewMessage, Random, Store};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::Error;
use crate::judge::Heard;
use crate::turn::Order;

/// By when a checkpoint covers what is promised: two of those that are kept every minute.
const PROMISED_MS: u64 = 120_000;

/// The log as those see it who write to it.
#[derive(Debug)]
pub(crate) struct Audit {
    /// The log's key.
    pub(crate) log: Signer,
    /// Who participants are in the log. Nobody ever becomes another.
    pseudonyms: RwLock<HashMap<ParticipantId, Pseudonym>>,
    /// Leaves wait for their number.
    pub(crate) waiting: Notify,
    /// When the last checkpoint was signed, in microseconds.
    signed_at: AtomicI64,
}

impl Audit {
    /// Begins the log with a key, or goes on with it.
    ///
    /// # Errors
    /// [`Error::LogKey`] where the log was begun with another.
    pub(crate) async fn open(log: Signer, store: &Store) -> Result<Audit, Error> {
        let own = log.key().to_string();
        let begun = store.begin_log(&own).await?;
        if begun != own {
            return Err(Error::LogKey { begun, own });
        }
        let head = store.log_head().await?;
        Ok(Audit {
            log,
            pseudonyms: RwLock::default(),
            waiting: Notify::new(),
            signed_at: AtomicI64::new(head.signed_at.map_or(i64::MIN, |at| at.0)),
        })
    }

    /// Makes a participant one whose leaves can be written.
    pub(crate) async fn know(
        &self,
        store: &Store,
        participant: &ParticipantId,
    ) -> Result<Pseudonym, Error> {
        if let Ok(known) = self.pseudonym(participant) {
            return Ok(known);
        }
        let found = store.pseudonym(participant).await?;
        let mut known = self
            .pseudonyms
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(participant.clone(), found);
        Ok(found)
    }

    fn pseudonym(&self, participant: &ParticipantId) -> Result<Pseudonym, Error> {
        let known = self
            .pseudonyms
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(participant).copied().ok_or(Error::NotFound)
    }

    /// Notes when a checkpoint was signed.
    pub(crate) fn signed(&self, at: Instant) {
        self.signed_at.fetch_max(at.0, Ordering::Relaxed);
    }

    /// What the clock shows, but never before the last checkpoint: the log's time does not go back.
    pub(crate) fn not_before(&self, now: Instant) -> Instant {
        now.max(Instant(self.signed_at.load(Ordering::Relaxed)))
    }

    /// A receipt for each of these leaves, to be given once they are durable.
    pub(crate) fn promise(&self, leaves: &[Leaf], now: Instant) -> Vec<Arc<Receipt>> {
        if leaves.is_empty() {
            return Vec::new();
        }
        let at = self.not_before(now);
        let receipts = promise(&self.log, leaves, at, at.plus_ms(PROMISED_MS));
        receipts.into_iter().map(Arc::new).collect()
    }
}

/// A fresh salt.
pub(crate) fn salt(random: &Random) -> Salt {
    let mut salt = [0; 32];
    let bits = std::iter::repeat_with(|| random()).flatten();
    salt.iter_mut().zip(bits).for_each(|(to, from)| *to = from);
    Salt(salt)
}

/// The leaves of a turn while it is decided.
pub(crate) struct Leaves<'a> {
    audit: &'a Audit,
    random: &'a Random,
    /// How many messages and updates of the batch have their leaf.
    messages: usize,
    updates: usize,
    leaves: Vec<NewLeaf>,
    /// For each order the leaf that its answer goes by, where it has one.
    own: Vec<Option<usize>>,
}

impl<'a> Leaves<'a> {
    pub(crate) fn new(audit: &'a Audit, random: &'a Random) -> Leaves<'a> {
        Leaves {
            audit,
            random,
            messages: 0,
            updates: 0,
            leaves: Vec::new(),
            own: Vec::new(),
        }
    }

    /// Makes the leaves of what an order has added to the batch. An order's own turn is the last of it: what it takes
    /// back of earlier messages comes before.
    pub(crate) fn add(&mut self, order: &Order, batch: &Batch) -> Result<(), Error> {
        let before = self.leaves.len();
        let (event, doer) = self.doer(order)?;
        let said = match order {
            Order::Hear {
                decision: Some((_, decision)),
                ..
            } => serde_json::to_vec(decision).map_err(|_| Error::Unwritable)?,
            _ => Vec::new(),
        };
        for update in batch.updates.iter().skip(self.updates) {
            let leaf = self.gone_on(update, (event, doer), &said);
            self.leaves.push(leaf);
        }
        for message in batch.messages.iter().skip(self.messages) {
            let leaf = self.taken(message, doer);
            self.leaves.push(leaf);
        }
        self.updates = batch.updates.len();
        self.messages = batch.messages.len();
        let last = self.leaves.len().checked_sub(1);
        self.own.push(last.filter(|_| self.leaves.len() > before));
        Ok(())
    }

    /// What it is called that a message goes on, and whose doing it is.
    fn doer(&self, order: &Order) -> Result<(Event, Pseudonym), Error> {
        let insurer = match order {
            Order::Take(fresh) => {
                let sender = self.audit.pseudonym(&fresh.sender)?;
                return Ok((Event::MessageWentOn, sender));
            }
            Order::Hear {
                decision: Some((insurer, _)),
                ..
            } => Some(insurer),
            Order::Hear { heard, .. } => {
                let mut spoke = heard
                    .iter()
                    .filter(|(_, heard)| !matches!(heard, Heard::Silent));
                spoke.next().map(|(insurer, _)| insurer)
            }
            Order::Reply { sender: doer, .. }
            | Order::Appeal { sender: doer, .. }
            | Order::Correct { insurer: doer, .. } => {
                let doer = self.audit.pseudonym(doer)?;
                return Ok((Event::MessageWentOn, doer));
            }
            Order::Overdue { .. } | Order::Expire { .. } => None,
        };
        Ok(match insurer {
            Some(insurer) => (Event::InsurerDecided, self.audit.pseudonym(insurer)?),
            None => (Event::MessageWentOn, Pseudonym::HUB),
        })
    }

    /// Commits to what was sent, by its digest, and to the answer, as both are kept.
    fn taken(&self, message: &NewMessage, sender: Pseudonym) -> NewLeaf {
        let what = (Event::MessageTaken, message.id.0, 1);
        let parts = [message.digest.as_slice(), message.answer.as_bytes()];
        self.leaf(what, sender, message.answered_at, &parts)
    }

    /// Commits to what was said, where an insurer spoke, and to the answer, where there is another one.
    fn gone_on(
        &self,
        update: &MessageUpdate,
        (event, doer): (Event, Pseudonym),
        said: &[u8],
    ) -> NewLeaf {
        let what = (event, update.id.0, update.turn);
        let answer = update.answer.as_ref().map(|answer| answer.as_bytes());
        let parts = [said, answer.unwrap_or_default()];
        self.leaf(what, doer, update.at, &parts)
    }

    fn leaf(
        &self,
        (event, subject, turn): (Event, Uuid, u32),
        participant: Pseudonym,
        at: Instant,
        parts: &[&[u8]],
    ) -> NewLeaf {
        let salt = salt(self.random);
        let commitment = Commitment::new(&salt, parts);
        let leaf = Leaf {
            event,
            turn,
            at,
            subject,
            participant,
            commitment,
        };
        NewLeaf { leaf, salt }
    }

    /// The leaves, to be written with the turn.
    pub(crate) fn written(&self) -> Vec<NewLeaf> {
        self.leaves.clone()
    }

    /// The receipt of each order, to be given once the turn is durable.
    pub(crate) fn promised(self, now: Instant) -> Vec<Option<Arc<Receipt>>> {
        let leaves: Vec<Leaf> = self.leaves.iter().map(|new| new.leaf).collect();
        let receipts = self.audit.promise(&leaves, now);
        let receipt = |own: &Option<usize>| own.and_then(|at| receipts.get(at).cloned());
        self.own.iter().map(receipt).collect()
    }
}
