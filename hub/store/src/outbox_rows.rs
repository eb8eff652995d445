//! The rows that deliveries leave when they become owed.

use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::batch::NewDelivery;
use crate::error::Constraint;
use crate::rows::{Id, row};

row! {
    #[derive(Debug)]
    struct DeliveryRow<'a> {
        id: Id as id,
        insurer: &'a ParticipantId as text,
        claim: Id as id,
        message: Id as id,
        turn: u32 as integer,
        kind: Kind as text,
        purpose: Purpose as text,
        created_at: Instant as integer,
        due_at: Instant as integer,
    }
    // The sequence counts up in the order of the batch: later in a claim is later in its order.
    Some(Constraint::Reference);
    "insert into delivery (id, insurer, claim, message, turn, kind, purpose, created_at, due_at)
     select id, insurer, claim, message, turn, kind, purpose, created_at, due_at from batch
     where exists (select 1 from participant where participant.id = batch.insurer) order by place"
}

impl<'a> DeliveryRow<'a> {
    pub(crate) fn of(outbox: &'a [NewDelivery]) -> Vec<Self> {
        let row = |new: &'a NewDelivery| DeliveryRow {
            id: new.id.into(),
            insurer: &new.insurer,
            claim: new.claim.into(),
            message: new.message.into(),
            turn: new.turn,
            kind: new.kind,
            purpose: new.purpose,
            created_at: new.created_at,
            due_at: new.due_at,
        };
        outbox.iter().map(row).collect()
    }
}
