//! Writing a batch: one statement per table.
//!
//! The order of the tables, and of the rows of whatever another hub may write at the same time, is the same in
//! every turn: turns may wait for each other, but not in a circle.

use std::collections::HashMap;

use takmil_domain::ids::MessageId;

use crate::audit_rows::LeafRow;
use crate::batch::Batch;
use crate::blind::Blind;
use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::ledger_rows::{
    Deltas, Holdings, LimitRow, Move, Moved, Places, ReservationRow, RevisedRow,
};
use crate::message_rows::{
    AuthorisationRow, DecisionRow, IdempotencyRow, IdentifierRow, MessageRow, OwnerKeys, PastRow,
    PayerRow, TurnRow, UnmappedRow, UpdateRow, UseRow,
};
use crate::outbox_rows::DeliveryRow;
use crate::registrations::RegistrationRow;
use crate::rows::{Cells, Over};
use crate::seal::OwnerKey;
use crate::settlement::{DueRow, TransferRow};

/// A row of a batch statement.
pub(crate) trait Row: Cells {
    /// The statement, which takes any number of rows.
    fn sql() -> &'static Over;
    /// What is broken if a row leaves the table as it was; `None` where it may.
    const UNTOUCHED: Option<Constraint>;
}

/// What a turn knows by the time it writes.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The places of the limits that it has asked for.
    pub(crate) places: Places,
    /// The keys of the messages that it has loaded.
    pub(crate) keys: HashMap<MessageId, OwnerKey>,
    /// The reservations that it has asked for.
    pub(crate) held: Holdings,
}

/// Writes all of the batch; after an error the transaction is to be dropped. Where what breaks was not there before,
/// another turn has made it since (`made_since`), and the turn is to be begun anew.
pub(crate) async fn batch(
    to: &mut Db<'_>,
    batch: &Batch,
    known: &Known,
    blind: &Blind,
    made_since: impl Fn(Constraint) -> bool,
) -> Result<(), StoreError> {
    match write(to, batch, known, blind).await {
        Err(StoreError::Broken { constraint }) if to.is_shared() && made_since(constraint) => {
            Err(StoreError::Contended)
        }
        other => other,
    }
}

async fn write(
    to: &mut Db<'_>,
    batch: &Batch,
    known: &Known,
    blind: &Blind,
) -> Result<(), StoreError> {
    let Known { places, keys, held } = known;
    let keys = OwnerKeys {
        taken: &batch.messages,
        loaded: keys,
    };
    let place = |entry| Move::of(entry, places);
    let moves: Vec<_> = batch.entries.iter().map(place).collect();
    let mut deltas = Deltas::of(&moves);
    let mut moved = Moved::of(&moves)?;
    let messages = &batch.messages;
    put(to, &MessageRow::of(messages)?).await?;
    put(to, &IdempotencyRow::of(messages, blind)).await?;
    put(to, &IdentifierRow::of(messages, blind)).await?;
    put(to, &PayerRow::of(messages)).await?;
    put(to, &UpdateRow::of(&batch.updates)?).await?;
    put(
        to,
        &TurnRow::of(messages, &batch.updates, &keys, &mut moved)?,
    )
    .await?;
    if !moved.is_written() {
        return Err(StoreError::Broken {
            constraint: Constraint::Turn,
        });
    }
    put(to, &DecisionRow::of(&batch.decisions, &keys)?).await?;
    put(to, &AuthorisationRow::of(&batch.authorisations)).await?;
    put(to, &UseRow::of(&batch.uses)).await?;
    put(to, &PastRow::of(messages)?).await?;
    put(to, &LimitRow::of(&batch.limits, places, &mut deltas)).await?;
    put(to, &RevisedRow::of(&batch.revised, places)).await?;
    put(to, &deltas.rows()).await?;
    put(to, &ReservationRow::of(&batch.reservations, &moves, held)?).await?;
    put(to, &DueRow::of(&batch.dues)).await?;
    put(to, &TransferRow::of(&batch.transfers)).await?;
    put(to, &RegistrationRow::of(&batch.registrations)).await?;
    put(to, &DeliveryRow::of(&batch.outbox)).await?;
    put(to, &LeafRow::of(&batch.leaves)).await?;
    // Last, because many messages count on one row: it is held only while the turn is committed.
    put(to, &UnmappedRow::of(&batch.unmapped)).await
}

/// Writes the rows of one statement.
pub(crate) async fn put<R: Row>(db: &mut Db<'_>, rows: &[R]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let touched = db.write(R::sql(), rows).await?;
    match R::UNTOUCHED {
        Some(constraint) if touched != rows.len() as u64 => Err(StoreError::Broken { constraint }),
        _ => Ok(()),
    }
}
