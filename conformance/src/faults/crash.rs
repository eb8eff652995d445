//! kill -9, again and again: under load, just after the start, and during it.

use std::time::Duration;

use rand::RngExt;
use tokio::time::sleep;

use super::report::Report;
use super::traffic::Patience;
use super::trial::{Rounds, Trial, plan, run_rounds};
use super::{Error, Run};

/// How many rounds stay on one database: it grows, and moves its log into the file now and then.
const ON_ONE: u64 = 50;
/// One round of so many kills the hub during its next start as well.
const STARTS: u32 = 6;
/// One round of so many kills the database's server under the hub, where it has one; another kills both.
const SERVERS: u32 = 5;
/// Where a start is cut off, in milliseconds.
const START_MS: std::ops::Range<u64> = 0..700;
/// How long the hub serves before it is killed, in milliseconds.
const LOAD_MS: std::ops::Range<u64> = 5..350;

/// Kills the hub `rounds` times under load, and looks after each what is left.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn crash(run: &Run, rounds: u64) -> Result<Report, Error> {
    let trial = Trial::new("crash", run, &format!("--rounds {rounds}"), plan(run, None)).await?;
    let rounds = Rounds {
        all: rounds,
        on_one: ON_ONE,
    };
    let fresh = || plan(run, None);
    run_rounds(trial, rounds, fresh, async |trial, hub, random| {
        let traffic = trial.traffic(hub.url(), Patience::Leave)?;
        sleep(Duration::from_millis(random.random_range(LOAD_MS))).await;
        match random.random_range(0..SERVERS) {
            // The server comes back under a hub that stays, which is then killed all the same.
            0 if trial.place.server.is_some() => {
                trial.place.kill_server().await?;
                trial.place.revive_server().await?;
                sleep(Duration::from_millis(random.random_range(LOAD_MS))).await;
                hub.kill().await?;
                trial.report.count("kills of the database's server", 1);
            }
            // Both are gone at once.
            1 if trial.place.server.is_some() => {
                trial.place.kill_server().await?;
                hub.kill().await?;
                trial.place.revive_server().await?;
                trial.report.count("kills of the database's server", 1);
            }
            _ => hub.kill().await?,
        }
        trial.note(traffic.end().await?);
        if random.random_ratio(1, STARTS) {
            let starting = trial.place.spawn()?;
            sleep(Duration::from_millis(random.random_range(START_MS))).await;
            starting.kill().await?;
            trial.report.count("kills during a start", 1);
        }
        trial.place.start().await
    })
    .await
}
