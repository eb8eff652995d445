//! The offline verifier: from a log's files alone it tells whether they are one history that nobody has changed.
//!
//! It goes once over the entries, in order, and holds no more than the tree's edge, the last number of each
//! participant, and what the verifier brought along. Reading and hashing bundles, and checking signatures, is left to
//! whoever calls, who can do it on many cores.

use std::collections::HashMap;

use super::bundle::Bundle;
use super::edge::{Edge, GrownTile};
use super::finding::{Finding, Findings, Report, Verdict};
use super::frontier::Frontier;
use super::hash::TreeHash;
use super::leaf::{Entry, Leaf};
use super::numbering::Numbering;
use super::policy::{Head, NoteFault, Policy};
use super::promise::{Promised, Receipt};
use super::tile::{Tile, tile_bytes};
use crate::date::Instant;

/// What a verifier brings along, besides the log's files.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Whom it trusts.
    pub policy: &'a Policy,
    /// Checkpoints that it saw earlier: the log must be a continuation of each.
    pub earlier: &'a [String],
    /// Receipts that the hub gave.
    pub receipts: &'a [Receipt],
}

/// A bundle of a log's files, with the tile of its hashes.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its place, and how many entries it must have.
    pub place: Tile,
    /// Its entries, where the file is there.
    pub bundle: Option<Bundle>,
    /// The bytes of the tile of level 0, where the file is there.
    pub tile: Option<Vec<u8>>,
}

/// Verifies a log.
///
/// `latest` is the note that the log shows as its last checkpoint, `kept` are all that it kept, in order, as
/// [`Policy::checkpoint`] found them, `pieces` its bundles in order, and `tile` reads one of its tiles.
pub fn verify(
    evidence: Evidence<'_>,
    latest: &str,
    kept: impl Iterator<Item = Result<Head, NoteFault>>,
    pieces: impl Iterator<Item = Piece>,
    tile: impl FnMut(Tile) -> Option<Vec<u8>>,
) -> Report {
    let mut verifier = Verifier::new(evidence, kept, tile);
    verifier.meet(&Frontier::default());
    for piece in pieces {
        if !verifier.take(&piece) {
            break;
        }
    }
    verifier.finish(latest)
}

struct Verifier<'a, K, T> {
    policy: &'a Policy,
    kept: K,
    tile: T,
    findings: Findings,
    edge: Edge,
    numbering: Numbering,
    /// The checkpoint that comes next, all before it being met.
    next: Option<Head>,
    /// How many were read, and the last that was in order.
    read: u64,
    last: Option<Head>,
    /// How many held, and the last whose root the entries have.
    held: u64,
    sound: u64,
    forged_root: bool,
    witnessed: Option<u64>,
    /// Earlier checkpoints by falling size.
    earlier: Vec<Head>,
    receipts: Receipts,
}

/// What has become of the receipts.
#[derive(Default)]
struct Receipts {
    /// The promises that hold, by their leaf.
    awaited: HashMap<Leaf, Vec<(usize, Promised)>>,
    /// Those whose leaf was found, with its place, and that no checkpoint covers yet.
    found: Vec<(u64, (usize, Promised))>,
    kept: usize,
    pending: usize,
}

impl<'a, K, T> Verifier<'a, K, T>
where
    K: Iterator<Item = Result<Head, NoteFault>>,
    T: FnMut(Tile) -> Option<Vec<u8>>,
{
    fn new(evidence: Evidence<'a>, kept: K, tile: T) -> Self {
        let mut verifier = Verifier {
            policy: evidence.policy,
            kept,
            tile,
            findings: Findings::default(),
            edge: Edge::default(),
            numbering: Numbering::default(),
            next: None,
            read: 0,
            last: None,
            held: 0,
            sound: 0,
            forged_root: false,
            witnessed: None,
            earlier: Vec::new(),
            receipts: Receipts::default(),
        };
        verifier.read_earlier(evidence.earlier);
        verifier.read_receipts(evidence.receipts);
        verifier.pull();
        verifier
    }

    fn read_earlier(&mut self, notes: &[String]) {
        for (number, note) in (1..).zip(notes) {
            match self.policy.checkpoint(note) {
                Ok(head) => self.earlier.push(head),
                Err(fault) => self.findings.add(Finding::Earlier { number, fault }),
            }
        }
        self.earlier
            .sort_by_key(|head| std::cmp::Reverse(head.size));
    }

    fn read_receipts(&mut self, receipts: &[Receipt]) {
        for (number, receipt) in (1..).zip(receipts) {
            match self.policy.promised(receipt) {
                Ok(promised) => {
                    let awaited = self.receipts.awaited.entry(receipt.leaf).or_default();
                    awaited.push((number, promised));
                }
                Err(fault) => self.findings.add(Finding::Receipt { number, fault }),
            }
        }
    }

    /// Goes on to the next checkpoint that is one, and not behind the last.
    fn pull(&mut self) {
        self.next = None;
        for checkpoint in self.kept.by_ref() {
            self.read = self.read.saturating_add(1);
            let number = self.read;
            let in_order = |head: &Head| {
                self.last
                    .is_none_or(|last| last.size <= head.size && last.at <= head.at)
            };
            match checkpoint {
                Ok(head) if in_order(&head) => {
                    (self.next, self.last) = (Some(head), Some(head));
                    return;
                }
                Ok(_) => self.findings.add(Finding::Order { number }),
                Err(fault) => self.findings.add(Finding::Checkpoint { number, fault }),
            }
        }
    }

    /// The size at which the next root is to be compared.
    fn next_mark(&self) -> u64 {
        let sizes = [self.next.as_ref(), self.earlier.last()];
        let sizes = sizes.into_iter().flatten().map(|head| head.size);
        sizes.min().unwrap_or(u64::MAX)
    }

    /// Compares the tree, as far as it has grown, with every checkpoint of its size.
    fn meet(&mut self, tree: &Frontier) {
        while let Some(head) = self.next.filter(|head| head.size <= tree.size()) {
            if tree.root() == head.root {
                self.hold(head);
            } else if !self.forged_root {
                // All after it differ as well, and would say nothing more.
                self.forged_root = true;
                self.findings.add(Finding::Root {
                    size: head.size,
                    sound: self.sound,
                });
            }
            self.pull();
        }
        let is_met = |head: &mut Head| head.size <= tree.size();
        while let Some(head) = self.earlier.pop_if(is_met) {
            if tree.root() != head.root {
                self.findings.add(Finding::Forked { size: head.size });
            }
        }
    }

    /// The entries have a checkpoint's root: it covers what was found since the one before.
    fn hold(&mut self, head: Head) {
        self.held = self.held.saturating_add(1);
        self.sound = head.size;
        if head.witnessed {
            self.witnessed = Some(head.size);
        }
        let is_covered = |(index, _): &mut (u64, _)| *index < head.size;
        let covered = self.receipts.found.extract_if(.., is_covered);
        for (_, (number, Promised { by, .. })) in covered {
            match head.at <= by {
                true => self.receipts.kept = self.receipts.kept.saturating_add(1),
                false => self.findings.add(Finding::Late {
                    number,
                    by,
                    at: head.at,
                }),
            }
        }
    }

    /// Takes the next bundle; false where there is no going on after it.
    fn take(&mut self, piece: &Piece) -> bool {
        let Some(bundle) = &piece.bundle else {
            return false;
        };
        let place = piece.place;
        let is_whole = bundle.hashes.len() == usize::from(place.width) && !bundle.is_cut;
        if !is_whole {
            self.findings.add(Finding::Bundle(place));
        }
        if piece.tile.as_deref() != Some(tile_bytes(&bundle.hashes).as_slice()) {
            self.findings.add(Finding::Tile(place));
        }
        let start = self.edge.size();
        self.look_at(bundle, start);
        let end = start.saturating_add(u64::try_from(bundle.hashes.len()).unwrap_or(u64::MAX));
        if self.next_mark() < end {
            let mut tree = self.edge.frontier().clone();
            for hash in &bundle.hashes {
                tree.push(*hash);
                self.meet(&tree);
            }
        }
        if is_whole && place.is_complete() {
            let grown = self.edge.append_complete(bundle.root);
            self.compare(grown.unwrap_or_default());
        } else {
            self.edge.append(&bundle.hashes);
        }
        let tree = self.edge.frontier().clone();
        self.meet(&tree);
        is_whole
    }

    fn look_at(&mut self, bundle: &Bundle, start: u64) {
        for (index, entry) in (start..).zip(&bundle.entries) {
            match entry {
                Ok(entry) => self.count(index, entry),
                Err(fault) => self.findings.add(Finding::Entry {
                    index,
                    fault: *fault,
                }),
            }
        }
    }

    fn count(&mut self, index: u64, entry: &Entry) {
        if let Err(fault) = self.numbering.follow(entry) {
            self.findings.add(Finding::Number { index, fault });
        }
        let awaited = &mut self.receipts.awaited;
        if !awaited.is_empty()
            && let Some(found) = awaited.remove(&entry.leaf)
        {
            let found = found.into_iter().map(|receipt| (index, receipt));
            self.receipts.found.extend(found);
        }
    }

    fn compare(&mut self, grown: Vec<GrownTile>) {
        for GrownTile { tile, bytes } in grown {
            if (self.tile)(tile).as_deref() != Some(bytes.as_slice()) {
                self.findings.add(Finding::Tile(tile));
            }
        }
    }

    fn finish(mut self, latest: &str) -> Report {
        self.miss();
        // The last tiles of a log that was cut are those of no size that it ever told.
        if self.last.is_some_and(|head| head.size == self.edge.size()) {
            let above = |grown: &GrownTile| grown.tile.level > 0;
            let last_tiles = self.edge.last_tiles().filter(above).collect();
            self.compare(last_tiles);
        }
        match self.policy.checkpoint(latest) {
            Err(fault) => self.findings.add(Finding::Latest(fault)),
            Ok(head) if self.last != Some(head) => self.findings.add(Finding::Replayed),
            Ok(head) if !head.witnessed => self.findings.add(Finding::Unwitnessed),
            Ok(_) => {}
        }
        self.settle();
        let root: TreeHash = self.edge.root();
        Report {
            verdict: match self.findings.total {
                0 => Verdict::Sound,
                _ => Verdict::Broken,
            },
            origin: self.policy.origin().to_string(),
            size: self.edge.size(),
            root,
            checkpoints: self.held,
            signed_at: self.last.map(|head| head.at),
            witnessed: self.witnessed,
            participants: self.numbering.last().len(),
            receipts_kept: self.receipts.kept,
            receipts_pending: self.receipts.pending,
            findings: self.findings.listed,
            findings_total: self.findings.total,
        }
    }

    /// Checkpoints over more entries than there are.
    fn miss(&mut self) {
        let found = self.edge.size();
        let mut signed = self.earlier.first().map_or(0, |head| head.size);
        while let Some(head) = self.next {
            signed = signed.max(head.size);
            self.pull();
        }
        if signed > found {
            self.findings.add(Finding::Cut { signed, found });
        }
    }

    /// Promises whose leaf no checkpoint covers: broken once their time is over.
    fn settle(&mut self) {
        let last = self.last.map_or(Instant(i64::MIN), |head| head.at);
        let receipts = std::mem::take(&mut self.receipts);
        let awaited = receipts.awaited.into_values().flatten();
        let found = receipts.found.into_iter().map(|(_, receipt)| receipt);
        let mut open: Vec<_> = awaited.chain(found).collect();
        open.sort_by_key(|(number, _)| *number);
        self.receipts.kept = receipts.kept;
        for (number, Promised { by, .. }) in open {
            match last <= by {
                true => self.receipts.pending = self.receipts.pending.saturating_add(1),
                false => self.findings.add(Finding::Broken { number, by }),
            }
        }
    }
}
