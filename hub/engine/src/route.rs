//! From the outbox to insurers: one worker each, so that a slow one holds up no other.
//!
//! Within a claim deliveries go one after the other; claims go side by side. Nothing is ever given up: what
//! fails is tried again, later and later, up to a bound. A worker whose insurer is down sends one delivery at
//! a time to see whether it is back; the bound is short, so that one that is back is met soon. What an insurer
//! refuses is tried rarely: it waits for a person.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::{Delivery, Endpoint};
use takmil_insurers::TransportError;
use takmil_store::{Attempt, MOST_WAIT_MS, Offered, Outcome, Scope, StoreError};
use tokio::task::JoinHandle;

use crate::Inner;
use crate::document;
use crate::error::Error;
use crate::outage::Outage;

/// How long a worker rests where nothing wakes it: deliveries become due by the clock, too.
const REST: Duration = Duration::from_millis(250);

/// Keeps a worker for every insurer that has an endpoint.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut workers: HashMap<ParticipantId, JoinHandle<()>> = HashMap::new();
    let mut stop = inner.stop.subscribe();
    loop {
        for insurer in inner
            .catalog()
            .insurers()
            .filter(|insurer| endpoint_of(insurer.contract.as_ref()).is_some())
        {
            let worker = || tokio::spawn(work(Arc::clone(&inner), insurer.id.clone()));
            let known = workers.entry(insurer.id.clone()).or_insert_with(worker);
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

fn endpoint_of(contract: Option<&takmil_domain::participant::Contract>) -> Option<&Endpoint> {
    contract.and_then(|contract| contract.endpoint.as_ref())
}

async fn work(inner: Arc<Inner>, insurer: ParticipantId) {
    let mut stop = inner.stop.subscribe();
    let mut failures: u32 = 0;
    let outage = Outage::new(format!(
        "the outbox of {insurer} cannot be used; some of it may be delivered again"
    ));
    let bell = inner.owed.of(&insurer);
    loop {
        // What becomes owed while it works is not to wait for the end of a rest.
        let owed = bell.notified();
        tokio::pin!(owed);
        owed.as_mut().enable();
        let rest = match round(&inner, &insurer, &mut failures, &outage).await {
            Round::Idle => REST,
            Round::Done => Duration::ZERO,
            Round::Down { wait } => wait,
            Round::Gone => return,
        };
        if rest.is_zero() && !*stop.borrow() {
            continue;
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(rest) => {}
            () = owed, if failures == 0 => {}
        }
    }
}

/// What a worker's round came to.
enum Round {
    /// There was nothing to do.
    Idle,
    /// Deliveries were made; there may be more.
    Done,
    /// The insurer is down.
    Down { wait: Duration },
    /// The insurer has no endpoint any more.
    Gone,
}

async fn round(
    inner: &Inner,
    insurer: &ParticipantId,
    failures: &mut u32,
    outage: &Outage,
) -> Round {
    let catalog = inner.catalog();
    let Some(endpoint) = endpoint_of(catalog.contract(insurer)) else {
        return Round::Gone;
    };
    let now = (inner.clock)();
    let most = if *failures > 0 {
        1
    } else {
        inner.config.deliver_parallel.max(1)
    };
    // Another hub on the same database delivers, too. A claim outlives the attempt by as much again, so that it
    // ends by the record of the attempt; its own end is for a hub that crashed.
    let until = now.plus_ms(inner.config.deliver_deadline_ms.saturating_mul(2));
    let most = u32::try_from(most).unwrap_or(1);
    let due = match inner.store.claim(insurer, now, until, most).await {
        Ok(due) => due,
        Err(error) => {
            outage.failed(&error);
            return Round::Idle;
        }
    };
    outage.went_well();
    if due.is_empty() {
        return Round::Idle;
    }
    let (due, unreadable) = read(inner, due);
    let results = join_all(
        due.iter()
            .map(|delivery| deliver(inner, endpoint, delivery)),
    )
    .await;
    let down = results.iter().flatten().any(TransportError::is_retryable);
    *failures = if down { failures.saturating_add(1) } else { 0 };
    let wait = backoff(inner, *failures);
    let handed = due
        .iter()
        .zip(&results)
        .map(|(delivery, error)| attempt(inner, delivery, error.as_ref(), wait));
    let attempts: Vec<Attempt> = handed.chain(unreadable).collect();
    if let Err(error) = inner.store.record_attempts(&Scope::Hub, &attempts).await {
        outage.failed(&error);
        return Round::Idle;
    }
    if down {
        Round::Down {
            wait: Duration::from_millis(wait),
        }
    } else {
        Round::Done
    }
}

/// Reads what is offered. What cannot be read is an attempt that failed: it holds up nothing but its own claim, shows
/// on its message's way, and is tried again rarely, unless its member was erased, for then nobody ever can.
pub(crate) fn read(inner: &Inner, offered: Vec<Offered>) -> (Vec<Delivery>, Vec<Attempt>) {
    let (mut due, mut unreadable) = (Vec::with_capacity(offered.len()), Vec::new());
    for Offered { id, owed } in offered {
        let error = match owed.map_err(Error::from).and_then(document::delivery) {
            Ok(delivery) => {
                due.push(delivery);
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

/// Hands one delivery over; says why it could not.
async fn deliver(
    inner: &Inner,
    endpoint: &Endpoint,
    delivery: &Delivery,
) -> Option<TransportError> {
    let deadline = Duration::from_millis(inner.config.deliver_deadline_ms);
    let handed = inner
        .transports
        .deliver(endpoint, delivery, deadline, (inner.clock)())
        .await;
    let error = handed.err()?;
    tracing::warn!(insurer.id = %delivery.insurer, delivery.id = %delivery.id, %error, "a delivery failed");
    Some(error)
}

fn attempt(
    inner: &Inner,
    delivery: &Delivery,
    error: Option<&TransportError>,
    wait: u64,
) -> Attempt {
    let at = (inner.clock)();
    let outcome = match error {
        None => Outcome::Delivered,
        // What the insurer will not take stays owed; a person has to look at it, and it asks again rarely.
        Some(error) if !error.is_retryable() => failed(at, inner.config.retry_refused_ms, error),
        Some(error) => failed(at, wait, error),
    };
    Attempt {
        delivery: delivery.id,
        at,
        outcome,
    }
}

fn failed(at: Instant, wait_ms: u64, error: &impl Display) -> Outcome {
    Outcome::Failed {
        next_due: at.plus_ms(wait_ms),
        error: error.to_string(),
    }
}

/// The wait in milliseconds after so many failures in a row: doubled each time up to a bound, less up to half of it by
/// chance, so that insurers that come back are not met by everything at once.
fn backoff(inner: &Inner, failures: u32) -> u64 {
    let doubled = inner.config.retry_first_ms.saturating_mul(
        1_u64
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u64::MAX),
    );
    let most = doubled.min(inner.config.retry_most_ms).min(MOST_WAIT_MS);
    let [chance, ..] = (inner.random)();
    most - most.saturating_mul(u64::from(chance)) / 512
}
