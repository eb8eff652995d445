//! What can go wrong inside the engine. What is wrong with a message is no error: see [`crate::Refusal`].

use takmil_domain::ids::MessageId;
use takmil_domain::problem::Problem;
use takmil_store::StoreError;

use crate::basis::MissingDocument;
use crate::judge::Unjudged;
use crate::ledger::Unbalanced;

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The whole body could not be read.
    #[error("the body cannot be read: {0}")]
    UnreadableBody(Problem),
    /// Too much of the sender waits already.
    #[error("too much of the sender waits already; come back in {retry_after_ms} ms")]
    TooMany {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// Too much of all senders waits already.
    #[error("too much waits already; come back in {retry_after_ms} ms")]
    Overloaded {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// The hub is shutting down.
    #[error("the hub is stopping")]
    Stopping,
    /// There is no such object, or none that the caller may see.
    #[error("not found")]
    NotFound,
    /// Another content was taken before under the same reference.
    #[error("another content was taken before under the same reference")]
    Changed,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot serve now; nothing was acknowledged.
    #[error("the store cannot serve now")]
    Unavailable,
    /// A document that a decision rests on is missing.
    #[error(transparent)]
    Missing(#[from] MissingDocument),
    /// The ledger's rule would be broken: a defect.
    #[error("the ledger does not balance: {0}")]
    Unbalanced(String),
    /// A kept message cannot be read back.
    #[error("message {message} cannot be read back")]
    Unreadable {
        /// Which.
        message: MessageId,
    },
    /// The log was begun with another key.
    #[error("the log was begun with the key {begun}, and this hub has {own}")]
    LogKey {
        /// The log's.
        begun: String,
        /// The hub's.
        own: String,
    },
    /// The log's tiles are not those of its head: it does not grow any more.
    #[error("the log of {size} entries is broken: its tiles are not those of its head")]
    LogBroken {
        /// How many entries the head says.
        size: u64,
    },
    /// A document cannot be written as JSON: a defect.
    #[error("a document cannot be written")]
    Unwritable,
}

impl From<Unjudged> for Error {
    fn from(error: Unjudged) -> Self {
        match error {
            Unjudged::Missing(missing) => Error::Missing(missing),
            Unjudged::Unbalanced(unbalanced) => unbalanced.into(),
        }
    }
}

impl From<Unbalanced> for Error {
    fn from(error: Unbalanced) -> Self {
        Error::Unbalanced(error.to_string())
    }
}
