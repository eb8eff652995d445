//! What keeps a fault test from being run. What a test finds wrong with a hub is no error: it stands in the report.

use std::path::{Path, PathBuf};

/// Why a fault test could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A socket or process.
    #[error("{what}")]
    System {
        /// What could not be had.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A command that did not do what it was run for.
    #[error("{command}: {said}")]
    Command {
        /// Which.
        command: String,
        /// What it said.
        said: String,
    },
    /// The hub did not come up.
    #[error("the hub was not up after {waited_ms} ms; its log says: {log}")]
    NotUp {
        /// How long it was waited for.
        waited_ms: u64,
        /// The end of its log.
        log: String,
    },
    /// The hub answered what no test expects of a sound one.
    #[error("{0}")]
    Answer(String),
    /// The hub could not be reached at a moment when it has to be.
    #[error("the hub cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// A simulated party could not be made.
    #[error(transparent)]
    Party(#[from] crate::Error),
    /// A test of the disk on a store whose files are not the hub's own.
    #[error("{test} breaks the disk of the embedded store; {store} has its files elsewhere")]
    NoDisk {
        /// Which test.
        test: &'static str,
        /// On which store.
        store: &'static str,
    },
    /// A task of the harness broke.
    #[error("a task of the harness broke")]
    Task(#[from] tokio::task::JoinError),
}

impl Error {
    /// The error of a file, from what the system says.
    pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::File { path, source }
    }

    /// The error of a socket or process, from what the system says.
    pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::System { what, source }
    }
}
