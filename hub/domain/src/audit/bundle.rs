//! Entry bundles, by C2SP `tlog-tiles`: up to 256 entries, each after its length in two bytes, big-endian.

use super::frontier::Frontier;
use super::hash::TreeHash;
use super::leaf::{Entry, EntryFault};
use super::tile::TILE_WIDTH;

/// The bytes of a bundle.
pub fn bundle_bytes<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.to_bytes();
        let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&entry);
    }
    bytes
}

/// The entries of a bundle, read and hashed.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The entries, or why one is none.
    pub entries: Vec<Result<Entry, EntryFault>>,
    /// The leaf hashes of all, whether they are entries or not.
    pub hashes: Vec<TreeHash>,
    /// The root of the tile of these hashes.
    pub root: TreeHash,
    /// Whether bytes were left over that are no entry of a bundle.
    pub is_cut: bool,
}

impl Bundle {
    /// Reads up to 256 entries and hashes them.
    pub fn read(bytes: &[u8]) -> Bundle {
        let mut rest = bytes;
        let mut entries = Vec::with_capacity(usize::from(TILE_WIDTH));
        let mut hashes = Vec::with_capacity(usize::from(TILE_WIDTH));
        while hashes.len() < usize::from(TILE_WIDTH)
            && let Some((entry, after)) = next(rest)
        {
            entries.push(Entry::parse(entry));
            hashes.push(TreeHash::of_leaf(entry));
            rest = after;
        }
        let tile: Frontier = hashes.iter().copied().collect();
        Bundle {
            entries,
            hashes,
            root: tile.root(),
            is_cut: !rest.is_empty(),
        }
    }
}

fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
