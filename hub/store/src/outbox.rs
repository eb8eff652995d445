//! What is owed to insurers: offered in the order of each claim, tried until it is had, never deleted.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};
use takmil_domain::participant::Delivery;

use crate::column::Columns;
use crate::error::{Constraint, StoreError};
use crate::put::{Pace, put};
use crate::rows::{Id, over, row};
use crate::scope::Scope;
use crate::store::Store;
use crate::turn::ask;

/// The most deliveries that are offered at once.
const MOST_OFFERED: u32 = 10_000;

/// What came of an attempt to hand a delivery over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When.
    pub at: Instant,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The insurer said that it has it.
    Delivered,
    /// It did not.
    Failed {
        /// When to try again.
        next_due: Instant,
        /// Why, in words. Nothing of the person.
        error: String,
    },
}

/// An attempt, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// When.
    pub at: Instant,
    /// Why it failed; `None` where it did not.
    pub error: Option<String>,
}

/// How much is owed to an insurer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The insurer.
    pub insurer: ParticipantId,
    /// How many deliveries wait.
    pub waiting: u64,
    /// Since when the oldest of them is owed.
    pub oldest: Option<Instant>,
    /// How many it has had.
    pub delivered: u64,
    /// When it had the last one.
    pub last_delivered: Option<Instant>,
}

row! {
    /// An attempt under its delivery's sequence and its own number.
    struct AttemptRow<'a> {
        delivery: i64 as integer,
        number: i64 as integer,
        at: Instant as integer,
        error: Option<&'a str> as text,
    }
    Some(Constraint::Attempt);
    "insert into attempt (delivery, number, at, error)
     select delivery, number, at, error from batch"
}

row! {
    /// What attempts leave of a delivery.
    struct LeftRow {
        sequence: i64 as integer,
        attempts: i64 as integer,
        due_at: Instant as integer,
        delivered_at: Option<Instant> as integer,
    }
    Some(Constraint::Delivery);
    "update delivery
     set attempts = batch.attempts, due_at = batch.due_at, delivered_at = batch.delivered_at
     from batch where delivery.sequence = batch.sequence"
}

impl Store {
    /// What an insurer is to get now, the longest due first: of each claim only the earliest that it has not
    /// had. What is offered stays offered until an attempt is recorded; the caller remembers what it is at.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn due(
        &self,
        insurer: &ParticipantId,
        now: Instant,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(
            "select d.sequence, d.id, d.insurer, d.message, d.kind, d.purpose, d.created_at,
                 document.document
             from delivery d join delivery_document document on document.delivery = d.id
             where d.insurer = $1 and d.delivered_at is null and d.due_at <= $2
                 and not exists (
                     select 1 from delivery earlier
                     where earlier.insurer = d.insurer and earlier.claim = d.claim
                         and earlier.delivered_at is null and earlier.sequence < d.sequence)
             order by d.due_at, d.sequence limit $3",
        )
        .bind(insurer.as_str())
        .bind(now.0)
        .bind(most.min(MOST_OFFERED))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// Records attempts, all in one transaction. A delivery that the insurer has had stays had.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if one of the deliveries is not the scope's; nothing is recorded then.
    pub async fn record_attempts(
        &self,
        scope: &Scope,
        attempts: &[Attempt],
    ) -> Result<(), StoreError> {
        if matches!(scope, Scope::Regulator | Scope::Provider(_)) {
            return Err(StoreError::NotFound);
        }
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        let mut left = left(&mut transaction, scope, attempts).await?;
        let mut rows = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let left = left
                .get_mut(&attempt.delivery)
                .ok_or(StoreError::NotFound)?;
            left.attempts += 1;
            let error = match &attempt.outcome {
                Outcome::Delivered => {
                    left.delivered_at = left.delivered_at.or(Some(attempt.at));
                    None
                }
                Outcome::Failed { next_due, error } => {
                    left.due_at = *next_due;
                    Some(error.as_str())
                }
            };
            rows.push(AttemptRow {
                by: None,
                delivery: left.sequence,
                number: left.attempts,
                at: attempt.at,
                error,
            });
        }
        put(&mut transaction, &rows.into(), Pace::Together).await?;
        let left: Vec<_> = left.into_values().collect();
        put(&mut transaction, &left.into(), Pace::Together).await?;
        Ok(transaction.commit().await?)
    }

    /// Makes everything that became owed to an insurer in a stretch of time (its end not included) owed again,
    /// in the old order. Gives how many that are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the insurer's deliveries are not the scope's.
    pub async fn redeliver(
        &self,
        scope: &Scope,
        insurer: &ParticipantId,
        (from, to): (Instant, Instant),
        due: Instant,
    ) -> Result<u64, StoreError> {
        if !scope.may_change(insurer) {
            return Err(StoreError::NotFound);
        }
        let again = sqlx::query(
            "update delivery set delivered_at = null, due_at = $4
             where insurer = $1 and delivered_at is not null and created_at >= $2 and created_at < $3",
        )
        .bind(insurer.as_str())
        .bind(from.0)
        .bind(to.0)
        .bind(due.0)
        .execute(&self.writer)
        .await?;
        Ok(again.rows_affected())
    }

    /// How much is owed, to every insurer that the scope may see and to which something was ever owed.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn backlogs(&self, scope: &Scope) -> Result<Vec<Backlog>, StoreError> {
        if matches!(scope, Scope::Provider(_)) {
            return Ok(Vec::new());
        }
        // Two questions, so that each is answered from its own index.
        let rows = sqlx::query(
            "select insurer, cast(sum(waiting) as bigint) as waiting, min(oldest) as oldest,
                 cast(sum(delivered) as bigint) as delivered, max(last_delivered) as last_delivered
             from (
                 select insurer, count(*) as waiting, min(created_at) as oldest, 0 as delivered,
                     cast(null as bigint) as last_delivered
                 from delivery where delivered_at is null group by insurer
                 union all
                 select insurer, 0, null, count(*), max(delivered_at)
                 from delivery where delivered_at is not null group by insurer) both_kinds
             where $1 is null or insurer = $1
             group by insurer order by insurer",
        )
        .bind(scope.insurer())
        .fetch_all(&self.readers)
        .await?;
        let read = |row: &SqliteRow| {
            Ok(Backlog {
                insurer: row.named("insurer")?,
                waiting: row.number("waiting")?,
                oldest: row.moment_maybe("oldest")?,
                delivered: row.number("delivered")?,
                last_delivered: row.moment_maybe("last_delivered")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// The deliveries of the scope that attempts speak of.
async fn left(
    transaction: &mut Transaction<'static, Sqlite>,
    scope: &Scope,
    attempts: &[Attempt],
) -> Result<BTreeMap<DeliveryId, LeftRow>, StoreError> {
    const SQL: &str = over!(
        id bytes;
        "select distinct d.id, d.insurer, d.sequence, d.attempts, d.due_at, d.delivered_at
         from batch join delivery d on d.id = batch.id"
    );
    let keys: Vec<_> = attempts
        .iter()
        .map(|attempt| (Id::from(attempt.delivery),))
        .collect();
    let mut left = BTreeMap::new();
    for row in ask(transaction, SQL, &keys).await? {
        let insurer: ParticipantId = row.named("insurer")?;
        if scope.sees_insurer(&insurer) {
            let delivery = LeftRow {
                by: None,
                sequence: row.number("sequence")?,
                attempts: row.number("attempts")?,
                due_at: row.moment("due_at")?,
                delivered_at: row.moment_maybe("delivered_at")?,
            };
            left.insert(DeliveryId(row.uuid("id")?), delivery);
        }
    }
    Ok(left)
}

fn delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(row.uuid("id")?),
        insurer: row.named("insurer")?,
        purpose: row.named("purpose")?,
        message: MessageId(row.uuid("message")?),
        kind: row.named("kind")?,
        sequence: row.number("sequence")?,
        created_at: row.moment("created_at")?,
        document: row.text("document")?.to_owned(),
    })
}

/// The attempt of a row that may have none.
pub(crate) fn attempt_record(row: &SqliteRow) -> Result<Option<AttemptRecord>, StoreError> {
    let Some(at) = row.moment_maybe("at")? else {
        return Ok(None);
    };
    Ok(Some(AttemptRecord {
        at,
        error: row.text_maybe("error")?.map(str::to_owned),
    }))
}
