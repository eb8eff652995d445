//! The hub under load: its own binary, filled by its own commands, started on a fresh database, stopped as an
//! operator stops it, and its ledger checked by its own check.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;
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

/// How a hub is started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Its binary.
    pub binary: &'a Path,
    /// A folder for its database and files, which exists.
    pub folder: &'a Path,
    /// How many members it knows.
    pub members: u64,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Where its insurers listen, if anywhere.
    pub webhook: Option<Webhook<'a>>,
}

/// A hub that runs. It ends with this at the latest.
#[derive(Debug)]
pub struct Hub {
    /// Where it listens, with the hospital's key.
    pub door: Door,
    /// Its process.
    pub pid: u32,
    process: Child,
    binary: PathBuf,
    config: PathBuf,
}

impl Hub {
    /// Fills a fresh database and starts a hub on it; it is ready when this returns.
    ///
    /// # Errors
    /// [`Error`] where a command fails, or the hub does not come up.
    pub async fn start(start: &Start<'_>) -> Result<Hub, Error> {
        let Start {
            binary,
            folder,
            members,
            tls,
            webhook,
        } = start;
        let address = free_address()?;
        let certificate = tls
            .then(|| Certificate::make(folder, &address.ip().to_string()))
            .transpose()?;
        let config = folder.join("takmil.toml");
        fs::write(
            &config,
            configuration(address, folder, certificate.as_ref()),
        )
        .map_err(Error::file(&config))?;
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
        let door = Door::new(address, client, Some(key))?;
        let log = folder.join("hub.log");
        let mut process = command.serve(&log)?;
        let pid = process.id().ok_or(Error::NoProcess { pid: 0 })?;
        ready(&mut process, &door, &log).await?;
        Ok(Hub {
            door,
            pid,
            process,
            binary: binary.to_path_buf(),
            config,
        })
    }

    /// Asks the hub to stop, waits until it has, and checks its ledger.
    ///
    /// # Errors
    /// [`Error`] where it does not stop, or cannot be checked.
    pub async fn stop(mut self) -> Result<Checkup, Error> {
        // The standard library can only kill; a hub is asked to drain.
        let asked = Command::new("kill")
            .args(["-TERM", &self.pid.to_string()])
            .status()
            .await;
        asked.map_err(Error::system("the hub cannot be asked to stop"))?;
        let stopped = timeout(PATIENCE, self.process.wait()).await;
        let said = match stopped {
            Ok(Ok(status)) if status.success() => None,
            Ok(Ok(status)) => Some(status.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("it did not stop within {} s", PATIENCE.as_secs())),
        };
        if let Some(said) = said {
            return Err(Error::Command {
                command: "serve".to_owned(),
                said,
            });
        }
        Commands {
            binary: &self.binary,
            config: &self.config,
        }
        .doctor()
        .await
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
        command: name.to_owned(),
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
fn free_address() -> Result<SocketAddr, Error> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(any).and_then(|listener| listener.local_addr());
    listener.map_err(Error::system("no socket can be had on loopback"))
}

/// The configuration of a run: the product's defaults, but for what would turn the load away.
fn configuration(address: SocketAddr, folder: &Path, certificate: Option<&Certificate>) -> String {
    // A TOML string may be written as a JSON one.
    let quoted = |path: &Path| Value::from(path.to_string_lossy()).to_string();
    let tls = certificate.map_or_else(String::new, |own| {
        let (certificate, key) = (quoted(&own.certificate_file), quoted(&own.key_file));
        format!("[tls]\ncertificate_file = {certificate}\nkey_file = {key}\n")
    });
    let database = quoted(&folder.join("takmil.db"));
    format!(
        "[listen]\naddress = \"{address}\"\n{tls}[store]\npath = {database}\n\
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

/// How many admissions a hub has decided since it started, by its own count.
///
/// # Errors
/// [`Error`] where it does not tell.
pub async fn decided(door: &Door) -> Result<u64, Error> {
    let reply = door.connect().await?.get("/metrics").await?;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    counted(&text).ok_or_else(|| Error::Answer("the metrics do not count admissions".to_owned()))
}

fn counted(metrics: &str) -> Option<u64> {
    let line = metrics.lines().find(|line| {
        line.starts_with("takmil_messages_total{")
            && line.contains("kind=\"admission\"")
            && line.contains("outcome=\"decided\"")
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Hub, Start, configuration, counted, findings, key_in};
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
    fn decided_admissions_are_counted_among_other_messages() {
        let metrics = "# TYPE takmil_messages_total counter\n\
            takmil_messages_total{format=\"native\",kind=\"claim\",outcome=\"decided\"} 3\n\
            takmil_messages_total{format=\"native\",kind=\"admission\",outcome=\"repeated\"} 4\n\
            takmil_messages_total{format=\"native\",kind=\"admission\",outcome=\"decided\"} 51234\n";
        assert_eq!(counted(metrics), Some(51_234));
        assert_eq!(counted("takmil_connections 4\n"), None);
    }

    #[test]
    fn a_configuration_quotes_whatever_a_folder_is_called() {
        let text = configuration(
            "127.0.0.1:9".parse().unwrap(),
            Path::new("/a \"b\"\\c"),
            None,
        );
        assert!(text.contains(r#"path = "/a \"b\"\\c/takmil.db""#), "{text}");
    }

    #[tokio::test]
    async fn a_missing_binary_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let binary = Path::new("no/such/takmil");
        let start = Start {
            binary,
            folder: folder.path(),
            members: 1,
            tls: true,
            webhook: None,
        };
        let error = Hub::start(&start).await.unwrap_err();
        assert!(matches!(error, Error::File { path, .. } if path == binary));
    }
}
