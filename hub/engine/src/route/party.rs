//! What this hub knows of each party that it calls, or that takes what it is owed over streams of its own: whether it can
//! be called, and what is on its way to it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, ParticipantId};
use takmil_domain::participant::{Contract, Delivery};
use takmil_insurers::TransportError;
use takmil_store::{Scope, Wanted};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::health::{Call, Change, CircuitState, Health, Passage, Probing, Way};
use crate::Inner;
use crate::error::Error;

/// All parties of this hub.
#[derive(Default)]
pub(crate) struct Parties(Mutex<HashMap<ParticipantId, Arc<Party>>>);

impl Parties {
    /// The party of a name.
    pub(crate) fn of(&self, id: &ParticipantId) -> Arc<Party> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(id) {
            Some(party) => Arc::clone(party),
            None => {
                let party = Arc::new(Party::new(id.clone()));
                known.insert(id.clone(), Arc::clone(&party));
                party
            }
        }
    }

    /// How those stand that were called or came for what they are owed, in the order of their names.
    pub(crate) fn standings(&self) -> Vec<PartyStanding> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut standings: Vec<_> = known.values().map(|party| party.standing()).collect();
        standings.sort_unstable_by(|one, other| one.party.cmp(&other.party));
        standings
    }
}

/// How a party stands with this hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyStanding {
    /// Which.
    pub party: ParticipantId,
    /// Whether it is asked, and since when it stands so.
    pub asking: (CircuitState, Option<Instant>),
    /// Whether it is delivered to, and since when it stands so.
    pub delivering: (CircuitState, Option<Instant>),
    /// How many deliveries are on their way to it from this hub.
    pub on_the_way: usize,
}

/// One party.
pub(crate) struct Party {
    id: ParticipantId,
    health: Mutex<Health>,
    /// What is on its way, by push or over streams. An id leaves when its attempt is recorded, or when nobody carries it any
    /// more.
    carried: Mutex<HashSet<DeliveryId>>,
    /// Whoever looks for what is owed holds it until the list above knows what was found; and whoever takes from the list
    /// what is recorded. So nobody finds in an older moment of the database what is recorded since.
    looking: tokio::sync::Mutex<()>,
    /// How many may be asked at once, and the places.
    asking: Mutex<(u16, Arc<Semaphore>)>,
}

impl Party {
    fn new(id: ParticipantId) -> Party {
        Party {
            id,
            health: Mutex::default(),
            carried: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            asking: Mutex::new((0, Arc::new(Semaphore::new(0)))),
        }
    }

    fn standing(&self) -> PartyStanding {
        let health = self.health();
        PartyStanding {
            party: self.id.clone(),
            asking: health.of(Way::Asking).stands(),
            delivering: health.of(Way::Delivering).stands(),
            on_the_way: self.carried().len(),
        }
    }

    /// Whether a delivery may go now.
    pub(crate) fn passage(&self, now: Instant) -> Passage {
        self.health().of(Way::Delivering).passage(now)
    }

    /// Lets a call go that ends within so many milliseconds; false where none may.
    pub(crate) fn begin(&self, way: Way, now: Instant, within_ms: u64) -> bool {
        self.health().begin(way, now, within_ms)
    }

    /// Takes in how a call ended, and says what it changed.
    pub(crate) fn hear(
        &self,
        inner: &Inner,
        way: Way,
        contract: Option<&Contract>,
        error: Option<&TransportError>,
    ) -> Change {
        let terms = contract.map(|own| own.delivery.clone()).unwrap_or_default();
        let probing = Probing {
            first_ms: terms.probe_ms,
            most_ms: terms.probe_most_ms,
        };
        let [chance, ..] = (inner.random)();
        let now = (inner.clock)();
        let change = self.health().hear(way, call(error), now, probing, chance);
        match change {
            Change::Opened => {
                tracing::warn!(party.id = %self.id, ?way, "the party fails too often; until it is back, calls to it wait");
            }
            Change::Closed => {
                tracing::warn!(party.id = %self.id, ?way, "the party is back");
                // It may have been found out by asking.
                inner.owed.tell([&self.id]);
            }
            Change::None => {}
        }
        change
    }

    /// A place among those that are asked at once.
    pub(crate) async fn place_to_ask(&self, at_once: u16) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            if asking.0 != at_once {
                // Whoever has a place of the old ones keeps it.
                *asking = (at_once, Arc::new(Semaphore::new(usize::from(at_once))));
            }
            Arc::clone(&asking.1)
        };
        places.acquire_owned().await.ok()
    }

    /// What is on its way now.
    pub(crate) fn on_the_way(&self) -> HashSet<DeliveryId> {
        self.carried().clone()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carried(&self) -> MutexGuard<'_, HashSet<DeliveryId>> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call's end says of its party.
fn call(error: Option<&TransportError>) -> Call {
    match error {
        // It was the hub's own document that could not be read, or this one call that was not to its liking.
        None | Some(TransportError::Document { .. } | TransportError::Garbled(_)) => Call::Answered,
        Some(TransportError::Refused { permanent, .. }) => match permanent {
            true => Call::Answered,
            false => Call::Declined,
        },
        Some(TransportError::Silent { .. }) => Call::Silent,
        Some(TransportError::Unreachable { .. } | TransportError::Endpoint { .. }) => {
            Call::Unreachable
        }
    }
}

/// A delivery to be made, and how often it was tried before.
#[derive(Debug)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// How often it was tried.
    pub attempts: u32,
}

/// Carries deliveries to one party, so that nobody else does: the party's worker, or one of its streams. Dropped, it puts
/// back what it carries.
pub struct Carrier {
    inner: Arc<Inner>,
    party: Arc<Party>,
    own: HashSet<DeliveryId>,
}

impl Carrier {
    pub(crate) fn new(inner: &Arc<Inner>, party: &ParticipantId) -> Carrier {
        Carrier {
            inner: Arc::clone(inner),
            party: inner.parties.of(party),
            own: HashSet::new(),
        }
    }

    /// Takes what is owed now, so many at most: of each claim the earliest that the party has not had, the longest due
    /// first. Other hubs are not offered it before `until`, unless it is put back. What cannot be read is recorded as an
    /// attempt.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn take(&mut self, most: u32, until: Instant) -> Result<Vec<Due>, Error> {
        let now = (self.inner.clock)();
        self.take_due(most, now, until).await
    }

    /// As [`Carrier::take`], of what is due by a moment.
    pub(crate) async fn take_due(
        &mut self,
        most: u32,
        due_by: Instant,
        until: Instant,
    ) -> Result<Vec<Due>, Error> {
        let store = &self.inner.store;
        let looking = self.party.looking.lock().await;
        let beside = self.party.on_the_way();
        let wanted = Wanted {
            insurer: &self.party.id,
            now: (self.inner.clock)(),
            due_by,
            most,
            beside: &beside,
        };
        let offered = store.take(wanted, until).await?;
        let (due, unreadable) = super::read(&self.inner, offered);
        self.own.extend(due.iter().map(|own| own.delivery.id));
        self.party
            .carried()
            .extend(due.iter().map(|own| own.delivery.id));
        drop(looking);
        if !unreadable.is_empty() {
            store.record_attempts(&Scope::Hub, &unreadable).await?;
        }
        Ok(due)
    }

    /// Carries on what another carries to the same party.
    pub(crate) fn join(&mut self, mut other: Carrier) {
        self.own.extend(other.own.drain());
    }

    /// Whether it carries a delivery.
    pub fn carries(&self, delivery: DeliveryId) -> bool {
        self.own.contains(&delivery)
    }

    /// How many deliveries it carries.
    pub fn load(&self) -> usize {
        self.own.len()
    }

    /// Lets go of deliveries whose attempts are recorded.
    pub async fn settle(&mut self, deliveries: &[DeliveryId]) {
        let party = Arc::clone(&self.party);
        let _looking = party.looking.lock().await;
        self.let_go(deliveries);
    }

    /// Puts back deliveries, so that they are offered again at once.
    ///
    /// # Errors
    /// If the database cannot serve; other hubs are offered them a little later then.
    pub async fn put_back(&mut self, deliveries: &[DeliveryId]) -> Result<(), Error> {
        self.let_go(deliveries);
        Ok(self.inner.store.hold(deliveries, None).await?)
    }

    /// Goes on carrying what it carries until a moment.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn hold(&self, until: Instant) -> Result<(), Error> {
        let own: Vec<_> = self.own.iter().copied().collect();
        Ok(self.inner.store.hold(&own, Some(until)).await?)
    }

    /// Puts back everything.
    pub async fn close(mut self) {
        let own: Vec<_> = self.own.iter().copied().collect();
        if let Err(error) = self.put_back(&own).await {
            tracing::warn!(party.id = %self.party.id, %error, "what was on its way is offered again only when its claim is over");
        }
    }

    fn let_go(&mut self, deliveries: &[DeliveryId]) {
        let mut carried = self.party.carried();
        for delivery in deliveries.iter().filter(|own| self.own.remove(own)) {
            carried.remove(delivery);
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let mut carried = self.party.carried();
        for delivery in &self.own {
            carried.remove(delivery);
        }
    }
}
