//! What comes into the engine and what goes out of it: plain types, no wire, no status codes.

use std::sync::Arc;

use takmil_domain::audit::Receipt;
use takmil_domain::date::Instant;
use takmil_domain::ids::MessageId;
use takmil_domain::message::{Kind, Message};
use takmil_domain::participant::Participant;
use takmil_domain::problem::Problem;
use takmil_formats::Format;

use crate::record::Spoken;

/// A body that a participant sends.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who was authenticated.
    pub sender: Arc<Participant>,
    /// The format the body is in.
    pub format: &'static Format,
    /// The kind that the address promises; `None` where any will do.
    pub expect: Option<Kind>,
    /// The bytes as received.
    pub body: Vec<u8>,
    /// The sender's key of this request, by which a repeat is recognised.
    pub idempotency_key: Option<String>,
    /// When the hub got it.
    pub received_at: Instant,
}

/// What became of one message of a body.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Where the message stands in the body: a JSON pointer, empty for the whole body.
    pub place: String,
    /// The message as it was read and normalised, where it was.
    pub message: Option<Arc<Message>>,
    /// The answer, or why there is none.
    pub result: Result<Taken, Refusal>,
}

/// A message that the hub has taken. It is durable.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The answer.
    pub answer: Arc<Spoken>,
    /// Whether the message had been taken before, and this is the answer that was given then.
    pub repeated: bool,
    /// The log's promise to have this answer; none of a repeat, which the log has.
    pub receipt: Option<Arc<Receipt>>,
}

/// Why a message was not taken. Nothing of it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// What is wrong with it.
    Invalid(Vec<Problem>),
    /// A message with the same key or identifier, but another content, was taken before.
    Changed {
        /// The message that was taken.
        earlier: MessageId,
    },
}
