//! The schema, as the steps that led to it. A step that has left the house never changes; a new one follows.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlitePool};

use crate::error::StoreError;

/// Number, name and statements of each step.
pub(crate) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "participants",
        include_str!("../migrations/0001_participants.sql"),
    ),
    (2, "covers", include_str!("../migrations/0002_covers.sql")),
    (
        3,
        "messages",
        include_str!("../migrations/0003_messages.sql"),
    ),
    (4, "ledger", include_str!("../migrations/0004_ledger.sql")),
    (5, "outbox", include_str!("../migrations/0005_outbox.sql")),
];

/// Brings the schema up to date.
pub(crate) async fn run(pool: &SqlitePool) -> Result<(), StoreError> {
    let step = |&(number, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(step).collect())
        .run(pool)
        .await?;
    Ok(())
}
