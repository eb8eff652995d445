//! Months: what their closing rests on, and those that are closed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use takmil_domain::audit::Event;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Currency;
use takmil_domain::settlement::period::{Closed, Month, PairBook};
use takmil_domain::settlement::{Balances, Pair, Statement};

use super::check::{add_rests, by_kind, transfers};
use super::reconcile::{DifferenceRecord, difference};
use super::{rows, statements::record};
use crate::column::Row;
use crate::db::{Db, Value};
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;
use crate::turn::digest;

/// An insurer's month in one currency that is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedPeriod {
    /// All that was debited, which is all that was credited.
    pub debits: i64,
    /// SHA-256 over the month and its statements' digests.
    pub digest: [u8; 32],
    /// When it was closed.
    pub closed_at: Instant,
    /// With which open differences.
    pub accepted: OpenDifferences,
}

/// Differences that nobody has settled or explained, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDifferences {
    /// How many.
    pub count: u64,
    /// What they are about, together, in smallest units.
    pub amount: i64,
}

impl OpenDifferences {
    /// The sum of differences.
    pub fn of(differences: &[DifferenceRecord]) -> OpenDifferences {
        let add = |sum: OpenDifferences, own: &DifferenceRecord| OpenDifferences {
            count: sum.count.saturating_add(1),
            amount: sum.amount.saturating_add(own.amount()),
        };
        differences.iter().fold(OpenDifferences::default(), add)
    }
}

/// Everything that the closing of an insurer's month in one currency rests on, of one moment.
#[derive(Debug, Clone)]
pub struct PeriodBooks {
    /// The days of the month that statements were made for.
    pub days_run: BTreeSet<Date>,
    /// The insurer's pairs.
    pub books: Vec<PairBook>,
    /// The open differences about claims that came to be owed in the month, the earliest first.
    pub differences: Vec<DifferenceRecord>,
    /// How it was closed, where it is.
    pub closed: Option<ClosedPeriod>,
}

/// The month's statements, and of each pair the one before.
const STATEMENTS: &str = "select s.* from statement s
     where s.insurer = $1 and s.currency = $2 and s.day <= $4 and s.day >= coalesce(
         (select max(b.day) from statement b
          where b.insurer = s.insurer and b.provider = s.provider and b.payee = s.payee
              and b.currency = s.currency and b.day < $3), $3)
     order by s.provider, s.payee, s.day";

const STATED: &str = "select t.insurer, t.provider, t.payee, t.currency, t.kind,
         cast(sum(t.amount) as bigint) as amount
     from transfer t join statement s on s.number = t.statement
     where t.insurer = $1 and t.currency = $2 and s.day <= $3
     group by t.insurer, t.provider, t.payee, t.currency, t.kind";

const UNSTATED: &str = "select insurer, provider, payee, currency, count(*) as transfers
     from transfer
     where insurer = $1 and currency = $2 and statement is null and at <= $3
     group by insurer, provider, payee, currency";

const DUES: &str = "select insurer, provider, payee, currency,
         cast(sum(incurred) as bigint) as incurred, cast(sum(noticed) as bigint) as noticed,
         cast(sum(confirmed) as bigint) as confirmed, cast(sum(disputed) as bigint) as disputed,
         cast(sum(written_off) as bigint) as written_off
     from due where insurer = $1 and currency = $2
     group by insurer, provider, payee, currency";

const DIFFERENCES: &str = "select f.* from difference f
     join due d on d.message = f.message and d.insurer = f.insurer
     where f.insurer = $1 and f.currency = $2 and f.state = 'open' and d.on_day >= $3 and d.on_day <= $4
     order by f.id";

impl Store {
    /// What the closing of an insurer's month in one currency rests on; `until` is the month's last moment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the scope does not see the insurer's books.
    pub async fn period_books(
        &self,
        scope: &Scope,
        (insurer, currency): (&ParticipantId, Currency),
        month: &Month,
        until: Instant,
    ) -> Result<PeriodBooks, StoreError> {
        if !scope.sees_insurer(insurer) {
            return Err(StoreError::NotFound);
        }
        let (first, last) = (month.first().to_string(), month.last().to_string());
        let whose: [Value<'_>; 2] = [insurer.as_str().into(), currency.as_str().into()];
        let days: [Value<'_>; 2] = [first.as_str().into(), last.as_str().into()];
        // The hub's own questions, all of one moment: what is asked is the insurer's alone.
        let mut snapshot = self.snapshot().await?;
        let mut db = snapshot.db();
        let mut all = transfers(&mut db, whose).await?;
        let mut dues = dues(&mut db, whose).await?;
        add_rests(&mut db, whose, &mut dues).await?;
        let mut statements: BTreeMap<Pair, Vec<Statement>> = BTreeMap::new();
        let values = [whose, days].concat();
        for row in db.fetch_all(STATEMENTS, &values).await? {
            let statement = record(&row)?.statement;
            let own = statements.entry(statement.pair.clone()).or_default();
            own.push(statement);
        }
        let differences = db.fetch_all(DIFFERENCES, &values).await?;
        let differences = differences.iter().map(difference);
        let differences = differences.collect::<Result<_, StoreError>>()?;
        let to_last = [&whose[..], &[last.as_str().into()]].concat();
        let mut stated = by_kind(&db.fetch_all(STATED, &to_last).await?)?;
        let mut unstated = BTreeMap::new();
        let to_end = [&whose[..], &[until.into()]].concat();
        for row in db.fetch_all(UNSTATED, &to_end).await? {
            unstated.insert(rows::pair(&row)?, row.number("transfers")?);
        }
        let pairs: BTreeSet<Pair> = all.keys().chain(dues.keys()).cloned().collect();
        let book = |pair: Pair| PairBook {
            statements: statements.remove(&pair).unwrap_or_default(),
            unstated: unstated.remove(&pair).unwrap_or(0),
            stated: stated.remove(&pair).unwrap_or_default(),
            transfers: all.remove(&pair).unwrap_or_default(),
            dues: dues.remove(&pair).unwrap_or_default(),
            pair,
        };
        Ok(PeriodBooks {
            books: pairs.into_iter().map(book).collect(),
            differences,
            days_run: days_run(&mut db, days).await?,
            closed: closed(&mut db, whose, &first).await?,
        })
    }

    /// Closes an insurer's month in one currency for good, and says whether it was open: no statement of its days is made
    /// any more. What it is closed with in spite of, `accepted`, is kept with it and told in its leaf.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn close_period(
        &self,
        (insurer, currency): (&ParticipantId, Currency),
        month: &Month,
        (closed, accepted): (&Closed, OpenDifferences),
        at: Instant,
    ) -> Result<bool, StoreError> {
        let (first, last) = (month.first().to_string(), month.last().to_string());
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        let done = db
            .execute(
                "insert into period
                     (insurer, currency, first_day, last_day, debits, digest, closed_at, differences, differing)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 on conflict (insurer, currency, first_day) do nothing",
                &[
                    insurer.as_str().into(),
                    currency.as_str().into(),
                    first.as_str().into(),
                    last.as_str().into(),
                    closed.debits.into(),
                    (&closed.digest).into(),
                    at.into(),
                    i64::try_from(accepted.count).unwrap_or(i64::MAX).into(),
                    accepted.amount.into(),
                ],
            )
            .await?;
        if done > 0 {
            let what = (Event::MonthClosed, self.fresh_id(at), 0);
            let said = (
                currency,
                &first,
                &last,
                closed.debits,
                closed.digest,
                accepted,
            );
            self.put_leaf(&mut db, what, Some(insurer), at, &said)
                .await?;
        }
        transaction.commit().await?;
        Ok(done > 0)
    }
}

/// Whether a day of an insurer's lies in a month that is closed, or before one.
pub(super) async fn is_closed(db: &mut Db<'_>, pair: &Pair, day: &str) -> Result<bool, StoreError> {
    let found = db
        .fetch_optional(
            "select 1 from period where insurer = $1 and currency = $2 and last_day >= $3 limit 1",
            &[
                pair.insurer.as_str().into(),
                pair.currency.as_str().into(),
                day.into(),
            ],
        )
        .await?;
    Ok(found.is_some())
}

/// What the claims of each pair come to.
async fn dues(
    db: &mut Db<'_>,
    whose: [Value<'_>; 2],
) -> Result<BTreeMap<Pair, Balances>, StoreError> {
    let mut balances: BTreeMap<Pair, Balances> = BTreeMap::new();
    for row in db.fetch_all(DUES, &whose).await? {
        let sums = [
            "incurred",
            "noticed",
            "confirmed",
            "disputed",
            "written_off",
        ];
        let mut kept = [0; 5];
        for (sum, column) in kept.iter_mut().zip(sums) {
            *sum = row.number::<i128>(column)?;
        }
        balances.entry(rows::pair(&row)?).or_default().add_due(kept);
    }
    Ok(balances)
}

async fn days_run(db: &mut Db<'_>, days: [Value<'_>; 2]) -> Result<BTreeSet<Date>, StoreError> {
    let sql = "select day from settled_day where day >= $1 and day <= $2";
    let found = db.fetch_all(sql, &days).await?;
    found.iter().map(|row: &Row| row.named("day")).collect()
}

async fn closed(
    db: &mut Db<'_>,
    whose: [Value<'_>; 2],
    first: &str,
) -> Result<Option<ClosedPeriod>, StoreError> {
    let values = [&whose[..], &[first.into()]].concat();
    let row = db
        .fetch_optional(
            "select debits, digest, closed_at, differences, differing from period
             where insurer = $1 and currency = $2 and first_day = $3",
            &values,
        )
        .await?;
    let read = |row: &Row| {
        Ok(ClosedPeriod {
            debits: row.number("debits")?,
            digest: digest(row)?,
            closed_at: row.moment("closed_at")?,
            accepted: OpenDifferences {
                count: row.number("differences")?,
                amount: row.number("differing")?,
            },
        })
    };
    row.as_ref().map(read).transpose()
}
