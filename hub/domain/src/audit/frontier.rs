//! The frontier of a growing tree: the roots of its perfect subtrees, from the largest. It is all that appending
//! and the root need, at most 64 hashes.

use super::hash::TreeHash;

/// The frontier of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    /// Height and root of each perfect subtree; heights fall.
    peaks: Vec<(u8, TreeHash)>,
    size: u64,
}

/// A subtree was appended where the tree has no place for one of its height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subtree of height {height} cannot follow {size} entries")]
pub struct Misplaced {
    /// The height of the subtree.
    pub height: u8,
    /// How many entries came before.
    pub size: u64,
}

impl Frontier {
    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, by its hash.
    pub fn push(&mut self, leaf: TreeHash) {
        self.grow(0, leaf);
    }

    /// Appends a perfect subtree of 2^`height` leaves, by its root.
    ///
    /// # Errors
    /// [`Misplaced`] where the leaves so far are no multiple of its own, or there would be more than 2^63.
    pub fn push_subtree(&mut self, height: u8, root: TreeHash) -> Result<(), Misplaced> {
        let leaves = 1_u64.checked_shl(u32::from(height));
        let fits =
            leaves.is_some_and(|leaves| height < 63 && self.size.is_multiple_of(leaves.max(1)));
        if !fits {
            return Err(Misplaced {
                height,
                size: self.size,
            });
        }
        self.grow(height, root);
        Ok(())
    }

    fn grow(&mut self, height: u8, root: TreeHash) {
        let (mut height, mut root) = (height, root);
        self.size = self.size.saturating_add(1_u64 << height.min(63));
        while let Some((_, left)) = self.peaks.pop_if(|(peak, _)| *peak == height) {
            root = TreeHash::of_node(&left, &root);
            height = height.saturating_add(1);
        }
        self.peaks.push((height, root));
    }

    /// The root of the tree.
    pub fn root(&self) -> TreeHash {
        let roots = self.peaks.iter().rev().map(|(_, root)| *root);
        roots
            .reduce(|right, left| TreeHash::of_node(&left, &right))
            .unwrap_or_else(TreeHash::of_nothing)
    }
}

impl Extend<TreeHash> for Frontier {
    fn extend<I: IntoIterator<Item = TreeHash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<TreeHash> for Frontier {
    fn from_iter<I: IntoIterator<Item = TreeHash>>(leaves: I) -> Frontier {
        let mut frontier = Frontier::default();
        frontier.extend(leaves);
        frontier
    }
}
