//! The part of the configuration that is about Redis, which hubs on one database may share.

use redis::{Client, IntoConnectionInfo};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use super::{ConfigError, Fault, is_named};

/// The variable that may hold Redis's address instead of a file. It is none of the configuration's keys, so that
/// nothing shows it.
const REDIS_URL: &str = "TAKMIL_REDIS_URL";

/// The longest name, which stands before every key.
const MAX_NAME_BYTES: usize = 64;

/// The longest that a request may be told to wait for Redis.
const MAX_WAIT_MS: u64 = 1_000;

/// Where hubs on one database tell each other what can be told faster than by asking the database.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redis {
    url: String,
    url_file: PathBuf,
    pub(crate) name: String,
    pub(crate) wait_ms: u64,
}

impl Redis {
    /// Who asks it, where one is named. Reads the file that names its address, which may hold a password.
    ///
    /// # Errors
    /// If the file cannot be read, or what is named is no address.
    pub(crate) fn client(&self) -> Result<Option<Client>, ConfigError> {
        let url = match is_named(&self.url_file) {
            true => Some(std::fs::read_to_string(&self.url_file).map_err(ConfigError::UrlFile)?),
            false => std::env::var(REDIS_URL).ok(),
        };
        let url = url.unwrap_or_else(|| self.url.clone());
        if url.trim().is_empty() {
            return Ok(None);
        }
        // What it says of an address that it cannot read may hold the password.
        let client = Client::open(url.trim()).map_err(|_| ConfigError::NoRedisUrl)?;
        Ok(Some(client))
    }

    /// What makes no sense in it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, key: &'static str, what: &str| {
            if !holds {
                let what = what.to_owned();
                faults.push(Fault { key, what });
            }
        };
        let address = (!self.url.is_empty()).then(|| self.url.as_str().into_connection_info());
        let is_none = matches!(address, Some(Err(_)));
        check(
            !is_none,
            "redis.url",
            "expected redis://host:port or rediss://host:port",
        );
        let open = |address: redis::ConnectionInfo| address.redis_settings().password().is_none();
        let is_open = address.and_then(Result::ok).is_none_or(open);
        check(
            is_open,
            "redis.url",
            "an address with a password stands in a file: redis.url_file",
        );
        check(
            !is_named(&self.url_file) || self.url_file.is_file(),
            "redis.url_file",
            "there is no such file",
        );
        let is_name = (1..=MAX_NAME_BYTES).contains(&self.name.len())
            && self.name.bytes().all(|byte| byte.is_ascii_graphic());
        check(
            is_name,
            "redis.name",
            "expected 1 to 64 visible ASCII characters",
        );
        check(
            (1..=MAX_WAIT_MS).contains(&self.wait_ms),
            "redis.wait_ms",
            "expected 1 to 1000",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::tests::{defaults, keys};

    #[test]
    fn no_redis_is_named_until_one_is() {
        let mut config = defaults();
        assert!(config.redis.client().unwrap().is_none());
        config.redis.url = "redis://127.0.0.1:6379/3".to_owned();
        assert!(config.redis.client().unwrap().is_some());
        assert_eq!(keys(&config), [""; 0]);
        config.redis.url = "rediss://redis.example:6380".to_owned();
        assert!(config.redis.client().unwrap().is_some());
    }

    #[test]
    fn what_is_no_address_or_holds_a_password_is_refused() {
        for url in [
            "redis.example:6379",
            "http://redis.example",
            "redis://:secret@redis.example",
        ] {
            let mut config = defaults();
            config.redis.url = url.to_owned();
            assert_eq!(keys(&config), ["redis.url"], "{url}");
        }
    }

    #[test]
    fn an_address_in_a_file_may_hold_a_password_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = defaults();
        config.redis.url_file = folder.path().join("redis.url");
        assert_eq!(keys(&config), ["redis.url_file"]);
        std::fs::write(&config.redis.url_file, "rediss://:secret@redis.example\n").unwrap();
        assert!(config.redis.client().unwrap().is_some());
        std::fs::write(&config.redis.url_file, "ftp://:secret@redis.example\n").unwrap();
        let error = config.redis.client().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(!config.shown().contains("secret"));
    }
}
