//! A trial: rounds of one test on one place after the other, and the examination that every round ends with. The hub
//! is asked over the network for everything that was acknowledged, for what became of the rest, and for every limit;
//! its own check is run on the same database; what the insurer was given is held against the book.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::book::{Book, Deliveries, Promised, Told, standings};
use super::desk::Desk;
use super::hub::{Hub, millis};
use super::place::{Faked, Place, Plan};
use super::progress::Progress;
use super::report::{Failure, Report};
use super::traffic::{Noticed, Patience, Shared, Traffic, begin, lock};
use super::world::{INSURER, World, family};
use super::{Error, Run};

/// How many clients send at once.
pub(super) const CLIENTS: usize = 8;
/// How many members they send for: few, so that they meet at the same limits.
pub(super) const MEMBERS: u32 = 16;
/// What a member and a family may have, in the smallest unit: it runs dry on the way.
const YEARLY: i64 = 250_000;
const FAMILY: i64 = 800_000;
/// How many questions are under way at once in an examination.
const AT_ONCE: usize = 64;
/// How many older entries are looked at again after each round.
const SAMPLE: usize = 20;
/// How often an unanswered request is repeated where the hub turns it away, and how long after.
const TRIES: u32 = 100;
const RETRY: Duration = Duration::from_millis(50);
/// How long nothing of what is owed may reach an insurer who is up.
const DELIVERY: Duration = Duration::from_secs(45);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// After so long without another delivery, an insurer who is up has all that it will get.
const QUIET: Duration = Duration::from_secs(2);

/// What a hub that was killed had in hand for an insurer is offered again after twice this time, which is waited for.
const ENGINE: &str = "[engine]\ndeliver_deadline_ms = 2000\n";

/// The place of most tests.
pub(super) fn plan(run: &Run, faked: Option<Faked>) -> Plan {
    Plan {
        binary: run.binary.clone(),
        store: run.store,
        world: World {
            members: MEMBERS,
            yearly: YEARLY,
            family: FAMILY,
            insurer_url: String::new(),
            other_url: String::new(),
        },
        faked,
        redis: false,
        listen: "",
        more: ENGINE,
    }
}

/// The trial, on the place that it is at.
pub(super) struct Trial {
    pub(super) place: Place,
    pub(super) book: Shared,
    pub(super) report: Report,
    pub(super) round: u64,
    pub(super) progress: Progress,
    /// Whether a place where something went wrong is left behind. Nobody looks for what a control run has to find.
    pub(super) keeps: bool,
    began: Instant,
    again: String,
    /// How many entries were examined already.
    examined: usize,
}

/// A test that goes in rounds: how many, and how many on one database before the next begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds {
    pub(super) all: u64,
    pub(super) on_one: u64,
}

/// Runs rounds, each of which breaks a hub that is up and gives one that is up again, and examines what is left after
/// each; at the end of every place everything that ever happened there. A place where something went wrong is left.
pub(super) async fn run_rounds(
    mut trial: Trial,
    rounds: Rounds,
    plan: impl Fn() -> Plan,
    mut broken: impl AsyncFnMut(&mut Trial, Hub, &mut StdRng) -> Result<Hub, Error>,
) -> Result<Report, Error> {
    let mut random = StdRng::seed_from_u64(trial.report.seed);
    let mut hub = Some(trial.place.start().await?);
    while trial.round < rounds.all {
        let running = match hub.take() {
            Some(running) => running,
            None => {
                trial.move_to(plan()).await?;
                trial.place.start().await?
            }
        };
        trial.round += 1;
        trial.progress.round(trial.round, rounds.all);
        let failures = trial.report.failures.len();
        let is_last = trial.round == rounds.all || trial.round.is_multiple_of(rounds.on_one);
        trial.progress.begin("load", 0);
        let done = async {
            let left = broken(&mut trial, running, &mut random).await?;
            trial.examine(&left, &mut random).await?;
            if is_last {
                trial.examine_all(&left).await?;
            }
            Ok::<_, Error>(left)
        };
        match done.await {
            Ok(left) if is_last || trial.report.failures.len() > failures => left.kill().await?,
            Ok(left) => hub = Some(left),
            // Nothing that was acknowledged can be had from a hub that does not come up.
            Err(error) => {
                let acknowledged = lock(&trial.book).acknowledged();
                trial.report.lost += count(acknowledged);
                trial.fail(format!("the hub cannot go on: {}", chain(&error)));
            }
        }
    }
    if let Some(hub) = hub {
        hub.kill().await?;
    }
    Ok(trial.end())
}

/// An error with its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl Trial {
    pub(super) async fn new(
        test: &str,
        run: &Run,
        again: &str,
        plan: Plan,
    ) -> Result<Trial, Error> {
        let (store, seed) = (run.store.as_str(), run.seed);
        let members = plan.world.members;
        Ok(Trial {
            place: Place::new(plan).await?,
            book: Arc::new(Mutex::new(Book::new(
                format!("{test}-{seed}-0"),
                members,
                CLIENTS,
            ))),
            report: Report {
                test: test.to_owned(),
                store: store.to_owned(),
                seed,
                ..Report::default()
            },
            round: 0,
            progress: run.progress.clone(),
            keeps: true,
            began: Instant::now(),
            again: format!("takmil-faults {test} --store {store} --seed {seed} {again}"),
            examined: 0,
        })
    }

    /// Leaves for a fresh place and begins a fresh book.
    pub(super) async fn move_to(&mut self, plan: Plan) -> Result<(), Error> {
        let members = plan.world.members;
        self.place = Place::new(plan).await?;
        self.close_book(members);
        Ok(())
    }

    /// Counts what the book holds, and begins a fresh one.
    fn close_book(&mut self, members: u32) {
        let name = format!("{}-{}-{}", self.report.test, self.report.seed, self.round);
        let fresh = Book::new(name, members, CLIENTS);
        let old = std::mem::replace(&mut *lock(&self.book), fresh);
        self.report.sent += count(old.entries.len());
        self.report.acknowledged += count(old.acknowledged());
        self.examined = 0;
    }

    /// The report, at the end.
    pub(super) fn end(mut self) -> Report {
        self.close_book(0);
        self.report.rounds = self.round;
        self.report.ms = millis(self.began.elapsed());
        self.report
    }

    /// Notes that something went wrong, and keeps the place's folder.
    pub(super) fn fail(&mut self, what: impl Display) {
        let folder = match self.keeps {
            true => self.place.keep(),
            false => String::new(),
        };
        let failure = Failure {
            round: self.round,
            what: what.to_string(),
            again: self.again.clone(),
            folder,
        };
        self.report.failures.push(failure);
    }

    /// Sets the clients to work.
    pub(super) fn traffic(&self, url: &str, patience: Patience) -> Result<Traffic, Error> {
        let desks: Result<Vec<Desk>, Error> = (0..CLIENTS)
            .map(|_| Desk::new(url, &self.place.clinic_key))
            .collect();
        // Every round has its own chances, which follow from the seed alone.
        let seed = self.report.seed.wrapping_mul(1_000_003);
        Ok(begin(
            &self.book,
            desks?,
            seed.wrapping_add(self.round),
            patience,
        ))
    }

    /// Notes what clients noticed.
    pub(super) fn note(&mut self, noticed: Noticed) {
        let Noticed {
            lost,
            wrong,
            turned_away,
            unanswered,
        } = noticed;
        self.report.count("turned away, to come again", turned_away);
        self.report.count("requests without an answer", unanswered);
        self.lost(&lost);
        self.wrong(&wrong);
    }

    fn lost(&mut self, lost: &[String]) {
        self.report.lost += count(lost.len());
        if let Some(first) = lost.first() {
            self.fail(format!("{} lost, the first: {first}", lost.len()));
        }
    }

    /// Notes what was asked of a hub that has to answer.
    fn insist(&mut self, noticed: Noticed) {
        if noticed.turned_away > 0 {
            self.fail(format!(
                "{} requests are turned away again and again",
                noticed.turned_away
            ));
        }
        self.lost(&noticed.lost);
        self.wrong(&noticed.wrong);
    }

    fn wrong(&mut self, wrong: &[String]) {
        if let Some(first) = wrong.first() {
            self.fail(format!("{} wrong answers, the first: {first}", wrong.len()));
        }
    }

    /// Examines a hub that is up and that nobody else asks: what was never answered is sent again and has one
    /// effect; what was acknowledged since the last time, and some of what was before, is the same; no limit is
    /// overspent, and each is what the answers add up to; the hub's own check finds nothing.
    pub(super) async fn examine(&mut self, hub: &Hub, random: &mut StdRng) -> Result<(), Error> {
        let desk = hub.clinic()?;
        self.settle(&desk).await?;
        let all = lock(&self.book).entries.len();
        let mut chosen: BTreeSet<usize> = (self.examined..all).collect();
        if self.examined > 0 {
            chosen.extend((0..SAMPLE).map(|_| random.random_range(0..self.examined)));
        }
        self.look_at(&desk, chosen).await?;
        self.examined = all;
        self.limits_book(&hub.insurer()?).await?;
        self.check_up_book().await
    }

    /// Examines the hub once more, whole: every entry, the number of messages, and every delivery.
    pub(super) async fn examine_all(&mut self, hub: &Hub) -> Result<(), Error> {
        let desk = hub.clinic()?;
        self.settle(&desk).await?;
        let all = lock(&self.book).entries.len();
        self.look_at(&desk, (0..all).collect()).await?;
        self.examined = all;
        self.limits_book(&hub.insurer()?).await?;
        self.progress.begin("the number of messages", 0);
        let kept = messages(&desk).await?;
        let expected = lock(&self.book).acknowledged();
        if kept != expected {
            self.fail(format!(
                "the hub keeps {kept} messages, and {expected} were sent"
            ));
        }
        // What is lost is not delivered either: no reason to wait for it.
        if self.report.lost == 0 {
            self.deliveries().await;
        }
        let tally = self.place.insurer.tally();
        let report = &mut self.report;
        report.count("deliveries", tally.deliveries);
        report.count("deliveries that came again", tally.repeats);
        self.check_up_book().await
    }

    /// Sends again what was never answered.
    pub(super) async fn settle(&mut self, desk: &Desk) -> Result<(), Error> {
        let unanswered = lock(&self.book).unanswered();
        self.progress
            .begin("unanswered requests sent again", unanswered.len());
        let mut noticed = Noticed::default();
        for number in unanswered {
            let told = self.ask(desk, number).await?;
            self.progress.done(1);
            match &told {
                Told::First { replayed: true } => {
                    self.report.count("unanswered, and wholly there", 1);
                }
                Told::First { replayed: false } | Told::Same => {
                    self.report.count("unanswered, and not there at all", 1);
                }
                _ => {}
            }
            noticed.add(told);
        }
        self.insist(noticed);
        Ok(())
    }

    /// Sends an entry, again and again where the hub turns it away.
    pub(super) async fn ask(&self, desk: &Desk, number: usize) -> Result<Told, Error> {
        ask(desk, &self.book, number).await
    }

    /// Sends acknowledged entries again, and holds the answers against the first.
    pub(super) async fn look_at(
        &mut self,
        desk: &Desk,
        entries: BTreeSet<usize>,
    ) -> Result<(), Error> {
        let asked = |number| {
            let (desk, book) = (desk.clone(), Arc::clone(&self.book));
            async move { ask(&desk, &book, number).await }
        };
        let entries = Vec::from_iter(entries).into_iter();
        let told = self
            .progress
            .each("answers compared", entries, AT_ONCE, asked);
        let noticed = told.await?.into_iter().collect();
        self.insist(noticed);
        Ok(())
    }

    pub(super) async fn limits_book(&mut self, desk: &Desk) -> Result<(), Error> {
        let (promised, members) = {
            let book = lock(&self.book);
            (book.promised(), book.member_ids.clone())
        };
        self.limits((INSURER, desk), &promised, members).await
    }

    /// Holds an insurer's limits of members, by the hub's ids of them, against what was promised.
    pub(super) async fn limits(
        &mut self,
        (insurer, desk): (&str, &Desk),
        promised: &Promised,
        members: BTreeMap<u32, String>,
    ) -> Result<(), Error> {
        self.progress.begin("limits", members.len());
        for (member, id) in members {
            self.progress.done(1);
            let path = format!("/v1/members/{id}/remainders");
            let told = desk.get(&path).await?.ok("the remainders of a member")?;
            for standing in standings(&told, insurer) {
                let key = match standing.code.as_str() {
                    "yearly" => ("yearly", member),
                    _ => ("family", family(member)),
                };
                let expected = promised.get(&key).copied().unwrap_or(0);
                if standing.spent > standing.most {
                    self.report.overspent += 1;
                    self.fail(format!(
                        "overspent: {key:?} has {} and spent {}",
                        standing.most, standing.spent
                    ));
                }
                if standing.spent != expected {
                    self.fail(format!(
                        "{key:?}: {} was promised, and {} is spent",
                        expected, standing.spent
                    ));
                }
            }
        }
        Ok(())
    }

    /// Waits until the insurer has everything that it is owed, each claim in its order.
    pub(super) async fn deliveries(&mut self) {
        self.progress.begin("deliveries", 0);
        let received = || self.place.insurer.tally().deliveries;
        let (mut had, mut last) = (received(), Instant::now());
        let found = loop {
            let all = self.place.insurer.received();
            let found = lock(&self.book).check_deliveries(&all);
            // No look before as many have come as are missing can find them all.
            let expected = all.len().saturating_add(found.missing.len());
            while had < expected && last.elapsed() < DELIVERY {
                sleep(LOOK_AGAIN).await;
                if received() > had {
                    (had, last) = (received(), Instant::now());
                }
            }
            if found.missing.is_empty() || had < expected {
                break found;
            }
        };
        let Deliveries {
            missing,
            disordered,
            strange,
        } = found;
        if let Some(first) = missing.first() {
            self.fail(format!(
                "{} deliveries did not come, the first: {first}",
                missing.len()
            ));
        }
        if let Some(first) = disordered.first() {
            self.fail(format!(
                "{} deliveries came after later ones of their claim, the first: {first}",
                disordered.len()
            ));
        }
        if strange > 0 {
            self.fail(format!("{strange} deliveries of messages that nobody sent"));
        }
    }

    /// Waits until nothing comes to the insurer any more: what is owed to it then is stuck.
    pub(super) async fn drained(&self) {
        self.progress.begin("deliveries", 0);
        let received = || self.place.insurer.tally().deliveries;
        let mut had = None;
        while had.replace(received()) != Some(received()) {
            sleep(QUIET).await;
        }
    }

    pub(super) async fn check_up_book(&mut self) -> Result<(), Error> {
        let ids = lock(&self.book).ids();
        self.check_up(&ids).await
    }

    /// Has the hub's own check look at the database, and the verifier at the log, where these messages have to be.
    pub(super) async fn check_up(&mut self, messages: &[String]) -> Result<(), Error> {
        self.progress.begin("the hub's own check", 0);
        for found in self.place.doctor().await? {
            self.fail(format!("doctor: {found}"));
            self.report.doctor.push(found);
        }
        self.progress.begin("the log", 0);
        self.log(messages).await
    }
}

/// Sends an entry, again and again where the hub turns it away.
pub(super) async fn ask(desk: &Desk, book: &Shared, number: usize) -> Result<Told, Error> {
    let entry = lock(book).entries.get(number).cloned();
    let Some(entry) = entry else {
        return Ok(Told::Wrong("an entry that is not in the book".to_owned()));
    };
    let mut told = Told::TurnedAway;
    for _ in 0..TRIES {
        let reply = desk.post(&entry.path, &entry.key, &entry.body).await?;
        let replayed = reply.replayed;
        told = lock(book).told(number, reply, None);
        match told {
            Told::TurnedAway => sleep(RETRY).await,
            // The same answer, and yet a fresh message: the first one is gone.
            Told::Same if !replayed => {
                return Ok(Told::Lost(format!("{} was taken afresh", entry.key)));
            }
            _ => break,
        }
    }
    Ok(told)
}

/// How many messages of the clinic the hub keeps.
pub(super) async fn messages(desk: &Desk) -> Result<usize, Error> {
    let (mut kept, mut cursor) = (0, String::new());
    loop {
        let path = format!("/v1/messages?limit=1000{cursor}");
        let page = desk.get(&path).await?.ok("the list of messages")?;
        let rows = page.get("messages").and_then(serde_json::Value::as_array);
        kept += rows.map_or(0, Vec::len);
        let Some(next) = page.get("next").and_then(serde_json::Value::as_str) else {
            return Ok(kept);
        };
        cursor = format!("&cursor={next}");
    }
}

/// A count for a report.
pub(super) fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
