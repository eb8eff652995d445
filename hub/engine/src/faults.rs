//! What insurers say that cannot be used: counted, and kept beside the lanes, so that a flood of it holds up nobody. Of
//! what was counted in the last half second a crash loses the count; what was refused had no effect anyway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::problem::Problem;
use takmil_store::InsurerFault;

use crate::outage::Outage;
use crate::{Engine, Inner, Seen};

/// How often what was counted is kept.
const EVERY: Duration = Duration::from_millis(500);

/// Of so many messages faults are counted one by one between two times; of more, without saying of which.
const MOST: usize = 10_000;

type Key = (ParticipantId, String, Option<MessageId>);

/// What was counted since it was last kept.
#[derive(Default)]
pub(crate) struct Faults(Mutex<HashMap<Key, InsurerFault>>);

impl Inner {
    /// Counts something that an insurer said about a message and that cannot be used; `None` where there is no such
    /// message.
    pub(crate) fn fault(
        &self,
        insurer: &ParticipantId,
        message: Option<MessageId>,
        code: &str,
        pointer: &str,
        detail: &str,
    ) {
        (self.observe)(Seen::Fault { insurer, code });
        let at = (self.clock)();
        let mut counted = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        let message = message.filter(|_| counted.len() < MOST);
        let key = (insurer.clone(), code.to_owned(), message);
        let own = counted.entry(key).or_insert_with(|| InsurerFault {
            insurer: insurer.clone(),
            code: code.to_owned(),
            message,
            pointer: String::new(),
            detail: String::new(),
            times: 0,
            first_at: at,
            last_at: at,
        });
        own.times = own.times.saturating_add(1);
        own.last_at = at;
        pointer.clone_into(&mut own.pointer);
        detail.clone_into(&mut own.detail);
    }

    /// Counts a problem of something that an insurer said.
    pub(crate) fn fault_of(
        &self,
        insurer: &ParticipantId,
        message: Option<MessageId>,
        problem: &Problem,
    ) {
        let Problem {
            code,
            pointer,
            detail,
        } = problem;
        self.fault(insurer, message, code.code(), pointer, detail);
    }
}

impl Engine {
    /// Counts something that an insurer said and that cannot be used: why, as a public code; where, and what is wrong
    /// with it. `message` is `None` where the hub knows none such.
    pub fn fault(
        &self,
        insurer: &ParticipantId,
        message: Option<MessageId>,
        code: &str,
        pointer: &str,
        detail: &str,
    ) {
        self.inner.fault(insurer, message, code, pointer, detail);
    }
}

/// Keeps what is counted until the hub stops, and what is left then.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let outage = Outage::new("what insurers said wrong cannot be kept; it is tried again");
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => is_last = true,
            () = tokio::time::sleep(EVERY) => {}
        }
        let counted = {
            let mut counted = inner
                .faults
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *counted)
        };
        if counted.is_empty() {
            continue;
        }
        let faults: Vec<_> = counted.values().cloned().collect();
        match inner.store.count_faults(&faults).await {
            Ok(()) => outage.went_well(),
            Err(error) => {
                outage.failed(&error);
                inner.put_back(counted);
            }
        }
    }
}

impl Inner {
    /// Counts again what could not be kept.
    fn put_back(&self, counted: HashMap<Key, InsurerFault>) {
        let mut now = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, mut before) in counted {
            if let Some(since) = now.remove(&key) {
                before.times = before.times.saturating_add(since.times);
                before.last_at = since.last_at;
            }
            if now.len() < MOST {
                now.insert(key, before);
            }
        }
    }
}
