//! What is kept with each turn of a message: the answer, and what it rests on.

use serde::{Deserialize, Serialize};
use takmil_domain::answer::Answer;
use takmil_domain::ids::MessageId;

use crate::basis::Basis;

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
