//! Asking insurers before the provider is answered: all at once, each within its own deadline.

use std::time::Duration;

use futures::future::join_all;
use takmil_domain::answer::Answer;
use takmil_domain::ids::{DeliveryId, ParticipantId};
use takmil_domain::message::Message;
use takmil_domain::participant::{Delivery, InsurerDecision, InsurerVerdict, Purpose};
use takmil_domain::share::InsurerSays;
use takmil_insurers::TransportError;

use crate::Inner;
use crate::document;
use crate::judge::{Heard, Word};

/// Asks the insurers to decide on a proposal; says what was heard of each.
pub(crate) async fn ask(
    inner: &Inner,
    asks: &[ParticipantId],
    message: &Message,
    proposal: &Answer,
) -> Vec<(ParticipantId, Heard)> {
    let catalog = inner.catalog();
    let one = |insurer: &ParticipantId| {
        let (insurer, catalog) = (insurer.clone(), catalog.clone());
        async move {
            let contract = catalog.contract(&insurer);
            let Some((contract, endpoint)) =
                contract.and_then(|contract| Some((contract, contract.endpoint.as_ref()?)))
            else {
                // An insurer that only pulls cannot be asked while a member waits.
                return (insurer, Heard::Pends(Word::default()));
            };
            let seen = document::seen_by(proposal, &insurer);
            let Ok(text) = document::for_insurer(message.clone(), proposal, &insurer) else {
                return (insurer, Heard::Invalid);
            };
            let now = (inner.clock)();
            let delivery = Delivery {
                id: DeliveryId::new(now, (inner.random)()),
                insurer: insurer.clone(),
                purpose: Purpose::Decide,
                message: proposal.id,
                kind: proposal.kind,
                sequence: 0,
                created_at: now,
                document: text,
            };
            let deadline = Duration::from_millis(contract.deadline_ms);
            let heard = match inner
                .transports
                .decide(endpoint, &delivery, &seen, deadline, now)
                .await
            {
                Ok(decision) if decision.message == proposal.id => heard(decision),
                Ok(_) => Heard::Invalid,
                Err(error) => {
                    tracing::warn!(insurer.id = %insurer, message.id = %proposal.id, %error, "an insurer did not decide");
                    if matches!(error, TransportError::Garbled { .. }) {
                        Heard::Invalid
                    } else {
                        Heard::Silent
                    }
                }
            };
            (insurer, heard)
        }
    };
    join_all(asks.iter().map(one)).await
}

/// An insurer's decision in the words of the judgement.
pub(crate) fn heard(decision: InsurerDecision) -> Heard {
    let lines = decision.lines.iter();
    let amounts = || lines.clone().map(|line| (line.seq, line.amount)).collect();
    let granted = lines
        .clone()
        .filter_map(|line| Some((line.seq, line.quantity?)));
    let word = Word {
        granted: granted.collect(),
        valid_until: decision.valid_until,
        reference: Some(decision.reference),
        note: decision.note,
    };
    let says = match decision.verdict {
        InsurerVerdict::Approve => InsurerSays::Approved,
        InsurerVerdict::Adjust => InsurerSays::Adjusted(amounts()),
        InsurerVerdict::Refuse => InsurerSays::Refused,
        InsurerVerdict::Pend => return Heard::Pends(word),
        InsurerVerdict::Ask => return Heard::Asks(word),
    };
    Heard::Says { says, word }
}
