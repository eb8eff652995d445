//! Which deliveries are on their way over an insurer's own streams, so that two of its streams never carry the
//! same one, and nobody opens more than allowed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use takmil_domain::ids::{DeliveryId, ParticipantId};

use crate::code::{Code, Failure};

/// The desks of all insurers.
pub(crate) struct Desks {
    open: Mutex<HashMap<ParticipantId, OnTheWay>>,
    /// How many streams one insurer may hold.
    most: usize,
}

/// What one insurer's streams carry.
#[derive(Default)]
struct OnTheWay {
    streams: usize,
    deliveries: HashSet<DeliveryId>,
}

impl Desks {
    /// No desk is open yet.
    pub(crate) fn new(most: usize) -> Arc<Desks> {
        let open = Mutex::default();
        Arc::new(Desks { open, most })
    }

    /// Opens a desk for one more stream of an insurer.
    ///
    /// # Errors
    /// [`Code::Rate`] where it holds as many as it may.
    pub(crate) fn open(self: &Arc<Desks>, insurer: &ParticipantId) -> Result<Desk, Failure> {
        let mut open = self.lock();
        let own = open.entry(insurer.clone()).or_default();
        if own.streams >= self.most {
            return Err(Failure::new(
                Code::Rate,
                "the insurer holds as many delivery streams as it may",
            ));
        }
        own.streams += 1;
        Ok(Desk {
            desks: Arc::clone(self),
            insurer: insurer.clone(),
            carried: HashSet::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ParticipantId, OnTheWay>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one stream carries. Dropped, it puts everything back.
pub(crate) struct Desk {
    desks: Arc<Desks>,
    insurer: ParticipantId,
    carried: HashSet<DeliveryId>,
}

impl Desk {
    /// Takes a delivery on this stream; false where one of the insurer's streams carries it already.
    pub(crate) fn carry(&mut self, delivery: DeliveryId) -> bool {
        let mut open = self.desks.lock();
        let own = open.entry(self.insurer.clone()).or_default();
        own.deliveries.insert(delivery) && self.carried.insert(delivery)
    }

    /// Puts a delivery back; false where this stream did not carry it.
    pub(crate) fn put_back(&mut self, delivery: DeliveryId) -> bool {
        let carried = self.carried.remove(&delivery);
        if carried && let Some(own) = self.desks.lock().get_mut(&self.insurer) {
            own.deliveries.remove(&delivery);
        }
        carried
    }

    /// How many deliveries this stream carries.
    pub(crate) fn load(&self) -> usize {
        self.carried.len()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut open = self.desks.lock();
        if let Some(own) = open.get_mut(&self.insurer) {
            own.streams = own.streams.saturating_sub(1);
            self.carried.iter().for_each(|delivery| {
                own.deliveries.remove(delivery);
            });
            if own.streams == 0 {
                open.remove(&self.insurer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use takmil_domain::date::Instant;

    #[test]
    fn no_two_streams_carry_the_same_delivery() {
        let desks = Desks::new(2);
        let insurer = ParticipantId::parse("north").unwrap();
        let delivery = DeliveryId::new(Instant(0), [7; 10]);
        let (mut one, mut other) = (desks.open(&insurer).unwrap(), desks.open(&insurer).unwrap());
        assert!(desks.open(&insurer).is_err(), "a third stream");
        assert!(one.carry(delivery) && !one.carry(delivery) && !other.carry(delivery));
        assert!(!other.put_back(delivery) && one.put_back(delivery));
        assert!(other.carry(delivery));
        drop(other);
        assert!(
            one.carry(delivery),
            "a stream that ends puts back what it carries"
        );
    }
}
