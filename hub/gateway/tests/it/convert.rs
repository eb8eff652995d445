//! `takmil convert` by its contract: one line of JSON for each message, in the order of the files, and what the
//! exit means.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

use crate::hub::{claim, run};

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn folders_packed_files_and_standard_input_become_lines_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("a.json", claim("1", "M-1").to_string().as_bytes());
    write(
        "b/c.json.gz",
        &packed(&json!([claim("2", "M-1"), {"kind": "claim"}]).to_string()),
    );
    write("d.txt", b"not a message");
    write("e.json.gz", &packed("{")[..12]);
    let output = run(&["convert", folder.path().to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1), "some input was refused");
    assert!(output.stderr.is_empty(), "no progress where nobody watches");
    let shown: Vec<_> = lines(&output)
        .into_iter()
        .map(|line| {
            let path = Path::new(line["path"].as_str().unwrap())
                .strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string();
            let what = line["kind"]
                .as_str()
                .or(line["problem"]["code"].as_str())
                .unwrap()
                .to_owned();
            (path, line["format"].clone(), what)
        })
        .collect();
    let expected = [
        ("a.json", json!("native"), "claim"),
        ("b/c.json.gz", json!("native"), "claim"),
        ("b/c.json.gz", json!("native"), "VAL-MISSING"),
        ("d.txt", Value::Null, "FMT-UNKNOWN"),
        ("e.json.gz", Value::Null, "FMT-MALFORMED"),
    ];
    assert_eq!(
        shown,
        expected.map(|(path, format, what)| (path.to_owned(), format, what.to_owned()))
    );

    let output = run(&["convert", "-", "--json"], &claim("3", "M-1").to_string());
    assert_eq!(output.status.code(), Some(0));
    let line = &lines(&output)[0];
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["path", "format", "kind", "message"]);
    assert_eq!(
        (&line["path"], &line["message"]["identifiers"][0]["value"]),
        (&json!("-"), &json!("3"))
    );
}

#[test]
fn the_exit_says_what_went_wrong() {
    let check = |arguments: &[&str], code: i32| {
        let output = run(arguments, "{}");
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    check(&["convert"], 2);
    check(&["convert", "-", "--from", "morse"], 2);
    check(&["convert", "-", "--to", "morse"], 2);
    check(&["convert", "-", "--currency", "MORSE"], 2);
    check(&["convert", "/nowhere/at/all"], 3);
    check(&["convert", "-", "--from", "native"], 1);
}

#[test]
fn amounts_are_of_the_currency_that_is_agreed_where_the_message_names_none() {
    let mut bill = claim("3", "M-1");
    bill.as_object_mut().unwrap().remove("currency");
    let refused = run(&["convert", "-"], &bill.to_string());
    assert_eq!(lines(&refused)[0]["problem"]["code"], "VAL-CURRENCY");
    let told = run(&["convert", "-", "--currency", "MAD"], &bill.to_string());
    assert_eq!(lines(&told)[0]["message"]["currency"], "MAD");
}

/// What is larger than a body may be is read as it comes, from a file, packed or not, and from standard input.
#[test]
fn a_file_of_any_size_is_read_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let sample = "../../adapters/formats/samples/x12/claims-houston-professional.x12";
    let sample = std::fs::read_to_string(sample).unwrap();
    let at_once = run(&["convert", "-"], &sample);
    let told = |output: &std::process::Output| -> Vec<Value> {
        let mut told = lines(output);
        for line in &mut told {
            line.as_object_mut().unwrap().remove("path");
        }
        told
    };
    let expected = told(&at_once);
    assert!(expected.iter().any(|line| line.get("message").is_some()));
    // Blanks between segments mean nothing, however many they are.
    let (first, rest) = sample.split_once("GS*").unwrap();
    let large = format!("{first}{}GS*{rest}", " ".repeat(17 * 1024 * 1024));
    let plain = folder.path().join("large.x12");
    std::fs::write(&plain, &large).unwrap();
    let gzip = folder.path().join("large.x12.gz");
    std::fs::write(&gzip, packed(&large)).unwrap();
    for path in [&plain, &gzip] {
        let output = run(&["convert", path.to_str().unwrap()], "");
        assert_eq!(output.status.code(), at_once.status.code());
        assert_eq!(told(&output), expected);
    }
    assert_eq!(told(&run(&["convert", "-"], &large)), expected);
    let message = claim("3", "M-1").to_string();
    let many = [&*message, &*message].join(&"\n".repeat(17 * 1024 * 1024));
    let output = run(&["convert", "-"], &many);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(lines(&output).len(), 2);
    // No list is read so: it is refused as any body is.
    let list = folder.path().join("list.json");
    let blanks = " ".repeat(17 * 1024 * 1024);
    std::fs::write(&list, format!("[{message}{blanks}]")).unwrap();
    let output = run(&["convert", list.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_message_is_written_in_another_format_with_what_that_cannot_say() {
    let mut bill = claim("1", "M-1");
    bill["provider"] = json!({"name": "A clinic"});
    let output = run(&["convert", "--to", "sheet", "-"], &bill.to_string());
    assert_eq!(output.status.code(), Some(0));
    let lines = lines(&output);
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&line["kind"], &line["to"]),
        (&json!("claim"), &json!("sheet"))
    );
    assert!(
        line["message"].as_str().unwrap().starts_with("bill,kind,"),
        "{line}"
    );
    assert_eq!(line["unsaid"], json!(["/occurred_on", "/provider"]));
    assert_eq!(line["added"], json!([]));
    let order = json!({"kind": "cancel", "member": bill["member"], "correlates": [
        {"relation": "cancels", "identifier": bill["identifiers"][0]}], "cancel": {}});
    let output = run(&["convert", "--to", "sheet", "-"], &order.to_string());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("FMT-KIND"));
    let unknown = run(&["convert", "--to", "uae", "-"], "");
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn the_corpus_becomes_messages_with_no_panic() {
    let Ok(corpus) = std::env::var("TAKMIL_CORPUS") else {
        eprintln!(
            "SKIPPED: TAKMIL_CORPUS does not say where the corpus is; nothing of it was converted"
        );
        return;
    };
    let output = run(&["convert", &corpus], "");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = lines(&output);
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|line| line["kind"] == json!(kind))
            .count()
    };
    assert!(
        of("claim") > 300
            && of("prescription") > 200
            && of("dispense") > 100
            && of("eligibility") > 5
    );
}

#[test]
fn a_report_counts_each_folder_and_kind_and_what_their_messages_say() {
    let samples = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../adapters/formats/samples"
    );
    let folder = tempfile::tempdir().unwrap();
    let put = |sender: &str, name: &str| {
        let case = folder.path().join(sender).join("case");
        std::fs::create_dir_all(&case).unwrap();
        let sample = Path::new(samples).join("fhir").join(name);
        std::fs::copy(sample, case.join(name)).unwrap();
    };
    put("shiraz", "claim-shiraz-pharmacy.json");
    put("rabat", "claims-with-bad-ones.json");
    let output = run(
        &["convert", "--report", folder.path().to_str().unwrap()],
        "",
    );
    assert_eq!(output.status.code(), Some(1), "some input was refused");
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(&rows[0][..4], ["folder", "kind", "messages", "read"]);
    let shiraz = rows.iter().find(|row| row[0] == "shiraz").unwrap();
    assert_eq!(&shiraz[..4], ["shiraz", "Claim", "1", "1"]);
    assert!(
        shiraz[4..].iter().all(|share| *share == "100.00"),
        "{table}"
    );
    let rabat = rows.iter().find(|row| row[0] == "rabat").unwrap();
    let (messages, read): (u32, u32) = (rabat[2].parse().unwrap(), rabat[3].parse().unwrap());
    assert!(
        read > 0 && read < messages && rabat[4].starts_with("VAL-"),
        "{table}"
    );
}

#[test]
fn tables_of_the_past_are_recognised_as_history_and_refused_by_line_and_column() {
    let samples = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../adapters/formats/samples/rows/history"
    );
    let file = |name: &str| format!("{samples}/{name}");
    let (text, elements) = (
        file("carrier-public-use.csv"),
        file("inpatient-partner.xml"),
    );
    let (claims, warehouse) = (
        file("outpatient-claims-file.csv"),
        file("professional-warehouse.json"),
    );
    let all = ["convert", &text, &elements, &claims, &warehouse];
    let output = run(&all, "");
    assert_eq!(output.status.code(), Some(1));
    let found = lines(&output);
    assert!(found.iter().all(|line| line["format"] == json!("rows")));
    let wrong: Vec<&Value> = found.iter().map(|line| &line["problem"]).collect();
    let wrong: Vec<&&Value> = wrong.iter().filter(|problem| !problem.is_null()).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0]["pointer"], json!("/5/CLM_FROM_DT"));
    assert_eq!(found.len(), 7);
    let named = run(&["convert", "--from", "rows", &claims], "");
    assert_eq!(named.status.code(), Some(0));
    let alone: Vec<Value> = found
        .into_iter()
        .filter(|line| line["path"] == json!(claims))
        .collect();
    assert_eq!(lines(&named), alone);
    let table = run(&["convert", "--report", &claims], "");
    assert!(String::from_utf8_lossy(&table.stdout).contains("100.00"));
}
