//! The same load on databases that hold more and more messages of the past: whether the hub slows down as it is used.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use takmil_domain::ids::MessageId;
use takmil_store::{Store, StoreConfig};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::arguments::Growth;
use crate::bodies::Bodies;
use crate::drive::Figures;
use crate::errand::{self, Ask, Errand};
use crate::error::Error;
use crate::ground::{Fresh, bodies, now};
use crate::history::Prototypes;
use crate::hub::{Checkup, Hub, Site};
use crate::listen::Server;
use crate::machine::Machine;
use crate::measure;
use crate::seed::Webhook;
use crate::table::{per_mille, percent, write_faults, write_machine, write_runs};
use crate::wire::Connection;

/// What webhooks are signed with. Nobody checks it: the insurer of a run takes everything.
const WEBHOOK_SECRET: &str = "whsec_dGFrbWlsLWxvYWQtcnVuLXNlY3JldA==";

/// The most stays that history is made of: one for each member, and no more than fit well in memory.
const MOST_PROTOTYPES: u64 = 10_000;

/// Over how many connections they are sent.
const SENDERS: usize = 16;

/// A message of the past is one of two of its stay.
const MESSAGES_PER_STAY: u64 = 2;

/// How often it is looked whether hub and database rest, and with how little work they do.
const LOOK: Duration = Duration::from_secs(2);
const AT_REST: Duration = Duration::from_millis(100);

/// How long they are waited for: the log's sequencer has all of a history before it.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what it was made.
    pub machine: Machine,
    /// How many members the hub knows.
    pub members: u64,
    /// The runs, the one with the least history first.
    pub levels: Vec<Level>,
    /// What the hub's own check said afterwards.
    pub checkup: Checkup,
}

/// A run with so much history.
#[derive(Debug, Clone, Serialize)]
pub struct Level {
    /// How many messages of the past the database held.
    pub history: u64,
    /// How long it took to add those that were not there before, in seconds.
    pub loading_s: u64,
    /// How long hub and database went on working on them before they rested, in seconds.
    pub settling_s: u64,
    /// What the database took on the disk before the run, without the server's log.
    pub disk_bytes: u64,
    /// Throughput in thousandths of that with the least history.
    pub of_least: u64,
    /// The run.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Makes the runs.
///
/// # Errors
/// [`Error`] where they cannot be made.
pub async fn measure(growth: &Growth) -> Result<Report, Error> {
    let ground = &growth.ground;
    let fresh = Fresh::open(ground, growth.store)?;
    // Deliveries are taken: what is owed for longer than minutes, the hub's own check would call stuck.
    let insurer = Server::insurer().await?;
    let url = format!("http://{}", insurer.address);
    let webhook = Webhook {
        transport: "rest",
        url: &url,
        secret: WEBHOOK_SECRET,
    };
    eprintln!("loading {} members", ground.members);
    let site = Site::fill(&fresh.setup(ground, false, Some(webhook))).await?;
    let bodies = bodies(ground.members);
    let mut wanted = growth.history.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let mut past = Past {
        site: &site,
        stays: Vec::new(),
        held: 0,
    };
    if let Some(most) = wanted.last() {
        // Before the first run, so that every run finds members whose limits have been drawn on.
        past.decide(*most, &bodies, ground.members).await?;
    }
    let mut levels: Vec<Level> = Vec::new();
    for wanted in wanted {
        let start = Instant::now();
        past.grow(wanted).await?;
        if let Some(server) = fresh.server() {
            // As an operator does after loading much.
            server.tidy()?;
        }
        let loading_s = start.elapsed().as_secs();
        let disk_bytes = site.disk_bytes();
        let hub = site.serve().await?;
        let settling_s = settle(&hub).await?;
        let admissions = Errand::One(Ask::Admission);
        let pace = ground.fullest();
        let servers = Some(hub.servers);
        let figures = measure::run(&hub.door, admissions, pace, &bodies, servers).await?;
        settle(&hub).await?;
        hub.stop().await?;
        let least = levels
            .first()
            .map_or(figures.per_second, |level| level.figures.per_second);
        levels.push(Level {
            history: past.held,
            loading_s,
            settling_s,
            disk_bytes,
            of_least: per_mille(figures.per_second, least),
            figures,
        });
    }
    eprintln!("checking the ledger");
    Ok(Report {
        machine: fresh.machine.clone(),
        members: ground.members,
        levels,
        checkup: site.check().await?,
    })
}

/// What a database holds of the past.
struct Past<'a> {
    site: &'a Site,
    /// Stays that the hub has decided, of which the past is made.
    stays: Vec<(MessageId, MessageId)>,
    held: u64,
}

impl Past<'_> {
    /// Has the stays decided that so many messages are made of.
    async fn decide(&mut self, most: u64, bodies: &Arc<Bodies>, members: u64) -> Result<(), Error> {
        let count = members.min(MOST_PROTOTYPES).min(most / MESSAGES_PER_STAY);
        if count == 0 {
            return Ok(());
        }
        eprintln!("having {count} stays decided");
        let hub = self.site.serve().await?;
        self.stays = decide(&hub, bodies, count).await?;
        settle(&hub).await?;
        hub.stop().await
    }

    /// Adds what is missing of so many messages. No hub may run meanwhile.
    async fn grow(&mut self, wanted: u64) -> Result<(), Error> {
        let stays = wanted.saturating_sub(self.held) / MESSAGES_PER_STAY;
        if stays == 0 {
            return Ok(());
        }
        eprintln!("adding {} messages of the past", stays * MESSAGES_PER_STAY);
        let store = Store::open(&StoreConfig {
            place: self.site.place().clone(),
            readers: 1,
            random: Arc::new(rand::random),
            keys: Arc::new(self.site.keys()?),
        })
        .await?;
        let first = self.held / MESSAGES_PER_STAY;
        let prototypes = Prototypes::read(&store, &self.stays).await?;
        let added = prototypes.add(&store, (first, stays), now()).await;
        store.close().await;
        self.held += added?;
        Ok(())
    }
}

/// Sends an admission and its claim for so many members, and gives the hub's ids of both.
async fn decide(
    hub: &Hub,
    bodies: &Arc<Bodies>,
    count: u64,
) -> Result<Vec<(MessageId, MessageId)>, Error> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..SENDERS {
        let mut connection = hub.door.connect().await?;
        let (bodies, next) = (Arc::clone(bodies), Arc::clone(&next));
        tasks.spawn(async move {
            let mut stays = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < count {
                stays.push(stay(&mut connection, &bodies).await?);
            }
            Ok::<_, Error>(stays)
        });
    }
    let mut stays = Vec::new();
    while let Some(done) = tasks.join_next().await {
        stays.extend(done??);
    }
    Ok(stays)
}

async fn stay(
    connection: &mut Connection,
    bodies: &Bodies,
) -> Result<(MessageId, MessageId), Error> {
    let admission = bodies.admission();
    let claim = bodies.claim(&admission);
    let mut ids = [Ask::Admission, Ask::Claim]
        .into_iter()
        .zip([admission, claim]);
    let mut decided = Vec::new();
    for (ask, sent) in &mut ids {
        let reply = connection.ask(errand::request(ask, sent)).await?;
        errand::inspect(ask, &reply, true)?;
        let id = MessageId::parse(&errand::id(&reply)?);
        decided.push(id.ok_or_else(|| Error::Answer("its id is none".to_owned()))?);
    }
    let pair = <[MessageId; 2]>::try_from(decided);
    let [admission, claim] = pair.map_err(|_| Error::Answer("two were sent".to_owned()))?;
    Ok((admission, claim))
}

/// Waits until hub and database have done what they still had to do, and gives how long that took in seconds.
async fn settle(hub: &Hub) -> Result<u64, Error> {
    let start = Instant::now();
    let spent = || {
        let used = hub.servers.usage()?;
        let database = used.database.map_or(Duration::ZERO, |family| family.cpu);
        Ok::<_, Error>(used.hub.cpu + database)
    };
    let mut before = spent()?;
    while start.elapsed() < PATIENCE {
        sleep(LOOK).await;
        let after = spent()?;
        if after.saturating_sub(before) < AT_REST {
            break;
        }
        before = after;
    }
    Ok(start.elapsed().as_secs())
}

impl Report {
    /// Whether every answer was good, and the hub's own check found nothing.
    pub fn is_well(&self) -> bool {
        let is_good = |level: &Level| level.figures.other_statuses.is_empty();
        self.levels.iter().all(is_good) && self.checkup.is_well
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_machine(f, &self.machine)?;
        writeln!(f, "{} members, deliveries delivered\n", self.members)?;
        let name = |level: &Level| format!("after {} messages", level.history);
        write_runs(
            f,
            self.levels
                .iter()
                .map(|level| (name(level), &level.figures)),
        )?;
        writeln!(f)?;
        for level in &self.levels {
            let name = name(level);
            writeln!(
                f,
                "{name}: {} of the least; loaded in {} s, at rest after {} s, {} MiB on the disk",
                percent(level.of_least),
                level.loading_s,
                level.settling_s,
                level.disk_bytes >> 20
            )?;
            write_faults(f, &name, &level.figures)?;
        }
        writeln!(f, "{}", self.checkup)
    }
}
