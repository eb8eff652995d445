//! A whole hub in one process: store, engine, faces and listener put together, run, and brought to rest.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use takmil_engine::{Engine, Outage, Parts};
use takmil_insurers::Transports;
use takmil_mappings::{Table, Tables};
use takmil_store::{Place, Store, StoreConfig};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::audit;
use crate::auth::Holders;
use crate::cli::Fatal;
use crate::clock;
use crate::config::Config;
use crate::faces::grpc::desks::Desks;
use crate::faces::rest::Published;
use crate::faces::{self, App, Phase, Shared, reached};
use crate::feed::{self, Feed};
use crate::listener::Listener;
use crate::listener::renewal::{Current, Renewal};
use crate::listener::tls::{Clients, Files, TlsError};
use crate::neighbours::Neighbours;
use crate::rates::Rates;
use crate::telemetry::Metrics;

/// A hub that listens.
pub(crate) struct Hub {
    app: App,
    listener: Listener,
    /// The partner port, where there is one.
    partners: Option<Listener>,
    router: axum::Router,
    phase: watch::Sender<Phase>,
    /// What goes on beside the requests: telling the feed and the other hubs, hearing them, taking uploads.
    beside: JoinSet<()>,
}

impl Hub {
    /// Opens the store, starts the engine, and binds the addresses.
    ///
    /// # Errors
    /// Whatever keeps the hub from starting.
    pub(crate) async fn start(config: Config) -> Result<Hub, Fatal> {
        let transports = Transports::new();
        let mut renewal = Renewal::default();
        let certificates = Certificates::read(&config, &transports, &mut renewal)?;
        let store = open_store(&config).await?;
        let tables = tables(config.tables.named())?;
        if let Some(folder) = config.seed.named() {
            crate::cli::import::seed(&store, &tables, folder).await?;
        }
        let clinical = Arc::new(takmil_mappings::clinical::tables(&tables)?);
        let metrics = Metrics::new()?;
        let observer = metrics.clone();
        let engine = Engine::start(Parts {
            store: store.clone(),
            tables,
            clinical,
            transports,
            clock: Arc::new(clock::now),
            random: Arc::new(rand::random),
            log: audit::log_key(&config)?,
            config: config.engine.clone(),
            settlement: config.settlement,
            observe: Arc::new(move |seen| observer.seen(seen)),
        });
        let engine = engine.await?;
        let listen = &config.listen;
        let Certificates { all, partners } = certificates;
        let scheme = if all.is_some() { "https" } else { "http" };
        let listener = Listener::bind(listen.address, all, listen, metrics.clone()).await?;
        let partners = match (config.partners.address(), partners) {
            (Some(address), Some(tls)) => {
                Some(Listener::bind(address, Some(tls), listen, metrics.clone()).await?)
            }
            _ => None,
        };
        let base = match config.listen.public_url.as_str() {
            "" => format!("{scheme}://{}", listener.address()?),
            named => named.trim_end_matches('/').to_owned(),
        };
        let neighbours = Neighbours::of(&config)?;
        let feed = Feed::new();
        let mut beside = JoinSet::new();
        beside.spawn(feed::follow(&engine, Arc::clone(&feed), neighbours.clone()));
        let (phase, seen) = watch::channel(Phase::Serving);
        let app = App::new(Shared {
            simulations: Arc::new(Semaphore::new(config.limits.simulations)),
            engine,
            store,
            metrics,
            base,
            holders: Holders::default(),
            rates: Rates::new(&config, neighbours.as_ref()),
            feed,
            neighbours: neighbours.clone(),
            desks: Desks::new(config.limits.streams_per_insurer),
            published: Published::new()?,
            renewal: Arc::new(renewal),
            phase: seen,
            outage: Outage::new("the store cannot serve requests"),
            config,
        });
        if let Some(neighbours) = neighbours {
            beside.spawn(neighbours.hear(app.clone()));
        }
        beside.spawn(faces::uploads::run(app.clone()));
        let router = faces::router(&app).await?;
        Ok(Hub {
            app,
            listener,
            partners,
            router,
            phase,
            beside,
        })
    }

    /// The address of the partner port, where there is one.
    pub(crate) fn partners(&self) -> std::io::Result<Option<SocketAddr>> {
        self.partners.as_ref().map(Listener::address).transpose()
    }

    /// The certificates in force, for those who know that their files have changed.
    pub(crate) fn renewal(&self) -> Arc<Renewal> {
        Arc::clone(&self.app.renewal)
    }

    /// Where whoever sees the hub's end coming says so: see [`Phase::Leaving`].
    pub(crate) fn phase(&self) -> watch::Sender<Phase> {
        self.phase.clone()
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.address()
    }

    /// The address as others see it.
    pub(crate) fn base(&self) -> &str {
        &self.app.base
    }

    /// The engine at work in it.
    pub(crate) fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Serves until `end`; then takes nothing new, finishes what has begun, and closes the store.
    pub(crate) async fn run(self, end: impl Future<Output = ()>) {
        let Hub {
            app,
            listener,
            partners,
            router,
            phase,
            mut beside,
        } = self;
        let renewing = tokio::spawn(Arc::clone(&app.renewal).keep_looking());
        let mut seen = phase.subscribe();
        let told = async {
            end.await;
            // Readiness and streams hear of it before the door closes.
            phase.send_replace(Phase::Stopping);
        };
        let at_partners = async {
            if let Some(partners) = partners {
                let told = reached(&mut seen, Phase::Stopping);
                partners.serve(router.clone(), told).await;
            }
        };
        tokio::join!(listener.serve(router.clone(), told), at_partners);
        renewing.abort();
        let deadline = Duration::from_millis(app.config.listen.drain_ms);
        app.engine.drain(deadline).await;
        beside.shutdown().await;
    }
}

/// What the ports speak TLS by.
struct Certificates {
    /// The port for all; in plain text where there is none.
    all: Option<Current>,
    /// The partner port, where there is one.
    partners: Option<Current>,
}

impl Certificates {
    /// Reads the certificates that a configuration names, those shown to insurers included, and lets `renewal` keep
    /// them up to date.
    fn read(
        config: &Config,
        transports: &Transports,
        renewal: &mut Renewal,
    ) -> Result<Certificates, TlsError> {
        let files = |(certificate, key): (&Path, &Path), clients| Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients,
        };
        let partners = &config.partners;
        if let Some((certificate, key)) = partners.client_files() {
            let shown = [certificate, key].map(Path::to_owned);
            renewal.shown("partners (client)", shown, transports.clone())?;
        }
        let own = config.tls.files().map(|pair| files(pair, None));
        let own = own.map(|files| renewal.port("tls", files)).transpose()?;
        let has_port = partners.address().is_some();
        let theirs = partners.files(&config.tls).filter(|_| has_port);
        let theirs = theirs.map(|pair| {
            let clients = Clients {
                authorities: partners.client_authority_files.clone(),
                revoked: partners.revocation_files.clone(),
            };
            renewal.port("partners", files(pair, Some(clients)))
        });
        Ok(Certificates {
            all: own,
            partners: theirs.transpose()?,
        })
    }
}

/// Opens the store that a configuration names.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open_store(config: &Config) -> Result<Store, Fatal> {
    open_store_at(config, config.store.place()?).await
}

/// Opens a store elsewhere, with the keys that a configuration names.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open_store_at(config: &Config, place: Place) -> Result<Store, Fatal> {
    let store = StoreConfig {
        place,
        readers: config.store.readers,
        random: Arc::new(rand::random),
        keys: Arc::new(config.store.keys()?),
    };
    Ok(Store::open(&store).await?)
}

/// The shipped code tables, and those of a folder beside them.
///
/// # Errors
/// If a table cannot be read.
pub(crate) fn tables(folder: Option<&Path>) -> Result<Tables, Fatal> {
    let files = folder.map(table_files).transpose()?;
    let mut tables = Tables::shipped();
    for file in files.unwrap_or_default() {
        let text = std::fs::read_to_string(&file)?;
        let table = Table::parse(text).map_err(|error| format!("{}: {error}", file.display()))?;
        tables = tables.with(table);
    }
    // The first message is not to wait for tables to unpack.
    tables.warm()?;
    Ok(tables)
}

fn table_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = folder.read_dir()?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "tsv"));
    files.sort();
    Ok(files)
}
