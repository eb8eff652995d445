//! What binds a leaf to its payload without telling it: a hash over salt and payload.
//!
//! Whoever holds payload and salt can show that it is what the leaf says. Without the salt nobody can try out what
//! the payload may have been; erasing salt and payload leaves the log as verifiable as before.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

use super::hash::{from_base64, sha256, to_base64};

// Tells these hashes from every other use of SHA-256.
const COMMITMENT_LABEL: &[u8] = b"takmil/commitment/v1";

/// Random bytes of one payload, erased with it. `Debug` masks them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(•••)")
    }
}
impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.0))
    }
}
impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = from_base64(&text).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Salt)
            .ok_or_else(|| de::Error::custom("expected 32 bytes in base64"))
    }
}

/// SHA-256(label ‖ salt ‖ length and bytes of each part), with lengths as 8 bytes big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment(pub [u8; 32]);

impl Commitment {
    /// Commits to the parts of a payload, in their order: what was sent, what was answered.
    pub fn new(salt: &Salt, parts: &[&[u8]]) -> Commitment {
        let length: usize = parts.iter().map(|part| part.len().saturating_add(8)).sum();
        let mut bytes = Vec::with_capacity(length.saturating_add(64));
        bytes.extend_from_slice(COMMITMENT_LABEL);
        bytes.extend_from_slice(&salt.0);
        for part in parts {
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Commitment(sha256(&bytes))
    }

    /// Whether this is the commitment to these parts.
    pub fn opens(&self, salt: &Salt, parts: &[&[u8]]) -> bool {
        *self == Commitment::new(salt, parts)
    }
}
