//! For those who take what they are owed themselves: streams, and requests of insurers that poll.

use std::sync::Arc;

use futures::future::join_all;
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::Delivery;
use takmil_store::{Attempt, Scope, Wanted};
use tokio::sync::Notify;

use super::party::{Carrier, PartyStanding};
use crate::Engine;
use crate::error::Error;

impl Engine {
    /// What an insurer is to get now, the longest due first, so many at most: of each claim the earliest that it
    /// has not had, and nothing that is on its way. What cannot be read is left out, and recorded as an attempt.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn due(&self, insurer: &ParticipantId, most: u32) -> Result<Vec<Delivery>, Error> {
        let (store, now) = (&self.inner.store, self.now());
        let beside = self.inner.parties.of(insurer).on_the_way();
        let wanted = Wanted {
            insurer,
            now,
            due_by: now,
            most,
            beside: &beside,
        };
        let offered = store.due(wanted).await?;
        let (due, unreadable) = super::read(&self.inner, offered);
        store.record_attempts(&Scope::Hub, &unreadable).await?;
        Ok(due.into_iter().map(|own| own.delivery).collect())
    }

    /// Who carries deliveries to a party that comes for them over a stream.
    pub fn carrier(&self, party: &ParticipantId) -> Carrier {
        Carrier::new(&self.inner, party)
    }

    /// Records what a party said of deliveries that it was carried, together with what others say at the same time.
    /// When this returns, it is durable.
    ///
    /// # Errors
    /// If it could not be recorded: they may be delivered again.
    pub async fn acknowledge(
        &self,
        party: &ParticipantId,
        attempts: Vec<Attempt>,
    ) -> Result<(), Error> {
        let lanes = self.lanes()?;
        let record = |attempt| lanes.attempts.record(party, attempt);
        let recorded = join_all(attempts.into_iter().map(record)).await;
        recorded.into_iter().collect()
    }

    /// How the parties stand that this hub has called, or that came for what they are owed.
    pub fn parties(&self) -> Vec<PartyStanding> {
        self.inner.parties.standings()
    }

    /// What rings when something becomes owed to an insurer.
    pub fn owed(&self, insurer: &ParticipantId) -> Arc<Notify> {
        self.inner.owed.of(insurer)
    }

    /// Lets routers and streams look at once whether something is owed: another hub has committed deliveries.
    pub fn wake(&self) {
        self.inner.owed.tell_all();
    }
}
