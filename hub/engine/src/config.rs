//! What an operator may set of the engine.

use serde::{Deserialize, Serialize};
use takmil_store::MOST_WAIT_MS;

/// The engine's settings. Every one has a default that suits a single node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many lanes decide at once. One on SQLite, whose writer is one.
    pub lanes: usize,
    /// The most orders that one turn takes: enough to share an fsync widely, few enough to answer soon.
    pub turn_orders: usize,
    /// About how many orders wait for a lane; beyond it senders are told to come back. Of one sender never more wait
    /// than there are places free.
    pub queue_orders: usize,
    /// For how many days an admission's or pre-authorisation's reservation stands.
    pub reserve_days: u32,
    /// For how many days a pre-authorisation may be billed.
    pub authorisation_days: u32,
    /// How much longer than the insurers' own deadlines a consulted message waits before it is finished without them.
    pub consult_grace_ms: u64,
    /// How long one attempt to deliver may take.
    pub deliver_deadline_ms: u64,
    /// How many deliveries to one insurer are on the way at once.
    pub deliver_parallel: usize,
    /// The first wait after a failed delivery; it doubles with every further one.
    pub retry_first_ms: u64,
    /// The longest such wait, five minutes at most: so long after an insurer is back it is met at the latest. Attempts never
    /// end.
    pub retry_most_ms: u64,
    /// How long a delivery rests that its insurer refuses, or that cannot be read.
    pub retry_refused_ms: u64,
    /// How often the clocks look for what is due: expired reservations, consultations cut off by a crash.
    pub clock_ms: u64,
}

impl Config {
    /// The wait in milliseconds after so many failures: doubled each time up to a bound, less up to half of it by
    /// chance, so that whoever comes back is not met by everything at once.
    pub(crate) fn backoff(&self, failures: u32, random: [u8; 10]) -> u64 {
        let factor = 1_u64.checked_shl(failures).unwrap_or(u64::MAX);
        let doubled = self.retry_first_ms.saturating_mul(factor);
        let most = doubled.min(self.retry_most_ms).min(MOST_WAIT_MS);
        let [chance, ..] = random;
        most - most.saturating_mul(u64::from(chance)) / 512
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lanes: 1,
            turn_orders: 256,
            queue_orders: 4_096,
            reserve_days: 7,
            authorisation_days: 60,
            consult_grace_ms: 2_000,
            deliver_deadline_ms: 10_000,
            deliver_parallel: 16,
            retry_first_ms: 500,
            retry_most_ms: 10_000,
            retry_refused_ms: 300_000,
            clock_ms: 1_000,
        }
    }
}
