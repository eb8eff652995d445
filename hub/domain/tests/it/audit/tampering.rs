//! The verifier against those who change a log: whoever holds the files, whoever also holds the log's key, and
//! whoever has the witnesses on their side as well.

use takmil_domain::audit::{
    Commitment, Entry, Event, Evidence, Leaf, Numbering, Pseudonym, Receipt, Report, Verdict,
    promise,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

use super::files::{Files, Keys, MINUTE, Marks, START, entries, log_key, marks};
use crate::tape::Tape;

/// How many ways are tried; `TAKMIL_TAMPERINGS` says otherwise.
const TRIES: u64 = 500;

/// A sound log, and what a verifier holds of it: the last checkpoint and some receipts.
struct Log {
    keys: Keys,
    entries: Vec<Entry>,
    marks: Marks,
    files: Files,
    seen: Vec<String>,
    receipts: Vec<Receipt>,
}

impl Log {
    fn new(tape: &mut Tape) -> Log {
        let keys = Keys::new();
        let count = 2 + tape.below(600);
        let entries = entries(tape, count);
        let mut marks = marks(tape, count);
        // The last entries are covered in time; a later checkpoint shows that the time is over.
        let (_, by) = *marks.last().unwrap();
        marks.push((count, by + 5));
        let files = Files::new(&entries, &marks, &keys.log, &keys.witnesses);
        let promised: Vec<Leaf> = entries.iter().map(|entry| entry.leaf).collect();
        let by = Instant(START.0 + by * MINUTE);
        Log {
            seen: vec![files.latest.clone()],
            receipts: promise(&keys.log, &promised, START, by),
            keys,
            entries,
            marks,
            files,
        }
    }

    /// Signed again by whoever has the keys, with or without the witnesses.
    fn signed(&self, entries: &[Entry], witnessed: bool) -> Files {
        let witnesses = &self.keys.witnesses[..if witnessed { 3 } else { 0 }];
        let count = entries.len() as u64;
        let mut marks: Marks = self.marks.clone();
        marks
            .iter_mut()
            .for_each(|(size, _)| *size = count.min(*size));
        let last = marks.last().unwrap().1;
        marks.push((count, last));
        Files::new(entries, &marks, &self.keys.log, witnesses)
    }

    fn report(&self, files: &Files, seen: &[String], receipts: &[Receipt]) -> Report {
        files.report(Evidence {
            policy: &self.keys.policy,
            earlier: seen,
            receipts,
        })
    }
}

/// One way to cheat: what becomes of the files, and what of the evidence is needed to see it.
struct Way {
    name: &'static str,
    /// Whether the earlier checkpoint is needed, or a receipt.
    needs: Needs,
    cheat: fn(&Log, &mut Tape) -> Files,
}

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Checkpoint,
    Receipt,
}

const WAYS: &[Way] = &[
    Way {
        name: "a bit of the entries is flipped",
        needs: Needs::Nothing,
        cheat: |log, tape| flip(log, tape, "tile/entries/"),
    },
    Way {
        name: "a bit of a tile is flipped",
        needs: Needs::Nothing,
        cheat: |log, tape| flip(log, tape, "tile/"),
    },
    Way {
        name: "a file is missing",
        needs: Needs::Nothing,
        cheat: missing,
    },
    Way {
        name: "a file is cut",
        needs: Needs::Nothing,
        cheat: cut,
    },
    Way {
        name: "a file is longer",
        needs: Needs::Nothing,
        cheat: longer,
    },
    Way {
        name: "two files are exchanged",
        needs: Needs::Nothing,
        cheat: exchanged,
    },
    Way {
        name: "two tiles of hashes are spliced",
        needs: Needs::Nothing,
        cheat: spliced,
    },
    Way {
        name: "a checkpoint is edited",
        needs: Needs::Nothing,
        cheat: edited_checkpoint,
    },
    Way {
        name: "a checkpoint is signed by another key",
        needs: Needs::Nothing,
        cheat: other_key,
    },
    Way {
        name: "checkpoints are reordered",
        needs: Needs::Nothing,
        cheat: reordered_checkpoints,
    },
    Way {
        name: "an old checkpoint is shown as the latest",
        needs: Needs::Nothing,
        cheat: replayed,
    },
    Way {
        name: "an entry is edited, tiles and all",
        needs: Needs::Nothing,
        cheat: |log, tape| unsigned(log, tape, edit),
    },
    Way {
        name: "an entry is dropped, tiles and all",
        needs: Needs::Nothing,
        cheat: |log, tape| unsigned(log, tape, dropped),
    },
    Way {
        name: "entries are reordered, tiles and all",
        needs: Needs::Nothing,
        cheat: |log, tape| unsigned(log, tape, swap),
    },
    Way {
        name: "an entry is put in, tiles and all",
        needs: Needs::Nothing,
        cheat: |log, tape| unsigned(log, tape, insert),
    },
    Way {
        name: "the log is forked by whoever has its key",
        needs: Needs::Nothing,
        cheat: |log, tape| log.signed(&edit(&log.entries, tape), false),
    },
    Way {
        name: "the log is forked with its witnesses",
        needs: Needs::Checkpoint,
        cheat: |log, tape| log.signed(&edit(&log.entries, tape), true),
    },
    Way {
        name: "the log is rolled back",
        needs: Needs::Checkpoint,
        cheat: rolled_back,
    },
    Way {
        name: "numbers are exchanged by all who sign",
        needs: Needs::Nothing,
        cheat: |log, tape| log.signed(&swapped_numbers(&log.entries, tape), true),
    },
    Way {
        name: "a number is changed by all who sign",
        needs: Needs::Nothing,
        cheat: |log, tape| log.signed(&other_number(&log.entries, tape), true),
    },
    Way {
        name: "an entry that has successors is dropped by all who sign",
        needs: Needs::Nothing,
        cheat: gap,
    },
    Way {
        name: "an entry is repeated by all who sign",
        needs: Needs::Nothing,
        cheat: |log, tape| log.signed(&repeated(&log.entries, tape), true),
    },
    Way {
        name: "an entry is dropped and all are numbered anew by all who sign",
        needs: Needs::Receipt,
        cheat: |log, tape| log.signed(&renumbered(&dropped(&log.entries, tape)), true),
    },
    Way {
        name: "an entry is edited by all who sign",
        needs: Needs::Receipt,
        cheat: |log, tape| log.signed(&renumbered(&edit(&log.entries, tape)), true),
    },
];

fn asset(log: &Log, tape: &mut Tape, prefix: &str) -> String {
    let names = log.files.assets.keys();
    let names: Vec<&String> = names.filter(|name| name.starts_with(prefix)).collect();
    names[tape.below(names.len() as u64) as usize].clone()
}

fn flip(log: &Log, tape: &mut Tape, prefix: &str) -> Files {
    let mut files = log.files.clone();
    let bytes = files.assets.get_mut(&asset(log, tape, prefix)).unwrap();
    let at = tape.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << tape.below(8);
    files
}

fn missing(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    files.assets.remove(&asset(log, tape, "tile/"));
    files
}

fn cut(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let bytes = files.assets.get_mut(&asset(log, tape, "tile/")).unwrap();
    bytes.truncate(tape.below(bytes.len() as u64) as usize);
    files
}

fn longer(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let bytes = files.assets.get_mut(&asset(log, tape, "tile/")).unwrap();
    let more = 1 + tape.below(bytes.len() as u64) as usize;
    bytes.extend_from_within(..more);
    files
}

fn exchanged(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let [one, two] = [asset(log, tape, "tile/"), asset(log, tape, "tile/")];
    let (first, second) = (files.assets[&one].clone(), files.assets[&two].clone());
    files.assets.insert(one, second);
    files.assets.insert(two, first);
    files
}

/// The beginning of one tile, and then the hashes of another.
fn spliced(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let [one, two] = [asset(log, tape, "tile/0/"), asset(log, tape, "tile/0/")];
    let other = files.assets[&two].clone();
    let bytes = files.assets.get_mut(&one).unwrap();
    let from = tape.below(bytes.len() as u64 / 32) as usize * 32;
    let rotate = tape.below(other.len() as u64 / 32) as usize * 32;
    let rest = other.iter().cycle().skip(rotate);
    for (to, byte) in bytes[from..].iter_mut().zip(rest) {
        *to = *byte;
    }
    files
}

/// A character of the text or of the log's own signatures is another.
fn edited_checkpoint(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let last = files.kept.len() as u64;
    let at = tape.below(last) as usize;
    let note = &mut files.kept[at];
    // Text, blank line, and the two signatures of the log.
    let own: usize = note
        .lines()
        .take(6)
        .map(|line| line.chars().count() + 1)
        .sum();
    let mut letters: Vec<char> = note.chars().collect();
    letters[tape.below(own as u64 - 1) as usize] =
        tape.pick(&['A', 'b', '7', '+', '/', '\n', ' ', '\u{2014}']);
    *note = letters.into_iter().collect();
    if tape.once_in(2) {
        files.latest = files.kept.last().unwrap().clone();
    }
    files
}

fn other_key(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let forged = Files::new(&log.entries, &log.marks, &log_key(2), &log.keys.witnesses);
    let at = tape.below(files.kept.len() as u64) as usize;
    files.kept[at] = forged.kept[at].clone();
    files
}

fn reordered_checkpoints(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let count = files.kept.len() as u64;
    let [one, two] = [tape.below(count) as usize, tape.below(count) as usize];
    match tape.once_in(2) {
        true => files.kept.swap(one, two),
        false => files.kept.insert(one, files.kept[two].clone()),
    }
    files
}

fn replayed(log: &Log, tape: &mut Tape) -> Files {
    let mut files = log.files.clone();
    let at = tape.below(files.kept.len() as u64) as usize;
    files.latest = files.kept[at].clone();
    files
}

/// The checkpoints of the sound log beside files of other entries, whose tiles all fit.
fn unsigned(log: &Log, tape: &mut Tape, change: fn(&[Entry], &mut Tape) -> Vec<Entry>) -> Files {
    let changed = log.signed(&change(&log.entries, tape), false);
    Files {
        assets: changed.assets,
        ..log.files.clone()
    }
}

/// Everything after an earlier checkpoint is gone, as if it had never been.
fn rolled_back(log: &Log, tape: &mut Tape) -> Files {
    let count = log.entries.len() as u64;
    let earlier = log.marks.iter().filter(|(size, _)| *size < count).count();
    let keep = tape.below(earlier as u64 + 1) as usize;
    let Some(marks) = log.marks.get(..keep).filter(|marks| !marks.is_empty()) else {
        return log.files.clone();
    };
    let (size, marks) = (marks[keep - 1].0 as usize, marks.to_vec());
    Files::new(
        &log.entries[..size],
        &marks,
        &log.keys.log,
        &log.keys.witnesses,
    )
}

fn any(entries: &[Entry], tape: &mut Tape) -> usize {
    tape.below(entries.len() as u64) as usize
}

fn edit(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let at = any(&entries, tape);
    let leaf = &mut entries[at].leaf;
    match tape.below(6) {
        0 => leaf.commitment = Commitment([tape.below(256) as u8; 32]),
        1 => leaf.subject = Uuid::from_u128(u128::from(tape.below(1 << 60))),
        2 => leaf.at = Instant(leaf.at.0 + 1 + tape.below(1_000_000) as i64),
        3 => leaf.turn += 1,
        4 => leaf.participant = Pseudonym(Uuid::from_u128(1_000)),
        _ => {
            leaf.event = match leaf.event {
                Event::MessageTaken => Event::AnswerGiven,
                _ => Event::MessageTaken,
            }
        }
    }
    entries
}

fn dropped(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let at = any(&entries, tape);
    entries.remove(at);
    entries
}

fn swap(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let [one, two] = [any(&entries, tape), any(&entries, tape)];
    entries.swap(one, two);
    entries
}

fn insert(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let [at, of] = [any(&entries, tape), any(&entries, tape)];
    entries.insert(at, entries[of]);
    entries
}

fn repeated(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let at = any(&entries, tape);
    entries.insert(at, entries[at]);
    entries
}

fn swapped_numbers(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let [one, two] = [any(&entries, tape), any(&entries, tape)];
    let (first, second) = (entries[one].number, entries[two].number);
    (entries[one].number, entries[two].number) = (second, first);
    entries
}

fn other_number(entries: &[Entry], tape: &mut Tape) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let at = any(&entries, tape);
    entries[at].number = tape.below(600);
    entries
}

fn gap(log: &Log, tape: &mut Tape) -> Files {
    let has_successor = |(at, entry): &(usize, &Entry)| {
        let same = |later: &Entry| later.leaf.participant == entry.leaf.participant;
        log.entries[at + 1..].iter().any(same)
    };
    let candidates = log.entries.iter().enumerate().filter(has_successor);
    let candidates: Vec<usize> = candidates.map(|(at, _)| at).collect();
    let mut entries = log.entries.clone();
    if !candidates.is_empty() {
        entries.remove(tape.pick(&candidates));
    }
    log.signed(&entries, true)
}

fn renumbered(entries: &[Entry]) -> Vec<Entry> {
    let mut numbering = Numbering::default();
    let entries = entries.iter();
    entries.map(|entry| numbering.number(entry.leaf)).collect()
}

#[test]
fn a_sound_log_is_sound() {
    for seed in 0..40 {
        let log = Log::new(&mut Tape::random(seed));
        let report = log.report(&log.files, &log.seen, &log.receipts);
        assert_eq!(report.findings, [], "seed {seed}");
        assert_eq!(report.verdict, Verdict::Sound);
        assert_eq!(report.size, log.entries.len() as u64);
        assert_eq!(report.checkpoints, log.marks.len() as u64);
        assert_eq!(report.witnessed, Some(report.size));
        assert_eq!(report.receipts_kept, log.receipts.len());
    }
}

#[test]
fn every_tampering_is_found() {
    let tries = std::env::var("TAKMIL_TAMPERINGS").ok();
    let tries = tries.map_or(TRIES, |tries| tries.parse().unwrap());
    let mut tried = vec![0; WAYS.len()];
    let mut seed = 0;
    while tried.iter().sum::<u64>() < tries {
        seed += 1;
        let tape = &mut Tape::random(seed);
        let log = Log::new(tape);
        // One log is cheated with in every way, so that making it does not take most of the time.
        for (way, count) in WAYS.iter().zip(&mut tried) {
            let files = (way.cheat)(&log, tape);
            if is_same_log(&files, &log.files) {
                continue;
            }
            *count += 1;
            let seen = match way.needs {
                Needs::Checkpoint => log.seen.as_slice(),
                _ => &[],
            };
            let receipts = match way.needs {
                Needs::Receipt => log.receipts.as_slice(),
                _ => &[],
            };
            let report = log.report(&files, seen, receipts);
            assert_eq!(report.verdict, Verdict::Broken, "seed {seed}: {}", way.name);
            assert!(report.findings_total > 0 && !report.findings.is_empty());
        }
    }
    for (way, count) in WAYS.iter().zip(tried) {
        assert!(count > 0, "never tried: {}", way.name);
    }
}

/// Whether chance has changed nothing, or only kept a checkpoint twice.
fn is_same_log(files: &Files, sound: &Files) -> bool {
    let once = |files: &Files| {
        let mut kept = files.kept.clone();
        kept.dedup();
        kept
    };
    files.assets == sound.assets && files.latest == sound.latest && once(files) == once(sound)
}
