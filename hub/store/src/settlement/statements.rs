//! Statements: drawn day by day from the transfers that no other statement has, each pair by itself.

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, TransferId};
use takmil_domain::settlement::{Due, Folio, Pair, Statement, Transfer};

use super::page::{dues_of_claims, load_payments, pair_values, reaching, unreadable};
use super::periods::is_closed;
use super::rows::StatedRow;
use super::{BookFilter, rows, seen};
use crate::column::Row;
use crate::db::Db;
use crate::error::StoreError;
use crate::put::put;
use crate::scope::Scope;
use crate::store::Store;

/// A statement under its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    /// Its number.
    pub number: u64,
    /// The statement.
    pub statement: Statement,
}

/// A statement with all that it is drawn from.
#[derive(Debug, Clone)]
pub struct StatementBook {
    /// The statement.
    pub record: StatementRecord,
    /// Its transfers.
    pub transfers: Vec<Transfer>,
    /// The dues of its claims as they stand, and the payments that have reached them.
    pub folio: Folio,
}

/// Which statements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatementFilter {
    /// Whose.
    pub whose: BookFilter,
    /// Of this day, or later.
    pub from: Option<Date>,
    /// Of this day, or earlier.
    pub to: Option<Date>,
}

impl Store {
    /// The last day that statements were made for.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn last_settled_day(&self) -> Result<Option<Date>, StoreError> {
        let last = "select day from settled_day order by day desc limit 1";
        let row = self.readers.fetch_optional(last, &[]).await?;
        row.as_ref().map(|row| row.named("day")).transpose()
    }

    /// When the first transfer was booked that no statement has.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn first_unstated(&self) -> Result<Option<Instant>, StoreError> {
        let first = "select min(at) as at from transfer where statement is null";
        self.readers.fetch_one(first, &[]).await?.moment_maybe("at")
    }

    /// Makes the statements of a day: of each pair one over its transfers up to `until` that no statement has. Gives how
    /// many it made; done again, or by two at once, it makes none twice. What is committed too late for its own day is in
    /// the next one's, and what belongs to a closed month in the first one's after it.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn settle_day(
        &self,
        day: Date,
        until: Instant,
        made_at: Instant,
    ) -> Result<u64, StoreError> {
        let pairs = self
            .readers
            .fetch_all(
                "select distinct insurer, provider, payee, currency from transfer
                 where statement is null and at <= $1
                 order by insurer, provider, payee, currency",
                &[until.into()],
            )
            .await?;
        let mut made = 0;
        for pair in &pairs {
            made += u64::from(self.state(&rows::pair(pair)?, day, until, made_at).await?);
        }
        self.writers
            .execute(
                "insert into settled_day (day, at) values ($1, $2) on conflict (day) do nothing",
                &[day.to_string().as_str().into(), made_at.into()],
            )
            .await?;
        Ok(made)
    }

    /// Makes one pair's statement of a day, and says whether there was something to state.
    async fn state(
        &self,
        pair: &Pair,
        day: Date,
        until: Instant,
        made_at: Instant,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let before = last(&mut db, pair).await?;
        if before.as_ref().is_some_and(|before| before.day >= day) {
            return Ok(false);
        }
        if is_closed(&mut db, pair, &day.to_string()).await? {
            return Ok(false);
        }
        let values = [&pair_values(pair)[..], &[until.into()]].concat();
        let found = db
            .fetch_all(
                "select * from transfer
                 where insurer = $1 and provider = $2 and payee = $3 and currency = $4
                     and statement is null and at <= $5",
                &values,
            )
            .await?;
        let transfers = found.iter().map(rows::transfer);
        let transfers: Vec<Transfer> = transfers.collect::<Result<_, _>>()?;
        let drawn = Statement::draw(pair, day, before.as_ref(), &transfers, made_at);
        let Some(statement) = drawn.map_err(unreadable)? else {
            return Ok(false);
        };
        let number = insert(&mut db, &statement).await?;
        let stated = found.iter().map(|row| {
            Ok(StatedRow {
                id: TransferId(row.uuid("id")?).into(),
                statement: number,
            })
        });
        let stated: Vec<StatedRow> = stated.collect::<Result<_, StoreError>>()?;
        put(&mut db, &stated).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Statements, in the order of their numbers.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn statements(
        &self,
        scope: &Scope,
        filter: &StatementFilter,
        after: u64,
        most: u32,
    ) -> Result<Vec<StatementRecord>, StoreError> {
        const SQL: &str = concat!(
            "select * from statement where ",
            seen!(),
            " and ($5 is null or day >= $5) and ($6 is null or day <= $6) and number > $7
             order by number limit $8"
        );
        let text = |day: Option<Date>| day.map(|day| day.to_string());
        let (from, to) = (text(filter.from), text(filter.to));
        let more = [
            from.as_deref().into(),
            to.as_deref().into(),
            i64::try_from(after).unwrap_or(i64::MAX).into(),
            most.into(),
        ];
        let values = [&filter.whose.values(scope)[..], &more].concat();
        let mut reader = self.read(scope).await?;
        let found = reader.db().fetch_all(SQL, &values).await?;
        found.iter().map(record).collect()
    }

    /// A statement with what it is drawn from.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none in the scope.
    pub async fn statement(&self, scope: &Scope, number: u64) -> Result<StatementBook, StoreError> {
        const SQL: &str = concat!(
            "select * from statement where ",
            seen!(),
            " and number = $5"
        );
        let number = i64::try_from(number).map_err(|_| StoreError::NotFound)?;
        let whose = BookFilter::default();
        let values = [&whose.values(scope)[..], &[number.into()]].concat();
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        let record = record(&db.fetch_one(SQL, &values).await?)?;
        let found = db
            .fetch_all(
                "select * from transfer where statement = $1 order by id",
                &[number.into()],
            )
            .await?;
        let transfers = found.iter().map(rows::transfer);
        let transfers: Vec<Transfer> = transfers.collect::<Result<_, _>>()?;
        let pair = &record.statement.pair;
        let claims = transfers.iter().filter_map(|one| one.message);
        let claims: Vec<MessageId> = claims.collect();
        let mut dues: Vec<Due> = dues_of_claims(&mut db, pair, &claims, false).await?;
        dues.retain(|due| due.pair == *pair);
        let payments = reaching(&mut db, pair, &claims).await?;
        let payments = load_payments(&mut db, &payments).await?;
        let folio = Folio::open(pair.clone(), dues, payments).map_err(unreadable)?;
        Ok(StatementBook {
            record,
            transfers,
            folio,
        })
    }
}

/// The last statement of a pair.
async fn last(db: &mut Db<'_>, pair: &Pair) -> Result<Option<Statement>, StoreError> {
    let row = db
        .fetch_optional(
            "select * from statement
             where insurer = $1 and provider = $2 and payee = $3 and currency = $4
             order by day desc limit 1",
            &pair_values(pair),
        )
        .await?;
    row.as_ref().map(rows::statement).transpose()
}

/// Keeps a statement, and gives its number.
async fn insert(db: &mut Db<'_>, statement: &Statement) -> Result<i64, StoreError> {
    let sums = crate::catalogue::rendered(&statement.sums)?;
    let day = statement.day.to_string();
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let more = [
        day.as_str().into(),
        statement.opening.into(),
        sums.as_str().into(),
        statement.closing.into(),
        count(statement.claims).into(),
        count(statement.transfers).into(),
        statement.made_at.into(),
        (&statement.digest).into(),
    ];
    let values = [&pair_values(&statement.pair)[..], &more].concat();
    let row = db
        .fetch_one(
            "insert into statement
                 (insurer, provider, payee, currency, day, opening, sums, closing, claims, transfers,
                  made_at, digest)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning number",
            &values,
        )
        .await?;
    row.number("number")
}

pub(super) fn record(row: &Row) -> Result<StatementRecord, StoreError> {
    Ok(StatementRecord {
        number: row.number("number")?,
        statement: rows::statement(row)?,
    })
}
