//! Bad ways: between clients and hub, and between hub and insurer. Nothing that was acknowledged is lost, what is owed
//! comes soon after the weather clears, and the hub lets go of every connection that leads nowhere.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use tokio::time::{Instant, sleep};

use super::desk::Desk;
use super::hub::{Hub, millis};
use super::place::Plan;
use super::proxy::{Proxy, Weather};
use super::report::Report;
use super::traffic::{Patience, begin};
use super::trial::{CLIENTS, Rounds, Trial, plan, run_rounds};
use super::{Error, Run};

/// How many rounds one hub goes through, without ever being stopped.
const ON_ONE: u64 = 25;
/// What may be wrong. Delays and drips are longer than the hub and the clients wait, or shorter.
const WEATHERS: &[Weather] = &[
    Weather::Delay { ms: 30 },
    Weather::Delay { ms: 5_000 },
    Weather::Stalled,
    Weather::Dripping,
    Weather::Reset,
    Weather::HalfOpen,
];
/// How long it is bad, and how long fair before and after, in milliseconds.
const BAD_MS: std::ops::Range<u64> = 100..1_200;
const FAIR_MS: std::ops::Range<u64> = 50..250;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(700);
/// The hub's own patience, shorter than its defaults, so that a round needs no minutes.
const LISTEN: &str = "header_timeout_ms = 2000\nrequest_timeout_ms = 3000\n";
const ENGINE: &str =
    "[engine]\ndeliver_deadline_ms = 1000\nretry_first_ms = 100\nretry_most_ms = 2000\n";
/// How long the hub may take to let go of what it holds, and how much it may hold more than at first: connections to
/// its insurer stay open, as many as deliveries go at once; the store opens its readers when it needs them; and memory
/// that was used once is kept by the allocator.
const LETS_GO: Duration = Duration::from_secs(30);
const MORE_FILES: usize = 16 + 8;
const MORE_KIB: u64 = 96 * 1024;
/// How soon after the weather clears all that is owed has to be there.
const RECOVERS: Duration = Duration::from_secs(30);
/// How often is looked.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Spoils the network for `rounds`, and looks after each what is left.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn network(run: &Run, rounds: u64) -> Result<Report, Error> {
    let (inward, outward) = (Proxy::start().await?, Proxy::start().await?);
    let fresh = || {
        let mut plan = plan(run, None);
        plan.world.insurer_url = outward.url();
        Plan {
            listen: LISTEN,
            more: ENGINE,
            ..plan
        }
    };
    let trial = Trial::new("network", run, &format!("--rounds {rounds}"), fresh()).await?;
    let rounds = Rounds {
        all: rounds,
        on_one: ON_ONE,
    };
    let mut at_first: Option<(String, usize, u64)> = None;
    run_rounds(trial, rounds, fresh, async |trial, hub, random| {
        inward.lead_to(address(hub.url())?);
        outward.lead_to(trial.place.insurer.address());
        let (files, kib) = match &at_first {
            Some((url, files, kib)) if url == hub.url() => (*files, *kib),
            _ => {
                let (files, kib) = warm_up(trial, &hub).await?;
                at_first = Some((hub.url().to_owned(), files, kib));
                (files, kib)
            }
        };
        let mut spell = |range| Duration::from_millis(random.random_range(range));
        let (before, bad, after) = (spell(FAIR_MS), spell(BAD_MS), spell(FAIR_MS));
        let weather = WEATHERS.choose(random).copied().unwrap_or(Weather::Reset);
        let ways: &[&Proxy] = match random.random_range(0..3) {
            0 => &[&inward],
            1 => &[&outward],
            _ => &[&inward, &outward],
        };
        let traffic = begin(
            &trial.book,
            desks(trial, &inward)?,
            random.random(),
            Patience::GoOn,
        );
        sleep(before).await;
        ways.iter().for_each(|way| way.turn(weather));
        sleep(bad).await;
        ways.iter().for_each(|way| way.turn(Weather::Fair));
        let cleared = Instant::now();
        sleep(after).await;
        trial.note(traffic.end().await?);
        trial.settle(&hub.clinic()?).await?;
        trial.deliveries().await;
        let recovered = cleared.elapsed();
        if recovered > RECOVERS {
            trial.fail(format!("all was delivered only after {recovered:?}"));
        }
        let name = "milliseconds until all was delivered, at most";
        trial.report.most(name, millis(recovered));
        lets_go(trial, &hub, files, kib).await?;
        Ok(hub)
    })
    .await
}

fn address(url: &str) -> Result<SocketAddr, Error> {
    let address = url.trim_start_matches("http://").parse();
    address.map_err(|_| Error::Answer(format!("the hub listens at {url}")))
}

fn desks(trial: &Trial, way: &Proxy) -> Result<Vec<Desk>, Error> {
    let key = &trial.place.clinic_key;
    (0..CLIENTS)
        .map(|_| Desk::with_patience(&way.url(), key, PATIENCE))
        .collect()
}

/// What a hub holds that has served and rests.
async fn warm_up(trial: &mut Trial, hub: &Hub) -> Result<(usize, u64), Error> {
    let traffic = trial.traffic(hub.url(), Patience::GoOn)?;
    sleep(Duration::from_millis(300)).await;
    trial.note(traffic.end().await?);
    trial.deliveries().await;
    hub.holds()
}

/// Waits until the hub holds no more than at first.
async fn lets_go(trial: &mut Trial, hub: &Hub, files: usize, kib: u64) -> Result<(), Error> {
    let began = Instant::now();
    let (now_files, now_kib) = loop {
        let (now_files, now_kib) = hub.holds()?;
        let is_back = now_files <= files.saturating_add(MORE_FILES)
            && now_kib <= kib.saturating_add(MORE_KIB);
        if is_back || began.elapsed() > LETS_GO {
            break (now_files, now_kib);
        }
        sleep(LOOK_AGAIN).await;
    };
    let name = "KiB resident after a round, at most";
    trial.report.most(name, now_kib);
    if now_files > files.saturating_add(MORE_FILES) {
        trial.fail(format!(
            "{now_files} files are open, and {files} were at first"
        ));
    }
    if now_kib > kib.saturating_add(MORE_KIB) {
        trial.fail(format!(
            "{now_kib} KiB are resident, and {kib} were at first"
        ));
    }
    Ok(())
}
