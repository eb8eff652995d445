//! Routing: how fast a backlog reaches an insurer that is back, and for how long the hub itself keeps what it owes.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;
use takmil_conformance::insurer::{Setup, Simulator, Wire};
use tokio::time::sleep;

use crate::arguments::Route;
use crate::drive::Figures;
use crate::errand::{Ask, Errand};
use crate::error::Error;
use crate::ground::{Fresh, bodies};
use crate::hub::{Checkup, Hub, Site, free_address, quantile};
use crate::machine::Machine;
use crate::measure::{self, WEBHOOK_SECRET};
use crate::seed::Webhook;
use crate::table::{write_faults, write_machine, write_runs};

/// Whom the load's messages are owed to.
const INSURER: &str = "load-shield";

/// How often it is looked whether the insurer has more.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// For how long nothing may come to it before what is owed is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Of how long the hub kept deliveries.
const OVERHEAD: &str = "takmil_delivery_overhead_seconds";

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what it was made.
    pub machine: Machine,
    /// Each wire's figures.
    pub wires: Vec<Routed>,
}

/// What was found of one wire.
#[derive(Debug, Clone, Serialize)]
pub struct Routed {
    /// Which.
    pub wire: &'static str,
    /// How many deliveries waited when the insurer was back.
    pub backlog: u64,
    /// How many of them it had a second, from the first to the last.
    pub per_second: u64,
    /// How many calls brought what it had already.
    pub repeats: u64,
    /// How many came after later ones of their message.
    pub out_of_order: u64,
    /// The load at a rate.
    pub load: Figures,
    /// How long half of its deliveries were in the hub, without the insurer's own time: no longer than so many
    /// milliseconds, the bounds of the hub's own metric.
    pub overhead_p50_ms: Option<u64>,
    /// The same of ninety-nine in a hundred.
    pub overhead_p99_ms: Option<u64>,
    /// What the hub's own check said afterwards.
    pub checkup: Checkup,
}

/// Makes the runs: one wire after the other, each on a hub of its own.
///
/// # Errors
/// [`Error`] where they cannot be made.
pub async fn measure(route: &Route) -> Result<Report, Error> {
    let mut wires = Vec::new();
    let mut machine = Machine::look(None);
    for wire in ["grpc", "rest"] {
        let fresh = Fresh::open(&route.ground, route.store)?;
        machine = fresh.machine.clone();
        wires.push(one(route, wire, &fresh).await?);
    }
    Ok(Report { machine, wires })
}

async fn one(route: &Route, wire: &'static str, fresh: &Fresh) -> Result<Routed, Error> {
    let ground = &route.ground;
    let address = free_address()?;
    let url = format!("http://{address}");
    let webhook = Webhook {
        transport: wire,
        url: &url,
        secret: WEBHOOK_SECRET,
    };
    let site = Site::fill(&fresh.setup(ground, false, Some(webhook))).await?;
    let hub = site.serve().await?;
    let bodies = bodies(ground.members);
    let admissions = Errand::One(Ask::Admission);
    measure::run(&hub.door, admissions, ground.fullest(), &bodies, None).await?;
    let backlog = owed(&hub).await?;
    eprintln!("{backlog} deliveries wait for an insurer over {wire}, which is back now");
    let insurer = insurer(wire, address).await?;
    all_had(&insurer, backlog).await?;
    let (per_second, tally) = (rate(&insurer), insurer.tally());
    hub.stop().await?;
    // A hub that begins anew has metrics of the load alone.
    let hub = site.serve().await?;
    let pace = ground.at(route.rate);
    let load = measure::run(&hub.door, admissions, pace, &bodies, None).await?;
    all_had(&insurer, backlog + load.all_answers()).await?;
    let at_most = async |part| quantile(&hub.door, OVERHEAD, INSURER, part).await;
    let (overhead_p50_ms, overhead_p99_ms) = (at_most(500).await?, at_most(990).await?);
    hub.stop().await?;
    Ok(Routed {
        wire,
        backlog,
        per_second,
        repeats: tally.repeats,
        out_of_order: tally.out_of_order,
        load,
        overhead_p50_ms,
        overhead_p99_ms,
        checkup: site.check().await?,
    })
}

async fn insurer(wire: &str, address: SocketAddr) -> Result<Simulator, Error> {
    let wire = match wire {
        "grpc" => Wire::Grpc,
        _ => Wire::Rest {
            secret: WEBHOOK_SECRET.to_owned(),
        },
    };
    let setup = Setup {
        address,
        ..Setup::new(INSURER, wire)
    };
    Simulator::start(setup)
        .await
        .map_err(|error| Error::Answer(error.to_string()))
}

/// How many deliveries wait.
async fn owed(hub: &Hub) -> Result<u64, Error> {
    let name = format!("takmil_deliveries_waiting{{insurer=\"{INSURER}\"}} ");
    let text = crate::hub::metrics(&hub.door).await?;
    let found = text.lines().find_map(|line| line.strip_prefix(&name));
    let found = found.and_then(|count| count.trim().parse().ok());
    found.ok_or_else(|| Error::Answer("the metrics do not count deliveries".to_owned()))
}

/// Waits until the insurer has so many.
async fn all_had(insurer: &Simulator, all: u64) -> Result<(), Error> {
    let had = || u64::try_from(insurer.tally().deliveries).unwrap_or(u64::MAX);
    let (mut last, mut since) = (had(), Instant::now());
    while last < all {
        sleep(LOOK_EVERY).await;
        if had() > last {
            (last, since) = (had(), Instant::now());
        }
        if since.elapsed() > STUCK {
            let said = format!("{last} of {all} deliveries came");
            return Err(Error::Answer(said));
        }
    }
    Ok(())
}

/// How many came a second.
fn rate(insurer: &Simulator) -> u64 {
    let received = insurer.received();
    let (Some(first), Some(last)) = (received.first(), received.last()) else {
        return 0;
    };
    let took = last
        .at
        .saturating_duration_since(first.at)
        .as_micros()
        .max(1);
    let count = u128::try_from(received.len()).unwrap_or(u128::MAX);
    u64::try_from(count.saturating_mul(1_000_000) / took).unwrap_or(u64::MAX)
}

impl Report {
    /// Whether everything came, once and in order, and the hub's own check found nothing.
    pub fn is_well(&self) -> bool {
        self.wires.iter().all(|own| {
            own.repeats == 0
                && own.out_of_order == 0
                && own.load.other_statuses.is_empty()
                && own.checkup.is_well
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_machine(f, &self.machine)?;
        for own in &self.wires {
            writeln!(
                f,
                "\n{}: {} deliveries at {} a second; {} came again, {} out of order",
                own.wire, own.backlog, own.per_second, own.repeats, own.out_of_order
            )?;
            write_runs(f, [("admissions".to_owned(), &own.load)])?;
            write_faults(f, own.wire, &own.load)?;
            let shown = |ms: Option<u64>| ms.map_or("more".to_owned(), |ms| format!("{ms} ms"));
            writeln!(
                f,
                "in the hub, without the insurer's own time: half at most {}, 99 of 100 at most {}",
                shown(own.overhead_p50_ms),
                shown(own.overhead_p99_ms)
            )?;
            writeln!(f, "{}", own.checkup)?;
        }
        Ok(())
    }
}
