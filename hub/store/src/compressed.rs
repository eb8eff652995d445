//! Bodies as they are kept: compressed, outside of any transaction.

use std::cell::RefCell;

use crate::error::StoreError;

/// Fast rather than small: bodies are compressed before a lane, on the way of an answer.
const LEVEL: i32 = 1;

/// The most that one body unfolds to, so that a broken row cannot exhaust memory.
const MOST_BYTES: u64 = 256 << 20;

/// A body, compressed (zstd).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed(Vec<u8>);

thread_local! {
    /// A context costs more to make than a small body to compress.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

impl Compressed {
    /// Compresses a body.
    ///
    /// # Errors
    /// [`StoreError::Compression`] if memory runs out.
    pub fn new(bytes: &[u8]) -> Result<Compressed, StoreError> {
        COMPRESSOR.with_borrow_mut(|slot| {
            let compressor = match slot.take() {
                Some(compressor) => compressor,
                None => zstd::bulk::Compressor::new(LEVEL).map_err(StoreError::Compression)?,
            };
            slot.insert(compressor)
                .compress(bytes)
                .map(Compressed)
                .map_err(StoreError::Compression)
        })
    }

    /// The compressed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The body of compressed bytes.
    pub(crate) fn unfold(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let size = zstd::zstd_safe::get_frame_content_size(bytes)
            .ok()
            .flatten();
        let size = size
            .filter(|size| *size <= MOST_BYTES)
            .and_then(|size| usize::try_from(size).ok())
            .ok_or(StoreError::Unreadable { what: "a body" })?;
        zstd::bulk::decompress(bytes, size).map_err(StoreError::Compression)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_body_comes_back_as_it_was() {
        for body in [&b""[..], b"x", "نسخه ".repeat(10_000).as_bytes()] {
            let kept = Compressed::new(body).unwrap();
            assert_eq!(Compressed::unfold(kept.as_bytes()).unwrap(), body);
        }
        assert!(Compressed::unfold(b"not zstd").is_err());
    }
}
