//! The one digest that everything is known by: SHA-256 (FIPS 180-4), alone or under a key (HMAC, RFC 2104).

use ring::digest::{SHA256, digest};
use ring::hmac;

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    // The library's type is for digests of any length; this one's is that of its algorithm.
    digest(&SHA256, data).as_ref().try_into().unwrap_or([0; 32])
}

/// A key under which texts have digests that nobody else can make or check: HMAC-SHA-256.
#[derive(Clone)]
pub struct Keyed(hmac::Key);

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}

impl Keyed {
    /// Digests under a secret key.
    pub fn new(key: &[u8]) -> Keyed {
        Keyed(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The digest of several parts: of each its length (32 bits, big-endian) and its bytes.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut digest = hmac::Context::with_key(&self.0);
        for part in parts {
            // Nothing that is digested is longer than a message may be.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            digest.update(&length.to_be_bytes());
            digest.update(part);
        }
        digest.sign().as_ref().try_into().unwrap_or([0; 32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_and_so_are_keys() {
        let (one, other) = (Keyed::new(b"one"), Keyed::new(b"other"));
        assert_eq!(one.of(&[b"ab", b"c"]), one.of(&[b"ab", b"c"]));
        assert_ne!(one.of(&[b"ab", b"c"]), one.of(&[b"a", b"bc"]));
        assert_ne!(one.of(&[b"ab", b"c"]), other.of(&[b"ab", b"c"]));
    }

    #[test]
    fn it_is_the_hmac_of_rfc_2104() {
        // Computed apart: of 0, 0, 0, 1, "a" under "key".
        let digest = Keyed::new(b"key").of(&[b"a"]);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "ec8f0062de0d9594ea16dd1dea0bac5d6abc73caadc6a3c78f5160c3b672f904"
        );
    }
}
