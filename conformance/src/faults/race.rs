//! A race for one limit: many clients bill one member at once, together twice what there is. What is promised has to
//! be the limit exactly, and never more.

use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::desk::Desk;
use super::hub::millis;
use super::report::Report;
use super::traffic::{Noticed, lock};
use super::trial::{Trial, ask, plan};
use super::world::World;
use super::{Error, Run};

/// What each claim comes to, in the smallest unit.
const BILLED: std::ops::Range<i64> = 100..1_000;
/// Whom all bill.
const MEMBER: u32 = 0;

/// Has `clients` send `claims` together for one member.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn race(run: &Run, clients: usize, claims: usize) -> Result<Report, Error> {
    let mut random = StdRng::seed_from_u64(run.seed);
    let bills: Vec<i64> = (0..claims).map(|_| random.random_range(BILLED)).collect();
    let ceiling = bills.iter().sum::<i64>() / 2;
    let mut plan = plan(run, None);
    plan.world = World {
        members: 1,
        yearly: ceiling,
        family: ceiling.saturating_mul(2),
        ..plan.world
    };
    let again = format!("--clients {clients} --claims {claims}");
    let mut trial = Trial::new("race", run, &again, plan).await?;
    trial.round = 1;
    let all: Vec<usize> = {
        let mut book = lock(&trial.book);
        let bills = bills.iter();
        bills
            .map(|billed| book.plain_claim(MEMBER, *billed))
            .collect()
    };
    let mut hubs = trial.place.start_all(run.store).await?;
    let began = Instant::now();
    // Each client has a connection of its own, and an equal part of the claims.
    let parts = all.chunks(claims.div_ceil(clients.max(1)).max(1));
    let racers = parts.zip(hubs.iter().cycle());
    let racers: Result<Vec<(Desk, Vec<usize>)>, Error> = racers
        .map(|(own, hub)| Ok((hub.clinic()?, own.to_vec())))
        .collect();
    let racers = racers?;
    let clients = racers.len();
    let race = |(desk, own): (Desk, Vec<usize>)| {
        let book = Arc::clone(&trial.book);
        async move {
            let mut noticed = Noticed::default();
            for number in own {
                noticed.add(ask(&desk, &book, number).await?);
            }
            Ok(noticed)
        }
    };
    let progress = trial.progress.clone();
    let noticed = progress.each("clients", racers.into_iter(), clients, race);
    for noticed in noticed.await? {
        trial.note(noticed);
    }
    let took = millis(began.elapsed());
    let promised = lock(&trial.book)
        .promised()
        .get(&("yearly", MEMBER))
        .copied();
    if promised != Some(ceiling) {
        trial.fail(format!("{promised:?} was promised of {ceiling}"));
    }
    let report = &mut trial.report;
    report.count("the limit", ceiling);
    report.count("promised, all together", promised.unwrap_or(0));
    report.count("clients", clients);
    report.count("milliseconds of the race", took);
    report.count("hubs", hubs.len());
    if let Some(hub) = hubs.pop() {
        trial.examine_all(&hub).await?;
        hub.kill().await?;
    }
    Ok(trial.end())
}
