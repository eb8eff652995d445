//! The proof that an entry is in the log, as a text that is checked without asking anybody: C2SP `tlog-proof`.

use std::fmt;

use super::hash::{TreeHash, from_base64, to_base64};
use super::leaf::Entry;
use super::policy::{Head, NoteFault, Policy};
use super::proof::proves_inclusion;
use super::tile::decimal;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A tree of 2^63 leaves has no longer way.
const MAX_PATH: usize = 63;

/// An entry, its place, and the checkpoint of a tree that it is in. `Display` is its spelling; the entry is the
/// proof's extra data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry.
    pub entry: Entry,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The way from the entry to the root.
    pub path: Vec<TreeHash>,
    /// The checkpoint, as a note.
    pub checkpoint: String,
}

impl InclusionProof {
    /// Reads a proof.
    pub fn parse(text: &str) -> Option<InclusionProof> {
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        (lines.next()? == FIRST_LINE).then_some(())?;
        let entry = from_base64(lines.next()?.strip_prefix("extra ")?)?;
        let index = decimal(lines.next()?.strip_prefix("index ")?)?;
        let path = lines.take(MAX_PATH.saturating_add(1));
        let path: Option<Vec<TreeHash>> = path.map(TreeHash::parse).collect();
        Some(InclusionProof {
            entry: Entry::parse(&entry).ok()?,
            index,
            path: path.filter(|path| path.len() <= MAX_PATH)?,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

impl fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "extra {}", to_base64(&self.entry.to_bytes()))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl Policy {
    /// Checks that the log has the entry of a proof, and tells the checkpoint that covers it.
    ///
    /// # Errors
    /// Why the checkpoint is none of the log's; [`NoteFault::Forged`] where it does not cover the entry.
    pub fn included(&self, proof: &InclusionProof) -> Result<Head, NoteFault> {
        let head = self.checkpoint(&proof.checkpoint)?;
        let hash = proof.entry.hash();
        match proves_inclusion(hash, proof.index, head.size, &proof.path, head.root) {
            true => Ok(head),
            false => Err(NoteFault::Forged),
        }
    }
}
