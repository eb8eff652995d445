//! What goes back to the sender of a body: the hub's answers, or what was wrong, before a format puts them
//! into the sender's own form. It decides nothing and knows no HTTP.

use serde::Serialize;
use serde_json::Value;
use takmil_domain::answer::Answer;
use takmil_domain::message::Message;
use takmil_domain::problem::{Problem, ProblemCode};

/// What is to be told about one body.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The body as it was received: the answer is in its syntax, and in a bundle where it was one. Empty
    /// where a request had none.
    pub body: &'a [u8],
    /// The hub's base address, without a slash at the end.
    pub hub: &'a str,
    /// The id of the request, under which the hub's log has it; whatever wraps the answers bears it.
    pub request: &'a str,
    /// What became of the body's messages, in their order; a single refusal at the place `""` where the body
    /// as a whole, or the request around it, was refused.
    pub outcomes: &'a [Outcome<'a>],
}

/// What became of one message.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// Where it stands in the body: a JSON pointer, empty where it is the whole body.
    pub place: &'a str,
    /// The answer, or everything that was wrong.
    pub result: Result<Answered<'a>, &'a [Fault<'a>]>,
}

/// A message that was taken, with its answer.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The message as it was read.
    pub message: &'a Message,
    /// The hub's answer to it.
    pub answer: &'a Answer,
    /// The answer as JSON, where it is written already.
    pub json: Option<&'a str>,
}

impl Reply<'_> {
    /// The answer as JSON: what `told` makes of the message that is the whole body, else a list of that.
    pub(crate) fn json(&self, told: impl Fn(&Outcome<'_>) -> Value) -> Written {
        let value = match self.outcomes {
            [one] if one.place.is_empty() => told(one),
            outcomes => Value::Array(outcomes.iter().map(told).collect()),
        };
        Written {
            media_type: "application/json",
            bytes: value.to_string().into_bytes(),
        }
    }
}

/// One thing that was wrong. Its JSON is that of a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault<'a> {
    /// The stable public code.
    pub code: &'static str,
    /// What the code means, in one sentence.
    #[serde(skip)]
    pub meaning: &'static str,
    /// Where: a JSON pointer into the body, empty for all of it.
    pub pointer: &'a str,
    /// One sentence for the sender's engineer. Never repeats personal data.
    pub detail: &'a str,
    /// What kind of thing it is.
    #[serde(skip)]
    pub cause: Cause,
}

/// What kind of thing was wrong: formats that have words of their own for it choose them by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The body's content.
    Body(ProblemCode),
    /// The request around it: a parameter, a header, an address.
    Request,
    /// The sender is not known.
    Credentials,
    /// The sender may not do this.
    Forbidden,
    /// There is nothing at this address.
    NotFound,
    /// The hub does not do this, or speaks no such format here.
    Unsupported,
    /// It contradicts what was decided before.
    Conflict,
    /// Another content was taken before under the same key or identifier.
    Duplicate,
    /// It took longer than the hub waits.
    Timeout,
    /// The sender asks too often.
    Throttled,
    /// The hub cannot take it now.
    Busy,
    /// The hub failed.
    Internal,
}

impl Cause {
    /// Whether the same request may well succeed later.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Cause::Timeout | Cause::Throttled | Cause::Busy | Cause::Internal
        )
    }
}

impl<'a> From<&'a Problem> for Fault<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            code: problem.code.code(),
            meaning: problem.code.meaning(),
            pointer: &problem.pointer,
            detail: &problem.detail,
            cause: Cause::Body(problem.code),
        }
    }
}

/// A body for the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its media type.
    pub media_type: &'static str,
    /// The body.
    pub bytes: Vec<u8>,
}

/// A text in a format that is not JSON, for the sender of `reply`'s body. Where that body is JSON, because the answer is
/// to stand in a JSON document, it is one string of it.
pub(crate) fn written(reply: &Reply<'_>, media_type: &'static str, text: String) -> Written {
    let bytes = match reply.body.trim_ascii_start().first() {
        Some(b'{' | b'[') => Value::String(text).to_string().into_bytes(),
        _ => text.into_bytes(),
    };
    Written { media_type, bytes }
}
