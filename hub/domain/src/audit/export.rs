//! A log as a folder, for whoever verifies it: the files of C2SP `tlog-tiles` under their own paths, and two more.
//!
//! | path | is |
//! |---|---|
//! | [`LATEST`] | the last checkpoint that was kept, as a note |
//! | `tile/…` | every tile and every bundle of entries of that size, named as [`super::Asset`] spells them |
//! | [`KEPT`] | all checkpoints that were kept, from the first: one [`KeptCheckpoint`] in JSON on each line |
//! | [`POLICY`] | the keys of the log and of its witnesses as the hub has them; a verifier trusts its own copy alone |

use serde::{Deserialize, Serialize};

/// The file of the last checkpoint.
pub const LATEST: &str = "checkpoint";
/// The file of all checkpoints that were kept.
pub const KEPT: &str = "checkpoints.ndjson";
/// The file of keys, for information.
pub const POLICY: &str = "policy";

/// A line of [`KEPT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCheckpoint {
    /// The note, with all signatures that it has by now.
    pub checkpoint: String,
}
