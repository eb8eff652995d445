//! Why a call to an insurer gave nothing.

use std::error::Error;

use takmil_domain::problem::Problem;

/// The longest cause that is kept: what a log line can bear.
const MAX_CAUSE_CHARS: usize = 300;

/// Why a call to an insurer gave nothing that can be used.
///
/// No text in it comes from the insurer, so that it may be logged: an insurer's own words may name a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, no trust in its certificate, or a connection that broke before the answer.
    #[error("the insurer cannot be reached: {cause}")]
    Unreachable {
        /// What the network said.
        cause: String,
    },
    /// The insurer gave no answer within the deadline.
    #[error("the insurer gave no answer in {waited_ms} ms")]
    Silent {
        /// How long the hub waited, in milliseconds.
        waited_ms: u64,
    },
    /// The insurer answered that it does not take the call.
    #[error("the insurer does not take the call: {status}")]
    Refused {
        /// What it answered with: "http 422", "grpc FailedPrecondition".
        status: String,
        /// Whether it is this call that is refused, and will be again. Else the insurer may take it later, as after a wrong
        /// certificate, route or clock, which all calls meet alike.
        permanent: bool,
    },
    /// The insurer answered, and the answer is not usable.
    #[error("the insurer's answer cannot be used: {0}")]
    Garbled(Problem),
    /// The insurer's entry at the hub names nothing that can be called.
    #[error("the insurer's endpoint cannot be used: {what}")]
    Endpoint {
        /// What is wrong with it.
        what: String,
    },
    /// The delivery's document is not `{"message": …, "answer": …}` in canonical form: a fault of the hub's own.
    #[error("the delivery's document cannot be read, at line {line}, column {column}")]
    Document {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

impl TransportError {
    /// Whether the same call may succeed later, once the insurer is as it should be.
    pub fn is_retryable(&self) -> bool {
        match self {
            TransportError::Unreachable { .. } | TransportError::Silent { .. } => true,
            TransportError::Refused { permanent, .. } => !permanent,
            TransportError::Garbled(_)
            | TransportError::Endpoint { .. }
            | TransportError::Document { .. } => false,
        }
    }

    /// Whether it is this call that the insurer does not take, for what it is: others it may take, and this one never.
    pub fn is_of_the_call(&self) -> bool {
        match self {
            TransportError::Refused { permanent, .. } => *permanent,
            TransportError::Garbled(_) => true,
            TransportError::Unreachable { .. }
            | TransportError::Silent { .. }
            | TransportError::Endpoint { .. }
            | TransportError::Document { .. } => false,
        }
    }

    /// Whether the insurer says that it knows no such call, rather than anything of what it was given.
    pub(crate) fn is_of_an_unknown_call(&self) -> bool {
        const UNKNOWN: [&str; 4] = ["grpc Unimplemented", "http 404", "http 405", "http 501"];
        matches!(self, TransportError::Refused { status, .. } if UNKNOWN.contains(&status.as_str()))
    }

    /// The call failed in the network, for the reason at the end of `error`'s chain.
    pub(crate) fn unreachable(error: &(dyn Error + 'static)) -> Self {
        let mut texts: Vec<String> = chain(error).map(ToString::to_string).collect();
        texts.dedup();
        let cause = texts.join(": ").chars().take(MAX_CAUSE_CHARS).collect();
        TransportError::Unreachable { cause }
    }

    pub(crate) fn endpoint(what: impl Into<String>) -> Self {
        TransportError::Endpoint { what: what.into() }
    }
}

/// An error and what it goes back to, the last cause last.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Where a document could not be read. What stands there is not repeated: it may name a person.
impl From<serde_json::Error> for TransportError {
    fn from(error: serde_json::Error) -> Self {
        TransportError::Document {
            line: error.line(),
            column: error.column(),
        }
    }
}
