//! What a verifier tells: that a log is sound, or what is wrong with it, each with a stable code.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::hash::TreeHash;
use super::leaf::EntryFault;
use super::numbering::OutOfSequence;
use super::policy::NoteFault;
use super::tile::{Asset, Tile};
use crate::date::Instant;

/// How many findings are listed; one wrong byte can make thousands, which are counted.
pub const MAX_FINDINGS: usize = 100;

/// Something that is wrong with a log. In JSON: `{"code": …, "detail": …}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A kept checkpoint is not one of the log's.
    #[error("checkpoint {number}: {fault}")]
    Checkpoint {
        /// Which of those that were kept, from 1.
        number: u64,
        /// Why.
        fault: NoteFault,
    },
    /// The latest checkpoint is not one of the log's.
    #[error("the latest checkpoint: {0}")]
    Latest(NoteFault),
    /// The latest checkpoint is not the last of those that were kept.
    #[error("the latest checkpoint is not the last of those that were kept")]
    Replayed,
    /// A checkpoint is smaller or older than the one before it.
    #[error("checkpoint {number} is smaller or older than the one before it")]
    Order {
        /// Which of those that were kept, from 1.
        number: u64,
    },
    /// The entries do not have the root that a checkpoint says.
    #[error(
        "the first {size} entries do not have the root of their checkpoint; the first {sound} do"
    )]
    Root {
        /// The size of the checkpoint.
        size: u64,
        /// The size of the last checkpoint whose root they have.
        sound: u64,
    },
    /// The witnesses whom the policy asks for have not signed the latest checkpoint.
    #[error("the latest checkpoint lacks the signatures of witnesses that the policy asks for")]
    Unwitnessed,
    /// An earlier checkpoint that the verifier holds is not one of the log's.
    #[error("the earlier checkpoint {number}: {fault}")]
    Earlier {
        /// Which of those that were given, from 1.
        number: usize,
        /// Why.
        fault: NoteFault,
    },
    /// The log is not a continuation of an earlier checkpoint: it was forked.
    #[error("the log is another one than that of the earlier checkpoint of {size} entries")]
    Forked {
        /// The size of the earlier checkpoint.
        size: u64,
    },
    /// The log has fewer entries than a checkpoint says: it was cut or rolled back.
    #[error("a checkpoint is over {signed} entries, and there are {found}")]
    Cut {
        /// How many entries were signed for.
        signed: u64,
        /// How many there are.
        found: u64,
    },
    /// A bundle has too few or too many entries, or is broken off.
    #[error("{} has not the entries of its place", Asset::Entries(*.0))]
    Bundle(Tile),
    /// Bytes are no entry.
    #[error("entry {index}: {fault}")]
    Entry {
        /// Its place in the log, from 0.
        index: u64,
        /// Why.
        fault: EntryFault,
    },
    /// A tile is missing, or not made of the entries below it.
    #[error("{} is missing, or not made of the entries", Asset::Hashes(*.0))]
    Tile(Tile),
    /// A participant's numbers have a gap, a repetition, or another order.
    #[error("entry {index}: {fault}")]
    Number {
        /// Its place in the log, from 0.
        index: u64,
        /// What is expected and found.
        fault: OutOfSequence,
    },
    /// A receipt is not one that the log gave.
    #[error("receipt {number}: {fault}")]
    Receipt {
        /// Which of those that were given, from 1.
        number: usize,
        /// Why.
        fault: NoteFault,
    },
    /// A promised leaf is not in the log, though its time is over.
    #[error("receipt {number}: what was promised by {by} is not in the log")]
    Broken {
        /// Which of those that were given, from 1.
        number: usize,
        /// By when a checkpoint was to cover it.
        by: Instant,
    },
    /// A promised leaf came into a checkpoint after its time.
    #[error("receipt {number}: promised by {by}, and first covered at {at}")]
    Late {
        /// Which of those that were given, from 1.
        number: usize,
        /// By when a checkpoint was to cover it.
        by: Instant,
        /// When the first did.
        at: Instant,
    },
}

impl Finding {
    /// The stable code, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::Checkpoint { .. } => "AUD-CHECKPOINT",
            Finding::Latest(_) => "AUD-LATEST",
            Finding::Replayed => "AUD-REPLAYED",
            Finding::Order { .. } => "AUD-ORDER",
            Finding::Root { .. } => "AUD-ROOT",
            Finding::Unwitnessed => "AUD-UNWITNESSED",
            Finding::Earlier { .. } => "AUD-EARLIER",
            Finding::Forked { .. } => "AUD-FORKED",
            Finding::Cut { .. } => "AUD-CUT",
            Finding::Bundle(_) => "AUD-BUNDLE",
            Finding::Entry { .. } => "AUD-ENTRY",
            Finding::Tile(_) => "AUD-TILE",
            Finding::Number { .. } => "AUD-NUMBER",
            Finding::Receipt { .. } => "AUD-RECEIPT",
            Finding::Broken { .. } => "AUD-BROKEN",
            Finding::Late { .. } => "AUD-LATE",
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 2)?;
        object.serialize_field("code", self.code())?;
        object.serialize_field("detail", &self.to_string())?;
        object.end()
    }
}

/// What the check of a log came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub verdict: Verdict,
    /// The log.
    pub origin: String,
    /// How many entries there are.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// How many checkpoints hold.
    pub checkpoints: u64,
    /// When the last of them was signed, microseconds since 1970.
    pub signed_at: Option<Instant>,
    /// The size of the largest checkpoint that the witnesses have signed whom the policy asks for.
    pub witnessed: Option<u64>,
    /// How many participants, the hub among them, have entries.
    pub participants: usize,
    /// How many receipts are kept: their leaf is in the log, in time.
    pub receipts_kept: usize,
    /// How many receipts have time left.
    pub receipts_pending: usize,
    /// What is wrong: the first of it.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub findings_total: u64,
}

/// Whether a log can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything fits.
    Sound,
    /// Something is wrong.
    Broken,
}

/// Findings, of which the first are listed and all are counted.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) listed: Vec<Finding>,
    pub(super) total: u64,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        self.total = self.total.saturating_add(1);
        if self.listed.len() < MAX_FINDINGS {
            self.listed.push(finding);
        }
    }
}
