//! What the log is made of: leaves, promised when something happens, and entries, leaves with their number.
//!
//! Both have one spelling, of fixed length, with numbers big-endian, so that a hash stands for one meaning.
//!
//! A leaf, 78 bytes:
//!
//! | bytes | field | meaning |
//! |---|---|---|
//! | 0 | format | 0x01 |
//! | 1 | event | what happened, a code of [`EVENTS`] |
//! | 2–5 | turn | which turn of the thing it was, from 0 |
//! | 6–13 | at | when, microseconds since 1970 in UTC, signed |
//! | 14–29 | subject | the hub's id of the thing: a message, a document, a record of access |
//! | 30–45 | participant | whose doing it was, by pseudonym; zeros for the hub itself |
//! | 46–77 | commitment | SHA-256 over salt and payload, see [`Commitment`] |
//!
//! An entry, 87 bytes, is what the tree's leaf hashes are over:
//!
//! | bytes | field | meaning |
//! |---|---|---|
//! | 0 | format | 0x81 |
//! | 1–8 | number | how many entries of this participant there are up to here, this one included |
//! | 9–86 | leaf | as above |
//!
//! The number is not in the leaf, because the leaf is made and promised in the transaction of what happened, where
//! nobody knows what others commit meanwhile. It is in the entry, and so in the tree: it can no more be changed
//! afterwards than the leaf. Neither says at which place of the tree it stands.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use uuid::Uuid;

use super::commitment::Commitment;
use super::hash::{TreeHash, from_base64, to_base64};
use crate::date::Instant;

/// Bytes of a leaf.
pub const LEAF_BYTES: usize = 78;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 87;

const LEAF_FORMAT: u8 = 0x01;
// Far from the leaf's, so that neither is ever taken for the other.
const ENTRY_FORMAT: u8 = 0x81;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A message was taken.
    MessageTaken,
    /// A message went on: it was routed, asked about, or its time ran out.
    MessageWentOn,
    /// The sender was given an answer.
    AnswerGiven,
    /// An insurer decided.
    InsurerDecided,
    /// Somebody read personal data.
    PersonalDataRead,
    /// An insurer posted to a limit: an opening, use outside the hub, an override.
    LimitPosted,
    /// A plan, tariff or contract was approved.
    DocumentApproved,
    /// A participant, a person of theirs, or a credential was added, changed or revoked.
    ParticipantChanged,
    /// The key to personal data was erased; leaves about it stay, payload and salt are gone.
    KeyErased,
    /// The log has another signing key from here on.
    LogKeyChanged,
    /// An insurer gave notice of a payment.
    PaymentNoticed,
    /// A payment has arrived: its provider says so, or its time to is over.
    PaymentConfirmed,
    /// A payment did not arrive, or was called back.
    PaymentBounced,
    /// A dispute about what is owed was decided.
    DisputeDecided,
    /// A month of an insurer's book was closed for good.
    MonthClosed,
}

/// Every event with its code.
pub const EVENTS: &[(u8, Event)] = &[
    (1, Event::MessageTaken),
    (2, Event::MessageWentOn),
    (3, Event::AnswerGiven),
    (4, Event::InsurerDecided),
    (5, Event::PersonalDataRead),
    (6, Event::LimitPosted),
    (7, Event::DocumentApproved),
    (8, Event::ParticipantChanged),
    (9, Event::KeyErased),
    (10, Event::LogKeyChanged),
    (11, Event::PaymentNoticed),
    (12, Event::PaymentConfirmed),
    (13, Event::PaymentBounced),
    (14, Event::DisputeDecided),
    (15, Event::MonthClosed),
];

impl Event {
    /// The code in a leaf.
    pub fn code(self) -> u8 {
        EVENTS
            .iter()
            .find(|(_, event)| *event == self)
            .map_or(0, |(code, _)| *code)
    }

    fn of_code(code: u8) -> Option<Event> {
        EVENTS
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, event)| *event)
    }
}

/// Who a participant is in the log: 16 random bytes, known to the hub and to the participant alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pseudonym(pub Uuid);

impl Pseudonym {
    /// The hub itself: what its clocks do.
    pub const HUB: Pseudonym = Pseudonym(Uuid::nil());
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened, as it is promised to be in the log. In JSON, its bytes in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// What happened.
    pub event: Event,
    /// Which turn of the subject it was.
    pub turn: u32,
    /// When.
    pub at: Instant,
    /// The hub's id of the thing.
    pub subject: Uuid,
    /// Whose doing it was.
    pub participant: Pseudonym,
    /// What binds the leaf to its payload.
    pub commitment: Commitment,
}

impl Leaf {
    /// Its one spelling.
    pub fn to_bytes(&self) -> [u8; LEAF_BYTES] {
        join(&[
            &[LEAF_FORMAT, self.event.code()],
            &self.turn.to_be_bytes(),
            &self.at.0.to_be_bytes(),
            self.subject.as_bytes(),
            self.participant.0.as_bytes(),
            &self.commitment.0,
        ])
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// What is not as the table at the head of this file says.
    pub fn parse(bytes: &[u8]) -> Result<Leaf, EntryFault> {
        let mut rest = Fields(bytes);
        let leaf = rest.leaf()?;
        rest.end()?;
        Ok(leaf)
    }

    /// The hash that a promise is made for.
    pub fn hash(&self) -> TreeHash {
        TreeHash::of_leaf(&self.to_bytes())
    }
}

impl Serialize for Leaf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.to_bytes()))
    }
}
impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = from_base64(&text).ok_or_else(|| de::Error::custom("expected base64"))?;
        Leaf::parse(&bytes).map_err(de::Error::custom)
    }
}

/// A leaf with its number: what stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// How many entries of the leaf's participant there are up to here, from 1.
    pub number: u64,
    /// What happened.
    pub leaf: Leaf,
}

impl Entry {
    /// Its one spelling.
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        join(&[
            &[ENTRY_FORMAT],
            &self.number.to_be_bytes(),
            &self.leaf.to_bytes(),
        ])
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// What is not as the table at the head of this file says.
    pub fn parse(bytes: &[u8]) -> Result<Entry, EntryFault> {
        let mut rest = Fields(bytes);
        let [format] = rest.take()?;
        if format != ENTRY_FORMAT {
            return Err(EntryFault::Format(format));
        }
        let number = u64::from_be_bytes(rest.take()?);
        let leaf = rest.leaf()?;
        rest.end()?;
        Ok(Entry { number, leaf })
    }

    /// Its leaf hash in the log's tree.
    pub fn hash(&self) -> TreeHash {
        TreeHash::of_leaf(&self.to_bytes())
    }
}

/// Why bytes are no leaf or entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// There are too few or too many bytes.
    #[error("the length is not that of its format")]
    Length,
    /// The first byte names no known format.
    #[error("format {0:#04x} is not known")]
    Format(u8),
    /// The event's code is not known.
    #[error("event {0} is not known")]
    Event(u8),
}

/// The fields of a spelling, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], EntryFault> {
        let (field, rest) = self.0.split_first_chunk().ok_or(EntryFault::Length)?;
        self.0 = rest;
        Ok(*field)
    }

    fn leaf(&mut self) -> Result<Leaf, EntryFault> {
        let [format, event] = self.take()?;
        if format != LEAF_FORMAT {
            return Err(EntryFault::Format(format));
        }
        Ok(Leaf {
            event: Event::of_code(event).ok_or(EntryFault::Event(event))?,
            turn: u32::from_be_bytes(self.take()?),
            at: Instant(i64::from_be_bytes(self.take()?)),
            subject: Uuid::from_bytes(self.take()?),
            participant: Pseudonym(Uuid::from_bytes(self.take()?)),
            commitment: Commitment(self.take()?),
        })
    }

    fn end(&self) -> Result<(), EntryFault> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(EntryFault::Length),
        }
    }
}

/// The fields one after the other; their lengths add up to `N`.
fn join<const N: usize>(fields: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut rest = bytes.as_mut_slice();
    for field in fields {
        let Some((place, after)) = rest.split_at_mut_checked(field.len()) else {
            break;
        };
        place.copy_from_slice(field);
        rest = after;
    }
    bytes
}
