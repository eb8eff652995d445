//! A whole hub in one process: store, engine, faces and listener put together, run, and brought to rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use takmil_engine::{Engine, Parts};
use takmil_insurers::Transports;
use takmil_mappings::{Table, Tables};
use takmil_store::{Place, Store, StoreConfig};
use tokio::sync::watch;

use crate::auth::{Keys, Rates};
use crate::cli::Fatal;
use crate::clock;
use crate::config::Config;
use crate::faces::grpc::desks::Desks;
use crate::faces::rest::Published;
use crate::faces::{self, App, Shared};
use crate::listener::{Listener, tls};
use crate::telemetry::Metrics;

/// A hub that listens.
pub(crate) struct Hub {
    app: App,
    listener: Listener,
    router: axum::Router,
    stop: watch::Sender<bool>,
}

impl Hub {
    /// Opens the store, starts the engine, and binds the address.
    ///
    /// # Errors
    /// Whatever keeps the hub from starting.
    pub(crate) async fn start(config: Config) -> Result<Hub, Fatal> {
        let store = open_store(&config).await?;
        if let Some(folder) = config.seed.named() {
            crate::cli::import::seed(&store, folder).await?;
        }
        let engine = Engine::start(Parts {
            store: store.clone(),
            tables: tables(&config)?,
            transports: Transports::new(),
            clock: Arc::new(clock::now),
            random: Arc::new(rand::random),
            config: config.engine.clone(),
        });
        let engine = engine.await?;
        let metrics = Metrics::new()?;
        let server = match config.tls.files() {
            Some((certificate, key)) => Some(tls::server(certificate, key)?),
            None => None,
        };
        let scheme = if server.is_some() { "https" } else { "http" };
        let listener = Listener::bind(&config.listen, server, metrics.clone()).await?;
        let base = match config.listen.public_url.as_str() {
            "" => format!("{scheme}://{}", listener.address()?),
            named => named.trim_end_matches('/').to_owned(),
        };
        let (stop, stopping) = watch::channel(false);
        let app = App::new(Shared {
            engine,
            store,
            metrics,
            base,
            keys: Keys::default(),
            rates: Rates::new(&config.limits),
            desks: Desks::new(config.limits.streams_per_insurer),
            published: Published::new()?,
            stopping,
            config,
        });
        let router = faces::router(&app).await?;
        Ok(Hub {
            app,
            listener,
            router,
            stop,
        })
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
            router,
            stop,
        } = self;
        let told = async {
            end.await;
            // Readiness and streams hear of it before the door closes.
            stop.send_replace(true);
        };
        listener.serve(router, told).await;
        let deadline = Duration::from_millis(app.config.listen.drain_ms);
        app.engine.drain(deadline).await;
    }
}

/// Opens the store that a configuration names.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open_store(config: &Config) -> Result<Store, Fatal> {
    let store = StoreConfig {
        place: Place::File(config.store.path.clone()),
        readers: config.store.readers,
        random: Arc::new(rand::random),
    };
    Ok(Store::open(&store).await?)
}

/// The shipped code tables, and those of the configured folder beside them.
///
/// # Errors
/// If a table cannot be read.
pub(crate) fn tables(config: &Config) -> Result<Tables, Fatal> {
    let files = config.tables.named().map(table_files).transpose()?;
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

fn table_files(folder: &std::path::Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let entries = folder.read_dir()?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "tsv"));
    files.sort();
    Ok(files)
}
