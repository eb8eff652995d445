//! Repeats: every request is sent several times at once, to every hub of the store, and again after they were killed
//! and came back. Each has one effect and one answer; another body under its key is refused.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::book::{Entry, Told};
use super::desk::Desk;
use super::hub::Hub;
use super::progress::Progress;
use super::report::Report;
use super::traffic::{Noticed, Shared, lock};
use super::trial::{Trial, plan};
use super::world::World;
use super::{Error, Run};

/// How many requests are under way at once, each of them several times.
const AT_ONCE: usize = 64;
/// What each comes to, in the smallest unit.
const BILLED: std::ops::Range<i64> = 500..4_000;
/// For how many members they are. Each may have so much of what is billed, in percent: limits run dry at the end only,
/// as what is taken twice shows in those that have not.
const MEMBERS: u32 = 256;
const COVERED: i64 = 80;
/// Of so many requests one is sent again with another body.
const CHANGED: usize = 20;

/// Sends `requests`, each `times` at once. The hub is killed when half of them are sent.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn repeats(run: &Run, requests: usize, times: usize) -> Result<Report, Error> {
    let again = format!("--requests {requests} --times {times}");
    let mut random = StdRng::seed_from_u64(run.seed);
    let mut claim = |_| (random.random_range(0..MEMBERS), random.random_range(BILLED));
    let claims: Vec<(u32, i64)> = (0..requests).map(&mut claim).collect();
    let billed: i64 = claims.iter().map(|(_, billed)| billed).sum();
    let each = billed / i64::from(MEMBERS) * COVERED / 100;
    let mut plan = plan(run, None);
    plan.world = World {
        members: MEMBERS,
        yearly: each,
        family: each.saturating_mul(4),
        ..plan.world
    };
    let mut trial = Trial::new("repeats", run, &again, plan).await?;
    trial.round = 1;
    let all: Vec<usize> = {
        let mut book = lock(&trial.book);
        let claims = claims.iter();
        claims
            .map(|(member, billed)| book.plain_claim(*member, *billed))
            .collect()
    };
    let (first, second) = all.split_at(all.len() / 2);
    let hubs = trial.place.start_all(run.store).await?;
    send(&mut trial, &hubs, first, times).await?;
    // The last ones are under way when it is killed.
    let (caught, second) = second.split_at(second.len().min(AT_ONCE));
    let (progress, book) = (trial.progress.clone(), Arc::clone(&trial.book));
    let (desks, caught) = (desks(&hubs)?, caught.to_vec());
    let sending =
        tokio::spawn(async move { storm(&progress, &desks, &book, &caught, times).await });
    sleep(Duration::from_millis(random.random_range(0..10))).await;
    for hub in hubs {
        hub.kill().await?;
    }
    trial.note(sending.await??);
    let mut hubs = trial.place.start_all(run.store).await?;
    send(&mut trial, &hubs, second, times).await?;
    if let Some(hub) = hubs.pop() {
        let desk = hub.clinic()?;
        // What was caught by the kill is taken first, else another body under its key is no change.
        trial.settle(&desk).await?;
        change(&mut trial, &desk, &all).await?;
        trial.examine_all(&hub).await?;
        hub.kill().await?;
    }
    Ok(trial.end())
}

fn desks(hubs: &[Hub]) -> Result<Vec<Desk>, Error> {
    hubs.iter().map(Hub::clinic).collect()
}

/// Sends entries to hubs that stay up, and have to answer.
async fn send(
    trial: &mut Trial,
    hubs: &[Hub],
    entries: &[usize],
    times: usize,
) -> Result<(), Error> {
    let desks = desks(hubs)?;
    let noticed = storm(&trial.progress, &desks, &trial.book, entries, times).await?;
    if noticed.unanswered > 0 {
        trial.fail(format!("{} requests had no answer", noticed.unanswered));
    }
    trial.note(noticed);
    Ok(())
}

/// Sends each entry `times` at once, and some entries at once.
async fn storm(
    progress: &Progress,
    desks: &[Desk],
    book: &Shared,
    entries: &[usize],
    times: usize,
) -> Result<Noticed, Error> {
    let sent = |number: &usize| burst(desks.to_vec(), Arc::clone(book), *number, times);
    let noticed = progress.each("requests", entries.iter(), AT_ONCE, sent);
    let noticed = noticed.await?.into_iter();
    Ok(noticed.fold(Noticed::default(), Noticed::join))
}

/// Sends one entry so many times at once: one of the answers is the first, the others are its repeats.
async fn burst(
    desks: Vec<Desk>,
    book: Shared,
    number: usize,
    times: usize,
) -> Result<Noticed, Error> {
    let mut noticed = Noticed::default();
    let Some(entry) = lock(&book).entries.get(number).cloned() else {
        return Ok(noticed);
    };
    let mut sending = JoinSet::new();
    for desk in desks.iter().cycle().take(times) {
        let (desk, entry) = (desk.clone(), entry.clone());
        sending.spawn(async move { desk.post(&entry.path, &entry.key, &entry.body).await });
    }
    let (mut taken, mut fresh) = (0, 0);
    while let Some(reply) = sending.join_next().await {
        let Ok(reply) = reply? else {
            noticed.unanswered += 1;
            continue;
        };
        taken += usize::from(reply.status == 200);
        fresh += usize::from(reply.status == 200 && !reply.replayed);
        noticed.add(lock(&book).told(number, reply, None));
    }
    if fresh > 1 || (fresh == 0 && taken == times) {
        let what = format!("{} was taken {fresh} times", entry.key);
        noticed.add(Told::Wrong(what));
    }
    Ok(noticed)
}

/// Sends some entries with another amount under the same key: each has to be refused.
async fn change(trial: &mut Trial, desk: &Desk, all: &[usize]) -> Result<(), Error> {
    let some: Vec<Entry> = {
        let book = lock(&trial.book);
        let some = all.iter().step_by(CHANGED);
        some.filter_map(|number| book.entries.get(*number).cloned())
            .collect()
    };
    let sent = |entry: Entry| {
        let desk = desk.clone();
        async move {
            let mut body: Value = serde_json::from_str(&entry.body).unwrap_or_default();
            if let Some(billed) = body.pointer_mut("/claim/bill/lines/0/billed") {
                *billed = Value::from(1);
            }
            let body = body.to_string();
            let reply = desk.post(&entry.path, &entry.key, &body).await?;
            let refused = reply.status == 422 && reply.text("/code") == "API-CHANGED";
            Ok((!refused).then(|| format!("{}: {} {}", entry.key, reply.status, reply.body)))
        }
    };
    let progress = &trial.progress;
    let told = progress.each("changed bodies", some.into_iter(), AT_ONCE, sent);
    let told = told.await?;
    let (many, taken) = (told.len(), told.into_iter().flatten().collect::<Vec<_>>());
    let refused = many.saturating_sub(taken.len());
    trial.report.count("changed bodies", many);
    trial.report.count("changed bodies refused", refused);
    if let Some(first) = taken.first() {
        trial.fail(format!(
            "{} changed bodies were taken, the first {first}",
            taken.len()
        ));
    }
    Ok(())
}
