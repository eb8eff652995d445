//! An insurer is killed while bills are under way, and brought back: what the hub answers meanwhile, what waits,
//! and that everything arrives in the order of each claim.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use takmil_conformance::insurer::{Script, Simulator, Tally};
use takmil_conformance::provider::{Client, Reply};
use takmil_domain::coverage::EnrolledMember;
use takmil_domain::date::Date;
use takmil_domain::ids::{Identifier, MessageId, ParticipantId};
use takmil_store::Scope;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::figures::in_ms;
use super::play::{micros, provider, reviewed};
use super::reply::{self, Told};
use super::seed::{self, SampleCover, plus_days};
use super::standing::{Standing, who};
use super::{World, table};
use crate::cli::Fatal;

/// Who is killed, under which plan its members are, and who bills. The contract lets the hub answer in its place
/// for small professional bills, and for no others.
const INSURER: &str = "ye-tamin";
const PLAN: &str = "ye-tamin-a";
const PROVIDER: &str = "ye-sanaa";
/// How many bills there are, of how many members, and how many are under way at once.
const BILLS: usize = 72;
const MEMBERS: usize = 12;
const WORKERS: usize = 4;
/// After how many answers it is killed, and brought back.
const KILLED_AFTER: usize = 20;
const BACK_AFTER: usize = 56;
/// How long it takes to decide, so that calls are under way when it dies.
const THINKS_MS: u64 = 15;
/// Since how many days its members are covered.
const COVERED_DAYS: i64 = 400;
/// How long it may take to get everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The part of the outage in which an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Before,
    Down,
    Back,
}

/// How many answers came in each part, by who decided.
type Answers = BTreeMap<Part, BTreeMap<&'static str, usize>>;

/// What the outage came to.
pub(super) struct Outage {
    answers: Answers,
    bills: usize,
    taken_back: usize,
    most_waiting: u64,
    drained: Option<Duration>,
    deliveries: usize,
    arrived: usize,
    repeats: u64,
    out_of_order: u64,
    /// Bills that were pended, and those of them that are decided now.
    pended: usize,
    decided_later: usize,
}

impl Outage {
    /// Whether nothing was lost and no claim's order broken.
    pub(super) fn is_whole(&self) -> bool {
        self.drained.is_some()
            && self.arrived == self.deliveries
            && self.out_of_order == 0
            && self.decided_later == self.pended
    }

    /// The outage in JSON.
    pub(super) fn json(&self) -> Value {
        let answers = |part| self.answers.get(&part).cloned().unwrap_or_default();
        json!({
            "insurer": INSURER,
            "bills": self.bills,
            "taken_back": self.taken_back,
            "answers": {
                "before": answers(Part::Before),
                "down": answers(Part::Down),
                "back": answers(Part::Back),
            },
            "most_waiting": self.most_waiting,
            "drained_ms": self.drained.map(|drained| in_ms(micros(drained))),
            "deliveries": self.deliveries,
            "arrived": self.arrived,
            "repeats": self.repeats,
            "out_of_order": self.out_of_order,
            "pended": self.pended,
            "decided_later": self.decided_later,
            "whole": self.is_whole(),
        })
    }
}

/// Kills the insurer in mid-flight and brings it back, and shows what happens as it does.
pub(super) async fn run(world: &World) -> Result<Outage, Fatal> {
    let insurer = ParticipantId::parse(INSURER).ok_or("the insurer has no id")?;
    let simulator = world.insurers.get(&insurer).map(|own| &own.simulator);
    let simulator = simulator.ok_or("the insurer has no server")?;
    enrol(world).await?;
    simulator.perform(Script::approve().slowly(THINKS_MS)).await;
    let before = simulator.tally();
    let mut watch = Watch {
        world,
        insurer: &insurer,
        simulator,
        began: Instant::now(),
        part: Part::Before,
        answers: Answers::new(),
        most_waiting: 0,
    };
    watch.tell(format!(
        "{BILLS} bills, {WORKERS} at a time; {INSURER} takes {THINKS_MS} ms to decide each"
    ));
    let bills = watch.bills().await?;
    let drained = watch.drain().await?;
    simulator.perform(Script::approve()).await;
    let outage = watch.sum_up(&bills, before, drained).await?;
    watch.tell(format!(
        "{arrived} of {owed} deliveries arrived, {repeats} came twice, {order}; {decided} of {pended} pended bills decided",
        arrived = outage.arrived,
        owed = outage.deliveries,
        repeats = outage.repeats,
        order = if outage.out_of_order == 0 { "the order of every claim kept" } else { "ORDER BROKEN" },
        decided = outage.decided_later,
        pended = outage.pended,
    ));
    Ok(outage)
}

/// A bill that the hub took.
struct Bill {
    id: MessageId,
    pended: bool,
    taken_back: bool,
}

/// One who watches the outage and brings it about.
struct Watch<'w> {
    world: &'w World,
    insurer: &'w ParticipantId,
    simulator: &'w Simulator,
    began: Instant,
    part: Part,
    answers: Answers,
    most_waiting: u64,
}

impl Watch<'_> {
    fn tell(&self, what: impl std::fmt::Display) {
        let elapsed = table::milliseconds(micros(self.began.elapsed()));
        self.world
            .screen
            .show(format_args!("  {elapsed:>8} ms  {what}"));
    }

    /// Has all bills sent; kills the insurer and brings it back on the way.
    async fn bills(&mut self) -> Result<Vec<Bill>, Fatal> {
        let (tell, mut told) = mpsc::channel(WORKERS);
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let client = provider(self.world, PROVIDER).await?;
            let worker = Worker {
                client,
                run: self.world.run.clone(),
                today: self.world.today,
                next: Arc::clone(&next),
            };
            workers.spawn(worker.work(tell.clone()));
        }
        drop(tell);
        let mut bills = Vec::with_capacity(BILLS);
        while let Some(bill) = told.recv().await {
            let bill = bill?;
            let standing = Standing::of(self.world.hub.store(), bill.id).await?;
            let who = if bill.pended {
                "pended"
            } else {
                who_first(&standing)
            };
            let count = self
                .answers
                .entry(self.part)
                .or_default()
                .entry(who)
                .or_default();
            *count = count.saturating_add(1);
            bills.push(bill);
            self.most_waiting = self.most_waiting.max(self.waiting().await?);
            match bills.len() {
                KILLED_AFTER => self.kill().await,
                BACK_AFTER => self.revive().await?,
                _ => {}
            }
        }
        Ok(bills)
    }

    async fn kill(&mut self) {
        self.simulator.kill().await;
        self.tell(format!(
            "killed in mid-flight   answers so far: {}",
            self.counted(Part::Before)
        ));
        self.part = Part::Down;
    }

    async fn revive(&mut self) -> Result<(), Fatal> {
        let waiting = self.waiting().await?;
        self.tell(format!(
            "still down             answers meanwhile: {}; {waiting} deliveries wait",
            self.counted(Part::Down)
        ));
        self.simulator.revive().await?;
        self.tell("brought back");
        self.part = Part::Back;
        Ok(())
    }

    /// Waits until nothing is owed any more; says how long that took.
    async fn drain(&mut self) -> Result<Option<Duration>, Fatal> {
        let began = Instant::now();
        let waiting = self.waiting().await?;
        self.tell(format!(
            "all bills answered     since the return: {}; {waiting} deliveries wait",
            self.counted(Part::Back)
        ));
        let mut most = waiting;
        let mut last = None;
        let settled = self.world.hub.settle(PATIENCE, |waiting| {
            most = most.max(waiting);
            if waiting > 0 {
                last = Some(began.elapsed());
            }
        });
        let settled = settled.await?;
        self.most_waiting = self.most_waiting.max(most);
        let drained = settled.then(|| last.unwrap_or_default());
        if drained.is_some() {
            self.tell(format!(
                "drained                at most {} waited",
                self.most_waiting
            ));
        }
        Ok(drained)
    }

    fn counted(&self, part: Part) -> String {
        let answers = self.answers.get(&part).into_iter().flatten();
        let counts: Vec<String> = answers
            .map(|(who, count)| format!("{} {count}", who.replace('_', "-")))
            .collect();
        counts.join(", ")
    }

    async fn waiting(&self) -> Result<u64, Fatal> {
        let backlogs = self.world.hub.store().backlogs(&Scope::Hub).await?;
        let own = backlogs
            .into_iter()
            .find(|backlog| backlog.insurer == *self.insurer);
        Ok(own.map_or(0, |backlog| backlog.waiting))
    }

    async fn sum_up(
        &self,
        bills: &[Bill],
        before: Tally,
        drained: Option<Duration>,
    ) -> Result<Outage, Fatal> {
        let store = self.world.hub.store();
        let mut decided_later = 0_usize;
        let waited = |bill: &&Bill| bill.pended && !bill.taken_back;
        for bill in bills.iter().filter(waited) {
            let decided = reviewed(self.world, bill.id).await?.is_some();
            decided_later = decided_later.saturating_add(usize::from(decided));
        }
        self.world.hub.settle(PATIENCE, |_| ()).await?;
        let received = self.world.insurers.received();
        let (mut deliveries, mut arrived) = (0_usize, 0_usize);
        for bill in bills {
            for id in Standing::of(store, bill.id).await?.delivery_ids() {
                deliveries = deliveries.saturating_add(1);
                arrived = arrived.saturating_add(usize::from(received.contains(&id)));
            }
        }
        let after = self.simulator.tally();
        Ok(Outage {
            answers: self.answers.clone(),
            bills: bills.len(),
            taken_back: bills.iter().filter(|bill| bill.taken_back).count(),
            most_waiting: self.most_waiting,
            drained,
            deliveries,
            arrived,
            repeats: after.repeats.saturating_sub(before.repeats),
            out_of_order: after.out_of_order.saturating_sub(before.out_of_order),
            pended: bills.iter().filter(waited).count(),
            decided_later,
        })
    }
}

/// Who decided a bill, also where it has been taken back since.
fn who_first(standing: &Standing) -> &'static str {
    let decision = standing.answer.decision.as_ref();
    decision.map_or_else(
        || who(&standing.answer),
        |decision| decision.decided_by.as_str(),
    )
}

/// One of those who bill.
struct Worker {
    client: Client,
    run: String,
    today: Date,
    next: Arc<AtomicUsize>,
}

impl Worker {
    /// Sends bills until there are no more; takes every fifth back at once, so that its claim has an order to keep.
    async fn work(self, tell: mpsc::Sender<Result<Bill, Fatal>>) {
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            if place >= BILLS || tell.send(self.bill(place).await).await.is_err() {
                return;
            }
        }
    }

    async fn bill(&self, place: usize) -> Result<Bill, Fatal> {
        let body = self.body(place);
        let reply = self
            .client
            .send("/v1/claims", "application/json", body, None)
            .await?;
        let Some(Told::Taken { id, pended }) = first(&reply) else {
            return Err(format!("a bill of the outage was refused: {}", reply.status).into());
        };
        let taken_back = place % 5 == 4;
        if taken_back {
            let path = format!("/v1/claims/{id}/cancel");
            let reply = self
                .client
                .send(&path, "application/json", b"{}".to_vec(), None)
                .await?;
            if first(&reply).is_none_or(|told| matches!(told, Told::Refused { .. })) {
                return Err(format!("a bill could not be taken back: {}", reply.status).into());
            }
        }
        Ok(Bill {
            id,
            pended,
            taken_back,
        })
    }

    /// A visit; every sixth bill is a hospital's, for which the hub may not answer in the insurer's place.
    fn body(&self, place: usize) -> Vec<u8> {
        let (class, code, billed) = match place % 6 {
            2 => ("institutional", "NL120", 5_000),
            _ => ("professional", "NC200", 7_000),
        };
        let bill = json!({
            "kind": "claim",
            "identifiers": [{"system": "urn:takmil:demo:sanaa:outage", "value": format!("{}-{place}", self.run)}],
            "occurred_on": self.today,
            "currency": "YER",
            "member": {"identifiers": [member(&self.run, place % MEMBERS)]},
            "claim": {
                "bill": {
                    "class": class,
                    "lines": [{
                        "seq": 1,
                        "item": {"source": {"system": "urn:takmil:synthetic:services", "code": code}},
                        "billed": billed,
                    }],
                },
            },
        });
        bill.to_string().into_bytes()
    }
}

fn first(reply: &Reply) -> Option<Told> {
    reply::read(reply).into_iter().next()
}

fn member(run: &str, place: usize) -> Identifier {
    Identifier::new(
        "urn:takmil:sample:member",
        format!("YE-OUTAGE-{run}-{place}"),
    )
}

/// Covers the members, as their insurer does.
async fn enrol(world: &World) -> Result<(), Fatal> {
    let cover = |place| {
        let identifier = member(&world.run, place);
        let cover = SampleCover {
            insurer: INSURER,
            plan: PLAN,
            certificate: &identifier.value.clone(),
            start: plus_days(world.today, -COVERED_DAYS),
            member: EnrolledMember {
                identifiers: vec![identifier],
                name: None,
                birth_date: Date::from_ymd(1985, 1, 1),
                sex: None,
            },
        };
        cover.enrolment()
    };
    let covers = (0..MEMBERS).map(cover).collect::<Result<Vec<_>, Fatal>>()?;
    let refused = seed::enrol(&world.hub, &world.keys, &world.insurers, &covers).await?;
    match refused.is_empty() {
        true => Ok(()),
        false => Err(format!("the members of the outage are not covered: {refused:?}").into()),
    }
}
