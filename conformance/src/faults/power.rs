//! Power cuts: the hub is killed, and what it had written and not synced is gone, or there in part. A run on a disk
//! whose syncs do nothing has to lose what was acknowledged: else this test could not tell a hub that never syncs.

use std::time::Duration;

use rand::RngExt;
use tokio::time::sleep;

use super::place::Faked;
use super::report::Report;
use super::traffic::Patience;
use super::trial::{Rounds, Trial, plan, run_rounds};
use super::{Error, Run, StoreKind};

/// How many rounds stay on one database.
const ON_ONE: u64 = 25;
/// How long the hub serves before the power goes, in milliseconds.
const LOAD_MS: std::ops::Range<u64> = 5..350;
/// One round of so many cuts the power during the next start as well.
const STARTS: u32 = 8;
/// Where a start is cut off, in milliseconds.
const START_MS: std::ops::Range<u64> = 0..700;
/// Two of three cuts come when the hub has changed or synced its files so many times: in the midst of a commit.
const CALLS: std::ops::Range<i64> = 1..600;
/// How long such a cut is waited for.
const DIES: Duration = Duration::from_millis(700);
/// How many cuts the control run has.
const CONTROL: u64 = 4;

/// Cuts the power `rounds` times under load, and looks after each what is left; then does so on a disk that lies.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn power(run: &Run, rounds: u64) -> Result<Report, Error> {
    own_disk("power", run)?;
    let mut report = cuts(run, rounds, false).await?;
    report.control = Some(Box::new(cuts(run, CONTROL, true).await?));
    Ok(report)
}

/// The library is preloaded into the hub, and breaks the disk of what the hub itself keeps.
pub(super) fn own_disk(test: &'static str, run: &Run) -> Result<(), Error> {
    match run.store {
        StoreKind::Sqlite => Ok(()),
        StoreKind::Postgres => Err(Error::NoDisk {
            test,
            store: run.store.as_str(),
        }),
    }
}

async fn cuts(run: &Run, rounds: u64, lying: bool) -> Result<Report, Error> {
    let mut trial = Trial::new(
        "power",
        run,
        &format!("--rounds {rounds}"),
        plan(run, Some(Faked::Disk)),
    )
    .await?;
    trial.keeps = !lying;
    let rounds = Rounds {
        all: rounds,
        // Each round of the control run breaks its database.
        on_one: if lying { 1 } else { ON_ONE },
    };
    let fresh = || plan(run, Some(Faked::Disk));
    run_rounds(trial, rounds, fresh, async |trial, mut hub, random| {
        if let Some(shim) = trial.place.shim.as_ref().filter(|_| lying) {
            shim.lie()?;
        }
        let traffic = trial.traffic(hub.url(), Patience::Leave)?;
        let (span, calls) = (random.random_range(LOAD_MS), random.random_range(CALLS));
        match trial
            .place
            .shim
            .as_ref()
            .filter(|_| random.random_ratio(2, 3))
        {
            Some(shim) => {
                shim.die_after(calls)?;
                hub.dies(DIES).await;
                shim.die_after(0)?;
            }
            None => sleep(Duration::from_millis(span)).await,
        }
        hub.kill().await?;
        trial.note(traffic.end().await?);
        cut(trial, random.random())?;
        if random.random_ratio(1, STARTS) {
            let starting = trial.place.spawn()?;
            sleep(Duration::from_millis(random.random_range(START_MS))).await;
            starting.kill().await?;
            cut(trial, random.random())?;
            trial.report.count("power cuts during a start", 1);
        }
        trial.place.start().await
    })
    .await
}

/// Cuts the power of a hub that was killed, and counts what that cost.
pub(super) fn cut(trial: &mut Trial, seed: u64) -> Result<(), Error> {
    let cut = trial.place.cut_power(seed)?;
    let report = &mut trial.report;
    report.count("writes that were not synced", cut.unsynced);
    report.count("writes dropped or torn", cut.dropped);
    Ok(())
}
