//! One life of the hub under test: a process that comes up, serves, and is killed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::Error;
use super::desk::Desk;
use super::place::Place;

/// How long a hub may take to come up: it brings a database back that was cut off in the middle.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of its log is shown where it does not.
const LOG_LINES: usize = 12;

/// The process. It ends with this at the latest.
pub(super) struct Hub {
    process: Child,
    began: Instant,
    address: oneshot::Receiver<String>,
    reading: JoinHandle<()>,
    url: String,
    clinic_key: String,
    insurer_key: String,
    log: PathBuf,
}

impl Hub {
    pub(super) fn spawn(mut command: Command, log: &Path, place: &Place) -> Result<Hub, Error> {
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = process.map_err(Error::system("the hub cannot be started"))?;
        let (found, address) = oneshot::channel();
        let stderr = process.stderr.take();
        let reading = tokio::spawn(read_log(stderr, log.to_path_buf(), found));
        Ok(Hub {
            process,
            began: Instant::now(),
            address,
            reading,
            url: String::new(),
            clinic_key: place.clinic_key.clone(),
            insurer_key: place.insurer_key.clone(),
            log: log.to_path_buf(),
        })
    }

    /// Waits until it takes messages.
    pub(super) async fn up(&mut self) -> Result<(), Error> {
        if let Ok(Ok(address)) = timeout(PATIENCE, &mut self.address).await {
            self.url = format!("http://{address}");
            return Ok(());
        }
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..);
        Err(Error::NotUp {
            waited_ms: millis(self.began.elapsed()),
            log: last.unwrap_or_default().join("\n"),
        })
    }

    /// Where it listens, once it is up.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The clinic's way to it.
    pub(super) fn clinic(&self) -> Result<Desk, Error> {
        Desk::new(&self.url, &self.clinic_key)
    }

    /// The insurer's way to it.
    pub(super) fn insurer(&self) -> Result<Desk, Error> {
        Desk::new(&self.url, &self.insurer_key)
    }

    /// Whether it still runs.
    pub(super) fn lives(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until it has died of itself, or for so long.
    pub(super) async fn dies(&mut self, span: Duration) {
        // Whatever it came to, it is killed next.
        let _ = timeout(span, self.process.wait()).await;
    }

    /// Ends it at once, as kill -9 does, and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<(), Error> {
        let killed = self.process.kill().await;
        killed.map_err(Error::system("the hub cannot be killed"))?;
        Ok(self.reading.await?)
    }

    /// What the process holds: open files and resident memory in KiB.
    pub(super) fn holds(&self) -> Result<(usize, u64), Error> {
        let process = self.process.id().unwrap_or_default();
        let files = PathBuf::from(format!("/proc/{process}/fd"));
        let open = fs::read_dir(&files).map_err(Error::at(&files))?.count();
        let status = PathBuf::from(format!("/proc/{process}/status"));
        let text = fs::read_to_string(&status).map_err(Error::at(&status))?;
        let resident = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
        Ok((open, kib.unwrap_or_default()))
    }
}

/// Keeps the log, and finds in it where the hub listens.
async fn read_log(stderr: Option<ChildStderr>, log: PathBuf, found: oneshot::Sender<String>) {
    let Some(stderr) = stderr else { return };
    let opened = OpenOptions::new().create(true).append(true).open(&log);
    let Ok(mut file) = opened else { return };
    let mut found = Some(found);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // A log that cannot be kept is no reason to stop the hub by a full pipe.
        let _ = writeln!(file, "{line}");
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = told.get("address").and_then(Value::as_str)
            && let Some(found) = found.take()
        {
            // Whoever waited for it may have killed the hub meanwhile.
            let _ = found.send(address.to_owned());
        }
    }
}

/// A span in whole milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
