//! What a party says to what it was owed, whichever wire it came by.

use takmil_domain::date::Instant;
use takmil_domain::ids::DeliveryId;
use takmil_domain::problem::Problem;
use takmil_insurers::StatedDecision;
use takmil_store::{Attempt, Outcome};

use super::App;
use super::decisions::decide;
use crate::auth::Identity;
use crate::code::Failure;

/// How many acknowledgements one request may bring: as many as a page has deliveries.
pub(crate) const MAX_ACKS: usize = 1_000;

/// What became of a delivery at its insurer.
pub(crate) struct Ack {
    /// Which.
    pub(crate) delivery: DeliveryId,
    /// What became of it.
    pub(crate) said: Said,
    /// The decision, where the insurer has it already: as it was read, or what is wrong with it.
    pub(crate) decision: Option<Result<StatedDecision, Problem>>,
}

/// See [`Ack`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    /// It is kept.
    Taken,
    /// Not now.
    Later,
    /// Never, for what it is.
    Refused,
}

impl Said {
    /// What is recorded of it.
    pub(crate) fn outcome(self, app: &App, at: Instant) -> Outcome {
        let config = &app.config.engine;
        match self {
            Said::Taken => Outcome::Delivered { took_ms: None },
            Said::Later => Outcome::Failed {
                next_due: at.plus_ms(config.retry_first_ms),
                error: "the insurer wants it later".to_owned(),
            },
            Said::Refused => Outcome::Refused {
                next_due: at.plus_ms(config.retry_refused_ms),
                error: "the insurer refuses it".to_owned(),
            },
        }
    }
}

/// Why an acknowledgement was not taken as it is.
pub(crate) enum Unheard {
    /// No such delivery is owed to the insurer.
    NotOwed,
    /// The delivery is noted, the decision that came with it is not taken.
    Decision(Failure),
}

/// Notes what became of deliveries, all together, then takes the decisions that came with them, one by one. There is one
/// result for each, in their order; what is noted is durable.
///
/// # Errors
/// If the hub itself failed: then the same may be said again.
pub(crate) async fn acknowledge(
    app: &App,
    identity: &Identity,
    acks: Vec<Ack>,
) -> Result<Vec<Result<(), Unheard>>, Failure> {
    let at = app.engine.now();
    let attempt = |ack: &Ack| Attempt {
        delivery: ack.delivery,
        at,
        outcome: ack.said.outcome(app, at),
    };
    let attempts: Vec<_> = acks.iter().map(attempt).collect();
    let found = app
        .store
        .record_attempts(&identity.scope, &attempts)
        .await?;
    let mut results = Vec::with_capacity(acks.len());
    for (ack, is_owed) in acks.into_iter().zip(found) {
        results.push(match (is_owed, ack.decision) {
            (false, _) => Err(Unheard::NotOwed),
            (true, None) => Ok(()),
            (true, Some(decision)) => take(app, identity, decision).await?,
        });
    }
    Ok(results)
}

async fn take(
    app: &App,
    identity: &Identity,
    decision: Result<StatedDecision, Problem>,
) -> Result<Result<(), Unheard>, Failure> {
    match decide(app, identity, decision).await {
        Ok(_) => Ok(Ok(())),
        Err(failure) if failure.code.http().is_server_error() => Err(failure),
        Err(failure) => Ok(Err(Unheard::Decision(failure))),
    }
}
