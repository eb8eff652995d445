//! Every sample of a format, read and compared with what it was read as when a person last looked at it.
//! `UPDATE_GOLDEN=1` writes the results anew.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use takmil_domain::money::Currency;
use takmil_domain::problem::Problem;
use takmil_formats::{Context, HISTORIES, Read, Reading, read, recognise};

/// What a body was read as.
fn shown(result: &Result<Reading, Problem>) -> Value {
    let message = |read: &Read| match &read.outcome {
        Ok(message) => json!({"place": read.place, "message": message}),
        Err(problems) => json!({"place": read.place, "problems": problems}),
    };
    match result {
        Ok(reading) => {
            let messages: Vec<Value> = reading.messages.iter().map(message).collect();
            json!({"messages": messages, "unread": reading.unread})
        }
        Err(problem) => json!({ "problem": problem }),
    }
}

fn samples(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && !path.to_string_lossy().ends_with(".out.json"))
        .collect();
    paths.sort();
    paths
}

fn check_samples(format: &str, least: usize, context: &Context) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let bless = std::env::var_os("UPDATE_GOLDEN").is_some();
    let history = HISTORIES.iter().find(|own| own.name == format);
    let folder = folder.join(format);
    let samples = samples(&match history {
        Some(_) => folder.join("history"),
        None => folder,
    });
    assert!(samples.len() >= least, "samples are missing");
    for path in samples {
        let body = std::fs::read(&path).unwrap();
        let known = recognise(None, &body).or(history).unwrap();
        assert!((known.recognise)(&body), "{}", path.display());
        assert_eq!(known.name, format, "{}", path.display());
        let result = read(known, &body, context);
        let text = format!(
            "{}\n",
            serde_json::to_string_pretty(&shown(&result)).unwrap()
        );
        let golden = path.with_extension("out.json");
        if bless {
            std::fs::write(&golden, text).unwrap();
        } else {
            let expected = std::fs::read_to_string(&golden).unwrap();
            assert_eq!(text, expected, "{}", path.display());
        }
    }
}

#[test]
fn every_native_sample_is_read_as_before() {
    check_samples("native", 10, &crate::context());
}

#[test]
fn every_hl7_v2_sample_is_read_as_before() {
    let context = Context {
        default_currency: Currency::parse("MAD"),
        ..crate::context()
    };
    check_samples("hl7v2", 6, &context);
}

#[test]
fn every_sample_of_the_emirates_is_read_as_before() {
    check_samples("uae", 4, &crate::context());
}

#[test]
fn every_sheet_is_read_as_before() {
    check_samples("sheet", 3, &crate::context());
}

#[test]
fn every_sample_of_irans_health_record_is_read_as_before() {
    check_samples("sepas", 4, &crate::context());
}

#[test]
fn every_pharmacys_transaction_is_read_as_before() {
    check_samples("ncpdp", 3, &crate::context());
}

#[test]
fn every_x12_sample_is_read_as_before() {
    let context = Context {
        default_currency: Currency::parse("USD"),
        ..crate::context()
    };
    check_samples("x12", 2, &context);
}

#[test]
fn every_table_of_the_past_is_read_as_before() {
    check_samples("rows", 4, &crate::context());
}

#[test]
fn every_composition_is_read_as_before() {
    check_samples("openehr", 5, &crate::context());
}

#[test]
fn every_extract_of_a_record_is_read_as_before() {
    check_samples("en13606", 3, &crate::context());
}
