//! The audit log: what a turn pays for its leaves and their promise, what the sequencer pays to append them, and how
//! fast the offline verifier goes over a log.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use takmil_domain::audit::{
    Algorithm, Bundle, Checkpoint, Commitment, Edge, Entry, Event, Evidence, GrownTile, KeyName,
    Leaf, Numbering, Path, Piece, Policy, Pseudonym, Salt, Signer, TILE_WIDTH, Tile, Tiles,
    TreeHash, Verdict, bundle_bytes, promise, verify,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

/// How many entries the verifier is given: enough for two levels of complete tiles.
const LOG_ENTRIES: u64 = 100_000;

/// A checkpoint for every so many entries: one a minute of a hub with some 80 messages a second.
const ENTRIES_PER_CHECKPOINT: usize = 5_000;

/// How many participants take turns in the log.
const PARTICIPANTS: u64 = 500;

/// A message and its answer: what a commitment is over.
const PAYLOAD_BYTES: usize = 4_096;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("audit");
    in_the_turn(&mut group);
    in_the_sequencer(&mut group);
    in_the_verifier(&mut group);
    group.finish();
    criterion.final_summary();
}

fn leaf(number: u64) -> Leaf {
    let [subject, participant] =
        [number, number % PARTICIPANTS].map(|id| Uuid::from_u128(id.into()));
    Leaf {
        event: Event::AnswerGiven,
        turn: 0,
        at: Instant(1_795_000_000_000_000),
        subject,
        participant: Pseudonym(participant),
        commitment: Commitment::new(&Salt([7; 32]), &[&number.to_be_bytes()]),
    }
}

fn signer() -> Signer {
    let name = KeyName::parse("hub.example/audit").expect("it is a name");
    Signer::of_seed(name, Algorithm::Ed25519, &[1; 32]).expect("the secret is good")
}

/// Committing to a message, and promising the leaves of a turn.
fn in_the_turn(group: &mut BenchmarkGroup<'_, WallTime>) {
    let payload = vec![b'x'; PAYLOAD_BYTES];
    group.throughput(Throughput::Elements(1));
    group.bench_function("commit", |bencher| {
        bencher.iter(|| Commitment::new(&Salt([7; 32]), black_box(&[payload.as_slice()])));
    });
    let log = signer();
    let now = Instant(1_795_000_000_000_000);
    for count in [1, 64] {
        let leaves: Vec<Leaf> = (0..count).map(leaf).collect();
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("promise", count), |bencher| {
            bencher.iter(|| promise(&log, black_box(&leaves), now, now));
        });
    }
}

/// Numbering leaves, appending them to a tree that has some, and signing a checkpoint; and making a proof.
fn in_the_sequencer(group: &mut BenchmarkGroup<'_, WallTime>) {
    let log = signer();
    let mut edge = Edge::default();
    let before: Vec<TreeHash> = (0..LOG_ENTRIES).map(|at| leaf(at).hash()).collect();
    let tiles = kept(edge.append(&before));
    let numbering = Numbering::after((0..PARTICIPANTS).map(|id| {
        let participant = Pseudonym(Uuid::from_u128(id.into()));
        (participant, LOG_ENTRIES / PARTICIPANTS)
    }));
    for count in [64, 1_000] {
        let leaves: Vec<Leaf> = (0..count).map(leaf).collect();
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("append", count), |bencher| {
            bencher.iter_batched(
                || (edge.clone(), numbering.clone()),
                |(mut edge, mut numbering)| {
                    let number = |leaf: &Leaf| numbering.number(*leaf).hash();
                    let hashes: Vec<TreeHash> = leaves.iter().map(number).collect();
                    let grown = edge.append(&hashes);
                    (checkpoint(&edge, &log), grown)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("prove", |bencher| {
        bencher.iter(|| {
            let path = Path::to_entry(black_box(54_321), LOG_ENTRIES).expect("it is in the tree");
            path.hashes(&tiles).expect("the tiles are there")
        });
    });
}

fn checkpoint(edge: &Edge, log: &Signer) -> String {
    let checkpoint = Checkpoint {
        origin: log.key().name().clone(),
        size: edge.size(),
        root: edge.root(),
    };
    let at = Instant(1_795_000_000_000_000);
    checkpoint.sign(log, at).to_string()
}

fn kept(grown: Vec<GrownTile>) -> Tiles {
    let mut tiles = Tiles::default();
    for GrownTile { tile, bytes } in grown {
        tiles.insert(tile.level, tile.index, &bytes);
    }
    tiles
}

/// Verifying a log from the bytes of its files, on one core.
fn in_the_verifier(group: &mut BenchmarkGroup<'_, WallTime>) {
    let log = signer();
    let policy = Policy::parse(&format!("log {}\nquorum none\n", log.key()));
    let policy = policy.expect("it is a policy");
    let mut numbering = Numbering::default();
    let entries: Vec<Entry> = (0..LOG_ENTRIES)
        .map(|at| numbering.number(leaf(at)))
        .collect();
    let hashes: Vec<TreeHash> = entries.iter().map(Entry::hash).collect();
    let mut edge = Edge::default();
    let checkpoints: Vec<String> = hashes
        .chunks(ENTRIES_PER_CHECKPOINT)
        .map(|hashes| {
            edge.append(hashes);
            checkpoint(&edge, &log)
        })
        .collect();
    let tiles = Edge::default().append(&hashes).into_iter();
    let tiles: std::collections::HashMap<Tile, Vec<u8>> = tiles
        .map(|GrownTile { tile, bytes }| (tile, bytes))
        .collect();
    let bundles: Vec<Vec<u8>> = entries
        .chunks(usize::from(TILE_WIDTH))
        .map(bundle_bytes)
        .collect();
    let evidence = Evidence {
        policy: &policy,
        earlier: &[],
        receipts: &[],
    };
    group.throughput(Throughput::Elements(LOG_ENTRIES));
    group.bench_function("verify", |bencher| {
        bencher.iter(|| {
            let places = Tile::all(LOG_ENTRIES).take_while(|tile| tile.level == 0);
            let pieces = places.zip(&bundles).map(|(place, bytes)| Piece {
                place,
                bundle: Some(Bundle::read(bytes)),
                tile: tiles.get(&place).cloned(),
            });
            let heads = checkpoints.iter().map(|note| policy.checkpoint(note));
            let latest = checkpoints.last().map_or("", String::as_str);
            let report = verify(evidence, latest, heads, pieces, |tile| {
                tiles.get(&tile).cloned()
            });
            assert_eq!(report.verdict, Verdict::Sound, "{report:?}");
        });
    });
}
