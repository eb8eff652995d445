//! Simulated insurers: a server that decides as its script says and remembers what it was given.

mod grpc;
mod hub;
mod records;
mod rest;
mod script;

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use takmil_proto::v1;
use tokio::task::JoinSet;

pub use hub::{DeliveryStream, HubClient};
pub use records::{Received, Tally};
pub use script::{Manner, Play, Script, Step, Verdict, When};

use crate::Error;
use crate::server::Server;
use crate::tls::Identity;
use records::{Notice, Records};

/// What a simulated insurer is.
#[derive(Clone)]
pub struct Setup {
    /// Its id at the hub.
    pub insurer: String,
    /// Which wire it speaks.
    pub wire: Wire,
    /// Where it listens; port 0 for any that is free.
    pub address: SocketAddr,
    /// What it shows for TLS; plain text without one.
    pub identity: Option<Identity>,
    /// The authority whose certificates it asks its clients for, as PEM; anybody may connect without one.
    pub clients: Option<String>,
    /// How it behaves at first.
    pub script: Script,
}

/// The wires between hub and insurer.
#[derive(Clone)]
pub enum Wire {
    /// The insurer's gRPC service.
    Grpc,
    /// Signed webhooks.
    Rest {
        /// The secret that they are signed with ("whsec_…").
        secret: String,
    },
}

impl Setup {
    /// An insurer on a free port of this machine, in plain text, that approves whatever it is asked.
    pub fn new(insurer: impl Into<String>, wire: Wire) -> Self {
        Self {
            insurer: insurer.into(),
            wire,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: None,
            clients: None,
            script: Script::approve(),
        }
    }
}

/// A running insurer. Dropping it ends it.
pub struct Simulator {
    insurer: Arc<Insurer>,
    server: Arc<Server>,
    flapping: tokio::sync::Mutex<JoinSet<()>>,
}

impl Simulator {
    /// Starts an insurer.
    ///
    /// # Errors
    /// [`Error`] where the socket, the certificate or the secret cannot be used.
    pub async fn start(setup: Setup) -> Result<Self, Error> {
        let insurer = Arc::new(Insurer {
            id: setup.insurer,
            play: Mutex::new(setup.script.into()),
            given: AtomicU64::new(0),
            held: Mutex::default(),
            records: Mutex::default(),
            hub: Mutex::new(None),
        });
        let app = match setup.wire {
            Wire::Grpc => grpc::app(Arc::clone(&insurer)),
            Wire::Rest { secret } => rest::app(Arc::clone(&insurer), &secret)?,
        };
        let (identity, clients) = (setup.identity.as_ref(), setup.clients.as_deref());
        let server = Server::start(setup.address, app, identity, clients).await?;
        let simulator = Self {
            insurer,
            server: Arc::new(server),
            flapping: tokio::sync::Mutex::default(),
        };
        simulator.perform(setup.script).await;
        Ok(simulator)
    }

    /// Where it listens, as the hub's entry for it has to say.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Behaves by another script from now on. Calls under way end by the one that they began with.
    pub async fn perform(&self, play: impl Into<Play>) {
        let play = play.into();
        let manner = play.otherwise.manner;
        *lock(&self.insurer.play) = play;
        let mut flapping = self.flapping.lock().await;
        if !flapping.is_empty() {
            flapping.shutdown().await;
            self.come_back().await;
        }
        if let Manner::Flapping { period_ms } = manner {
            let server = Arc::clone(&self.server);
            flapping.spawn(flap(server, Duration::from_millis(period_ms.max(1))));
        }
    }

    /// Ends it like a crash: connections break, new ones are refused. What it was given it keeps.
    pub async fn kill(&self) {
        self.server.kill().await;
    }

    /// Brings it back on the same port.
    ///
    /// # Errors
    /// [`Error::Listen`] where somebody else has taken the port meanwhile.
    pub async fn revive(&self) -> Result<(), Error> {
        self.server.revive().await
    }

    /// Whether it listens now.
    pub async fn is_up(&self) -> bool {
        self.server.is_up().await
    }

    /// Gives it a way to the hub: decides what comes for review, and repeats its decisions where the script says so.
    pub fn report_to(&self, hub: HubClient) {
        *lock(&self.insurer.hub) = Some(hub);
    }

    /// Every delivery that it was given, once each, in the order in which they first came.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.insurer.records).all()
    }

    /// How much it was given.
    pub fn tally(&self) -> Tally {
        lock(&self.insurer.records).tally()
    }

    async fn come_back(&self) {
        if let Err(error) = self.server.revive().await {
            tracing::warn!(%error, "a simulated insurer could not come back");
        }
    }
}

/// Comes and goes until it is ended.
async fn flap(server: Arc<Server>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        server.kill().await;
        tokio::time::sleep(period).await;
        if let Err(error) = server.revive().await {
            tracing::warn!(%error, "a simulated insurer could not come back");
        }
    }
}

/// What both wires share: how the insurer behaves, and what it remembers.
struct Insurer {
    id: String,
    play: Mutex<Play>,
    /// How much it was given, for steps that go by it.
    given: AtomicU64,
    /// Decisions that wait to go in another order.
    held: Mutex<Vec<v1::InsurerDecision>>,
    records: Mutex<Records>,
    hub: Mutex<Option<HubClient>>,
}

/// That the insurer takes no call, now or ever.
struct Declined {
    permanent: bool,
}

impl Insurer {
    /// Takes a question and answers it as scripted, or never.
    async fn decide(&self, notice: Notice) -> Result<v1::InsurerDecision, Declined> {
        let script = self.willing(&notice)?;
        let decision = script.verdict.on(&self.id, &notice);
        lock(&self.records).add(notice);
        wait(script.manner).await;
        self.report(script, &decision, 0);
        Ok(decision)
    }

    /// Says whether a member is covered: not where the script refuses, nothing that makes sense where it makes none.
    async fn cover(&self, notice: Notice) -> Result<v1::CoverStatement, Declined> {
        let script = self.willing(&notice)?;
        let standing = match script.verdict {
            Verdict::Refuse => v1::CoverStanding::Inactive,
            Verdict::Pend => v1::CoverStanding::Suspended,
            Verdict::Nonsense => v1::CoverStanding::Unspecified,
            _ => v1::CoverStanding::Active,
        };
        let statement = v1::CoverStatement {
            message_id: notice.message_id.clone(),
            reference: format!("{}-{}", self.id, notice.delivery_id),
            standing: standing.into(),
            benefits: vec!["all that the policy names".to_owned()],
            ..v1::CoverStatement::default()
        };
        lock(&self.records).add(notice);
        wait(script.manner).await;
        Ok(statement)
    }

    /// Keeps a delivery, and decides one for review. Says whether it had it before.
    async fn keep(&self, notice: Notice) -> Result<bool, Declined> {
        let script = self.willing(&notice)?;
        let is_to_decide = matches!(notice.purpose.as_str(), "review" | "clarified");
        let asked = is_to_decide && script.verdict != Verdict::Pend;
        let decision = asked.then(|| script.verdict.on(&self.id, &notice));
        let repeated = lock(&self.records).add(notice);
        wait(script.manner).await;
        if let Some(decision) = decision {
            self.report(script, &decision, 1);
        }
        Ok(repeated)
    }

    /// The script for what it is given, where it takes the call at all.
    fn willing(&self, notice: &Notice) -> Result<Script, Declined> {
        let place = self.given.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let script = lock(&self.play).on(notice, place);
        match script.manner {
            Manner::Declining { permanent } => Err(Declined { permanent }),
            _ => Ok(script),
        }
    }

    /// Submits a decision to the hub `times`, and as often again as the script repeats.
    fn report(&self, script: Script, decision: &v1::InsurerDecision, times: usize) {
        let again = match script.manner {
            Manner::Repeating { times } => usize::from(times),
            _ => 0,
        };
        let mut decisions = vec![decision.clone(); times.saturating_add(again)];
        if let Manner::Reordering { hold } = script.manner {
            let mut held = lock(&self.held);
            held.append(&mut decisions);
            if held.len() >= usize::from(hold) {
                decisions = std::mem::take(&mut *held);
                decisions.reverse();
            }
        }
        let hub = lock(&self.hub).clone();
        let (Some(hub), false) = (hub, decisions.is_empty()) else {
            return;
        };
        tokio::spawn(async move {
            if let Err(status) = hub.submit_decisions(decisions).await {
                tracing::warn!(code = ?status.code(), "the hub took no decisions");
            }
        });
    }
}

async fn wait(manner: Manner) {
    match manner {
        Manner::Slow { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
        Manner::Silent => pending().await,
        _ => {}
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
