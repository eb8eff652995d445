//! What backups need of a database: a copy of SQLite's file, made while the hub works, and the figures by which what
//! was restored is known again. PostgreSQL's own tools copy it; here only its figures are taken.
//!
//! Nothing here brings a schema up to date, or changes a row of what is looked at.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use takmil_domain::audit::TreeHash;

use crate::audit::{HEAD, head};
use crate::db::{PATIENCE, Pool};
use crate::error::StoreError;
use crate::migrations::{SQLITE, Step};
use crate::postgres::DatabaseUrl;
use crate::store::Store;

/// By which a database is known again, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The last step of its schema.
    pub schema: i64,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// The sums of all limits.
    pub ledger: LedgerFigures,
    /// The head of the tamper-evident log.
    pub log: LogFigures,
}

/// The sums of all limits, in whatever unit each has: no amounts of money, but a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerFigures {
    /// Of ceilings.
    pub ceiling: i64,
    /// Of what is consumed.
    pub consumed: i64,
    /// Of what is reserved.
    pub reserved: i64,
    /// Of what insurers allowed beyond ceilings.
    pub overdraft: i64,
    /// How many limits have a sum that their entries do not bear out. None is the invariant.
    pub differences: u64,
}

/// The head of the tamper-evident log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFigures {
    /// How many entries there are.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// The public key that the log was begun with; none before it was begun.
    pub key: Option<String>,
    /// The signed note.
    pub checkpoint: Option<String>,
}

macro_rules! tables {
    ($($name:literal)+) => {
        /// Every table of the hub's, and how its rows are counted.
        const TABLES: &[(&str, &str)] = &[$((
            $name,
            concat!("select count(*) as found from ", $name),
        )),+];
    };
}

tables! {
    "revision" "participant" "participant_identifier" "staff" "credential" "approval"
    "plan" "tariff" "rule" "member" "data_key" "erasure" "member_identifier" "account" "cover"
    "message" "turn" "message_identifier" "idempotency" "payer" "decision" "authorisation" "authorisation_use" "past" "unmapped"
    "standing" "reservation" "posting"
    "delivery" "attempt" "lease"
    "registration" "insurer_fault" "due" "transfer" "statement" "settled_day" "payment" "allocation" "dispute" "period"
    "figures" "figure" "difference" "upload" "upload_part"
    "audit_pending" "audit_entry" "audit_number" "audit_tile" "audit_head" "audit_checkpoint" "audit_read"
}

const SCHEMA: &str = "select max(version) as version from _sqlx_migrations where success";

const SUMS: &str = "select
     cast(coalesce(sum(ceiling), 0) as bigint) as ceiling,
     cast(coalesce(sum(consumed), 0) as bigint) as consumed,
     cast(coalesce(sum(reserved), 0) as bigint) as reserved,
     cast(coalesce(sum(overdraft), 0) as bigint) as overdraft
     from standing";

/// The log's time goes on: its next checkpoint is not before its last.
const ENDED: [&str; 2] = [
    "update audit_head set log_key = null, checkpoint = null, kept_at = null",
    "delete from audit_checkpoint",
];

const ERASED: &str = "select count(*) as found from erasure";

/// Copies a file of SQLite to another that does not exist, as it was at one moment, however many write to it
/// meanwhile. It is read as by any reader: who writes goes on, and only the write-ahead log grows until the copy is
/// done, for what is being read cannot be folded into the file.
///
/// # Errors
/// If either cannot be used, or there is a file in the place of the copy.
pub async fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let to = to
        .to_str()
        .ok_or(StoreError::Unreadable { what: "a path" })?;
    let options = SqliteConnectOptions::new().filename(from).read_only(true);
    let pool = reading_file(options).await?;
    let copied = pool.execute("vacuum into $1", &[to.into()]).await;
    pool.close().await;
    copied.map(drop)
}

impl Figures {
    /// The figures of a file of SQLite that nobody writes to.
    ///
    /// # Errors
    /// If it is no database of a hub's, or cannot be read.
    pub async fn of_file(path: &Path) -> Result<Figures, StoreError> {
        let options = SqliteConnectOptions::new().filename(path).immutable(true);
        let pool = reading_file(options.read_only(true)).await?;
        let figures = Figures::of(&pool).await;
        pool.close().await;
        figures
    }

    /// The figures of a database of a PostgreSQL server that nobody else uses.
    ///
    /// # Errors
    /// If it is no database of a hub's, or the server cannot serve.
    pub async fn of_server(url: &DatabaseUrl) -> Result<Figures, StoreError> {
        let pool = reading_server(url).await?;
        let figures = Figures::of(&pool).await;
        pool.close().await;
        figures
    }

    async fn of(pool: &Pool) -> Result<Figures, StoreError> {
        let schema = pool.fetch_one(SCHEMA, &[]).await?.number("version")?;
        // What came with a later step than the schema has is not there yet.
        let known = tables_of(schema);
        let mut rows = BTreeMap::new();
        for (name, sql) in TABLES.iter().filter(|(name, _)| known.contains(name)) {
            let count = pool.fetch_one(*sql, &[]).await?.number("found")?;
            rows.insert((*name).to_owned(), count);
        }
        let sums = pool.fetch_one(SUMS, &[]).await?;
        let ledger = include_str!("../sql/check_ledger.sql");
        let differences = pool.fetch_all(ledger, &[]).await?.len();
        let head = head(&pool.fetch_one(HEAD, &[]).await?)?;
        Ok(Figures {
            schema,
            rows,
            ledger: LedgerFigures {
                ceiling: sums.number("ceiling")?,
                consumed: sums.number("consumed")?,
                reserved: sums.number("reserved")?,
                overdraft: sums.number("overdraft")?,
                differences: u64::try_from(differences).unwrap_or(u64::MAX),
            },
            log: LogFigures {
                size: head.size,
                root: head.root,
                key: head.key,
                checkpoint: head.checkpoint,
            },
        })
    }
}

/// The major version of a PostgreSQL server, whose programs alone read its files.
///
/// # Errors
/// If the server cannot serve.
pub async fn server_version(url: &DatabaseUrl) -> Result<u32, StoreError> {
    let pool = reading_server(url).await?;
    let number = "select current_setting('server_version_num')::bigint / 10000 as version";
    let row = pool.fetch_one(number, &[]).await;
    pool.close().await;
    row?.number("version")
}

impl Store {
    /// How many members are erased.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn erased(&self) -> Result<u64, StoreError> {
        self.readers.fetch_one(ERASED, &[]).await?.number("found")
    }

    /// Ends the log under the key that it was begun with: the hub that comes next begins one under its own, with
    /// the same entries. For a log of which others have seen more than there is: under its old name it would be a fork.
    /// Its checkpoints go with its name; whoever has seen them keeps them.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn end_log(&self) -> Result<(), StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        for sql in ENDED {
            db.execute(sql, &[]).await?;
        }
        transaction.commit().await
    }
}

async fn reading_file(options: SqliteConnectOptions) -> Result<Pool, StoreError> {
    let options = options.create_if_missing(false).disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1);
    Ok(Pool::Sqlite(pool.connect_with(options).await?))
}

async fn reading_server(url: &DatabaseUrl) -> Result<Pool, StoreError> {
    let options = PgConnectOptions::from_str(url.as_str())?.disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE);
    Ok(Pool::Postgres(pool.connect_with(options).await?))
}

/// The tables that a schema has after a step, the same in both databases.
fn tables_of(schema: i64) -> Vec<&'static str> {
    let steps = SQLITE.iter().filter(|(number, ..)| *number <= schema);
    steps.flat_map(made_by).collect()
}

/// The tables that a step makes.
fn made_by((_, _, sql): &Step) -> Vec<&'static str> {
    let made = sql
        .lines()
        .filter_map(|line| line.strip_prefix("create table "));
    made.filter_map(|rest| rest.split([' ', '(']).next())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::migrations::POSTGRES;

    #[test]
    fn every_table_is_counted_in_both_databases() {
        let mut counted: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        counted.sort_unstable();
        for steps in [SQLITE, POSTGRES] {
            let mut made: Vec<&str> = steps.iter().flat_map(made_by).collect();
            // Partitions are counted with their tables.
            made.retain(|name| !name.ends_with("_rest"));
            made.sort_unstable();
            assert_eq!(counted, made);
        }
    }

    #[test]
    fn a_schema_of_earlier_days_has_fewer_tables() {
        assert!(tables_of(1).contains(&"participant"));
        assert!(!tables_of(1).contains(&"plan"));
    }

    #[tokio::test]
    async fn a_file_in_the_place_of_the_copy_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        let (writer, readers) = crate::sqlite::open(&from, 1).await.unwrap();
        std::fs::write(&to, "mine").unwrap();
        assert!(copy_file(&from, &to).await.is_err());
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
        std::fs::remove_file(&to).unwrap();
        copy_file(&from, &to).await.unwrap();
        let figures = Figures::of_file(&to).await.unwrap();
        assert_eq!(figures.schema, SQLITE.last().unwrap().0);
        assert_eq!(figures.rows["audit_head"], 1);
        assert!(
            copy_file(&folder.path().join("no.db"), &folder.path().join("new.db"))
                .await
                .is_err()
        );
        readers.close().await;
        writer.close().await;
    }
}
