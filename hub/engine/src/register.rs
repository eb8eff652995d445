//! To the central register: policies, their changes and claims, each until it has its unique code. Of several hubs on one
//! database one does it; where two do it at once, the register knows the repeat by its id.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use takmil_domain::date::Instant;
use takmil_domain::participant::{Endpoint, Participant};
use takmil_store::{Constraint, RegistrationAttempt, RegistrationRecord, StoreError};

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;
use crate::route::health::{Change, Passage, Way};
use crate::route::party::Party;

/// The lease of the hub that registers.
const LEASE: &str = "register";

/// For how long the lease is taken: longer than a round of calls.
const LEASE_MS: u64 = 60_000;

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_secs(1);

/// How many are told at once.
const AT_ONCE: u32 = 16;

/// What the register says where it gives one code twice.
const TAKEN: &str = "the register gave a code that something else has";

/// Registers what is due, until the hub stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let outage = Outage::new("registrations cannot be read or recorded; it is tried again");
    let holder = uuid::Uuid::from_bytes(crate::clocks::bits(&inner)).to_string();
    let mut is_ours_until = Instant(0);
    loop {
        let done = match inner.catalog().register() {
            Some(register) => round(&inner, register, &holder, &mut is_ours_until).await,
            None => Ok(Round::Over),
        };
        match &done {
            Ok(_) => outage.went_well(),
            Err(error) => outage.failed(error),
        }
        let rest = match done {
            Ok(Round::More) => Duration::ZERO,
            Ok(Round::Over) | Err(_) => LOOK,
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(rest) => {}
        }
    }
    // Another hub need not wait for the end of the lease.
    if let Err(error) = inner.store.release(LEASE, &holder).await {
        tracing::debug!(%error, "the lease of the register ends by itself");
    }
}

/// Whether there may be more to do at once.
enum Round {
    More,
    Over,
}

async fn round(
    inner: &Inner,
    register: &Participant,
    holder: &str,
    is_ours_until: &mut Instant,
) -> Result<Round, Error> {
    let Some(endpoint) = &register.callback else {
        return Ok(Round::Over);
    };
    let (store, now) = (&inner.store, (inner.clock)());
    let deadline_ms = inner.config.deliver_deadline_ms;
    if now.plus_ms(deadline_ms) >= *is_ours_until {
        if !store.lease(LEASE, holder, now, LEASE_MS).await? {
            return Ok(Round::Over);
        }
        *is_ours_until = now.plus_ms(LEASE_MS);
    }
    let party = inner.parties.of(&register.id);
    let most = match party.passage(now) {
        Passage::Free => AT_ONCE,
        Passage::One => 1,
        Passage::NotBefore(_) => return Ok(Round::Over),
    };
    let due = store.due_registrations(now, most).await?;
    let is_full = u32::try_from(due.len()).is_ok_and(|found| found >= most);
    let calls = due.iter().map(|own| tell(inner, &party, endpoint, own));
    let (attempts, changes): (Vec<_>, Vec<_>) = join_all(calls).await.into_iter().unzip();
    record(inner, &attempts).await?;
    if changes.contains(&Change::Closed) {
        // Nothing waits out the time that it was put off for while the register was away.
        store.hasten_registrations((inner.clock)()).await?;
        return Ok(Round::More);
    }
    let is_well = attempts.iter().any(|attempt| attempt.outcome.is_ok());
    Ok(match is_full && is_well {
        true => Round::More,
        false => Round::Over,
    })
}

/// Tells the register of one thing.
async fn tell(
    inner: &Inner,
    party: &Party,
    endpoint: &Endpoint,
    own: &RegistrationRecord,
) -> (RegistrationAttempt, Change) {
    let (config, now) = (&inner.config, (inner.clock)());
    party.begin(Way::Delivering, now, config.deliver_deadline_ms);
    let deadline = Duration::from_millis(config.deliver_deadline_ms);
    let call = inner
        .transports
        .register(endpoint, &own.registration, deadline, now);
    let said = call.await;
    let change = party.hear(inner, Way::Delivering, None, said.as_ref().err());
    let id = own.registration.registration;
    let at = (inner.clock)();
    let outcome = said.map_err(|error| {
        tracing::warn!(registration.id = %id, %error, "something is not registered yet");
        let wait_ms = match &error {
            // What it will not take as it is may be mended there; it is asked seldom.
            error if error.is_of_the_call() => config.retry_refused_ms,
            _ => config.backoff(own.attempts, (inner.random)()),
        };
        (at.plus_ms(wait_ms), error.to_string())
    });
    (RegistrationAttempt { id, at, outcome }, change)
}

/// Records attempts. A code that something else has already is none: that one alone is tried again.
async fn record(inner: &Inner, attempts: &[RegistrationAttempt]) -> Result<(), Error> {
    let is_taken = |recorded: &Result<(), StoreError>| {
        let taken = Constraint::RegistrationCode;
        matches!(recorded, Err(StoreError::Broken { constraint }) if *constraint == taken)
    };
    let recorded = inner.store.record_registrations(attempts).await;
    if !is_taken(&recorded) {
        return Ok(recorded?);
    }
    for attempt in attempts {
        let own = std::slice::from_ref(attempt);
        let recorded = inner.store.record_registrations(own).await;
        if is_taken(&recorded) {
            tracing::error!(registration.id = %attempt.id, "{TAKEN}");
            let next = attempt.at.plus_ms(inner.config.retry_refused_ms);
            let outcome = Err((next, TAKEN.to_owned()));
            let refused = RegistrationAttempt {
                outcome,
                ..*attempt
            };
            inner.store.record_registrations(&[refused]).await?;
        } else {
            recorded?;
        }
    }
    Ok(())
}
