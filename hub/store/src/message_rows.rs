//! The rows that messages and their turns leave.

use std::collections::BTreeMap;

use serde::Serialize;
use takmil_domain::answer::State;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{Identifier, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::participant::InsurerDecision;

use crate::batch::{Leg, MessageUpdate, NewDecision, NewMessage, UnmappedCode};
use crate::error::{Constraint, StoreError};
use crate::put::{Row, Rows};
use crate::rows::{Heap, Hex, Id, Slice, over};
use crate::turn::Authorised;

/// An identifier as it is compared: one spelling for what is read as the same.
pub(crate) fn spelled(identifier: &Identifier) -> (String, String) {
    let plain = |text: &str| takmil_domain::text::normalise(text).into_owned();
    (plain(&identifier.system), plain(&identifier.value))
}

#[derive(Debug, Serialize)]
pub(crate) struct MessageRow<'a> {
    #[serde(skip)]
    message: MessageId,
    id: Id,
    sender: &'a ParticipantId,
    kind: Kind,
    format: &'a str,
    state: State,
    received_at: Instant,
    updated_at: Instant,
    deadline: Option<Instant>,
    member: Option<Id>,
    digest: Hex<32>,
}

impl<'a> MessageRow<'a> {
    pub(crate) fn of(messages: &'a [NewMessage]) -> Rows<Self> {
        let row = |new: &'a NewMessage| MessageRow {
            message: new.id,
            id: new.id.into(),
            sender: &new.sender,
            kind: new.kind,
            format: &new.format,
            state: new.state,
            received_at: new.received_at,
            updated_at: new.answered_at,
            deadline: new.deadline,
            member: new.member.map(Id::from),
            digest: Hex(new.digest),
        };
        messages.iter().map(row).collect::<Vec<_>>().into()
    }
}

impl Row for MessageRow<'_> {
    const SQL: &'static str = over!(
        id bytes, sender text, kind text, format text, state text, received_at integer,
        updated_at integer, deadline integer, member bytes, digest bytes;
        "insert into message
             (id, sender, kind, format, state, turn, received_at, updated_at, deadline, member, digest)
         select id, sender, kind, format, state, 1, received_at, updated_at, deadline, member, digest
         from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Message);
    fn message(&self) -> Option<MessageId> {
        Some(self.message)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct BodyRow {
    #[serde(skip)]
    by: MessageId,
    message: Id,
    original: Slice,
    canonical: Slice,
}

impl BodyRow {
    pub(crate) fn of(messages: &[NewMessage]) -> Rows<Self> {
        let mut heap = Heap::default();
        let row = |new: &NewMessage| BodyRow {
            by: new.id,
            message: new.id.into(),
            original: heap.lay(new.original.as_bytes()),
            canonical: heap.lay(new.canonical.as_bytes()),
        };
        let rows = messages.iter().map(row).collect();
        Rows { rows, heap }
    }
}

impl Row for BodyRow {
    const SQL: &'static str = over!(
        message bytes, original heavy_bytes, canonical heavy_bytes;
        "insert into body (message, original, canonical) select message, original, canonical from batch"
    );
    const HEAVY: bool = true;
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Body);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct IdempotencyRow<'a> {
    #[serde(skip)]
    by: MessageId,
    sender: &'a ParticipantId,
    key: &'a str,
    message: Id,
}

impl<'a> IdempotencyRow<'a> {
    pub(crate) fn of(messages: &'a [NewMessage]) -> Rows<Self> {
        let rows = messages.iter().flat_map(|new| {
            new.keys.iter().map(|key| IdempotencyRow {
                by: new.id,
                sender: &new.sender,
                key,
                message: new.id.into(),
            })
        });
        rows.collect::<Vec<_>>().into()
    }
}

impl Row for IdempotencyRow<'_> {
    const SQL: &'static str = over!(
        sender text, key text, message bytes;
        "insert into idempotency (sender, key, message) select sender, key, message from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Idempotency);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct IdentifierRow<'a> {
    #[serde(skip)]
    by: MessageId,
    sender: &'a ParticipantId,
    system: String,
    value: String,
    message: Id,
}

impl<'a> IdentifierRow<'a> {
    pub(crate) fn of(messages: &'a [NewMessage]) -> Rows<Self> {
        let rows = messages.iter().flat_map(|new| {
            new.identifiers.iter().map(|identifier| {
                let (system, value) = spelled(identifier);
                IdentifierRow {
                    by: new.id,
                    sender: &new.sender,
                    system,
                    value,
                    message: new.id.into(),
                }
            })
        });
        rows.collect::<Vec<_>>().into()
    }
}

impl Row for IdentifierRow<'_> {
    // A message may name the same identifier twice.
    const SQL: &'static str = over!(
        sender text, system text, value text, message bytes;
        "insert into message_identifier (sender, system, value, message)
         select sender, system, value, message from batch where true on conflict do nothing"
    );
    const UNTOUCHED: Option<Constraint> = None;
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct PayerRow<'a> {
    #[serde(skip)]
    by: MessageId,
    insurer: &'a ParticipantId,
    message: Id,
}

impl<'a> PayerRow<'a> {
    pub(crate) fn of(messages: &'a [NewMessage]) -> Rows<Self> {
        let rows = messages.iter().flat_map(|new| {
            new.insurers.iter().map(|insurer| PayerRow {
                by: new.id,
                insurer,
                message: new.id.into(),
            })
        });
        rows.collect::<Vec<_>>().into()
    }
}

impl Row for PayerRow<'_> {
    // One insurer may have several covers of a member.
    const SQL: &'static str = over!(
        insurer text, message bytes;
        "insert into payer (insurer, message) select insurer, message from batch where true
         on conflict do nothing"
    );
    const UNTOUCHED: Option<Constraint> = None;
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

/// The updates of one message in a batch, as one.
#[derive(Debug, Serialize)]
pub(crate) struct UpdateRow {
    #[serde(skip)]
    message: MessageId,
    id: Id,
    state_before: State,
    turn_before: u32,
    state: State,
    turn: u32,
    updated_at: Instant,
    deadline: Option<Instant>,
}

impl UpdateRow {
    pub(crate) fn of(updates: &[MessageUpdate]) -> Result<Rows<Self>, StoreError> {
        let mut rows: BTreeMap<MessageId, UpdateRow> = BTreeMap::new();
        for update in updates {
            let next = UpdateRow {
                message: update.id,
                id: update.id.into(),
                state_before: update.from,
                turn_before: update.turn.saturating_sub(1),
                state: update.to,
                turn: update.turn,
                updated_at: update.at,
                deadline: update.deadline,
            };
            let last = rows.get(&update.id);
            let follows = last.is_none_or(|last| {
                (last.state, last.turn) == (next.state_before, next.turn_before)
            });
            if !follows || !(update.from == update.to || update.from.may_become(update.to)) {
                return Err(StoreError::Broken {
                    constraint: Constraint::MessageState,
                    message: Some(update.id),
                });
            }
            let (state_before, turn_before) = last
                .map_or((next.state_before, next.turn_before), |last| {
                    (last.state_before, last.turn_before)
                });
            rows.insert(
                update.id,
                UpdateRow {
                    state_before,
                    turn_before,
                    ..next
                },
            );
        }
        Ok(rows.into_values().collect::<Vec<_>>().into())
    }
}

impl Row for UpdateRow {
    const SQL: &'static str = over!(
        id bytes, state_before text, turn_before integer, state text, turn integer,
        updated_at integer, deadline integer;
        "update message
         set state = batch.state, turn = batch.turn, updated_at = batch.updated_at,
             deadline = batch.deadline
         from batch
         where message.id = batch.id and message.state = batch.state_before
             and message.turn = batch.turn_before"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::MessageState);
    fn message(&self) -> Option<MessageId> {
        Some(self.message)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct TurnRow {
    #[serde(skip)]
    by: MessageId,
    message: Id,
    number: u32,
    at: Instant,
    state: State,
    answer: Option<Slice>,
    legs: Slice,
}

impl TurnRow {
    pub(crate) fn of(
        messages: &[NewMessage],
        updates: &[MessageUpdate],
    ) -> Result<Rows<Self>, StoreError> {
        let mut rows = Vec::with_capacity(messages.len() + updates.len());
        let mut heap = Heap::default();
        for new in messages {
            rows.push(TurnRow {
                by: new.id,
                message: new.id.into(),
                number: 1,
                at: new.answered_at,
                state: new.state,
                answer: Some(heap.lay(new.answer.as_bytes())),
                legs: lay_legs(&mut heap, &new.legs)?,
            });
        }
        for update in updates {
            rows.push(TurnRow {
                by: update.id,
                message: update.id.into(),
                number: update.turn,
                at: update.at,
                state: update.to,
                answer: update
                    .answer
                    .as_ref()
                    .map(|answer| heap.lay(answer.as_bytes())),
                legs: lay_legs(&mut heap, &update.legs)?,
            });
        }
        Ok(Rows { rows, heap })
    }
}

fn lay_legs(heap: &mut Heap, legs: &[Leg]) -> Result<Slice, StoreError> {
    Ok(heap.lay(crate::rows::json(legs)?.as_bytes()))
}

impl Row for TurnRow {
    const SQL: &'static str = over!(
        message bytes, number integer, at integer, state text, answer heavy_text, legs heavy_text;
        "insert into turn (message, number, at, state, answer, legs)
         select message, number, at, state, answer, legs from batch"
    );
    const HEAVY: bool = true;
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Turn);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct DecisionRow<'a> {
    #[serde(skip)]
    by: MessageId,
    message: Id,
    insurer: &'a ParticipantId,
    reference: &'a str,
    at: Instant,
    document: &'a InsurerDecision,
}

impl<'a> DecisionRow<'a> {
    pub(crate) fn of(decisions: &'a [NewDecision]) -> Rows<Self> {
        let row = |new: &'a NewDecision| DecisionRow {
            by: new.decision.message,
            message: new.decision.message.into(),
            insurer: &new.insurer,
            reference: &new.decision.reference,
            at: new.at,
            document: &new.decision,
        };
        decisions.iter().map(row).collect::<Vec<_>>().into()
    }
}

impl Row for DecisionRow<'_> {
    const SQL: &'static str = over!(
        message bytes, insurer text, reference text, at integer, document text;
        "insert into decision (message, insurer, reference, at, document)
         select message, insurer, reference, at, document from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Decision);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct AuthorisationRow<'a> {
    #[serde(skip)]
    by: MessageId,
    member: Id,
    number: &'a str,
    insurer: &'a ParticipantId,
    seq: u32,
    system: &'a str,
    code: &'a str,
    quantity: Option<Quantity>,
    amount: Option<Amount>,
    valid_until: Date,
    message: Id,
}

impl<'a> AuthorisationRow<'a> {
    pub(crate) fn of(lines: &'a [Authorised]) -> Rows<Self> {
        // A line that changes twice in a batch is written once, as it is left.
        let mut rows = BTreeMap::new();
        for line in lines {
            let key = (line.member, &line.number, &line.insurer, line.seq);
            let row = AuthorisationRow {
                by: line.message,
                member: line.member.into(),
                number: &line.number,
                insurer: &line.insurer,
                seq: line.seq,
                system: &line.code.system,
                code: &line.code.code,
                quantity: line.quantity,
                amount: line.amount,
                valid_until: line.valid_until,
                message: line.message.into(),
            };
            rows.insert(key, row);
        }
        rows.into_values().collect::<Vec<_>>().into()
    }
}

impl Row for AuthorisationRow<'_> {
    const SQL: &'static str = over!(
        member bytes, number text, insurer text, seq integer, system text, code text,
        quantity text, amount integer, valid_until text, message bytes;
        "insert into authorisation
             (member, number, insurer, seq, system, code, quantity, amount, valid_until, message)
         select member, number, insurer, seq, system, code, quantity, amount, valid_until, message
         from batch where true
         on conflict (member, number, insurer, seq) do update
         set quantity = excluded.quantity, amount = excluded.amount,
             valid_until = excluded.valid_until"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Authorisation);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

/// How often a code came in a batch.
#[derive(Debug, Serialize)]
pub(crate) struct UnmappedRow<'a> {
    #[serde(skip)]
    by: MessageId,
    system: &'a str,
    code: &'a str,
    sender: &'a ParticipantId,
    display: Option<&'a str>,
    times: u64,
    at: Instant,
    message: Id,
}

impl<'a> UnmappedRow<'a> {
    pub(crate) fn of(codes: &'a [UnmappedCode]) -> Rows<Self> {
        let mut rows: BTreeMap<_, UnmappedRow<'a>> = BTreeMap::new();
        for seen in codes {
            let key = (&seen.system, &seen.code, &seen.sender);
            let before = rows.get(&key).map_or(0, |row| row.times);
            let row = UnmappedRow {
                by: seen.message,
                system: &seen.system,
                code: &seen.code,
                sender: &seen.sender,
                display: seen.display.as_deref(),
                times: before + 1,
                at: seen.at,
                message: seen.message.into(),
            };
            rows.insert(key, row);
        }
        rows.into_values().collect::<Vec<_>>().into()
    }
}

impl Row for UnmappedRow<'_> {
    const SQL: &'static str = over!(
        system text, code text, sender text, display text, times integer, at integer, message bytes;
        "insert into unmapped
             (system, code, sender, display, times, first_at, last_at, last_message)
         select system, code, sender, display, times, at, at, message from batch where true
         on conflict (system, code, sender) do update
         set times = unmapped.times + excluded.times, last_at = excluded.last_at,
             last_message = excluded.last_message,
             display = coalesce(excluded.display, unmapped.display)"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Unmapped);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}
