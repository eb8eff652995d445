//! A PostgreSQL server of the run's own, from the packages of the system, on the disk that is measured. It keeps its
//! promises: `fsync` and `synchronous_commit` are on, as the hub demands.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use takmil_conformance::postgres::programs;

use crate::error::Error;
use crate::process::Family;

/// The programs that a run needs.
const NEEDED: &[&str] = &[
    "initdb",
    "postgres",
    "pg_isready",
    "psql",
    "pgbench",
    "vacuumdb",
];

/// Who runs the server where this process is root, as which PostgreSQL refuses to run.
const ACCOUNT: &str = "postgres";

/// The role that the hub enters as: no superuser, like that of a real hub.
const OWNER: &str = "takmil";

/// The settings of a small server of its own machine; everything else is as the package has it. Checkpoints are
/// spread as a busy server's are.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
];

/// The longest path of a socket that the kernel takes.
const MOST_SOCKET_PATH: usize = 100;

/// How long the server may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many accounts a unit of pgbench's scale has.
const ACCOUNTS_PER_SCALE: u64 = 100_000;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Postgres {
    /// Starts a server in a folder `postgres` that is made within `folder`.
    ///
    /// # Errors
    /// [`Error::NoPostgres`] where its programs are not on this machine, [`Error::Command`] where it does not start.
    pub fn start(folder: &Path) -> Result<Postgres, Error> {
        let programs = programs(NEEDED).ok_or(Error::NoPostgres)?;
        let folder = fs::canonicalize(folder).map_err(Error::file(folder))?;
        let place = folder.join("postgres");
        // Its own account has to pass through on the way to its own folder.
        let through = fs::Permissions::from_mode(0o711);
        fs::set_permissions(&folder, through).map_err(Error::file(&folder))?;
        fs::create_dir(&place).map_err(Error::file(&place))?;
        if is_root() {
            let mut chown = Command::new("chown");
            run(chown.arg(format!("{ACCOUNT}:")).arg(&place))?;
        }
        let data = place.join("data");
        let mut made = as_account(&programs.join("initdb"));
        made.arg("-D").arg(&data).args(["-U", "postgres"]);
        run(made.args(["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(Error::system("no socket can be had on loopback"))?
            .port();
        let log = place.join("log");
        let out = fs::File::create(&log).map_err(Error::file(&log))?;
        let mut server = as_account(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        server.arg("-k").arg(socket_folder(&place));
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let process = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .map_err(Error::file(programs.join("postgres")))?;
        let mut server = Postgres {
            programs,
            folder: place,
            port,
            process,
        };
        server.ready()?;
        server.sql(&format!("create role {OWNER} login createrole"))?;
        Ok(server)
    }

    fn ready(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if !matches!(self.process.try_wait(), Ok(None)) {
                break;
            }
            let mut asked = self.client("pg_isready");
            if asked.output().is_ok_and(|output| output.status.success()) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(Error::Command {
            command: "postgres".to_owned(),
            said: log.trim().to_owned(),
        })
    }

    /// The server's first process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The folder that holds its databases, without its log of writes.
    pub fn databases(&self) -> PathBuf {
        self.folder.join("data/base")
    }

    /// Makes an empty database for the role that hubs enter as.
    ///
    /// # Errors
    /// [`Error::Command`] where it cannot be made.
    pub fn create(&self, database: &str) -> Result<(), Error> {
        self.sql(&format!("create database {database} owner {OWNER}"))
    }

    /// The address of a database by the server's socket.
    pub fn url(&self, database: &str) -> String {
        let (port, folder) = (self.port, socket_folder(&self.folder));
        let folder = folder.display();
        format!("postgres://{OWNER}@localhost:{port}/{database}?host={folder}")
    }

    /// The address of a database by the network, for programs that know no sockets.
    pub fn network_url(&self, database: &str) -> String {
        format!("postgresql://{OWNER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Tidies all databases up after much was loaded, as an operator does.
    ///
    /// # Errors
    /// [`Error::Command`] where it fails.
    pub fn tidy(&self) -> Result<(), Error> {
        let mut client = self.client("vacuumdb");
        run(client.args(["--all", "--analyze", "--quiet"]))?;
        self.sql("checkpoint")
    }

    /// What the server's own bench does in a second: one small update and one insert in a transaction (`pgbench -N`)
    /// over as many connections, on a table of about as many accounts as there are members.
    ///
    /// # Errors
    /// [`Error::Command`] where it fails or says what cannot be read.
    pub fn bench(&self, clients: usize, members: u64, window: Duration) -> Result<PgBench, Error> {
        self.sql("create database pgbench")?;
        let scale = members.div_ceil(ACCOUNTS_PER_SCALE).max(1);
        let mut fill = self.client("pgbench");
        run(fill.args(["-i", "-q", "-s", &scale.to_string(), "pgbench"]))?;
        let before = Family::of(self.pid())?;
        let mut bench = self.client("pgbench");
        bench.args(["-n", "-N", "-j", "2", "-c", &clients.to_string()]);
        let seconds = window.as_secs().max(1);
        let output = run(bench.args(["-T", &seconds.to_string(), "pgbench"]))?;
        let after = Family::of(self.pid())?;
        self.sql("drop database pgbench")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some((transactions, per_second)) = told(&said) else {
            return Err(Error::Command {
                command: "pgbench".to_owned(),
                said,
            });
        };
        let spent = after.cpu.saturating_sub(before.cpu).as_micros();
        Ok(PgBench {
            connections: clients,
            scale,
            per_second,
            database_cpu_us: u64::try_from(spent).unwrap_or(u64::MAX) / transactions.max(1),
        })
    }

    /// Runs a statement as the superuser.
    fn sql(&self, statement: &str) -> Result<(), Error> {
        let mut client = self.client("psql");
        client.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]);
        run(client.args(["-c", statement])).map(drop)
    }

    /// One of the server's own clients, as its superuser.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .arg("-h")
            .arg(socket_folder(&self.folder))
            .args(["-p", &self.port.to_string(), "-U", "postgres"])
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once: what it held is thrown away with its folder.
        let pid = self.process.id().to_string();
        let told = Command::new("kill").args(["-QUIT", &pid]).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// What `pgbench` reached.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PgBench {
    /// Over how many connections.
    pub connections: usize,
    /// Its scale: a hundred thousand accounts each.
    pub scale: u64,
    /// Transactions a second, each of them durable.
    pub per_second: u64,
    /// The server's processor time for each.
    pub database_cpu_us: u64,
}

/// The transactions, and those of a second, in what `pgbench` prints.
fn told(said: &str) -> Option<(u64, u64)> {
    let after = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
    let all = after("number of transactions actually processed: ")?;
    let all = all.split_ascii_whitespace().next()?.parse().ok()?;
    let (whole, _) = after("tps = ")?.split_once('.')?;
    Some((all, whole.parse().ok()?))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A program as an account that PostgreSQL accepts. It ends when this process does, however that ends.
fn as_account(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        let (user, group) = (format!("--reuid={ACCOUNT}"), format!("--regid={ACCOUNT}"));
        command.args([user, group]).arg("--init-groups");
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command
}

/// Where the socket lies: beside the data, unless the kernel knows no path that long.
fn socket_folder(place: &Path) -> PathBuf {
    match place.as_os_str().len() <= MOST_SOCKET_PATH - ".s.PGSQL.65535".len() {
        true => place.to_owned(),
        false => PathBuf::from("/tmp"),
    }
}

fn run(command: &mut Command) -> Result<Output, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(Error::file(&name))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(Error::Command {
            command: name,
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]
    use super::{Postgres, told};
    use crate::error::Error;
    use std::time::Duration;

    #[test]
    fn what_pgbench_prints_is_read_without_its_decimals() {
        let said = "transaction type: <builtin: simple update>\nscaling factor: 1\n\
            number of transactions actually processed: 11734\nlatency average = 6.8 ms\n\
            tps = 1173.924516 (without initial connection time)\n";
        assert_eq!(told(said), Some((11_734, 1_173)));
        assert_eq!(told("pgbench: error: connection failed"), None);
    }

    #[test]
    fn a_server_of_ones_own_comes_up_is_benched_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let server = match Postgres::start(folder.path()) {
            Ok(server) => server,
            Err(Error::NoPostgres) => return,
            Err(error) => panic!("{error}"),
        };
        let pid = server.pid();
        let bench = server.bench(2, 10, Duration::from_secs(1)).unwrap();
        assert!(bench.per_second > 0 && bench.scale == 1 && bench.database_cpu_us > 0);
        drop(server);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
