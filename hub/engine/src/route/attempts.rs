//! Recording attempts: workers, streams and requests hand them in, and one transaction takes what waits.

use std::sync::Arc;

use takmil_domain::ids::ParticipantId;
use takmil_store::{Attempt, Scope};
use tokio::task::JoinHandle;

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;
use crate::together::{self, Desk};

/// The most attempts that one transaction records.
const MOST: usize = 1_024;

/// About how many wait: what is on the way to all parties together. Nobody is turned away, for each was let in before.
const MOST_WAITING: usize = 65_536;

/// The way to the one who records attempts.
pub(crate) struct Attempts(Desk<Attempt, Result<(), Error>>);

impl Attempts {
    /// Starts the recording. It ends when this is gone, after recording all that waits.
    pub(crate) fn start(inner: &Arc<Inner>) -> (Arc<Attempts>, JoinHandle<()>) {
        let (desk, questions) = together::desk(MOST_WAITING);
        let inner = Arc::clone(inner);
        let task = async move {
            let outage = Outage::new(
                "attempts to deliver cannot be recorded; some of it is delivered again",
            );
            let work = |attempts| record(&inner, attempts, &outage);
            questions.serve(MOST, work).await;
        };
        (Arc::new(Attempts(desk)), tokio::spawn(task))
    }

    /// Records an attempt at what is owed to a party. When this returns, it is durable.
    ///
    /// # Errors
    /// If it could not be recorded: it may be delivered again.
    pub(crate) async fn record(
        &self,
        party: &ParticipantId,
        attempt: Attempt,
    ) -> Result<(), Error> {
        let coming = self.0.ask_on(party, attempt)?;
        coming.await.unwrap_or(Err(Error::Stopping))
    }
}

async fn record(inner: &Inner, attempts: Vec<Attempt>, outage: &Outage) -> Vec<Result<(), Error>> {
    let recorded = inner.store.record_attempts(&Scope::Hub, &attempts).await;
    match &recorded {
        Ok(_) => outage.went_well(),
        Err(error) => outage.failed(error),
    }
    let outcome = |_| {
        recorded
            .as_ref()
            .map(|_| ())
            .map_err(|_| Error::Unavailable)
    };
    attempts.iter().map(outcome).collect()
}
