//! The numbers of each participant's entries: one after the other, from 1. Who holds an answer without its number, or
//! finds a number without an answer, sees that something is missing.

use std::collections::HashMap;

use super::leaf::{Entry, Leaf, Pseudonym};

/// The last number of each participant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbering {
    last: HashMap<Pseudonym, u64>,
}

/// An entry's number does not follow the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("participant {participant} has number {found} where {expected} comes next")]
pub struct OutOfSequence {
    /// Whose entry it is.
    pub participant: Pseudonym,
    /// The number that comes next.
    pub expected: u64,
    /// The number that it has.
    pub found: u64,
}

impl Numbering {
    /// Goes on from the last numbers that were given. Participants that are not named begin at 1.
    pub fn after(last: impl IntoIterator<Item = (Pseudonym, u64)>) -> Numbering {
        Numbering {
            last: last.into_iter().collect(),
        }
    }

    /// Numbers a leaf: it is the next entry of its participant.
    pub fn number(&mut self, leaf: Leaf) -> Entry {
        let last = self.last.entry(leaf.participant).or_insert(0);
        *last = last.saturating_add(1);
        Entry {
            number: *last,
            leaf,
        }
    }

    /// Takes the next entry of a log; after a fault, counting goes on from the number found.
    ///
    /// # Errors
    /// [`OutOfSequence`] where a number is missing, repeated or out of order.
    pub fn follow(&mut self, entry: &Entry) -> Result<(), OutOfSequence> {
        let participant = entry.leaf.participant;
        let last = self.last.entry(participant).or_insert(0);
        let expected = last.saturating_add(1);
        *last = entry.number;
        match entry.number == expected {
            true => Ok(()),
            false => Err(OutOfSequence {
                participant,
                expected,
                found: entry.number,
            }),
        }
    }

    /// The last number of everybody who has one.
    pub fn last(&self) -> impl ExactSizeIterator<Item = (Pseudonym, u64)> {
        self.last
            .iter()
            .map(|(participant, last)| (*participant, *last))
    }
}
