//! The right edge of a tree in tiles: what a log holds in memory to grow, and what it writes when it has grown.

use super::frontier::{Frontier, Misplaced};
use super::hash::TreeHash;
use super::tile::{LEVELS, TILE_WIDTH, Tile, Tiles, hashes_at, tile_bytes};

/// The last tiles of a growing tree, as far as they are not complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    /// For each level, the hashes of its last tile.
    levels: [Vec<TreeHash>; LEVELS as usize],
    frontier: Frontier,
}

/// A tile that is needed is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {index} of level {level} is missing or too short")]
pub struct MissingTile {
    /// Its level.
    pub level: u8,
    /// Which one of its level.
    pub index: u64,
}

/// A tile to be written in place of what stood there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrownTile {
    /// Where, and how many hashes it has now.
    pub tile: Tile,
    /// Its hashes, one after the other.
    pub bytes: Vec<u8>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, from the tiles that [`Tile::partials`] names.
    ///
    /// # Errors
    /// [`MissingTile`] where one of them is not there with its width.
    pub fn restore(size: u64, tiles: &Tiles) -> Result<Edge, MissingTile> {
        let mut edge = Edge::default();
        for tile in Tile::partials(size) {
            let Tile { level, index, .. } = tile;
            let missing = MissingTile { level, index };
            let hashes = tiles.get(tile).ok_or(missing)?;
            for hash in hashes {
                let height = level.saturating_mul(8);
                edge.frontier
                    .push_subtree(height, *hash)
                    .map_err(|_| missing)?;
            }
            if let Some(own) = edge.levels.get_mut(usize::from(level)) {
                own.extend_from_slice(hashes);
            }
        }
        Ok(edge)
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the tree.
    pub fn root(&self) -> TreeHash {
        self.frontier.root()
    }

    /// Appends leaves, by their hashes. Returns every tile that is new or has grown, each once, as it is now.
    pub fn append(&mut self, leaves: &[TreeHash]) -> Vec<GrownTile> {
        let before = self.size();
        let mut grown = Vec::new();
        for leaf in leaves {
            self.frontier.push(*leaf);
            self.push(0, *leaf, &mut grown);
        }
        let has_grown = |tile: &Tile| Tile::partial(tile.level, before) != Some(*tile);
        grown.extend(self.last_tiles().filter(|last| has_grown(&last.tile)));
        grown
    }

    /// Appends a complete tile of level 0 by its root; its own hashes are left out of what is returned.
    ///
    /// # Errors
    /// [`Misplaced`] where the leaves so far are no whole tiles.
    pub(super) fn append_complete(&mut self, root: TreeHash) -> Result<Vec<GrownTile>, Misplaced> {
        let mut grown = Vec::new();
        self.frontier.push_subtree(8, root)?;
        self.push(1, root, &mut grown);
        Ok(grown)
    }

    pub(super) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The tiles that are not complete, from the highest level.
    pub(super) fn last_tiles(&self) -> impl Iterator<Item = GrownTile> {
        let partials = Tile::partials(self.size()).into_iter();
        partials.filter_map(|tile| {
            let hashes = self.levels.get(usize::from(tile.level))?;
            let bytes = tile_bytes(hashes);
            Some(GrownTile { tile, bytes })
        })
    }

    /// A hash more at a level; where that completes its tile, one more above. The frontier has it already.
    fn push(&mut self, level: u8, hash: TreeHash, grown: &mut Vec<GrownTile>) {
        let size = self.frontier.size();
        let mut hash = hash;
        let above = self.levels.iter_mut().skip(usize::from(level));
        for (level, hashes) in (level..).zip(above) {
            hashes.push(hash);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let complete = hashes_at(level.saturating_add(1), size);
            let tile = Tile {
                level,
                index: complete.saturating_sub(1),
                width: TILE_WIDTH,
            };
            let bytes = tile_bytes(hashes);
            grown.push(GrownTile { tile, bytes });
            hash = hashes.drain(..).collect::<Frontier>().root();
        }
    }
}
