//! `takmil-faults`: the fault tests at full length, one command each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use takmil_conformance::faults::{self, Error, Progress, Report, Run, StoreKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

/// The exit code where there is no report.
const STOPPED: u8 = 3;

/// How often it is told on stderr how far the test is.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// Breaks the hub in every way that money has to survive, and says what was left of it.
///
/// Without numbers each test runs at full length, which is said for two cores with nothing else to do. Every half minute it
/// tells on stderr how far it is.
#[derive(Debug, Parser)]
#[command(name = "takmil-faults", version)]
struct Command {
    #[command(subcommand)]
    test: Test,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// The hub's binary.
    #[arg(long, global = true, default_value = "target/release/takmil")]
    hub_binary: PathBuf,
    /// Where everything random comes from.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    /// On which store the hub runs.
    #[arg(long, global = true, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Print the report as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
}

#[derive(Debug, Subcommand)]
enum Test {
    /// kill -9 at random moments under load, and during starts: 15 minutes, on PostgreSQL 45.
    Crash {
        /// How many times.
        #[arg(long, default_value_t = 1_000)]
        rounds: u64,
    },
    /// Power cuts that drop what was not synced, and a control run that must fail: 4 minutes.
    Power {
        /// How many times.
        #[arg(long, default_value_t = 200)]
        rounds: u64,
    },
    /// Writes and syncs that fail with EIO or ENOSPC: 3 minutes.
    Disk {
        /// How many times.
        #[arg(long, default_value_t = 200)]
        rounds: u64,
    },
    /// Many clients at one limit, and what is promised is the limit exactly: 1 minute.
    Race {
        /// How many clients.
        #[arg(long, default_value_t = 200)]
        clients: usize,
        /// How many claims they send together.
        #[arg(long, default_value_t = 10_000)]
        claims: usize,
    },
    /// A Redis that is killed, flushed and halted about every second, under the hubs that share it: 6 minutes.
    Redis {
        /// How many times.
        #[arg(long, default_value_t = 300)]
        rounds: u64,
    },
    /// Every request several times at once, also after a kill -9, has one effect: 8 minutes.
    Repeats {
        /// How many different requests.
        #[arg(long, default_value_t = 100_000)]
        requests: usize,
        /// How often each is sent at once.
        #[arg(long, default_value_t = 5)]
        times: usize,
    },
    /// An insurer's decisions and revisions, three of ten repeated, out of order, and two hubs end alike: 10 minutes.
    Decisions {
        /// How many decisions there are; a claim gets up to three.
        #[arg(long, default_value_t = 100_000)]
        messages: usize,
    },
    /// An insurer away for an hour at 50 a second; nothing is lost, nobody else notices: 15 minutes.
    Outage {
        /// How much it is owed when it is back.
        #[arg(long, default_value_t = 180_000)]
        messages: usize,
    },
    /// An insurer that comes and goes is met within half a minute of being back: 15 minutes.
    Flapping {
        /// How many rounds.
        #[arg(long, default_value_t = 40)]
        rounds: u64,
    },
    /// A month of claims, decisions, payments and disputes, and every account of every book is what the parties' own
    /// records come to: 10 minutes.
    Month {
        /// How many insurers there are.
        #[arg(long, default_value_t = 3)]
        insurers: usize,
        /// How many providers.
        #[arg(long, default_value_t = 50)]
        providers: usize,
        /// How many claims they send.
        #[arg(long, default_value_t = 20_000)]
        claims: usize,
    },
    /// Ways that delay, stall, drip, break or forget, between clients, hub and insurer: 10 minutes.
    Network {
        /// How many rounds.
        #[arg(long, default_value_t = 100)]
        rounds: u64,
    },
    /// A wall clock that jumps by ten seconds and ten minutes, ahead and back: 3 minutes, on PostgreSQL 5.
    Clock {
        /// How many rounds.
        #[arg(long, default_value_t = 100)]
        rounds: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    let mut terminated = match signal(SignalKind::terminate()) {
        Ok(terminated) => terminated,
        Err(error) => return failed(&error),
    };
    let progress = Progress::default();
    // A test that is told to stop is dropped, and its hub with it.
    let report = tokio::select! {
        report = run(&command, progress.clone()) => report,
        () = tell(&progress) => return ExitCode::from(STOPPED),
        _ = tokio::signal::ctrl_c() => return ExitCode::from(STOPPED),
        _ = terminated.recv() => return ExitCode::from(STOPPED),
    };
    match report {
        Ok(report) => {
            match command.common.json {
                true => println!("{}", serde_json::to_string(&report).unwrap_or_default()),
                false => print!("{report}"),
            }
            ExitCode::from(u8::from(!report.is_well()))
        }
        Err(error) => failed(&error),
    }
}

/// Tells every now and then how far the test is, without end.
async fn tell(progress: &Progress) {
    let began = Instant::now();
    loop {
        sleep(TOLD_EVERY).await;
        eprintln!("{:>6} s: {progress}", began.elapsed().as_secs());
    }
}

/// Says why the test could not be run, with all causes.
fn failed(error: &dyn std::error::Error) -> ExitCode {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    eprintln!("takmil-faults: {text}");
    ExitCode::from(STOPPED)
}

async fn run(command: &Command, progress: Progress) -> Result<Report, Error> {
    let Common {
        hub_binary,
        seed,
        store,
        ..
    } = &command.common;
    let run = Run {
        binary: hub_binary.clone(),
        store: match store {
            Store::Sqlite => StoreKind::Sqlite,
            Store::Postgres => StoreKind::Postgres,
        },
        seed: *seed,
        progress,
    };
    match &command.test {
        Test::Crash { rounds } => faults::crash(&run, *rounds).await,
        Test::Power { rounds } => faults::power(&run, *rounds).await,
        Test::Disk { rounds } => faults::disk(&run, *rounds).await,
        Test::Race { clients, claims } => faults::race(&run, *clients, *claims).await,
        Test::Redis { rounds } => faults::redis(&run, *rounds).await,
        Test::Repeats { requests, times } => faults::repeats(&run, *requests, *times).await,
        Test::Decisions { messages } => faults::decisions(&run, *messages).await,
        Test::Outage { messages } => faults::outage(&run, *messages).await,
        Test::Flapping { rounds } => faults::flapping(&run, *rounds).await,
        Test::Month {
            insurers,
            providers,
            claims,
        } => {
            let size = faults::Month {
                insurers: *insurers,
                providers: *providers,
                claims: *claims,
            };
            faults::month(&run, size).await
        }
        Test::Network { rounds } => faults::network(&run, *rounds).await,
        Test::Clock { rounds } => faults::clock(&run, *rounds).await,
    }
}
