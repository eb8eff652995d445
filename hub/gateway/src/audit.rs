//! The key of the tamper-evident log, in a file of its own, and the policy that tells others to trust it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use takmil_domain::audit::{Algorithm, KeyFault, KeyName, Policy, PolicyFault, Signer};
use takmil_store::write_secret;

use crate::config::Config;

/// What the key's file is called beside a database, or the file with its address, in place of that file's own ending.
const ENDING: &str = "audit.key";

/// What a policy says where no witnesses are named.
const NO_WITNESSES: &str = "quorum none\n";

/// Why there is no key, or no policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The file cannot be read or made.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// What it holds is no key.
    #[error("{file}: {fault}", file = .0.display(), fault = .1)]
    NoKey(PathBuf, KeyFault),
    /// The key's name is none.
    #[error("the log's name is none: {0}")]
    Name(String),
    /// What it holds is no policy.
    #[error("the policy with the lines of {file}: {fault}", file = .0.display(), fault = .1)]
    NoPolicy(PathBuf, PolicyFault),
}

/// The file of the log's key.
pub(crate) fn key_file(config: &Config) -> PathBuf {
    let named = config.audit.key_file().map(Path::to_owned);
    named.unwrap_or_else(|| config.store.file().with_extension(ENDING))
}

/// The log's key. Where the configuration names no file and there is none beside the database, it is made.
///
/// # Errors
/// If there is none to be had.
pub(crate) fn log_key(config: &Config) -> Result<Signer, KeyError> {
    let file = key_file(config);
    if config.audit.key_file().is_none() && !file.exists() {
        match make_key(&file, &config.audit.origin) {
            // Another hub, which starts beside this one, has made it first: its key is the one.
            Err(KeyError::File(_, error)) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made,
        }
    }
    read_key(&file)
}

/// Reads the log's key.
///
/// # Errors
/// If it cannot be read, or is none.
pub(crate) fn read_key(file: &Path) -> Result<Signer, KeyError> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| KeyError::File(file.to_owned(), error))?;
    let no_key = |fault| KeyError::NoKey(file.to_owned(), fault);
    let key = Signer::parse(&text).map_err(no_key)?;
    match key.key().algorithm() {
        Algorithm::Ed25519 => Ok(key),
        Algorithm::Cosignature => Err(no_key(KeyFault::Algorithm)),
    }
}

/// Makes a key with a name, in a file that only its owner reads and that was not there before.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn make_key(file: &Path, name: &str) -> Result<Signer, KeyError> {
    let seed: [u8; 32] = rand::random();
    let no_key = |fault| KeyError::NoKey(file.to_owned(), fault);
    let name = KeyName::parse(name).ok_or_else(|| KeyError::Name(name.to_owned()))?;
    let key = Signer::of_seed(name, Algorithm::Ed25519, &seed).map_err(no_key)?;
    // The log is begun with it only when it is on the disk.
    let text = format!("{}\n", key.secret_text(&seed));
    write_secret(file, text.as_bytes()).map_err(|error| KeyError::File(file.to_owned(), error))?;
    Ok(key)
}

/// The keys of the log and of its witnesses, as a policy: a verifier takes it from whom it trusts.
///
/// # Errors
/// If the configured lines about witnesses make none.
pub(crate) fn policy(config: &Config, key: &str) -> Result<String, KeyError> {
    let Some(file) = config.audit.policy_file() else {
        return Ok(format!("log {key}\n{NO_WITNESSES}"));
    };
    let witnesses = std::fs::read_to_string(file);
    let witnesses = witnesses.map_err(|error| KeyError::File(file.to_owned(), error))?;
    let policy = format!("log {key}\n{witnesses}");
    let no_policy = |fault| KeyError::NoPolicy(file.to_owned(), fault);
    Policy::parse(&policy).map_err(no_policy)?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.key");
        let made = make_key(&file, "hub.example/audit").unwrap();
        assert_eq!(read_key(&file).unwrap().key(), made.key());
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        let again = make_key(&file, "hub.example/audit").unwrap_err();
        assert!(matches!(again, KeyError::File(..)), "{again}");
        assert_eq!(read_key(&file).unwrap().key(), made.key());
        let nameless = make_key(&folder.path().join("other"), "two words");
        assert!(matches!(nameless, Err(KeyError::Name(_))));
    }
}
