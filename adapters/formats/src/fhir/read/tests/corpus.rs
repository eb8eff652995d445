//! Samples of real senders. They lie outside the repo, in the folder that `TAKMIL_CORPUS` names.

use std::io::{Read as _, Write as _};

/// One file.
pub(super) struct Sample {
    pub(super) path: String,
    pub(super) source: String,
    pub(super) kind: String,
    /// Whether it counts as good.
    pub(super) good: bool,
    pub(super) body: Vec<u8>,
}

/// Every file of the index; none, said loudly, where there is no corpus.
pub(super) fn samples() -> Vec<Sample> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(std::path::PathBuf::from) else {
        // Straight to the stream: what a test prints is hidden while it passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: TAKMIL_CORPUS names no folder of samples, so no message of a real sender was read"
        );
        return Vec::new();
    };
    let index = std::fs::read_to_string(root.join("index.csv")).unwrap();
    let mut samples = Vec::new();
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let [path, source, kind, state, ..] = columns.as_slice() else {
            panic!("{line}")
        };
        let stored = std::fs::read(root.join(path)).unwrap();
        let mut body = Vec::new();
        if path.ends_with(".gz") {
            let mut packed = flate2::read::MultiGzDecoder::new(stored.as_slice());
            packed.read_to_end(&mut body).unwrap();
        } else {
            body = stored;
        }
        samples.push(Sample {
            path: (*path).to_owned(),
            source: (*source).to_owned(),
            kind: (*kind).to_owned(),
            good: *state == "ok",
            body,
        });
    }
    samples
}

impl Sample {
    /// Whether it is FHIR; the flat rows are named by the resources that are made from them.
    pub(super) fn is_fhir(&self) -> bool {
        self.kind.starts_with("fhir") && self.source != "cms-bfd-idr-flat"
    }
}
