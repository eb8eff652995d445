//! Two hubs on one PostgreSQL and one Redis: what they share, and that nothing rests on it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use takmil_conformance::insurer::{Script, Setup, Simulator, Wire};
use takmil_conformance::postgres::Postgres;
use takmil_conformance::redis::Redis;

use crate::deliveries::{owe, told_by_two};
use crate::feed::{Reader, send};
use crate::hub::{Caller, Hub, INSURER, OTHER_PROVIDER, PROVIDER, Place, claim};

/// How long something may take that does not depend on anybody's answer.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the hub signs deliveries with.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// Two hubs, and what they share.
struct Pair {
    one: Hub,
    other: Hub,
    redis: Arc<Redis>,
    /// Kept for as long as the hubs need it.
    _postgres: Postgres,
}

impl Pair {
    /// Starts all; `more` goes into the configuration of both hubs.
    async fn start(more: &str) -> Pair {
        let more = more.to_owned();
        let started = tokio::task::spawn_blocking(move || {
            let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
            postgres.create("pair", "template1").unwrap();
            // A machine that is busy with other tests is no reason to do without Redis.
            let shared = format!("{more}[redis]\nurl = \"{}\"\nwait_ms = 1000\n", redis.url());
            let place = |more: &str| {
                let place = Place::new(&format!("{shared}{more}"));
                place.and("TAKMIL_DATABASE_URL", postgres.url("pair"))
            };
            let one = place("");
            one.fill();
            let one = Hub::on(one);
            let key = one.place.path("takmil.audit.key");
            let other = place(&format!("[audit]\nkey_file = {key:?}\n"));
            let keys = one.place.path("takmil.member.keys");
            let other =
                Hub::on(other.and("TAKMIL_STORE__KEY_FILE", keys.to_str().unwrap().to_owned()));
            let redis = Arc::new(redis);
            Pair {
                one,
                other,
                redis,
                _postgres: postgres,
            }
        });
        let pair = started.await.unwrap();
        pair.until_degraded(None).await;
        pair
    }

    fn hubs(&self) -> [&Hub; 2] {
        [&self.one, &self.other]
    }

    /// Waits until both hubs say that they do without this part, or without none.
    async fn until_degraded(&self, part: Option<&str>) {
        for hub in self.hubs() {
            let begun = Instant::now();
            loop {
                let told = hub.attempt("/readyz").await.unwrap().ok();
                if told["degraded"][0]["part"].as_str() == part {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{told}");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    /// Tells Redis something, which takes its time.
    async fn redis(&self, order: fn(&Redis) -> Result<(), takmil_conformance::Error>) {
        let redis = Arc::clone(&self.redis);
        let told = tokio::task::spawn_blocking(move || order(&redis));
        told.await.unwrap().unwrap();
    }
}

/// A figure of a hub's metrics.
async fn figure(hub: &Caller, name: &str) -> u64 {
    let metrics = hub.attempt("/metrics").await.unwrap();
    let line = metrics
        .text
        .lines()
        .find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

/// Waits until a figure of a hub is more than it was.
async fn until_more(hub: &Caller, name: &str, was: u64) {
    let begun = Instant::now();
    while figure(hub, name).await <= was {
        assert!(begun.elapsed() < PATIENCE, "{name}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

const CHANGES: &str = "takmil_neighbours_heard_total{what=\"changes\"}";
const OWED: &str = "takmil_neighbours_heard_total{what=\"owed\"}";
const UP: &str = "takmil_redis_up";

const OPEN_METRICS: &str = "[telemetry]\nmetrics = \"open\"\n";

/// Sends `count` questions to both hubs in turn, so many at once, and counts those that were not too many.
async fn taken(pair: &Pair, key: &str, count: usize, at_once: usize) -> u64 {
    let mut taken = 0;
    for round in 0..count / at_once {
        let ask = |number: usize| {
            let [one, other] = pair.hubs();
            let hub = if (round + number).is_multiple_of(2) {
                one
            } else {
                other
            };
            async move {
                let answer = hub.get("/v1/messages", key).await;
                match answer.status {
                    StatusCode::OK => 1,
                    _ => {
                        answer.is_problem(429, "API-RATE");
                        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
                        0
                    }
                }
            }
        };
        let told = futures::future::join_all((0..at_once).map(ask)).await;
        taken += told.iter().sum::<u64>();
    }
    taken
}

#[tokio::test]
async fn one_quota_holds_over_both_hubs() {
    for (per_second, burst, at_once) in [(1, 40, 1), (50, 200, 20)] {
        let limits = format!("[limits]\nrequests_per_second = {per_second}\nburst = {burst}\n");
        let pair = Pair::start(&limits).await;
        let (mine, others) = (
            pair.one.place.key(PROVIDER),
            pair.one.place.key(OTHER_PROVIDER),
        );
        let begun = Instant::now();
        let count = usize::try_from(burst).unwrap() * 2;
        let taken = taken(&pair, &mine, count, at_once).await;
        // What came to be allowed meanwhile, and what hubs took at once and may not have spent yet.
        let more = per_second * (begun.elapsed().as_secs() + 1);
        let held = 2 * (per_second.min(burst) / 16).max(1);
        assert!(taken + held >= burst, "{taken} of {burst}");
        assert!(
            taken <= burst + more + held,
            "{taken} of {burst}, {more} more"
        );
        // Another participant's is its own.
        assert_eq!(pair.one.get("/v1/messages", &others).await.status, 200);
        // What was refused at one hub is refused at the other, too, for one participant is meant.
        assert!(taken < u64::try_from(count).unwrap());
    }
}

#[tokio::test]
async fn what_one_hub_commits_the_other_hears_and_delivers_while_the_first_is_busy() {
    let insurer = Simulator::start(Setup {
        script: Script::approve().slowly(8_000),
        ..Setup::new(
            INSURER,
            Wire::Rest {
                secret: SECRET.to_owned(),
            },
        )
    });
    let insurer = insurer.await.unwrap();
    let pair = Pair::start(&format!("{OPEN_METRICS}[engine]\ndeliver_parallel = 1\n")).await;
    let document = pair.one.place.path("insurer.json");
    let entry = json!({
        "id": INSURER, "title": "Slow", "role": "insurer", "currency": "MAD",
        "identifiers": [{"system": "urn:takmil:sample:insurer", "value": "MA-MUTUELLE"}],
        "contract": {"mode": "delegated", "endpoint": {"transport": "rest", "url": insurer.url(), "secret": SECRET}},
    });
    std::fs::write(&document, entry.to_string()).unwrap();
    let heard = [
        figure(&pair.one, CHANGES).await,
        figure(&pair.other, CHANGES).await,
    ];
    pair.one.place.json(&[
        "participant",
        "add",
        "--document",
        document.to_str().unwrap(),
    ]);
    for (hub, heard) in pair.hubs().into_iter().zip(heard) {
        until_more(hub, CHANGES, heard).await;
    }
    let key = pair.one.place.key(PROVIDER);
    let owed = figure(&pair.other, OWED).await;
    let messages = [
        send(&pair.one, &key, "N-1").await,
        send(&pair.one, &key, "N-2").await,
    ];
    until_more(&pair.other, OWED, owed).await;
    let begun = Instant::now();
    while insurer.received().len() < 2 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // Each hub hands one over at a time, and neither has done: so each has one of them.
    for message in &messages {
        let way = pair
            .one
            .get(&format!("/v1/messages/{message}"), &key)
            .await
            .ok();
        assert_eq!(way["deliveries"][0].get("delivered_at"), None, "{way}");
    }
}

#[tokio::test]
async fn two_hubs_with_a_stream_each_carry_no_delivery_twice() {
    let pair = Pair::start("").await;
    let owed = owe(&pair.one, "S", 60).await;
    let [one, other] = told_by_two(&pair.one, &pair.other, owed.len()).await;
    let all: BTreeSet<_> = one.iter().chain(&other).cloned().collect();
    assert_eq!(all, owed);
    assert_eq!(one.len() + other.len(), owed.len(), "each once");
    assert!(
        !one.is_empty() && !other.is_empty(),
        "{} and {}",
        one.len(),
        other.len()
    );
}

#[tokio::test]
async fn a_command_that_shuts_somebody_out_is_heard_at_once_by_both_hubs() {
    let pair = Pair::start(OPEN_METRICS).await;
    let key = pair.one.place.key(PROVIDER);
    for hub in pair.hubs() {
        // From now on it is remembered.
        hub.get("/v1/messages", &key).await.ok();
    }
    let heard = [
        figure(&pair.one, CHANGES).await,
        figure(&pair.other, CHANGES).await,
    ];
    assert!(
        pair.one
            .place
            .run(&["participant", "revoke"], &key)
            .status
            .success()
    );
    for (hub, heard) in pair.hubs().into_iter().zip(heard) {
        until_more(hub, CHANGES, heard).await;
        let answer = hub.get("/v1/messages", &key).await;
        answer.is_problem(401, "API-CREDENTIALS");
    }
}

#[tokio::test]
async fn the_feed_of_each_hub_shows_what_happens_at_both() {
    let pair = Pair::start("").await;
    let key = pair.one.place.key(PROVIDER);
    let mut reader = Reader::open(&pair.other, &key, None).await;
    let first = send(&pair.one, &key, "N-1").await;
    let (id, step) = reader.step().await;
    assert_eq!(step["message"], json!(first));
    let second = send(&pair.other, &key, "N-2").await;
    assert_eq!(reader.step().await.1["message"], json!(second));
    // Who was cut off at one hub goes on at the other.
    let mut reader = Reader::open(&pair.one, &key, Some(&id)).await;
    assert_eq!(reader.step().await.1["message"], json!(second));
    // A hub that comes later knows what was before.
    let Pair {
        one,
        mut other,
        redis,
        _postgres,
    } = pair;
    other.stop();
    let other = other.restart();
    let mut reader = Reader::open(&other, &key, Some(&id)).await;
    loop {
        // It may be asked before it has read what is kept.
        let event = reader.next().await.unwrap();
        if event.name == "turn" {
            assert_eq!(event.data["message"], json!(second));
            break;
        }
        assert_eq!(event.name, "gap");
        tokio::time::sleep(LOOK_AGAIN).await;
        reader = Reader::open(&other, &key, Some(&id)).await;
    }
    drop((one, redis));
}

#[tokio::test]
async fn without_redis_all_goes_on_and_shows_and_with_it_again_recovers_by_itself() {
    let pair = Pair::start(OPEN_METRICS).await;
    let key = pair.one.place.key(PROVIDER);
    let mut reader = Reader::open(&pair.one, &key, None).await;
    let mut number = 0;
    for breakage in [Redis::kill, Redis::halt] {
        assert_eq!(figure(&pair.one, UP).await, 1);
        pair.redis(breakage).await;
        pair.until_degraded(Some("redis")).await;
        assert_eq!(figure(&pair.one, UP).await, 0);
        for hub in pair.hubs() {
            number += 1;
            let sent = claim(&format!("N-{number}"), "MA-2001");
            let answers = [
                hub.send(Method::POST, "/v1/claims", &key, &sent).await.ok(),
                hub.send(Method::POST, "/v1/claims", &key, &sent).await.ok(),
            ];
            assert_eq!(answers[0], answers[1], "a repeat is one without Redis, too");
        }
        let mend = match number {
            2 => Redis::revive,
            _ => Redis::go,
        };
        pair.redis(mend).await;
        pair.until_degraded(None).await;
        // This hub's own was told all the same.
        let (_, step) = reader.step().await;
        assert_eq!(step["kind"], json!("claim"));
    }
    pair.redis(Redis::flush).await;
    let message = send(&pair.other, &key, "N-last").await;
    let begun = Instant::now();
    while reader.step().await.1["message"] != json!(message) {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn a_hub_starts_where_redis_is_away() {
    let place = Place::new("[redis]\nurl = \"redis://127.0.0.1:1\"\n");
    place.fill();
    let hub = Hub::on(place);
    let told: Value = hub.attempt("/readyz").await.unwrap().ok();
    assert_eq!(told["degraded"][0]["part"], json!("redis"), "{told}");
    let key = hub.place.key(PROVIDER);
    send(&hub, &key, "N-1").await;
}
