//! What a turn finds of members' past, and the prescriptions that are filled.

use takmil_domain::clinical::Past;
use takmil_domain::date::Date;
use takmil_domain::ids::{Identifier, MemberId, MessageId, ParticipantId};

use super::Turn;
use crate::error::StoreError;
use crate::keys::{Part, Sealed};
use crate::rows::{Id, over};
use crate::seal::OwnerKey;

/// What a message tells of its member's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPast {
    /// The message.
    pub message: MessageId,
    /// Who sent it.
    pub sender: ParticipantId,
    /// What the member had.
    pub rows: Vec<Past>,
}

impl Turn {
    /// The prescriptions for members that bear an identifier by which everybody may name them, in the order asked, the
    /// latest first. Those that were taken back stay out.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn find_prescriptions(
        &mut self,
        wanted: &[(MemberId, Identifier)],
    ) -> Result<Vec<Vec<MessageId>>, StoreError> {
        let sql = over!(
            digest id, member id;
            "select batch.place, message.id
             from batch
             join message_identifier i on i.digest = batch.digest
             join message on message.id = i.message
             where message.member = batch.member and message.state not in ('cancelled', 'reversed')
             order by batch.place, message.id desc"
        );
        let blind = self.keys.blind();
        let row = |(member, identifier): &(MemberId, Identifier)| {
            (blind.of_prescription(identifier), Id::from(*member))
        };
        let rows: Vec<_> = wanted.iter().map(row).collect();
        let mut found: Vec<Vec<MessageId>> = wanted.iter().map(|_| Vec::new()).collect();
        for row in self.db().ask(sql, &rows).await? {
            if let Some(place) = found.get_mut(row.number::<usize>("place")?) {
                place.push(MessageId(row.uuid("id")?));
            }
        }
        Ok(found)
    }

    /// What is kept of members' past on a day, each member once with its key: in the order asked, the earliest message
    /// first. What was taken back stays out.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn past(
        &mut self,
        members: &[(MemberId, OwnerKey, Date)],
    ) -> Result<Vec<Vec<KeptPast>>, StoreError> {
        let sql = over!(
            member id, day text;
            "select batch.place, p.message, p.document, message.sender
             from batch
             join past p on p.member = batch.member
             join message on message.id = p.message
             where p.until >= batch.day and message.state not in ('cancelled', 'reversed')
             order by batch.place, p.message"
        );
        let row = |(member, _, day): &(MemberId, OwnerKey, Date)| (Id::from(*member), *day);
        let rows: Vec<_> = members.iter().map(row).collect();
        let mut found: Vec<Vec<KeptPast>> = members.iter().map(|_| Vec::new()).collect();
        for row in self.db().ask(sql, &rows).await? {
            let at = row.number::<usize>("place")?;
            let (Some(place), Some((_, key, _))) = (found.get_mut(at), members.get(at)) else {
                continue;
            };
            let message = MessageId(row.uuid("message")?);
            let rows = Sealed::open_text(key, message, Part::Past, row.bytes("document")?)?;
            let unreadable = |_| StoreError::Unreadable { what: "past" };
            place.push(KeptPast {
                message,
                sender: row.named("sender")?,
                rows: serde_json::from_str(&rows).map_err(unreadable)?,
            });
        }
        Ok(found)
    }
}
