//! The seam between what is asked and the database that answers: one connection, one row, one value, two kinds.
//!
//! Statements are static texts. Most are one text for both databases; where the dialects differ, a statement
//! holds two. Nothing beyond this file, [`crate::arrays`] and the two openings knows which database it is.

use std::fmt::Display;
use std::time::Duration;

use futures::TryStreamExt;
use serde::Serialize;
use serde::ser::Error as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool};
use sqlx::sqlite::{SqliteArguments, SqlitePool};
use sqlx::{
    Arguments as _, Encode, PgConnection, Postgres, Sqlite, SqliteConnection, Type, query::Query,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::arrays::{arrays, without_nul};
use crate::cells::{Column, Fault, fill, too_many};
use crate::column::Row;
use crate::error::StoreError;
use crate::rows::{Cells, Kind, Over, SIZES, Sink};

/// How long a caller waits for a connection. A turn holds one for milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Every static statement of the crate fits, so that none is prepared twice.
pub(crate) const STATEMENTS: usize = 512;

/// A static statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Sql {
        Sql {
            sqlite: both,
            postgres: both,
        }
    }
}

/// An argument of a statement. It has no `Debug`: it may be a person's.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
    Id(Option<Uuid>),
    Bytes(&'a [u8]),
}

macro_rules! value_from {
    ($($type:ty => $from:ident $value:expr;)+) => {$(
        impl<'a> From<$type> for Value<'a> {
            fn from($from: $type) -> Value<'a> {
                $value
            }
        }
    )+};
}

value_from! {
    &'a str => text Value::Text(Some(text));
    &'a String => text Value::Text(Some(text));
    Option<&'a str> => text Value::Text(text);
    i64 => number Value::Integer(Some(number));
    Option<i64> => number Value::Integer(number);
    u32 => number Value::Integer(Some(number.into()));
    Instant => moment Value::Integer(Some(moment.0));
    Uuid => id Value::Id(Some(id));
    Option<Uuid> => id Value::Id(id);
    &'a [u8] => bytes Value::Bytes(bytes);
    &'a [u8; 32] => bytes Value::Bytes(bytes);
}

/// Connections to one database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A connection of a pool.
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A transaction. Dropped, it leaves nothing behind.
pub(crate) enum Transaction<'c> {
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    Postgres(sqlx::Transaction<'c, Postgres>),
}

/// A connection at work.
pub(crate) enum Db<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Pool {
    /// A connection, for questions that need no transaction.
    pub(crate) async fn acquire(&self) -> Result<Connection, StoreError> {
        Ok(match self {
            Pool::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
            Pool::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }

    /// A transaction that begins with a statement.
    pub(crate) async fn begin(&self, sql: Sql) -> Result<Transaction<'static>, StoreError> {
        Ok(match self {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin_with(sql.sqlite).await?),
            Pool::Postgres(pool) => Transaction::Postgres(pool.begin_with(sql.postgres).await?),
        })
    }

    /// All rows of one question.
    pub(crate) async fn fetch_all(
        &self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.acquire().await?.db().fetch_all(sql, values).await
    }

    /// The row of one question, where there is one.
    pub(crate) async fn fetch_optional(
        &self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, StoreError> {
        self.acquire().await?.db().fetch_optional(sql, values).await
    }

    /// The row of one question.
    pub(crate) async fn fetch_one(
        &self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Row, StoreError> {
        self.acquire().await?.db().fetch_one(sql, values).await
    }

    /// Every row of one question, one after another: they are never all in memory.
    pub(crate) async fn each(
        &self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
        take: impl FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.acquire().await?.db().each(sql, values, take).await
    }

    /// Does one statement by itself and counts the rows that it touched.
    pub(crate) async fn execute(
        &self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        self.acquire().await?.db().execute(sql, values).await
    }

    /// Waits for what runs and closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl Connection {
    pub(crate) fn db(&mut self) -> Db<'_> {
        match self {
            Connection::Sqlite(connection) => Db::Sqlite(connection),
            Connection::Postgres(connection) => Db::Postgres(connection),
        }
    }
}

impl Transaction<'_> {
    pub(crate) fn db(&mut self) -> Db<'_> {
        match self {
            Transaction::Sqlite(transaction) => Db::Sqlite(transaction),
            Transaction::Postgres(transaction) => Db::Postgres(transaction),
        }
    }

    /// Keeps what was done, durably.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Transaction::Sqlite(transaction) => transaction.commit().await?,
            Transaction::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

impl Db<'_> {
    /// Whether other hubs may be at work in the same database.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Db::Postgres(_))
    }

    /// All rows.
    pub(crate) async fn fetch_all(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let sql = sql.into();
        Ok(match self {
            Db::Sqlite(connection) => {
                let rows = in_sqlite(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Db::Postgres(connection) => {
                let query = in_postgres(sql, values);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The only row, where there is one.
    pub(crate) async fn fetch_optional(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, StoreError> {
        let sql = sql.into();
        Ok(match self {
            Db::Sqlite(connection) => {
                let query = in_sqlite(sql, values);
                let row = query.fetch_optional(&mut **connection).await?;
                row.map(Row::Sqlite)
            }
            Db::Postgres(connection) => {
                let query = in_postgres(sql, values);
                let row = query.fetch_optional(&mut **connection).await?;
                row.map(Row::Postgres)
            }
        })
    }

    /// The only row; [`StoreError::NotFound`] where there is none.
    pub(crate) async fn fetch_one(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Row, StoreError> {
        let row = self.fetch_optional(sql, values).await?;
        row.ok_or(StoreError::NotFound)
    }

    /// Every row, one after another.
    pub(crate) async fn each(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
        mut take: impl FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = sql.into();
        match self {
            Db::Sqlite(connection) => {
                let mut rows = in_sqlite(sql, values).fetch(&mut **connection);
                while let Some(row) = rows.try_next().await? {
                    take(Row::Sqlite(row))?;
                }
            }
            Db::Postgres(connection) => {
                let mut rows = in_postgres(sql, values).fetch(&mut **connection);
                while let Some(row) = rows.try_next().await? {
                    take(Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }

    /// Does a statement and counts the rows that it touched.
    pub(crate) async fn execute(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let sql = sql.into();
        Ok(match self {
            Db::Sqlite(connection) => {
                let done = in_sqlite(sql, values).execute(&mut **connection).await?;
                done.rows_affected()
            }
            Db::Postgres(connection) => {
                let done = in_postgres(sql, values).execute(&mut **connection).await?;
                done.rows_affected()
            }
        })
    }

    /// Asks one statement about many rows.
    pub(crate) async fn ask<R: Cells>(
        &mut self,
        over: &'static Over,
        rows: &[R],
    ) -> Result<Vec<Row>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match self {
            Db::Sqlite(connection) => {
                let mut found = Vec::new();
                for query in over_values(over, rows) {
                    let rows = query?.fetch_all(&mut **connection).await?;
                    found.extend(rows.into_iter().map(Row::Sqlite));
                }
                found
            }
            Db::Postgres(connection) => {
                let query = over_arrays(over, rows)?;
                let found = query.fetch_all(&mut **connection).await?;
                found.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Writes many rows, and counts those that it touched.
    pub(crate) async fn write<R: Cells>(
        &mut self,
        over: &'static Over,
        rows: &[R],
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Db::Sqlite(connection) => {
                let mut touched = 0;
                for query in over_values(over, rows) {
                    touched += query?.execute(&mut **connection).await?.rows_affected();
                }
                touched
            }
            Db::Postgres(connection) => {
                let query = over_arrays(over, rows)?;
                query.execute(&mut **connection).await?.rows_affected()
            }
        })
    }
}

fn in_sqlite(sql: Sql, values: &[Value<'_>]) -> Query<'static, Sqlite, SqliteArguments> {
    values
        .iter()
        .fold(sqlx::query(sql.sqlite), |query, value| match *value {
            Value::Text(text) => query.bind(text),
            Value::Integer(number) => query.bind(number),
            Value::Id(id) => query.bind(id),
            Value::Bytes(bytes) => query.bind(bytes),
        })
}

fn in_postgres(sql: Sql, values: &[Value<'_>]) -> Query<'static, Postgres, PgArguments> {
    values
        .iter()
        .fold(sqlx::query(sql.postgres), |query, value| match *value {
            Value::Text(text) => query.bind(text.map(without_nul)),
            Value::Integer(number) => query.bind(number),
            Value::Id(id) => query.bind(id),
            Value::Bytes(bytes) => query.bind(bytes),
        })
}

/// The statements that take all rows, so many at once as a statement takes.
fn over_values<R: Cells>(
    over: &'static Over,
    rows: &[R],
) -> impl Iterator<Item = Result<Query<'static, Sqlite, SqliteArguments>, sqlx::Error>> {
    let most = SIZES.last().copied().unwrap_or(1);
    let mut place = 0;
    rows.chunks(most).map(move |rows| {
        let mut values = Values {
            arguments: SqliteArguments::default(),
            kinds: over.kinds.iter(),
            kind: Kind::Integer,
        };
        values
            .arguments
            .reserve(rows.len() * (over.kinds.len() + 1), 0);
        for row in rows {
            values.kinds = over.kinds.iter();
            values.add(place)?;
            place += 1;
            row.each(&mut values)?;
        }
        Ok(sqlx::query_with(over.of_rows(rows.len()), values.arguments))
    })
}

/// Rows as SQLite takes them: cell after cell.
struct Values {
    arguments: SqliteArguments,
    kinds: std::slice::Iter<'static, Kind>,
    /// Of the cell that is being bound.
    kind: Kind,
}

impl Values {
    fn add<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(
        &mut self,
        value: T,
    ) -> Result<(), sqlx::Error> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)
    }
}

impl Sink for Values {
    fn cell<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), sqlx::Error> {
        self.kind = *self.kinds.next().ok_or_else(too_many)?;
        fill(self, value)
    }
}

impl Column for Values {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn null(&mut self) -> Result<(), Fault> {
        self.add(None::<i64>).map_err(Fault::custom)
    }

    fn integer(&mut self, number: i64) -> Result<(), Fault> {
        self.add(number).map_err(Fault::custom)
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        self.add(text).map_err(Fault::custom)
    }

    fn shown(&mut self, value: &dyn Display) -> Result<(), Fault> {
        self.add(value.to_string()).map_err(Fault::custom)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.add(bytes).map_err(Fault::custom)
    }
}

fn over_arrays<R: Cells>(
    over: &'static Over,
    rows: &[R],
) -> Result<Query<'static, Postgres, PgArguments>, sqlx::Error> {
    let arrays = arrays(over.kinds, rows)?;
    Ok(arrays
        .into_iter()
        .fold(sqlx::query(over.postgres), |query, array| query.bind(array)))
}
