//! Repeats: every request is sent several times at once, to every hub of the store, and again after they were killed and came back. Each has one
//! effect and one answer; another body under its key is refused.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::book::Told;
use super::desk::Desk;
use super::hub::Hub;
use super::report::Report;
use super::traffic::{Noticed, Shared, lock};
use super::trial::{MEMBERS, Trial, plan};
use super::{Error, Run};

/// How many requests are under way at once, each of them several times.
const AT_ONCE: usize = 16;
/// What each comes to, in the smallest unit.
const BILLED: std::ops::Range<i64> = 500..4_000;
/// Of so many requests one is sent again with another body.
const CHANGED: usize = 20;

/// Sends `requests`, each `times` at once. The hub is killed when half of them are sent.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn repeats(run: &Run, requests: usize, times: usize) -> Result<Report, Error> {
    let again = format!("--requests {requests} --times {times}");
    let mut trial = Trial::new("repeats", run, &again, plan(run, false)).await?;
    trial.round = 1;
    let mut random = StdRng::seed_from_u64(run.seed);
    let all: Vec<usize> = {
        let mut book = lock(&trial.book);
        let mut claim = |_| {
            let member = random.random_range(0..MEMBERS);
            book.plain_claim(member, random.random_range(BILLED))
        };
        (0..requests).map(&mut claim).collect()
    };
    let (first, second) = all.split_at(all.len() / 2);
    let hubs = trial.place.start_all(run.store).await?;
    send(&mut trial, &hubs, first, times).await?;
    // The last ones are under way when it is killed.
    let (caught, second) = second.split_at(second.len().min(AT_ONCE));
    let sending = tokio::spawn(storm(
        desks(&hubs)?,
        Arc::clone(&trial.book),
        caught.to_vec(),
        times,
    ));
    sleep(Duration::from_millis(random.random_range(0..10))).await;
    for hub in hubs {
        hub.kill().await?;
    }
    // What they were told before the kill is in the book; that it broke off is no fault.
    if let Ok(noticed) = sending.await? {
        trial.note(noticed);
    }
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

async fn send(
    trial: &mut Trial,
    hubs: &[Hub],
    entries: &[usize],
    times: usize,
) -> Result<(), Error> {
    let noticed = storm(
        desks(hubs)?,
        Arc::clone(&trial.book),
        entries.to_vec(),
        times,
    );
    trial.note(noticed.await?);
    Ok(())
}

/// Sends each entry `times` at once, and some entries at once.
async fn storm(
    desks: Vec<Desk>,
    book: Shared,
    entries: Vec<usize>,
    times: usize,
) -> Result<Noticed, Error> {
    let mut noticed = Noticed::default();
    let mut storm = JoinSet::new();
    let mut entries = entries.into_iter();
    loop {
        while storm.len() < AT_ONCE
            && let Some(number) = entries.next()
        {
            let (desks, book) = (desks.clone(), Arc::clone(&book));
            storm.spawn(async move { burst(desks, book, number, times).await });
        }
        let Some(told) = storm.join_next().await else {
            return Ok(noticed);
        };
        told??.into_iter().for_each(|told| noticed.add(told));
    }
}

/// Sends one entry so many times at once: one of the answers is the first, the others are its repeats.
async fn burst(
    desks: Vec<Desk>,
    book: Shared,
    number: usize,
    times: usize,
) -> Result<Vec<Told>, Error> {
    let Some(entry) = lock(&book).entries.get(number).cloned() else {
        return Ok(Vec::new());
    };
    let mut sending = JoinSet::new();
    for desk in desks.iter().cycle().take(times) {
        let (desk, entry) = (desk.clone(), entry.clone());
        sending.spawn(async move { desk.post(&entry.path, &entry.key, &entry.body).await });
    }
    let (mut told, mut fresh) = (Vec::new(), 0);
    while let Some(reply) = sending.join_next().await {
        let reply = reply??;
        fresh += u32::from(reply.status == 200 && !reply.replayed);
        told.push(lock(&book).told(number, reply, None));
    }
    if fresh > 1 {
        told.push(Told::Wrong(format!(
            "{} was taken {fresh} times",
            entry.key
        )));
    }
    Ok(told)
}

/// Sends some entries with another amount under the same key: each has to be refused.
async fn change(trial: &mut Trial, desk: &Desk, all: &[usize]) -> Result<(), Error> {
    let mut taken = Vec::new();
    for number in all.iter().step_by(CHANGED) {
        let Some(entry) = lock(&trial.book).entries.get(*number).cloned() else {
            continue;
        };
        let mut body: Value = serde_json::from_str(&entry.body).unwrap_or_default();
        if let Some(billed) = body.pointer_mut("/claim/bill/lines/0/billed") {
            *billed = Value::from(1);
        }
        let reply = desk
            .post(&entry.path, &entry.key, &body.to_string())
            .await?;
        trial.report.count("changed bodies", 1);
        match (reply.status, reply.text("/code")) {
            (422, "API-CHANGED") => trial.report.count("changed bodies refused", 1),
            (status, code) => taken.push(format!("{}: {status} {code}", entry.key)),
        }
    }
    if let Some(first) = taken.first() {
        trial.fail(format!(
            "{} changed bodies were taken, the first {first}",
            taken.len()
        ));
    }
    Ok(())
}
