//! What a base insurer says when nobody waits for it any more.

use std::sync::Arc;

use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::participant::InsurerDecision;
use takmil_store::NewDecision;

use super::again::{read_record, said_before};
use super::{Bench, Done, Late};
use crate::error::Error;
use crate::judge;
use crate::record::Spoken;

impl Bench<'_> {
    /// Whether an insurer has to do with a message as its base insurer alone.
    pub(super) fn is_of_base(
        &self,
        message: MessageId,
        insurer: &ParticipantId,
    ) -> Result<bool, Error> {
        match self.loaded.get(&message) {
            Some(loaded) => Ok(judge::is_of_base(&read_record(loaded)?.basis, insurer)),
            None => Ok(false),
        }
    }

    /// Records what a base insurer said late. It changes nothing by itself: the supplementary insurers' parts were computed
    /// and told without it, and what it changes of them goes the way of all late facts.
    pub(super) fn hear_base_late(
        &mut self,
        message: MessageId,
        (insurer, word): &(ParticipantId, InsurerDecision),
    ) -> Result<Done, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(Done::Nothing);
        };
        let record = read_record(loaded)?;
        if let Some(known) = said_before(loaded, insurer, word) {
            return Ok(match known == *word {
                true => Done::Late {
                    answer: Arc::new(Spoken::new(record.answer)?),
                    is: Late::Repeated,
                },
                false => Done::Changed { earlier: message },
            });
        }
        self.batch.decisions.push(NewDecision {
            insurer: insurer.clone(),
            decision: word.clone(),
            at: self.now,
        });
        self.note(message, Some(insurer), Late::Agrees, record)
    }
}
