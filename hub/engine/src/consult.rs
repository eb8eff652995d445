//! Asking insurers before the provider is answered: all at once, each within its own deadline, and none that is known
//! to be away.

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use takmil_domain::answer::Answer;
use takmil_domain::ids::{DeliveryId, ParticipantId};
use takmil_domain::message::{Kind, Message};
use takmil_domain::participant::{
    Contract, CoverStatement, Delivery, InsurerDecision, InsurerVerdict, Purpose,
};
use takmil_domain::share::InsurerSays;
use takmil_insurers::TransportError;

use crate::document;
use crate::judge::{Heard, Word};
use crate::route::health::Way;
use crate::{Inner, Seen};

/// Asks the insurers to decide on a proposal, or whether a member is covered; says what was heard of each.
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
            let heard = match contract {
                Some(contract) => ask_one(inner, &insurer, contract, message, proposal).await,
                None => Heard::Pends(Word::default()),
            };
            (insurer, heard)
        }
    };
    join_all(asks.iter().map(one)).await
}

async fn ask_one(
    inner: &Inner,
    insurer: &ParticipantId,
    contract: &Contract,
    message: &Message,
    proposal: &Answer,
) -> Heard {
    let Some(endpoint) = &contract.endpoint else {
        // An insurer that only pulls cannot be asked while a member waits.
        return Heard::Pends(Word::default());
    };
    let seen = document::seen_by(proposal, insurer);
    let catalog = inner.catalog();
    let map = catalog.code_map(insurer).map(AsRef::as_ref);
    let Ok(text) = document::for_insurer(message.clone(), proposal, insurer, map) else {
        return Heard::Invalid;
    };
    let (party, now) = (inner.parties.of(insurer), (inner.clock)());
    let deadline_ms = contract.deadline(proposal.kind);
    // Nobody at a counter waits for one that is known to be away.
    if !party.begin(Way::Asking, now, deadline_ms) {
        return Heard::Silent;
    }
    let delivery = Delivery {
        id: DeliveryId::new(now, (inner.random)()),
        insurer: insurer.clone(),
        purpose: match proposal.kind {
            Kind::Eligibility => Purpose::Eligibility,
            _ => Purpose::Decide,
        },
        message: proposal.id,
        kind: proposal.kind,
        sequence: 0,
        created_at: now,
        document: text,
    };
    // The wait for a place is the insurer's own time, so that the whole ends before the hub finishes without it.
    let (begun, deadline) = (Instant::now(), Duration::from_millis(deadline_ms));
    let place = party.place_to_ask(contract.ask_parallel);
    let Ok(_place) = tokio::time::timeout(deadline, place).await else {
        tracing::warn!(insurer.id = %insurer, message.id = %proposal.id, "too many questions wait for an insurer's answer");
        return Heard::Silent;
    };
    let ways = &inner.transports;
    let call = async || {
        let left = deadline.saturating_sub(begun.elapsed());
        match delivery.purpose {
            Purpose::Eligibility => {
                let stated = ways.eligibility(endpoint, &delivery, &seen, left, now);
                stated.await.map(covers)
            }
            _ => {
                let decided = ways.decide(endpoint, &delivery, &seen, left, now);
                decided.await.map(heard)
            }
        }
    };
    let again = async || {
        // Who has no place for another question has its hands full already.
        let place = party.place_to_ask(contract.ask_parallel).now_or_never();
        match place.flatten() {
            Some(_place) => {
                (inner.observe)(Seen::AskedAgain { insurer });
                Some(Box::pin(call()).await)
            }
            None => None,
        }
    };
    let answered = match contract.hedge_ms {
        // Calls are large, and a turn has room for one on its stack.
        None => Box::pin(call()).await,
        Some(hedge_ms) => {
            let after = Duration::from_millis(hedge_ms);
            hedged(after, Box::pin(call()), Box::pin(again())).await
        }
    };
    party.hear(inner, Way::Asking, Some(contract), answered.as_ref().err());
    (inner.observe)(Seen::Asked {
        insurer,
        took: begun.elapsed(),
    });
    match answered {
        Ok(heard) => heard,
        Err(error) => {
            tracing::warn!(insurer.id = %insurer, message.id = %proposal.id, %error, "an insurer did not decide");
            match error {
                TransportError::Garbled(problem) => {
                    inner.fault_of(insurer, Some(proposal.id), &problem);
                    Heard::Invalid
                }
                _ => Heard::Silent,
            }
        }
    }
}

/// What is answered first and well: by a call, or by another one that begins where the first takes long.
async fn hedged<T, E>(
    after: Duration,
    first: impl Future<Output = Result<T, E>>,
    second: impl Future<Output = Option<Result<T, E>>>,
) -> Result<T, E> {
    tokio::pin!(first, second);
    if let Ok(answered) = tokio::time::timeout(after, &mut first).await {
        return answered;
    }
    tokio::select! {
        one = &mut first => match one {
            Ok(answered) => Ok(answered),
            Err(error) => second.await.unwrap_or(Err(error)),
        },
        other = &mut second => match other {
            Some(Ok(answered)) => Ok(answered),
            Some(Err(_)) | None => first.await,
        },
    }
}

/// What an insurer says of a cover in the words of the judgement.
fn covers(statement: CoverStatement) -> Heard {
    let word = Word {
        reference: Some(statement.reference.clone()),
        note: statement.note.clone(),
        ..Word::default()
    };
    let statement = Box::new(statement);
    Heard::Covers { statement, word }
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
        revision: decision.revision,
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
