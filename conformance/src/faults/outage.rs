//! An insurer that is away for an hour while messages go on: nothing of what it is owed is lost, repeated in effect or out
//! of its claim's order when it is back, and nobody else notices.
//!
//! Two hubs run beside each other, the same but for their first insurer: from one it is away, from the other it never is.
//! Both get the same load in turns, so that what the other insurer notices is told by pairs of one machine's same minute.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant as Moment, sleep_until};

use super::hub::{Hub, millis};
use super::place::{Place, Plan};
use super::report::Report;
use super::traffic::{Noticed, Shared, lock};
use super::trial::{MEMBERS, Trial, ask, count, plan};
use super::world::{OTHER, SERVICE, World, bill, message};
use super::{Error, Run};
use crate::insurer::{Setup, Simulator, Wire};

/// What there is of each limit: more than is billed.
const CEILING: i64 = 900_000_000_000;
/// What every claim comes to, in the smallest unit.
const BILLED: i64 = 1_000;
/// The claims of each insurer in a second of a pair: 50, as in an hour of 180,000.
const PER_SECOND: u32 = 50;
/// How long each half of a pair runs, and how many pairs are made at each depth of the backlog: one for each so many
/// messages.
const HALF: Duration = Duration::from_secs(1);
const MOST_PAIRS: usize = 15;
const A_PAIR: usize = 12_000;
/// At how many depths of the backlog it is looked what others notice: with nothing waiting, and after each part of it.
const PARTS: usize = 4;
/// How many clients fill the backlog.
const AT_ONCE: usize = 32;
/// Every so manieth claim is taken back: two deliveries of one claim.
const CANCELLED: usize = 10;
/// By how much more than without an outage the other insurer's 99th percentile may be: this part, or this long.
const MORE_PERCENT: u128 = 10;
const MORE: Duration = Duration::from_millis(3);
/// Fewer say nothing of a 99th percentile: it is told, and not judged.
const LEAST: usize = 1_000;

/// One of the two hubs, and what is measured of it.
struct Side {
    hub: Hub,
    /// The other insurer.
    other: Simulator,
    /// When each claim of the other insurer was sent, by the hub's id of it.
    sent: HashMap<String, Instant>,
    /// How long the answers to them took.
    answered: Vec<Duration>,
}

/// Lets an insurer be away until it is owed `messages` and its cancellations, and looks what is left when it is back.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn outage(run: &Run, messages: usize) -> Result<Report, Error> {
    let (away, well) = (lantern().await?, lantern().await?);
    let again = format!("--messages {messages}");
    let own = world(plan(run, None), &away);
    let mut trial = Trial::new("outage", run, &again, own.clone()).await?;
    trial.round = 1;
    let mut beside = Place::new(world(plan(run, None), &well)).await?;
    let mut away = Side::new(trial.place.start().await?, away);
    let mut well = Side::new(beside.start().await?, well);
    let plain = Shared::default();
    trial.place.insurer.kill().await;
    for part in 0..=PARTS {
        for _ in 0..(messages / A_PAIR).clamp(1, MOST_PAIRS) {
            let (members, book) = (&own.world, &trial.book);
            away.half(members, book).await?;
            well.half(members, &plain).await?;
        }
        let all = messages.saturating_mul(part.saturating_add(1)) / PARTS;
        if part < PARTS {
            let now = lock(&trial.book).entries.len();
            fill(&mut trial, &away.hub, &own.world, all.saturating_sub(now)).await?;
        }
    }
    let owed = trial.place.insurer.tally().deliveries;
    if owed > 0 {
        trial.fail(format!("{owed} deliveries came to an insurer that is away"));
    }
    let back = Instant::now();
    trial.place.insurer.revive().await?;
    trial.deliveries().await;
    let drained = back.elapsed();
    let tally = trial.place.insurer.tally();
    let report = &mut trial.report;
    report.count("deliveries that it was owed", tally.deliveries);
    report.count("deliveries that came again", tally.repeats);
    report.count("milliseconds until it had all", millis(drained));
    let a_second = u128::try_from(tally.deliveries).unwrap_or(0) * 1_000;
    report.count(
        "deliveries a second, when it is back",
        a_second / drained.as_millis().max(1),
    );
    once_each(&mut trial);
    compare(&mut trial, &mut away, &mut well);
    let desk = away.hub.clinic()?;
    trial.settle(&desk).await?;
    let all = lock(&trial.book).entries.len();
    trial.look_at(&desk, (0..all).collect()).await?;
    trial.limits_book(&away.hub.insurer()?).await?;
    trial.check_up_book().await?;
    for found in beside.doctor().await? {
        trial.fail(format!("doctor of the hub beside it: {found}"));
    }
    away.hub.kill().await?;
    well.hub.kill().await?;
    Ok(trial.end())
}

async fn lantern() -> Result<Simulator, Error> {
    Ok(Simulator::start(Setup::new(OTHER, Wire::Grpc)).await?)
}

fn world(plan: Plan, other: &Simulator) -> Plan {
    Plan {
        world: World {
            yearly: CEILING,
            family: CEILING,
            other_url: other.url(),
            ..plan.world
        },
        ..plan
    }
}

/// The members for whom an insurer pays, or the other.
fn members(world: &World, is_other: bool) -> Vec<u32> {
    let own = |member: &u32| (world.pays(*member) == OTHER) == is_other;
    (0..MEMBERS).filter(own).collect()
}

impl Side {
    fn new(hub: Hub, other: Simulator) -> Side {
        Side {
            hub,
            other,
            sent: HashMap::new(),
            answered: Vec::new(),
        }
    }

    /// Half a pair: claims of both insurers at their due times, whether the hub keeps up or not.
    async fn half(&mut self, world: &World, book: &Shared) -> Result<(), Error> {
        let (own, others) = (members(world, false), members(world, true));
        let desk = self.hub.clinic()?;
        let (begun, mut sent) = (Moment::now(), JoinSet::new());
        for number in 0..PER_SECOND {
            sleep_until(begun + HALF * number / PER_SECOND).await;
            let at = usize::try_from(number).unwrap_or_default();
            if let Some(member) = own.get(at % own.len().max(1)) {
                let entry = lock(book).plain_claim(*member, BILLED);
                let (desk, book) = (desk.clone(), Arc::clone(book));
                sent.spawn(async move {
                    ask(&desk, &book, entry).await?;
                    Ok::<_, Error>(None)
                });
            }
            if let Some(member) = others.get(at % others.len().max(1)) {
                let desk = desk.clone();
                let (key, body) = claim(*member, self.sent.len(), number);
                sent.spawn(async move {
                    let begun = Instant::now();
                    let reply = desk.post("/v1/claims", &key, &body).await?;
                    let id = reply.text("/id").to_owned();
                    reply.ok("a claim of the other insurer")?;
                    Ok(Some((id, begun, begun.elapsed())))
                });
            }
        }
        while let Some(done) = sent.join_next().await {
            if let Some((id, begun, took)) = done?? {
                self.sent.insert(id, begun);
                self.answered.push(took);
            }
        }
        Ok(())
    }

    /// How long the other insurer waited for each claim, from its sending on.
    fn waited(&self) -> Vec<Duration> {
        let received = self.other.received();
        let waited = received.iter().filter_map(|own| {
            let sent = self.sent.get(&own.message_id)?;
            Some(own.at.saturating_duration_since(*sent))
        });
        waited.collect()
    }
}

/// A claim for a member, with a number of its own.
fn claim(member: u32, before: usize, number: u32) -> (String, String) {
    let key = format!("other-{before}-{number}");
    let mut body = message("claim", &key, member);
    if let Value::Object(body) = &mut body {
        body.insert("claim".to_owned(), json!({"bill": bill(SERVICE, BILLED)}));
    }
    (key, body.to_string())
}

/// Sends so many claims of the insurer that is away, and takes some of them back.
async fn fill(trial: &mut Trial, hub: &Hub, world: &World, most: usize) -> Result<(), Error> {
    let own = members(world, false);
    let desk = hub.clinic()?;
    let send = |number: usize| {
        let (desk, book) = (desk.clone(), Arc::clone(&trial.book));
        let member = own.get(number % own.len().max(1)).copied().unwrap_or(0);
        async move {
            let mut noticed = Noticed::default();
            let entry = lock(&book).plain_claim(member, BILLED);
            noticed.add(ask(&desk, &book, entry).await?);
            if number.is_multiple_of(CANCELLED) {
                let cancel = lock(&book).cancel(entry);
                noticed.add(ask(&desk, &book, cancel).await?);
            }
            Ok(noticed)
        }
    };
    // Those that are taken back bring a message more.
    let claims = most - most / CANCELLED.saturating_add(1);
    let progress = trial.progress.clone();
    let all = progress.each(
        "claims of an insurer that is away",
        0..claims,
        AT_ONCE,
        send,
    );
    for noticed in all.await? {
        trial.note(noticed);
    }
    Ok(())
}

/// That a message came to the insurer under one delivery for each thing that it is to do with it.
fn once_each(trial: &mut Trial) {
    let received = trial.place.insurer.received();
    let told = received.iter().map(|own| (&own.message_id, &own.purpose));
    let different: BTreeSet<_> = told.collect();
    let more = received.len().saturating_sub(different.len());
    if more > 0 {
        trial.fail(format!("{more} deliveries tell the same under other ids"));
    }
}

/// Holds what the other insurer and its providers noticed against the hub from which nobody was away.
fn compare(trial: &mut Trial, away: &mut Side, well: &mut Side) {
    let mut judge = |what: &str, names: [&'static str; 2], both: [Vec<Duration>; 2]| {
        let is_judged = both.iter().all(|all| all.len() >= LEAST);
        let [with, without] = both.map(percentile);
        let [with_name, without_name] = names;
        let report = &mut trial.report;
        report.most(with_name, with.as_micros());
        report.most(without_name, without.as_micros());
        let tenth = without.as_nanos() * MORE_PERCENT / 100;
        let most = without.as_nanos() + tenth.max(MORE.as_nanos());
        if is_judged && with.as_nanos() > most {
            trial.fail(format!(
                "{what}: {with:?} with an outage, {without:?} without"
            ));
        }
    };
    judge(
        "the other insurer's 99th percentile",
        [
            "others' deliveries, 99th percentile with an outage, in µs",
            "others' deliveries, 99th percentile without, in µs",
        ],
        [away.waited(), well.waited()],
    );
    let answered = [&mut away.answered, &mut well.answered].map(std::mem::take);
    judge(
        "the 99th percentile of answers to claims of the other insurer",
        [
            "others' answers, 99th percentile with an outage, in µs",
            "others' answers, 99th percentile without, in µs",
        ],
        answered,
    );
    for side in [away, well] {
        let (given, sent) = (side.waited().len(), side.sent.len());
        if given != sent {
            trial.fail(format!("the other insurer has {given} of {sent} claims"));
        }
        trial
            .report
            .count("claims of the other insurer", count(sent));
    }
}

/// The 99th percentile, by the nearest rank.
fn percentile(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    let rank = all.len().saturating_mul(99).div_ceil(100);
    let at = rank.saturating_sub(1);
    all.get(at).copied().unwrap_or_default()
}
