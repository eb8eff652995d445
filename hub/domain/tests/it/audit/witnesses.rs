//! Witnesses: asked to sign what continues what they signed, and nothing else.

use takmil_domain::audit::{
    AddCheckpoint, Algorithm, NoteFault, Path, Signer, Tiles, TreeHash, WitnessFault,
};

use super::files::{Keys, START, checkpoint, log_key, name};

fn hashes(count: u64) -> Vec<TreeHash> {
    (0..count)
        .map(|leaf| TreeHash::of_leaf(&leaf.to_be_bytes()))
        .collect()
}

fn request(keys: &Keys, old: u64, hashes: &[TreeHash]) -> AddCheckpoint {
    let mut tiles = Tiles::default();
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    tiles.insert(0, 0, &bytes);
    let path = Path::between(old, hashes.len() as u64).unwrap();
    AddCheckpoint {
        old,
        proof: path.hashes(&tiles).unwrap(),
        checkpoint: checkpoint(hashes, 1, &keys.log, &[]),
    }
}

#[test]
fn a_witness_signs_what_continues_the_log() {
    let keys = Keys::new();
    let all = hashes(200);
    let mut last = (0, TreeHash::of_nothing());
    for size in [1, 1, 7, 64, 130, 200] {
        let asked = request(&keys, last.0, &all[..size]);
        assert_eq!(AddCheckpoint::parse(&asked.to_body()), Some(asked.clone()));
        let witness = &keys.witnesses[0];
        let (signature, head) = asked.cosign(&keys.policy, last, witness, START).unwrap();
        last = (head.size, head.root);
        let answer = format!("{signature}\n");
        let note = keys
            .policy
            .add_cosignatures(&asked.checkpoint, &answer)
            .unwrap();
        assert_eq!(note.signatures.len(), 3);
        let again = keys
            .policy
            .add_cosignatures(&note.to_string(), &answer)
            .unwrap();
        assert_eq!(again, note, "adding it again changes nothing");
    }
}

#[test]
fn a_witness_refuses_what_does_not() {
    let keys = Keys::new();
    let all = hashes(20);
    let signed = request(&keys, 0, &all[..10]);
    let witness = &keys.witnesses[0];
    let start = (0, TreeHash::of_nothing());
    let (_, head) = signed.cosign(&keys.policy, start, witness, START).unwrap();
    let last = (head.size, head.root);
    let check = |asked: AddCheckpoint, fault| {
        let found = asked.cosign(&keys.policy, last, witness, START);
        assert_eq!(found.unwrap_err(), fault);
    };
    let good = request(&keys, 10, &all);
    check(
        AddCheckpoint {
            old: 21,
            ..good.clone()
        },
        WitnessFault::Malformed,
    );
    check(
        AddCheckpoint {
            old: 9,
            ..good.clone()
        },
        WitnessFault::Conflict(10),
    );
    check(
        AddCheckpoint {
            proof: vec![],
            ..good.clone()
        },
        WitnessFault::Inconsistent,
    );
    let mut forked = all.clone();
    forked[3] = TreeHash::of_leaf(b"other");
    check(request(&keys, 10, &forked), WitnessFault::Inconsistent);
    check(
        request(&keys, 10, &forked[..10]),
        WitnessFault::Inconsistent,
    );
    let stranger = Signer::of_seed(name("evil.example"), Algorithm::Ed25519, &[3; 32]).unwrap();
    for (log, fault) in [
        (stranger, NoteFault::Origin),
        (log_key(2), NoteFault::Unsigned),
    ] {
        let checkpoint = checkpoint(&all, 1, &log, &[]);
        check(
            AddCheckpoint {
                checkpoint,
                ..good.clone()
            },
            WitnessFault::Checkpoint(fault),
        );
    }
    for wrong in [
        "",
        "old 1\n",
        "old 01\n\nx",
        "new 1\n\nx",
        "old 1\nAAAA\n\nx",
    ] {
        assert_eq!(AddCheckpoint::parse(wrong), None, "{wrong}");
    }
    let endless = format!("old 1\n{}\nx", format!("{}\n", all[0]).repeat(64));
    assert_eq!(AddCheckpoint::parse(&endless), None);
}

#[test]
fn only_good_signatures_of_known_witnesses_are_added() {
    let keys = Keys::new();
    let note = checkpoint(&hashes(3), 1, &keys.log, &[]);
    let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let unknown = super::files::witness_key(77).sign_at(&text, START);
    let added = keys
        .policy
        .add_cosignatures(&note, &format!("{unknown}\n"))
        .unwrap();
    assert_eq!(added.to_string(), note);
    let mut forged = keys.witnesses[1].sign_at(&text, START);
    forged.bytes[30] ^= 1;
    let check = |note: &str, answer: &str, fault| {
        assert_eq!(
            keys.policy.add_cosignatures(note, answer).unwrap_err(),
            fault
        );
    };
    check(&note, &format!("{forged}\n"), NoteFault::Forged);
    check(&note, "409\n", NoteFault::Malformed);
    check("no note", "", NoteFault::Malformed);
}
