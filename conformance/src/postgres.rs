//! A PostgreSQL server of one's own: started on a free port in a fresh folder, gone with the process that started it.
//!
//! It keeps its promises (fsync stays on) and is nobody else's.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Error;
use crate::keeper::{Keeper, free_port};

/// Where Debian puts the programs of a PostgreSQL, beside the search path: one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Who runs the server where this process is root, as which PostgreSQL refuses to run.
const ACCOUNT: &str = "postgres";

/// The role that owns the databases: no superuser, like the one of a real hub.
pub const OWNER: &str = "takmil";

/// The programs that the server is run with.
const NEEDED: &[&str] = &["initdb", "postgres", "pg_isready", "psql"];

/// Arguments: the folder of the programs, the port. It says its folder first.
const KEEPER: &str = r#"
bin=$1 port=$2
umask 077
folder=$(mktemp -d /tmp/takmil-postgres-XXXXXX) || exit 1
fail() {
    tail -n 20 "$folder/log" >&2
    rm -rf "$folder"
    exit 1
}
start() {
    "$bin/postgres" -D "$folder/data" -p "$port" -k "$folder" >>"$folder/log" 2>&1 &
    server=$!
    until "$bin/pg_isready" -q -h "$folder" -p "$port"; do
        kill -0 "$server" 2>/dev/null || fail
        sleep 0.05
    done
}
stop() {
    # At once, as a crash would be; the log is replayed at the next start.
    kill -QUIT "$server" 2>/dev/null
    wait "$server"
}
"$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$folder/log" 2>&1 || fail
cat >>"$folder/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 64MB
min_wal_size = 64MB
max_wal_size = 256MB
SETTINGS
start
echo "$folder"
while read -r order; do
    case $order in
        kill) stop ;;
        revive) start ;;
    esac
    echo done
done
stop
rm -rf "$folder"
"#;

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    /// Where its socket and its data are.
    folder: PathBuf,
    keeper: Keeper,
}

impl Postgres {
    /// Starts a server, which takes a few seconds.
    ///
    /// # Errors
    /// [`Error::NoPostgres`] if its programs are not on this machine; [`Error::Postgres`] if it does not start.
    pub fn start() -> Result<Postgres, Error> {
        let bin = programs(NEEDED).ok_or(Error::NoPostgres)?;
        let port = free_port().map_err(failed)?;
        let arguments = [&*bin.to_string_lossy(), &port.to_string()];
        let (keeper, folder) = Keeper::start(shell(), KEEPER, &arguments).map_err(failed)?;
        let server = Postgres {
            bin,
            port,
            folder: PathBuf::from(folder),
            keeper,
        };
        server.sql("postgres", &format!("create role {OWNER} login createrole"))?;
        Ok(server)
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database, for its owner, by the server's socket.
    pub fn url(&self, database: &str) -> String {
        let (port, folder) = (self.port, self.folder.display());
        format!("postgres://{OWNER}@localhost:{port}/{database}?host={folder}")
    }

    /// Makes a database, empty or a copy of another one that nobody is connected to.
    ///
    /// # Errors
    /// [`Error::Postgres`] if it cannot be made.
    pub fn create(&self, database: &str, template: &str) -> Result<(), Error> {
        let statement = format!("create database {database} owner {OWNER} template {template}");
        self.sql("postgres", &statement).map(drop)
    }

    /// Removes a database, whoever is still connected to it.
    ///
    /// # Errors
    /// [`Error::Postgres`] if it cannot be removed.
    pub fn remove(&self, database: &str) -> Result<(), Error> {
        let statement = format!("drop database {database} with (force)");
        self.sql("postgres", &statement).map(drop)
    }

    /// Runs statements as the superuser and gives what they print, a row a line.
    ///
    /// # Errors
    /// [`Error::Postgres`] with what the server says, if one of them fails.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String, Error> {
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args([
                "-U",
                "postgres",
                "-p",
                &self.port.to_string(),
                "-d",
                database,
            ])
            .arg("-h")
            .arg(&self.folder)
            .args(["-c", statements])
            .output()
            .map_err(failed)?;
        said(output)
    }

    /// Stops the server at once, as a crash would.
    ///
    /// # Errors
    /// [`Error::Postgres`] if its keeper is gone.
    pub fn kill(&self) -> Result<(), Error> {
        self.keeper.order("kill").map_err(failed)
    }

    /// Starts the server again, on the same data and port.
    ///
    /// # Errors
    /// [`Error::Postgres`] if it does not start.
    pub fn revive(&self) -> Result<(), Error> {
        self.keeper.order("revive").map_err(failed)
    }
}

/// A shell, as an account that PostgreSQL accepts.
fn shell() -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        return Command::new("sh");
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={ACCOUNT}"))
        .arg(format!("--regid={ACCOUNT}"))
        .args(["--init-groups", "sh"]);
    command
}

/// Where PostgreSQL's programs are, if all that are `needed` are: those of the newest version that Debian's packages
/// have left, or those of the search path.
pub fn programs(needed: &[&str]) -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut installed: Vec<_> = versions
        .filter_map(|entry| Some((number(&entry.path())?, entry.path().join("bin"))))
        .collect();
    installed.sort();
    let newest = installed.into_iter().rev().map(|(_, bin)| bin);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched: Vec<_> = std::env::split_paths(&path).collect();
    newest
        .chain(searched)
        .find(|folder| needed.iter().all(|program| folder.join(program).is_file()))
}

fn said(output: Output) -> Result<String, Error> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(Error::Postgres(text(output.stderr)))
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Postgres(error.to_string())
}
