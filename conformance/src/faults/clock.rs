//! A wall clock that jumps, ahead and back, while clients send: nothing that was acknowledged is lost, no reservation
//! is forgotten, and what is owed to insurers comes all the same.

use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use tokio::time::sleep;

use super::place::{Faked, Plan};
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
/// One round of so many waits for the true time where the clock was ahead; the others go on by so many milliseconds.
const WAITS: u32 = 8;
const AHEAD_MS: i64 = 10_000;

/// How often the hub's own check is asked before a kill, and how long after each other.
const TRIES: u32 = 40;
const AGAIN: Duration = Duration::from_millis(50);

/// An insurer refuses what was signed at a wrong time; it is soon asked again.
const ENGINE: &str = "[engine]\ndeliver_deadline_ms = 2000\nretry_most_ms = 2000\n";

/// Lets the clock jump for `rounds`, and looks after each what is left.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn clock(run: &Run, rounds: u64) -> Result<Report, Error> {
    let fresh = || Plan {
        more: ENGINE,
        ..plan(run, Some(Faked::Clock))
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
        // What became owed while the clock was ahead is due when the true time has come there. Mostly the clock is
        // put there instead, so that nobody waits.
        let waits = random.random_ratio(1, WAITS);
        shift(trial, if waits { 0 } else { AHEAD_MS })?;
        trial.settle(&hub.clinic()?).await?;
        trial.deliveries().await;
        shift(trial, 0)?;
        noted(trial).await?;
        if random.random() {
            return Ok(hub);
        }
        hub.kill().await?;
        trial.place.start().await
    })
    .await
}

/// Waits until the hub has noted what the insurer was given: its own check calls a delivery stuck by its age, and one
/// that was given and not noted is given again some time after a kill. What stays stuck the examination tells.
async fn noted(trial: &Trial) -> Result<(), Error> {
    for _ in 0..TRIES {
        if trial.place.doctor().await?.is_empty() {
            break;
        }
        sleep(AGAIN).await;
    }
    Ok(())
}

fn shift(trial: &mut Trial, milliseconds: i64) -> Result<(), Error> {
    trial.report.count("jumps of the clock", 1);
    match &trial.place.shim {
        Some(shim) => shim.shift_clock(milliseconds),
        None => Ok(()),
    }
}
