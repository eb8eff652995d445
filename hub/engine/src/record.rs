//! What is kept with each turn of a message: the answer, and what it rests on.

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use takmil_domain::answer::Answer;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;

use crate::basis::Basis;
use crate::error::Error;

/// The document that the store keeps as a turn's answer. Faces see the answer alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The answer.
    pub answer: Answer,
    /// What it rests on.
    pub basis: Basis,
    /// The first message of the claim that this one belongs to: deliveries of one claim keep their order.
    pub claim: MessageId,
}

impl Record {
    /// Reads what is kept of the last turn that had an answer, of a message in a state that later turns may have brought:
    /// that it was paid, and by whom, changes no word of what was answered.
    pub(crate) fn of(text: &str, state: State) -> Result<Record, serde_json::Error> {
        let mut record: Record = serde_json::from_str(text)?;
        record.answer.state = state;
        Ok(record)
    }
}

/// An answer with its JSON, which is written once: it is kept and given in the same words.
#[derive(Debug, Clone)]
pub struct Spoken {
    answer: Answer,
    json: Box<RawValue>,
}

impl Spoken {
    pub(crate) fn new(answer: Answer) -> Result<Spoken, Error> {
        let json = to_raw_value(&answer).map_err(|_| Error::Unwritable)?;
        Ok(Spoken { answer, json })
    }

    /// The answer as JSON.
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// The record of this answer, as JSON.
    pub(crate) fn record(&self, basis: &Basis, claim: MessageId) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            answer: &'a RawValue,
            basis: &'a Basis,
            claim: MessageId,
        }
        let answer = &*self.json;
        serde_json::to_string(&Written {
            answer,
            basis,
            claim,
        })
        .map_err(|_| Error::Unwritable)
    }
}

impl PartialEq for Spoken {
    fn eq(&self, other: &Spoken) -> bool {
        self.answer == other.answer
    }
}

impl Deref for Spoken {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}
