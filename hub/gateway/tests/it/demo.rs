//! `takmil demo`: what it shows adds up, and is what the published examples say.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs the demonstration to its end, and reads the object that it prints.
fn demo(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takmil"));
    let output = command
        .args(["demo", "--once", "--json"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value, pointer: &str) -> i64 {
    let found = value.pointer(pointer).and_then(Value::as_i64);
    found.unwrap_or_else(|| panic!("no number at {pointer}"))
}

fn sum(counts: &Value) -> i64 {
    let counts = counts.as_object().unwrap().values();
    counts.map(|count| count.as_i64().unwrap()).sum()
}

fn rows(shown: &Value) -> &[Value] {
    shown["rows"].as_array().unwrap()
}

fn row<'a>(shown: &'a Value, title: &str) -> &'a Value {
    let found = rows(shown).iter().find(|row| row["title"] == title);
    found.unwrap_or_else(|| panic!("no row {title}"))
}

/// What holds of every run, whatever was sent.
fn adds_up(shown: &Value) {
    let (messages, accepted) = (number(shown, "/messages"), number(shown, "/accepted"));
    assert_eq!(accepted + number(shown, "/refused"), messages);
    assert_eq!(rows(shown).len() as i64, messages);
    assert_eq!(sum(&shown["formats"]), messages);
    assert_eq!(sum(&shown["decided_by"]), accepted);
    for row in rows(shown).iter().filter(|row| row.get("billed").is_some()) {
        let parts = ["/base", "/supplementary", "/written_off", "/member"];
        let parts: i64 = parts.iter().map(|part| number(row, part)).sum();
        assert_eq!(parts, number(row, "/billed"), "{row}");
    }
    assert_eq!(shown["race"]["exact"], true, "{}", shown["race"]);
    assert_eq!(shown["outage"]["whole"], true, "{}", shown["outage"]);
    assert_eq!(shown["ledger"]["sound"], true, "{}", shown["ledger"]);
    for insurer in shown["insurers"].as_array().unwrap() {
        let told = ["waiting", "out_of_order"].map(|what| number(insurer, &format!("/{what}")));
        assert_eq!(told, [0, 0], "{insurer}");
        assert_eq!(insurer["owed"], insurer["received"], "{insurer}");
    }
}

#[test]
fn every_message_that_is_taken_reaches_its_insurer_and_every_figure_adds_up() {
    let shown = demo(&[]);
    adds_up(&shown);
    assert_eq!(shown["delivered"], shown["accepted"]);
    assert!(rows(&shown).len() >= 16);
    assert!(shown["formats"].as_object().unwrap().len() >= 4);

    let check = |title: &str, billed, base, supplementary, member| {
        let parts = ["/billed", "/base", "/supplementary", "/member"];
        let parts = parts.map(|part| number(row(&shown, title), part));
        assert_eq!(parts, [billed, base, supplementary, member], "{title}");
    };
    check("Visit at the state tariff", 115_000, 80_500, 34_500, 0);
    check(
        "Three operations, one ceiling",
        175_000_000,
        48_500_000,
        120_000_000,
        6_500_000,
    );
    check("Brand at its generic's price", 18_000, 6_685, 1_910, 9_405);
    check(
        "Stay without leave: penalty",
        25_000_000,
        0,
        20_000_000,
        5_000_000,
    );
    check("The stay, with that leave", 25_000_000, 0, 25_000_000, 0);

    let first = row(&shown, "The drugs, one an imported brand");
    let again = row(&shown, "The same again: the line had dropped");
    assert_eq!(first["message"], again["message"]);
    assert_eq!(
        (&first["repeated"], &again["repeated"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    let pended = row(&shown, "Operation without leave: pended");
    assert_eq!(
        (&pended["decided_by"], &pended["later"]),
        (&"pended".into(), &"insurer".into())
    );

    let refused = |title: &str, code: &str, place: &str| {
        let refused = &row(&shown, title)["refused"];
        assert!(
            refused["code"].as_str().unwrap().starts_with(code),
            "{title}: {refused}"
        );
        assert!(
            refused["place"].as_str().unwrap().contains(place),
            "{title}: {refused}"
        );
    };
    refused("Other contents under that number", "API-CHANGED", "");
    refused(
        "Ends before it starts",
        "VAL-DATE-ORDER",
        "/claim/bill/encounter/period/end",
    );
    refused("No patient, no such status", "VAL-", "Claim");

    let down = &shown["outage"]["answers"]["down"];
    assert!(
        number(down, "/stand_in") > 0 && number(down, "/pended") > 0,
        "{down}"
    );
    assert!(number(&shown, "/outage/most_waiting") > 0);
}

/// What holds of a folder that was sent.
fn folder_is_whole(shown: &Value) {
    adds_up(shown);
    let corpus = &shown["corpus"];
    let (accepted, delivered) = (number(corpus, "/accepted"), number(corpus, "/delivered"));
    assert!(delivered > 0, "{corpus}");
    assert_eq!(delivered + sum(&corpus["for_nobody"]), accepted, "{corpus}");
    assert_eq!(
        accepted + sum(&corpus["refused"]),
        number(corpus, "/messages"),
        "{corpus}"
    );
    assert_eq!(corpus["unaccounted"], 0, "{corpus}");
}

#[test]
fn a_folder_of_messages_is_sent_as_well() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../adapters/formats/samples");
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().join("run");
    let shown = demo(&[
        "--corpus",
        samples.to_str().unwrap(),
        "--data",
        kept.to_str().unwrap(),
    ]);
    folder_is_whole(&shown);
    for left in [
        "takmil.db",
        "ca.pem",
        "hub.log",
        "insurers/sample-grpc.ndjson",
    ] {
        assert!(kept.join(left).is_file(), "{left}");
    }
}

#[test]
fn other_peoples_messages_reach_an_insurer() {
    let Some(corpus) = std::env::var_os("TAKMIL_CORPUS") else {
        eprintln!(
            "SKIPPED: the messages of other systems; set TAKMIL_CORPUS to the folder that holds them"
        );
        return;
    };
    for source in ["davinci-prior-auth-ri", "nrces-nhcx-india"] {
        let folder = Path::new(&corpus).join(source);
        folder_is_whole(&demo(&["--corpus", folder.to_str().unwrap()]));
    }
}

#[test]
fn a_folder_that_is_not_there_is_wrong_usage() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takmil"));
    let output = command
        .args(["demo", "--once", "--corpus", "/no/such/folder"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}
