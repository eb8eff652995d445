//! What the hub tells of itself: the log and the metrics. Neither ever holds a body, a name or an identifier
//! of a person.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::io::IsTerminal;
use std::time::Duration;
use takmil_domain::date::Instant;
use takmil_engine::Status;
use takmil_store::Backlog;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::{LogFormat, Telemetry};

/// Why the log cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The filter cannot be read.
    #[error("telemetry.log cannot be read as a filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another log runs already.
    #[error("the log runs already")]
    Twice,
}

/// Starts the log on standard error, once for the process.
pub(crate) fn start_log(config: &Telemetry) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.log)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(SystemTime)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Human => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LogError::Twice)
}

/// Upper bounds of the latency buckets, in seconds: the counter's 50 ms lies well inside.
const LATENCY_BUCKETS_S: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The metrics of one running hub.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    messages: IntCounterVec,
    /// Open connections.
    pub(crate) connections: IntGauge,
    lanes: IntGaugeVec,
    waiting: IntGaugeVec,
    oldest: IntGaugeVec,
}

impl Metrics {
    /// Fresh metrics, all at nothing.
    ///
    /// # Errors
    /// [`prometheus::Error`] if two have one name.
    pub(crate) fn new() -> Result<Metrics, prometheus::Error> {
        let latency = HistogramOpts::new(
            "takmil_request_seconds",
            "How long requests took, by address.",
        );
        let metrics = Metrics {
            registry: Registry::new(),
            requests: counters(
                "takmil_requests_total",
                "Requests by address and status.",
                &["route", "status"],
            )?,
            latency: HistogramVec::new(latency.buckets(LATENCY_BUCKETS_S.to_vec()), &["route"])?,
            messages: counters(
                "takmil_messages_total",
                "Messages by kind, wire format and what became of them.",
                &["kind", "format", "outcome"],
            )?,
            connections: IntGauge::new("takmil_connections", "Open connections.")?,
            lanes: gauges(
                "takmil_lanes",
                "Orders that wait for a lane; turns done, and orders done in them, since the start.",
                &["what"],
            )?,
            waiting: gauges(
                "takmil_deliveries_waiting",
                "Deliveries owed to an insurer.",
                &["insurer"],
            )?,
            oldest: gauges(
                "takmil_delivery_oldest_ms",
                "How long the oldest delivery has been owed to an insurer, in milliseconds.",
                &["insurer"],
            )?,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.latency.clone()))?;
        registry.register(Box::new(metrics.messages.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.lanes.clone()))?;
        registry.register(Box::new(metrics.waiting.clone()))?;
        registry.register(Box::new(metrics.oldest.clone()))?;
        Ok(metrics)
    }

    /// Counts an answered request. `route` is an address as it is written in the router, never as it was asked.
    pub(crate) fn request(&self, route: &str, status: u16, took: Duration) {
        let status = status.to_string();
        self.requests
            .with_label_values(&[route, status.as_str()])
            .inc();
        self.latency
            .with_label_values(&[route])
            .observe(took.as_secs_f64());
    }

    /// Counts what became of a message.
    pub(crate) fn message(&self, kind: &str, format: &str, outcome: &str) {
        self.messages
            .with_label_values(&[kind, format, outcome])
            .inc();
    }

    /// Notes how the engine is doing, and what is owed to each insurer.
    pub(crate) fn engine(&self, status: &Status, backlogs: &[Backlog], now: Instant) {
        let lanes =
            |what: &str, count: u64| self.lanes.with_label_values(&[what]).set(signed(count));
        lanes("waiting", u64::try_from(status.waiting).unwrap_or(u64::MAX));
        lanes("turns", status.turns);
        lanes("orders", status.orders);
        for backlog in backlogs {
            let insurer = &[backlog.insurer.as_str()];
            let age_ms = backlog
                .oldest
                .map_or(0, |oldest| now.0.saturating_sub(oldest.0) / 1_000);
            self.waiting
                .with_label_values(insurer)
                .set(signed(backlog.waiting));
            self.oldest.with_label_values(insurer).set(age_ms);
        }
    }

    /// Everything in the text form that collectors read.
    ///
    /// # Errors
    /// [`prometheus::Error`] if a metric cannot be written.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}
