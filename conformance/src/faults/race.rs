//! A race for one limit: many clients bill one member at once, together twice what there is. What is promised has to
//! be the limit exactly, and never more.

use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

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
    let mut plan = plan(run, false);
    plan.world = World {
        members: 1,
        yearly: ceiling,
        family: ceiling.saturating_mul(2),
        ..plan.world
    };
    let again = format!("--clients {clients} --claims {claims}");
    let mut trial = Trial::new("race", run, &again, plan).await?;
    trial.round = 1;
    let mut all: Vec<usize> = {
        let mut book = lock(&trial.book);
        let bills = bills.iter().rev();
        bills
            .map(|billed| book.plain_claim(MEMBER, *billed))
            .collect()
    };
    let mut hubs = trial.place.start_all(run.store).await?;
    let began = Instant::now();
    let mut racing = JoinSet::new();
    // Each client has a connection of its own, and an equal part of the claims.
    for client in 0..clients.max(1) {
        let left = clients.max(1) - client;
        let own = all.split_off(all.len() - all.len() / left);
        let Some(hub) = hubs.get(client % hubs.len().max(1)) else {
            break;
        };
        let (desk, book) = (hub.clinic()?, Arc::clone(&trial.book));
        racing.spawn(async move {
            let mut noticed = Noticed::default();
            for number in own {
                noticed.add(ask(&desk, &book, number).await?);
            }
            Ok::<_, Error>(noticed)
        });
    }
    while let Some(noticed) = racing.join_next().await {
        trial.note(noticed??);
    }
    let took = millis(began.elapsed());
    let promised = lock(&trial.book)
        .promised()
        .get(&("yearly", MEMBER))
        .copied();
    if promised != Some(ceiling) {
        trial.fail(format!("{promised:?} was promised of {ceiling}"));
    }
    trial.report.count("the limit", ceiling);
    trial
        .report
        .count("promised, all together", promised.unwrap_or(0));
    trial
        .report
        .count("clients", i64::try_from(clients).unwrap_or(i64::MAX));
    trial.report.count(
        "milliseconds of the race",
        i64::try_from(took).unwrap_or(i64::MAX),
    );
    trial
        .report
        .count("hubs", i64::try_from(hubs.len()).unwrap_or(i64::MAX));
    if let Some(hub) = hubs.pop() {
        trial.examine_all(&hub).await?;
        hub.kill().await?;
    }
    Ok(trial.end())
}
