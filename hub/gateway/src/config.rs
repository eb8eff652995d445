//! The hub's configuration: defaults, then one file, then the environment. It reads no secret but by the name
//! of its file, and changes nothing.

mod audit;
mod partners;
mod redis;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use takmil_store::{DatabaseUrl, FileKeys, Place, SealError};

pub(crate) use audit::Audit;
pub(crate) use partners::Partners;
pub(crate) use redis::Redis;

/// The commented defaults.
pub(crate) const DEFAULTS: &str = include_str!("../takmil.default.toml");

/// How many milliseconds any wait may be configured to: an hour. More is a slip of the pen.
const MAX_WAIT_MS: u64 = 3_600_000;

/// How many rehearsals may run at once at most.
const MAX_SIMULATIONS: usize = 64;

/// The configuration of one hub.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: Listen,
    pub(crate) tls: Tls,
    pub(crate) partners: Partners,
    pub(crate) store: Store,
    pub(crate) audit: Audit,
    pub(crate) redis: Redis,
    pub(crate) engine: takmil_engine::Config,
    pub(crate) settlement: takmil_engine::Settlement,
    pub(crate) limits: Limits,
    pub(crate) telemetry: Telemetry,
    pub(crate) tables: Folder,
    pub(crate) seed: Folder,
}

/// Where and how the hub listens.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    pub(crate) public_url: String,
    pub(crate) plain_http: bool,
    pub(crate) api_keys: ApiKeys,
    pub(crate) connections: usize,
    pub(crate) handshake_timeout_ms: u64,
    pub(crate) header_timeout_ms: u64,
    pub(crate) request_timeout_ms: u64,
    pub(crate) notice_ms: u64,
    pub(crate) drain_ms: u64,
}

/// Where API keys open what is for participants' systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ApiKeys {
    Everywhere,
    Loopback,
    Never,
}

/// The server's certificate.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

impl Tls {
    /// The two files, where both are named.
    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        pair(&self.certificate_file, &self.key_file)
    }
}

/// A certificate's file and its key's, where both are named.
fn pair<'c>(certificate: &'c Path, key: &'c Path) -> Option<(&'c Path, &'c Path)> {
    (is_named(certificate) && is_named(key)).then_some((certificate, key))
}

fn is_named(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

const PAIR: &str = "a certificate needs its key, and a key its certificate";

/// The database.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) url_file: PathBuf,
    key_file: PathBuf,
    erased_file: PathBuf,
    pub(crate) writers: u32,
    pub(crate) readers: u32,
}

/// What the members' keys are called beside a database, or the file with its address, in place of that file's ending.
const MEMBER_KEYS: &str = "member.keys";

/// The variable that may hold PostgreSQL's address instead of a file. It is none of the configuration's keys,
/// so that nothing shows it.
const DATABASE_URL: &str = "TAKMIL_DATABASE_URL";

impl Store {
    /// Where the database lies. Reads the file that names PostgreSQL's address, which may hold a password.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no address.
    pub(crate) fn place(&self) -> Result<Place, ConfigError> {
        let url = match is_named(&self.url_file) {
            true => Some(std::fs::read_to_string(&self.url_file).map_err(ConfigError::UrlFile)?),
            false => std::env::var(DATABASE_URL).ok(),
        };
        let Some(url) = url else {
            return Ok(Place::File(self.path.clone()));
        };
        let url = DatabaseUrl::parse(&url).ok_or(ConfigError::NoUrl)?;
        let writers = self.writers;
        Ok(Place::Postgres { url, writers })
    }

    /// The file that is the database, or has its address.
    pub(crate) fn file(&self) -> &Path {
        match is_named(&self.url_file) {
            true => &self.url_file,
            false => &self.path,
        }
    }

    /// The file of the members' keys.
    pub(crate) fn member_key_file(&self) -> PathBuf {
        match is_named(&self.key_file) {
            true => self.key_file.clone(),
            false => self.file().with_extension(MEMBER_KEYS),
        }
    }

    /// The members' keys. Where no file is named and there is none beside the database, it is made.
    ///
    /// # Errors
    /// If there are none to be had.
    pub(crate) fn keys(&self) -> Result<FileKeys, SealError> {
        let file = self.member_key_file();
        if !is_named(&self.key_file) {
            FileKeys::make(&file, rand::random())?;
        }
        FileKeys::read(&file, self.erased_file())
    }

    /// The list of members who were erased.
    pub(crate) fn erased_file(&self) -> PathBuf {
        match is_named(&self.erased_file) {
            true => self.erased_file.clone(),
            false => self.member_key_file().with_added_extension("erased"),
        }
    }

    /// Whether it is a file that does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.place(), Ok(Place::File(path)) if !path.is_file())
    }
}

/// What one participant may ask for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) requests_per_second: u32,
    pub(crate) burst: u32,
    pub(crate) streams_per_insurer: usize,
    pub(crate) stream_stall_ms: u64,
    pub(crate) simulations: usize,
    pub(crate) simulation_messages: u64,
}

/// What the hub tells of itself.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    pub(crate) log: String,
    pub(crate) format: LogFormat,
    pub(crate) metrics: MetricsAccess,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Human,
    Json,
}

/// Who may read the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MetricsAccess {
    Operator,
    Open,
}

/// A folder that may be named.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    folder: PathBuf,
}

impl Folder {
    /// The folder, where one is named.
    pub(crate) fn named(&self) -> Option<&Path> {
        (!self.folder.as_os_str().is_empty()).then_some(self.folder.as_path())
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is missing.
    #[error("there is no configuration file {0}")]
    NoFile(PathBuf),
    /// The file or the environment cannot be read as this configuration.
    #[error("the configuration cannot be read: {0}")]
    Unreadable(#[from] Box<figment::Error>),
    /// The file with an address cannot be read.
    #[error("the file with the address of the database or of Redis cannot be read: {0}")]
    UrlFile(std::io::Error),
    /// What should be the database's address is none. It is not shown: it may hold a password.
    #[error("the database's address is not postgres://user:password@host:port/database")]
    NoUrl,
    /// What should be Redis's address is none. It is not shown: it may hold a password.
    #[error("Redis's address is not redis://user:password@host:port or rediss://…")]
    NoRedisUrl,
    /// It was read, and makes no sense.
    #[error("the configuration is wrong: {}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))]
    Wrong(Vec<Fault>),
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key, with its section.
    pub(crate) key: &'static str,
    /// What is wrong.
    pub(crate) what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

impl Config {
    /// Reads the defaults, `file` over them, and the environment over both.
    ///
    /// # Errors
    /// [`ConfigError`], with every fault that was found.
    pub(crate) fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError::NoFile(file.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // Other variables of the hub (where tests find their samples) have no section.
        let environment = Env::prefixed("TAKMIL_").filter(|key| key.as_str().contains("__"));
        let config: Config = figment
            .merge(environment.split("__"))
            .extract()
            .map_err(Box::new)?;
        match config.faults() {
            faults if faults.is_empty() => Ok(config),
            faults => Err(ConfigError::Wrong(faults)),
        }
    }

    /// The defaults, for tests.
    #[cfg(test)]
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub(crate) fn defaults() -> Config {
        let defaults = Figment::from(Toml::string(DEFAULTS));
        defaults.extract().expect("the defaults can be read")
    }

    /// Everything that makes no sense, though each value is of its type.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, key: &'static str, what: &str| {
            if !holds {
                let what = what.to_owned();
                faults.push(Fault { key, what });
            }
        };
        let listen = &self.listen;
        let wait = |ms: u64| (1..=MAX_WAIT_MS).contains(&ms);
        let bound = format!("expected 1 to {MAX_WAIT_MS}");
        check(
            wait(listen.handshake_timeout_ms),
            "listen.handshake_timeout_ms",
            &bound,
        );
        check(
            wait(listen.header_timeout_ms),
            "listen.header_timeout_ms",
            &bound,
        );
        check(
            wait(listen.request_timeout_ms),
            "listen.request_timeout_ms",
            &bound,
        );
        check(
            listen.notice_ms <= MAX_WAIT_MS,
            "listen.notice_ms",
            "expected an hour at most",
        );
        check(wait(listen.drain_ms), "listen.drain_ms", &bound);
        check(
            listen.connections > 0,
            "listen.connections",
            "expected 1 or more",
        );
        check(
            self.store.readers > 0,
            "store.readers",
            "expected 1 or more",
        );
        check(
            self.limits.requests_per_second > 0,
            "limits.requests_per_second",
            "expected 1 or more",
        );
        check(self.limits.burst > 0, "limits.burst", "expected 1 or more");
        check(
            wait(self.limits.stream_stall_ms),
            "limits.stream_stall_ms",
            &bound,
        );
        check(
            self.limits.simulations <= MAX_SIMULATIONS,
            "limits.simulations",
            "expected 64 at most: each holds its history in memory",
        );
        let store = &self.store;
        check(is_named(&store.path), "store.path", "names no file");
        check(
            !is_named(&store.url_file) || store.url_file.is_file(),
            "store.url_file",
            "there is no such file",
        );
        check(
            !is_named(&store.key_file) || store.key_file.is_file(),
            "store.key_file",
            "there is no such file (takmil member key makes one)",
        );
        let lanes = u32::try_from(self.engine.lanes).unwrap_or(u32::MAX);
        check(
            store.writers > lanes,
            "store.writers",
            "expected more than engine.lanes: each lane writes, and so do others",
        );
        let tls = &self.tls;
        let half = tls.files().is_none()
            && !(tls.certificate_file.as_os_str().is_empty()
                && tls.key_file.as_os_str().is_empty());
        check(!half, "tls", PAIR);
        if let Some((certificate, key)) = tls.files() {
            check(
                certificate.is_file(),
                "tls.certificate_file",
                "there is no such file",
            );
            check(key.is_file(), "tls.key_file", "there is no such file");
        }
        let private =
            tls.files().is_some() || listen.plain_http || listen.address.ip().is_loopback();
        let exposed = "plain HTTP beyond this machine: name [tls] files, or set plain_http where TLS ends in front";
        check(private, "listen.address", exposed);
        for (folder, key) in [(&self.tables, "tables.folder"), (&self.seed, "seed.folder")] {
            let found = folder.named().is_none_or(Path::is_dir);
            check(found, key, "there is no such folder");
        }
        faults.extend(self.redis.faults());
        faults.extend(self.partners.faults(tls, listen.api_keys));
        faults.extend(self.audit.faults());
        faults
    }

    /// The configuration in force, one `section.key = value` a line: TOML again, with every secret masked.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        if let Ok(value) = serde_json::to_value(self) {
            flatten(&value, &mut Vec::new(), &mut text);
        }
        text
    }

    /// The configuration in force as JSON, with every secret masked.
    pub(crate) fn shown_json(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        mask(&mut value);
        value
    }
}

/// Keys whose values are secret wherever they stand.
const SECRET_KEYS: &[&str] = &["secret", "password", "token", "key"];

const MASK: &str = "••••";

fn is_secret(key: &str) -> bool {
    SECRET_KEYS.iter().any(|secret| key.ends_with(secret))
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                match inner {
                    Value::String(text) if is_secret(key) => MASK.clone_into(text),
                    inner => mask(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn flatten<'v>(value: &'v Value, path: &mut Vec<&'v str>, text: &mut String) {
    if let Value::Object(members) = value {
        for (key, inner) in members {
            path.push(key);
            flatten(inner, path, text);
            path.pop();
        }
    } else if !value.is_null() {
        let secret = value.is_string() && path.last().is_some_and(|key| is_secret(key));
        // Writing to a String cannot fail; JSON's texts, numbers and lists are TOML's.
        let _ = match secret {
            true => writeln!(text, "{} = \"{MASK}\"", path.join(".")),
            false => writeln!(text, "{} = {value}", path.join(".")),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    pub(super) fn defaults() -> Config {
        Config::defaults()
    }

    pub(super) fn keys(config: &Config) -> Vec<&'static str> {
        config.faults().into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn the_shipped_defaults_are_sound() {
        assert_eq!(keys(&defaults()), [""; 0]);
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_configuration() {
        let shown = defaults().shown();
        let again: Config = Figment::from(Toml::string(&shown)).extract().unwrap();
        assert_eq!(again.shown(), shown);
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_chosen() {
        let mut config = defaults();
        config.listen.address = "0.0.0.0:8080".parse().unwrap();
        assert_eq!(keys(&config), ["listen.address"]);
        config.listen.plain_http = true;
        assert_eq!(keys(&config), [""; 0]);
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let mut config = defaults();
        config.tls.certificate_file = "server.pem".into();
        assert_eq!(keys(&config), ["tls"]);
        config.tls.key_file = "absent.pem".into();
        assert_eq!(keys(&config), ["tls.certificate_file", "tls.key_file"]);
    }

    #[test]
    fn secrets_are_masked_and_unknown_keys_refused() {
        let mut value =
            serde_json::json!({"a": {"password": "x", "list": [{"api_key": "y", "kept": "z"}]}});
        mask(&mut value);
        assert_eq!(
            value,
            serde_json::json!({"a": {"password": MASK, "list": [{"api_key": MASK, "kept": "z"}]}})
        );
        let typo =
            Figment::from(Toml::string(DEFAULTS)).merge(Toml::string("[listen]\nadress = 1"));
        assert!(typo.extract::<Config>().is_err());
    }
}
