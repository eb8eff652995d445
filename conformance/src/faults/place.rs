//! A place for a hub under test: a folder of its own with configuration, database and log; the binary that serves it;
//! and the insurer of its world, who stays up while the hub comes and goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::Error;
use super::hub::Hub;
use super::image::{self, Cut, Files};
use super::log::{Export, Leaves};
use super::shim::Shim;
use super::world::{CLINIC, INSURER, SECRET, World};
use crate::insurer::{Script, Setup, Simulator, Wire};
use crate::postgres::Postgres;
use crate::redis::Redis;

/// Which store a hub is tested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// SQLite, a file in the place's folder.
    Sqlite,
    /// PostgreSQL, a server of the place's own.
    Postgres,
}

impl StoreKind {
    /// Its name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            StoreKind::Sqlite => "sqlite",
            StoreKind::Postgres => "postgres",
        }
    }

    /// How many hubs may work beside each other.
    pub(super) fn hubs(self) -> usize {
        match self {
            StoreKind::Sqlite => 1,
            StoreKind::Postgres => 2,
        }
    }
}

/// The place. Its folder goes away with it, unless it is kept.
pub(super) struct Place {
    binary: PathBuf,
    folder: TempDir,
    /// Keys for the hub's interface.
    pub(super) clinic_key: String,
    pub(super) insurer_key: String,
    /// The insurer that is to get what the clinic bills.
    pub(super) insurer: Simulator,
    /// The disk and clock that fail on demand, where the test has them.
    pub(super) shim: Option<Shim>,
    /// The files of the database as they were when the hub's life began, where its disk can be cut off.
    before: Files,
    /// The server of the database, where it has one.
    pub(super) server: Option<Arc<Postgres>>,
    /// The Redis that hubs share, where they share one.
    redis: Option<Arc<Redis>>,
}

/// What a hub sees otherwise than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Faked {
    /// The wall clock.
    Clock,
    /// The wall clock, and the disk under its database.
    Disk,
}

/// How a place is made.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) binary: PathBuf,
    pub(super) store: StoreKind,
    /// The world; without an address the insurer's own is put in.
    pub(super) world: World,
    /// What the hub sees of its machine otherwise than it is, on demand.
    pub(super) faked: Option<Faked>,
    /// Whether hubs share a Redis.
    pub(super) redis: bool,
    /// More lines of the configuration, in its section [listen] and after all.
    pub(super) listen: &'static str,
    pub(super) more: &'static str,
}

impl Place {
    /// Makes the place and fills its database.
    pub(super) async fn new(plan: Plan) -> Result<Place, Error> {
        let made = tempfile::Builder::new().prefix("takmil-faults-").tempdir();
        let folder = made.map_err(Error::system("no folder can be made"))?;
        let data = folder.path().join("data");
        fs::create_dir(&data).map_err(Error::at(&data))?;
        let wire = Wire::Rest {
            secret: SECRET.to_owned(),
        };
        let insurer = Simulator::start(Setup {
            script: Script::approve(),
            ..Setup::new(INSURER, wire)
        });
        let insurer = insurer.await?;
        let mut world = plan.world.clone();
        if world.insurer_url.is_empty() {
            world.insurer_url = insurer.url();
        }
        let seed = folder.path().join("seed");
        world.write(&seed)?;
        let server = match plan.store {
            StoreKind::Sqlite => None,
            StoreKind::Postgres => Some(Arc::new(serve(&data).await?)),
        };
        let redis = match plan.redis {
            true => Some(Arc::new(tokio::task::spawn_blocking(Redis::start).await??)),
            false => None,
        };
        let config = folder.path().join("takmil.toml");
        let url = redis.as_ref().map(|redis| redis.url()).unwrap_or_default();
        let text = configuration(&data, &plan, &url);
        fs::write(&config, text).map_err(Error::at(&config))?;
        let nothing = folder.path().join("nothing");
        let shim = match plan.faked {
            Some(Faked::Disk) => Some(Shim::build(folder.path(), &data)?),
            Some(Faked::Clock) => Some(Shim::build(folder.path(), &nothing)?),
            None => None,
        };
        let mut place = Place {
            binary: plan.binary,
            folder,
            clinic_key: String::new(),
            insurer_key: String::new(),
            insurer,
            shim,
            before: Files::new(),
            server,
            redis,
        };
        place.import(&seed).await?;
        place.clinic_key = place.key(CLINIC).await?;
        place.insurer_key = place.key(INSURER).await?;
        Ok(place)
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the database.
    pub(super) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The hub's log, over all its lives.
    pub(super) fn log(&self) -> PathBuf {
        self.folder().join("hub.log")
    }

    /// Leaves the folder behind, for people to look at, and says where it is.
    pub(super) fn keep(&mut self) -> String {
        self.folder.disable_cleanup(true);
        self.folder().display().to_string()
    }

    /// Begins a life of the hub; it may not be up yet.
    pub(super) fn spawn(&mut self) -> Result<Hub, Error> {
        if let Some(shim) = &self.shim {
            shim.forget()?;
            self.before = image::read(&self.data())?;
        }
        Hub::spawn(self.takmil(&["serve"]), &self.log(), self)
    }

    /// Cuts the power of a hub that was just killed: its files are what a disk would have kept.
    pub(super) fn cut_power(&mut self, seed: u64) -> Result<Cut, Error> {
        let before = std::mem::take(&mut self.before);
        match &self.shim {
            Some(shim) => image::cut(&self.data(), before, shim.journal(), seed),
            None => Ok(Cut::default()),
        }
    }

    /// Begins a life of the hub and waits until it takes messages.
    pub(super) async fn start(&mut self) -> Result<Hub, Error> {
        let mut hub = self.spawn()?;
        hub.up().await?;
        Ok(hub)
    }

    /// Begins the lives of as many hubs as the store allows, and waits until they take messages.
    pub(super) async fn start_all(&mut self, store: StoreKind) -> Result<Vec<Hub>, Error> {
        let mut hubs = Vec::new();
        for _ in 0..store.hubs() {
            hubs.push(self.start().await?);
        }
        Ok(hubs)
    }

    /// Ends the server of the database at once, as a crash does; on a store without one nothing happens.
    pub(super) async fn kill_server(&self) -> Result<(), Error> {
        self.tell_server(Postgres::kill).await
    }

    /// Brings the server of the database back.
    pub(super) async fn revive_server(&self) -> Result<(), Error> {
        self.tell_server(Postgres::revive).await
    }

    async fn tell_server(
        &self,
        order: fn(&Postgres) -> Result<(), crate::Error>,
    ) -> Result<(), Error> {
        let Some(server) = self.server.clone() else {
            return Ok(());
        };
        Ok(tokio::task::spawn_blocking(move || order(&server)).await??)
    }

    /// Tells the Redis that hubs share something; where they share none nothing happens.
    pub(super) async fn tell_redis(
        &self,
        order: fn(&Redis) -> Result<(), crate::Error>,
    ) -> Result<(), Error> {
        let Some(redis) = self.redis.clone() else {
            return Ok(());
        };
        Ok(tokio::task::spawn_blocking(move || order(&redis)).await??)
    }

    /// What the hub's own check finds, one sentence each.
    pub(super) async fn doctor(&self) -> Result<Vec<String>, Error> {
        let output = self.output(&["doctor", "--json"]).await?;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let Some(findings) = told.get("findings").and_then(Value::as_array) else {
            return Err(failed("doctor", &output));
        };
        let text = |row: &Value, name: &str| {
            let text = row.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let sentence = |row: &Value| format!("{}: {}", text(row, "what"), text(row, "reach"));
        Ok(findings.iter().map(sentence).collect())
    }

    /// Exports the hub's log and has it verified, as the continuation of the export before.
    pub(super) async fn log_export(&self) -> Result<Export, Error> {
        let folder = self.folder().join("export");
        let (to, keys) = (folder.to_string_lossy(), folder.join("policy"));
        let (latest, seen) = (folder.join("checkpoint"), self.folder().join("seen"));
        let keys = keys.to_string_lossy();
        self.command(&["audit", "export", "--to", &to]).await?;
        let mut verify = vec!["audit", "verify", &to, "--key", &keys, "--json"];
        let since = seen.to_string_lossy();
        if seen.is_file() {
            verify.extend(["--since", &since]);
        }
        let mut command = Command::new(&self.binary);
        let output = command.args(verify).stdin(Stdio::null()).output().await;
        let output = output.map_err(Error::at(&self.binary))?;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let sound = told
            .get("verdict")
            .is_some_and(|verdict| verdict == "sound");
        fs::copy(&latest, &seen).map_err(Error::at(&latest))?;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned() + &told.to_string();
        Ok(Export {
            fault: (!sound).then(said),
            leaves: Leaves::read(&folder)?,
        })
    }

    /// Takes in a folder of documents.
    pub(super) async fn import(&self, folder: &Path) -> Result<(), Error> {
        let folder = folder.to_string_lossy();
        self.command(&["import", "folder", &folder]).await.map(drop)
    }

    /// Settles every day that is over, as the hub does by itself.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        self.command(&["settle", "run"]).await.map(drop)
    }

    /// Compares what the parties have stated with the book, as the hub does every night.
    pub(super) async fn reconcile(&self) -> Result<(), Error> {
        self.command(&["settle", "reconcile"]).await.map(drop)
    }

    /// A key for a participant's systems.
    pub(super) async fn key(&self, participant: &str) -> Result<String, Error> {
        self.shown_key(&["participant", "key", participant]).await
    }

    /// A key for a person of a participant.
    pub(super) async fn person(&self, participant: &str, role: &str) -> Result<String, Error> {
        let person = ["person", participant, "--name", role, "--role", role];
        self.shown_key(&[&["participant"], &person[..]].concat())
            .await
    }

    async fn shown_key(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = self.command(&[arguments, &["--json"]].concat()).await?;
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let key = shown.get("key").and_then(Value::as_str);
        let key = key.ok_or_else(|| failed(&arguments.join(" "), &output))?;
        Ok(key.to_owned())
    }

    /// Runs a command that has to succeed.
    async fn command(&self, arguments: &[&str]) -> Result<Output, Error> {
        let output = self.output(arguments).await?;
        match output.status.success() {
            true => Ok(output),
            false => Err(failed(&arguments.join(" "), &output)),
        }
    }

    async fn output(&self, arguments: &[&str]) -> Result<Output, Error> {
        let output = self.takmil(arguments).output().await;
        output.map_err(Error::at(&self.binary))
    }

    /// The binary, on this place's configuration alone, whatever the environment says.
    fn takmil(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.folder().join("takmil.toml"))
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TAKMIL_") {
                command.env_remove(name);
            }
        }
        if let Some(shim) = &self.shim {
            command.envs(shim.environment());
        }
        command
    }
}

/// Where a hub finds the address of its server.
const URL_FILE: &str = "url";
/// The database there.
const DATABASE: &str = "takmil";

/// Starts a server with an empty database, and writes its address where the hub looks for it.
async fn serve(data: &Path) -> Result<Postgres, Error> {
    let started = tokio::task::spawn_blocking(|| {
        let server = Postgres::start()?;
        server.create(DATABASE, "template1")?;
        Ok::<_, crate::Error>(server)
    });
    let server = started.await??;
    let path = data.join(URL_FILE);
    fs::write(&path, server.url(DATABASE)).map_err(Error::at(&path))?;
    Ok(server)
}

fn failed(command: &str, output: &Output) -> Error {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    Error::Command {
        command: command.to_owned(),
        said: text.join("\n").trim().to_owned(),
    }
}

/// The product's defaults, but for what would turn the load away.
fn configuration(data: &Path, plan: &Plan, redis: &str) -> String {
    // A TOML string may be written as a JSON one.
    let store = match plan.store {
        StoreKind::Sqlite => {
            let path = data.join("takmil.db");
            format!("path = {}", Value::from(path.to_string_lossy()))
        }
        StoreKind::Postgres => {
            let path = data.join(URL_FILE);
            format!("url_file = {}", Value::from(path.to_string_lossy()))
        }
    };
    format!(
        "[listen]\naddress = \"127.0.0.1:0\"\nnotice_ms = 0\n{listen}[store]\n{store}\n[redis]\nurl = \"{redis}\"\n\
         [limits]\nrequests_per_second = 1000000\nburst = 1000000\n\
         [telemetry]\nformat = \"json\"\nmetrics = \"open\"\n{more}",
        listen = plan.listen,
        more = plan.more,
    )
}
