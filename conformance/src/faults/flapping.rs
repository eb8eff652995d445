//! An insurer that comes and goes: as soon as it stays, what it is owed comes again, and within half a minute at the latest.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::seq::IndexedRandom;
use tokio::time::sleep;

use super::hub::millis;
use super::report::Report;
use super::traffic::Patience;
use super::trial::{Rounds, Trial, plan, run_rounds};
use super::{Error, Run};
use crate::insurer::{Manner, Script};

/// How many rounds one hub goes through.
const ON_ONE: u64 = 10;
/// How long it is there, and how long away, in milliseconds.
const PERIODS: &[u64] = &[150, 400, 1_000, 2_500, 6_000];
/// How often it comes and goes in a round.
const TURNS: std::ops::Range<u64> = 2..5;
/// How soon after it stays the first delivery has to come.
const RECOVERS: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Has an insurer come and go for `rounds`, and looks how soon it is met when it stays.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn flapping(run: &Run, rounds: u64) -> Result<Report, Error> {
    let fresh = || plan(run, None);
    let trial = Trial::new("flapping", run, &format!("--rounds {rounds}"), fresh()).await?;
    let rounds = Rounds {
        all: rounds,
        on_one: ON_ONE,
    };
    run_rounds(trial, rounds, fresh, async |trial, hub, random| {
        let period_ms = PERIODS.choose(random).copied().unwrap_or(1_000);
        let turns = random.random_range(TURNS);
        let traffic = trial.traffic(hub.url(), Patience::GoOn)?;
        let flaps = Script::approve().in_manner(Manner::Flapping { period_ms });
        trial.place.insurer.perform(flaps).await;
        sleep(Duration::from_millis(period_ms.saturating_mul(2 * turns))).await;
        // It is away when it comes to stay.
        trial.place.insurer.kill().await;
        let had = trial.place.insurer.tally();
        trial.place.insurer.perform(Script::approve()).await;
        let back = Instant::now();
        while trial.place.insurer.tally() == had && back.elapsed() < RECOVERS {
            sleep(LOOK_AGAIN).await;
        }
        let met = back.elapsed();
        if met >= RECOVERS {
            trial.fail(format!("it was not met within {RECOVERS:?} of being back"));
        }
        let name = "milliseconds until it was met again, at most";
        trial.report.most(name, millis(met));
        trial.note(traffic.end().await?);
        trial.deliveries().await;
        let name = "milliseconds until it had all, at most";
        trial.report.most(name, millis(back.elapsed()));
        Ok(hub)
    })
    .await
}
