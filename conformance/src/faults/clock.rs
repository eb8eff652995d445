//! A wall clock that jumps, ahead and back, while clients send: nothing that was acknowledged is lost, no reservation
//! is forgotten, and what is owed to insurers comes all the same.

use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use tokio::time::sleep;

use super::place::Plan;
use super::report::Report;
use super::traffic::Patience;
use super::trial::{Rounds, Trial, plan, run_rounds};
use super::{Error, Run};

/// How many rounds stay on one database.
const ON_ONE: u64 = 5;
/// Where the clock jumps to, against the true time, in milliseconds.
const SHIFTS_MS: &[i64] = &[-600_000, -10_000, 0, 10_000, 600_000];
/// How often it jumps in a round, and how long it stays there, in milliseconds.
const JUMPS: usize = 4;
const STAY_MS: std::ops::Range<u64> = 20..150;

/// An insurer refuses what was signed at a wrong time; it is soon asked again.
const ENGINE: &str = "[engine]\nretry_most_ms = 2000\n";

/// Lets the clock jump for `rounds`, and looks after each what is left.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn clock(run: &Run, rounds: u64) -> Result<Report, Error> {
    let fresh = || Plan {
        more: ENGINE,
        ..plan(run, true)
    };
    let trial = Trial::new("clock", run, &format!("--rounds {rounds}"), fresh()).await?;
    let rounds = Rounds {
        all: rounds,
        on_one: ON_ONE,
    };
    run_rounds(trial, rounds, fresh, async |trial, hub, random| {
        let traffic = trial.traffic(hub.url(), Patience::GoOn)?;
        for _ in 0..JUMPS {
            sleep(Duration::from_millis(random.random_range(STAY_MS))).await;
            shift(trial, SHIFTS_MS.choose(random).copied().unwrap_or(0))?;
        }
        sleep(Duration::from_millis(random.random_range(STAY_MS))).await;
        trial.note(traffic.end().await?);
        shift(trial, 0)?;
        // The hub's own check calls a delivery stuck by its age; one that is had has none.
        trial.settle(&hub.clinic()?).await?;
        trial.deliveries().await;
        if random.random() {
            return Ok(hub);
        }
        hub.kill().await?;
        trial.place.start().await
    })
    .await
}

fn shift(trial: &mut Trial, milliseconds: i64) -> Result<(), Error> {
    trial.report.count("jumps of the clock", 1);
    match &trial.place.shim {
        Some(shim) => shim.shift_clock(milliseconds),
        None => Ok(()),
    }
}
