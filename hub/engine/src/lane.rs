//! Lanes: each takes everything that waits for it, up to a bound, does it in one transaction, and answers all.
//!
//! Accounts hash to lanes. That only spares contention: what keeps limits right is the store's own locking. In a lane
//! senders take turns; what goes on with a message that was taken comes before what is fresh.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use takmil_domain::ids::ParticipantId;
use takmil_store::StoreError;
use tokio::task::JoinHandle;

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;
use crate::reads::Reads;
use crate::recognise::Recogniser;
use crate::route::attempts::Attempts;
use crate::together::{self, Coming, Desk, Questions};
use crate::turn::{self, Decided, Order};

/// How often a turn is tried where other hubs are faster: each time one of them has gone on, so all do.
const MOST_TRIES: u32 = 8;

type Outcome = Result<Decided, Error>;

/// The lanes of an engine.
pub(crate) struct Lanes {
    desks: Vec<Desk<Order, Outcome>>,
    /// Looks members up before an order is made.
    pub(crate) recogniser: Recogniser,
    /// Records who reads what.
    pub(crate) reads: Reads,
    /// Records attempts to deliver.
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) counts: Arc<Counts>,
}

/// What the lanes have done so far, for metrics.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) turns: AtomicU64,
    pub(crate) orders: AtomicU64,
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
    /// Starts the lanes. They end when these are gone, after doing all that waits.
    pub(crate) fn start(inner: &Arc<Inner>) -> (Lanes, Vec<JoinHandle<()>>) {
        let counts = Arc::new(Counts::default());
        let (recogniser, recognises) = Recogniser::start(inner);
        let (reads, records) = Reads::start(inner);
        let (attempts, records_attempts) = Attempts::start(inner);
        let mut desks = Vec::new();
        let mut tasks = vec![recognises, records, records_attempts];
        for number in 1..=inner.config.lanes.max(1) {
            let (desk, orders) = together::desk(inner.config.queue_orders);
            desks.push(desk);
            tasks.push(tokio::spawn(run(
                Arc::clone(inner),
                number,
                orders,
                Arc::clone(&counts),
            )));
        }
        let lanes = Lanes {
            desks,
            recogniser,
            reads,
            attempts,
            counts,
        };
        (lanes, tasks)
    }

    /// Hands in a sender's order; a full queue turns it away at once.
    pub(crate) fn hand_in(
        &self,
        key: impl Hash,
        sender: &ParticipantId,
        order: Order,
    ) -> Result<Pending, Error> {
        self.desk(key)?.ask(sender, order).map(Pending)
    }

    /// Hands in an order that comes with one that was handed in: the rest of a body, an insurer's word on a message.
    pub(crate) fn add(
        &self,
        key: impl Hash,
        sender: &ParticipantId,
        order: Order,
    ) -> Result<Pending, Error> {
        self.desk(key)?.ask_on(sender, order).map(Pending)
    }

    /// Hands in an order by which the hub goes on with a message, before all that is fresh.
    pub(crate) fn go_on(&self, key: impl Hash, order: Order) -> Result<Pending, Error> {
        self.desk(key)?.ask_first(order).map(Pending)
    }

    /// How many orders wait.
    pub(crate) fn waiting(&self) -> usize {
        self.desks.iter().map(Desk::waiting).sum()
    }

    fn desk(&self, key: impl Hash) -> Result<&Desk<Order, Outcome>, Error> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lanes = u64::try_from(self.desks.len()).unwrap_or(1);
        let lane = hasher.finish().checked_rem(lanes);
        let lane = lane.and_then(|lane| usize::try_from(lane).ok());
        lane.and_then(|lane| self.desks.get(lane))
            .ok_or(Error::Stopping)
    }
}

async fn run(
    inner: Arc<Inner>,
    number: usize,
    orders: Questions<Order, Outcome>,
    counts: Arc<Counts>,
) {
    let outage = Outage::new(format!("lane {number} has no store to decide in"));
    let turn = |orders: Vec<Order>| {
        counts.turns.fetch_add(1, Ordering::Relaxed);
        counts
            .orders
            .fetch_add(u64::try_from(orders.len()).unwrap_or(0), Ordering::Relaxed);
        let (inner, outage) = (&inner, &outage);
        async move { do_all(inner, &orders, outage).await }
    };
    orders.serve(inner.config.turn_orders, turn).await;
}

/// Does the orders together; if the whole fails because of one, each alone.
async fn do_all(inner: &Inner, orders: &[Order], outage: &Outage) -> Vec<Outcome> {
    match turn(inner, orders).await {
        Ok(results) => {
            outage.went_well();
            results.into_iter().map(Ok).collect()
        }
        Err(Error::Store(StoreError::Unavailable(error))) => {
            outage.failed(&error);
            orders.iter().map(|_| Err(Error::Unavailable)).collect()
        }
        Err(error) if orders.len() == 1 => {
            tracing::error!(%error, "an order failed");
            vec![Err(error)]
        }
        Err(error) => {
            tracing::warn!(%error, orders = orders.len(), "a turn failed; its orders go one by one");
            let mut results = Vec::with_capacity(orders.len());
            for order in orders {
                let alone = Box::pin(do_all(inner, std::slice::from_ref(order), outage)).await;
                results.extend(alone);
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
