//! The audit log: what the hub has done, in a tree that nobody can change afterwards without being seen.
//!
//! | part | is |
//! |---|---|
//! | [`Leaf`], [`Entry`], [`Numbering`] | what is logged: promised leaves, and their numbers by participant |
//! | [`Salt`], [`Commitment`] | what binds a leaf to a payload that can be erased |
//! | [`TreeHash`], [`Frontier`], [`Edge`], [`Tile`] | the tree of RFC 6962 and RFC 9162, kept as tiles |
//! | [`Path`], [`proves_inclusion`], [`proves_consistency`] | proofs, made and checked |
//! | [`Note`], [`Checkpoint`], [`Signer`], [`Policy`] | what the log and its witnesses sign, and whom to trust |
//! | [`promise()`], [`Receipt`] | what a sender holds from the moment of its answer |
//! | [`InclusionProof`] | what a sender gets once its entry is in the log |
//! | [`AddCheckpoint`] | what witnesses are asked, and answer |
//! | [`verify()`] | the offline verifier, which reads a log as a folder of files ([`KEPT`] and others) |
//!
//! Formats are those of C2SP (`signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-tiles`, `tlog-policy`,
//! `tlog-proof`, `tlog-witness`), so that other people's tools verify and witness the log.
//!
//! Decision: hashing and Ed25519 are ring's, which TLS links anyway. The tree and the notes are written here. The Rust
//! libraries for these formats, `tlog_tiles` and `signed_note`, panic on sizes that do not fit, read tiles by a
//! callback that cannot wait (a store can), name tiles by an older layout, know no cosignatures and bring a second
//! Ed25519; `ct-merkle` keeps its tree in memory. The tests hold this module against the first two.

mod bundle;
mod checkpoint;
mod commitment;
mod edge;
mod export;
mod finding;
mod frontier;
mod hash;
mod inclusion;
mod key;
mod leaf;
mod note;
mod numbering;
mod policy;
mod promise;
mod proof;
mod tile;
mod verify;
mod witness;

pub use bundle::{Bundle, bundle_bytes};
pub use checkpoint::Checkpoint;
pub use commitment::{Commitment, Salt};
pub use edge::{Edge, GrownTile, MissingTile};
pub use export::{KEPT, KeptCheckpoint, LATEST, POLICY};
pub use finding::{Finding, MAX_FINDINGS, Report, Verdict};
pub use frontier::{Frontier, Misplaced};
pub use hash::{HASH_BYTES, TreeHash};
pub use inclusion::InclusionProof;
pub use key::{Algorithm, KeyFault, KeyName, Signer, VerifierKey};
pub use leaf::{ENTRY_BYTES, EVENTS, Entry, EntryFault, Event, LEAF_BYTES, Leaf, Pseudonym};
pub use note::{MAX_NOTE_BYTES, MAX_SIGNATURES, Note, Signature};
pub use numbering::{Numbering, OutOfSequence};
pub use policy::{Head, NoteFault, Policy, PolicyFault};
pub use promise::{Promised, Receipt, promise};
pub use proof::{Path, proves_consistency, proves_inclusion};
pub use tile::{Asset, TILE_WIDTH, Tile, Tiles};
pub use verify::{Evidence, Piece, verify};
pub use witness::{AddCheckpoint, WitnessFault};
