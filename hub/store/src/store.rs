//! Opening and closing the database, and the ways of working in it.

use std::path::PathBuf;
use std::sync::Arc;

use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::db::{Pool, Sql, Transaction};
use crate::error::StoreError;
use crate::keys::Keys;
use crate::postgres::DatabaseUrl;
use crate::scope::Scope;
use crate::seal::{KeyProvider, OwnerKey};
use crate::turn::Turn;
use crate::{ids, postgres, sqlite};

/// Where ids get their random bits from.
pub type Random = Arc<dyn Fn() -> [u8; 10] + Send + Sync>;

/// Where the database lies, and what the store needs from outside.
#[derive(Clone)]
pub struct StoreConfig {
    /// Where.
    pub place: Place,
    /// How many connections read.
    pub readers: u32,
    /// Random bits for ids and keys that the store makes.
    pub random: Random,
    /// Who wraps the keys under which the store seals what was sent.
    pub keys: Arc<dyn KeyProvider>,
}

/// Where the database lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite, made where missing. One hub at a time opens it.
    File(PathBuf),
    /// A file of SQLite in a fresh folder that goes away with the store.
    Temporary,
    /// A database of a PostgreSQL server. Any number of hubs may work in it.
    Postgres {
        /// Where it is, and by which name and password it is entered.
        url: DatabaseUrl,
        /// How many connections write: one for each lane, and one for everything else.
        writers: u32,
    },
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) writers: Pool,
    pub(crate) readers: Pool,
    pub(crate) random: Random,
    pub(crate) keys: Keys,
    /// Dropped, and with it the folder, after the last clone.
    _folder: Option<Arc<tempfile::TempDir>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// A lane's transaction. SQLite has one writer, who takes the lock at once; in PostgreSQL each row has its own.
const TURN: Sql = Sql {
    sqlite: "begin immediate",
    postgres: "begin",
};

/// Everything else that writes is rare, and what it checks spans rows: one at a time, in all hubs together, as
/// SQLite's only writer does it anyway.
const DESK: Sql = Sql {
    sqlite: "begin immediate",
    postgres: "begin; select pg_advisory_xact_lock(7258)",
};

/// Several questions about one moment.
const SNAPSHOT: Sql = Sql {
    sqlite: "begin",
    postgres: "begin isolation level repeatable read, read only",
};

impl Store {
    /// Opens the database, brings its schema up to date, and makes the partitions of the months to come. A file
    /// of SQLite is made where missing.
    ///
    /// # Errors
    /// [`StoreError::TooOld`] if SQLite or PostgreSQL is not safe; [`StoreError::NotDurable`] if the server may
    /// forget what it has committed; [`StoreError::Standby`] if it only follows another;
    /// [`StoreError::Outgrown`] if this hub is too old for the schema; [`StoreError::Unavailable`] if the
    /// database cannot be reached.
    pub async fn open(config: &StoreConfig) -> Result<Store, StoreError> {
        let mut folder = None;
        let (writers, readers) = match &config.place {
            Place::File(path) => sqlite::open(path, config.readers).await?,
            Place::Temporary => {
                let fresh =
                    tempfile::TempDir::with_prefix("takmil-").map_err(StoreError::Folder)?;
                let path = fresh.path().join("takmil.db");
                folder = Some(Arc::new(fresh));
                sqlite::open(&path, config.readers).await?
            }
            Place::Postgres { url, writers } => {
                postgres::open(url, *writers, config.readers).await?
            }
        };
        let fresh = fresh_key(&config.random);
        let keys = Keys::open(Arc::clone(&config.keys), &writers, &fresh).await?;
        let store = Store {
            writers,
            readers,
            random: Arc::clone(&config.random),
            keys,
            _folder: folder,
        };
        store.erase_again().await?;
        Ok(store)
    }

    /// The key of what is of nobody known.
    pub fn own_key(&self) -> &OwnerKey {
        self.keys.own()
    }

    /// Begins a turn. On SQLite the next one waits until this is committed or dropped; on PostgreSQL turns wait
    /// for each other only where they ask for the same rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no writer is free in time.
    pub async fn begin(&self) -> Result<Turn, StoreError> {
        let transaction = self.writers.begin(TURN).await?;
        Ok(Turn::new(transaction, self.keys.clone()))
    }

    /// Moves what SQLite has committed from its write-ahead log into the file, beside those who write: they would
    /// have to do it themselves, all at once, while everybody waits. On PostgreSQL the server does it.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn fold_log(&self) -> Result<(), StoreError> {
        if let Pool::Sqlite(_) = self.readers {
            self.readers.execute(sqlite::FOLD, &[]).await?;
        }
        Ok(())
    }

    /// Waits for what runs and closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }

    /// Begins to write what is no turn. Only one does so at a time.
    pub(crate) async fn desk(&self) -> Result<Transaction<'static>, StoreError> {
        self.writers.begin(DESK).await
    }

    /// Begins to write to rows that others may write to as well, each locked for itself.
    pub(crate) async fn rows(&self) -> Result<Transaction<'static>, StoreError> {
        self.writers.begin(TURN).await
    }

    /// Several questions of the hub's own about one moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static>, StoreError> {
        self.readers.begin(SNAPSHOT).await
    }

    /// Questions on somebody's behalf, about one moment. Whatever they ask, PostgreSQL shows them no row that
    /// lies outside the scope.
    pub(crate) async fn read(&self, scope: &Scope) -> Result<Transaction<'static>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        postgres::enter(&mut snapshot.db(), scope).await?;
        Ok(snapshot)
    }

    /// An id that tells nothing, not even when it was made.
    pub(crate) fn random_id(&self) -> Uuid {
        let mut bits = [0; 16];
        let random = (self.random)().into_iter().chain((self.random)());
        bits.iter_mut()
            .zip(random)
            .for_each(|(to, from)| *to = from);
        uuid::Builder::from_random_bytes(bits).into_uuid()
    }

    /// A fresh key.
    pub(crate) fn fresh_key(&self) -> OwnerKey {
        fresh_key(&self.random)
    }

    /// A fresh id.
    pub(crate) fn fresh_id(&self, at: Instant) -> Uuid {
        ids::uuid(at, (self.random)())
    }
}

fn fresh_key(random: &Random) -> OwnerKey {
    let mut bits = [0; 32];
    let source = std::iter::repeat_with(|| random()).flatten();
    bits.iter_mut()
        .zip(source)
        .for_each(|(to, from)| *to = from);
    OwnerKey::new(bits)
}
