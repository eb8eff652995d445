//! The faces of the hub: REST, FHIR and gRPC on one port. Each turns a request into a question to the engine or
//! the store, and the answer into its own words; none decides anything.

mod acks;
mod changed;
mod decisions;
pub(crate) mod fhir;
pub(crate) mod grpc;
pub(crate) mod openapi;
mod reading;
pub(crate) mod request;
pub(crate) mod rest;
pub(crate) mod submit;
pub(crate) mod uploads;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use takmil_engine::{Engine, Outage};
use takmil_store::Store;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::auth::{self, Holders};
use crate::code::{Code, Failure};
use crate::config::Config;
use crate::feed::Feed;
use crate::listener::renewal::Renewal;
use crate::neighbours::Neighbours;
use crate::rates::Rates;
use crate::telemetry::Metrics;
use grpc::desks::Desks;
use rest::{Published, Simulations};

/// What all faces of one running hub share. Clones share it.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// See [`App`].
pub(crate) struct Shared {
    /// The hub at work.
    pub(crate) engine: Engine,
    /// What it remembers.
    pub(crate) store: Store,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// The configuration in force.
    pub(crate) config: Config,
    /// The hub's address as others see it, without a slash at the end.
    pub(crate) base: String,
    /// The holders of credentials that were seen of late.
    pub(crate) holders: Holders,
    /// How many requests each participant may send.
    pub(crate) rates: Rates,
    /// What happens, for those who watch.
    pub(crate) feed: Arc<Feed>,
    /// The other hubs on the same database, where they share a Redis.
    pub(crate) neighbours: Option<Arc<Neighbours>>,
    /// What is on its way over insurers' own streams.
    pub(crate) desks: Arc<Desks>,
    /// Of rehearsals, how many more may run.
    pub(crate) simulations: Simulations,
    /// What is given to all who ask.
    pub(crate) published: Published,
    /// The certificates in force.
    pub(crate) renewal: Arc<Renewal>,
    /// How far the hub has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// How often the store could not serve a request.
    pub(crate) outage: Outage,
}

/// How far a hub has come, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It serves still, and says that it goes, so that nobody sends it more.
    Leaving,
    /// It takes nothing new.
    Stopping,
}

/// Resolves when the hub has come so far, or nobody can tell any more: then it has stopped.
pub(crate) async fn reached(phase: &mut watch::Receiver<Phase>, so_far: Phase) {
    let _ = phase.wait_for(|phase| *phase >= so_far).await;
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// The state of a hub that starts.
    pub(crate) fn new(shared: Shared) -> App {
        App(Arc::new(shared))
    }

    /// Goes by documents and participants as they are now, and tells the other hubs that they have changed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn changed(&self) -> Result<(), Failure> {
        self.holders.forget();
        self.engine.refresh().await?;
        if let Some(neighbours) = &self.neighbours {
            neighbours.tell_of_changes();
        }
        Ok(())
    }
}

/// Every face behind one router.
///
/// # Errors
/// If the services over gRPC cannot describe themselves.
pub(crate) async fn router(app: &App) -> Result<Router, tonic_reflection::server::Error> {
    let (rest, _) = openapi::routes().split_for_parts();
    let timeout = Duration::from_millis(app.config.listen.request_timeout_ms);
    let rest = rest
        .fallback(async || Failure::from(Code::NotFound))
        .method_not_allowed_fallback(async || Failure::from(Code::Method))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            timeout,
        ))
        .layer(CatchPanicLayer::new())
        .layer(from_fn_with_state(app.clone(), request::attend))
        .with_state(app.clone());
    // The other way round, unknown addresses would be answered as gRPC.
    let all = grpc::add(tonic::service::Routes::from(rest), app)
        .await?
        .into_axum_router();
    Ok(all.layer(from_fn_with_state(app.clone(), auth::admit)))
}
