//! History as a rehearsal reads it: messages that used limits up, in the order in which they came, and what else was used.

use takmil_domain::date::Instant;
use takmil_domain::ids::{MemberId, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::rehearsal::Posted;

use crate::body::sent_and_answered;
use crate::column::Row;
use crate::error::StoreError;
use crate::ledger::{limit_columns, limit_key};
use crate::store::Store;

/// A message that was decided and used limits up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledMessage {
    /// The message.
    pub id: MessageId,
    /// What it is.
    pub kind: Kind,
    /// When it was decided.
    pub at: Instant,
    /// The member.
    pub member: MemberId,
    /// Who sent it.
    pub sender: ParticipantId,
    /// The canonical message, as JSON.
    pub canonical: Vec<u8>,
    /// The last answer, as JSON.
    pub answer: String,
}

/// Some settled messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettledPage {
    /// Those that can be read.
    pub messages: Vec<SettledMessage>,
    /// How many were of members who were erased since.
    pub erased: u64,
    /// The last message of the page, readable or not; `None` where there are no more.
    pub last: Option<MessageId>,
}

const PAGE: &str =
    "select m.id, m.kind, m.member, m.sender, k.wrapped, first.body as taken, last.number, last.body, last.at
     from message m
     left join data_key k on k.owner = m.member
     join turn first on first.message = m.id and first.number = 1
     join turn last on last.message = m.id
         and last.number = (select max(number) from turn
             where turn.message = m.id and turn.body is not null)
     where m.id > $1 and m.id < $2 and m.state in ('decided', 'refused', 'adjusted', 'appealed', 'paid', 'reconciled') and m.kind in ('claim', 'dispense')
         and m.member is not null
         and ($3 is null or exists (
             select 1 from payer where payer.insurer = $3 and payer.message = m.id))
     order by m.id limit $4";

const USED_BEFORE: &str = concat!(
    "select ",
    limit_columns!(),
    ", cast(sum(l.used) as bigint) as used, cast(sum(l.room) as bigint) as room
     from (
         select account, standing,
             case kind when 'consume' then amount when 'reverse' then -amount else 0 end as used,
             case kind when 'override' then amount else 0 end as room
         from entry where message < $1 and kind in ('consume', 'reverse', 'override')
         union all
         select account, standing,
             case when kind in ('opening', 'off_hub') then amount else 0 end,
             case when kind in ('override', 'ceiling') then amount else 0 end
         from posting where at < $2
     ) l
     join standing s on s.account = l.account and s.id = l.standing
     where ($3 is null or s.insurer = $3)
     group by s.account, s.member, s.insurer, s.code, s.stretch"
);

const POSTED: &str = concat!(
    "select ",
    limit_columns!(),
    ", p.at,
         case when p.kind in ('opening', 'off_hub') then p.amount else 0 end as used,
         case when p.kind in ('override', 'ceiling') then p.amount else 0 end as room
     from posting p join standing s on s.account = p.account and s.id = p.standing
     where p.at >= $1 and p.at < $2 and ($3 is null or p.insurer = $3)
     order by p.at, p.insurer, p.reference"
);

impl Store {
    /// Decided claims and dispenses whose ids lie between two others, in their order: of all insurers, or those of which
    /// one owes a share. The next page begins after the last one's id.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn settled(
        &self,
        insurer: Option<&ParticipantId>,
        (after, before): (MessageId, MessageId),
        most: u32,
    ) -> Result<SettledPage, StoreError> {
        let insurer = insurer.map(ParticipantId::as_str);
        let values = [after.0.into(), before.0.into(), insurer.into(), most.into()];
        let rows = self.readers.fetch_all(PAGE, &values).await?;
        let mut page = SettledPage::default();
        for row in &rows {
            let id = MessageId(row.uuid("id")?);
            page.last = Some(id);
            match self.keys.of(row).await {
                Ok(key) => {
                    let (canonical, answer) = sent_and_answered(row, &key, id)?;
                    page.messages.push(SettledMessage {
                        id,
                        kind: row.named("kind")?,
                        at: row.moment("at")?,
                        member: MemberId(row.uuid("member")?),
                        sender: row.named("sender")?,
                        canonical,
                        answer,
                    });
                }
                Err(StoreError::Erased) => page.erased = page.erased.saturating_add(1),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// All that was used of limits, and allowed beyond their ceilings, by messages that came before another one, whenever
    /// they were decided, and by what was posted before a moment: of each limit its sum, one after another. What was set
    /// aside and not used counts for nothing.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read; else what `take` fails with.
    pub async fn used_before(
        &self,
        insurer: Option<&ParticipantId>,
        (message, moment): (MessageId, Instant),
        mut take: impl FnMut(Posted) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let insurer = insurer.map(ParticipantId::as_str);
        let read = |row: Row| take(posted(&row, moment)?);
        let values = [message.0.into(), moment.into(), insurer.into()];
        self.readers.each(USED_BEFORE, &values, read).await
    }

    /// What insurers posted from one moment to before another, in order.
    ///
    /// # Errors
    /// As [`Store::used_before`].
    pub async fn posted(
        &self,
        insurer: Option<&ParticipantId>,
        (from, to): (Instant, Instant),
        mut take: impl FnMut(Posted) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let insurer = insurer.map(ParticipantId::as_str);
        let read = |row: Row| take(posted(&row, row.moment("at")?)?);
        let values = [from.into(), to.into(), insurer.into()];
        self.readers.each(POSTED, &values, read).await
    }
}

fn posted(row: &Row, at: Instant) -> Result<Posted, StoreError> {
    Ok(Posted {
        at,
        key: limit_key(row)?,
        used: row.number("used")?,
        room: row.number("room")?,
    })
}
