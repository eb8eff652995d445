//! What the load generator is asked to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::drive::Pace;

/// The most connections of one run: what two cores can still tell apart.
const MAX_CONNECTIONS: u64 = 4_096;

/// The longest run at one number of connections: an hour.
const MAX_SECONDS: u64 = 3_600;

/// The most requests a second that are asked for.
const MAX_RATE: u64 = 1_000_000;

/// The most members: a large insurer's.
const MAX_MEMBERS: u64 = 10_000_000;

/// Sends durable admissions to a hub on this machine and says how fast they are answered, at which cost.
#[derive(Debug, Parser)]
#[command(name = "takmil-load", version)]
pub struct Arguments {
    /// The hub's binary, which is started for the run on a fresh database.
    #[arg(long, value_name = "FILE", default_value = "target/release/takmil")]
    pub hub_binary: PathBuf,
    /// The folder in which a fresh one for the database is made: it should be on the disk to be measured.
    #[arg(long, value_name = "DIR", default_value = "target")]
    pub folder: PathBuf,
    /// Leaves the fresh folder and its database where they are.
    #[arg(long)]
    pub keep: bool,
    /// Speaks TLS with the hub. The ceilings of HTTP itself are measured without.
    #[arg(long)]
    pub tls: bool,
    /// Gives the insurers an address at which every delivery is taken at once. Without it what is owed to them
    /// waits in the outbox.
    #[arg(long)]
    pub deliver: bool,
    /// A hub that runs already, on this machine in plain HTTP, with the members of `--write-seed`.
    #[arg(long, value_name = "ADDRESS", value_parser = on_loopback, requires = "key_file", conflicts_with_all = ["tls", "deliver", "keep"])]
    pub target: Option<SocketAddr>,
    /// A file with the API key of the hospital at that hub.
    #[arg(long, value_name = "FILE", requires = "target")]
    pub key_file: Option<PathBuf>,
    /// The process of that hub, whose time and memory are read.
    #[arg(long, value_name = "PID", requires = "target")]
    pub target_pid: Option<u32>,
    /// Writes what a hub must know beforehand into a folder for `takmil import folder`, and ends.
    #[arg(long, value_name = "DIR")]
    pub write_seed: Option<PathBuf>,
    /// How many members there are.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MAX_MEMBERS))]
    pub members: u64,
    /// How many connections send at once, one run for each number.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,16,64", value_parser = clap::value_parser!(u64).range(1..=MAX_CONNECTIONS))]
    pub connections: Vec<u64>,
    /// Requests a second that are due at fixed times, over the largest number of connections: one further run
    /// for each rate.
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=MAX_RATE))]
    pub rate: Vec<u64>,
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

impl Arguments {
    /// The runs with admissions: one for each number of connections, then one for each rate.
    pub fn paces(&self) -> Vec<Pace> {
        let closed = self
            .connections
            .iter()
            .map(|connections| self.pace(*connections, None));
        let open = self
            .rate
            .iter()
            .map(|rate| self.pace(self.most_connections(), Some(*rate)));
        closed.chain(open).collect()
    }

    /// The run that the ceilings are measured by.
    pub fn ceiling(&self) -> Pace {
        self.pace(self.most_connections(), None)
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
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::Arguments;
    use clap::Parser;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["takmil-load"], words].concat())
    }

    #[test]
    fn without_arguments_admissions_are_sent_over_1_16_and_64_connections() {
        let paces = parse(&[]).unwrap().paces();
        let shown: Vec<_> = paces
            .iter()
            .map(|pace| (pace.connections, pace.rate, pace.window.as_secs()))
            .collect();
        assert_eq!(shown, [(1, None, 10), (16, None, 10), (64, None, 10)]);
    }

    #[test]
    fn rates_are_runs_of_their_own_over_the_most_connections() {
        let arguments = parse(&[
            "--connections",
            "32,4",
            "--rate",
            "500,2000",
            "--seconds",
            "3",
        ])
        .unwrap();
        let paces = arguments.paces();
        let shown: Vec<_> = paces
            .iter()
            .map(|pace| (pace.connections, pace.rate, pace.window.as_secs()))
            .collect();
        assert_eq!(
            shown,
            [
                (32, None, 3),
                (4, None, 3),
                (32, Some(500), 3),
                (32, Some(2000), 3)
            ]
        );
        assert_eq!(arguments.ceiling().connections, 32);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let check = |words: &[&str]| assert!(parse(words).is_err(), "{words:?}");
        check(&["--connections", "0"]);
        check(&["--seconds", "0"]);
        check(&["--members", "0"]);
        check(&["--rate", "0"]);
        check(&["--target", "127.0.0.1:8080"]);
        check(&["--target", "192.0.2.7:8080", "--key-file", "key"]);
        check(&["--target", "hub.example:8080", "--key-file", "key"]);
        check(&["--target", "127.0.0.1:8080", "--key-file", "key", "--tls"]);
        check(&["--key-file", "key"]);
        assert!(
            parse(&[
                "--target",
                "[::1]:8080",
                "--key-file",
                "key",
                "--target-pid",
                "7"
            ])
            .is_ok()
        );
    }
}
