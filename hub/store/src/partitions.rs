//! Partitions of the months to come, made ahead of time where the database has any.

use takmil_domain::date::Instant;

use crate::db::{Db, Pool};
use crate::error::StoreError;
use crate::store::Store;

/// The month that runs, and so many in all: time enough to notice that nobody makes them any more.
const MONTHS: i64 = 4;

impl Store {
    /// Makes the partitions that messages and history will need in the months to come, where they are missing,
    /// and gives how many it made. SQLite needs none. Whatever has no partition goes to a default one.
    ///
    /// To be asked now and then, an hour apart or a day; it costs one question where nothing is missing.
    ///
    /// # Errors
    /// [`StoreError::Contended`] if somebody reads a table for too long; the next time will do.
    pub async fn make_partitions(&self, now: Instant) -> Result<u32, StoreError> {
        make(&self.writers, Some(now)).await
    }
}

/// Makes partitions from a moment on; from the server's own, where none is given.
pub(crate) async fn make(pool: &Pool, from: Option<Instant>) -> Result<u32, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut db = connection.db();
    if !db.is_shared() {
        return Ok(0);
    }
    let mut made = 0;
    // Each in a transaction of its own, so that nobody waits for more than one of them.
    for (parent, month) in missing(&mut db, from).await? {
        let row = db
            .fetch_one(
                "select takmil_make_partition($1, $2::timestamp)::int::bigint as made",
                &[(&parent).into(), (&month).into()],
            )
            .await?;
        made += u32::from(row.yes("made")?);
    }
    Ok(made)
}

/// The tables and months without a partition.
async fn missing(
    db: &mut Db<'_>,
    from: Option<Instant>,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = db
        .fetch_all(
            "select parent, month::text as month
             from takmil_missing_partitions(
                 coalesce($1, (extract(epoch from now()) * 1000000)::bigint), $2)",
            &[from.map(|from| from.0).into(), MONTHS.into()],
        )
        .await?;
    let read = |row: &crate::column::Row| {
        Ok((
            row.text("parent")?.to_owned(),
            row.text("month")?.to_owned(),
        ))
    };
    rows.iter().map(read).collect()
}
