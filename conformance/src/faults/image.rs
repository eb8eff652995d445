//! What a power cut leaves on a disk: the files as they were at the start, what was synced since, and of the rest
//! whatever chance decides, torn at the borders of sectors.
//!
//! Contents: a sync makes durable what was written to its file before it began. Names: making, renaming and deleting
//! become durable in their order, at the latest by a sync of the file or of a folder, as journalling file systems do it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::Error;

/// What a disk writes as a whole or not at all.
const SECTOR: u64 = 512;

/// The length of a note's head: four numbers of eight bytes.
const HEAD: usize = 32;

/// What the preloaded library notes; its numbers stand in shim.c.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Note {
    Write {
        at: u64,
        data: Vec<u8>,
    },
    Truncate {
        length: u64,
    },
    Sync {
        began: u64,
    },
    SyncFailed {
        began: u64,
    },
    Create,
    Unlink,
    Rename {
        to: PathBuf,
    },
    /// A second name.
    Link {
        to: PathBuf,
    },
}

/// What chance does to writes that were never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mercy {
    /// They are gone.
    None,
    /// They are all there.
    All,
    /// Those of each file up to some point are there.
    Prefix,
    /// Each sector of each write is there or not.
    Sectors {
        /// How many of a hundred are.
        percent: u32,
    },
}

/// Every way of chance; each cut draws one.
const MERCIES: &[Mercy] = &[
    Mercy::None,
    Mercy::All,
    Mercy::Prefix,
    Mercy::Sectors { percent: 10 },
    Mercy::Sectors { percent: 50 },
    Mercy::Sectors { percent: 90 },
];

/// What a cut did, for the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// Writes that were never synced.
    pub(super) unsynced: u64,
    /// Those of them of which something was dropped.
    pub(super) dropped: u64,
}

/// The files of a folder, with their contents.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Reads every file of a folder and of those below it, but for shared memory, which a power cut takes.
pub(super) fn read(folder: &Path) -> Result<Files, Error> {
    let mut files = Files::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::at(&folder))? {
            let path = entry.map_err(Error::at(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().ends_with("-shm") {
                let content = fs::read(&path).map_err(Error::at(&path))?;
                files.insert(path, content);
            }
        }
    }
    Ok(files)
}

/// Makes `folder` what a power cut leaves of it, after what `journal` notes has happened to `before`.
pub(super) fn cut(folder: &Path, before: Files, journal: &Path, seed: u64) -> Result<Cut, Error> {
    let notes = fs::read(journal).map_err(Error::at(journal))?;
    let (after, cut) = left(before, &parse(&notes), seed);
    for path in read_names(folder)? {
        fs::remove_file(&path).map_err(Error::at(&path))?;
    }
    for (path, content) in after {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::at(parent))?;
        }
        fs::write(&path, content).map_err(Error::at(&path))?;
    }
    Ok(cut)
}

/// The files of a folder, shared memory among them.
fn read_names(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::at(&folder))? {
            let path = entry.map_err(Error::at(&folder))?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => names.push(path),
            }
        }
    }
    Ok(names)
}

/// A note with its place in the journal and the path that it speaks of.
type Noted = (u64, PathBuf, Note);

/// The notes of a journal; one that was cut off at the end never happened.
fn parse(journal: &[u8]) -> Vec<Noted> {
    let mut notes = Vec::new();
    let mut rest = journal;
    while let Some((head, after)) = rest.split_at_checked(HEAD) {
        let place = journal.len().saturating_sub(rest.len());
        let mut numbers = head.chunks_exact(8).map(|number| {
            let bytes: [u8; 8] = number.try_into().unwrap_or_default();
            u64::from_le_bytes(bytes)
        });
        let mut number = || numbers.next().unwrap_or_default();
        let (operation, at, path_bytes, data_bytes) = (number(), number(), number(), number());
        let length = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        let Some((path, after)) = after.split_at_checked(length(path_bytes)) else {
            break;
        };
        let Some((data, after)) = after.split_at_checked(length(data_bytes)) else {
            break;
        };
        let named = |bytes| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
        let note = match operation {
            1 => Note::Write {
                at,
                data: data.to_vec(),
            },
            2 => Note::Truncate { length: at },
            3 => Note::Sync { began: at },
            4 => Note::SyncFailed { began: at },
            5 => Note::Create,
            6 => Note::Unlink,
            7 => Note::Rename { to: named(data) },
            8 => Note::Link { to: named(data) },
            _ => break,
        };
        notes.push((u64::try_from(place).unwrap_or(u64::MAX), named(path), note));
        rest = after;
    }
    notes
}

/// A file on the disk, whatever it is called.
#[derive(Default)]
struct Inode {
    durable: Vec<u8>,
    /// Where the last change of its name stands in the journal.
    named_at: u64,
    /// Changes that no sync has covered, with their places in the journal.
    pending: Vec<(u64, Note)>,
}

/// A change of names that happens as one, with its place in the journal: which stands for which file from then on. `None`
/// is a name that stands for none.
type Naming = (u64, Vec<(PathBuf, Option<usize>)>);

fn left(before: Files, notes: &[Noted], seed: u64) -> (Files, Cut) {
    let mut random = StdRng::seed_from_u64(seed);
    let mercy = MERCIES.choose(&mut random).copied().unwrap_or(Mercy::None);
    let mut inodes: Vec<Inode> = Vec::new();
    let mut names: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (path, durable) in before {
        names.insert(path, inodes.len());
        inodes.push(Inode {
            durable,
            ..Inode::default()
        });
    }
    let at_start = names.clone();
    let mut namings: Vec<Naming> = Vec::new();
    // Everything that was named before this place in the journal has its name for good.
    let mut named_until = 0;
    for (place, path, note) in notes {
        let known = names.get(path).copied();
        match (note, known) {
            (Note::Create, _) => {
                names.insert(path.clone(), inodes.len());
                namings.push((*place, vec![(path.clone(), Some(inodes.len()))]));
                inodes.push(Inode {
                    named_at: *place,
                    ..Inode::default()
                });
            }
            (Note::Unlink, Some(_)) => {
                names.remove(path);
                namings.push((*place, vec![(path.clone(), None)]));
            }
            (Note::Rename { to }, Some(inode)) => {
                names.remove(path);
                names.insert(to.clone(), inode);
                let moved = vec![(path.clone(), None), (to.clone(), Some(inode))];
                namings.push((*place, moved));
                if let Some(inode) = inodes.get_mut(inode) {
                    inode.named_at = *place;
                }
            }
            // A sync of the file made its first name sure; the second one is the folder's.
            (Note::Link { to }, Some(inode)) => {
                names.insert(to.clone(), inode);
                namings.push((*place, vec![(to.clone(), Some(inode))]));
            }
            (Note::Write { .. } | Note::Truncate { .. }, Some(inode)) => {
                if let Some(inode) = inodes.get_mut(inode) {
                    inode.pending.push((*place, note.clone()));
                }
            }
            (Note::Sync { began }, Some(inode)) => {
                if let Some(inode) = inodes.get_mut(inode) {
                    inode.settle(*began, true);
                    named_until = named_until.max(inode.named_at.saturating_add(1));
                }
            }
            (Note::SyncFailed { began }, Some(inode)) => {
                if let Some(inode) = inodes.get_mut(inode) {
                    inode.settle(*began, false);
                }
            }
            // A sync of a path that is no file is one of a folder.
            (Note::Sync { began }, None) => named_until = named_until.max(*began),
            _ => {}
        }
    }
    let mut cut = Cut::default();
    for inode in &mut inodes {
        inode.cut(mercy, &mut random, &mut cut);
    }
    let sure = namings
        .iter()
        .take_while(|(place, ..)| *place < named_until)
        .count();
    let kept = match mercy {
        Mercy::None => sure,
        Mercy::All => namings.len(),
        Mercy::Prefix | Mercy::Sectors { .. } => random.random_range(sure..=namings.len()),
    };
    let mut names = at_start;
    let kept = namings.into_iter().take(kept);
    for (path, inode) in kept.flat_map(|(_, naming)| naming) {
        match inode {
            Some(inode) => names.insert(path, inode),
            None => names.remove(&path),
        };
    }
    let content = |inode: usize| inodes.get(inode).map(|inode| inode.durable.clone());
    let files = names
        .into_iter()
        .filter_map(|(path, inode)| Some((path, content(inode)?)));
    (files.collect(), cut)
}

impl Inode {
    /// What was written before a place in the journal is durable now, or lost for good.
    fn settle(&mut self, before: u64, durable: bool) {
        let (settled, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(place, _)| *place < before);
        self.pending = pending;
        for (_, change) in settled {
            // A length is the file system's own, and outlives the pages that it drops.
            if durable || matches!(change, Note::Truncate { .. }) {
                apply(&mut self.durable, &change);
            }
        }
    }

    fn cut(&mut self, mercy: Mercy, random: &mut StdRng, cut: &mut Cut) {
        let pending = std::mem::take(&mut self.pending);
        let prefix = random.random_range(0..=pending.len());
        for (number, (_, change)) in pending.into_iter().enumerate() {
            let is_whole = match mercy {
                Mercy::None => false,
                Mercy::All => true,
                Mercy::Prefix => number < prefix,
                Mercy::Sectors { percent } => match &change {
                    Note::Write { at, data } => {
                        let parts = sectors(*at, data);
                        let kept = parts
                            .into_iter()
                            .filter(|_| random.random_ratio(percent, 100));
                        let kept: Vec<Note> = kept.collect();
                        kept.iter().for_each(|part| apply(&mut self.durable, part));
                        cut.unsynced += 1;
                        cut.dropped +=
                            u64::from(kept.iter().map(Note::bytes).sum::<usize>() < data.len());
                        continue;
                    }
                    _ => random.random_ratio(percent, 100),
                },
            };
            cut.unsynced += 1;
            cut.dropped += u64::from(!is_whole);
            if is_whole {
                apply(&mut self.durable, &change);
            }
        }
    }
}

impl Note {
    fn bytes(&self) -> usize {
        match self {
            Note::Write { data, .. } => data.len(),
            _ => 0,
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Note) {
    let length = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    match change {
        Note::Write { at, data } => {
            let start = length(*at);
            let end = start.saturating_add(data.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            if let Some(place) = content.get_mut(start..end) {
                place.copy_from_slice(data);
            }
        }
        Note::Truncate { length: to } => content.resize(length(*to), 0),
        _ => {}
    }
}

/// The parts of a write that a disk writes each for itself.
fn sectors(at: u64, data: &[u8]) -> Vec<Note> {
    let mut parts = Vec::new();
    let (mut at, mut rest) = (at, data);
    while !rest.is_empty() {
        let room = SECTOR - at % SECTOR;
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
        let (part, after) = rest.split_at(take);
        parts.push(Note::Write {
            at,
            data: part.to_vec(),
        });
        at += room;
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn write(at: u64, data: &str) -> Note {
        Note::Write {
            at,
            data: data.into(),
        }
    }

    /// What is left after these notes, at each of many seeds.
    fn outcomes(before: &[(&str, &str)], notes: &[(&str, Note)]) -> Vec<BTreeMap<String, String>> {
        let before: Files = before
            .iter()
            .map(|(path, content)| (path.into(), content.as_bytes().to_vec()))
            .collect();
        let notes: Vec<Noted> = (0..)
            .zip(notes)
            .map(|(place, (path, note))| (place, path.into(), note.clone()))
            .collect();
        let text = |content: Vec<u8>| String::from_utf8(content).unwrap();
        (0..300)
            .map(|seed| {
                let (after, _) = left(before.clone(), &notes, seed);
                after
                    .into_iter()
                    .map(|(path, content)| (path.to_string_lossy().into_owned(), text(content)))
                    .collect()
            })
            .collect()
    }

    fn all(outcomes: &[BTreeMap<String, String>], path: &str) -> Vec<String> {
        let mut found: Vec<String> = outcomes
            .iter()
            .map(|files| files.get(path).cloned().unwrap_or("-".to_owned()))
            .collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_go() {
        let notes = [
            ("/a", write(0, "one")),
            ("/a", Note::Sync { began: 1 }),
            ("/a", write(0, "two")),
        ];
        let left = outcomes(&[("/a", "old")], &notes);
        assert_eq!(all(&left, "/a"), ["one", "two"]);
    }

    #[test]
    fn a_sync_covers_only_what_came_before_it_began() {
        let notes = [("/a", write(0, "two")), ("/a", Note::Sync { began: 0 })];
        assert_eq!(
            all(&outcomes(&[("/a", "old")], &notes), "/a"),
            ["old", "two"]
        );
    }

    #[test]
    fn what_a_failed_sync_dropped_does_not_come_back_with_a_later_one() {
        let notes = [
            ("/a", write(0, "two")),
            ("/a", Note::SyncFailed { began: 1 }),
            ("/a", Note::Sync { began: 2 }),
        ];
        assert_eq!(all(&outcomes(&[("/a", "old")], &notes), "/a"), ["old"]);
    }

    #[test]
    fn a_name_is_sure_once_its_file_or_its_folder_is_synced() {
        let made = [("/d/a", Note::Create), ("/d/a", write(0, "one"))];
        assert_eq!(all(&outcomes(&[], &made), "/d/a"), ["", "-", "one"]);
        for synced in ["/d/a", "/d"] {
            let mut notes = made.to_vec();
            notes.push((synced, Note::Sync { began: 2 }));
            assert!(!all(&outcomes(&[], &notes), "/d/a").contains(&"-".to_owned()));
        }
        let renamed = [("/d/a", Note::Rename { to: "/d/b".into() })];
        let left = outcomes(&[("/d/a", "one")], &renamed);
        assert_eq!(
            (all(&left, "/d/a"), all(&left, "/d/b")),
            (
                vec!["-".to_owned(), "one".into()],
                vec!["-".to_owned(), "one".into()]
            )
        );
        assert!(
            left.iter().all(|files| files.len() == 1),
            "never both, never neither"
        );
    }

    #[test]
    fn a_second_name_is_sure_once_the_folder_is_synced() {
        let linked = [
            ("/d/a", Note::Create),
            ("/d/a", write(0, "one")),
            ("/d/a", Note::Sync { began: 2 }),
            ("/d/a", Note::Link { to: "/d/b".into() }),
            ("/d/a", Note::Unlink),
        ];
        let left = outcomes(&[], &linked);
        assert_eq!(
            all(&left, "/d/b"),
            ["-", "one"],
            "there whole, or not at all"
        );
        let mut notes = linked.to_vec();
        notes.push(("/d", Note::Sync { began: 5 }));
        let left = outcomes(&[], &notes);
        assert_eq!(
            (all(&left, "/d/a"), all(&left, "/d/b")),
            (vec!["-".to_owned()], vec!["one".to_owned()])
        );
    }

    #[test]
    fn a_write_is_torn_at_the_borders_of_sectors() {
        let parts = sectors(500, &[7; 600]);
        let borders: Vec<(u64, usize)> = parts
            .iter()
            .map(|part| match part {
                Note::Write { at, data } => (*at, data.len()),
                _ => (0, 0),
            })
            .collect();
        assert_eq!(borders, [(500, 12), (512, 512), (1024, 76)]);
    }

    #[test]
    fn a_note_that_was_cut_off_never_happened() {
        let mut journal = Vec::new();
        for number in [1_u64, 8, 2, 3] {
            journal.extend(number.to_le_bytes());
        }
        journal.extend(b"/aabc");
        let whole = vec![(0, PathBuf::from("/a"), write(8, "abc"))];
        assert_eq!(parse(&journal), whole);
        assert_eq!(parse(journal.get(..journal.len() - 1).unwrap()), []);
    }
}
