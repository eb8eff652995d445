//! Where the demonstration keeps what it makes: a fresh folder that goes away with it, or one that stays.

use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use takmil_conformance::insurer::Received;
use takmil_conformance::tls::{Authority, Identity};
use takmil_domain::ids::ParticipantId;
use tempfile::TempDir;
use tracing_subscriber::EnvFilter;

use crate::cli::Fatal;

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
    /// Dropped, and with it the folder, at the end.
    temporary: Option<TempDir>,
}

impl Folder {
    /// The folder that is named, made where it is missing; a fresh one where none is.
    pub(super) fn open(named: Option<&Path>) -> Result<Folder, Fatal> {
        let Some(path) = named else {
            let temporary = TempDir::with_prefix("takmil-demo-")?;
            let path = temporary.path().to_owned();
            return Ok(Folder {
                path,
                temporary: Some(temporary),
            });
        };
        let cannot = |error| format!("{} cannot be used: {error}", path.display());
        fs::create_dir_all(path).map_err(cannot)?;
        Ok(Folder {
            path: path.canonicalize()?,
            temporary: None,
        })
    }

    /// Whether it goes away at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// The database.
    pub(super) fn database(&self) -> PathBuf {
        self.at("takmil.db")
    }

    /// A place in it.
    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the hub's certificate and key, and the authority that clients trust it by.
    pub(super) fn keep_identity(&self, authority: &Authority, hub: &Identity) -> Result<(), Fatal> {
        fs::write(self.authority(), authority.certificate_pem())?;
        fs::write(self.certificate(), &hub.certificate_pem)?;
        let mut options = fs::OpenOptions::new();
        let mut key = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.key())?;
        Ok(key.write_all(hub.key_pem.as_bytes())?)
    }

    /// The authority's certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.at("ca.pem")
    }

    /// The hub's certificate.
    pub(super) fn certificate(&self) -> PathBuf {
        self.at("hub.pem")
    }

    /// The hub's private key.
    pub(super) fn key(&self) -> PathBuf {
        self.at("hub.key")
    }

    /// The hub's log.
    pub(super) fn log(&self) -> PathBuf {
        self.at("hub.log")
    }

    /// Starts the process's log in a file here, so that it does not run through the tables.
    pub(super) fn start_log(&self) -> Result<(), Fatal> {
        let file = fs::File::create(self.log())?;
        let lines = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_new("info")?)
            .with_ansi(false)
            .with_writer(Mutex::new(file));
        lines.try_init()
    }

    /// Writes what an insurer was given: one line of JSON a delivery, in the order in which they came.
    pub(super) fn keep_deliveries(
        &self,
        insurer: &ParticipantId,
        received: &[Received],
    ) -> Result<(), Fatal> {
        let folder = self.deliveries();
        fs::create_dir_all(&folder)?;
        let mut lines = Vec::new();
        for delivery in received {
            let line = json!({
                "place": delivery.place,
                "delivery": delivery.delivery_id,
                "message": delivery.message_id,
                "purpose": delivery.purpose,
                "kind": delivery.kind,
                "sequence": delivery.sequence,
                "decided_by": delivery.decided_by,
                "currency": delivery.currency,
                "share": delivery.share,
                "times": delivery.times,
            });
            writeln!(lines, "{line}")?;
        }
        fs::write(folder.join(format!("{insurer}.ndjson")), lines)?;
        Ok(())
    }

    /// Where the insurers' deliveries are.
    pub(super) fn deliveries(&self) -> PathBuf {
        self.at("insurers")
    }
}
