//! Connections by endpoint. Nothing else is held here, and whatever is held can be dropped and made again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use takmil_domain::participant::Endpoint;

use crate::tls::{Identity, Shown};

/// More insurers than any country has. When a pool is full it starts anew, which costs a handshake each.
const MAX_ENDPOINTS: usize = 4_096;

/// Something to call an endpoint with, since when, the authority that it trusts, and the certificate that it shows.
struct Held<C> {
    since: Instant,
    ca_pem: Option<String>,
    identity: Option<Arc<Identity>>,
    made: C,
}

/// One `C` for each endpoint, made on first use. Cloning shares it.
pub(crate) struct Pool<C> {
    held: Arc<Mutex<HashMap<String, Held<C>>>>,
    shown: Shown,
}

impl<C: Clone> Pool<C> {
    pub(crate) fn showing(shown: Shown) -> Self {
        let held = Arc::default();
        Self { held, shown }
    }

    /// What is held for the endpoint, or what `make` makes for it with the certificate to show. An endpoint whose
    /// authority was exchanged gets a new one, and all do when the hub's own certificate was.
    pub(crate) fn get<E>(
        &self,
        endpoint: &Endpoint,
        make: impl FnOnce(Option<&Identity>) -> Result<C, E>,
    ) -> Result<C, E> {
        let identity = self.shown.now();
        if let Some(held) = self.lock().get(&endpoint.url)
            && held.ca_pem == endpoint.ca_pem
            && held.identity == identity
        {
            return Ok(held.made.clone());
        }
        // Made outside the lock, because it may read files: two callers at once make two, and one is kept.
        let made = make(identity.as_deref())?;
        let mut held = self.lock();
        if held.len() >= MAX_ENDPOINTS {
            held.clear();
        }
        let kept = Held {
            since: Instant::now(),
            ca_pem: endpoint.ca_pem.clone(),
            identity,
            made: made.clone(),
        };
        held.insert(endpoint.url.clone(), kept);
        Ok(made)
    }

    /// Lets go of what was held for the endpoint at a moment. Calls under way keep it until they end.
    pub(crate) fn forget(&self, endpoint: &Endpoint, at: Instant) {
        let mut held = self.lock();
        if held.get(&endpoint.url).is_some_and(|held| held.since <= at) {
            held.remove(&endpoint.url);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held<C>>> {
        // Whoever panicked with it in hand left whole entries.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self {
            held: Arc::clone(&self.held),
            shown: self.shown.clone(),
        }
    }
}
