//! The leaves of the hub's exported log, counted by what they are about. What is wrong with the log itself the product's
//! own verifier tells; this reads the entries by their published spelling alone.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::Error;
use super::trial::Trial;

/// How often the log is looked at until it has what was acknowledged, and how long after.
const TRIES: u32 = 20;
const AGAIN: Duration = Duration::from_millis(250);

/// An exported log.
pub(super) struct Export {
    /// What the verifier says against it.
    pub(super) fault: Option<String>,
    pub(super) leaves: Leaves,
}

impl Trial {
    /// Exports the log, has it verified as the continuation of what was exported before, and looks whether each of
    /// these messages has just one leaf for each of its turns.
    pub(super) async fn log(&mut self, messages: &[String]) -> Result<(), Error> {
        let mut wrong = Vec::new();
        for _ in 0..TRIES {
            let log = self.place.log_export().await?;
            if let Some(verdict) = log.fault {
                self.fail(format!("the log: {verdict}"));
                return Ok(());
            }
            let looked = messages.iter().filter_map(|id| log.leaves.wrong(id));
            wrong = looked.collect();
            if wrong.is_empty() {
                return Ok(());
            }
            // Leaves get their numbers within a second.
            sleep(AGAIN).await;
        }
        if let Some(first) = wrong.first() {
            let count = wrong.len();
            self.fail(format!("the log: {count} messages, the first {first}"));
        }
        Ok(())
    }
}

/// The turns that there are leaves of, for each subject by its id.
#[derive(Debug, Default)]
pub(super) struct Leaves(HashMap<u128, Vec<u32>>);

/// Bytes of an entry, and where in it turn and subject stand.
const ENTRY_BYTES: usize = 87;
const TURN: usize = 11;
const SUBJECT: usize = 23;

impl Leaves {
    /// Reads all bundles of entries in an export.
    pub(super) fn read(folder: &Path) -> Result<Leaves, Error> {
        let mut leaves = Leaves::default();
        let size = fs::read_to_string(folder.join("checkpoint"));
        let size = size.map_err(Error::at(folder))?;
        let size: u64 = size
            .lines()
            .nth(1)
            .and_then(|line| line.parse().ok())
            .unwrap_or(0);
        for index in 0..size.div_ceil(256) {
            let width = size.saturating_sub(index.saturating_mul(256)).min(256);
            let path = folder.join(name(index, width));
            let bytes = fs::read(&path).map_err(Error::at(&path))?;
            leaves.take(&bytes);
        }
        Ok(leaves)
    }

    /// Counts the entries of a bundle, each of which stands after its length in two bytes.
    fn take(&mut self, bundle: &[u8]) {
        for entry in bundle.chunks_exact(ENTRY_BYTES + 2) {
            let entry = entry.get(2..).unwrap_or_default();
            let turn = entry.get(TURN..).and_then(<[u8]>::first_chunk);
            let subject = entry.get(SUBJECT..).and_then(<[u8]>::first_chunk);
            if let (Some(turn), Some(subject)) = (turn, subject) {
                let turns = self.0.entry(u128::from_be_bytes(*subject)).or_default();
                turns.push(u32::from_be_bytes(*turn));
            }
        }
    }

    /// What is wrong with the leaves of a message: it has one of each turn, from the first on.
    pub(super) fn wrong(&self, message: &str) -> Option<String> {
        let id = u128::from_str_radix(&message.replace('-', ""), 16).ok();
        let turns = id.and_then(|id| self.0.get(&id));
        let mut turns = turns.cloned().unwrap_or_default();
        turns.sort_unstable();
        let is_right = !turns.is_empty() && (1..).zip(&turns).all(|(at, turn)| at == *turn);
        (!is_right).then(|| format!("{message} has leaves of turns {turns:?}"))
    }
}

/// The file of a bundle: groups of three digits are folders, and one that is not complete says its width.
fn name(index: u64, width: u64) -> String {
    let (millions, thousands) = (index / 1_000_000, index / 1_000 % 1_000);
    let rest = index % 1_000;
    let name = match index {
        0..1_000 => format!("tile/entries/{rest:03}"),
        1_000..1_000_000 => format!("tile/entries/x{thousands:03}/{rest:03}"),
        _ => format!("tile/entries/x{millions:03}/x{thousands:03}/{rest:03}"),
    };
    match width {
        256 => name,
        width => format!("{name}.p/{width}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_has_one_leaf() {
        let id = "00000000-0000-0000-0000-000000000007";
        let check = |turns: &[u32], is_right: bool| {
            let mut bundle = Vec::new();
            for turn in turns {
                let mut entry = [0; ENTRY_BYTES + 2];
                entry[2 + TURN..2 + TURN + 4].copy_from_slice(&turn.to_be_bytes());
                entry[2 + SUBJECT + 15] = 7;
                bundle.extend(entry);
            }
            let mut leaves = Leaves::default();
            leaves.take(&bundle);
            let wrong = leaves.wrong(id);
            assert_eq!(wrong.is_none(), is_right, "{turns:?}: {wrong:?}");
        };
        check(&[1], true);
        check(&[2, 1], true);
        check(&[], false);
        check(&[2], false);
        check(&[1, 1], false);
        check(&[1, 3], false);
    }
}
