//! What the load generator is asked to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::drive::Pace;

/// The most connections of one run: what two cores can still tell apart.
const MAX_CONNECTIONS: u64 = 4_096;

/// The longest run at one number of connections: an hour.
const MAX_SECONDS: u64 = 3_600;

/// The most requests a second that are asked for.
const MAX_RATE: u64 = 1_000_000;

/// The most messages of history: some years of a busy hub.
const MAX_HISTORY: u64 = 1_000_000_000;

/// The most turns that the hub and another store take.
const MAX_ROUNDS: u64 = 100;

/// The most members: a large insurer's.
const MAX_MEMBERS: u64 = 10_000_000;

/// Sends durable messages to a hub on this machine and says how fast they are answered, at which cost.
#[derive(Debug, Parser)]
#[command(name = "takmil-load", version, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// Another measurement than the load itself.
    #[command(subcommand)]
    pub other: Option<Other>,
    /// The load.
    #[command(flatten)]
    pub load: Load,
}

/// Measurements beside the load itself.
#[derive(Debug, Subcommand)]
pub enum Other {
    /// The same load on databases that hold more and more messages of the past.
    Growth(Growth),
    /// The same FHIR claims to the hub and to a FHIR store (helios-hfs), in turns, both on PostgreSQL.
    Helios(Helios),
    /// A backlog that reaches an insurer, and how long the hub keeps what it owes at a rate: over gRPC and over REST.
    Route(Route),
}

/// Where the hub keeps its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// In a file.
    Sqlite,
    /// On a PostgreSQL server that is started for the run.
    Postgres,
}

/// What every measurement is made on.
#[derive(Debug, Args)]
pub struct Ground {
    /// The hub's binary, which is started for the run on a fresh database.
    #[arg(long, value_name = "FILE", default_value = "target/release/takmil")]
    pub hub_binary: PathBuf,
    /// The folder in which a fresh one for the database is made: it should be on the disk to be measured.
    #[arg(long, value_name = "DIR", default_value = "target")]
    pub folder: PathBuf,
    /// Leaves the fresh folder and its database where they are.
    #[arg(long)]
    pub keep: bool,
    /// How many lanes of the hub decide at once. Without it, one on SQLite and four on PostgreSQL.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub lanes: Option<u32>,
    /// How many members there are.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MAX_MEMBERS))]
    pub members: u64,
    /// How many connections send at once, one run for each number. Measurements of one run take the largest.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,16,64", value_parser = clap::value_parser!(u64).range(1..=MAX_CONNECTIONS))]
    pub connections: Vec<u64>,
    /// How long each run counts, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    pub seconds: u64,
    /// How long each run goes on before it counts, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=MAX_SECONDS))]
    pub warm_up: u64,
    /// Prints one JSON object on standard output, and the table on standard error.
    #[arg(long)]
    pub json: bool,
}

/// The load.
#[derive(Debug, Args)]
pub struct Load {
    /// What it is made on.
    #[command(flatten)]
    pub ground: Ground,
    /// Where the hub keeps its database.
    #[arg(long, value_enum, default_value = "sqlite")]
    pub store: Store,
    /// Sends whole stays, too: checks of cover, admissions, claims, cancels, and answers read again.
    #[arg(long)]
    pub mix: bool,
    /// Speaks TLS with the hub. The ceilings of HTTP itself are measured without.
    #[arg(long)]
    pub tls: bool,
    /// Gives the insurers an address at which every delivery is taken at once. Without it what is owed to them
    /// waits in the outbox.
    #[arg(long)]
    pub deliver: bool,
    /// A hub that runs already, on this machine in plain HTTP, with the members of `--write-seed`.
    #[arg(long, value_name = "ADDRESS", value_parser = on_loopback, requires = "key_file", conflicts_with_all = ["tls", "deliver", "keep", "store", "lanes"])]
    pub target: Option<SocketAddr>,
    /// A file with the API key of the hospital at that hub.
    #[arg(long, value_name = "FILE", requires = "target")]
    pub key_file: Option<PathBuf>,
    /// The process of that hub, whose time and memory are read.
    #[arg(long, value_name = "PID", requires = "target")]
    pub target_pid: Option<u32>,
    /// The first process of that hub's PostgreSQL, whose time and memory are read with it.
    #[arg(long, value_name = "PID", requires = "target_pid")]
    pub target_database_pid: Option<u32>,
    /// Writes what a hub must know beforehand into a folder for `takmil import folder`, and ends.
    #[arg(long, value_name = "DIR")]
    pub write_seed: Option<PathBuf>,
    /// Requests a second that are due at fixed times, over the largest number of connections: one further run
    /// for each rate, beside that at half of what is reached.
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=MAX_RATE))]
    pub rate: Vec<u64>,
}

/// The load on a database that has a past.
#[derive(Debug, Args)]
pub struct Growth {
    /// What it is made on.
    #[command(flatten)]
    pub ground: Ground,
    /// Where the hub keeps its database.
    #[arg(long, value_enum, default_value = "sqlite")]
    pub store: Store,
    /// How many messages the history holds, one run for each number, the least first.
    #[arg(long, value_name = "MESSAGES", value_delimiter = ',', default_value = "0,1000000", value_parser = clap::value_parser!(u64).range(0..=MAX_HISTORY))]
    pub history: Vec<u64>,
}

/// Routing.
#[derive(Debug, Args)]
pub struct Route {
    /// What it is made on.
    #[command(flatten)]
    pub ground: Ground,
    /// Where the hub keeps its database.
    #[arg(long, value_enum, default_value = "sqlite")]
    pub store: Store,
    /// Admissions a second at which it is told how long the hub keeps deliveries.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=MAX_RATE))]
    pub rate: u64,
}

/// The hub beside a FHIR store.
#[derive(Debug, Args)]
pub struct Helios {
    /// What it is made on.
    #[command(flatten)]
    pub ground: Ground,
    /// The FHIR store's binary; without it `hfs` of the search path.
    #[arg(long, value_name = "FILE", default_value = "hfs")]
    pub helios_binary: PathBuf,
    /// A folder with the FHIR store's own definitions of search parameters. Without it there are next to none, and
    /// the store has less to do.
    #[arg(long, value_name = "DIR")]
    pub helios_data: Option<PathBuf>,
    /// How many turns each of them has.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MAX_ROUNDS))]
    pub rounds: u64,
}

/// A load run never leaves its machine: it would be an attack elsewhere, and would measure the way there.
fn on_loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "expected an address and a port".to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("only a hub on this machine is driven".to_owned()),
    }
}

impl Ground {
    /// One run in a closed loop for each number of connections.
    pub fn closed(&self) -> Vec<Pace> {
        let pace = |connections: &u64| self.pace(*connections, None);
        self.connections.iter().map(pace).collect()
    }

    /// The run in a closed loop that ceilings and comparisons are measured by: over the most connections.
    pub fn fullest(&self) -> Pace {
        self.pace(self.most_connections(), None)
    }

    /// A run at a rate, over the most connections.
    pub fn at(&self, rate: u64) -> Pace {
        self.pace(self.most_connections(), Some(rate.max(1)))
    }

    /// How long each run counts.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn most_connections(&self) -> u64 {
        self.connections.iter().copied().max().unwrap_or(1)
    }

    fn pace(&self, connections: u64, rate: Option<u64>) -> Pace {
        Pace {
            connections: usize::try_from(connections).unwrap_or(usize::MAX),
            rate,
            warm_up: Duration::from_secs(self.warm_up),
            window: self.window(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]
    use super::{CommandLine, Other, Store};
    use clap::Parser;

    fn parse(words: &[&str]) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from([&["takmil-load"], words].concat())
    }

    #[test]
    fn without_arguments_admissions_are_sent_over_1_16_and_64_connections_to_sqlite() {
        let load = parse(&[]).unwrap().load;
        let paces = load.ground.closed();
        let shown: Vec<_> = paces
            .iter()
            .map(|pace| (pace.connections, pace.rate, pace.window.as_secs()))
            .collect();
        assert_eq!(shown, [(1, None, 10), (16, None, 10), (64, None, 10)]);
        assert_eq!((load.store, load.mix), (Store::Sqlite, false));
    }

    #[test]
    fn rates_and_ceilings_are_over_the_most_connections() {
        let words = ["--connections", "32,4", "--rate", "500,2000"];
        let load = parse(&words).unwrap().load;
        assert_eq!(load.rate, [500, 2000]);
        let at = load.ground.at(500);
        assert_eq!((at.connections, at.rate), (32, Some(500)));
        assert_eq!(load.ground.fullest().connections, 32);
        assert_eq!(load.ground.at(0).rate, Some(1));
    }

    #[test]
    fn other_measurements_have_arguments_of_their_own() {
        let words = [
            "growth",
            "--history",
            "0,500",
            "--store",
            "postgres",
            "--members",
            "8",
        ];
        let Some(Other::Growth(growth)) = parse(&words).unwrap().other else {
            panic!("growth was asked for");
        };
        assert_eq!(growth.history, [0, 500]);
        assert_eq!((growth.store, growth.ground.members), (Store::Postgres, 8));
        let Some(Other::Helios(helios)) = parse(&["helios", "--rounds", "2"]).unwrap().other else {
            panic!("helios was asked for");
        };
        assert_eq!(helios.rounds, 2);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let check = |words: &[&str]| assert!(parse(words).is_err(), "{words:?}");
        check(&["--connections", "0"]);
        check(&["--seconds", "0"]);
        check(&["--members", "0"]);
        check(&["--rate", "0"]);
        check(&["--lanes", "0"]);
        check(&["--store", "memory"]);
        check(&["--target", "127.0.0.1:8080"]);
        check(&["--target", "192.0.2.7:8080", "--key-file", "key"]);
        check(&["--target", "hub.example:8080", "--key-file", "key"]);
        check(&["--target", "127.0.0.1:8080", "--key-file", "key", "--tls"]);
        check(&["--key-file", "key"]);
        check(&["--mix", "growth"]);
        check(&["growth", "--target", "127.0.0.1:8080"]);
        let words = ["--target", "[::1]:8080", "--key-file", "key"];
        assert!(parse(&[&words[..], &["--target-pid", "7"]].concat()).is_ok());
    }
}
