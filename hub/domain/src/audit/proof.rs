//! Proofs by RFC 9162: that an entry is in a tree (2.1.3), and that a tree is the beginning of a later one (2.1.4).
//!
//! Made in two strokes, so that a store can be asked in between: [`Path`] says which tiles it takes, and takes the
//! hashes from them. A proof of either kind touches a few tiles, however large the tree is.

use std::collections::BTreeSet;

use super::edge::MissingTile;
use super::frontier::Frontier;
use super::hash::TreeHash;
use super::tile::{TILE_WIDTH, Tile, Tiles, hashes_at};

/// The nodes that make a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The size of the tree that the proof is in.
    size: u64,
    /// The leaves under each node, first and last + 1, in the proof's order.
    nodes: Vec<(u64, u64)>,
}

/// A perfect subtree, as a run of hashes in one tile.
#[derive(Debug, Clone, Copy)]
struct Run {
    level: u8,
    first: u64,
    count: u64,
}

impl Path {
    /// The proof that the entry at `index` is in the tree of `size`; none where it is not.
    pub fn to_entry(index: u64, size: u64) -> Option<Path> {
        let (mut from, mut to) = (0, size);
        let mut nodes = Vec::new();
        if index >= size {
            return None;
        }
        while to - from > 1 {
            let middle = from + largest_power_below(to - from);
            if index < middle {
                nodes.push((middle, to));
                to = middle;
            } else {
                nodes.push((from, middle));
                from = middle;
            }
        }
        nodes.reverse();
        Some(Path { size, nodes })
    }

    /// The proof that the tree of `old` leaves is the beginning of that of `size`; none where it is the larger.
    pub fn between(old: u64, size: u64) -> Option<Path> {
        let (mut from, mut to) = (0, size);
        let mut nodes = Vec::new();
        if old > size {
            return None;
        }
        // The empty tree is the beginning of all, which takes no proof; so is a tree of itself.
        while old > 0 && old < to {
            let middle = from + largest_power_below(to - from);
            if old <= middle {
                nodes.push((middle, to));
                to = middle;
            } else {
                nodes.push((from, middle));
                from = middle;
            }
        }
        // Where nothing was cut off at the left, the old root is this node, and the verifier has it.
        if from > 0 {
            nodes.push((from, to));
        }
        nodes.reverse();
        Some(Path { size, nodes })
    }

    /// The tiles that the proof is made from, as wide as they are in its tree.
    pub fn tiles(&self) -> BTreeSet<Tile> {
        let runs = self.nodes.iter().flat_map(|node| runs(*node));
        runs.filter_map(|run| {
            let index = run.first / u64::from(TILE_WIDTH);
            let complete = hashes_at(run.level.saturating_add(1), self.size);
            match index < complete {
                true => Some(Tile {
                    level: run.level,
                    index,
                    width: TILE_WIDTH,
                }),
                false => Tile::partial(run.level, self.size),
            }
        })
        .collect()
    }

    /// The proof: the hash of each node.
    ///
    /// # Errors
    /// [`MissingTile`] where one of [`Path::tiles`] is not in `tiles`.
    pub fn hashes(&self, tiles: &Tiles) -> Result<Vec<TreeHash>, MissingTile> {
        let nodes = self.nodes.iter();
        nodes.map(|node| hash_of(*node, tiles)).collect()
    }
}

/// The largest power of two that is smaller than `size`, which is 2 or more.
fn largest_power_below(size: u64) -> u64 {
    1 << size.saturating_sub(1).max(1).ilog2()
}

/// The perfect subtrees that make up a node. A node's first leaf is a multiple of the largest of them.
fn runs((from, to): (u64, u64)) -> impl Iterator<Item = Run> {
    let mut from = from;
    std::iter::from_fn(move || {
        let height = to.checked_sub(from)?.checked_ilog2()?;
        let level = u8::try_from(height / 8).ok()?;
        let first = hashes_at(level, from);
        from += 1 << height;
        Some(Run {
            level,
            first,
            count: 1 << (height % 8),
        })
    })
}

fn hash_of(node: (u64, u64), tiles: &Tiles) -> Result<TreeHash, MissingTile> {
    let mut roots = Vec::new();
    for run in runs(node) {
        let missing = MissingTile {
            level: run.level,
            index: run.first / u64::from(TILE_WIDTH),
        };
        let hashes = tiles.hashes(run.level, run.first, run.count);
        let subtree: Frontier = hashes.ok_or(missing)?.iter().copied().collect();
        roots.push(subtree.root());
    }
    let root = roots
        .into_iter()
        .rev()
        .reduce(|right, left| TreeHash::of_node(&left, &right));
    Ok(root.unwrap_or_else(TreeHash::of_nothing))
}

/// Whether `proof` shows that the leaf of hash `leaf` is at `index` in the tree of `size` with `root`
/// (RFC 9162, 2.1.3.2).
pub fn proves_inclusion(
    leaf: TreeHash,
    index: u64,
    size: u64,
    proof: &[TreeHash],
    root: TreeHash,
) -> bool {
    if index >= size {
        return false;
    }
    let mut hash = leaf;
    let (mut at, mut last) = (index, size - 1);
    for node in proof {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = TreeHash::of_node(node, &hash);
            // A node without a right neighbour is its parent as well.
            while at % 2 == 0 && at > 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            hash = TreeHash::of_node(&hash, node);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && hash == root
}

/// Whether `proof` shows that the tree of size and root `old` is the beginning of that of `new`
/// (RFC 9162, 2.1.4.2).
pub fn proves_consistency(old: (u64, TreeHash), new: (u64, TreeHash), proof: &[TreeHash]) -> bool {
    if old.0 == 0 || old.0 >= new.0 {
        let same = old.0 == new.0 && old.1 == new.1;
        let nothing = old == (0, TreeHash::of_nothing());
        return proof.is_empty() && (same || nothing);
    }
    // The root of a perfect old tree is the first node itself and was left out.
    let first = old.0.is_power_of_two().then_some(old.1);
    let mut nodes = first.iter().chain(proof);
    let Some(start) = nodes.next() else {
        return false;
    };
    let (mut at, mut last) = (old.0 - 1, new.0 - 1);
    while at % 2 == 1 {
        (at, last) = (at / 2, last / 2);
    }
    let (mut old_root, mut new_root) = (*start, *start);
    for node in nodes {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            old_root = TreeHash::of_node(node, &old_root);
            new_root = TreeHash::of_node(node, &new_root);
            while at % 2 == 0 && at > 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            new_root = TreeHash::of_node(&new_root, node);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && old_root == old.1 && new_root == new.1
}
