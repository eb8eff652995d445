//! A Redis that is killed, flushed or halted about every second, under hubs that share it. Nothing rests on it: every
//! request is answered, no answer is wrong, and each hub says that it does without and finds back by itself.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::desk::Desk;
use super::hub::{Hub, millis};
use super::place::Plan;
use super::report::Report;
use super::traffic::{Patience, begin};
use super::trial::{CLIENTS, Trial, plan};
use super::{Error, Run};
use crate::redis::Redis;

/// How long all is well in a round before Redis breaks, and how long it is broken, in milliseconds.
const WELL_MS: std::ops::Range<u64> = 50..400;
const BROKEN_MS: std::ops::Range<u64> = 0..600;
/// After so many rounds all that is kept is examined.
const EXAMINED_EVERY: u64 = 25;
/// How long hubs may take to notice.
const NOTICED: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What happens to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breakage {
    /// It is killed, and forgets everything.
    Killed,
    /// It forgets everything, and goes on.
    Flushed,
    /// It stands still, connections and all.
    Halted,
}

const BREAKAGES: &[Breakage] = &[Breakage::Killed, Breakage::Flushed, Breakage::Halted];

/// Breaks Redis `rounds` times under load.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn redis(run: &Run, rounds: u64) -> Result<Report, Error> {
    let plan = Plan {
        redis: true,
        ..plan(run, None)
    };
    let mut trial = Trial::new("redis", run, &format!("--rounds {rounds}"), plan).await?;
    let mut random = StdRng::seed_from_u64(run.seed);
    let hubs = trial.place.start_all(run.store).await?;
    trial.report.most("hubs", hubs.len());
    shows(&mut trial, &hubs, false).await?;
    while trial.round < rounds && trial.report.failures.is_empty() {
        trial.round += 1;
        trial.progress.round(trial.round, rounds);
        trial.progress.begin("load", 0);
        spoil(&mut trial, &hubs, &mut random).await?;
        if trial.round.is_multiple_of(EXAMINED_EVERY)
            && let Some(hub) = hubs.first()
        {
            trial.examine(hub, &mut random).await?;
        }
    }
    if let Some(hub) = hubs.last() {
        trial.examine_all(hub).await?;
    }
    for hub in hubs {
        hub.kill().await?;
    }
    Ok(trial.end())
}

/// One round: clients send to all hubs while Redis breaks and comes back.
async fn spoil(trial: &mut Trial, hubs: &[Hub], random: &mut StdRng) -> Result<(), Error> {
    let desks: Vec<Desk> = hubs
        .iter()
        .cycle()
        .take(CLIENTS)
        .map(Hub::clinic)
        .collect::<Result<_, _>>()?;
    let traffic = begin(&trial.book, desks, random.next_u64(), Patience::GoOn);
    let mut spell = |range| Duration::from_millis(random.random_range(range));
    let (well, broken) = (spell(WELL_MS), spell(BROKEN_MS));
    // Each in its turn, so that few rounds see all of them.
    let turn = usize::try_from(trial.round).unwrap_or_default();
    let breakage = BREAKAGES.iter().cycle().nth(turn).copied();
    let breakage = breakage.unwrap_or(Breakage::Flushed);
    sleep(well).await;
    match breakage {
        Breakage::Killed => {
            trial.place.tell_redis(Redis::kill).await?;
            trial.report.count("kills of Redis", 1);
            shows(trial, hubs, true).await?;
            sleep(broken).await;
            trial.place.tell_redis(Redis::revive).await?;
        }
        Breakage::Flushed => {
            trial.place.tell_redis(Redis::flush).await?;
            trial.report.count("flushes of Redis", 1);
            sleep(broken).await;
        }
        Breakage::Halted => {
            trial.place.tell_redis(Redis::halt).await?;
            trial.report.count("halts of Redis", 1);
            shows(trial, hubs, true).await?;
            sleep(broken).await;
            trial.place.tell_redis(Redis::go).await?;
        }
    }
    shows(trial, hubs, false).await?;
    let noticed = traffic.end().await?;
    let unserved = noticed.unanswered + noticed.turned_away;
    trial.note(noticed);
    if unserved > 0 {
        trial.fail(format!(
            "{unserved} requests were not served while Redis was {breakage:?}"
        ));
    }
    Ok(())
}

/// Waits until every hub says on /readyz that it does without Redis, or no longer.
async fn shows(trial: &mut Trial, hubs: &[Hub], away: bool) -> Result<(), Error> {
    let began = Instant::now();
    for hub in hubs {
        let desk = hub.clinic()?;
        loop {
            let told = desk.get("/readyz").await?.ok("whether the hub is ready")?;
            let part = told.pointer("/degraded/0/part");
            if part.is_some_and(|part| part == "redis") == away {
                break;
            }
            if began.elapsed() > NOTICED {
                trial.fail(format!("readiness tells {told}, Redis being away: {away}"));
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
    }
    let name = match away {
        true => "milliseconds until a loss of Redis showed, at most",
        false => "milliseconds until hubs had found back, at most",
    };
    trial.report.most(name, millis(began.elapsed()));
    Ok(())
}
