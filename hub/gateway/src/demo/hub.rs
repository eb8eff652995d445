//! The hub of the demonstration: the one that `serve` runs, in this process, with TLS on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use takmil_conformance::insurer::HubClient;
use takmil_conformance::provider::Client;
use takmil_conformance::tls::Authority;
use takmil_engine::Engine;
use takmil_store::{Scope, Store};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::folder::Folder;
use super::insurers::LOCAL_NAMES;
use crate::cli::Fatal;
use crate::config::Config;
use crate::hub::Hub;

/// The first wait and the longest before a failed delivery is tried again: nobody wants to watch minutes pass.
const RETRY_FIRST_MS: u64 = 100;
const RETRY_MOST_MS: u64 = 1_000;
/// A hundred clients share one provider's key, and are in a hurry.
const REQUESTS_PER_SECOND: u32 = 100_000;
/// How long what has begun may take at the end.
const DRAIN_MS: u64 = 5_000;

/// A running hub.
pub(super) struct RunningHub {
    /// Its address.
    pub(super) url: String,
    /// The authority that its certificate goes back to.
    pub(super) ca_pem: String,
    engine: Engine,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// How the hub is set up: as a fresh one is, but for its address, its certificate and its haste.
pub(super) fn config(folder: &Folder, authority: &Authority) -> Result<Config, Fatal> {
    folder.keep_identity(authority, &authority.issue(LOCAL_NAMES)?)?;
    let mut config = Config::load(None)?;
    config.listen.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.listen.drain_ms = DRAIN_MS;
    config.tls.certificate_file = folder.certificate();
    config.tls.key_file = folder.key();
    config.store.path = folder.database();
    config.engine.retry_first_ms = RETRY_FIRST_MS;
    config.engine.retry_most_ms = RETRY_MOST_MS;
    config.limits.requests_per_second = REQUESTS_PER_SECOND;
    config.limits.burst = REQUESTS_PER_SECOND;
    Ok(config)
}

impl RunningHub {
    /// Starts the hub.
    pub(super) async fn start(config: Config, authority: &Authority) -> Result<RunningHub, Fatal> {
        let hub = Hub::start(config).await?;
        let (stop, stopped) = oneshot::channel();
        let url = hub.base().to_owned();
        let engine = hub.engine().clone();
        // An error says that whoever would tell it to stop is gone: then it stops as well.
        let end = async move {
            let _ = stopped.await;
        };
        Ok(RunningHub {
            url,
            ca_pem: authority.certificate_pem().to_owned(),
            engine,
            stop,
            running: tokio::spawn(hub.run(end)),
        })
    }

    /// What it remembers.
    pub(super) fn store(&self) -> &Store {
        self.engine.store()
    }

    /// Shows in decisions from now on what the store holds of participants and plans.
    pub(super) async fn refresh(&self) -> Result<(), Fatal> {
        Ok(self.engine.refresh().await?)
    }

    /// A provider's client with its key.
    pub(super) fn provider(&self, key: &str) -> Result<Client, Fatal> {
        Ok(Client::new(&self.url, Some(&self.ca_pem), Some(key))?)
    }

    /// An insurer's client with its key.
    pub(super) fn insurer(&self, key: &str) -> Result<HubClient, Fatal> {
        Ok(HubClient::new(&self.url, Some(&self.ca_pem), key)?)
    }

    /// How many deliveries wait for insurers.
    pub(super) async fn waiting(&self) -> Result<u64, Fatal> {
        let backlogs = self.store().backlogs(&Scope::Hub).await?;
        Ok(backlogs.iter().map(|backlog| backlog.waiting).sum())
    }

    /// Waits until nothing waits for insurers, and has not for a moment: a delivery for review brings a decision,
    /// which brings deliveries. Says whether that came about within `patience`.
    pub(super) async fn settle(
        &self,
        patience: Duration,
        mut watch: impl FnMut(u64),
    ) -> Result<bool, Fatal> {
        const PAUSE: Duration = Duration::from_millis(50);
        const QUIET: u32 = 4;
        let begun = std::time::Instant::now();
        let mut quiet = 0;
        while quiet < QUIET {
            let waiting = self.waiting().await?;
            watch(waiting);
            quiet = if waiting == 0 {
                quiet.saturating_add(1)
            } else {
                0
            };
            if begun.elapsed() > patience {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(true)
    }

    /// Takes nothing new, finishes what has begun, and closes the store.
    pub(super) async fn stop(self) {
        // Where nobody hears it, the hub has ended already.
        let _ = self.stop.send(());
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the hub ended badly");
        }
    }
}
