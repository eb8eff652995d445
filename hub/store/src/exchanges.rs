//! What a sender has sent, each with what it was answered: asked for by the sender itself, by its own identifiers or by
//! the hub's ids.

use std::collections::hash_map::{Entry, HashMap};

use takmil_domain::ids::{Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Kind;

use crate::body::sent_and_answered;
use crate::error::StoreError;
use crate::rows::{Id, over};
use crate::scope::Scope;
use crate::store::Store;

/// A message with its last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The message.
    pub id: MessageId,
    /// The member, where known.
    pub member: Option<MemberId>,
    /// The canonical message, as JSON.
    pub canonical: Vec<u8>,
    /// How far it is.
    pub state: State,
    /// The last answer, as JSON.
    pub answer: String,
}

impl Store {
    /// The messages of a sender that bear one of its identifiers, each once, the latest first.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn messages_named(
        &self,
        sender: &ParticipantId,
        identifiers: &[Identifier],
    ) -> Result<Vec<MessageId>, StoreError> {
        // A digest is of the sender's name as well: it leads to no other's messages.
        let sql = over!(
            digest id;
            "select i.message from batch join message_identifier i on i.digest = batch.digest"
        );
        let blind = self.keys.blind();
        let row = |identifier| (blind.of_message(sender, identifier),);
        let rows: Vec<_> = identifiers.iter().map(row).collect();
        let found = self.readers.acquire().await?.db().ask(sql, &rows).await?;
        let message = |row: &crate::column::Row| row.uuid("message").map(MessageId);
        let mut found = found.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.dedup();
        Ok(found)
    }

    /// Messages of a kind that a sender has sent, with their last answers, in the order asked. What is of another sender
    /// or kind, or of a member who was erased, is left out.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn exchanges(
        &self,
        sender: &ParticipantId,
        kind: Kind,
        messages: &[MessageId],
    ) -> Result<Vec<Exchange>, StoreError> {
        let sql = over!(
            message id, sender text, kind text;
            "select batch.place, m.id, m.member, m.state, first.body as taken, last.number, last.body
             from batch
             join message m on m.id = batch.message and m.sender = batch.sender
                 and m.kind = batch.kind
             join turn first on first.message = m.id and first.number = 1
             join turn last on last.message = m.id
                 and last.number = (select max(number) from turn
                     where turn.message = m.id and turn.body is not null)
             order by batch.place"
        );
        let row = |id: &MessageId| (Id::from(*id), sender, kind);
        let rows: Vec<_> = messages.iter().map(row).collect();
        let mut reader = self.read(&Scope::Provider(sender.clone())).await?;
        let found = reader.db().ask(sql, &rows).await?;
        // The keys are asked for with a connection of their own: two at once could wait for each other.
        drop(reader);
        let mut keys = HashMap::new();
        let mut exchanges = Vec::with_capacity(found.len());
        for row in &found {
            let member = row.uuid_maybe("member")?.map(MemberId);
            let key = match keys.entry(member) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let key = self.keys.of_member(&self.readers, member).await;
                    place.insert(match key {
                        Err(StoreError::Erased) => None,
                        key => Some(key?),
                    })
                }
            };
            let Some(key) = key else { continue };
            let id = MessageId(row.uuid("id")?);
            let (canonical, answer) = sent_and_answered(row, key, id)?;
            exchanges.push(Exchange {
                id,
                member,
                state: row.named("state")?,
                canonical,
                answer,
            });
        }
        Ok(exchanges)
    }
}
