//! The hashes of the log's tree, by RFC 6962 and RFC 9162 (2.1.1): SHA-256 with a first byte that tells leaves from nodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

pub(super) use crate::digest::sha256;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A hash in the log's tree. Its text is standard base64, as in checkpoints and proofs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash(pub [u8; HASH_BYTES]);

/// Leaves up to this length are hashed without an allocation; entries of the log are shorter.
const SHORT_LEAF: usize = 127;

impl TreeHash {
    /// The root of a tree without entries: the hash of nothing.
    pub fn of_nothing() -> TreeHash {
        TreeHash(sha256(&[]))
    }

    /// The hash of a leaf: SHA-256(0x00 ‖ data).
    pub fn of_leaf(data: &[u8]) -> TreeHash {
        let mut buffer = [0_u8; SHORT_LEAF + 1];
        match buffer.get_mut(1..=data.len()) {
            Some(place) => {
                place.copy_from_slice(data);
                TreeHash(sha256(
                    buffer.get(..=data.len()).unwrap_or(buffer.as_slice()),
                ))
            }
            None => TreeHash(sha256(&[&[0_u8], data].concat())),
        }
    }

    /// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
    pub fn of_node(left: &TreeHash, right: &TreeHash) -> TreeHash {
        let mut buffer = [1_u8; 1 + 2 * HASH_BYTES];
        let (_, children) = buffer.split_at_mut(1);
        let (first, second) = children.split_at_mut(HASH_BYTES);
        first.copy_from_slice(&left.0);
        second.copy_from_slice(&right.0);
        TreeHash(sha256(&buffer))
    }

    /// Reads base64 in its one canonical spelling.
    pub fn parse(text: &str) -> Option<TreeHash> {
        Some(TreeHash(from_base64(text)?.try_into().ok()?))
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_base64(&self.0))
    }
}
impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for TreeHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for TreeHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        TreeHash::parse(&text).ok_or_else(|| de::Error::custom("expected 32 bytes in base64"))
    }
}

/// Standard base64 with padding (RFC 4648, section 4).
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64; anything but the canonical spelling is refused.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
