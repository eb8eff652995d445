//! The rows that messages and their turns leave.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MemberId, MessageId, ParticipantId};
use takmil_domain::life::{self, Event, State};
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Quantity};

use crate::batch::{Leg, MessageUpdate, NewDecision, NewMessage, NewPast, NewUse, UnmappedCode};
use crate::blind::Blind;
use crate::body::{self, Sent};
use crate::error::{Constraint, StoreError};
use crate::keys::{Part, Sealed};
use crate::ledger_rows::{Moved, OfLimit};
use crate::rows::{Bytes, Id, row};
use crate::seal::OwnerKey;
use crate::turn::Authorised;

/// A deadline holds while somebody has still to speak.
fn deadline(state: State, deadline: Option<Instant>) -> Option<Instant> {
    deadline.filter(|_| state.is_waiting() || state == State::Appealed)
}

row! {
    #[derive(Debug)]
    struct MessageRow<'a> {
        id: Id as id,
        sender: &'a ParticipantId as text,
        kind: Kind as text,
        format: &'a str as text,
        state: State as text,
        received_at: Instant as integer,
        updated_at: Instant as integer,
        deadline: Option<Instant> as integer,
        member: Option<Id> as id,
        digest: Bytes<32> as bytes,
    }
    // A message that is there already is refused by its key; what is left out names a sender or a member who
    // is not there, or was erased meanwhile. (A scalar question for what may be missing: of "exists" beside "or"
    // PostgreSQL would make a hash of all members.)
    Some(Constraint::Reference);
    "insert into message
         (id, sender, kind, format, state, turn, received_at, updated_at, deadline, member, digest)
     select id, sender, kind, format, state, 1, received_at, updated_at, deadline, member, digest
     from batch
     where exists (select 1 from participant where participant.id = batch.sender)
         and (member is null or member = (select k.owner from data_key k where k.owner = batch.member))"
}

impl<'a> MessageRow<'a> {
    pub(crate) fn of(messages: &'a [NewMessage]) -> Result<Vec<Self>, StoreError> {
        let begins = |new: &NewMessage| life::may(None, Event::Judged, new.state, new.kind);
        if !messages.iter().all(begins) {
            return Err(StoreError::Broken {
                constraint: Constraint::MessageState,
            });
        }
        let row = |new: &'a NewMessage| MessageRow {
            id: new.id.into(),
            sender: &new.sender,
            kind: new.kind,
            format: &new.format,
            state: new.state,
            received_at: new.received_at,
            updated_at: new.answered_at,
            deadline: deadline(new.state, new.deadline),
            member: new.member.map(Id::from),
            digest: Bytes(new.digest),
        };
        Ok(messages.iter().map(row).collect())
    }
}

row! {
    #[derive(Debug)]
    struct IdempotencyRow {
        digest: Id as id,
        message: Id as id,
    }
    Some(Constraint::Idempotency);
    "insert into idempotency (digest, message) select digest, message from batch"
}

impl IdempotencyRow {
    pub(crate) fn of(messages: &[NewMessage], blind: &Blind) -> Vec<Self> {
        let rows = messages.iter().flat_map(|new| {
            new.keys.iter().map(|key| IdempotencyRow {
                digest: blind.of_key(&new.sender, key),
                message: new.id.into(),
            })
        });
        let mut rows: Vec<_> = rows.collect();
        // Another hub may write the same keys, in its own batch's order.
        rows.sort_by_key(|row| row.digest);
        rows
    }
}

row! {
    #[derive(Debug)]
    struct IdentifierRow {
        digest: Id as id,
        message: Id as id,
    }
    Some(Constraint::MessageIdentifier);
    "insert into message_identifier (digest, message) select digest, message from batch"
}

impl IdentifierRow {
    pub(crate) fn of(messages: &[NewMessage], blind: &Blind) -> Vec<Self> {
        let rows = messages.iter().flat_map(|new| {
            let digests = new.identifiers.iter();
            // A message may name the same identifier twice.
            let own = digests.map(|identifier| blind.of_message(&new.sender, identifier));
            let prescription = new.prescription.iter();
            let of_all = prescription.map(|identifier| blind.of_prescription(identifier));
            let digests: BTreeSet<_> = own.chain(of_all).collect();
            digests.into_iter().map(|digest| IdentifierRow {
                digest,
                message: new.id.into(),
            })
        });
        rows.collect()
    }
}

row! {
    #[derive(Debug)]
    struct PayerRow<'a> {
        insurer: &'a ParticipantId as text,
        message: Id as id,
    }
    Some(Constraint::Payer);
    "insert into payer (insurer, message) select insurer, message from batch"
}

impl<'a> PayerRow<'a> {
    pub(crate) fn of(messages: &'a [NewMessage]) -> Vec<Self> {
        let rows = messages.iter().flat_map(|new| {
            // One insurer may have several covers of a member.
            let insurers: BTreeSet<_> = new.insurers.iter().collect();
            insurers.into_iter().map(|insurer| PayerRow {
                insurer,
                message: new.id.into(),
            })
        });
        rows.collect()
    }
}

row! {
    /// The updates of one message in a batch, as one.
    #[derive(Debug)]
    struct UpdateRow {
        id: Id as id,
        state_before: State as text,
        turn_before: u32 as integer,
        state: State as text,
        turn: u32 as integer,
        updated_at: Instant as integer,
        deadline: Option<Instant> as integer,
    }
    Some(Constraint::MessageState);
    "update message
     set state = batch.state, turn = batch.turn, updated_at = batch.updated_at,
         deadline = batch.deadline
     from batch
     where message.id = batch.id and message.state = batch.state_before
         and message.turn = batch.turn_before"
}

impl UpdateRow {
    pub(crate) fn of(updates: &[MessageUpdate]) -> Result<Vec<Self>, StoreError> {
        let mut rows: BTreeMap<MessageId, UpdateRow> = BTreeMap::new();
        for update in updates {
            let next = UpdateRow {
                id: update.id.into(),
                state_before: update.from,
                turn_before: update.turn.saturating_sub(1),
                state: update.to,
                turn: update.turn,
                updated_at: update.at,
                deadline: deadline(update.to, update.deadline),
            };
            let last = rows.get(&update.id);
            let follows = last.is_none_or(|last| {
                (last.state, last.turn) == (next.state_before, next.turn_before)
            });
            let MessageUpdate {
                from,
                event,
                to,
                kind,
                ..
            } = *update;
            if !follows || !life::may(Some(from), event, to, kind) {
                return Err(StoreError::Broken {
                    constraint: Constraint::MessageState,
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
        Ok(rows.into_values().collect())
    }
}

row! {
    #[derive(Debug)]
    struct TurnRow<'a> {
        message: Id as id,
        number: u32 as integer,
        at: Instant as integer,
        state: State as text,
        body: Option<Sealed> as bytes,
        legs: &'a [Leg] as document,
        entries: Vec<OfLimit> as document,
    }
    Some(Constraint::Turn);
    "insert into turn (message, number, at, state, body, legs, entries)
     select message, number, at, state, body, legs, entries from batch"
}

impl<'a> TurnRow<'a> {
    pub(crate) fn of(
        messages: &'a [NewMessage],
        updates: &'a [MessageUpdate],
        keys: &OwnerKeys<'_>,
        moved: &mut Moved,
    ) -> Result<Vec<Self>, StoreError> {
        let mut rows = Vec::with_capacity(messages.len().saturating_add(updates.len()));
        for new in messages {
            rows.push(TurnRow {
                message: new.id.into(),
                number: 1,
                at: new.answered_at,
                state: new.state,
                body: Some(body::seal(&new.key, (new.id, 1), &new.sent, &new.answer)?),
                legs: &new.legs,
                entries: moved.take(new.id, 1),
            });
        }
        for update in updates {
            let seal = |answer: &String| {
                let key = keys.of(update.id)?;
                body::seal(key, (update.id, update.turn), &Sent::default(), answer)
            };
            rows.push(TurnRow {
                message: update.id.into(),
                number: update.turn,
                at: update.at,
                state: update.to,
                body: update.answer.as_ref().map(seal).transpose()?,
                legs: &update.legs,
                entries: moved.take(update.id, update.turn),
            });
        }
        Ok(rows)
    }
}

/// The keys of the messages that a turn writes: of those that it takes, and of those that it has loaded.
#[derive(Debug)]
pub(crate) struct OwnerKeys<'a> {
    pub(crate) taken: &'a [NewMessage],
    pub(crate) loaded: &'a HashMap<MessageId, OwnerKey>,
}

impl OwnerKeys<'_> {
    fn of(&self, message: MessageId) -> Result<&OwnerKey, StoreError> {
        let taken = || self.taken.iter().find(|new| new.id == message);
        self.loaded
            .get(&message)
            .or_else(|| taken().map(|new| &new.key))
            .ok_or(StoreError::NotFound)
    }
}

row! {
    #[derive(Debug)]
    struct DecisionRow<'a> {
        message: Id as id,
        insurer: &'a ParticipantId as text,
        reference: &'a str as text,
        at: Instant as integer,
        document: Sealed as bytes,
    }
    Some(Constraint::Reference);
    "insert into decision (message, insurer, reference, at, document)
     select message, insurer, reference, at, document from batch
     where exists (select 1 from message where message.id = batch.message)
         and exists (select 1 from participant where participant.id = batch.insurer)"
}

impl<'a> DecisionRow<'a> {
    pub(crate) fn of(
        decisions: &'a [NewDecision],
        keys: &OwnerKeys<'_>,
    ) -> Result<Vec<Self>, StoreError> {
        let row = |new: &'a NewDecision| {
            let (message, reference) = (new.decision.message, new.decision.reference.as_str());
            let document = crate::catalogue::rendered(&new.decision)?;
            Ok(DecisionRow {
                message: message.into(),
                insurer: &new.insurer,
                reference,
                at: new.at,
                document: Sealed::of_text(
                    keys.of(message)?,
                    message,
                    Part::Decision(reference),
                    &document,
                )?,
            })
        };
        decisions.iter().map(row).collect()
    }
}

row! {
    #[derive(Debug)]
    struct AuthorisationRow<'a> {
        member: Id as id,
        number: &'a str as text,
        insurer: &'a ParticipantId as text,
        seq: u32 as integer,
        system: &'a str as text,
        code: &'a str as text,
        quantity: Option<Quantity> as text,
        amount: Option<Amount> as integer,
        valid_until: Date as text,
        message: Id as id,
    }
    Some(Constraint::Authorisation);
    "insert into authorisation
         (member, number, insurer, seq, system, code, quantity, amount, valid_until, message)
     select member, number, insurer, seq, system, code, quantity, amount, valid_until, message
     from batch where true
     on conflict (member, number, insurer, seq) do update
     set quantity = excluded.quantity, amount = excluded.amount,
         valid_until = excluded.valid_until"
}

impl<'a> AuthorisationRow<'a> {
    pub(crate) fn of(lines: &'a [Authorised]) -> Vec<Self> {
        // A line that changes twice in a batch is written once, as it is left.
        let mut rows = BTreeMap::new();
        for line in lines {
            let key = (line.member, &line.number, &line.insurer, line.seq);
            let row = AuthorisationRow {
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
        rows.into_values().collect()
    }
}

row! {
    #[derive(Debug)]
    struct UseRow<'a> {
        member: Id as id,
        number: &'a str as text,
        insurer: &'a ParticipantId as text,
        seq: u32 as integer,
        message: Id as id,
        line: u32 as integer,
        quantity: Quantity as text,
        amount: Amount as integer,
    }
    Some(Constraint::AuthorisationUse);
    "insert into authorisation_use (member, number, insurer, seq, message, line, quantity, amount)
     select member, number, insurer, seq, message, line, quantity, amount from batch"
}

impl<'a> UseRow<'a> {
    pub(crate) fn of(uses: &'a [NewUse]) -> Vec<Self> {
        let row = |new: &'a NewUse| UseRow {
            member: new.member.into(),
            number: &new.number,
            insurer: &new.insurer,
            seq: new.seq,
            message: new.message.into(),
            line: new.line,
            quantity: new.quantity,
            amount: new.amount,
        };
        uses.iter().map(row).collect()
    }
}

row! {
    #[derive(Debug)]
    struct PastRow {
        member: Id as id,
        message: Id as id,
        until: Date as text,
        document: Sealed as bytes,
    }
    Some(Constraint::Past);
    "insert into past (member, message, until, document)
     select member, message, until, document from batch"
}

impl PastRow {
    pub(crate) fn of(messages: &[NewMessage]) -> Result<Vec<Self>, StoreError> {
        let known = messages
            .iter()
            .filter_map(|new| Some((new, new.member?, new.past.as_ref()?)));
        let row = |(new, member, past): (&NewMessage, MemberId, &NewPast)| {
            let rows = crate::catalogue::rendered(&past.rows)?;
            Ok(PastRow {
                member: member.into(),
                message: new.id.into(),
                until: past.until,
                document: Sealed::of_text(&new.key, new.id, Part::Past, &rows)?,
            })
        };
        known.map(row).collect()
    }
}

row! {
    /// How often a code came in a batch.
    #[derive(Debug)]
    struct UnmappedRow<'a> {
        system: &'a str as text,
        code: &'a str as text,
        sender: &'a ParticipantId as text,
        display: Option<&'a str> as text,
        times: u64 as integer,
        at: Instant as integer,
        message: Id as id,
    }
    Some(Constraint::Unmapped);
    "insert into unmapped
         (system, code, sender, display, times, first_at, last_at, last_message)
     select system, code, sender, display, times, at, at, message from batch where true
     on conflict (system, code, sender) do update
     set times = unmapped.times + excluded.times, last_at = excluded.last_at,
         last_message = excluded.last_message,
         display = coalesce(excluded.display, unmapped.display)"
}

impl<'a> UnmappedRow<'a> {
    pub(crate) fn of(codes: &'a [UnmappedCode]) -> Vec<Self> {
        let mut rows: BTreeMap<_, UnmappedRow<'a>> = BTreeMap::new();
        for seen in codes {
            let key = (&seen.system, &seen.code, &seen.sender);
            let before = rows.get(&key).map_or(0, |row| row.times);
            let row = UnmappedRow {
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
        rows.into_values().collect()
    }
}
