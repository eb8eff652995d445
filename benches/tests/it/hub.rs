//! The whole command on the real hub, as small as it goes: that every figure is there, and that what was sent was
//! decided and adds up. How large the figures are is nobody's business here.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const SMALL: &[&str] = &[
    "--members",
    "20",
    "--connections",
    "1,4",
    "--seconds",
    "1",
    "--warm-up",
    "0",
    "--json",
];

/// The hub's binary beside the generator's: tests of the whole workspace have made it, others have to.
fn hub() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_takmil-load"));
    let hub = own.with_file_name("takmil");
    if !hub.is_file() {
        let mut build = Command::new(env!("CARGO"));
        let built = build.args(["build", "--locked", "-p", "takmil"]).status();
        assert!(
            built.unwrap().success() && hub.is_file(),
            "the hub is built"
        );
    }
    hub
}

fn load(words: &[&str]) -> Output {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // PostgreSQL's own account passes through.
    std::fs::set_permissions(&folder, Permissions::from_mode(0o711)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_takmil-load"))
        .args(words)
        .args(SMALL)
        .arg("--hub-binary")
        .arg(hub())
        .arg("--folder")
        .arg(folder.path())
        .output()
        .unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
    output
}

/// What a run told; `None` where there is no PostgreSQL on this machine.
fn told(words: &[&str]) -> Option<Value> {
    let output = load(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("there is no PostgreSQL on this machine") {
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn number(of: &Value, pointer: &str) -> u64 {
    let found = of.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("{pointer} is missing in {of}"))
}

fn rows<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of[name].as_array().unwrap()
}

/// What holds of the load on either store.
fn check(report: &Value) {
    let runs = rows(report, "runs");
    let names: Vec<_> = runs
        .iter()
        .map(|run| run["what"].as_str().unwrap())
        .collect();
    let expected = ["admissions", "admissions", "half_rate", "fhir", "stays"];
    assert_eq!(names, expected);
    for run in runs {
        assert!(number(run, "/answers") > 0 && number(run, "/cost/hub_cpu_us") > 0);
        assert!(number(run, "/cost/turns_per_thousand") > 0);
        assert!(number(run, "/latency_us/p50") <= number(run, "/latency_us/p99_9"));
    }
    let reached = runs[..2].iter().map(|run| number(run, "/per_second"));
    let best = reached.max().unwrap();
    assert_eq!(number(report, "/ratios/best_per_second"), best);
    assert_eq!(number(&runs[2], "/rate"), (best / 2).max(1));
    let kinds = runs[4]["kinds"].as_object().unwrap();
    assert!(
        ["check", "admission", "read", "claim"]
            .iter()
            .all(|kind| kinds.contains_key(*kind))
    );
    assert_eq!(number(report, "/answered"), number(report, "/decided"));
    assert_eq!(report["checkup"]["is_well"], true);
    assert!(number(report, "/idle/hub_kib") > 0);
    let sqlite = rows(&report["ceilings"], "sqlite");
    assert_eq!(sqlite.len(), 2);
    assert!(number(report, "/ceilings/fdatasync/per_second") > 0);
    assert!(number(report, "/ratios/single_p50_of_fdatasync") > 0);
}

#[test]
fn the_load_on_sqlite_tells_every_figure_and_adds_up() {
    let report = told(&["--mix"]).unwrap();
    check(&report);
    assert!(report["runs"][0]["cost"].get("database_cpu_us").is_none());
}

#[test]
fn the_load_on_postgresql_counts_what_the_server_does() {
    let Some(report) = told(&["--mix", "--deliver", "--store", "postgres"]) else {
        return;
    };
    check(&report);
    for run in rows(&report, "runs") {
        let parts = number(run, "/cost/hub_cpu_us") + number(run, "/cost/database_cpu_us");
        assert!(number(run, "/cost/database_cpu_us") > 0);
        assert_eq!(number(run, "/cost/cpu_us"), parts);
        assert!(number(run, "/cost/database_resident_kib") > 0);
    }
    assert!(number(&report, "/ceilings/pgbench/per_second") > 0);
    assert!(number(&report, "/ratios/of_pgbench") > 0);
}

/// More stays than there are members: each is said again more than once.
#[test]
fn a_past_is_added_and_the_hubs_own_check_finds_nothing_wrong_with_it() {
    for store in ["sqlite", "postgres"] {
        let words = ["growth", "--history", "0,2200", "--store", store];
        let Some(report) = told(&words) else { continue };
        let levels = rows(&report, "levels");
        let held: Vec<_> = levels
            .iter()
            .map(|level| number(level, "/history"))
            .collect();
        assert_eq!(held, [0, 2_200]);
        let [before, after] = [0, 1].map(|at| number(&levels[at], "/disk_bytes"));
        assert!(after > before + 2_200 * 1_000, "{store}: {before}, {after}");
        assert_eq!(report["checkup"]["is_well"], true);
    }
}

#[test]
fn a_backlog_reaches_an_insurer_over_either_wire_once_and_in_order() {
    let report = told(&["route", "--rate", "20"]).unwrap();
    let wires = rows(&report, "wires");
    let names: Vec<_> = wires.iter().map(|own| own["wire"].as_str()).collect();
    assert_eq!(names, [Some("grpc"), Some("rest")]);
    for own in wires {
        assert!(number(own, "/backlog") > 0 && number(own, "/per_second") > 0);
        assert_eq!(number(own, "/repeats") + number(own, "/out_of_order"), 0);
        assert_eq!(number(own, "/load/rate"), 20);
        assert_eq!(own["checkup"]["is_well"], true);
    }
}

#[test]
fn where_the_fhir_store_is_missing_it_is_said_how_to_get_it() {
    let output = load(&["helios", "--helios-binary", "no/such/hfs"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        said.contains("cargo install helios-hfs --version"),
        "{said}"
    );
}
