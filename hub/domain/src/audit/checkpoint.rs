//! Checkpoints, by C2SP `tlog-checkpoint`: a signed note that says how large the log's tree is and what its root is.
//!
//! The log signs each twice with one key: over the text, which every tool for such logs reads, and over the text with
//! the time (`cosignature/v1`), so that it is also told when. Witnesses add signatures of the second kind.

use super::hash::TreeHash;
use super::key::{KeyName, Signer};
use super::note::Note;
use super::tile::decimal;
use crate::date::Instant;

/// The head of a log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, which is also that of its keys.
    pub origin: KeyName,
    /// How many entries the log has.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
}

impl Checkpoint {
    /// Reads the text of a note. Extension lines are refused: the hub's log has none.
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let checkpoint = Checkpoint {
            origin: KeyName::parse(lines.next()?)?,
            size: decimal(lines.next()?)?,
            root: TreeHash::parse(lines.next()?)?,
        };
        lines.next().is_none().then_some(checkpoint)
    }

    /// The text of the note.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// The note that the log signs.
    pub fn sign(&self, log: &Signer, at: Instant) -> Note {
        let text = self.text();
        Note {
            signatures: vec![log.sign(&text), log.sign_at(&text, at)],
            text,
        }
    }
}
