//! Lanes: each takes everything that waits for it, up to a bound, does it in one transaction, and answers all.
//!
//! Accounts hash to lanes. That only spares contention: what keeps limits right is the store's own locking.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use takmil_store::StoreError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Inner;
use crate::error::Error;
use crate::reads::Reads;
use crate::recognise::Recogniser;
use crate::together::{self, Coming, Waiting};
use crate::turn::{self, Decided, Done, Order};

/// When a sender that was turned away should come back: a few turns later.
const RETRY_AFTER_MS: u64 = 1_000;

/// How often a turn is tried where other hubs are faster: each time one of them has gone on, so all do.
const MOST_TRIES: u32 = 8;

type Outcome = Result<Decided, Error>;

/// The lanes of an engine.
pub(crate) struct Lanes {
    senders: Vec<mpsc::Sender<Waiting<Order, Outcome>>>,
    /// Looks members up before an order is made.
    pub(crate) recogniser: Recogniser,
    /// Records who reads what.
    pub(crate) reads: Reads,
    pub(crate) counts: Arc<Counts>,
}

/// What the lanes have done so far, for metrics.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) turns: AtomicU64,
    pub(crate) orders: AtomicU64,
    pub(crate) waiting: AtomicUsize,
}

/// A reply that will come.
pub(crate) struct Pending(Coming<Outcome>);

impl Pending {
    /// What became of the order.
    pub(crate) async fn done(self) -> Outcome {
        self.0.await.unwrap_or(Err(Error::Stopping))
    }
}

impl Lanes {
    /// Starts the lanes. They end when the last clone of their senders is gone, after doing all that waits.
    pub(crate) fn start(inner: &Arc<Inner>) -> (Lanes, Vec<JoinHandle<()>>) {
        let counts = Arc::new(Counts::default());
        let (recogniser, recognises) = Recogniser::start(inner);
        let (reads, records) = Reads::start(inner);
        let mut senders = Vec::new();
        let mut tasks = vec![recognises, records];
        for _ in 0..inner.config.lanes.max(1) {
            let (sender, receiver) = mpsc::channel(inner.config.queue_orders.max(1));
            senders.push(sender);
            tasks.push(tokio::spawn(run(
                Arc::clone(inner),
                receiver,
                Arc::clone(&counts),
            )));
        }
        let lanes = Lanes {
            senders,
            recogniser,
            reads,
            counts,
        };
        (lanes, tasks)
    }

    /// Hands in an order; a full queue turns it away at once.
    pub(crate) fn hand_in(&self, key: impl Hash, order: Order) -> Result<Pending, Error> {
        let (order, coming) = together::ask(order);
        let sent = self.lane(key).ok_or(Error::Stopping)?.try_send(order);
        self.waits(sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded {
                retry_after_ms: RETRY_AFTER_MS,
            },
            mpsc::error::TrySendError::Closed(_) => Error::Stopping,
        }))?;
        Ok(Pending(coming))
    }

    /// Hands in an order that is part of something already begun: it waits for its place.
    pub(crate) async fn wait_in(&self, key: impl Hash, order: Order) -> Result<Pending, Error> {
        let (order, coming) = together::ask(order);
        let sent = self.lane(key).ok_or(Error::Stopping)?.send(order).await;
        self.waits(sent.map_err(|_| Error::Stopping))?;
        Ok(Pending(coming))
    }

    fn waits(&self, sent: Result<(), Error>) -> Result<(), Error> {
        sent?;
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn lane(&self, key: impl Hash) -> Option<&mpsc::Sender<Waiting<Order, Outcome>>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lanes = u64::try_from(self.senders.len()).ok()?;
        self.senders
            .get(usize::try_from(hasher.finish().checked_rem(lanes)?).ok()?)
    }
}

async fn run(
    inner: Arc<Inner>,
    receiver: mpsc::Receiver<Waiting<Order, Outcome>>,
    counts: Arc<Counts>,
) {
    let turn = |orders: Vec<Order>| {
        counts.waiting.fetch_sub(orders.len(), Ordering::Relaxed);
        counts.turns.fetch_add(1, Ordering::Relaxed);
        counts
            .orders
            .fetch_add(u64::try_from(orders.len()).unwrap_or(0), Ordering::Relaxed);
        let inner = &inner;
        async move {
            let results = do_all(inner, &orders).await;
            if results
                .iter()
                .any(|result| matches!(result, Ok((Done::Answered { .. }, _))))
            {
                inner.owed.notify_waiters();
            }
            results
        }
    };
    together::serve(receiver, inner.config.turn_orders, turn).await;
}

/// Does the orders together; if the whole fails because of one, each alone.
async fn do_all(inner: &Inner, orders: &[Order]) -> Vec<Outcome> {
    match turn(inner, orders).await {
        Ok(results) => results.into_iter().map(Ok).collect(),
        Err(error) if orders.len() == 1 => {
            tracing::error!(%error, "an order failed");
            vec![Err(error)]
        }
        Err(Error::Store(StoreError::Unavailable(error))) => {
            tracing::error!(%error, orders = orders.len(), "the store cannot serve");
            orders.iter().map(|_| Err(Error::Unavailable)).collect()
        }
        Err(error) => {
            tracing::warn!(%error, orders = orders.len(), "a turn failed; its orders go one by one");
            let mut results = Vec::with_capacity(orders.len());
            for order in orders {
                let alone = turn(inner, std::slice::from_ref(order)).await;
                let alone = alone.and_then(|mut results| results.pop().ok_or(Error::Stopping));
                if let Err(error) = &alone {
                    tracing::error!(%error, "an order failed");
                }
                results.push(alone);
            }
            results
        }
    }
}

/// One turn, begun anew where another hub was faster: its rows are there then.
async fn turn(inner: &Inner, orders: &[Order]) -> Result<Vec<Decided>, Error> {
    let mut tries = MOST_TRIES;
    loop {
        tries -= 1;
        match turn::run(inner, orders).await {
            Err(Error::Store(StoreError::Contended)) if tries > 0 => {
                tracing::debug!(orders = orders.len(), "another hub was faster");
            }
            other => return other,
        }
    }
}
