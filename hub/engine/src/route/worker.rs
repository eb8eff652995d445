//! One party's worker: takes what is owed to it, has as much on the way at once as its contract says, and sends the next
//! as soon as there is room, at no more than its pace. While some is on the way, the next is looked for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use futures::{Future, FutureExt};
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, ParticipantId};
use takmil_domain::participant::DeliveryTerms;
use takmil_insurers::TransportError;
use takmil_store::{Attempt, MOST_WAIT_MS, Outcome};
use tokio::sync::watch;
use tokio::task::JoinError;

use super::attempts::Attempts;
use super::health::{Change, Passage, Way};
use super::pace::Pace;
use super::party::{Carrier, Due, Party};
use super::{REST, failed};
use crate::error::Error;
use crate::outage::Outage;
use crate::{Inner, Seen};

/// How many times as much as may be on the way is taken at once, so that the database is asked seldom.
const AHEAD: usize = 16;
const MOST_AHEAD: usize = 256;

/// The most calls that have ended and whose attempts wait to be recorded.
const MOST_UNRECORDED: usize = 1_024;

type Running<T> = FuturesUnordered<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What was found of what is owed.
struct Found {
    /// Who carries it.
    carrier: Carrier,
    due: Result<Vec<Due>, Error>,
    /// How much was looked for.
    most: u32,
    until: Instant,
}

/// How a call ended.
struct Called {
    due: Arc<Due>,
    took_ms: u64,
    error: Option<TransportError>,
}

/// See the file's head.
pub(super) struct Worker {
    inner: Arc<Inner>,
    attempts: Arc<Attempts>,
    id: ParticipantId,
    party: Arc<Party>,
    carrier: Carrier,
    /// What was taken and has not gone yet, each with the moment until which nobody else takes it.
    ready: VecDeque<(Due, Instant)>,
    /// What is being looked for; at most one.
    looking: Running<Result<Found, JoinError>>,
    calls: Running<Called>,
    recording: Running<DeliveryId>,
    pace: Pace,
    /// Whether there may be more than was found.
    look: bool,
    outage: Outage,
}

impl Worker {
    pub(super) fn new(inner: Arc<Inner>, attempts: Arc<Attempts>, id: ParticipantId) -> Worker {
        Worker {
            party: inner.parties.of(&id),
            carrier: Carrier::new(&inner, &id),
            ready: VecDeque::new(),
            looking: FuturesUnordered::new(),
            calls: FuturesUnordered::new(),
            recording: FuturesUnordered::new(),
            pace: Pace::default(),
            look: true,
            outage: Outage::new(format!("the outbox of {id} cannot be used")),
            inner,
            attempts,
            id,
        }
    }

    /// Works until the hub stops or the party has no endpoint any more; what is on the way then is waited for.
    pub(super) async fn run(mut self) {
        let mut stop = self.inner.stop.subscribe();
        let bell = self.inner.owed.of(&self.id);
        while let Some(terms) = self.terms() {
            // What becomes owed while it works is not to wait for the end of a rest.
            let owed = bell.notified();
            tokio::pin!(owed);
            owed.as_mut().enable();
            let rest = self.send_off(&terms).await;
            tokio::select! {
                () = stopped(&mut stop) => break,
                Some(called) = self.calls.next() => self.called(called).await,
                Some(recorded) = self.recording.next() => self.recorded(recorded).await,
                Some(Ok(found)) = self.looking.next() => self.found(found),
                () = owed => self.look = true,
                () = tokio::time::sleep(rest) => self.look = true,
            }
        }
        while let Some(called) = self.calls.next().await {
            self.called(called).await;
        }
        while let Some(found) = self.looking.next().await {
            found.into_iter().for_each(|found| self.found(found));
        }
        while let Some(recorded) = self.recording.next().await {
            self.recorded(recorded).await;
        }
        self.carrier.close().await;
    }

    /// How the party takes deliveries, while it has an endpoint.
    fn terms(&self) -> Option<DeliveryTerms> {
        let catalog = self.inner.catalog();
        catalog.participant(&self.id)?.listens()?;
        let contract = catalog.contract(&self.id);
        Some(contract.map_or_else(DeliveryTerms::default, |own| own.delivery.clone()))
    }

    /// Sends off as much as may go, and says how long there is nothing more to send.
    async fn send_off(&mut self, terms: &DeliveryTerms) -> Duration {
        let now = (self.inner.clock)();
        let at_once = terms
            .parallel
            .map_or(self.inner.config.deliver_parallel, usize::from)
            .max(1);
        let (at_once, is_probe) = match self.party.passage(now) {
            Passage::Free => (at_once, false),
            Passage::One => (1, true),
            Passage::NotBefore(then) => {
                self.put_back().await;
                return until(now, then);
            }
        };
        while self.calls.len() < at_once && self.recording.len() < MOST_UNRECORDED {
            if self.ready.len() < at_once {
                self.look(terms, at_once, is_probe);
            }
            let now = (self.inner.clock)();
            let ends = now.plus_ms(self.inner.config.deliver_deadline_ms);
            match self.ready.front() {
                None => break,
                Some((_, until)) if ends > *until => {
                    // By the end of the call another hub might have it.
                    self.put_back().await;
                    self.look = true;
                    continue;
                }
                Some(_) => {}
            }
            if let Err(then) = self.pace.go(now, terms.per_second) {
                return until(now, then);
            }
            let within_ms = self.inner.config.deliver_deadline_ms;
            let Some((due, _)) = self.ready.pop_front() else {
                break;
            };
            self.party.begin(Way::Delivering, now, within_ms);
            self.calls
                .push(Box::pin(call(Arc::clone(&self.inner), due.into())));
        }
        REST
    }

    /// Begins to look for what is owed, where there may be more than was found and nobody looks yet.
    fn look(&mut self, terms: &DeliveryTerms, at_once: usize, is_probe: bool) {
        if !self.look || !self.looking.is_empty() {
            return;
        }
        let now = (self.inner.clock)();
        let ahead = at_once.saturating_mul(AHEAD).min(MOST_AHEAD).max(at_once);
        let most = u32::try_from(ahead).unwrap_or(u32::MAX);
        // Whether it is back is found out by what is due first, be it not yet.
        let (most, due_by) = match is_probe {
            true => (1, now.plus_ms(MOST_WAIT_MS)),
            false => (most.min(terms.per_second.unwrap_or(most)).max(1), now),
        };
        // Other hubs on the same database deliver, too. What is taken is theirs to take again after twice the time
        // that a call may take: where this hub crashes, it ends by itself.
        let until = now.plus_ms(self.inner.config.deliver_deadline_ms.saturating_mul(2));
        // What becomes owed from now on may be missed.
        self.look = false;
        let mut carrier = Carrier::new(&self.inner, &self.id);
        let looking = tokio::spawn(async move {
            let due = carrier.take_due(most, due_by, until).await;
            Found {
                carrier,
                due,
                most,
                until,
            }
        });
        self.looking.push(Box::pin(looking));
    }

    fn found(&mut self, found: Found) {
        let Found {
            carrier,
            due,
            most,
            until,
        } = found;
        self.carrier.join(carrier);
        match due {
            Ok(due) => {
                self.outage.went_well();
                // A claim that is on the way has more when it has arrived; then it is looked again.
                self.look |= u32::try_from(due.len()).is_ok_and(|found| found >= most);
                self.ready.extend(due.into_iter().map(|due| (due, until)));
            }
            Err(error) => self.outage.failed(&error),
        }
    }

    async fn put_back(&mut self) {
        let ready: Vec<_> = self
            .ready
            .drain(..)
            .map(|(own, _)| own.delivery.id)
            .collect();
        if ready.is_empty() {
            return;
        }
        if let Err(error) = self.carrier.put_back(&ready).await {
            self.outage.failed(&error);
        }
    }

    async fn called(&mut self, called: Called) {
        let Called {
            due,
            took_ms,
            error,
        } = called;
        let catalog = self.inner.catalog();
        let contract = catalog.contract(&self.id);
        let change = self
            .party
            .hear(&self.inner, Way::Delivering, contract, error.as_ref());
        let at = (self.inner.clock)();
        if change == Change::Closed {
            // Nothing waits out the time that it was put off for while the party was away.
            if let Err(error) = self.inner.store.hasten(&self.id, at).await {
                self.outage.failed(&error);
            }
        }
        let outcome = self.outcome(&due, at, took_ms, error.as_ref());
        if matches!(outcome, Outcome::Delivered { .. }) {
            (self.inner.observe)(Seen::Delivered {
                party: &self.id,
                waited_ms: at.ms_since(due.delivery.created_at),
                took_ms,
            });
        }
        let attempt = Attempt {
            delivery: due.delivery.id,
            at,
            outcome,
        };
        let (attempts, id) = (Arc::clone(&self.attempts), self.id.clone());
        self.recording.push(Box::pin(async move {
            let delivery = attempt.delivery;
            // Where it was not recorded, which is told there, it is delivered again.
            let _ = attempts.record(&id, attempt).await;
            delivery
        }));
    }

    /// Lets go of what is recorded, and of what else is by now.
    async fn recorded(&mut self, first: DeliveryId) {
        let mut recorded = vec![first];
        while let Some(Some(next)) = self.recording.next().now_or_never() {
            recorded.push(next);
        }
        self.carrier.settle(&recorded).await;
        self.look = true;
    }

    fn outcome(
        &self,
        due: &Due,
        at: Instant,
        took_ms: u64,
        error: Option<&TransportError>,
    ) -> Outcome {
        let config = &self.inner.config;
        match error {
            None => Outcome::Delivered {
                took_ms: Some(took_ms),
            },
            Some(error) if error.is_of_the_call() => Outcome::Refused {
                next_due: at.plus_ms(config.retry_refused_ms),
                error: error.to_string(),
            },
            Some(error @ TransportError::Document { .. }) => {
                failed(at, config.retry_refused_ms, error)
            }
            Some(error) => {
                let wait_ms = config.backoff(due.attempts, (self.inner.random)());
                failed(at, wait_ms, error)
            }
        }
    }
}

/// Resolves when the hub is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// How long to rest until a moment, but no longer than the clock's own round.
fn until(now: Instant, then: Instant) -> Duration {
    Duration::from_millis(then.ms_since(now).saturating_add(1)).min(REST)
}

/// Hands one delivery over, on a task of its own: what is sent is written while the worker looks for more.
async fn call(inner: Arc<Inner>, due: Arc<Due>) -> Called {
    let begun = std::time::Instant::now();
    let handed = tokio::spawn(hand_over(Arc::clone(&inner), Arc::clone(&due))).await;
    let broken = |_| {
        Err(TransportError::Unreachable {
            cause: "the call broke off".to_owned(),
        })
    };
    let error = handed.unwrap_or_else(broken).err();
    if let Some(error) = &error {
        let delivery = &due.delivery;
        if let TransportError::Garbled(problem) = error {
            inner.fault_of(&delivery.insurer, Some(delivery.message), problem);
        }
        tracing::warn!(insurer.id = %delivery.insurer, delivery.id = %delivery.id, %error, "a delivery failed");
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Called {
        due,
        took_ms,
        error,
    }
}

async fn hand_over(inner: Arc<Inner>, due: Arc<Due>) -> Result<(), TransportError> {
    let catalog = inner.catalog();
    // Without one the worker ends; whoever listens elsewhere gets it there.
    let gone = || TransportError::Endpoint {
        what: "there is none any more".to_owned(),
    };
    let party = catalog.participant(&due.delivery.insurer);
    let endpoint = party.and_then(|party| party.listens()).ok_or_else(gone)?;
    let deadline = Duration::from_millis(inner.config.deliver_deadline_ms);
    let (delivery, now) = (&due.delivery, (inner.clock)());
    let handed = inner
        .transports
        .deliver(endpoint, delivery, deadline, now)
        .await;
    handed.map(|_| ())
}
