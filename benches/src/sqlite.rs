//! What bare SQLite can do on the same disk, with the hub's own settings: the ceiling of what is durable in a file.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::error::Error;

/// What a row holds beside its key: far less than a message.
const ROW_BYTES: usize = 100;

/// How fast small rows become durable.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Commits {
    /// How many rows each commit had.
    pub rows_per_commit: u64,
    /// Commits a second, one after the other.
    pub commits_per_second: u64,
    /// Rows a second.
    pub rows_per_second: u64,
}

/// Commits `rows_per_commit` small rows again and again for `window`, each time in one statement and durable before
/// the next, in a database of its own in `folder`.
///
/// # Errors
/// [`Error::Sqlite`] where the database cannot be made or written.
pub async fn commits(
    folder: &Path,
    rows_per_commit: u64,
    window: Duration,
) -> Result<Commits, Error> {
    let folder =
        tempfile::TempDir::with_prefix_in("sqlite-", folder).map_err(Error::file(folder))?;
    let mut connection = SqliteConnectOptions::new()
        .filename(folder.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::query("create table row (id integer primary key, body text not null)")
        .execute(&mut connection)
        .await?;
    let row = format!("\"{}\"", "x".repeat(ROW_BYTES));
    let count = usize::try_from(rows_per_commit).unwrap_or(usize::MAX);
    let rows = format!("[{}]", vec![row; count].join(","));
    let start = Instant::now();
    let mut commits = 0_u64;
    while start.elapsed() < window {
        sqlx::query("insert into row (body) select value from json_each($1)")
            .bind(&rows)
            .execute(&mut connection)
            .await?;
        commits += 1;
    }
    let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    connection.close().await?;
    let per_second = |count: u64| count.saturating_mul(1000) / took_ms.max(1);
    Ok(Commits {
        rows_per_commit,
        commits_per_second: per_second(commits),
        rows_per_second: per_second(commits.saturating_mul(rows_per_commit)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::commits;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_are_committed_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let window = Duration::from_millis(100);
        let found = commits(folder.path(), 64, window).await.unwrap();
        assert!(found.commits_per_second > 0);
        assert!(found.rows_per_second >= found.commits_per_second * 64);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
