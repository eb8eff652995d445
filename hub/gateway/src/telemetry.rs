//! What the hub tells of itself: the log and the metrics. Neither ever holds a body, a name or an identifier
//! of a person.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::io::IsTerminal;
use std::time::Duration;
use takmil_domain::date::Instant;
use takmil_domain::decision::DecidedBy;
use takmil_domain::participant::AnswerMode;
use takmil_engine::{CircuitState, MoneyStanding, PartyStanding, Seen, Status};
use takmil_store::{Backlog, LogState, RegistrationBacklog};
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
    hedged: IntCounterVec,
    faults: IntCounterVec,
    codes: IntCounterVec,
    unregistered: IntGauge,
    unregistered_ms: IntGauge,
    dead: IntGaugeVec,
    oldest: IntGaugeVec,
    circuit: IntGaugeVec,
    on_the_way: IntGaugeVec,
    answers: HistogramVec,
    hub: HistogramVec,
    asked: HistogramVec,
    delivered: HistogramVec,
    overhead: HistogramVec,
    log_pending: IntGauge,
    log_size: IntGauge,
    log_age: IntGauge,
    owed: IntGaugeVec,
    late: IntGaugeVec,
    redis: IntGauge,
    heard: IntCounterVec,
}

impl Metrics {
    /// Fresh metrics, all at nothing.
    ///
    /// # Errors
    /// [`prometheus::Error`] if two have one name.
    pub(crate) fn new() -> Result<Metrics, prometheus::Error> {
        let metrics = Metrics {
            registry: Registry::new(),
            requests: counters(
                "takmil_requests_total",
                "Requests by address and status.",
                &["route", "status"],
            )?,
            latency: latencies(
                "takmil_request_seconds",
                "How long requests took, by address.",
                &["route"],
            )?,
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
            hedged: counters(
                "takmil_hedged_questions_total",
                "Second questions to an insurer whose first answer took long.",
                &["insurer"],
            )?,
            faults: counters(
                "takmil_insurer_faults_total",
                "What insurers said that could not be used, by its code.",
                &["insurer", "code"],
            )?,
            codes: counters(
                "takmil_codes_total",
                "Codes that a provider sent, by whether the common scheme knows them.",
                &["provider", "outcome"],
            )?,
            unregistered: IntGauge::new(
                "takmil_registrations_waiting",
                "What has no unique code of the central register yet.",
            )?,
            unregistered_ms: IntGauge::new(
                "takmil_registration_oldest_ms",
                "How long the oldest of it waits, in milliseconds.",
            )?,
            dead: gauges(
                "takmil_deliveries_dead",
                "Deliveries that an insurer refused for what they are, and that wait for a person.",
                &["insurer"],
            )?,
            circuit: gauges(
                "takmil_circuit",
                "Whether this hub calls a party: 0 it does, 1 it finds out whether the party is back, 2 the party is away.",
                &["party", "call"],
            )?,
            on_the_way: gauges(
                "takmil_deliveries_on_the_way",
                "Deliveries that are on their way to a party from this hub.",
                &["party"],
            )?,
            answers: latencies(
                "takmil_decision_seconds",
                "How long answers took, by contract mode and by who decided.",
                &["mode", "decided_by"],
            )?,
            hub: latencies(
                "takmil_hub_seconds",
                "How long answers took without the wait for insurers, by contract mode.",
                &["mode"],
            )?,
            asked: latencies(
                "takmil_insurer_seconds",
                "How long insurers took to decide while somebody waited, or to say nothing.",
                &["insurer"],
            )?,
            delivered: latencies(
                "takmil_delivery_seconds",
                "How long deliveries were owed to a party before it had them.",
                &["insurer"],
            )?,
            overhead: latencies(
                "takmil_delivery_overhead_seconds",
                "How long deliveries were owed to a party before it had them, without the party's own time.",
                &["insurer"],
            )?,
            oldest: gauges(
                "takmil_delivery_oldest_ms",
                "How long the oldest delivery has been owed to an insurer, in milliseconds.",
                &["insurer"],
            )?,
            log_pending: IntGauge::new(
                "takmil_audit_pending",
                "Leaves that wait for their number in the tamper-evident log.",
            )?,
            log_size: IntGauge::new("takmil_audit_size", "Entries of the tamper-evident log.")?,
            log_age: IntGauge::new(
                "takmil_audit_head_age_ms",
                "How long ago the head of the tamper-evident log was signed, in milliseconds.",
            )?,
            owed: gauges(
                "takmil_owed",
                "What an insurer owes, argued about or not, by how long it is due, in the currency's smallest unit.",
                &["insurer", "currency", "age"],
            )?,
            late: gauges(
                "takmil_documents_late",
                "Documents that await a stage of their way to payment whose deadline has passed.",
                &["insurer", "stage"],
            )?,
            redis: IntGauge::new(
                "takmil_redis_up",
                "Whether Redis answers; told where there is one.",
            )?,
            heard: counters(
                "takmil_neighbours_heard_total",
                "What was heard of other hubs over Redis: steps of messages, deliveries that are owed, changes.",
                &["what"],
            )?,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.latency.clone()))?;
        registry.register(Box::new(metrics.messages.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.lanes.clone()))?;
        registry.register(Box::new(metrics.waiting.clone()))?;
        registry.register(Box::new(metrics.hedged.clone()))?;
        registry.register(Box::new(metrics.faults.clone()))?;
        registry.register(Box::new(metrics.codes.clone()))?;
        registry.register(Box::new(metrics.unregistered.clone()))?;
        registry.register(Box::new(metrics.unregistered_ms.clone()))?;
        registry.register(Box::new(metrics.oldest.clone()))?;
        registry.register(Box::new(metrics.dead.clone()))?;
        registry.register(Box::new(metrics.circuit.clone()))?;
        registry.register(Box::new(metrics.on_the_way.clone()))?;
        registry.register(Box::new(metrics.answers.clone()))?;
        registry.register(Box::new(metrics.hub.clone()))?;
        registry.register(Box::new(metrics.asked.clone()))?;
        registry.register(Box::new(metrics.delivered.clone()))?;
        registry.register(Box::new(metrics.overhead.clone()))?;
        registry.register(Box::new(metrics.owed.clone()))?;
        registry.register(Box::new(metrics.late.clone()))?;
        registry.register(Box::new(metrics.log_pending.clone()))?;
        registry.register(Box::new(metrics.log_size.clone()))?;
        registry.register(Box::new(metrics.log_age.clone()))?;
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

    /// Notes whether Redis answers. Of a hub that has none nothing is told.
    pub(crate) fn redis(&self, is_up: bool) {
        // Another change has registered it already.
        let _ = self.registry.register(Box::new(self.redis.clone()));
        let _ = self.registry.register(Box::new(self.heard.clone()));
        self.redis.set(i64::from(is_up));
    }

    /// Counts what was heard of another hub.
    pub(crate) fn heard(&self, what: &str, count: u64) {
        self.heard.with_label_values(&[what]).inc_by(count);
    }

    /// Takes in what took how long.
    pub(crate) fn seen(&self, seen: Seen<'_>) {
        let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
        match seen {
            Seen::Answered {
                mode,
                decided_by,
                took,
                waited,
            } => {
                let mode = match mode {
                    AnswerMode::Delegated => "delegated",
                    AnswerMode::Consulted => "consulted",
                    AnswerMode::StandIn => "stand_in",
                };
                let decided_by = decided_by.map_or("nobody", DecidedBy::as_str);
                self.answers
                    .with_label_values(&[mode, decided_by])
                    .observe(took.as_secs_f64());
                self.hub
                    .with_label_values(&[mode])
                    .observe(took.saturating_sub(waited).as_secs_f64());
            }
            Seen::Coded {
                sender,
                mapped,
                unmapped,
            } => {
                for (outcome, count) in [("mapped", mapped), ("unmapped", unmapped)] {
                    self.codes
                        .with_label_values(&[sender.as_str(), outcome])
                        .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
                }
            }
            Seen::Asked { insurer, took } => self
                .asked
                .with_label_values(&[insurer.as_str()])
                .observe(took.as_secs_f64()),
            Seen::Money(standing) => self.money(standing),
            Seen::AskedAgain { insurer } => {
                self.hedged.with_label_values(&[insurer.as_str()]).inc();
            }
            Seen::Fault { insurer, code } => self
                .faults
                .with_label_values(&[insurer.as_str(), code])
                .inc(),
            Seen::Delivered {
                party,
                waited_ms,
                took_ms,
            } => {
                let party = &[party.as_str()];
                self.delivered
                    .with_label_values(party)
                    .observe(seconds(waited_ms));
                self.overhead
                    .with_label_values(party)
                    .observe(seconds(waited_ms.saturating_sub(took_ms)));
            }
        }
    }

    /// Notes what is owed and what is late. What is settled by now is told no more.
    fn money(&self, standing: &MoneyStanding) {
        self.owed.reset();
        self.late.reset();
        for ((insurer, currency, age), owed) in &standing.owed {
            let labels = [insurer.as_str(), currency.as_str(), age.as_str()];
            self.owed.with_label_values(&labels).set(*owed);
        }
        for ((insurer, stage), count) in &standing.late {
            let labels = [insurer.as_str(), stage.as_str()];
            self.late.with_label_values(&labels).set(signed(*count));
        }
    }

    /// Notes how the parties stand that this hub calls.
    pub(crate) fn parties(&self, standings: &[PartyStanding]) {
        for standing in standings {
            let party = standing.party.as_str();
            for (call, state) in [
                ("asking", standing.asking.0),
                ("delivering", standing.delivering.0),
            ] {
                let number = match state {
                    CircuitState::Closed => 0,
                    CircuitState::HalfOpen => 1,
                    CircuitState::Open => 2,
                };
                self.circuit.with_label_values(&[party, call]).set(number);
            }
            self.on_the_way
                .with_label_values(&[party])
                .set(i64::try_from(standing.on_the_way).unwrap_or(i64::MAX));
        }
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
            self.dead
                .with_label_values(insurer)
                .set(signed(backlog.dead));
            self.oldest.with_label_values(insurer).set(age_ms);
        }
    }

    /// Notes how much waits for the central register.
    pub(crate) fn register(&self, backlog: RegistrationBacklog, now: Instant) {
        let since = |oldest: Instant| now.0.saturating_sub(oldest.0) / 1_000;
        self.unregistered.set(signed(backlog.waiting));
        self.unregistered_ms.set(backlog.oldest.map_or(0, since));
    }

    /// Notes how the tamper-evident log is doing.
    pub(crate) fn log(&self, state: &LogState, now: Instant) {
        self.log_pending.set(signed(state.waiting));
        self.log_size.set(signed(state.head.size));
        let age_ms = state
            .head
            .signed_at
            .map_or(0, |at| now.0.saturating_sub(at.0) / 1_000);
        self.log_age.set(age_ms);
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

fn latencies(name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(name, help);
    HistogramVec::new(options.buckets(LATENCY_BUCKETS_S.to_vec()), labels)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}
