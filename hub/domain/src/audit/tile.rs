//! Tiles, by C2SP `tlog-tiles`: 256 hashes that follow each other at a height of 0, 8, 16 … of the tree. A log keeps
//! and serves its tree as tiles, and its entries as bundles of as many. A complete one never changes.

use std::collections::HashMap;
use std::fmt;

use super::hash::{HASH_BYTES, TreeHash};

/// Hashes in a complete tile, and entries in a complete bundle.
pub const TILE_WIDTH: u16 = 256;

/// Levels of a tree of up to 2^64 leaves.
pub(super) const LEVELS: u8 = 8;

/// The place of a tile in the tree, and how many hashes of it are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for leaf hashes; each hash of level *l* + 1 is the root of a complete tile of level *l*.
    pub level: u8,
    /// Which one of its level, from 0.
    pub index: u64,
    /// How many hashes, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The last tile of a level in a tree of `size` leaves, where it is neither empty nor complete.
    pub fn partial(level: u8, size: u64) -> Option<Tile> {
        let hashes = hashes_at(level, size);
        let width = u16::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or(0);
        (width > 0).then_some(Tile {
            level,
            index: hashes / u64::from(TILE_WIDTH),
            width,
        })
    }

    /// All last tiles of a tree that are not complete, from the highest level: what [`super::Edge::restore`] needs.
    pub fn partials(size: u64) -> Vec<Tile> {
        (0..LEVELS)
            .rev()
            .filter_map(|level| Tile::partial(level, size))
            .collect()
    }

    /// Every tile of a tree of `size` leaves, level by level.
    pub fn all(size: u64) -> impl Iterator<Item = Tile> {
        (0..LEVELS).flat_map(move |level| {
            let complete = hashes_at(level, size) / u64::from(TILE_WIDTH);
            let complete = (0..complete).map(move |index| Tile {
                level,
                index,
                width: TILE_WIDTH,
            });
            complete.chain(Tile::partial(level, size))
        })
    }

    /// Whether it has all its hashes.
    pub fn is_complete(&self) -> bool {
        self.width == TILE_WIDTH
    }
}

/// How many hashes there are at a level of a tree.
pub(super) fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or(0)
}

/// A file of a log, by its path below the log's address: `tile/<level>/<index>[.p/<width>]` for hashes,
/// `tile/entries/<index>[.p/<width>]` for the entries whose hashes are a tile of level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asset {
    /// The hashes of a tile, one after the other.
    Hashes(Tile),
    /// The entries that a tile of level 0 has the hashes of.
    Entries(Tile),
}

impl Asset {
    /// Reads a path.
    pub fn parse(path: &str) -> Option<Asset> {
        let (level, path) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match path.split_once(".p/") {
            Some((index, width)) => (index, Some(width)),
            None => (path, None),
        };
        let width = match width {
            Some(width) => decimal(width)
                .filter(|width| (1..u64::from(TILE_WIDTH)).contains(width))
                .and_then(|width| u16::try_from(width).ok())?,
            None => TILE_WIDTH,
        };
        let index = index_of(index)?;
        let tile = |level| Tile {
            level,
            index,
            width,
        };
        match level {
            "entries" => Some(Asset::Entries(tile(0))),
            level => {
                let level = decimal(level).and_then(|level| u8::try_from(level).ok())?;
                (level < 64).then(|| Asset::Hashes(tile(level)))
            }
        }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tile = match self {
            Asset::Hashes(tile) => {
                write!(f, "tile/{}", tile.level)?;
                tile
            }
            Asset::Entries(tile) => {
                f.write_str("tile/entries")?;
                tile
            }
        };
        let digits = format!("{:03}", tile.index);
        let lead = digits.len() % 3;
        let digits = match lead {
            0 => digits,
            lead => format!("{:0>width$}", digits, width = digits.len() + 3 - lead),
        };
        // Groups of three digits are folders; all but the last begin with an x, so that none is also a file's name.
        let groups = digits.len() / 3;
        for (at, digit) in digits.chars().enumerate() {
            if at % 3 == 0 {
                f.write_str(if at / 3 + 1 < groups { "/x" } else { "/" })?;
            }
            write!(f, "{digit}")?;
        }
        match tile.is_complete() {
            true => Ok(()),
            false => write!(f, ".p/{}", tile.width),
        }
    }
}

/// Reads `x001/x234/067`.
fn index_of(text: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut groups = text.split('/').peekable();
    let first = text.split('/').next()?;
    while let Some(group) = groups.next() {
        let digits = match groups.peek() {
            Some(_) => group.strip_prefix('x')?,
            None => group,
        };
        let is_group = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let value = digits.parse::<u64>().ok().filter(|_| is_group)?;
        index = index.checked_mul(1_000)?.checked_add(value)?;
    }
    // A leading group of zeros would be a second spelling.
    (first != "x000").then_some(index)
}

/// Reads a number in its one decimal spelling.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let value = text.parse::<u64>().ok()?;
    (value.to_string() == text).then_some(value)
}

/// The hashes of some tiles, as read from a store.
#[derive(Debug, Clone, Default)]
pub struct Tiles(HashMap<(u8, u64), Vec<TreeHash>>);

impl Tiles {
    /// Keeps the bytes of a tile; whatever is not a whole hash at the end is left out.
    pub fn insert(&mut self, level: u8, index: u64, bytes: &[u8]) {
        self.0.insert((level, index), hashes(bytes));
    }

    /// `count` hashes of a level from `first` on, where they are all here. They must lie in one tile.
    pub(super) fn hashes(&self, level: u8, first: u64, count: u64) -> Option<&[TreeHash]> {
        let width = u64::from(TILE_WIDTH);
        let tile = self.0.get(&(level, first / width))?;
        let from = usize::try_from(first % width).ok()?;
        tile.get(from..from.checked_add(usize::try_from(count).ok()?)?)
    }

    /// The hashes of a tile, where there are as many as it says.
    pub fn get(&self, tile: Tile) -> Option<&[TreeHash]> {
        let first = tile.index.checked_mul(u64::from(TILE_WIDTH))?;
        self.hashes(tile.level, first, u64::from(tile.width))
    }
}

/// The hashes that stand one after the other in a tile's bytes.
pub(super) fn hashes(bytes: &[u8]) -> Vec<TreeHash> {
    let (whole, _) = bytes.as_chunks::<HASH_BYTES>();
    whole.iter().map(|hash| TreeHash(*hash)).collect()
}

/// The bytes of a tile.
pub(super) fn tile_bytes(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
