//! What can be wrong with a message that somebody sent, each kind with one stable public code.
//!
//! A problem is about the sender's bytes. What a plan or a limit says to a well-formed message is a
//! [`crate::reason::Reason`]; what goes wrong inside the hub is an error of the crate it happens in.

use serde::{Serialize, Serializer};
use std::fmt;

/// One thing that is wrong with a message, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub code: ProblemCode,
    /// Where: a JSON pointer (RFC 6901) into the sender's body; for XML the pointer that the same
    /// content has in the format's JSON form. Empty for the whole body.
    pub pointer: String,
    /// One sentence for the sender's engineer. Never repeats personal data.
    pub detail: String,
}

impl Problem {
    /// A problem at `pointer`.
    pub fn new(code: ProblemCode, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code,
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{} at {place}: {}", self.code.code(), self.detail)
    }
}

macro_rules! problem_codes {
    ($($variant:ident $code:literal $meaning:literal)+) => {
        /// The kinds of problem that a message can have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemCode { $(#[doc = $meaning] $variant,)+ }

        impl ProblemCode {
            /// Every code, for the published list.
            pub const ALL: &'static [ProblemCode] = &[$(ProblemCode::$variant,)+];

            /// The stable public code.
            pub fn code(self) -> &'static str {
                match self { $(ProblemCode::$variant => $code,)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(ProblemCode::$variant => $meaning,)+ }
            }
        }
    };
}

problem_codes! {
    NotText "FMT-ENCODING" "The body is not text in an encoding that the format allows."
    Malformed "FMT-MALFORMED" "The body is not well-formed in its own syntax."
    ControlCharacter "FMT-CONTROL" "A raw control character stands where the syntax does not allow one."
    TooLarge "FMT-SIZE" "The body, or a part of it, is larger than the hub takes."
    TooDeep "FMT-DEPTH" "The body is nested more deeply than the hub reads."
    UnknownFormat "FMT-UNKNOWN" "No format that the hub speaks recognises the body."
    NoMessage "FMT-EMPTY" "The body is well-formed but holds no message that the hub takes."
    WrongKind "FMT-KIND" "The message is of another kind than the address it was sent to."
    Missing "VAL-MISSING" "A required element is missing."
    TooMany "VAL-CARDINALITY" "An element stands more often than the format allows."
    Unknown "VAL-UNKNOWN" "An element is not known to the format."
    WrongType "VAL-TYPE" "A value is of the wrong type."
    BadValue "VAL-VALUE" "A value is outside what its type or its fixed list allows."
    BadDate "VAL-DATE" "A date or time is not a real one."
    DateOrder "VAL-DATE-ORDER" "An end stands before its start."
    BadIdentifier "VAL-IDENTIFIER" "An identifier has a wrong length, form or check digit."
    Negative "VAL-NEGATIVE" "An amount or quantity is below zero."
    OutOfRange "VAL-RANGE" "An amount or quantity is larger than any real one."
    MixedCurrency "VAL-CURRENCY-MIXED" "Two amounts of one message differ in currency."
    UnknownCurrency "VAL-CURRENCY" "The currency is missing or not known."
    TooManyLines "VAL-LINES" "The message has more lines than the hub takes in one."
    DuplicateLine "VAL-SEQUENCE" "Two lines have the same sequence number."
    DanglingReference "VAL-REFERENCE" "A reference points to something that the message does not hold."
}

impl Serialize for ProblemCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
