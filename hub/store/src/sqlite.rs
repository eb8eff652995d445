//! Opening a file of SQLite.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _};

use crate::db::{PATIENCE, Pool, STATEMENTS};
use crate::error::StoreError;
use crate::migrations;

/// The first SQLite without the fault that could lose the write-ahead log on a reset (3.7.0 to 3.51.2).
const LEAST: &str = "3.51.3";

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Pages in memory for each connection, in KiB: a turn's pages stay there until they are committed.
const CACHE_KIB: u32 = 32 << 10;

/// How many pages the write-ahead log gathers before who commits moves them into the file, and others wait: 64 MiB.
/// By then [`crate::Store::fold_log`] has moved nearly all of them.
const CHECKPOINT_PAGES: &str = "16384";

/// Moves what is committed into the file, while others write.
pub(crate) const FOLD: &str = "pragma wal_checkpoint(passive)";

/// Opens the file, the one who writes and those who read, and brings its schema up to date.
pub(crate) async fn open(path: &Path, readers: u32) -> Result<(Pool, Pool), StoreError> {
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
            // After a commit that the disk refused SQLite has rolled back by itself, and the driver believes that
            // its transaction goes on: such a connection is closed. The ping waits for what is still queued.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
    };
    let writer = pool(1).connect_with(options.clone()).await?;
    check(&writer).await?;
    let writer = Pool::Sqlite(writer);
    migrations::run(&writer).await?;
    let readers = pool(readers.max(1))
        .connect_with(options.pragma("query_only", "on"))
        .await?;
    Ok((writer, Pool::Sqlite(readers)))
}

async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(pool)
        .await?;
    let parts = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    if parts(&found) < parts(LEAST) {
        return Err(StoreError::TooOld {
            database: "SQLite",
            found,
            least: LEAST,
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
        let folder = tempfile::tempdir().unwrap();
        let (writer, readers) = open(&folder.path().join("hub.db"), 1).await.unwrap();
        // 2 is FULL.
        for (pragma, expected) in [
            ("select journal_mode as it from pragma_journal_mode", "wal"),
            (
                "select cast(synchronous as text) as it from pragma_synchronous",
                "2",
            ),
            (
                "select cast(foreign_keys as text) as it from pragma_foreign_keys",
                "1",
            ),
        ] {
            let row = writer.fetch_one(pragma, &[]).await.unwrap();
            assert_eq!(row.text("it").unwrap(), expected, "{pragma}");
        }
        let write = readers.execute("update revision set value = 9", &[]).await;
        assert!(write.is_err());
    }
}
