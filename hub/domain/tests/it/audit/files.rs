//! A log for a test: entries of several participants, checkpoints, witnesses, and the files that it would show.

use std::collections::BTreeMap;

use takmil_domain::audit::{
    Algorithm, Asset, Bundle, Checkpoint, Commitment, EVENTS, Edge, Entry, Evidence, KeyName, Leaf,
    Numbering, Piece, Policy, Pseudonym, Report, Salt, Signer, Tile, TreeHash, bundle_bytes,
    verify,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::tape::Tape;

pub(super) const ORIGIN: &str = "hub.example/audit";

/// When the logs of tests begin.
pub(super) const START: Instant = Instant(1_795_000_000_000_000);

/// A minute, microseconds.
pub(super) const MINUTE: i64 = 60_000_000;

pub(super) fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

pub(super) fn log_key(seed: u8) -> Signer {
    Signer::of_seed(name(ORIGIN), Algorithm::Ed25519, &[seed; 32]).unwrap()
}

pub(super) fn witness_key(seed: u8) -> Signer {
    let name = name(&format!("witness-{seed}.example/w"));
    Signer::of_seed(name, Algorithm::Cosignature, &[seed; 32]).unwrap()
}

/// Who signs a log, and the policy that trusts them: the regulator and one of two insurers.
pub(super) struct Keys {
    pub(super) log: Signer,
    pub(super) witnesses: Vec<Signer>,
    pub(super) policy: Policy,
}

impl Keys {
    pub(super) fn new() -> Keys {
        let log = log_key(1);
        let witnesses: Vec<Signer> = [11, 12, 13].map(witness_key).into();
        let mut text = format!("log {}\n", log.key());
        for (own, key) in ["regulator", "first", "second"].iter().zip(&witnesses) {
            text += &format!("witness {own} {}\n", key.key());
        }
        text += "group insurers any first second\ngroup both all regulator insurers\nquorum both\n";
        Keys {
            log,
            witnesses,
            policy: Policy::parse(&text).unwrap(),
        }
    }
}

/// A leaf as a hub would make it, from numbers.
pub(super) fn leaf(tape: &mut Tape, at: Instant) -> Leaf {
    let mut id = || Uuid::from_u128(u128::from(tape.below(1 << 60)));
    let (subject, salt) = (id(), Salt(TreeHash::of_leaf(id().as_bytes()).0));
    let participant = tape.below(7);
    Leaf {
        event: tape.pick(EVENTS).1,
        turn: tape.below(4) as u32,
        at,
        subject,
        participant: Pseudonym(Uuid::from_u128(u128::from(participant))),
        commitment: Commitment::new(&salt, &[b"asked", b"answered"]),
    }
}

/// The files of a log, by their paths, and its checkpoints.
#[derive(Clone, PartialEq)]
pub(super) struct Files {
    pub(super) assets: BTreeMap<String, Vec<u8>>,
    pub(super) latest: String,
    pub(super) kept: Vec<String>,
}

/// Where the checkpoints of a log are: sizes, and minutes after the start.
pub(super) type Marks = Vec<(u64, i64)>;

impl Files {
    /// The files of a log of these entries, signed at these marks by whoever is told.
    pub(super) fn new(entries: &[Entry], marks: &Marks, log: &Signer, by: &[Signer]) -> Files {
        let mut assets = BTreeMap::new();
        let hashes: Vec<TreeHash> = entries.iter().map(Entry::hash).collect();
        for grown in Edge::default().append(&hashes) {
            assets.insert(Asset::Hashes(grown.tile).to_string(), grown.bytes);
        }
        for (index, bundle) in (0..).zip(entries.chunks(256)) {
            let tile = Tile {
                level: 0,
                index,
                width: bundle.len() as u16,
            };
            assets.insert(Asset::Entries(tile).to_string(), bundle_bytes(bundle));
        }
        let kept: Vec<String> = marks
            .iter()
            .map(|(size, minutes)| checkpoint(&hashes[..*size as usize], *minutes, log, by))
            .collect();
        Files {
            assets,
            latest: kept.last().unwrap().clone(),
            kept,
        }
    }

    /// How many entries the latest checkpoint says there are.
    pub(super) fn size(&self) -> u64 {
        let size = self
            .latest
            .lines()
            .nth(1)
            .and_then(|size| size.parse().ok());
        size.unwrap_or(0)
    }

    pub(super) fn report(&self, evidence: Evidence<'_>) -> Report {
        let policy = evidence.policy;
        let bytes = |asset: Asset| self.assets.get(&asset.to_string()).cloned();
        let level = Tile::all(self.size()).take_while(|tile| tile.level == 0);
        let pieces = level.map(|place| Piece {
            place,
            bundle: bytes(Asset::Entries(place)).map(|bytes| Bundle::read(&bytes)),
            tile: bytes(Asset::Hashes(place)),
        });
        let kept = self.kept.iter().map(|note| policy.checkpoint(note));
        verify(evidence, &self.latest, kept, pieces, |tile| {
            bytes(Asset::Hashes(tile))
        })
    }
}

/// The checkpoint of a log of these hashes.
pub(super) fn checkpoint(
    hashes: &[TreeHash],
    minutes: i64,
    log: &Signer,
    witnesses: &[Signer],
) -> String {
    let mut edge = Edge::default();
    edge.append(hashes);
    let checkpoint = Checkpoint {
        origin: log.key().name().clone(),
        size: edge.size(),
        root: edge.root(),
    };
    let at = Instant(START.0 + minutes * MINUTE);
    let mut note = checkpoint.sign(log, at);
    for witness in witnesses {
        note.signatures.push(witness.sign_at(&note.text, at));
    }
    note.to_string()
}

/// Entries with their right numbers.
pub(super) fn entries(tape: &mut Tape, count: u64) -> Vec<Entry> {
    let mut numbering = Numbering::default();
    (0..count)
        .map(|at| {
            let at = Instant(START.0 + at as i64 * 1_000_000);
            numbering.number(leaf(tape, at))
        })
        .collect()
}

/// A checkpoint every few entries and after the last, a minute or more apart.
pub(super) fn marks(tape: &mut Tape, count: u64) -> Marks {
    let mut marks = Vec::new();
    let (mut size, mut minutes) = (0, 0);
    while size < count {
        size = count.min(size + 1 + tape.below(count / 2 + 1));
        minutes += 1 + tape.below(3) as i64;
        marks.push((size, minutes));
    }
    marks
}
