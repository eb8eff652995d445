//! HL7 v2 through the public face: real senders' messages, and ours in every dress.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use takmil_domain::message::{Body, Kind, Message, Relation};
use takmil_domain::money::Currency;
use takmil_domain::problem::ProblemCode;
use takmil_formats::{Context, FORMATS, Format, Reading, read, recognise};

fn context() -> Context {
    Context {
        default_currency: Currency::parse("USD"),
        ..crate::context()
    }
}

fn hl7v2() -> &'static Format {
    FORMATS
        .iter()
        .find(|format| format.name == "hl7v2")
        .unwrap()
}

/// The corpus' messages, by path. They lie outside the repo, in the folder that `TAKMIL_CORPUS` names.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS") else {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
        return Vec::new();
    };
    let mut files = Vec::new();
    for folder in ["hl7v2-lfh", "hl7v2-ms-converter", "healthsim-doc-samples"] {
        for entry in std::fs::read_dir(Path::new(&root).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|own| own == "hl7") {
                files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(files.len() > 90, "the corpus is not whole");
    files
}

/// Type and event of a body's first message, split by hand.
fn kind(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    let header = text.split(['\r', '\n']).next().unwrap_or_default();
    let parts: Vec<&str> = header.split('|').collect();
    let named = parts.get(8).copied().unwrap_or_default();
    named.split('^').take(2).collect::<Vec<_>>().join("^")
}

#[test]
fn the_messages_of_real_senders_are_read() {
    let mut table: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut refused = Vec::new();
    for (path, body) in corpus() {
        assert_eq!(recognise(None, &body).unwrap().name, "hl7v2", "{path}");
        let reading = read(hl7v2(), &body, &context());
        let row = table.entry(kind(&body)).or_default();
        row.1 += 1;
        let messages = reading.map(|reading| reading.messages).unwrap_or_default();
        let is_read = !messages.is_empty() && messages.iter().all(|read| read.outcome.is_ok());
        row.0 += u32::from(is_read);
        if !is_read {
            let problems: Vec<String> = messages
                .iter()
                .filter_map(|read| read.outcome.as_ref().err())
                .flatten()
                .map(ToString::to_string)
                .collect();
            refused.push(format!("{path} {}: {problems:?}", kind(&body)));
        }
    }
    for (kind, (read, all)) in &table {
        println!("{kind}: {read} of {all}");
    }
    println!("{}", refused.join("\n"));
}
