//! What took how long, for those who measure: nothing of a person.

use std::sync::Arc;
use std::time::Duration;

use takmil_domain::answer::Answer;
use takmil_domain::decision::DecidedBy;
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::AnswerMode;

use crate::Inner;
use crate::standing::MoneyStanding;

/// Whoever measures.
pub type Observe = Arc<dyn Fn(Seen<'_>) + Send + Sync>;

/// Something that took time, or was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A message was answered.
    Answered {
        /// By which mode: that of the insurers that were asked, or delegated where none was.
        mode: AnswerMode,
        /// Who decided; `None` where nothing is decided yet.
        decided_by: Option<DecidedBy>,
        /// How long it took in all, from taking the body on.
        took: Duration,
        /// How much of it was spent waiting for insurers.
        waited: Duration,
    },
    /// The codes of a message were looked up in the common scheme.
    Coded {
        /// Who sent them.
        sender: &'a ParticipantId,
        /// How many it knows.
        mapped: usize,
        /// How many it does not know.
        unmapped: usize,
    },
    /// An insurer was asked, and said something or nothing.
    Asked {
        /// Which.
        insurer: &'a ParticipantId,
        /// How long it took, with the wait for a place.
        took: Duration,
    },
    /// An insurer was asked a second time, because its first answer took long.
    AskedAgain {
        /// Which.
        insurer: &'a ParticipantId,
    },
    /// An insurer said something that cannot be used.
    Fault {
        /// Which.
        insurer: &'a ParticipantId,
        /// Why, as a public code.
        code: &'a str,
    },
    /// A party took what it was owed.
    Delivered {
        /// Which.
        party: &'a ParticipantId,
        /// How long it had been owed, in milliseconds.
        waited_ms: u64,
        /// How long the call took, in milliseconds.
        took_ms: u64,
    },
    /// What is owed and what is late was added up.
    Money(&'a MoneyStanding),
}

/// Tells of an answer.
pub(crate) fn answered(
    inner: &Inner,
    answer: &Answer,
    asks: &[ParticipantId],
    took: Duration,
    waited: Duration,
) {
    let catalog = inner.catalog();
    let modes = asks
        .iter()
        .filter_map(|own| Some(catalog.contract(own)?.mode));
    // Where one of them is answered for, it is the longest that anybody waits.
    let stands_in = |mode: &AnswerMode| *mode == AnswerMode::StandIn;
    let mode = match (asks.is_empty(), modes.clone().any(|mode| stands_in(&mode))) {
        (true, _) => AnswerMode::Delegated,
        (false, true) => AnswerMode::StandIn,
        (false, false) => AnswerMode::Consulted,
    };
    (inner.observe)(Seen::Answered {
        mode,
        decided_by: answer.decision.as_ref().map(|own| own.decided_by),
        took,
        waited,
    });
}
