//! Writing a batch: one statement per table; where one is refused, again row by row, to learn whose fault it is.
//!
//! The order of the tables, and of the rows of whatever another hub may write at the same time, is the same in
//! every turn: turns may wait for each other, but not in a circle.

use takmil_domain::ids::MessageId;

use crate::batch::Batch;
use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::ledger_rows::{
    DeltaRow, EntryRow, LimitRow, ReleasedRow, ReservationRow, ReservedRow, RevisedRow,
};
use crate::message_rows::{
    AuthorisationRow, BodyRow, DecisionRow, IdempotencyRow, IdentifierRow, MessageRow, PayerRow,
    TurnRow, UnmappedRow, UpdateRow,
};
use crate::outbox_rows::{DeliveryRow, DocumentRow};
use crate::rows::{Cells, Heap, Over};

/// A row of a batch statement.
pub(crate) trait Row: Cells {
    /// The statement, which takes any number of rows.
    const SQL: Over;
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

/// Writes all of the batch or nothing. The transaction around it stays usable either way, but where another
/// turn has made what was not there before (`made_since`): then it is to be begun anew.
pub(crate) async fn batch(
    db: &mut Db<'_>,
    batch: &Batch,
    made_since: &(dyn Fn(Constraint) -> bool + Sync),
) -> Result<(), StoreError> {
    match at_pace(db, batch, Pace::Together).await {
        Err(StoreError::Broken { constraint, .. }) if db.is_shared() && made_since(constraint) => {
            Err(StoreError::Contended)
        }
        Err(StoreError::Broken {
            constraint,
            message: None,
        }) => {
            at_pace(db, batch, Pace::OneByOne).await?;
            // Row by row it would go; then it is a fault of several rows together, and stays refused.
            Err(StoreError::Broken {
                constraint,
                message: None,
            })
        }
        other => other,
    }
}

async fn at_pace(db: &mut Db<'_>, batch: &Batch, pace: Pace) -> Result<(), StoreError> {
    let mut savepoint = db.savepoint().await?;
    let to = &mut savepoint.db();
    let messages = &batch.messages;
    put(to, &MessageRow::of(messages), pace).await?;
    put(to, &BodyRow::of(messages), pace).await?;
    put(to, &IdempotencyRow::of(messages, pace), pace).await?;
    put(to, &IdentifierRow::of(messages), pace).await?;
    put(to, &PayerRow::of(messages), pace).await?;
    put(to, &UpdateRow::of(&batch.updates)?, pace).await?;
    put(to, &TurnRow::of(messages, &batch.updates)?, pace).await?;
    put(to, &DecisionRow::of(&batch.decisions), pace).await?;
    put(to, &AuthorisationRow::of(&batch.authorisations), pace).await?;
    put(to, &LimitRow::of(&batch.limits, pace), pace).await?;
    put(to, &RevisedRow::of(&batch.revised), pace).await?;
    put(to, &ReservationRow::of(&batch.reservations), pace).await?;
    put(to, &EntryRow::of(&batch.entries)?, pace).await?;
    put(to, &DeltaRow::of(&batch.entries, pace), pace).await?;
    put(to, &ReservedRow::of(&batch.entries, pace), pace).await?;
    put(to, &ReleasedRow::of(&batch.entries, pace), pace).await?;
    put(to, &DeliveryRow::of(&batch.outbox), pace).await?;
    put(to, &DocumentRow::of(&batch.outbox), pace).await?;
    // Last, because many messages count on one row: it is held only while the turn is committed.
    put(to, &UnmappedRow::of(&batch.unmapped), pace).await?;
    if pace == Pace::Together {
        savepoint.commit().await?;
    } else {
        savepoint.rollback().await?;
    }
    Ok(())
}

/// Writes the rows of one statement.
pub(crate) async fn put<R: Row>(
    db: &mut Db<'_>,
    rows: &Rows<R>,
    pace: Pace,
) -> Result<(), StoreError> {
    match pace {
        Pace::Together if rows.rows.is_empty() => Ok(()),
        Pace::Together => run(db, &rows.rows, &rows.heap).await,
        Pace::OneByOne => {
            for row in &rows.rows {
                run(db, std::slice::from_ref(row), &rows.heap)
                    .await
                    .map_err(|error| error.blamed_on(row.message()))?;
            }
            Ok(())
        }
    }
}

async fn run<R: Row>(db: &mut Db<'_>, rows: &[R], heap: &Heap) -> Result<(), StoreError> {
    let touched = db.write(R::SQL, rows, heap).await?;
    match R::UNTOUCHED {
        Some(constraint) if touched != rows.len() as u64 => Err(StoreError::Broken {
            constraint,
            message: None,
        }),
        _ => Ok(()),
    }
}
