//! The hub beside a FHIR store, in turns, with the same claims on the same PostgreSQL server: the one decides, draws
//! limits and records, the other keeps what it is sent.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::arguments::{Helios, Store};
use crate::drive::Figures;
use crate::errand::{Ask, Errand};
use crate::error::Error;
use crate::ground::{Fresh, bodies};
use crate::hub::{Checkup, Site, free_address};
use crate::machine::Machine;
use crate::measure;
use crate::postgres::Postgres;
use crate::process::Servers;
use crate::table::{per_mille, thousandths, write_faults, write_machine, write_runs};
use crate::wire::Door;

/// The version that figures are told of.
const VERSION: &str = "0.2.7";

/// Its database on the server.
const DATABASE: &str = "helios";

/// How long it may take to come up: it makes its tables first.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what it was made.
    pub machine: Machine,
    /// How many bytes a claim has.
    pub body_bytes: usize,
    /// The turns, each the hub's run and the store's.
    pub rounds: Vec<Round>,
    /// The median of the hub's throughput in thousandths of the store's, turn by turn.
    pub throughput_ratio: u64,
    /// The median of the store's processor time for a claim in thousandths of the hub's.
    pub cpu_ratio: Option<u64>,
    /// What the hub's own check said afterwards.
    pub checkup: Checkup,
}

/// One turn of each.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// The hub's.
    pub hub: Figures,
    /// The store's.
    pub helios: Figures,
}

/// Makes the runs.
///
/// # Errors
/// [`Error::NoHelios`] where the store is not on this machine; else where the runs cannot be made.
pub async fn measure(helios: &Helios) -> Result<Report, Error> {
    let ground = &helios.ground;
    let binary = found(&helios.helios_binary).ok_or_else(|| Error::NoHelios {
        path: helios.helios_binary.clone(),
        version: VERSION,
    })?;
    let fresh = Fresh::open(ground, Store::Postgres)?;
    let server = fresh.server().ok_or(Error::NoPostgres)?;
    eprintln!("loading {} members", ground.members);
    let site = Site::fill(&fresh.setup(ground, false, None)).await?;
    let hub = site.serve().await?;
    let data = helios.helios_data.as_deref();
    let other = Other::start(&binary, data, fresh.folder(), server).await?;
    let others = Servers {
        hub: other.pid,
        database: Some(server.pid()),
    };
    let bodies = bodies(ground.members);
    let pace = ground.fullest();
    let mut rounds = Vec::new();
    for _ in 0..helios.rounds {
        let (claims, stored) = (Errand::One(Ask::FhirClaim), Errand::One(Ask::Stored));
        let own = measure::run(&hub.door, claims, pace, &bodies, Some(hub.servers)).await?;
        let theirs = measure::run(&other.door, stored, pace, &bodies, Some(others)).await?;
        rounds.push(Round {
            hub: own,
            helios: theirs,
        });
    }
    drop(other);
    hub.stop().await?;
    let throughput = rounds
        .iter()
        .map(|round| Some(per_mille(round.hub.per_second, round.helios.per_second)));
    let cpu = rounds.iter().map(|round| {
        let (own, theirs) = round.hub.cost.zip(round.helios.cost)?;
        Some(per_mille(theirs.cpu_us, own.cpu_us))
    });
    Ok(Report {
        machine: fresh.machine.clone(),
        body_bytes: bodies.fhir_claim().body.len(),
        throughput_ratio: median(throughput).unwrap_or(0),
        cpu_ratio: median(cpu),
        rounds,
        checkup: site.check().await?,
    })
}

/// The middle one, or the lower of two in the middle.
fn median(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let mut values = values.collect::<Option<Vec<_>>>()?;
    values.sort_unstable();
    let middle = values.len().checked_sub(1)? / 2;
    values.get(middle).copied()
}

/// A program by its path, or by its name in the search path.
fn found(binary: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_name = binary.components().count() == 1;
    let searched = std::env::split_paths(&path).filter(|_| is_name);
    [binary.to_owned()]
        .into_iter()
        .chain(searched.map(|folder| folder.join(binary)))
        .find(|file| file.is_file())
}

/// The store, which ends with this.
struct Other {
    door: Door,
    pid: u32,
    _process: Child,
}

impl Other {
    async fn start(
        binary: &Path,
        data: Option<&Path>,
        folder: &Path,
        server: &Postgres,
    ) -> Result<Other, Error> {
        server.create(DATABASE)?;
        let address = free_address()?;
        let home = folder.join("helios");
        fs::create_dir_all(&home).map_err(Error::file(&home))?;
        let log = home.join("log");
        let out = File::create(&log).map_err(Error::file(&log))?;
        let more = out.try_clone().map_err(Error::file(&log))?;
        let binary = fs::canonicalize(binary).map_err(Error::file(binary))?;
        let mut command = Command::new(&binary);
        if let Some(data) = data {
            let data = fs::canonicalize(data).map_err(Error::file(data))?;
            command.env("HFS_DATA_DIR", data);
        }
        let mut process = command
            .env("HFS_STORAGE_BACKEND", "postgres")
            .env("HFS_DATABASE_URL", server.network_url(DATABASE))
            .env("HFS_SERVER_HOST", address.ip().to_string())
            .env("HFS_SERVER_PORT", address.port().to_string())
            .env("HFS_BASE_URL", format!("http://{address}"))
            .env("HFS_DEFAULT_FHIR_VERSION", "R4")
            .env("HFS_LOG_LEVEL", "error")
            .env("HFS_AUTH_ENABLED", "false")
            .env("HFS_AUDIT_BACKEND", "none")
            .env("HFS_UI_ENABLED", "false")
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(more)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::file(&binary))?;
        let pid = process.id().ok_or(Error::NoProcess { pid: 0 })?;
        let door = Door::new(address, None, None)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(process.try_wait(), Ok(None)) {
            if let Ok(mut connection) = door.connect().await
                && let Ok(reply) = connection.get("/health").await
                && reply.status.is_success()
            {
                let _process = process;
                return Ok(Other {
                    door,
                    pid,
                    _process,
                });
            }
            sleep(Duration::from_millis(100)).await;
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(Error::Command {
            command: binary.display().to_string(),
            said: said.trim().to_owned(),
        })
    }
}

impl Report {
    /// Whether every answer was good, and the hub's own check found nothing.
    pub fn is_well(&self) -> bool {
        let is_good = |run: &Figures| run.other_statuses.is_empty();
        let rounds = self.rounds.iter();
        rounds
            .flat_map(|round| [&round.hub, &round.helios])
            .all(is_good)
            && self.checkup.is_well
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_machine(f, &self.machine)?;
        writeln!(
            f,
            "helios-hfs {VERSION}; claims of {} bytes\n",
            self.body_bytes
        )?;
        let rows: Vec<(&str, &Figures)> = self
            .rounds
            .iter()
            .flat_map(|round| {
                let hub = ("the hub: decided", &round.hub);
                [hub, ("helios: stored", &round.helios)]
            })
            .collect();
        let named = rows.iter().map(|(name, run)| ((*name).to_owned(), *run));
        write_runs(f, named)?;
        let times = thousandths(self.throughput_ratio);
        writeln!(f, "\nThe hub answers {times} times as many claims a second")?;
        if let Some(ratio) = self.cpu_ratio {
            let times = thousandths(ratio);
            writeln!(
                f,
                "and the store takes {times} times its processor time for each"
            )?;
        }
        for (name, run) in rows {
            write_faults(f, name, run)?;
        }
        writeln!(f, "{}", self.checkup)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{found, median};
    use std::path::Path;

    #[test]
    fn the_median_is_one_of_the_values_and_a_missing_one_makes_it_none() {
        let check = |values: &[u64], expected| {
            assert_eq!(median(values.iter().copied().map(Some)), expected);
        };
        check(&[30, 10, 20], Some(20));
        check(&[40, 10, 30, 20], Some(20));
        check(&[], None);
        assert_eq!(median([Some(1), None].into_iter()), None);
    }

    #[test]
    fn a_program_is_found_by_its_name_or_its_path_alone() {
        let shell = found(Path::new("sh")).unwrap();
        assert_eq!(found(&shell), Some(shell.clone()));
        assert_eq!(found(Path::new("no/such/sh")), None);
        assert_eq!(found(Path::new("no-such-program")), None);
    }
}
