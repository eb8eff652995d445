//! The rows that deliveries leave when they become owed.

use serde::Serialize;
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::batch::NewDelivery;
use crate::error::Constraint;
use crate::put::{Row, Rows};
use crate::rows::{Heap, Id, Slice, over};

#[derive(Debug, Serialize)]
pub(crate) struct DeliveryRow<'a> {
    #[serde(skip)]
    by: MessageId,
    id: Id,
    insurer: &'a ParticipantId,
    claim: Id,
    message: Id,
    kind: Kind,
    purpose: Purpose,
    created_at: Instant,
    due_at: Instant,
}

impl<'a> DeliveryRow<'a> {
    pub(crate) fn of(outbox: &'a [NewDelivery]) -> Rows<Self> {
        let row = |new: &'a NewDelivery| DeliveryRow {
            by: new.message,
            id: new.id.into(),
            insurer: &new.insurer,
            claim: new.claim.into(),
            message: new.message.into(),
            kind: new.kind,
            purpose: new.purpose,
            created_at: new.created_at,
            due_at: new.due_at,
        };
        outbox.iter().map(row).collect::<Vec<_>>().into()
    }
}

impl Row for DeliveryRow<'_> {
    // The sequence counts up in the order of the batch: later in a claim is later in its order.
    const SQL: &'static str = over!(
        id bytes, insurer text, claim bytes, message bytes, kind text, purpose text,
        created_at integer, due_at integer;
        "insert into delivery (id, insurer, claim, message, kind, purpose, created_at, due_at)
         select id, insurer, claim, message, kind, purpose, created_at, due_at
         from batch order by place"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Delivery);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

/// Kept apart from the delivery, which changes at every attempt.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentRow {
    #[serde(skip)]
    by: MessageId,
    delivery: Id,
    document: Slice,
}

impl DocumentRow {
    pub(crate) fn of(outbox: &[NewDelivery]) -> Rows<Self> {
        let mut heap = Heap::default();
        let row = |new: &NewDelivery| DocumentRow {
            by: new.message,
            delivery: new.id.into(),
            document: heap.lay(new.document.as_bytes()),
        };
        let rows = outbox.iter().map(row).collect();
        Rows { rows, heap }
    }
}

impl Row for DocumentRow {
    const SQL: &'static str = over!(
        delivery bytes, document heavy_text;
        "insert into delivery_document (delivery, document) select delivery, document from batch"
    );
    const HEAVY: bool = true;
    const UNTOUCHED: Option<Constraint> = Some(Constraint::DeliveryDocument);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}
