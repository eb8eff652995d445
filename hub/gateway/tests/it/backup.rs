//! Backups of a hub at work, and what is put back: nothing acknowledged is missing, nothing changed goes unseen, and
//! who was erased stays erased.

use reqwest::Method;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use takmil_conformance::postgres::Postgres;
use takmil_domain::ids::{Identifier, MemberId};
use takmil_store::{FileKeys, Place as StorePlace, Resolution, Store, StoreConfig};
use tempfile::TempDir;

use crate::audit_log::{proof, receipt};
use crate::hub::{Hub, PROVIDER, Place, claim};

/// How many send at once, and how many messages are acknowledged before a backup begins.
const SENDERS: usize = 8;
const BEFORE: usize = 40;

/// How long the archive of a server may take, and how often it is looked at.
const PATIENCE: u32 = 400;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A folder for backups that the account which runs PostgreSQL may enter, and write to.
fn shelf() -> TempDir {
    let shelf = tempfile::tempdir().unwrap();
    std::fs::set_permissions(shelf.path(), PermissionsExt::from_mode(0o777)).unwrap();
    shelf
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Restores, and gives the exit code and what was told.
fn restore(place: &Place, from: &Path, to: &Path, more: &[&str]) -> (Option<i32>, Value, String) {
    let own = ["restore", "--json", "--from", text(from), "--to", text(to)];
    let output = place.run(&[own.as_slice(), more].concat(), "");
    let told = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told, words)
}

/// Sends claims from all sides until it is told to stop; the ids of those that were taken, in the order of each sender.
struct Traffic {
    stop: Arc<AtomicBool>,
    taken: Arc<std::sync::Mutex<Vec<String>>>,
    senders: Vec<tokio::task::JoinHandle<()>>,
}

impl Traffic {
    fn start(hub: &Arc<Hub>, key: &str) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let taken = Arc::new(std::sync::Mutex::new(Vec::new()));
        let senders = (0..SENDERS).map(|sender| {
            let (hub, key) = (Arc::clone(hub), key.to_owned());
            let (stop, taken) = (Arc::clone(&stop), Arc::clone(&taken));
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let claim = claim(&format!("B-{sender}-{number}"), "MA-2001");
                    let answer = hub.send(Method::POST, "/v1/claims", &key, &claim).await;
                    let id = answer.ok()["id"].as_str().unwrap().to_owned();
                    taken.lock().unwrap().push(id);
                }
            })
        });
        let senders = senders.collect();
        Traffic {
            stop,
            taken,
            senders,
        }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    async fn until(&self, count: usize) -> Vec<String> {
        loop {
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            assert!(!self.senders.iter().any(|sender| sender.is_finished()));
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Stops, and gives all that were taken. Every answer was one.
    async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.unwrap();
        }
        self.taken.lock().unwrap().clone()
    }
}

async fn back_up(hub: &Arc<Hub>, to: &Path, more: &'static [&'static str]) -> Value {
    let (hub, to) = (Arc::clone(hub), to.to_owned());
    let done = tokio::task::spawn_blocking(move || {
        let own = ["backup", "--to", text(&to)];
        hub.place.json(&[own.as_slice(), more].concat())
    });
    done.await.unwrap()
}

/// What makes a hub go on with the keys of a place, on another file.
fn moved(place: &Place, to: &Path) -> Vec<(&'static str, String)> {
    let at = |name: &str| place.path(name).to_str().unwrap().to_owned();
    vec![
        ("TAKMIL_STORE__PATH", text(to).to_owned()),
        ("TAKMIL_STORE__KEY_FILE", at("takmil.member.keys")),
        ("TAKMIL_AUDIT__KEY_FILE", at("takmil.audit.key")),
    ]
}

async fn has_all(hub: &Hub, key: &str, messages: &[String]) {
    for id in messages {
        let way = hub.get(&format!("/v1/messages/{id}"), key).await.ok();
        assert_eq!(way["id"], json!(id));
    }
}

/// A hub that has taken some messages and stopped, and a backup of it, its log with all of them.
async fn backed_up() -> (Place, TempDir, PathBuf, Value) {
    let hub = Arc::new(Hub::start(""));
    let key = hub.place.key(PROVIDER);
    for number in 0..3 {
        let claim = claim(&format!("B-{number}"), "MA-2001");
        let sent = hub.send(Method::POST, "/v1/claims", &key, &claim).await;
        assert!(sent.status.is_success(), "{}", sent.text);
        proof(&hub, &key, &receipt(&sent).leaf).await;
    }
    let shelf = shelf();
    let backup = shelf.path().join("backup");
    let manifest = back_up(&hub, &backup, &[]).await;
    let mut hub = Arc::into_inner(hub).unwrap();
    assert_eq!(hub.stop(), Some(0));
    let place = std::mem::replace(&mut hub.place, Place::new(""));
    (place, shelf, backup, manifest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_is_there_after_a_restore() {
    let hub = Arc::new(Hub::start(""));
    let key = hub.place.key(PROVIDER);
    let traffic = Traffic::start(&hub, &key);
    let before = traffic.until(BEFORE).await;
    let shelf = shelf();
    let backup = shelf.path().join("backup");
    let manifest = back_up(&hub, &backup, &[]).await;
    let during = traffic.taken().len() - before.len();
    let after = traffic.stop().await;
    assert!(during > 0, "the hub goes on while it is backed up");
    assert!(after.len() > before.len() + during, "and afterwards");

    let to = shelf.path().join("restored.db");
    let (code, told, words) = restore(&hub.place, &backup, &to, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(told["is_as_backed_up"], json!(true), "{told}");
    assert_eq!(told["figures"], manifest["figures"]);
    assert_eq!(told["erased_again"], json!(0));
    assert_eq!(told["keys_missing"], json!([]));
    let mut hub = Arc::into_inner(hub).unwrap();
    assert_eq!(hub.stop(), Some(0));
    let environment = moved(&hub.place, &to);
    let mut place = std::mem::replace(&mut hub.place, Place::new(""));
    for (name, value) in environment {
        place = place.and(name, value);
    }
    let restored = Hub::on(place);
    has_all(&restored, &key, &before).await;
    // A repeat of what was there is one, and what is new is taken.
    let again = claim("B-0-0", "MA-2001");
    let again = restored
        .send(Method::POST, "/v1/claims", &key, &again)
        .await;
    assert!(before.iter().any(|id| again.ok()["id"] == json!(id)));
    let fresh = claim("B-fresh", "MA-2001");
    restored
        .send(Method::POST, "/v1/claims", &key, &fresh)
        .await
        .ok();
    let found = restored.place.json(&["doctor"]);
    assert_eq!(found["findings"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_names_the_keys_that_it_needs_and_has_none_of_them() {
    let (place, shelf, backup, manifest) = backed_up().await;
    let member_keys = std::fs::read_to_string(place.path("takmil.member.keys")).unwrap();
    let (_, secret) = member_keys.trim().split_once(' ').unwrap();
    let log_key = std::fs::read_to_string(place.path("takmil.audit.key")).unwrap();
    let tls_key = std::fs::read_to_string(place.path("server.key")).unwrap();
    for file in std::fs::read_dir(&backup).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for key in [secret, log_key.trim(), tls_key.trim()] {
            let key = key.as_bytes();
            assert!(!bytes.windows(key.len()).any(|some| some == key));
        }
    }
    let named = manifest["keys"].as_array().unwrap();
    let uses: Vec<_> = named
        .iter()
        .map(|key| key["what"].as_str().unwrap())
        .collect();
    assert_eq!(uses, ["members", "tls", "log"]);

    // Without the members' key nothing is restored; without the log's it is, and it is said that no hub starts.
    let to = shelf.path().join("restored.db");
    let moved_key = place.path("elsewhere");
    std::fs::rename(place.path("takmil.audit.key"), &moved_key).unwrap();
    let (code, told, words) = restore(&place, &backup, &to, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(told["keys_missing"][0]["what"], json!("log"));
    std::fs::remove_file(&to).unwrap();
    std::fs::remove_file(place.path("takmil.member.keys")).unwrap();
    let (code, _, words) = restore(&place, &backup, &to, &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("has not the members' key 1 "), "{words}");
    assert!(!place.path("takmil.member.keys").exists(), "none was made");
    assert!(!to.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_byte_is_found_and_a_place_that_is_not_empty_refused() {
    let (place, shelf, backup, _) = backed_up().await;
    let to = shelf.path().join("restored.db");
    for name in ["takmil.db", "manifest.json", "manifest.json.sha256"] {
        let path = backup.join(name);
        let sound = std::fs::read(&path).unwrap();
        let mut changed = sound.clone();
        // Of the digest's file a byte of the digest itself.
        let at = if name.ends_with("sha256") {
            7
        } else {
            sound.len() / 2
        };
        changed[at] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let (code, _, words) = restore(&place, &backup, &to, &[]);
        assert_eq!(code, Some(1), "{name}: {words}");
        assert!(words.contains("was changed"), "{name}: {words}");
        assert!(!to.exists(), "{name}");
        std::fs::remove_file(&path).unwrap();
        let (code, ..) = restore(&place, &backup, &to, &[]);
        assert_eq!(code, Some(1), "without {name}");
        std::fs::write(&path, sound).unwrap();
    }
    let there = [
        (place.path("takmil.db"), to.clone()),
        (
            place.path("takmil.db"),
            shelf.path().join("restored.db-wal"),
        ),
    ];
    for (_, holds) in &there {
        std::fs::write(holds, "mine").unwrap();
        let (code, _, words) = restore(&place, &backup, &to, &[]);
        assert_eq!(code, Some(1));
        assert!(words.contains("already"), "{words}");
        assert_eq!(std::fs::read_to_string(holds).unwrap(), "mine");
        std::fs::remove_file(holds).unwrap();
    }
    let again = place.run(&["backup", "--to", text(&backup)], "");
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let (code, _, words) = restore(&place, &backup, &to, &[]);
    assert_eq!(code, Some(0), "{words}");
    let left: Vec<_> = std::fs::read_dir(shelf.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "the backup, and what was restored: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_shorter_than_what_was_seen_is_told() {
    let (place, shelf, backup, manifest) = backed_up().await;
    let size = manifest["figures"]["log"]["size"].as_u64().unwrap();
    let table = [(size - 1, 0), (size, 0), (size + 3, 3)];
    for (seen, missing) in table {
        let to = shelf.path().join(format!("seen-{seen}.db"));
        let (code, told, words) = restore(&place, &backup, &to, &["--seen", &seen.to_string()]);
        assert_eq!(code, Some(i32::from(missing > 0)), "{words}");
        assert_eq!(told["missing_entries"], json!(missing));
        assert_eq!(told["figures"]["log"]["size"], json!(size));
        let next = told["next"].to_string();
        assert_eq!(next.contains("[audit] origin"), missing > 0, "{next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_which_others_have_seen_more_goes_on_under_a_new_name_alone() {
    let (place, shelf, backup, manifest) = backed_up().await;
    let size = manifest["figures"]["log"]["size"].as_u64().unwrap();
    let to = shelf.path().join("restored.db");
    let seen = (size + 2).to_string();
    let (code, told, words) = restore(&place, &backup, &to, &["--seen", &seen, "--new-log"]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(told["log_ended"], json!(true));
    let log_key = shelf.path().join("new.key");
    let origin = [
        "audit",
        "key",
        text(&log_key),
        "--origin",
        "hub.example/second",
    ];
    let policy = place.json(&origin)["policy"].clone();
    let mut place = place;
    for (name, value) in moved(&place, &to) {
        let is_log = name.contains("AUDIT");
        place = place.and(
            name,
            if is_log {
                text(&log_key).to_owned()
            } else {
                value
            },
        );
    }
    let key = place.key(PROVIDER);
    let mut hub = Hub::on(place);
    let fresh = claim("B-new", "MA-2001");
    hub.send(Method::POST, "/v1/claims", &key, &fresh)
        .await
        .ok();
    assert_eq!(hub.stop(), Some(0));
    let (export, policy_file) = (shelf.path().join("log"), shelf.path().join("policy"));
    std::fs::write(&policy_file, policy.as_str().unwrap()).unwrap();
    let exported = hub.place.json(&["audit", "export", "--to", text(&export)]);
    let verify = [
        "audit",
        "verify",
        text(&export),
        "--json",
        "--key",
        text(&policy_file),
    ];
    let verdict: Value = serde_json::from_slice(&crate::hub::run(&verify, "").stdout).unwrap();
    assert_eq!(verdict["verdict"], json!("sound"), "{verdict}");
    assert_eq!(verdict["origin"], json!("hub.example/second"));
    assert!(exported["size"].as_u64().unwrap() >= size, "{exported}");
}

/// The hub's id of a member.
async fn member(place: &Place, value: &str) -> MemberId {
    let keys = FileKeys::read(
        &place.path("takmil.member.keys"),
        place.path("takmil.member.keys.erased"),
    );
    let config = StoreConfig {
        place: StorePlace::File(place.path("takmil.db")),
        readers: 1,
        random: Arc::new(rand::random),
        keys: Arc::new(keys.unwrap()),
    };
    let store = Store::open(&config).await.unwrap();
    let asked = Identifier {
        system: "urn:takmil:sample:member".to_owned(),
        value: value.to_owned(),
    };
    let found = store.resolve_member(&[asked]).await.unwrap();
    store.close().await;
    match found {
        Resolution::Known(member) => member,
        other => panic!("{value}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_after_a_backup_is_erased_again_by_the_restore() {
    let (place, shelf, backup, _) = backed_up().await;
    let erased = member(&place, "MA-2002").await.0.to_string();
    place.json(&["member", "erase", &erased]);
    let to = shelf.path().join("restored.db");
    let (code, told, words) = restore(&place, &backup, &to, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(told["erased_again"], json!(1));
    // A later backup knows of it; a list that does not is not the list.
    let later = shelf.path().join("later");
    place.json(&["backup", "--to", text(&later)]);
    std::fs::remove_file(place.path("takmil.member.keys.erased")).unwrap();
    let again = shelf.path().join("again.db");
    let (code, _, words) = restore(&place, &later, &again, &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("names 0 erased members"), "{words}");
    assert!(!again.exists());
}

fn psql(server: &Postgres, statement: &str) -> String {
    server.sql("postgres", statement).unwrap()
}

/// Waits until everything that was written so far is in the archive.
fn archived(server: &Postgres) {
    let segment = psql(server, "select pg_walfile_name(pg_current_wal_lsn())");
    psql(server, "select pg_switch_wal()");
    for _ in 0..PATIENCE {
        let last = psql(
            server,
            "select coalesce(max(last_archived_wal), '') from pg_stat_archiver",
        );
        if last >= segment {
            return;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    panic!("{segment} is not archived");
}

fn output(place: &Place, arguments: &[&str]) -> Output {
    place.run(arguments, "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_put_back_as_backed_up_and_to_a_point_in_time() {
    let shelf = shelf();
    let archive = shelf.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    std::fs::set_permissions(&archive, PermissionsExt::from_mode(0o777)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/postgres/archive.sh");
    // The account that runs the server may not enter the folder of the sources.
    let own = shelf.path().join("archive.sh");
    std::fs::copy(script, &own).unwrap();
    let command = format!("{} %p %f {}", text(&own), text(&archive));
    let started = tokio::task::spawn_blocking(move || {
        let server = Postgres::start().unwrap();
        psql(&server, "alter system set archive_mode = 'on'");
        psql(
            &server,
            &format!("alter system set archive_command = '{command}'"),
        );
        server.kill().unwrap();
        server.revive().unwrap();
        server.create("backed", "template1").unwrap();
        let place = Place::new("").and("TAKMIL_DATABASE_URL", server.url("backed"));
        let place = place.and("PGUSER", "postgres".to_owned());
        place.fill();
        (server, Hub::on(place))
    });
    let (server, hub) = started.await.unwrap();
    let hub = Arc::new(hub);
    let key = hub.place.key(PROVIDER);
    let traffic = Traffic::start(&hub, &key);
    let before = traffic.until(BEFORE).await;
    let backup = shelf.path().join("backup");
    let manifest = back_up(&hub, &backup, &[]).await;
    let count = traffic.taken().len();
    traffic.until(count + BEFORE).await;
    let until = traffic.stop().await;
    let moment = psql(&server, "select clock_timestamp()");
    let later = claim("B-later", "MA-2001");
    let later = hub
        .send(Method::POST, "/v1/claims", &key, &later)
        .await
        .ok();
    archived(&server);

    // As backed up, figure for figure.
    let to = shelf.path().join("as-backed-up");
    let (code, told, words) = restore(&hub.place, &backup, &to, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(told["is_as_backed_up"], json!(true));
    assert_eq!(told["figures"], manifest["figures"]);
    let rows = |told: &Value| told["figures"]["rows"]["message"].as_u64().unwrap();
    assert!(rows(&told) >= u64::try_from(before.len()).unwrap());
    assert!(!to.join("recovery.signal").exists());

    // To the moment between two messages, and as far as the archive goes.
    let archived = ["--archive", text(&archive), "--at"];
    for (at, count) in [(moment.as_str(), until.len()), ("latest", until.len() + 1)] {
        let to = shelf.path().join(format!("at-{count}"));
        let more = [archived.as_slice(), &[at]].concat();
        let (code, told, words) = restore(&hub.place, &backup, &to, &more);
        assert_eq!(code, Some(0), "{at}: {words}");
        assert_eq!(told["is_as_backed_up"], json!(false));
        assert_eq!(rows(&told), u64::try_from(count).unwrap(), "{at}");
        assert_eq!(told["figures"]["ledger"]["differences"], json!(0));
    }
    assert!(later["id"].is_string());

    // A moment that the archive does not reach is no moment to stop at.
    let to = shelf.path().join("beyond");
    let more = [archived.as_slice(), &["2999-01-01 00:00:00+00"]].concat();
    let (code, _, words) = restore(&hub.place, &backup, &to, &more);
    assert_eq!(code, Some(3), "{words}");
    assert!(
        words.contains("before configured recovery target"),
        "{words}"
    );
    assert!(!to.exists());

    let path = backup.join("base/base.tar");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, _, words) = restore(&hub.place, &backup, &to, &[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("base/base.tar was changed"), "{words}");
    let usage = output(
        &hub.place,
        &["restore", "--from", "a", "--to", "b", "--at", "latest"],
    );
    assert_eq!(usage.status.code(), Some(2), "a moment needs an archive");
}
