//! Writing a batch: one statement per table; where one is refused, again row by row, to learn whose fault it is.

use serde::Serialize;
use sqlx::{Acquire, SqliteConnection};
use takmil_domain::ids::MessageId;

use crate::batch::Batch;
use crate::error::{Constraint, StoreError};
use crate::ledger_rows::{
    DeltaRow, EntryRow, LimitRow, ReleasedRow, ReservationRow, ReservedRow, RevisedRow,
};
use crate::message_rows::{
    AuthorisationRow, BodyRow, DecisionRow, IdempotencyRow, IdentifierRow, MessageRow, PayerRow,
    TurnRow, UnmappedRow, UpdateRow,
};
use crate::outbox_rows::{DeliveryRow, DocumentRow};
use crate::rows::{Heap, json};

/// A row of a batch statement.
pub(crate) trait Row: Serialize {
    /// The statement, which takes any number of rows ($1).
    const SQL: &'static str;
    /// Whether it also takes a heap ($2).
    const HEAVY: bool = false;
    /// What is broken if a row leaves the table as it was; `None` where it may.
    const UNTOUCHED: Option<Constraint>;
    /// The message that the row is written for, where it is one.
    fn message(&self) -> Option<MessageId>;
}

/// The rows of one statement.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    pub(crate) rows: Vec<R>,
    pub(crate) heap: Heap,
}

impl<R> From<Vec<R>> for Rows<R> {
    fn from(rows: Vec<R>) -> Self {
        Rows {
            rows,
            heap: Heap::default(),
        }
    }
}

/// How many rows a statement gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// All.
    Together,
    /// One, so that the first that is refused is known.
    OneByOne,
}

/// Writes all of the batch or nothing. The transaction around it stays usable either way.
pub(crate) async fn batch(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    match at_pace(connection, batch, Pace::Together).await {
        Err(StoreError::Broken {
            constraint,
            message: None,
        }) => {
            at_pace(connection, batch, Pace::OneByOne).await?;
            // Row by row it would go; then it is a fault of several rows together, and stays refused.
            Err(StoreError::Broken {
                constraint,
                message: None,
            })
        }
        other => other,
    }
}

async fn at_pace(
    connection: &mut SqliteConnection,
    batch: &Batch,
    pace: Pace,
) -> Result<(), StoreError> {
    let mut savepoint = connection.begin().await?;
    let to = &mut *savepoint;
    let messages = &batch.messages;
    put(to, &MessageRow::of(messages), pace).await?;
    put(to, &BodyRow::of(messages), pace).await?;
    put(to, &IdempotencyRow::of(messages), pace).await?;
    put(to, &IdentifierRow::of(messages), pace).await?;
    put(to, &PayerRow::of(messages), pace).await?;
    put(to, &UpdateRow::of(&batch.updates)?, pace).await?;
    put(to, &TurnRow::of(messages, &batch.updates)?, pace).await?;
    put(to, &DecisionRow::of(&batch.decisions), pace).await?;
    put(to, &AuthorisationRow::of(&batch.authorisations), pace).await?;
    put(to, &UnmappedRow::of(&batch.unmapped), pace).await?;
    put(to, &LimitRow::of(&batch.limits), pace).await?;
    put(to, &RevisedRow::of(&batch.revised), pace).await?;
    put(to, &ReservationRow::of(&batch.reservations), pace).await?;
    put(to, &EntryRow::of(&batch.entries)?, pace).await?;
    put(to, &DeltaRow::of(&batch.entries, pace), pace).await?;
    put(to, &ReservedRow::of(&batch.entries, pace), pace).await?;
    put(to, &ReleasedRow::of(&batch.entries, pace), pace).await?;
    put(to, &DeliveryRow::of(&batch.outbox), pace).await?;
    put(to, &DocumentRow::of(&batch.outbox), pace).await?;
    if pace == Pace::Together {
        savepoint.commit().await?;
    } else {
        savepoint.rollback().await?;
    }
    Ok(())
}

/// Writes the rows of one statement.
pub(crate) async fn put<R: Row>(
    connection: &mut SqliteConnection,
    rows: &Rows<R>,
    pace: Pace,
) -> Result<(), StoreError> {
    match pace {
        Pace::Together if rows.rows.is_empty() => Ok(()),
        Pace::Together => run(connection, &rows.rows, &rows.heap).await,
        Pace::OneByOne => {
            for row in &rows.rows {
                run(connection, std::slice::from_ref(row), &rows.heap)
                    .await
                    .map_err(|error| error.blamed_on(row.message()))?;
            }
            Ok(())
        }
    }
}

async fn run<R: Row>(
    connection: &mut SqliteConnection,
    rows: &[R],
    heap: &Heap,
) -> Result<(), StoreError> {
    let mut query = sqlx::query(R::SQL).bind(json(rows)?);
    if R::HEAVY {
        query = query.bind(heap.as_bytes());
    }
    let touched = query.execute(connection).await?.rows_affected();
    match R::UNTOUCHED {
        Some(constraint) if touched != rows.len() as u64 => Err(StoreError::Broken {
            constraint,
            message: None,
        }),
        _ => Ok(()),
    }
}
