//! `takmil audit verify`: an exported log, sound or tampered with, as a verifier without a hub meets it.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use takmil_domain::audit::{
    Algorithm, Asset, Checkpoint, Commitment, Edge, Entry, Event, KEPT, KeptCheckpoint, KeyName,
    LATEST, Leaf, Numbering, Pseudonym, Receipt, Salt, Signer, TILE_WIDTH, Tile, TreeHash,
    bundle_bytes, promise,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::hub::run;

const START: i64 = 1_795_000_000_000_000;
const MINUTE: i64 = 60_000_000;

fn key(name: &str, algorithm: Algorithm, seed: u8) -> Signer {
    Signer::of_seed(KeyName::parse(name).unwrap(), algorithm, &[seed; 32]).unwrap()
}

/// Entries of three participants, a second apart.
fn entries(count: u64) -> Vec<Entry> {
    let mut numbering = Numbering::default();
    let leaves = (0..count).map(|at| Leaf {
        event: Event::AnswerGiven,
        turn: 0,
        at: Instant(START + at as i64 * 1_000_000),
        subject: Uuid::from_u128(u128::from(at)),
        participant: Pseudonym(Uuid::from_u128(u128::from(at % 3))),
        commitment: Commitment::new(&Salt([at as u8; 32]), &[b"claim", b"answer"]),
    });
    leaves.map(|leaf| numbering.number(leaf)).collect()
}

/// A folder with an export and with what a verifier has of its own.
struct Export {
    folder: tempfile::TempDir,
    log: Signer,
    witness: Signer,
}

impl Export {
    /// Entries with a checkpoint every so many, a minute apart.
    fn new(entries: &[Entry], every: usize) -> Export {
        let export = Export {
            folder: tempfile::tempdir().unwrap(),
            log: key("hub.example/audit", Algorithm::Ed25519, 1),
            witness: key("regulator.example/w", Algorithm::Cosignature, 2),
        };
        let policy = format!(
            "log {}\nwitness regulator {}\nquorum regulator\n",
            export.log.key(),
            export.witness.key()
        );
        export.write("keys", policy);
        let hashes: Vec<TreeHash> = entries.iter().map(Entry::hash).collect();
        for grown in Edge::default().append(&hashes) {
            export.write(&log_path(Asset::Hashes(grown.tile)), grown.bytes);
        }
        for (index, bundle) in (0..).zip(entries.chunks(usize::from(TILE_WIDTH))) {
            let width = bundle.len() as u16;
            let place = Tile {
                level: 0,
                index,
                width,
            };
            export.write(&log_path(Asset::Entries(place)), bundle_bytes(bundle));
        }
        let mut kept = Vec::new();
        let mut edge = Edge::default();
        for (minutes, hashes) in (1..).zip(hashes.chunks(every)) {
            edge.append(hashes);
            kept.push(export.checkpoint(&edge, minutes));
        }
        export.write(&format!("log/{LATEST}"), kept.last().unwrap());
        export.keep(&kept);
        export
    }

    fn checkpoint(&self, edge: &Edge, minutes: i64) -> String {
        let checkpoint = Checkpoint {
            origin: self.log.key().name().clone(),
            size: edge.size(),
            root: edge.root(),
        };
        let at = Instant(START + minutes * MINUTE);
        let mut note = checkpoint.sign(&self.log, at);
        note.signatures.push(self.witness.sign_at(&note.text, at));
        note.to_string()
    }

    fn keep(&self, kept: &[String]) {
        let line = |note: &String| {
            let checkpoint = note.clone();
            serde_json::to_string(&KeptCheckpoint { checkpoint }).unwrap() + "\n"
        };
        self.write(
            &format!("log/{KEPT}"),
            kept.iter().map(line).collect::<String>(),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn verify(&self, more: &[&str]) -> Output {
        let (target, keys) = (self.path("log"), self.path("keys"));
        let own = [
            "audit",
            "verify",
            target.to_str().unwrap(),
            "--key",
            keys.to_str().unwrap(),
        ];
        run(&[own.as_slice(), more].concat(), "")
    }

    /// The report, which must have this verdict and these codes, each once.
    fn report(&self, more: &[&str], codes: &[&str]) -> Value {
        let output = self.verify(&[&["--json"], more].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut found: Vec<&str> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["code"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, codes, "{report:#}");
        let (verdict, exit) = match codes {
            [] => ("sound", 0),
            _ => ("broken", 1),
        };
        assert_eq!(
            (&report["verdict"], output.status.code()),
            (&json!(verdict), Some(exit))
        );
        report
    }
}

fn log_path(asset: Asset) -> String {
    format!("log/{asset}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_sound_export_is_told_to_be_so() {
    let entries = entries(70_000);
    let export = Export::new(&entries, 9_999);
    let report = export.report(&[], &[]);
    assert_eq!(report["size"], json!(70_000));
    assert_eq!(
        (&report["checkpoints"], &report["participants"]),
        (&json!(8), &json!(3))
    );
    assert_eq!(report["witnessed"], json!(70_000));
    let root: Edge = {
        let mut edge = Edge::default();
        edge.append(&entries.iter().map(Entry::hash).collect::<Vec<_>>());
        edge
    };
    assert_eq!(report["root"], json!(root.root().to_string()));
    let output = export.verify(&[]);
    let words = text(&output.stdout);
    assert!(
        words.starts_with("Sound: hub.example/audit, 70000 entries, root "),
        "{words}"
    );
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn what_was_changed_is_told_with_its_place() {
    let export = Export::new(&entries(1_000), 300);
    let bundle = "log/tile/entries/002";
    let sound = std::fs::read(export.path(bundle)).unwrap();
    let mut changed = sound.clone();
    // The commitment of the bundle's second entry.
    changed[2 * 89 - 1] ^= 1;
    export.write(bundle, &changed);
    let report = export.report(&[], &["AUD-ROOT", "AUD-TILE"]);
    assert_eq!(
        report["findings"][0]["detail"],
        "tile/0/002 is missing, or not made of the entries"
    );
    assert_eq!(
        report["findings"][1]["detail"],
        "the first 600 entries do not have the root of their checkpoint; the first 300 do"
    );
    let output = export.verify(&[]);
    assert!(
        text(&output.stdout).starts_with("BROKEN: "),
        "{}",
        text(&output.stdout)
    );

    export.write(bundle, &sound[..sound.len() - 1]);
    export.report(&[], &["AUD-BUNDLE", "AUD-CUT", "AUD-TILE"]);
    std::fs::remove_file(export.path(bundle)).unwrap();
    let report = export.report(&[], &["AUD-CUT"]);
    assert_eq!(
        report["findings"][0]["detail"],
        "a checkpoint is over 1000 entries, and there are 512"
    );
}

#[test]
fn numbers_with_a_gap_are_told_even_where_everybody_signed_them() {
    let mut entries = entries(300);
    entries.remove(100);
    let report = Export::new(&entries, 300).report(&[], &["AUD-NUMBER"]);
    assert_eq!(
        report["findings"][0]["detail"],
        "entry 102: participant 00000000-0000-0000-0000-000000000001 has number 35 where 34 comes next"
    );
}

#[test]
fn keys_checkpoints_and_their_order_are_checked() {
    let export = Export::new(&entries(600), 200);
    let kept = std::fs::read_to_string(export.path(&format!("log/{KEPT}"))).unwrap();
    let lines: Vec<&str> = kept.lines().collect();
    let rewrite = |lines: &[&str]| {
        let file: String = lines.iter().map(|line| format!("{line}\n")).collect();
        export.write(&format!("log/{KEPT}"), file);
    };
    rewrite(&[lines[1], lines[0], lines[2]]);
    export.report(&[], &["AUD-ORDER"]);
    rewrite(&[lines[0], "{}", lines[2]]);
    export.report(&[], &["AUD-CHECKPOINT"]);
    rewrite(&lines[..2]);
    export.report(&[], &["AUD-REPLAYED"]);
    rewrite(&[lines[0], &"x".repeat(1 << 20), lines[2]]);
    export.report(&[], &["AUD-CHECKPOINT", "AUD-REPLAYED"]);
    rewrite(&lines);
    export.report(&[], &[]);

    let other = key("hub.example/audit", Algorithm::Ed25519, 9);
    export.write("keys", format!("log {}\nquorum none\n", other.key()));
    export.report(&[], &["AUD-CHECKPOINT", "AUD-LATEST"]);
    let insurer = key("insurer.example/w", Algorithm::Cosignature, 3);
    let policy = format!(
        "log {}\nwitness i {}\nquorum i\n",
        export.log.key(),
        insurer.key()
    );
    export.write("keys", policy);
    export.report(&[], &["AUD-UNWITNESSED"]);
}

#[test]
fn a_log_that_does_not_continue_what_was_seen_is_told() {
    let all = entries(500);
    let seen = Export::new(&all, 250);
    let latest = seen.path(&format!("log/{LATEST}"));
    let latest = latest.to_str().unwrap();
    seen.report(&["--since", latest], &[]);
    Export::new(&entries(700), 250).report(&["--checkpoint", latest], &[]);
    Export::new(&all[..400], 250).report(&["--since", latest], &["AUD-CUT"]);
    let mut forked = entries(700);
    forked[77].leaf.turn = 1;
    let forked = Export::new(&forked, 250);
    forked.report(&[], &[]);
    forked.report(&["--since", latest], &["AUD-FORKED"]);
    let nothing = forked.write("nothing", "nothing");
    forked.report(&["--since", &nothing], &["AUD-EARLIER"]);
}

#[test]
fn the_hub_is_held_to_the_receipts_of_its_answers() {
    let all = entries(500);
    let export = Export::new(&all[..400], 100);
    let leaves: Vec<Leaf> = all.iter().map(|entry| entry.leaf).collect();
    let by = |minutes: i64| Instant(START + minutes * MINUTE);
    let receipt = |at: usize, minutes: i64| -> String {
        let receipts: Vec<Receipt> = promise(&export.log, &leaves[at..at + 3], by(0), by(minutes));
        let answer = json!({"state": "answered", "receipt": receipts[1]});
        export.write(&format!("answer-{at}-{minutes}.json"), answer.to_string())
    };
    let (kept, pending) = (receipt(10, 1), receipt(450, 9));
    let report = export.report(&["--receipt", &kept, "--receipt", &pending], &[]);
    assert_eq!(
        (&report["receipts_kept"], &report["receipts_pending"]),
        (&json!(1), &json!(1))
    );
    export.report(&["--receipt", &receipt(450, 3)], &["AUD-BROKEN"]);
    export.report(&["--receipt", &receipt(350, 2)], &["AUD-LATE"]);
    let foreign = key("hub.example/audit", Algorithm::Ed25519, 9);
    let foreign = promise(&foreign, &leaves[..1], by(0), by(1));
    let foreign = export.write("foreign.json", serde_json::to_string(&foreign[0]).unwrap());
    export.report(&["--receipt", &foreign], &["AUD-RECEIPT"]);
}

#[test]
fn what_cannot_be_run_exits_by_the_contract() {
    let export = Export::new(&entries(3), 3);
    let check = |arguments: &[&str], exit: i32, words: &str| {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(words),
            "{}",
            text(&output.stderr)
        );
    };
    let (target, keys) = (export.path("log"), export.path("keys"));
    let (target, keys) = (target.to_str().unwrap(), keys.to_str().unwrap());
    check(&["audit", "verify", target], 2, "--key");
    check(
        &["audit", "verify", "/nowhere", "--key", keys],
        3,
        "/nowhere",
    );
    check(
        &["audit", "verify", target, "--key", "/nowhere"],
        3,
        "/nowhere",
    );
    let latest = export.path(&format!("log/{LATEST}"));
    check(
        &["audit", "verify", target, "--key", latest.to_str().unwrap()],
        3,
        "line 1",
    );
    check(
        &["audit", "verify", target, "--key", keys, "--receipt", keys],
        3,
        "no receipt",
    );
    std::fs::remove_file(export.path("log/tile/entries/000.p/3")).unwrap();
    std::fs::create_dir(export.path("log/tile/entries/000.p/3")).unwrap();
    check(
        &["audit", "verify", target, "--key", keys],
        3,
        "cannot be read",
    );
}
