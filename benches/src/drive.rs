//! Sending: so many connections for so long, as fast as answers come or at a fixed rate.
//!
//! Every connection sends one request at a time. Without a rate it sends the next as soon as it has an answer (a
//! closed loop): that finds the throughput, and its latencies are those of a hub that is never rushed beyond it.
//! At a rate, requests are due at fixed times whether or not the hub keeps up (an open loop), and each latency
//! counts from the time at which its request was due: a stall is felt by everything that should have been sent
//! during it, as it is by people at counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::bodies::Bodies;
use crate::errand::{Ask, Desk, Errand};
use crate::error::Error;
use crate::hub::turns;
use crate::latency::Latencies;
use crate::process::{Servers, Usage, Used};
use crate::syncs::Counting;
use crate::wire::{Connection, Door};

/// How long answers are waited for after the end of a run.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many connections.
    pub connections: usize,
    /// How many requests a second are due, over all connections; as fast as answers come where there is no rate.
    pub rate: Option<u64>,
    /// How long requests are sent before they count.
    pub warm_up: Duration,
    /// How long they count.
    pub window: Duration,
}

/// What came of a run. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// How many connections.
    pub connections: usize,
    /// How many requests a second were due; missing where the next was sent on every answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// How long requests counted.
    pub window_ms: u64,
    /// Good answers that came in that time.
    pub answers: u64,
    /// The same, per second.
    pub per_second: u64,
    /// How long good answers took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<Latencies>,
    /// The same for each kind of request, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<Ask, KindFigures>,
    /// Requests that were due and could not be sent before the run was over: the hub was too slow for the rate,
    /// and the latencies are better than the truth.
    #[serde(skip_serializing_if = "is_zero")]
    pub unsent: u64,
    /// Answers of any other status, by status.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other_statuses: BTreeMap<u16, u64>,
    /// What the answers cost, where the servers are on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Processor time of this generator per good answer.
    pub generator_cpu_us: u64,
    /// Good answers over the whole run, its warm-up and end included, by what they answer.
    pub answers_in_all: BTreeMap<Ask, u64>,
}

/// What one kind of request among several saw.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct KindFigures {
    /// Good answers.
    pub answers: u64,
    /// How long they took.
    pub latency_us: Latencies,
}

/// What answers cost the servers.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// Processor time per good answer, in programs and in the kernel for them: the hub and its database.
    pub cpu_us: u64,
    /// The hub's part of it.
    pub hub_cpu_us: u64,
    /// The database server's part, of all its processes, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_cpu_us: Option<u64>,
    /// Resident memory of the hub at the end, in KiB.
    pub hub_resident_kib: u64,
    /// The most that the hub ever had until then, in KiB.
    pub hub_peak_kib: u64,
    /// Memory of the database server's processes at the end, in KiB, what they share counted once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_resident_kib: Option<u64>,
    /// Transactions of the hub's lanes per thousand good answers, over the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns_per_thousand: Option<u64>,
    /// Calls of `fsync` and `fdatasync` by hub and database per thousand good answers, over the whole run; missing
    /// where the kernel does not count for this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syncs_per_thousand: Option<u64>,
}

impl Figures {
    /// Good answers of every kind over the whole run.
    pub fn all_answers(&self) -> u64 {
        self.answers_in_all.values().sum()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What one connection saw.
#[derive(Debug, Default)]
struct Tally {
    latencies: BTreeMap<Ask, Vec<u64>>,
    answers: u64,
    answers_in_all: BTreeMap<Ask, u64>,
    other_statuses: BTreeMap<u16, u64>,
}

/// When requests count, shared by all connections of a run.
#[derive(Debug)]
struct Clockwork {
    start: Instant,
    from: Instant,
    until: Instant,
    rate: Option<u64>,
    /// Requests that were taken up, where they are due at fixed times.
    taken: AtomicU64,
}

impl Clockwork {
    fn new(pace: Pace) -> Clockwork {
        let start = Instant::now();
        let from = start + pace.warm_up;
        Clockwork {
            start,
            from,
            until: from + pace.window,
            rate: pace.rate,
            taken: AtomicU64::new(0),
        }
    }

    /// Waits until the next request is due, and says when it was; `None` once the run is over.
    async fn due(&self) -> Option<Instant> {
        let Some(rate) = self.rate else {
            return Some(Instant::now()).filter(|now| *now < self.until);
        };
        // Whoever is late may go on for as long as the window was, and no longer.
        if Instant::now() >= self.until + (self.until - self.from) {
            return None;
        }
        let due = self.start + nth(self.taken.fetch_add(1, Ordering::Relaxed), rate);
        if due >= self.until {
            return None;
        }
        sleep_until(due).await;
        Some(due)
    }

    /// How many requests were due and never taken up.
    fn unsent(&self) -> u64 {
        let Some(rate) = self.rate else { return 0 };
        let span = u64::try_from((self.until - self.start).as_micros()).unwrap_or(u64::MAX);
        let due = span.saturating_mul(rate).div_ceil(1_000_000);
        due.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    fn counts(&self, at: Instant) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// When the `at`-th request of so many a second is due, from the start.
fn nth(at: u64, rate: u64) -> Duration {
    Duration::from_nanos(at.saturating_mul(1_000_000_000) / rate.max(1))
}

/// Sends to `door` at `pace`. `servers` are the processes whose time and memory are read, where they are on this
/// machine.
///
/// # Errors
/// [`Error`] where the conversation breaks off, or an answer is none to what was asked.
pub async fn run(
    door: &Door,
    errand: Errand,
    pace: Pace,
    bodies: &Arc<Bodies>,
    servers: Option<Servers>,
) -> Result<Figures, Error> {
    let mut connections = Vec::with_capacity(pace.connections);
    for _ in 0..pace.connections {
        connections.push(door.connect().await?);
    }
    let counted = Counted::start(door, servers).await;
    let clockwork = Arc::new(Clockwork::new(pace));
    let mut tasks = JoinSet::new();
    for connection in connections {
        let desk = Desk::new(errand, Arc::clone(bodies));
        tasks.spawn(converse(connection, desk, Arc::clone(&clockwork)));
    }
    let usage = || -> Result<Usages, Error> {
        let servers = servers.map(Servers::usage).transpose()?;
        Ok((servers, Usage::of(std::process::id())?))
    };
    sleep_until(clockwork.from).await;
    let before = usage()?;
    sleep_until(clockwork.until).await;
    let after = usage()?;
    // Late requests of a fixed rate are sent for one window more.
    let end = clockwork.until + pace.window + PATIENCE;
    let mut whole = Tally::default();
    while let Some(tally) = timeout_at(end, tasks.join_next())
        .await
        .map_err(|_| unanswered())?
    {
        whole.add(tally??);
    }
    let (turns, syncs) = counted.stop(door).await;
    let mut figures = figures(pace, &clockwork, whole, before, after);
    let all = figures.all_answers().max(1);
    let per_thousand = |count: u64| count.saturating_mul(1000) / all;
    if let Some(cost) = &mut figures.cost {
        cost.turns_per_thousand = turns.map(per_thousand);
        cost.syncs_per_thousand = syncs.map(per_thousand);
    }
    Ok(figures)
}

/// What is counted from before the first request until after the last answer.
struct Counted {
    turns: Option<u64>,
    syncs: Option<Counting>,
}

impl Counted {
    async fn start(door: &Door, servers: Option<Servers>) -> Counted {
        let Some(servers) = servers else {
            return Counted {
                turns: None,
                syncs: None,
            };
        };
        Counted {
            turns: turns(door).await,
            syncs: Counting::start(&servers.processes()).await,
        }
    }

    /// Turns and waits for the disk since the start.
    async fn stop(self, door: &Door) -> (Option<u64>, Option<u64>) {
        let syncs = match self.syncs {
            Some(counting) => counting.stop().await,
            None => None,
        };
        let Some(before) = self.turns else {
            return (None, syncs);
        };
        let after = turns(door).await;
        (after.map(|after| after.saturating_sub(before)), syncs)
    }
}

fn unanswered() -> Error {
    Error::Unanswered {
        waited_s: PATIENCE.as_secs(),
    }
}

type Usages = (Option<Used>, Usage);

fn figures(
    pace: Pace,
    clockwork: &Clockwork,
    tally: Tally,
    before: Usages,
    after: Usages,
) -> Figures {
    let each = |before: Duration, after: Duration| {
        let spent = after.saturating_sub(before).as_micros();
        u64::try_from(spent).unwrap_or(u64::MAX) / tally.answers.max(1)
    };
    let cost = |(before, after): (Used, Used)| {
        let hub_cpu_us = each(before.hub.cpu, after.hub.cpu);
        let both = before.database.zip(after.database);
        let database_cpu_us = both.map(|(before, after)| each(before.cpu, after.cpu));
        Cost {
            cpu_us: hub_cpu_us.saturating_add(database_cpu_us.unwrap_or(0)),
            hub_cpu_us,
            database_cpu_us,
            hub_resident_kib: after.hub.resident_kib,
            hub_peak_kib: after.hub.peak_kib,
            database_resident_kib: after.database.map(|family| family.resident_kib),
            turns_per_thousand: None,
            syncs_per_thousand: None,
        }
    };
    let window_ms = u64::try_from(pace.window.as_millis()).unwrap_or(u64::MAX);
    let kind = |(ask, took): (&Ask, &Vec<u64>)| {
        let figures = KindFigures {
            answers: u64::try_from(took.len()).unwrap_or(u64::MAX),
            latency_us: Latencies::of(took.clone())?,
        };
        Some((*ask, figures))
    };
    let kinds = match tally.latencies.len() {
        0 | 1 => BTreeMap::new(),
        _ => tally.latencies.iter().filter_map(kind).collect(),
    };
    Figures {
        connections: pace.connections,
        rate: pace.rate,
        window_ms,
        answers: tally.answers,
        per_second: tally.answers.saturating_mul(1000) / window_ms.max(1),
        cost: before.0.zip(after.0).map(cost),
        generator_cpu_us: each(before.1.cpu, after.1.cpu),
        latency_us: Latencies::of(tally.latencies.into_values().flatten().collect()),
        kinds,
        unsent: clockwork.unsent(),
        other_statuses: tally.other_statuses,
        answers_in_all: tally.answers_in_all,
    }
}

impl Tally {
    fn add(&mut self, other: Tally) {
        for (ask, latencies) in other.latencies {
            self.latencies.entry(ask).or_default().extend(latencies);
        }
        self.answers += other.answers;
        for (ask, count) in other.answers_in_all {
            *self.answers_in_all.entry(ask).or_default() += count;
        }
        for (status, count) in other.other_statuses {
            *self.other_statuses.entry(status).or_default() += count;
        }
    }
}

/// One connection's part of a run.
async fn converse(
    mut connection: Connection,
    mut desk: Desk,
    clockwork: Arc<Clockwork>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    while let Some(due) = clockwork.due().await {
        let request = desk.request();
        let ask = request.ask;
        let reply = connection.ask(request).await?;
        let ended = Instant::now();
        if !desk.heard(ask, &reply)? {
            let status = reply.status.as_u16();
            *tally.other_statuses.entry(status).or_default() += 1;
            continue;
        }
        *tally.answers_in_all.entry(ask).or_default() += 1;
        tally.answers += u64::from(clockwork.counts(ended));
        // At a rate it is the time at which a request was due that decides: else slow ones would drop out.
        let stands = if clockwork.rate.is_some() { due } else { ended };
        if clockwork.counts(stands) {
            let took = ended.saturating_duration_since(due).as_micros();
            let took = u64::try_from(took).unwrap_or(u64::MAX);
            tally.latencies.entry(ask).or_default().push(took);
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::{Clockwork, Pace, nth};
    use std::time::Duration;

    #[test]
    fn requests_of_a_rate_are_due_evenly() {
        assert_eq!(nth(0, 400), Duration::ZERO);
        assert_eq!(nth(1, 400), Duration::from_micros(2_500));
        assert_eq!(nth(4_000, 400), Duration::from_secs(10));
    }

    #[tokio::test]
    async fn what_was_due_and_not_taken_up_is_told() {
        let second = Duration::from_millis(1);
        let clockwork = Clockwork::new(Pace {
            connections: 1,
            rate: Some(4_000),
            warm_up: second,
            window: second,
        });
        assert_eq!(clockwork.unsent(), 8);
        let mut taken = 0_u64;
        while let Some(due) = clockwork.due().await {
            assert_eq!(due, clockwork.start + nth(taken, 4_000));
            taken += 1;
        }
        assert_eq!(clockwork.unsent(), 8 - taken);
    }
}
