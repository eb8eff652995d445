//! A disk that fails: writes or syncs end with an error, once or for a while. The hub must say that it cannot serve,
//! acknowledge nothing that is not kept, and go on when the fault is over.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use tokio::time::sleep;

use super::book::Told;
use super::place::Faked;
use super::power::{cut, own_disk};
use super::report::Report;
use super::shim::{Calls, Errno, Fault};
use super::traffic::{Patience, lock};
use super::trial::{Rounds, Trial, plan, run_rounds};
use super::{Error, Run};

/// How many rounds stay on one database.
const ON_ONE: u64 = 25;
/// How long all is well before the fault, how long it may last, and how long after, in milliseconds.
const BEFORE_MS: std::ops::Range<u64> = 5..120;
const FAULT_MS: std::ops::Range<u64> = 20..250;
const AFTER_MS: std::ops::Range<u64> = 5..80;
/// How many calls pass first, and how many fail at most; some faults last as long as they may.
const PASSING: std::ops::Range<i64> = 0..120;
const FAILURES: &[i64] = &[1, 1, 2, 5, 30, i64::MAX];

/// Breaks the disk `rounds` times under load, and looks after each what is left.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn disk(run: &Run, rounds: u64) -> Result<Report, Error> {
    own_disk("disk", run)?;
    let trial = Trial::new(
        "disk",
        run,
        &format!("--rounds {rounds}"),
        plan(run, Some(Faked::Disk)),
    )
    .await?;
    let rounds = Rounds {
        all: rounds,
        on_one: ON_ONE,
    };
    let fresh = || plan(run, Some(Faked::Disk));
    run_rounds(trial, rounds, fresh, async |trial, mut hub, random| {
        let traffic = trial.traffic(hub.url(), Patience::GoOn)?;
        sleep(Duration::from_millis(random.random_range(BEFORE_MS))).await;
        let fault = draw(random);
        break_down(trial, Some(fault))?;
        sleep(Duration::from_millis(random.random_range(FAULT_MS))).await;
        break_down(trial, None)?;
        sleep(Duration::from_millis(random.random_range(AFTER_MS))).await;
        trial.note(traffic.end().await?);
        let goes_on = hub.lives() && serves(trial, &hub.clinic()?, random).await?;
        let how = match goes_on {
            true => "went on without a restart",
            false => "needed a restart",
        };
        trial.report.count(how, 1);
        // What is examined is this hub, the next one, or the next after a power cut.
        let end = random.random_range(0..3);
        if end == 0 && goes_on {
            return Ok(hub);
        }
        hub.kill().await?;
        if end == 1 {
            cut(trial, random.next_u64())?;
        }
        trial.place.start().await
    })
    .await
}

fn draw(random: &mut StdRng) -> Fault {
    let calls = [Calls::Writes, Calls::Syncs, Calls::Syncs, Calls::Both];
    let errors = [Errno::InputOutput, Errno::NoSpace];
    Fault {
        calls: calls.choose(random).copied().unwrap_or(Calls::Syncs),
        errno: errors.choose(random).copied().unwrap_or(Errno::NoSpace),
        passing: random.random_range(PASSING),
        failures: FAILURES.choose(random).copied().unwrap_or(1),
    }
}

/// Begins a fault, or ends it.
fn break_down(trial: &mut Trial, fault: Option<Fault>) -> Result<(), Error> {
    let Some(shim) = &trial.place.shim else {
        return Ok(());
    };
    match fault {
        Some(fault) => shim.break_down(fault),
        None => {
            shim.mend()?;
            let failed = shim.failed()?;
            trial.report.count("calls that failed", failed);
            Ok(())
        }
    }
}

/// Whether a hub takes a message again, now that its disk is well.
async fn serves(
    trial: &mut Trial,
    desk: &super::desk::Desk,
    random: &mut StdRng,
) -> Result<bool, Error> {
    let number = lock(&trial.book).plain_claim(random.random_range(0..4), 10);
    match trial.ask(desk, number).await? {
        Told::First { .. } | Told::Same => Ok(true),
        Told::TurnedAway => Ok(false),
        Told::Lost(what) | Told::Wrong(what) => {
            trial.fail(format!("after the fault: {what}"));
            Ok(false)
        }
    }
}
