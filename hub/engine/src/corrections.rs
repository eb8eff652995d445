//! What late and retroactive facts would change of decisions, and changing it once somebody has agreed.

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MemberId, MessageId, ParticipantId};
use takmil_store::Scope;

use crate::error::Error;
use crate::turn::{self, Correction, Done, Order};
use crate::{Engine, Inner};

/// How many messages are looked at in one go.
const PAGE: u32 = 64;

/// The most that one list holds: what a person can agree to.
pub const MOST_CORRECTIONS: usize = 10_000;

/// What became of corrections that were agreed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corrected {
    /// Decisions that were made anew.
    pub corrected: usize,
    /// Those that stay, because their messages have gone on since, or come out otherwise by now.
    pub left: usize,
}

impl Engine {
    /// The decisions on an insurer's members that would come out otherwise by what is known today: of claims and
    /// dispenses that came in a period. Each for itself, on what is left of limits now. Nothing is changed.
    ///
    /// # Errors
    /// If the database cannot serve, or a document is missing.
    pub async fn corrections(
        &self,
        insurer: &ParticipantId,
        (from, to): (Date, Date),
    ) -> Result<Vec<Correction>, Error> {
        let inner = &self.inner;
        let mut after = MessageId::new(Instant::start_of(from), [0; 10]);
        let before = MessageId::new(Instant::start_of(to.add_days(1)), [0; 10]);
        let mut found = Vec::new();
        loop {
            let page = inner
                .store
                .settled(Some(insurer), (after, before), PAGE)
                .await?;
            let Some(last) = page.last else { break };
            let messages: Vec<(MessageId, MemberId)> = page
                .messages
                .iter()
                .map(|own| (own.id, own.member))
                .collect();
            let orders = orders(inner, insurer, &messages, None).await?;
            for done in turn::rehearse(inner, &orders).await? {
                if let Done::Differs(correction) = done {
                    found.push(*correction);
                }
            }
            if found.len() > MOST_CORRECTIONS {
                break;
            }
            after = last;
        }
        Ok(found)
    }

    /// Makes decisions anew that somebody has agreed to, each in a turn of its own. Doing it again changes nothing more.
    ///
    /// # Errors
    /// If the hub itself failed: what was done until then stays, and the rest can be done later.
    pub async fn correct(
        &self,
        insurer: &ParticipantId,
        agreed: &[Correction],
    ) -> Result<Corrected, Error> {
        let inner = &self.inner;
        inner.audit.know(&inner.store, insurer).await?;
        let mut corrected = Corrected::default();
        for agreed in agreed {
            let message = agreed.message;
            let envelope = inner.store.envelope(&Scope::Hub, message).await?;
            let messages = envelope.member.map(|member| (message, member));
            let orders = orders(inner, insurer, messages.as_slice(), Some(agreed)).await?;
            let mut is_done = false;
            for order in orders {
                let (done, _) = self.lanes()?.go_on(message, order)?.done().await?;
                is_done |= matches!(done, Done::Answered { .. });
            }
            match is_done {
                true => corrected.corrected += 1,
                false => corrected.left += 1,
            }
        }
        Ok(corrected)
    }
}

async fn orders(
    inner: &Inner,
    insurer: &ParticipantId,
    messages: &[(MessageId, MemberId)],
    agreed: Option<&Correction>,
) -> Result<Vec<Order>, Error> {
    let members: Vec<MemberId> = messages.iter().map(|(_, member)| *member).collect();
    let known = inner.store.known_members(&members).await?;
    let order = |(message, member): &(MessageId, MemberId)| {
        let known = known.iter().find(|own| own.id == *member)?;
        Some(Order::Correct {
            message: *message,
            member: Box::new(known.clone()),
            insurer: insurer.clone(),
            agreed: agreed.cloned(),
        })
    };
    Ok(messages.iter().filter_map(order).collect())
}
