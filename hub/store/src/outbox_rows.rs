//! The rows that deliveries leave when they become owed.

use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::batch::NewDelivery;
use crate::error::Constraint;
use crate::put::Rows;
use crate::rows::{Heap, Id, Slice, row};

macro_rules! new_deliveries {
    () => {
        "insert into delivery (id, insurer, claim, message, kind, purpose, created_at, due_at)
         select id, insurer, claim, message, kind, purpose, created_at, due_at from batch"
    };
}

row! {
    #[derive(Debug)]
    struct DeliveryRow<'a> {
        id: Id as id,
        insurer: &'a ParticipantId as text,
        claim: Id as id,
        message: Id as id,
        kind: Kind as text,
        purpose: Purpose as text,
        created_at: Instant as integer,
        due_at: Instant as integer,
    }
    // The sequence counts up in the order of the batch: later in a claim is later in its order.
    Some(Constraint::Reference);
    sqlite(new_deliveries!(), " order by place")
    postgres(
        new_deliveries!(),
        " where exists (select from participant where participant.id = batch.insurer) order by place"
    )
}

impl<'a> DeliveryRow<'a> {
    pub(crate) fn of(outbox: &'a [NewDelivery]) -> Rows<Self> {
        let row = |new: &'a NewDelivery| DeliveryRow {
            by: Some(new.message),
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

row! {
    /// Kept apart from the delivery, which changes at every attempt.
    #[derive(Debug)]
    struct DocumentRow {
        delivery: Id as id,
        document: Slice as heavy_text,
    }
    Some(Constraint::DeliveryDocument);
    "insert into delivery_document (delivery, document) select delivery, document from batch"
}

impl DocumentRow {
    pub(crate) fn of(outbox: &[NewDelivery]) -> Rows<Self> {
        let mut heap = Heap::default();
        let row = |new: &NewDelivery| DocumentRow {
            by: Some(new.message),
            delivery: new.id.into(),
            document: heap.lay(new.document.as_bytes()),
        };
        let rows = outbox.iter().map(row).collect();
        Rows { rows, heap }
    }
}
