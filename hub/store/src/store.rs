//! Opening and closing the database.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::error::StoreError;
use crate::turn::Turn;
use crate::{ids, migrations};

/// The first SQLite without the fault that could lose the write-ahead log on a reset (3.7.0 to 3.51.2).
const LEAST_SQLITE: &str = "3.51.3";

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection. A turn holds the writer for milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pages in memory for each connection, in KiB: a turn's pages stay there until they are committed.
const CACHE_KIB: u32 = 32 << 10;

/// How many pages the log gathers before they are moved into the database: 32 MiB.
const CHECKPOINT_PAGES: &str = "8192";

/// Every static statement of the crate fits, so that none is prepared twice.
const STATEMENTS: usize = 256;

/// Where ids get their random bits from.
pub type Random = Arc<dyn Fn() -> [u8; 10] + Send + Sync>;

/// Where the database lies, and what the store needs from outside.
#[derive(Clone)]
pub struct StoreConfig {
    /// Where.
    pub place: Place,
    /// How many connections read.
    pub readers: u32,
    /// Random bits for ids that the store makes.
    pub random: Random,
}

/// Where the database lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, made where missing.
    File(PathBuf),
    /// A file in a fresh folder that goes away with the store.
    Temporary,
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    random: Random,
    /// Dropped, and with it the folder, after the last clone.
    _folder: Option<Arc<tempfile::TempDir>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens the database, makes it where missing, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::OldLibrary`] if the library is not safe; [`StoreError::Migration`] if the schema is newer
    /// than this hub's; [`StoreError::Unavailable`] if the file cannot be opened.
    pub async fn open(config: &StoreConfig) -> Result<Store, StoreError> {
        let (path, folder) = match &config.place {
            Place::File(path) => (path.clone(), None),
            Place::Temporary => {
                let folder =
                    tempfile::TempDir::with_prefix("takmil-").map_err(StoreError::Folder)?;
                (folder.path().join("takmil.db"), Some(Arc::new(folder)))
            }
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Acknowledged is durable: the log is synced at every commit.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            // Below 0, it is KiB.
            .pragma("cache_size", format!("-{CACHE_KIB}"))
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        // Connections are not tested before use: they are threads of this process.
        let pool = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        check_library(&writer).await?;
        migrations::run(&writer).await?;
        let readers = pool(config.readers.max(1))
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Store {
            writer,
            readers,
            random: Arc::clone(&config.random),
            _folder: folder,
        })
    }

    /// Begins a turn. The next one waits until this is committed or dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the writer is not free in time.
    pub async fn begin(&self) -> Result<Turn, StoreError> {
        Ok(Turn::new(self.writer.begin_with("begin immediate").await?))
    }

    /// Waits for what runs and closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A fresh id.
    pub(crate) fn fresh_id(&self, at: Instant) -> Uuid {
        ids::uuid(at, (self.random)())
    }
}

async fn check_library(pool: &SqlitePool) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(pool)
        .await?;
    let parts = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    if parts(&found) < parts(LEAST_SQLITE) {
        return Err(StoreError::OldLibrary {
            found,
            least: LEAST_SQLITE,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn connections_keep_what_they_acknowledge_and_readers_only_read() {
        let config = StoreConfig {
            place: Place::Temporary,
            readers: 1,
            random: Arc::new(|| [0; 10]),
        };
        let store = Store::open(&config).await.unwrap();
        // 2 is FULL.
        for (pragma, expected) in [
            ("select journal_mode from pragma_journal_mode", "wal"),
            (
                "select cast(synchronous as text) from pragma_synchronous",
                "2",
            ),
            (
                "select cast(foreign_keys as text) from pragma_foreign_keys",
                "1",
            ),
        ] {
            let found: String = sqlx::query_scalar(pragma)
                .fetch_one(&store.writer)
                .await
                .unwrap();
            assert_eq!(found, expected, "{pragma}");
        }
        let write = sqlx::query("update revision set value = 9");
        assert!(write.execute(&store.readers).await.is_err());
    }
}
