//! Promises: what the hub signs before the log has the entry. A sender holds one with its answer.
//!
//! A promise is a note in the log's name, signed once for all leaves of a turn. Its text:
//!
//! ```text
//! takmil/promise/v1
//! hub.example/audit                              whose log
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=   root of the tree of the turn's leaves
//! 3                                              how many there are
//! 1795348800000000                               when it was promised, microseconds since 1970
//! 1795348920000000                               by when a checkpoint covers them
//! ```
//!
//! The first line is no log's name, so that no promise is ever read as a checkpoint.

use serde::{Deserialize, Serialize};

use super::commitment::Salt;
use super::hash::TreeHash;
use super::key::Signer;
use super::leaf::Leaf;
use super::note::Note;
use super::policy::{NoteFault, Policy};
use super::proof::proves_inclusion;
use super::tile::decimal;
use crate::date::Instant;

const FIRST_LINE: &str = "takmil/promise/v1";

/// What a sender keeps with its answer, to hold the hub to its promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The leaf that is promised, in base64.
    pub leaf: Leaf,
    /// With the payload, it shows what the leaf commits to. Left out where the holder has no payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
    /// The signed note.
    pub promise: String,
    /// Which of the turn's leaves it is, from 0.
    pub index: u64,
    /// The way from the leaf to the root that the note names.
    pub path: Vec<TreeHash>,
}

/// Promises that the leaves of one turn are in a checkpoint by `by`: a receipt for each, in their order.
pub fn promise(log: &Signer, leaves: &[Leaf], at: Instant, by: Instant) -> Vec<Receipt> {
    let hashes: Vec<TreeHash> = leaves.iter().map(Leaf::hash).collect();
    let rows = rows(hashes);
    let root = rows.last().and_then(|row| row.first());
    let root = root.copied().unwrap_or_else(TreeHash::of_nothing);
    let text = format!(
        "{FIRST_LINE}\n{}\n{root}\n{}\n{}\n{}\n",
        log.key().name(),
        leaves.len(),
        at.0,
        by.0
    );
    let signatures = vec![log.sign(&text)];
    let promise = Note { text, signatures }.to_string();
    let receipts = (0..).zip(leaves).map(|(index, leaf)| Receipt {
        leaf: *leaf,
        salt: None,
        promise: promise.clone(),
        index,
        path: path(&rows, index),
    });
    receipts.collect()
}

/// The rows of a tree, from its leaves to its root. A hash without a right neighbour goes up as it is.
fn rows(leaves: Vec<TreeHash>) -> Vec<Vec<TreeHash>> {
    let mut rows = vec![leaves];
    while let Some(row) = rows.last().filter(|row| row.len() > 1) {
        let above = row.chunks(2).map(|pair| match pair {
            [left, right] => TreeHash::of_node(left, right),
            [alone, ..] => *alone,
            [] => TreeHash::of_nothing(),
        });
        rows.push(above.collect());
    }
    rows
}

fn path(rows: &[Vec<TreeHash>], index: u64) -> Vec<TreeHash> {
    let mut at = usize::try_from(index).unwrap_or(usize::MAX);
    let mut path = Vec::new();
    for row in rows {
        path.extend(row.get(at ^ 1).filter(|_| row.len() > 1).copied());
        at /= 2;
    }
    path
}

/// A promise whose signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promised {
    /// When it was given.
    pub at: Instant,
    /// By when a checkpoint covers the leaf.
    pub by: Instant,
}

impl Policy {
    /// Checks that the log promised the leaf of a receipt.
    ///
    /// # Errors
    /// Why it did not.
    pub fn promised(&self, receipt: &Receipt) -> Result<Promised, NoteFault> {
        let note = Note::parse(&receipt.promise).ok_or(NoteFault::Malformed)?;
        let lines: Vec<&str> = note.text.lines().collect();
        let [FIRST_LINE, origin, root, count, at, by] = lines.as_slice() else {
            return Err(NoteFault::Malformed);
        };
        if *origin != self.origin().as_str() {
            return Err(NoteFault::Origin);
        }
        let instant = |text: &str| {
            let micros = decimal(text).and_then(|micros| i64::try_from(micros).ok());
            micros.map(Instant).ok_or(NoteFault::Malformed)
        };
        let promised = Promised {
            at: instant(at)?,
            by: instant(by)?,
        };
        let root = TreeHash::parse(root).ok_or(NoteFault::Malformed)?;
        let count = decimal(count).ok_or(NoteFault::Malformed)?;
        self.signed_by_log_at(&note, promised.at)?;
        let hash = receipt.leaf.hash();
        match proves_inclusion(hash, receipt.index, count, &receipt.path, root) {
            true => Ok(promised),
            false => Err(NoteFault::Forged),
        }
    }
}
