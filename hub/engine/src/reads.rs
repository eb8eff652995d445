//! Who reads what of persons is a leaf of the log like everything else: recorded before anything is given away, for
//! all who read at the same time together.

use std::sync::Arc;

use serde::Serialize;
use takmil_domain::audit::{Commitment, Event, Leaf};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_store::{NewLeaf, NewRead, StoreError};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::Inner;
use crate::audit;
use crate::error::Error;
use crate::outage::Outage;
use crate::together::{self, Desk};

/// The most reads that one transaction records, and that wait for it.
const MOST: usize = 256;
const MOST_WAITING: usize = 4_096;

/// Somebody reads personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Which participant.
    pub participant: ParticipantId,
    /// Which person of it, where it was a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// By which operation.
    pub operation: &'static str,
    /// Of what: ids, and nothing else of a person.
    pub object: String,
}

/// A record of a read, as it is kept.
#[derive(Serialize)]
struct Kept<'a> {
    at: Instant,
    #[serde(flatten)]
    reading: &'a Reading,
}

/// The way to the one who records reads.
pub(crate) struct Reads(Desk<NewRead, Result<(), Error>>);

impl Reads {
    /// Starts the recording. It ends when this is gone, after recording all that waits.
    pub(crate) fn start(inner: &Arc<Inner>) -> (Reads, JoinHandle<()>) {
        let (desk, questions) = together::desk(MOST_WAITING);
        let inner = Arc::clone(inner);
        let task = async move {
            let outage = Outage::new("who reads what cannot be recorded, so nobody reads");
            let work = |reads| record(&inner, reads, &outage);
            questions.serve(MOST, work).await;
        };
        (Reads(desk), tokio::spawn(task))
    }

    /// Records a read. When this returns, it is durable.
    pub(crate) async fn record(&self, inner: &Inner, reading: &Reading) -> Result<(), Error> {
        let participant = inner.audit.know(&inner.store, &reading.participant).await?;
        let at = (inner.clock)();
        let document = serde_json::to_string(&Kept { at, reading });
        let document = document.map_err(|_| Error::Unwritable)?;
        let salt = audit::salt(&inner.random);
        let leaf = Leaf {
            event: Event::PersonalDataRead,
            turn: 0,
            at,
            subject: fresh_id(inner, at),
            participant,
            commitment: Commitment::new(&salt, &[document.as_bytes()]),
        };
        let leaf = NewLeaf { leaf, salt };
        let coming = self
            .0
            .ask(&reading.participant, NewRead { document, leaf })?;
        coming.await.unwrap_or(Err(Error::Stopping))
    }
}

/// An id that grows with time.
fn fresh_id(inner: &Inner, at: Instant) -> Uuid {
    takmil_domain::ids::MessageId::new(at, (inner.random)()).0
}

async fn record(inner: &Inner, reads: Vec<NewRead>, outage: &Outage) -> Vec<Result<(), Error>> {
    let recorded = inner.store.record_reads(&reads).await;
    match &recorded {
        Ok(()) => {
            outage.went_well();
            inner.audit.waiting.notify_one();
        }
        Err(error) => outage.failed(error),
    }
    let outcome = |_| match &recorded {
        Ok(()) => Ok(()),
        Err(StoreError::Contended) => Err(Error::Store(StoreError::Contended)),
        Err(_) => Err(Error::Unavailable),
    };
    reads.iter().map(outcome).collect()
}
