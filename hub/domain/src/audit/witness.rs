//! How witnesses are asked to sign, by C2SP `tlog-witness`: what the log sends, what a witness checks and answers.

use std::fmt::Write;

use super::checkpoint::Checkpoint;
use super::hash::TreeHash;
use super::key::Signer;
use super::note::{Note, Signature};
use super::policy::{Head, NoteFault, Policy};
use super::proof::proves_consistency;
use super::tile::decimal;
use crate::date::Instant;

/// A proof in a tree of 2^63 leaves has no more hashes.
const MAX_PROOF: usize = 63;

/// What a log sends to a witness: the body of `POST <witness>/add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness signed last, 0 where it never has.
    pub old: u64,
    /// The proof that the tree of that size is the beginning of the checkpoint's.
    pub proof: Vec<TreeHash>,
    /// The checkpoint, as a note.
    pub checkpoint: String,
}

/// Why a witness does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WitnessFault {
    /// The request is not well-formed, or its old size is larger than the new: 400.
    #[error("the request is not well-formed")]
    Malformed,
    /// The checkpoint is not one of the log's: 404 for another origin, 403 for signatures.
    #[error("the checkpoint: {0}")]
    Checkpoint(NoteFault),
    /// The old size is not the one that was signed last, which is told: 409.
    #[error("the last size signed is {0}")]
    Conflict(u64),
    /// The proof does not hold, so the log is not a continuation of what was signed: 422.
    #[error("the log is not a continuation of what was signed")]
    Inconsistent,
}

impl AddCheckpoint {
    /// The body of the request.
    pub fn to_body(&self) -> String {
        let mut body = format!("old {}\n", self.old);
        for hash in &self.proof {
            // Writing to a string does not fail.
            let _ = writeln!(body, "{hash}");
        }
        body + "\n" + &self.checkpoint
    }

    /// Reads the body of a request.
    pub fn parse(body: &str) -> Option<AddCheckpoint> {
        let (head, checkpoint) = body.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = decimal(lines.next()?.strip_prefix("old ")?)?;
        let proof = lines.take(MAX_PROOF.saturating_add(1));
        let proof: Option<Vec<TreeHash>> = proof.map(TreeHash::parse).collect();
        Some(AddCheckpoint {
            old,
            proof: proof.filter(|proof| proof.len() <= MAX_PROOF)?,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// A witness's answer: its signature line, and what it must have stored durably as last signed before it gives
    /// the answer away.
    ///
    /// `last` is size and root of what it signed last, (0, root of nothing) where it never has.
    ///
    /// # Errors
    /// Why it does not sign.
    pub fn cosign(
        &self,
        policy: &Policy,
        last: (u64, TreeHash),
        witness: &Signer,
        at: Instant,
    ) -> Result<(Signature, Head), WitnessFault> {
        let head = policy.checkpoint(&self.checkpoint);
        let head = head.map_err(WitnessFault::Checkpoint)?;
        if self.old > head.size {
            return Err(WitnessFault::Malformed);
        }
        if self.old != last.0 {
            return Err(WitnessFault::Conflict(last.0));
        }
        if !proves_consistency(last, (head.size, head.root), &self.proof) {
            return Err(WitnessFault::Inconsistent);
        }
        let note = Note::parse(&self.checkpoint).ok_or(WitnessFault::Malformed)?;
        Ok((witness.sign_at(&note.text, at), head))
    }
}

impl Policy {
    /// Adds to a checkpoint what a witness answered, as far as it is by a trusted witness and not there yet.
    ///
    /// # Errors
    /// [`NoteFault`] where the checkpoint is no note, the answer is not made of signature lines, or a signature in
    /// the name of a trusted key does not hold.
    pub fn add_cosignatures(&self, checkpoint: &str, answer: &str) -> Result<Note, NoteFault> {
        let mut note = Note::parse(checkpoint).ok_or(NoteFault::Malformed)?;
        Checkpoint::parse(&note.text).ok_or(NoteFault::Malformed)?;
        for line in answer.lines() {
            let signature = Signature::parse(line).ok_or(NoteFault::Malformed)?;
            let known = self.witness(&signature);
            let there = |key: &super::VerifierKey| {
                let mut names = note.signatures.iter();
                names.any(|one| key.is_named_by(one))
            };
            match known {
                Some(key) if !key.verify(&note.text, &signature) => return Err(NoteFault::Forged),
                Some(key) if !there(key) => note.signatures.push(signature),
                _ => {}
            }
        }
        Ok(note)
    }
}
