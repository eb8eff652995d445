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

use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::admission::Admissions;
use crate::error::Error;
use crate::latency::Latencies;
use crate::process::Usage;
use crate::wire::{Connection, Door, Reply};

/// How long answers are waited for after the end of a run.
const PATIENCE: Duration = Duration::from_secs(60);

/// The header that says that an answer was given before.
const REPLAYED: &str = "idempotency-replayed";

/// One admission's answer in so many is read as a whole: reading each would cost the generator more than sending.
const READ_EVERY: usize = 256;

/// How many limits every admission must at least have touched.
const LEAST_LIMITS: usize = 3;

/// What is asked of the hub with the bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Admissions: decided, reserved, recorded.
    Admission,
    /// The same bodies, read and validated and nothing more.
    Validation,
    /// The same bodies, thrown away by a server that does nothing else.
    Hello,
}

impl Errand {
    /// Where it is asked for.
    pub fn path(self) -> &'static str {
        match self {
            Errand::Admission => "/v1/admissions",
            Errand::Validation => "/v1/messages/$validate",
            Errand::Hello => "/",
        }
    }
}

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
    /// Requests that were due and could not be sent before the run was over: the hub was too slow for the rate,
    /// and the latencies are better than the truth.
    #[serde(skip_serializing_if = "is_zero")]
    pub unsent: u64,
    /// Answers of any other status, by status.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other_statuses: BTreeMap<u16, u64>,
    /// Processor time of the server per good answer, in the program and in the kernel for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_us: Option<u64>,
    /// Processor time of this generator per good answer.
    pub generator_cpu_us: u64,
    /// Resident memory of the server at the end, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_resident_kib: Option<u64>,
    /// Good answers over the whole run, its warm-up and end included.
    pub answers_in_all: u64,
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
    latencies: Vec<u64>,
    answers: u64,
    answers_in_all: u64,
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

/// Sends to `door` at `pace`. `server` is the process whose time and memory are read, where it is on this machine.
///
/// # Errors
/// [`Error`] where the conversation breaks off, or an answer is not one to a real admission.
pub async fn run(
    door: &Door,
    errand: Errand,
    pace: Pace,
    admissions: &Arc<Admissions>,
    server: Option<u32>,
) -> Result<Figures, Error> {
    let mut connections = Vec::with_capacity(pace.connections);
    for _ in 0..pace.connections {
        connections.push(door.connect().await?);
    }
    let clockwork = Arc::new(Clockwork::new(pace));
    let mut tasks = JoinSet::new();
    for connection in connections {
        let (clockwork, admissions) = (Arc::clone(&clockwork), Arc::clone(admissions));
        tasks.spawn(converse(connection, errand, clockwork, admissions));
    }
    let usage = || -> Result<_, Error> {
        let server = server.map(Usage::of).transpose()?;
        Ok((server, Usage::of(std::process::id())?))
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
    Ok(figures(pace, &clockwork, whole, before, after))
}

fn unanswered() -> Error {
    Error::Unanswered {
        waited_s: PATIENCE.as_secs(),
    }
}

type Usages = (Option<Usage>, Usage);

fn figures(
    pace: Pace,
    clockwork: &Clockwork,
    tally: Tally,
    before: Usages,
    after: Usages,
) -> Figures {
    let each = |before: Usage, after: Usage| {
        let spent = after.cpu.saturating_sub(before.cpu).as_micros();
        u64::try_from(spent).unwrap_or(u64::MAX) / tally.answers.max(1)
    };
    let window_ms = u64::try_from(pace.window.as_millis()).unwrap_or(u64::MAX);
    Figures {
        connections: pace.connections,
        rate: pace.rate,
        window_ms,
        answers: tally.answers,
        per_second: tally.answers.saturating_mul(1000) / window_ms.max(1),
        server_cpu_us: before
            .0
            .zip(after.0)
            .map(|(before, after)| each(before, after)),
        generator_cpu_us: each(before.1, after.1),
        server_resident_kib: after.0.map(|usage| usage.resident_kib),
        latency_us: Latencies::of(tally.latencies),
        unsent: clockwork.unsent(),
        other_statuses: tally.other_statuses,
        answers_in_all: tally.answers_in_all,
    }
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.latencies.extend(other.latencies);
        self.answers += other.answers;
        self.answers_in_all += other.answers_in_all;
        for (status, count) in other.other_statuses {
            *self.other_statuses.entry(status).or_default() += count;
        }
    }
}

/// One connection's part of a run.
async fn converse(
    mut connection: Connection,
    errand: Errand,
    clockwork: Arc<Clockwork>,
    admissions: Arc<Admissions>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut sent = 0_usize;
    while let Some(due) = clockwork.due().await {
        let admission = admissions.next();
        let key = (errand == Errand::Admission).then_some(admission.number.as_str());
        let reply = connection.post(errand.path(), key, admission.body).await?;
        let ended = Instant::now();
        if reply.status != StatusCode::OK {
            *tally
                .other_statuses
                .entry(reply.status.as_u16())
                .or_default() += 1;
            continue;
        }
        if errand == Errand::Admission {
            inspect(&reply, sent.is_multiple_of(READ_EVERY))?;
        }
        sent += 1;
        tally.answers_in_all += 1;
        tally.answers += u64::from(clockwork.counts(ended));
        // At a rate it is the time at which a request was due that decides: else slow ones would drop out.
        let stands = if clockwork.rate.is_some() { due } else { ended };
        if clockwork.counts(stands) {
            let took = ended.saturating_duration_since(due).as_micros();
            tally
                .latencies
                .push(u64::try_from(took).unwrap_or(u64::MAX));
        }
    }
    Ok(tally)
}

/// Whether an answer is one to a fresh admission that was decided and for which limits were reserved.
fn inspect(reply: &Reply, wholly: bool) -> Result<(), Error> {
    let wrong = |what: &str| Err(Error::Answer(what.to_owned()));
    if reply.headers.contains_key(REPLAYED) {
        return wrong("an admission had been sent before");
    }
    if !wholly {
        return Ok(());
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else {
        return wrong("it is no JSON");
    };
    if answer.get("state").and_then(Value::as_str) != Some("decided") {
        return wrong("the admission was not decided");
    }
    let remainders = answer
        .pointer("/decision/remainders")
        .and_then(Value::as_array);
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_i64);
    let drawn = |row: &&Value| number(row, "before") > number(row, "after");
    match remainders.map_or(0, |rows| rows.iter().filter(drawn).count()) {
        0..LEAST_LIMITS => wrong("the admission reserved too few limits"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Clockwork, Pace, inspect, nth};
    use crate::wire::Reply;
    use hyper::header::{HeaderMap, HeaderValue};
    use serde_json::{Value, json};
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

    #[test]
    fn only_a_fresh_decided_admission_with_reserved_limits_is_one() {
        let reply = |answer: &Value, replayed: bool| {
            let mut headers = HeaderMap::new();
            if replayed {
                headers.insert(super::REPLAYED, HeaderValue::from_static("true"));
            }
            Reply {
                status: hyper::StatusCode::OK,
                headers,
                body: answer.to_string().into_bytes(),
            }
        };
        let row = |after: i64| json!({"before": 10, "after": after});
        let answer = |state: &str, rows: &[i64]| {
            let remainders: Vec<Value> = rows.iter().map(|after| row(*after)).collect();
            json!({"state": state, "decision": {"remainders": remainders}})
        };
        let good = answer("decided", &[4, 3, 2]);
        assert!(inspect(&reply(&good, false), true).is_ok());
        assert!(inspect(&reply(&good, true), false).is_err());
        assert!(inspect(&reply(&answer("pended", &[4, 3, 2]), false), true).is_err());
        assert!(inspect(&reply(&answer("decided", &[4, 3, 10]), false), true).is_err());
        assert!(inspect(&reply(&json!("text"), false), true).is_err());
    }
}
