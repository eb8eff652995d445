//! Where the sample messages and the public reference tables are, if they are here.

use std::io::{Read, Write};
use std::path::PathBuf;

/// The corpus's folder; none, said loudly, where there is no corpus.
pub(crate) fn folder(skipped: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        // Not by `eprintln!`: the harness keeps that from whoever runs the tests.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: TAKMIL_CORPUS is not set, so {skipped} is not checked"
        );
    }
    folder
}

/// The file at `path` in the corpus, unpacked.
pub(crate) fn read(path: &str) -> Option<String> {
    let file = std::fs::File::open(folder(path)?.join(path)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    Some(text)
}

/// The file at `path` in the corpus, which is not packed.
pub(crate) fn plain(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(folder(path)?.join(path)).unwrap())
}
