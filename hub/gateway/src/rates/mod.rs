//! How many requests each participant may send: over all hubs together where they share a Redis that answers,
//! else to each hub.

mod purse;
mod shared;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use takmil_domain::ids::ParticipantId;

use crate::code::{Code, Failure};
use crate::config::Config;
use crate::neighbours::Neighbours;
use shared::SharedRates;

/// The rates in force.
pub(crate) struct Rates {
    own: DefaultKeyedRateLimiter<ParticipantId>,
    clock: DefaultClock,
    shared: Option<SharedRates>,
}

impl Rates {
    /// The rates that a configuration allows.
    pub(crate) fn new(config: &Config, neighbours: Option<&Arc<Neighbours>>) -> Rates {
        let limits = &config.limits;
        let patience = Duration::from_millis(config.redis.wait_ms);
        let count = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::per_second(count(limits.requests_per_second)).allow_burst(count(limits.burst));
        Rates {
            own: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            shared: neighbours
                .map(|neighbours| SharedRates::new(limits, Arc::clone(neighbours), patience)),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Code::Rate`] where the participant has sent as many as it may.
    pub(crate) async fn take(&self, participant: &ParticipantId) -> Result<(), Failure> {
        if let Some(shared) = &self.shared
            && let Some(taken) = shared.take(participant).await
        {
            if taken.is_ok() {
                // This hub's own count goes along, so that it is right when it has to take over; whether it would have
                // allowed as much is of no matter meanwhile.
                let _ = self.own.check_key(participant);
            }
            return taken.map_err(later);
        }
        let taken = self.own.check_key(participant);
        taken.map_err(|refused| later(refused.wait_time_from(self.clock.now())))
    }
}

fn later(wait: Duration) -> Failure {
    Failure {
        retry_after_s: Some(wait.as_secs().saturating_add(1)),
        ..Failure::from(Code::Rate)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn one_participants_haste_leaves_the_others_alone() {
        let mut config = Config::defaults();
        config.limits.requests_per_second = 1;
        config.limits.burst = 2;
        let rates = Rates::new(&config, None);
        let id = |text| ParticipantId::parse(text).unwrap();
        assert!(rates.take(&id("a")).await.is_ok() && rates.take(&id("a")).await.is_ok());
        let failure = rates.take(&id("a")).await.unwrap_err();
        assert_eq!((failure.code, failure.retry_after_s), (Code::Rate, Some(1)));
        assert!(rates.take(&id("b")).await.is_ok());
    }
}
