//! The tamper-evident log of a running hub: answers come with a receipt, the log has what it promises, and what is
//! exported is sound until somebody changes it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use takmil_conformance::postgres::Postgres;
use takmil_domain::audit::{
    Event, Head, InclusionProof, Leaf, Policy, Receipt, TreeHash, proves_consistency,
};
use takmil_store::{DatabaseUrl, FileKeys, Place as StorePlace, Store, StoreConfig};

use crate::hub::{
    Answer, Hub, INSURER, OTHER_INSURER, OTHER_PROVIDER, PROVIDER, Place, claim, run,
};
use crate::schemas::conforms;

/// How long a number may take, and how often it is asked for.
const PATIENCE: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(crate) fn receipt(answer: &Answer) -> Receipt {
    let json = STANDARD.decode(answer.header("takmil-receipt")).unwrap();
    conforms("receipt", &serde_json::from_slice(&json).unwrap());
    serde_json::from_slice(&json).unwrap()
}

async fn policy(hub: &Hub, key: &str) -> Policy {
    let told = hub.get("/v1/audit/policy", key).await;
    assert!(told.status.is_success(), "{}", told.text);
    Policy::parse(&told.text).unwrap()
}

/// The proof that the log has a leaf, once it has.
pub(crate) async fn proof(hub: &Hub, key: &str, leaf: &Leaf) -> InclusionProof {
    let path = format!(
        "/v1/audit/inclusion/{}",
        URL_SAFE_NO_PAD.encode(leaf.to_bytes())
    );
    for _ in 0..PATIENCE {
        let told = hub.get(&path, key).await;
        if told.status.is_success() {
            return InclusionProof::parse(&told.text).unwrap();
        }
        told.is_problem(404, "API-NOT-FOUND");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    panic!("the leaf gets no number");
}

async fn head(hub: &Hub, key: &str, policy: &Policy) -> Head {
    let told = hub.get("/v1/audit/checkpoint", key).await;
    policy.checkpoint(&told.text).unwrap()
}

/// Exports the log of a place and verifies the export.
fn verdict(place: &Place, folder: &Path, more: &[&str]) -> Value {
    let to = folder.to_str().unwrap();
    place.json(&["audit", "export", "--to", to]);
    let keys = folder.join("policy");
    let own = [
        "audit",
        "verify",
        to,
        "--json",
        "--key",
        keys.to_str().unwrap(),
    ];
    let output = run(&[own.as_slice(), more].concat(), "");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test]
async fn an_answer_has_a_receipt_and_the_log_has_what_it_promises() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let policy = policy(&hub, &key).await;
    let sent = hub
        .send(Method::POST, "/v1/claims", &key, &claim("A-1", "MA-2001"))
        .await;
    let promised = receipt(&sent);
    policy.promised(&promised).unwrap();
    let id = sent.ok()["id"].as_str().unwrap().to_owned();
    assert_eq!(promised.leaf.subject.to_string(), id);
    assert_eq!(promised.leaf.event, Event::MessageTaken);

    let first = proof(&hub, &key, &promised.leaf).await;
    let covered = policy.included(&first).unwrap();
    assert_eq!((first.entry.leaf, first.entry.number), (promised.leaf, 1));
    // The next message of the same sender has the next number; the entries of the reading in between are its, too.
    let again = hub
        .send(Method::POST, "/v1/claims", &key, &claim("A-1", "MA-2001"))
        .await;
    assert_eq!(again.header("takmil-receipt"), "", "a repeat adds nothing");
    let way = hub.get(&format!("/v1/messages/{id}"), &key).await.ok();
    assert_eq!(way["id"], json!(id));
    let told = format!("/v1/decisions/{id}/explanation?lang=fr");
    assert_eq!(hub.get(&told, &key).await.ok()["language"], json!("fr"));
    let other = hub
        .send(Method::POST, "/v1/claims", &key, &claim("A-2", "MA-2001"))
        .await;
    let second = proof(&hub, &key, &receipt(&other).leaf).await;
    let later = policy.included(&second).unwrap();
    assert_eq!(second.entry.number, 4, "each reading is an entry");
    assert_eq!(second.entry.leaf.participant, first.entry.leaf.participant);

    let sizes = format!("from={}&to={}", covered.size, later.size);
    let told = hub
        .get(&format!("/v1/audit/consistency?{sizes}"), &key)
        .await
        .ok();
    conforms("log_consistency", &told);
    let hashes: Vec<TreeHash> = serde_json::from_value(told["proof"].clone()).unwrap();
    let (old, new) = ((covered.size, covered.root), (later.size, later.root));
    assert!(proves_consistency(old, new, &hashes));
    let beyond = hub.get("/v1/audit/consistency?from=1&to=999", &key).await;
    beyond.is_problem(400, "API-PARAMETER");

    // A sender who has lost the header asks again; others are told nothing.
    let path = format!("/v1/messages/{id}/receipt");
    let told = hub.get(&path, &key).await.ok();
    conforms("message_receipts", &told);
    let receipts: Vec<Receipt> = serde_json::from_value(told["receipts"].clone()).unwrap();
    assert_eq!(receipts[0].leaf, promised.leaf);
    policy.promised(&receipts[0]).unwrap();
    let stranger = hub.place.key(OTHER_PROVIDER);
    hub.get(&path, &stranger)
        .await
        .is_problem(404, "API-NOT-FOUND");
}

#[tokio::test]
async fn tiles_are_for_all_and_entries_for_the_regulator_and_witnesses() {
    let hub = Hub::start(&format!("[audit]\nwitnesses = [{INSURER:?}]\n"));
    let (provider, witness) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let other = hub.place.key(OTHER_INSURER);
    let policy = policy(&hub, &provider).await;
    let sent = hub
        .send(
            Method::POST,
            "/v1/claims",
            &provider,
            &claim("T-1", "MA-2001"),
        )
        .await;
    proof(&hub, &provider, &receipt(&sent).leaf).await;
    let size = head(&hub, &provider, &policy).await.size;
    let hashes = hub
        .get(&format!("/v1/audit/tile/0/000.p/{size}"), &other)
        .await;
    assert!(hashes.status.is_success(), "{}", hashes.text);
    let path = format!("/v1/audit/tile/entries/000.p/{size}");
    assert!(hub.get(&path, &witness).await.status.is_success());
    for key in [&provider, &other] {
        hub.get(&path, key).await.is_problem(403, "API-FORBIDDEN");
    }
    for odd in [
        "0/000",
        "0/000.p/256",
        "0/0",
        "9/000.p/1",
        "entries/x000/000.p/1",
    ] {
        let told = hub.get(&format!("/v1/audit/tile/{odd}"), &witness).await;
        told.is_problem(404, "API-NOT-FOUND");
    }
    for odd in ["nothing", &"A".repeat(104), &"_".repeat(104)] {
        let told = hub
            .get(&format!("/v1/audit/inclusion/{odd}"), &witness)
            .await;
        told.is_problem(404, "API-NOT-FOUND");
    }
}

#[tokio::test]
async fn what_is_exported_is_sound_until_it_is_changed() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let mut files = Vec::new();
    let kept = tempfile::tempdir().unwrap();
    let mut hub = hub;
    // The hub is stopped before the last leaves may have their numbers, and goes on from where the log is.
    for round in 0..2 {
        for number in 0..4 {
            let name = format!("E-{round}-{number}");
            let sent = hub
                .send(Method::POST, "/v1/claims", &key, &claim(&name, "MA-2001"))
                .await;
            let file = kept.path().join(name);
            std::fs::write(&file, serde_json::to_string(&receipt(&sent)).unwrap()).unwrap();
            files.push(file.to_str().unwrap().to_owned());
        }
        hub = hub.restart();
    }
    let policy = policy(&hub, &key).await;
    for file in &files {
        let receipt: Receipt = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        policy
            .included(&proof(&hub, &key, &receipt.leaf).await)
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let more: Vec<&str> = files.iter().flat_map(|file| ["--receipt", file]).collect();
    let told = verdict(&hub.place, folder.path(), &more);
    assert_eq!(told["verdict"], json!("sound"), "{told:#}");
    assert_eq!(told["receipts_kept"], json!(files.len()));
    assert_eq!(told["size"], json!(files.len()));
    let doctor = hub.place.run(&["doctor", "--json"], "");
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let about_log = found["findings"].as_array().unwrap().iter();
    let about_log = about_log.filter(|found| found["what"].as_str().unwrap().contains("log"));
    assert_eq!(about_log.count(), 0, "{found:#}");

    let bundle = folder
        .path()
        .join(format!("tile/entries/000.p/{}", files.len()));
    let mut bytes = std::fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let keys = folder.path().join("policy");
    let arguments = ["audit", "verify", folder.path().to_str().unwrap(), "--key"];
    let output = run(
        &[arguments.as_slice(), &[keys.to_str().unwrap()]].concat(),
        "",
    );
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn two_hubs_on_one_database_have_one_log() {
    let server = tokio::task::spawn_blocking(|| Postgres::start().unwrap());
    let server = server.await.unwrap();
    server.create("one_log", "template1").unwrap();
    let url = server.url("one_log");
    let place = |key: Option<&Path>| {
        let key = key.map_or_else(String::new, |key| format!("[audit]\nkey_file = {key:?}\n"));
        let place = Place::new(&format!("[engine]\nlanes = 2\n{key}"));
        std::fs::write(place.path("database.url"), &url).unwrap();
        place
    };
    let database = [("TAKMIL_DATABASE_URL", url.as_str())];
    let one = place(None);
    // Commands find the database by the same variable, which the test's own process has not.
    fill(&one, &url).await;
    let one = Hub::with(one, &database);
    let keys = one.place.path("takmil.member.keys");
    let keys = ("TAKMIL_STORE__KEY_FILE", keys.to_str().unwrap());
    let other = place(Some(&one.place.path("takmil.audit.key")));
    let other = Hub::with(other, &[database[0], keys]);
    let key = key_of(&one.place, &url);
    let policy = policy(&one, &key).await;
    let mut leaves = Vec::new();
    for number in 0..30 {
        let hub = if number % 2 == 0 { &one } else { &other };
        let name = format!("P-{number}");
        let sent = hub
            .send(Method::POST, "/v1/claims", &key, &claim(&name, "MA-2001"))
            .await;
        leaves.push(receipt(&sent).leaf);
    }
    let mut numbers = Vec::new();
    for (number, leaf) in leaves.iter().enumerate() {
        // Each hub is asked about what the other has taken.
        let hub = if number % 2 == 0 { &other } else { &one };
        let proof = proof(hub, &key, leaf).await;
        policy.included(&proof).unwrap();
        numbers.push(proof.entry.number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=30).collect::<Vec<u64>>());
    let config = StoreConfig {
        place: StorePlace::Postgres {
            url: DatabaseUrl::parse(&url).unwrap(),
            writers: 1,
        },
        readers: 1,
        random: std::sync::Arc::new(rand::random),
        keys: std::sync::Arc::new(
            FileKeys::read(keys.1.as_ref(), one.place.path("erased")).unwrap(),
        ),
    };
    let store = Store::open(&config).await.unwrap();
    assert_eq!(store.check_log().await.unwrap(), []);
    assert_eq!(store.log_head().await.unwrap().size, 30);
    // A hub that would sign with another key does not start.
    let stranger = place(None);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_takmil"))
        .args(["serve", "--config"])
        .arg(stranger.path("takmil.toml"))
        .env("TAKMIL_DATABASE_URL", &url)
        .env(keys.0, keys.1)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("was begun with the key"), "{words}");
}

fn takmil(place: &Place, url: &str, arguments: &[&str]) -> Value {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_takmil"))
        .args(arguments)
        .arg("--json")
        .arg("--config")
        .arg(place.path("takmil.toml"))
        .env("TAKMIL_DATABASE_URL", url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn fill(place: &Place, url: &str) {
    let pack = crate::hub::pack();
    takmil(place, url, &["import", "folder", pack.to_str().unwrap()]);
}

fn key_of(place: &Place, url: &str) -> String {
    let shown = takmil(place, url, &["participant", "key", PROVIDER]);
    shown["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_is_made_on_request_and_shown_with_its_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.key");
    let file = file.to_str().unwrap();
    let make = || {
        run(
            &[
                "audit",
                "key",
                file,
                "--origin",
                "hub.example/audit",
                "--json",
            ],
            "",
        )
    };
    let shown: Value = serde_json::from_slice(&make().stdout).unwrap();
    let policy = Policy::parse(shown["policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy.origin().as_str(), "hub.example/audit");
    let again = make();
    assert_eq!(again.status.code(), Some(3), "a key is never replaced");
}
