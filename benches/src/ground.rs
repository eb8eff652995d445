//! What a measurement is made on: a fresh folder on the disk that is measured, and in it, where it is asked for, a
//! PostgreSQL server of its own.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use takmil_domain::date::Instant;
use tempfile::TempDir;

use crate::arguments::{Ground, Store};
use crate::bodies::Bodies;
use crate::disk;
use crate::error::Error;
use crate::hub::{Database, Setup};
use crate::machine::Machine;
use crate::postgres::Postgres;
use crate::seed::Webhook;

/// A fresh folder, and a server where there is one. Both are gone with this, but for a folder that is to be kept.
#[derive(Debug)]
pub struct Fresh {
    /// Ended before its folder goes.
    server: Option<Postgres>,
    folder: TempDir,
    /// The machine that it is on.
    pub machine: Machine,
}

impl Fresh {
    /// Makes the folder and starts the server.
    ///
    /// # Errors
    /// [`Error`] where either cannot be had.
    pub fn open(ground: &Ground, store: Store) -> Result<Fresh, Error> {
        let file = Error::file(&ground.folder);
        std::fs::create_dir_all(&ground.folder).map_err(file)?;
        let mut fresh = tempfile::Builder::new();
        fresh.prefix("takmil-load-").disable_cleanup(ground.keep);
        let folder = fresh
            .tempdir_in(&ground.folder)
            .map_err(Error::file(&ground.folder))?;
        let machine = Machine::look(Some((folder.path(), &ground.hub_binary)));
        if machine.file_system.as_deref().is_some_and(disk::is_memory) {
            eprintln!(
                "{} is in memory: nothing there is durable; name another --folder",
                folder.path().display()
            );
        }
        if ground.keep {
            eprintln!("kept: {}", folder.path().display());
        }
        let server = match store {
            Store::Sqlite => None,
            Store::Postgres => {
                eprintln!("starting PostgreSQL");
                Some(Postgres::start(folder.path())?)
            }
        };
        Ok(Fresh {
            server,
            folder,
            machine,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The server, where there is one.
    pub fn server(&self) -> Option<&Postgres> {
        self.server.as_ref()
    }

    /// A hub on this ground.
    pub fn setup<'a>(
        &'a self,
        ground: &'a Ground,
        tls: bool,
        webhook: Option<Webhook<'a>>,
    ) -> Setup<'a> {
        let server = self.server.as_ref();
        Setup {
            binary: &ground.hub_binary,
            folder: self.folder(),
            database: server.map_or(Database::Sqlite, Database::Postgres),
            lanes: ground.lanes,
            members: ground.members,
            tls,
            webhook,
        }
    }
}

/// The moment.
pub fn now() -> Instant {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Bodies that no run on the same hub has sent before.
pub fn bodies(members: u64) -> Arc<Bodies> {
    let now = now();
    Arc::new(Bodies::new(&format!("{:x}", now.0), now.day(), members))
}
