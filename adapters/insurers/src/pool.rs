//! Connections by endpoint. Nothing else is held here, and whatever is held can be dropped and made again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use takmil_domain::participant::Endpoint;

/// More insurers than any country has. When a pool is full it starts anew, which costs a handshake each.
const MAX_ENDPOINTS: usize = 4_096;

/// Something to call an endpoint with, and the authority that it trusts.
type Held<C> = (Option<String>, C);

/// One `C` for each endpoint, made on first use. Cloning shares it.
pub(crate) struct Pool<C> {
    held: Arc<Mutex<HashMap<String, Held<C>>>>,
}

impl<C: Clone> Pool<C> {
    /// What is held for the endpoint, or what `make` makes for it. An endpoint whose authority was exchanged
    /// gets a new one.
    pub(crate) fn get<E>(
        &self,
        endpoint: &Endpoint,
        make: impl FnOnce() -> Result<C, E>,
    ) -> Result<C, E> {
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((ca_pem, made)) = lock().get(&endpoint.url)
            && *ca_pem == endpoint.ca_pem
        {
            return Ok(made.clone());
        }
        // Made outside the lock, because it may read files: two callers at once make two, and one is kept.
        let made = make()?;
        let mut held = lock();
        if held.len() >= MAX_ENDPOINTS {
            held.clear();
        }
        held.insert(
            endpoint.url.clone(),
            (endpoint.ca_pem.clone(), made.clone()),
        );
        Ok(made)
    }
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self {
            held: Arc::clone(&self.held),
        }
    }
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self {
            held: Arc::default(),
        }
    }
}
