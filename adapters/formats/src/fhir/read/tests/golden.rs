//! The samples of this repo, each compared with what it was read as when a person last looked at it.
//! `UPDATE_GOLDEN=1` writes the results anew.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What a body is read as.
fn shown(body: &[u8]) -> Value {
    let reading = match crate::read(&crate::fhir::FORMAT, body, &super::context()) {
        Ok(reading) => reading,
        Err(problem) => return json!({ "problem": problem }),
    };
    let messages: Vec<Value> = reading
        .messages
        .iter()
        .map(|read| match &read.outcome {
            Ok(message) => json!({"place": read.place, "message": message}),
            Err(problems) => json!({"place": read.place, "problems": problems}),
        })
        .collect();
    json!({"messages": messages, "unread": reading.unread})
}

#[test]
fn every_fhir_sample_is_read_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fhir");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && !path.to_string_lossy().ends_with(".out.json"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "samples are missing");
    for path in paths {
        let body = std::fs::read(&path).unwrap();
        assert!((crate::fhir::FORMAT.recognise)(&body), "{}", path.display());
        let text = serde_json::to_string_pretty(&shown(&body)).unwrap() + "\n";
        let golden = path.with_extension("out.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, text).unwrap();
        } else {
            let expected = std::fs::read_to_string(&golden).unwrap();
            assert_eq!(text, expected, "{}", path.display());
        }
    }
}
