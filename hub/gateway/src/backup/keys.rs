//! Which keys a backup is nothing without, or its hub does not start without: named by fingerprints, never shown.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use takmil_domain::digest::sha256;

use super::hex;
use crate::audit;
use crate::cli::Fatal;
use crate::config::Config;

/// A key that a restore needs, or the hub after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Needed {
    /// What it is for.
    pub(crate) what: Use,
    /// Where it was.
    pub(crate) file: PathBuf,
    /// By which it is known: the log's public key; number and digest of a members' key; the digest of the certificate
    /// that belongs to a key of TLS.
    pub(crate) fingerprint: String,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Use {
    /// What was sent and answered opens with it: without it a backup is worthless.
    Members,
    /// The tamper-evident log goes on with it: without it no hub starts.
    Log,
    /// The hub's own certificates, which may be replaced by others.
    Tls,
}

/// The keys that a configuration has at hand. What cannot be read is not at hand.
///
/// # Errors
/// If the members' keys are no keys.
pub(crate) fn at_hand(config: &Config) -> Result<Vec<Needed>, Fatal> {
    let mut found = Vec::new();
    let file = config.store.member_key_file();
    // Asking for keys that are not there would make others.
    if file.is_file() {
        for (number, print) in config.store.keys()?.fingerprints() {
            found.push(Needed {
                what: Use::Members,
                file: file.clone(),
                fingerprint: format!("{number} {}", hex(print)),
            });
        }
    }
    let file = audit::key_file(config);
    if let Ok(key) = audit::read_key(&file) {
        found.push(log(&file, key.key().to_string()));
    }
    let partners = &config.partners;
    let pairs = [
        config.tls.files(),
        partners.files(&config.tls),
        partners.client_files(),
    ];
    for (certificate, key) in pairs.into_iter().flatten() {
        let needed = tls(certificate, key);
        found.extend(needed.filter(|needed| !found.contains(needed)));
    }
    Ok(found)
}

/// The keys that a backup needs, of a log that was begun with a key.
///
/// # Errors
/// If the members' keys are no keys.
pub(crate) fn needed(config: &Config, begun_with: Option<&str>) -> Result<Vec<Needed>, Fatal> {
    let mut needed = at_hand(config)?;
    // Whoever makes backups may be one who cannot read the log's key.
    needed.retain(|key| key.what != Use::Log);
    let file = audit::key_file(config);
    needed.extend(begun_with.map(|key| log(&file, key.to_owned())));
    Ok(needed)
}

fn log(file: &Path, fingerprint: String) -> Needed {
    let (what, file) = (Use::Log, file.to_owned());
    Needed {
        what,
        file,
        fingerprint,
    }
}

fn tls(certificate: &Path, key: &Path) -> Option<Needed> {
    let own = CertificateDer::from_pem_file(certificate).ok()?;
    Some(Needed {
        what: Use::Tls,
        file: key.to_owned(),
        fingerprint: hex(sha256(&own)),
    })
}
