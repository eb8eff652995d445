//! From the outbox to insurers, and to providers that are told of their messages: one worker each, so that a slow one
//! holds up no other.
//!
//! Within a claim deliveries go one after the other; claims go side by side. Nothing is ever given up: what fails is
//! tried again, later and later, up to a bound. A party that fails too often is left in peace but for single calls, by
//! which it is found out when it is back ([`health`]); then everything that waits for it is due at once. What an
//! insurer refuses for what it is becomes a dead letter, and waits for a person with what comes after it in its claim.

pub(crate) mod attempts;
pub(crate) mod health;
mod offers;
mod pace;
pub(crate) mod party;
mod worker;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_store::{Attempt, Offered, Outcome, StoreError};
use tokio::task::JoinHandle;

use crate::Inner;
use crate::document;
use crate::error::Error;
use attempts::Attempts;
use party::Due;
use worker::Worker;

/// How long a worker rests where nothing wakes it: deliveries become due by the clock, too.
const REST: Duration = Duration::from_millis(250);

/// Keeps a worker for everybody who listens.
pub(crate) async fn run(inner: Arc<Inner>, attempts: Arc<Attempts>) {
    let mut workers: HashMap<ParticipantId, JoinHandle<()>> = HashMap::new();
    let mut stop = inner.stop.subscribe();
    loop {
        for party in inner.catalog().listeners() {
            let worker = || {
                let (inner, attempts) = (Arc::clone(&inner), Arc::clone(&attempts));
                tokio::spawn(Worker::new(inner, attempts, party.id.clone()).run())
            };
            let known = workers.entry(party.id.clone()).or_insert_with(worker);
            if known.is_finished() {
                *known = worker();
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(REST) => {}
        }
    }
    join_all(workers.into_values()).await;
}

/// Reads what is offered. What cannot be read is an attempt that failed: it holds up nothing but its own claim, shows
/// on its message's way, and is tried again rarely, unless its member was erased, for then nobody ever can.
pub(crate) fn read(inner: &Inner, offered: Vec<Offered>) -> (Vec<Due>, Vec<Attempt>) {
    let catalog = inner.catalog();
    let (mut due, mut unreadable) = (Vec::with_capacity(offered.len()), Vec::new());
    for Offered { id, attempts, owed } in offered {
        let read = owed.map_err(Error::from);
        let error = match read.and_then(|owed| document::delivery(owed, &catalog)) {
            Ok(delivery) => {
                due.push(Due { delivery, attempts });
                continue;
            }
            Err(error) => error,
        };
        tracing::error!(delivery.id = %id, %error, "a delivery cannot be read");
        let at = (inner.clock)();
        let outcome = match &error {
            Error::Store(StoreError::Erased) => Outcome::Erased,
            _ => failed(at, inner.config.retry_refused_ms, &error),
        };
        unreadable.push(Attempt {
            delivery: id,
            at,
            outcome,
        });
    }
    (due, unreadable)
}

fn failed(at: Instant, wait_ms: u64, error: &impl Display) -> Outcome {
    Outcome::Failed {
        next_due: at.plus_ms(wait_ms),
        error: error.to_string(),
    }
}
