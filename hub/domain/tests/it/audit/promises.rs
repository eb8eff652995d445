//! Promises and receipts: what a sender holds, and how the verifier holds the hub to it.

use takmil_domain::audit::{
    Commitment, Entry, Evidence, Finding, InclusionProof, Leaf, NoteFault, Numbering, Path,
    Receipt, Report, Salt, Tiles, TreeHash, Verdict, promise,
};
use takmil_domain::date::Instant;

use super::files::{Files, Keys, MINUTE, START, checkpoint, leaf, log_key};
use crate::tape::Tape;

const BY: Instant = Instant(START.0 + 2 * MINUTE);

fn leaves(count: u64) -> Vec<Leaf> {
    let mut tape = Tape::random(count);
    (0..count).map(|_| leaf(&mut tape, START)).collect()
}

fn numbered(leaves: &[Leaf]) -> Vec<Entry> {
    let mut numbering = Numbering::default();
    leaves.iter().map(|leaf| numbering.number(*leaf)).collect()
}

#[test]
fn one_signature_promises_all_leaves_of_a_turn() {
    let keys = Keys::new();
    for count in (1..40).chain([64, 100, 257]) {
        let leaves = leaves(count);
        let receipts = promise(&keys.log, &leaves, START, BY);
        assert_eq!(receipts.len(), leaves.len());
        for (receipt, leaf) in receipts.iter().zip(&leaves) {
            assert_eq!(receipt.leaf, *leaf);
            assert_eq!(receipt.promise, receipts[0].promise);
            let promised = keys.policy.promised(receipt).unwrap();
            assert_eq!((promised.at, promised.by), (START, BY));
        }
    }
    assert!(promise(&keys.log, &[], START, BY).is_empty());
}

#[test]
fn a_receipt_is_kept_as_json_and_shows_what_its_leaf_commits_to() {
    let keys = Keys::new();
    let salt = Salt([9; 32]);
    let leaf = Leaf {
        commitment: Commitment::new(&salt, &[b"claim", b"answer"]),
        ..leaves(1)[0]
    };
    let mut receipt = promise(&keys.log, &[leaf], START, BY).remove(0);
    receipt.salt = Some(salt);
    let json = serde_json::to_string(&receipt).unwrap();
    let read: Receipt = serde_json::from_str(&json).unwrap();
    assert_eq!(read, receipt);
    assert!(
        read.leaf
            .commitment
            .opens(&read.salt.unwrap(), &[b"claim", b"answer"])
    );
    assert!(serde_json::from_str::<Receipt>(&json.replace("promise", "promises")).is_err());
}

#[test]
fn a_changed_receipt_is_none_and_a_promise_is_no_checkpoint() {
    let keys = Keys::new();
    let leaves = leaves(5);
    let receipts = promise(&keys.log, &leaves, START, BY);
    let check = |change: &dyn Fn(&mut Receipt), fault| {
        let mut receipt = receipts[2].clone();
        change(&mut receipt);
        assert_eq!(keys.policy.promised(&receipt), Err(fault));
    };
    check(&|receipt| receipt.leaf = leaves[3], NoteFault::Forged);
    check(&|receipt| receipt.index = 3, NoteFault::Forged);
    check(&|receipt| receipt.index = 5, NoteFault::Forged);
    check(
        &|receipt| receipt.path[0] = TreeHash::of_nothing(),
        NoteFault::Forged,
    );
    check(&|receipt| receipt.path.clear(), NoteFault::Forged);
    let later = (BY.0 + 1).to_string();
    check(
        &|receipt| receipt.promise = receipt.promise.replace(&BY.0.to_string(), &later),
        NoteFault::Forged,
    );
    check(
        &|receipt| receipt.promise = receipt.promise.replacen("hub.", "hut.", 1),
        NoteFault::Origin,
    );
    check(
        &|receipt| {
            receipt.promise = receipt
                .promise
                .replace("takmil/promise/v1", "takmil/promise/v2")
        },
        NoteFault::Malformed,
    );
    let other = promise(&log_key(2), &leaves, START, BY);
    check(
        &|receipt| receipt.promise = other[2].promise.clone(),
        NoteFault::Unsigned,
    );
    let head = checkpoint(&[leaves[0].hash()], 0, &keys.log, &[]);
    check(
        &|receipt| receipt.promise = head.clone(),
        NoteFault::Malformed,
    );
    assert_eq!(
        keys.policy.checkpoint(&receipts[0].promise),
        Err(NoteFault::Malformed)
    );
}

#[test]
fn the_verifier_holds_the_hub_to_its_receipts() {
    let keys = Keys::new();
    let leaves = leaves(40);
    let receipts = promise(&keys.log, &leaves, START, BY);
    let check = |kept: &[Leaf], marks: &[(u64, i64)]| -> Report {
        let files = Files::new(&numbered(kept), &marks.to_vec(), &keys.log, &keys.witnesses);
        files.report(Evidence {
            policy: &keys.policy,
            earlier: &[],
            receipts: &receipts,
        })
    };
    let counts = |report: &Report| {
        let of = |code| {
            report
                .findings
                .iter()
                .filter(|finding| finding.code() == code)
                .count()
        };
        (
            report.receipts_kept,
            report.receipts_pending,
            of("AUD-LATE"),
            of("AUD-BROKEN"),
        )
    };
    let kept = check(&leaves, &[(20, 1), (40, 2)]);
    assert_eq!(
        (counts(&kept), kept.verdict),
        ((40, 0, 0, 0), Verdict::Sound)
    );
    let pending = check(&leaves[..30], &[(20, 1), (30, 2)]);
    assert_eq!(
        (counts(&pending), pending.verdict),
        ((30, 10, 0, 0), Verdict::Sound)
    );
    let broken = check(&leaves[..30], &[(20, 1), (30, 3)]);
    assert_eq!(counts(&broken), (20, 0, 10, 10));
    let late = check(&leaves, &[(5, 2), (40, 3)]);
    assert_eq!(counts(&late), (5, 0, 35, 0));

    let mut foreign = receipts.clone();
    foreign[0].promise = promise(&log_key(2), &leaves, START, BY)[0].promise.clone();
    let files = Files::new(
        &numbered(&leaves),
        &vec![(40, 1)],
        &keys.log,
        &keys.witnesses,
    );
    let report = files.report(Evidence {
        policy: &keys.policy,
        earlier: &[],
        receipts: &foreign[..1],
    });
    let fault = NoteFault::Unsigned;
    assert_eq!(report.findings, [Finding::Receipt { number: 1, fault }]);
}

#[test]
fn a_proof_of_inclusion_is_a_text_that_stands_alone() {
    let keys = Keys::new();
    let entries = numbered(&leaves(300));
    let hashes: Vec<TreeHash> = entries.iter().map(Entry::hash).collect();
    let files = Files::new(&entries, &vec![(300, 1)], &keys.log, &keys.witnesses);
    let mut tiles = Tiles::default();
    let path = Path::to_entry(123, 300).unwrap();
    for tile in path.tiles() {
        let name = takmil_domain::audit::Asset::Hashes(tile).to_string();
        tiles.insert(tile.level, tile.index, &files.assets[&name]);
    }
    let proof = InclusionProof {
        entry: entries[123],
        index: 123,
        path: path.hashes(&tiles).unwrap(),
        checkpoint: files.latest.clone(),
    };
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    let read = InclusionProof::parse(&text).unwrap();
    assert_eq!(read, proof);
    let head = keys.policy.included(&read).unwrap();
    assert_eq!((head.size, head.witnessed), (300, true));
    let root = hashes
        .iter()
        .copied()
        .collect::<takmil_domain::audit::Frontier>()
        .root();
    assert_eq!(head.root, root);
    let other = InclusionProof {
        entry: entries[124],
        ..read.clone()
    };
    assert_eq!(keys.policy.included(&other), Err(NoteFault::Forged));
    for wrong in [
        text.replace("@v1", "@v2"),
        text.replace("extra ", "other "),
        text.replace("index 123", "index 0123"),
        text.replace("\n\n", "\n"),
        text.replacen('=', "", 1),
    ] {
        assert_eq!(InclusionProof::parse(&wrong), None, "{wrong:.80}");
    }
}
