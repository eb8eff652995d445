//! Certificates that change while the hub runs: their files are looked at again and again. Connections that are open
//! go on; files that cannot be used change nothing, and are told of once.

use rustls::ServerConfig;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use takmil_domain::digest::sha256;
use takmil_insurers::{Identity, Transports};
use tokio::sync::Notify;

use super::tls::{Files, TlsError};
use crate::code::Chain;

/// How often the files are looked at. They are few and small.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a port speaks TLS by. Clones share it.
#[derive(Clone)]
pub(crate) struct Current(Arc<RwLock<Arc<ServerConfig>>>);

impl Current {
    /// What a connection that begins now goes by.
    pub(super) fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, config: ServerConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

/// Files, and what takes effect when they change.
struct Watched {
    /// The section of the configuration that names them.
    section: &'static str,
    files: Vec<PathBuf>,
    renew: Box<dyn Fn() -> Result<(), TlsError> + Send + Sync>,
    /// What the files held when they were last taken, or refused.
    seen: Mutex<[u8; 32]>,
    /// Whether what they hold could not be used.
    is_stale: AtomicBool,
}

/// Every certificate that the hub shows or judges by.
#[derive(Default)]
pub(crate) struct Renewal {
    watched: Vec<Watched>,
    /// Wakes the look before its time.
    again: Notify,
}

impl Renewal {
    /// Reads the files of a port, and keeps what the port goes by up to date with them.
    ///
    /// # Errors
    /// [`TlsError`] where they cannot be used.
    pub(crate) fn port(
        &mut self,
        section: &'static str,
        files: Files,
    ) -> Result<Current, TlsError> {
        let all = files.all();
        let seen = Mutex::new(digest(&all));
        let current = Current(Arc::new(RwLock::new(Arc::new(files.read()?))));
        let kept = current.clone();
        self.watched.push(Watched {
            section,
            files: all,
            renew: Box::new(move || files.read().map(|config| kept.change(config))),
            seen,
            is_stale: AtomicBool::new(false),
        });
        Ok(current)
    }

    /// Reads the certificate and key that the hub shows to insurers, and keeps what is shown up to date with them.
    ///
    /// # Errors
    /// [`TlsError`] where they cannot be used.
    pub(crate) fn shown(
        &mut self,
        section: &'static str,
        [certificate, key]: [PathBuf; 2],
        transports: Transports,
    ) -> Result<(), TlsError> {
        let files = vec![certificate.clone(), key.clone()];
        let seen = Mutex::new(digest(&files));
        let renew = move || {
            let text = |file: &PathBuf| {
                let failed = |cause| TlsError::File {
                    file: file.clone(),
                    cause,
                };
                std::fs::read_to_string(file).map_err(failed)
            };
            let identity = Identity::from_pem(&text(&certificate)?, &text(&key)?)?;
            transports.show(Some(identity));
            Ok(())
        };
        renew()?;
        self.watched.push(Watched {
            section,
            files,
            renew: Box::new(renew),
            seen,
            is_stale: AtomicBool::new(false),
        });
        Ok(())
    }

    /// The sections of the configuration whose files hold what cannot be used, so that what they held before serves.
    pub(crate) fn stale(&self) -> Vec<&'static str> {
        let stale = |watched: &&Watched| watched.is_stale.load(Ordering::Relaxed);
        let watched = self.watched.iter().filter(stale);
        watched.map(|watched| watched.section).collect()
    }

    /// Looks at the files at once, whether or not it is time.
    pub(crate) fn look_now(&self) {
        self.again.notify_one();
    }

    /// Looks at the files for as long as it is polled.
    pub(crate) async fn keep_looking(self: Arc<Renewal>) {
        loop {
            // Early or in time is all the same.
            let _ = tokio::time::timeout(LOOK_EVERY, self.again.notified()).await;
            let all = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                all.watched.iter().for_each(Watched::look);
            });
            if let Err(error) = looked.await {
                tracing::error!(%error, "the look at certificates failed");
            }
        }
    }
}

impl Watched {
    fn look(&self) {
        // Taken before the files are read: where they change in between, the next look finds them changed.
        let found = digest(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return;
        }
        *seen = found;
        let renewed = (self.renew)();
        self.is_stale.store(renewed.is_err(), Ordering::Relaxed);
        match renewed {
            Ok(()) => tracing::info!(
                section = self.section,
                "new certificates are in force for new connections"
            ),
            Err(error) => tracing::error!(
                section = self.section,
                error = %Chain(&error),
                "new certificates cannot be used; those before them stay in force"
            ),
        }
    }
}

/// What the files hold, in short. A file that cannot be read holds its error.
fn digest(files: &[PathBuf]) -> [u8; 32] {
    let held = files.iter().map(|file| match std::fs::read(file) {
        Ok(bytes) => sha256(&bytes),
        Err(error) => sha256(error.to_string().as_bytes()),
    });
    sha256(&held.collect::<Vec<_>>().concat())
}
