//! Bodies as they are kept: compressed.
//!
//! Small documents of the same few kinds compress many times better, and sooner, with a dictionary of what they
//! have in common. It was trained on invented messages alone (`takmil-dictionary` makes it anew). Every frame
//! names its dictionary: one that has been in use stays here for good.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::error::StoreError;

/// Fast rather than small: bodies are compressed on the way of an answer. Level 1 takes half as long again, for 4 %.
const LEVEL: i32 = -1;

/// The most that one body decompresses to, so that a broken row cannot exhaust memory.
const MOST_BYTES: u64 = 256 << 20;

/// The dictionary that bodies are compressed with.
const DICTIONARY: &[u8] = include_bytes!("../dictionary/messages.zdict");

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    /// A context costs more to make than a small body to compress.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses a body (zstd).
pub(crate) fn compress(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    COMPRESSOR
        .with_borrow_mut(|slot| {
            let compressor = match slot.take() {
                Some(compressor) => compressor,
                None => Compressor::with_prepared_dictionary(&ENCODER)?,
            };
            slot.insert(compressor).compress(bytes)
        })
        .map_err(StoreError::Compression)
}

/// The body of compressed bytes.
pub(crate) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let size = zstd::zstd_safe::get_frame_content_size(bytes)
        .ok()
        .flatten();
    let size = size
        .filter(|size| *size <= MOST_BYTES)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or(StoreError::Unreadable { what: "a body" })?;
    DECOMPRESSOR
        .with_borrow_mut(|slot| {
            let decompressor = match slot.take() {
                Some(decompressor) => decompressor,
                None => Decompressor::with_prepared_dictionary(&DECODER)?,
            };
            slot.insert(decompressor).decompress(bytes, size)
        })
        .map_err(StoreError::Compression)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_body_comes_back_as_it_was() {
        for body in [&b""[..], b"x", "نسخه ".repeat(10_000).as_bytes()] {
            assert_eq!(decompress(&compress(body).unwrap()).unwrap(), body);
        }
        assert!(decompress(b"not zstd").is_err());
    }

    #[test]
    fn what_messages_have_in_common_costs_next_to_nothing() {
        let message = include_bytes!("../../../benches/samples/admission.json");
        let kept = compress(message).unwrap();
        let alone = zstd::bulk::compress(message, LEVEL).unwrap();
        assert!(kept.len() * 3 < alone.len() * 2);
    }
}
