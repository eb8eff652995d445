//! The hub under load: its own binary, filled by its own commands, started on a fresh database, stopped as an
//! operator stops it, and its ledger checked by its own check.

use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use takmil_store::{DatabaseUrl, FileKeys, Place};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::disk;
use crate::error::Error;
use crate::postgres::Postgres;
use crate::process::{Servers, Used};
use crate::seed::{self, HOSPITAL, Webhook};
use crate::wire::{Certificate, Door};

/// How long a hub may take to come up, and to stop: its drain and the closing of a large database included.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a hub that comes up is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// How every API key begins.
const KEY_PREFIX: &str = "tk_";

/// How much of the hub's log is shown where it does not come up.
const LOG_LINES: usize = 10;

/// The least that a hub is left alone before its memory counts as idle.
const IDLE: Duration = Duration::from_secs(2);

/// The database on a server of the run's own.
const DATABASE: &str = "takmil";

/// How many lanes decide at once on PostgreSQL, unless the run says otherwise: as the hub's own defaults advise.
const LANES_ON_POSTGRES: u32 = 4;

/// Where a hub keeps its database.
#[derive(Debug, Clone, Copy)]
pub enum Database<'a> {
    /// In a file of the site's folder.
    Sqlite,
    /// On a server of the run's own.
    Postgres(&'a Postgres),
}

/// How a hub is set up.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Its binary.
    pub binary: &'a Path,
    /// A folder for its database and files, which exists.
    pub folder: &'a Path,
    /// Where it keeps its database.
    pub database: Database<'a>,
    /// How many lanes decide at once; as the hub advises for its database where it is not said.
    pub lanes: Option<u32>,
    /// How many members it knows.
    pub members: u64,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Where its insurers listen, if anywhere.
    pub webhook: Option<Webhook<'a>>,
}

/// A configuration and a filled database, on which hubs run one after the other.
#[derive(Debug)]
pub struct Site {
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    door: Door,
    database: Option<u32>,
    place: Place,
    /// Where the database's files are.
    data: PathBuf,
    keys: PathBuf,
}

/// A hub that runs. It ends with this at the latest.
#[derive(Debug)]
pub struct Hub {
    /// Where it listens, with the hospital's key.
    pub door: Door,
    /// Its processes.
    pub servers: Servers,
    process: Child,
}

impl Site {
    /// Fills a fresh database with members, insurers, their documents and a hospital.
    ///
    /// # Errors
    /// [`Error`] where a command fails.
    pub async fn fill(setup: &Setup<'_>) -> Result<Site, Error> {
        let Setup {
            binary,
            folder,
            members,
            tls,
            webhook,
            ..
        } = setup;
        let address = free_address()?;
        let certificate = tls
            .then(|| Certificate::make(folder, &address.ip().to_string()))
            .transpose()?;
        let config = folder.join("takmil.toml");
        let store = store(setup)?;
        let text = configuration(address, &store.section, certificate.as_ref());
        fs::write(&config, text).map_err(Error::file(&config))?;
        let seed = folder.join("seed");
        seed::write(&seed, *members, *webhook)?;
        let command = Commands {
            binary,
            config: &config,
        };
        command
            .run("import", &["folder", &seed.to_string_lossy()])
            .await?;
        let entry = command
            .run("participant", &["key", HOSPITAL, "--json"])
            .await?;
        let entry: Value = serde_json::from_slice(&entry.stdout).unwrap_or_default();
        let no_key = || Error::Answer("the hospital's entry shows no API key".to_owned());
        let key = key_in(&entry).ok_or_else(no_key)?;
        let client = certificate.map(|certificate| certificate.client);
        Ok(Site {
            binary: binary.to_path_buf(),
            log: folder.join("hub.log"),
            config,
            door: Door::new(address, client, Some(key))?,
            database: store.server,
            place: store.place,
            data: store.data,
            keys: store.keys,
        })
    }

    /// Starts a hub; it is ready when this returns.
    ///
    /// # Errors
    /// [`Error`] where it does not come up.
    pub async fn serve(&self) -> Result<Hub, Error> {
        let mut process = self.commands().serve(&self.log)?;
        let hub = process.id().ok_or(Error::NoProcess { pid: 0 })?;
        ready(&mut process, &self.door, &self.log).await?;
        Ok(Hub {
            door: self.door.clone(),
            servers: Servers {
                hub,
                database: self.database,
            },
            process,
        })
    }

    /// Checks the ledger and the outbox by the hub's own check. No hub may run on SQLite meanwhile.
    ///
    /// # Errors
    /// [`Error`] where it cannot be checked.
    pub async fn check(&self) -> Result<Checkup, Error> {
        self.commands().doctor().await
    }

    /// Where the store is, for those who open it themselves.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The members' keys, which the hub has made beside its database.
    pub fn keys(&self) -> Result<FileKeys, Error> {
        Ok(FileKeys::read(
            &self.keys,
            self.keys.with_extension("erased"),
        )?)
    }

    /// How many bytes the database takes on the disk, with its logs.
    pub fn disk_bytes(&self) -> u64 {
        let logs = ["-wal", "-shm"].map(|end| {
            let mut name = self.data.clone().into_os_string();
            name.push(end);
            disk::bytes(Path::new(&name))
        });
        disk::bytes(&self.data) + logs.iter().sum::<u64>()
    }

    fn commands(&self) -> Commands<'_> {
        Commands {
            binary: &self.binary,
            config: &self.config,
        }
    }
}

impl Hub {
    /// What hub and database hold in memory after the hub was left alone for a while.
    ///
    /// # Errors
    /// [`Error::NoProcess`] where it has ended.
    pub async fn idle(&self) -> Result<Used, Error> {
        sleep(IDLE).await;
        self.servers.usage()
    }

    /// Asks the hub to stop and waits until it has.
    ///
    /// # Errors
    /// [`Error`] where it does not stop.
    pub async fn stop(mut self) -> Result<(), Error> {
        // The standard library can only kill; a hub is asked to drain.
        let asked = Command::new("kill")
            .args(["-TERM", &self.servers.hub.to_string()])
            .status()
            .await;
        asked.map_err(Error::system("the hub cannot be asked to stop"))?;
        let stopped = timeout(PATIENCE, self.process.wait()).await;
        let said = match stopped {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not stop within {} s", PATIENCE.as_secs()),
        };
        Err(Error::Command {
            command: "takmil serve".to_owned(),
            said,
        })
    }
}

/// What the hub's own check said after a run.
#[derive(Debug, Clone, Serialize)]
pub struct Checkup {
    /// Whether it found nothing: every limit is the sum of its entries, and no message is forgotten.
    pub is_well: bool,
    /// What it found, in its own words.
    pub findings: Vec<String>,
}

impl fmt::Display for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_well {
            true => f.write_str("ledger: the sum of its entries; `takmil doctor` found nothing"),
            false => write!(
                f,
                "`takmil doctor` found:\n  {}",
                self.findings.join("\n  ")
            ),
        }
    }
}

/// The hub's commands on one configuration.
struct Commands<'a> {
    binary: &'a Path,
    config: &'a Path,
}

impl Commands<'_> {
    async fn run(&self, name: &str, arguments: &[&str]) -> Result<Output, Error> {
        let output = self.command(name, arguments).output().await;
        let output = output.map_err(Error::file(self.binary))?;
        match output.status.success() {
            true => Ok(output),
            false => Err(failed(name, &output)),
        }
    }

    async fn doctor(&self) -> Result<Checkup, Error> {
        let output = self.command("doctor", &["--json"]).output().await;
        let output = output.map_err(Error::file(self.binary))?;
        let findings = findings(&output.stdout).ok_or_else(|| failed("doctor", &output))?;
        Ok(Checkup {
            is_well: output.status.success(),
            findings,
        })
    }

    fn serve(&self, log: &Path) -> Result<Child, Error> {
        let file = File::create(log).map_err(Error::file(log))?;
        let mut command = self.command("serve", &[]);
        let process = command
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn();
        process.map_err(Error::file(self.binary))
    }

    /// A command whose configuration is the run's alone, whatever the environment says.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command
            .arg(name)
            .arg("--config")
            .arg(self.config)
            .args(arguments)
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TAKMIL_") {
                command.env_remove(name);
            }
        }
        command
    }
}

fn failed(name: &str, output: &Output) -> Error {
    let text =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let said = text.join("\n").trim().to_owned();
    Error::Command {
        command: format!("takmil {name}"),
        said,
    }
}

/// What the check's JSON tells, one text for each finding.
fn findings(json: &[u8]) -> Option<Vec<String>> {
    let told: Value = serde_json::from_slice(json).ok()?;
    let text = |row: &Value, name: &str| {
        row.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rows = told.get("findings")?.as_array()?.iter();
    Some(
        rows.map(|row| format!("{}: {}", text(row, "what"), text(row, "reach")))
            .collect(),
    )
}

/// A port that nobody listens on. Another process may take it before the hub does; then the hub says so.
pub(crate) fn free_address() -> Result<SocketAddr, Error> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(any).and_then(|listener| listener.local_addr());
    listener.map_err(Error::system("no socket can be had on loopback"))
}

/// A database that is there, or will be.
struct Store {
    /// What the hub's configuration says of it.
    section: String,
    place: Place,
    server: Option<u32>,
    data: PathBuf,
    /// Where the hub makes the members' keys.
    keys: PathBuf,
}

fn store(setup: &Setup<'_>) -> Result<Store, Error> {
    let lanes = |count: u32| format!("[engine]\nlanes = {count}\n");
    match setup.database {
        Database::Sqlite => {
            let file = setup.folder.join("takmil.db");
            let engine = setup.lanes.map_or_else(String::new, lanes);
            Ok(Store {
                section: format!("[store]\npath = {}\n{engine}", quoted(&file)),
                place: Place::File(file.clone()),
                server: None,
                keys: file.with_extension("member.keys"),
                data: file,
            })
        }
        Database::Postgres(server) => {
            server.create(DATABASE)?;
            let text = server.url(DATABASE);
            let file = setup.folder.join("database.url");
            fs::write(&file, &text).map_err(Error::file(&file))?;
            let engine = lanes(setup.lanes.unwrap_or(LANES_ON_POSTGRES));
            let no_url = || Error::Answer("the database has no address".to_owned());
            Ok(Store {
                section: format!("[store]\nurl_file = {}\n{engine}", quoted(&file)),
                place: Place::Postgres {
                    url: DatabaseUrl::parse(&text).ok_or_else(no_url)?,
                    writers: 2,
                },
                server: Some(server.pid()),
                keys: file.with_extension("member.keys"),
                data: server.databases(),
            })
        }
    }
}

/// A path in TOML, whose strings may be written as JSON's.
fn quoted(path: &Path) -> String {
    Value::from(path.to_string_lossy()).to_string()
}

/// The configuration of a run: the product's defaults, but for what would turn the load away.
fn configuration(address: SocketAddr, store: &str, certificate: Option<&Certificate>) -> String {
    let tls = certificate.map_or_else(String::new, |own| {
        let (certificate, key) = (quoted(&own.certificate_file), quoted(&own.key_file));
        format!("[tls]\ncertificate_file = {certificate}\nkey_file = {key}\n")
    });
    format!(
        "[listen]\naddress = \"{address}\"\nnotice_ms = 0\n{tls}{store}\
         [limits]\nrequests_per_second = 1000000\nburst = 1000000\n\
         [telemetry]\nlog = \"warn\"\nmetrics = \"open\"\n"
    )
}

/// The first API key that an entry shows.
fn key_in(entry: &Value) -> Option<&str> {
    match entry {
        Value::String(text) => Some(text.as_str()).filter(|text| text.starts_with(KEY_PREFIX)),
        Value::Array(items) => items.iter().find_map(key_in),
        Value::Object(members) => members.values().find_map(key_in),
        _ => None,
    }
}

async fn ready(process: &mut Child, door: &Door, log: &Path) -> Result<(), Error> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let has_ended = !matches!(process.try_wait(), Ok(None));
        if has_ended {
            break;
        }
        if let Ok(mut connection) = door.connect().await
            && let Ok(reply) = connection.get("/readyz").await
            && reply.status.is_success()
        {
            return Ok(());
        }
        sleep(ASK_EVERY).await;
    }
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(LOG_LINES)..)
        .unwrap_or_default();
    Err(Error::NotReady {
        waited_s: start.elapsed().as_secs(),
        log: last.join("\n"),
    })
}

/// How many admissions and claims a hub has decided since it started, by its own count.
///
/// # Errors
/// [`Error`] where it does not tell.
pub async fn decided(door: &Door) -> Result<u64, Error> {
    let text = metrics(door).await?;
    counted(&text).ok_or_else(|| Error::Answer("the metrics do not count messages".to_owned()))
}

/// How many transactions a hub's lanes have done since it started, where it tells.
pub async fn turns(door: &Door) -> Option<u64> {
    let text = metrics(door).await.ok()?;
    let name = "takmil_lanes{what=\"turns\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

pub(crate) async fn metrics(door: &Door) -> Result<String, Error> {
    let reply = door.connect().await?.get("/metrics").await?;
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}

/// The bound, in milliseconds, of the bucket of a histogram in which so many thousandths of what was observed of a party lie;
/// `None` where some lie beyond the last.
///
/// # Errors
/// [`Error`] where the hub does not tell.
pub(crate) async fn quantile(
    door: &Door,
    name: &str,
    party: &str,
    part: u64,
) -> Result<Option<u64>, Error> {
    let text = metrics(door).await?;
    let bounds = bounds(&text, name, party);
    let all = bounds.last().map(|(_, count)| *count);
    let all = all.filter(|all| *all > 0);
    let all = all.ok_or_else(|| Error::Answer(format!("{name} tells nothing of {party}")))?;
    let enough =
        |own: &&(Option<u64>, u64)| own.1.saturating_mul(1_000) >= all.saturating_mul(part);
    Ok(bounds.iter().find(enough).and_then(|(bound, _)| *bound))
}

/// The bounds of a histogram's buckets in milliseconds, none for the last, and how many lie within each.
fn bounds(metrics: &str, name: &str, party: &str) -> Vec<(Option<u64>, u64)> {
    let start = format!("{name}_bucket{{insurer=\"{party}\",le=\"");
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix(&start)?.split_once("\"} ")?;
        let count = count.trim().parse().ok()?;
        Some((milliseconds(bound), count))
    };
    metrics.lines().filter_map(bucket).collect()
}

/// Seconds, as a decimal, in milliseconds, rounded up.
fn milliseconds(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: u64 = whole.parse().ok()?;
    let micros: u64 = format!("{part:0<6}").get(..6)?.parse().ok()?;
    Some(
        whole
            .saturating_mul(1_000)
            .saturating_add(micros.div_ceil(1_000)),
    )
}

fn counted(metrics: &str) -> Option<u64> {
    let is_one = |line: &&str| {
        let kinds = ["kind=\"admission\"", "kind=\"claim\""];
        line.starts_with("takmil_messages_total{")
            && kinds.iter().any(|kind| line.contains(kind))
            && line.contains("outcome=\"decided\"")
    };
    let counts = metrics.lines().filter(is_one);
    let counts: Option<Vec<u64>> = counts
        .map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    counts
        .filter(|counts| !counts.is_empty())
        .map(|counts| counts.iter().sum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Database, Setup, Site, bounds, configuration, counted, findings, key_in, store};
    use crate::error::Error;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn a_key_is_found_wherever_an_entry_shows_it() {
        let entry = json!({"id": "load-hospital", "keys": [{"id": 1, "key": "tk_secret"}]});
        assert_eq!(key_in(&entry), Some("tk_secret"));
        assert_eq!(key_in(&json!({"id": "load-hospital"})), None);
    }

    #[test]
    fn what_the_check_finds_is_told_and_what_it_cannot_look_at_is_no_good_news() {
        let found = br#"{"findings":[{"what":"limits differ from their ledger","reach":"2 sums","next":"restore"}]}"#;
        let expected = vec!["limits differ from their ledger: 2 sums".to_owned()];
        assert_eq!(findings(found), Some(expected));
        assert_eq!(findings(br#"{"findings":[]}"#), Some(Vec::new()));
        assert_eq!(findings(b"the store does not open"), None);
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let metrics = "x_bucket{insurer=\"a\",le=\"0.001\"} 5\n\
            x_bucket{insurer=\"a\",le=\"0.0025\"} 9\n\
            x_bucket{insurer=\"b\",le=\"0.001\"} 1\n\
            x_bucket{insurer=\"a\",le=\"10\"} 10\n\
            x_bucket{insurer=\"a\",le=\"+Inf\"} 11\n";
        let expected = [(Some(1), 5), (Some(3), 9), (Some(10_000), 10), (None, 11)];
        assert_eq!(bounds(metrics, "x", "a"), expected);
    }

    #[test]
    fn decided_messages_are_counted_among_others() {
        let metrics = "# TYPE takmil_messages_total counter\n\
            takmil_messages_total{format=\"native\",kind=\"claim\",outcome=\"decided\"} 3\n\
            takmil_messages_total{format=\"fhir\",kind=\"claim\",outcome=\"decided\"} 20\n\
            takmil_messages_total{format=\"native\",kind=\"admission\",outcome=\"repeated\"} 4\n\
            takmil_messages_total{format=\"native\",kind=\"admission\",outcome=\"decided\"} 51200\n";
        assert_eq!(counted(metrics), Some(51_223));
        assert_eq!(counted("takmil_connections 4\n"), None);
    }

    fn setup<'a>(binary: &'a Path, folder: &'a Path) -> Setup<'a> {
        Setup {
            binary,
            folder,
            database: Database::Sqlite,
            lanes: Some(2),
            members: 1,
            tls: true,
            webhook: None,
        }
    }

    #[test]
    fn a_configuration_quotes_whatever_a_folder_is_called() {
        let site = setup(Path::new("takmil"), Path::new("/a \"b\"\\c"));
        let section = store(&site).unwrap().section;
        let text = configuration("127.0.0.1:9".parse().unwrap(), &section, None);
        assert!(text.contains(r#"path = "/a \"b\"\\c/takmil.db""#), "{text}");
        assert!(text.contains("[engine]\nlanes = 2\n"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_binary_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let binary = Path::new("no/such/takmil");
        let error = Site::fill(&setup(binary, folder.path())).await.unwrap_err();
        assert!(matches!(error, Error::File { path, .. } if path == binary));
    }
}
