//! How many delivery streams each insurer holds, so that nobody opens more than allowed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use takmil_domain::ids::ParticipantId;

use crate::code::{Code, Failure};

/// The desks of all insurers.
pub(crate) struct Desks {
    open: Mutex<HashMap<ParticipantId, usize>>,
    /// How many streams one insurer may hold.
    most: usize,
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
        let streams = open.entry(insurer.clone()).or_default();
        if *streams >= self.most {
            return Err(Failure::new(
                Code::Rate,
                "the insurer holds as many delivery streams as it may",
            ));
        }
        *streams += 1;
        Ok(Desk {
            desks: Arc::clone(self),
            insurer: insurer.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ParticipantId, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one stream. Dropped, it is free again.
pub(crate) struct Desk {
    desks: Arc<Desks>,
    insurer: ParticipantId,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut open = self.desks.lock();
        if let Some(streams) = open.get_mut(&self.insurer) {
            *streams = streams.saturating_sub(1);
            if *streams == 0 {
                open.remove(&self.insurer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_insurer_holds_as_many_streams_as_it_may() {
        let desks = Desks::new(2);
        let of = |name: &str| desks.open(&ParticipantId::parse(name).unwrap());
        let (one, _other) = (of("north").unwrap(), of("north").unwrap());
        assert!(of("north").is_err(), "a third stream");
        assert!(of("south").is_ok());
        drop(one);
        assert!(of("north").is_ok());
    }
}
