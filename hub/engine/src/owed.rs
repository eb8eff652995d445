//! Who is to look at once what the hub owes: each insurer's worker and streams alone, so that a commit for one does not
//! set all of them to work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use takmil_domain::ids::ParticipantId;
use tokio::sync::Notify;

/// A bell for each insurer that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Owed(Mutex<HashMap<ParticipantId, Arc<Notify>>>);

impl Owed {
    /// The bell of an insurer. Whoever waits is woken by what is told from then on.
    pub(crate) fn of(&self, insurer: &ParticipantId) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match bells.get(insurer) {
            Some(bell) => Arc::clone(bell),
            None => Arc::clone(bells.entry(insurer.clone()).or_default()),
        }
    }

    /// Says that something became owed to insurers.
    pub(crate) fn tell<'i>(&self, insurers: impl IntoIterator<Item = &'i ParticipantId>) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in insurers.into_iter().filter_map(|own| bells.get(own)) {
            bell.notify_waiters();
        }
    }

    /// Says that something became owed to somebody.
    pub(crate) fn tell_all(&self) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.values().for_each(|bell| bell.notify_waiters());
    }
}
