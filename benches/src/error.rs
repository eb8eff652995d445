//! Why a run could not be made.

use std::io;
use std::path::PathBuf;

/// Why a run could not be made. An answer that is a refusal is a figure of the run, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The system refused a socket or a process.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A command failed: of the hub's binary, or of the database.
    #[error("`{command}` failed: {said}")]
    Command {
        /// Which.
        command: String,
        /// What it printed, or how it ended.
        said: String,
    },
    /// The hub did not come up.
    #[error("the hub did not become ready within {waited_s} s; its log ends: {log}")]
    NotReady {
        /// How long it was waited for.
        waited_s: u64,
        /// The last lines of its log.
        log: String,
    },
    /// There is no PostgreSQL on this machine.
    #[error(
        "there is no PostgreSQL on this machine: install Debian's `postgresql` (the server, psql and pgbench)"
    )]
    NoPostgres,
    /// The store that the hub is compared with is not on this machine.
    #[error(
        "{path} is not on this machine: `cargo install helios-hfs --version {version} --no-default-features --features R4,postgres` makes it"
    )]
    NoHelios {
        /// Where it was looked for.
        path: PathBuf,
        /// The version that is compared with.
        version: &'static str,
    },
    /// The bare database of a ceiling does not work.
    #[error("the bare database does not work")]
    Sqlite(#[from] sqlx::Error),
    /// The hub's store cannot be filled.
    #[error("the store cannot be filled")]
    Store(#[from] takmil_store::StoreError),
    /// The members' keys cannot be read.
    #[error("the members' keys")]
    Keys(#[from] takmil_store::SealError),
    /// What the store holds is not what history can be made of.
    #[error("no history can be made of what the store holds: {0}")]
    History(String),
    /// The conversation over HTTP broke off.
    #[error("the conversation with the hub broke off")]
    Http(#[from] hyper::Error),
    /// A request could not be formed.
    #[error("a request cannot be formed")]
    Request(#[from] hyper::http::Error),
    /// An answer is not what an admission's answer must be.
    #[error("an answer is not as expected: {0}")]
    Answer(String),
    /// An answer did not come.
    #[error("requests were still unanswered {waited_s} s after the end of their run")]
    Unanswered {
        /// How long it was waited for them.
        waited_s: u64,
    },
    /// The certificate of a TLS run could not be made or used.
    #[error("the certificate of the run cannot be made: {0}")]
    Certificate(String),
    /// The kernel does not tell of the hub's process.
    #[error("the kernel tells nothing of process {pid}")]
    NoProcess {
        /// The process.
        pid: u32,
    },
    /// A task of the generator was lost.
    #[error("a task of the load generator was lost")]
    Task(#[from] tokio::task::JoinError),
}

impl Error {
    /// Names the file of an input or output error.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |cause| Error::File { path, cause }
    }

    /// Names what the system refused.
    pub fn system(what: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::System { what, cause }
    }
}
