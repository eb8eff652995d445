//! What one turn of a lane writes, as plain data.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use takmil_domain::clinical::Past;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DeliveryId, Identifier, MemberId, MessageId, ParticipantId, TransferId};
use takmil_domain::life::{Event, State};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::participant::{InsurerDecision, Purpose};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::settlement::{Due, Transfer};

use crate::audit::NewLeaf;
use crate::body::Sent;
use crate::registrations::NewRegistration;
use crate::seal::OwnerKey;
use crate::turn::{Authorised, ReservationState};

/// What one turn writes, all of it or nothing. Order within a list is the order of events.
#[derive(Debug, Default)]
pub struct Batch {
    /// Messages that the hub takes.
    pub messages: Vec<NewMessage>,
    /// Messages that go on, those of this batch among them. Several updates of one message follow each other.
    pub updates: Vec<MessageUpdate>,
    /// Limits that nobody has touched before.
    pub limits: Vec<NewLimit>,
    /// Limits whose ceiling a later version of the plan has set.
    pub revised: Vec<RevisedLimit>,
    /// Movements of limits. The standings follow from them.
    pub entries: Vec<NewEntry>,
    /// Reservations that are made, or change their state. What they hold follows from the entries.
    pub reservations: Vec<ReservationChange>,
    /// What was authorised.
    pub authorisations: Vec<Authorised>,
    /// What was used of authorisations.
    pub uses: Vec<NewUse>,
    /// What insurers said.
    pub decisions: Vec<NewDecision>,
    /// What becomes owed to insurers.
    pub outbox: Vec<NewDelivery>,
    /// What insurers owe for claims, as this turn leaves it. Of several for one claim and insurer the last counts.
    pub dues: Vec<Due>,
    /// What is to be told to the central register.
    pub registrations: Vec<NewRegistration>,
    /// What brought the dues there.
    pub transfers: Vec<(TransferId, Transfer)>,
    /// Codes that the common scheme does not know, to be counted.
    pub unmapped: Vec<UnmappedCode>,
    /// What the tamper-evident log is to have of it: a leaf for each turn of a message.
    pub leaves: Vec<NewLeaf>,
}

/// A message that the hub takes, with its first answer.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The hub's id, made of the moment of taking it: messages are listed in the order of their ids.
    pub id: MessageId,
    /// The authenticated sender.
    pub sender: ParticipantId,
    /// The kind.
    pub kind: Kind,
    /// The wire format it came in.
    pub format: Cow<'static, str>,
    /// How far it has come by its first turn.
    pub state: State,
    /// When the hub took it.
    pub received_at: Instant,
    /// When the first answer was made.
    pub answered_at: Instant,
    /// The member, where known.
    pub member: Option<MemberId>,
    /// The member's key, or the hub's own, under which what was sent and answered is sealed.
    pub key: OwnerKey,
    /// The insurers that see it, because they have a share in it.
    pub insurers: Vec<ParticipantId>,
    /// By when insurers or persons must have spoken; kept while the message is consulting or pended.
    pub deadline: Option<Instant>,
    /// SHA-256 of the body as received; a repeat with another body is not a repeat.
    pub digest: [u8; 32],
    /// The body as received, and the canonical message.
    pub sent: Sent,
    /// The sender's own identifiers of it, by which later messages name it.
    pub identifiers: Vec<Identifier>,
    /// Those of a prescription by which whoever fills it may name it.
    pub prescription: Vec<Identifier>,
    /// What makes a repeat recognisable, unique per sender.
    pub keys: Vec<String>,
    /// What it tells of the member's past.
    pub past: Option<NewPast>,
    /// The answer, as JSON.
    pub answer: String,
    /// The legs of its way so far.
    pub legs: Vec<Leg>,
}

/// What a message tells of its member's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPast {
    /// The last day on which a clinical rule looks at it.
    pub until: Date,
    /// What the member had.
    pub rows: Vec<Past>,
}

/// A message goes on. Turns count from 1, the message's first.
#[derive(Debug, Clone)]
pub struct MessageUpdate {
    /// Which.
    pub id: MessageId,
    /// Its kind.
    pub kind: Kind,
    /// The state it is in, as loaded in this turn.
    pub from: State,
    /// What leads it on.
    pub event: Event,
    /// The state that this leads to.
    pub to: State,
    /// The number of this turn: one more than its last.
    pub turn: u32,
    /// When.
    pub at: Instant,
    /// The new deadline; kept while the message is consulting or pended.
    pub deadline: Option<Instant>,
    /// The new answer, as JSON; `None` where it stays.
    pub answer: Option<String>,
    /// The legs of its way since the last turn.
    pub legs: Vec<Leg>,
}

/// A leg of a message's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// When.
    pub at: Instant,
    /// What happened: a stable word such as "received", "decided", "asked".
    pub what: Cow<'static, str>,
    /// With whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<ParticipantId>,
    /// More about it. Nothing of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A limit that nobody has touched before. It starts with nothing consumed or reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLimit {
    /// Which.
    pub key: LimitKey,
    /// What it limits.
    pub kind: LimitKind,
    /// Of what.
    pub unit: LimitUnit,
    /// Over which stretch.
    pub per: LimitPer,
    /// The ceiling of the plan in force.
    pub ceiling: i64,
    /// The version of that plan.
    pub version: u32,
    /// The message that needs it first.
    pub message: MessageId,
}

/// A limit whose ceiling a later version of the plan has set. The entries say by how much it moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisedLimit {
    /// Which.
    pub key: LimitKey,
    /// The version of the plan.
    pub version: u32,
    /// The message that found it so.
    pub message: MessageId,
}

/// A movement of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The limit.
    pub key: LimitKey,
    /// Because of which message.
    pub message: MessageId,
    /// In which of its turns.
    pub turn: u32,
    /// For which of its lines; 0 for the message as a whole.
    pub line: u32,
    /// What happens.
    pub kind: EntryKind,
    /// How much, in the limit's unit; above 0, but for a change of the ceiling.
    pub amount: i64,
    /// Whose reservation it adds to or takes from: the message that reserved. For [`EntryKind::Reserve`] and
    /// [`EntryKind::Release`], and only for them.
    pub reservation: Option<MessageId>,
    /// When.
    pub at: Instant,
}

/// A reservation is made, or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationChange {
    /// The message that reserved.
    pub message: MessageId,
    /// The last day on which it counts.
    pub expires_on: Date,
    /// What becomes of it.
    pub state: ReservationState,
}

/// A line of a message uses an authorised line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUse {
    /// For whom it was authorised.
    pub member: MemberId,
    /// The number of the authorisation.
    pub number: String,
    /// By whom.
    pub insurer: ParticipantId,
    /// The authorised line.
    pub seq: u32,
    /// The message that uses it.
    pub message: MessageId,
    /// The line that does.
    pub line: u32,
    /// How many.
    pub quantity: Quantity,
    /// How much money.
    pub amount: Amount,
}

/// What an insurer said to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDecision {
    /// The insurer.
    pub insurer: ParticipantId,
    /// Its words. Its reference makes a repeat recognisable.
    pub decision: InsurerDecision,
    /// When it came.
    pub at: Instant,
}

/// Something that becomes owed to an insurer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id; the same at every attempt.
    pub id: DeliveryId,
    /// To whom.
    pub insurer: ParticipantId,
    /// The first message of the claim: deliveries of one claim go one after the other.
    pub claim: MessageId,
    /// The message it is about.
    pub message: MessageId,
    /// The turn of the message that it tells of.
    pub turn: u32,
    /// The kind of the message.
    pub kind: Kind,
    /// What is to be done with it.
    pub purpose: Purpose,
    /// When it became owed.
    pub created_at: Instant,
    /// Not to be tried before.
    pub due_at: Instant,
}

/// A code that the common scheme does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmappedCode {
    /// Who sent it.
    pub sender: ParticipantId,
    /// The code's system, as sent.
    pub system: String,
    /// The code.
    pub code: String,
    /// Its name, as sent.
    pub display: Option<String>,
    /// The message it came with.
    pub message: MessageId,
    /// When.
    pub at: Instant,
}
