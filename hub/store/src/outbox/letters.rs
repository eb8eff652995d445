//! What people do about deliveries: look at those of the past, have them made again, and see to dead letters.

use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::column::Row;
use crate::db::{Db, Sql};
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::row;
use crate::scope::Scope;
use crate::store::Store;

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is owed, and tried.
    Owed,
    /// It was refused for what it is, and waits for a person.
    Dead,
    /// Its insurer has it.
    Delivered,
    /// Its member was erased before its insurer had it.
    Erased,
}

/// Which deliveries are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryPage {
    /// To whom; to everybody whom the scope sees where nobody is named.
    pub insurer: Option<ParticipantId>,
    /// How far they have come: dead or delivered; all where nothing is said.
    pub state: Option<DeliveryState>,
    /// After the one of this sequence.
    pub after: i64,
    /// So many at most.
    pub most: u32,
}

/// A delivery without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDelivery {
    /// Its place in the order in which deliveries became owed.
    pub sequence: i64,
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub insurer: ParticipantId,
    /// What is to be done with it.
    pub purpose: Purpose,
    /// The message it is about.
    pub message: MessageId,
    /// The kind of the message.
    pub kind: Kind,
    /// How far it has come.
    pub state: DeliveryState,
    /// When it became owed.
    pub created_at: Instant,
    /// When its insurer had it.
    pub delivered_at: Option<Instant>,
    /// Since when it is a dead letter, or was one when a person saw to it.
    pub dead_at: Option<Instant>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed, where it did.
    pub error: Option<String>,
    /// Who saw to it that its insurer knows by other means, and how.
    pub resolved: Option<(String, String)>,
}

/// What is to be delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery<'a> {
    /// One delivery.
    One(DeliveryId),
    /// Everything that became owed to an insurer in a stretch of time, its end not included.
    Stretch {
        /// To whom.
        insurer: &'a ParticipantId,
        /// From when on.
        from: Instant,
        /// Until when.
        to: Instant,
    },
}

row! {
    /// A delivery that is owed again. What told of its first attempt becomes a row of its own.
    struct FirstRow {
        sequence: i64 as integer,
    }
    None;
    "insert into attempt (delivery, number, at, error)
     select d.sequence, 1, d.delivered_at, null
     from batch join delivery d on d.sequence = batch.sequence
     where d.delivered_at is not null and d.attempts > 0
         and not exists (select 1 from attempt a where a.delivery = d.sequence and a.number = 1)"
}

row! {
    struct AgainRow {
        sequence: i64 as integer,
        due_at: Instant as integer,
    }
    Some(Constraint::Delivery);
    "update delivery
     set delivered_at = null, claimed_until = null, due_at = batch.due_at, took_ms = null,
         refusals = 0, refused_at = null, dead_at = null, resolved_by = null, resolved_note = null
     from batch where delivery.sequence = batch.sequence"
}

/// What can be delivered again: what was had, or refused for good, and can be read still.
macro_rules! again {
    ($which:literal) => {
        concat!(
            "select sequence from delivery
             where ",
            $which,
            " and (delivered_at is not null or dead_at is not null)
                 and not exists (
                     select 1 from message m join erasure e on e.member = m.member
                     where m.id = delivery.message)
             order by sequence"
        )
    };
}

macro_rules! locked {
    ($sql:expr) => {
        Sql {
            sqlite: $sql,
            postgres: concat!($sql, " for no key update of delivery"),
        }
    };
}

/// Deliveries of an insurer ($1) after one ($2), so many at most ($3).
macro_rules! listed {
    ($state:literal) => {
        concat!(
            "select d.sequence, d.id, d.insurer, d.purpose, d.message, d.kind, d.created_at,
                 d.delivered_at, d.erased_at, d.dead_at, d.attempts, d.resolved_by, d.resolved_note,
                 a.error
             from delivery d left join attempt a on a.delivery = d.sequence and a.number = d.attempts
             where ($1 is null or d.insurer = $1) and d.sequence > $2",
            $state,
            " order by d.sequence limit $3"
        )
    };
}

impl Store {
    /// Deliveries in the order in which they became owed.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn deliveries(
        &self,
        scope: &Scope,
        page: &DeliveryPage,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let insurer = match (&page.insurer, scope.owed_to()) {
            (Some(asked), Some(own)) if asked.as_str() != own => return Ok(Vec::new()),
            (Some(asked), _) => Some(asked.as_str()),
            (None, own) => own,
        };
        let sql = match page.state {
            Some(DeliveryState::Dead) => listed!(
                " and d.dead_at is not null and d.delivered_at is null and d.erased_at is null"
            ),
            Some(DeliveryState::Delivered) => listed!(" and d.delivered_at is not null"),
            Some(DeliveryState::Owed) => {
                listed!(" and d.dead_at is null and d.delivered_at is null and d.erased_at is null")
            }
            Some(DeliveryState::Erased) => listed!(" and d.erased_at is not null"),
            None => listed!(""),
        };
        let values = [insurer.into(), page.after.into(), page.most.into()];
        let mut reader = self.read(scope).await?;
        let rows = reader.db().fetch_all(sql, &values).await?;
        rows.iter().map(listed).collect()
    }

    /// Makes what was had, and what was refused for good, owed again in the old order, but for what is of members who
    /// were erased since. What is owed still stays as it is. Gives how many that are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the deliveries are not the scope's.
    pub async fn redeliver(
        &self,
        scope: &Scope,
        what: Redelivery<'_>,
        due: Instant,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        let rows = match what {
            Redelivery::One(id) => {
                own(&mut db, scope, id).await?;
                db.fetch_all(locked!(again!("id = $1")), &[id.0.into()])
                    .await?
            }
            Redelivery::Stretch { insurer, from, to } => {
                if !scope.is_owed(insurer) {
                    return Err(StoreError::NotFound);
                }
                let values = [insurer.as_str().into(), from.into(), to.into()];
                let stretch = locked!(again!(
                    "insurer = $1 and created_at >= $2 and created_at < $3"
                ));
                db.fetch_all(stretch, &values).await?
            }
        };
        let sequences: Vec<i64> = rows
            .iter()
            .map(|row| row.number("sequence"))
            .collect::<Result<_, _>>()?;
        let first = |sequence: &i64| FirstRow {
            sequence: *sequence,
        };
        let firsts: Vec<_> = sequences.iter().map(first).collect();
        put(&mut db, &firsts).await?;
        let again = |sequence: &i64| AgainRow {
            sequence: *sequence,
            due_at: due,
        };
        let again: Vec<_> = sequences.iter().map(again).collect();
        put(&mut db, &again).await?;
        transaction.commit().await?;
        Ok(u64::try_from(sequences.len()).unwrap_or(u64::MAX))
    }

    /// Takes a dead letter out of what is owed: `by` has told its insurer by other means, as the note says. What comes
    /// after it in its claim goes on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is no dead letter of the scope's.
    pub async fn resolve_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        (by, note): (&str, &str),
        at: Instant,
    ) -> Result<(), StoreError> {
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        own(&mut db, scope, id).await?;
        let resolved = db
            .execute(
                "update delivery set delivered_at = $2, resolved_by = $3, resolved_note = $4
                 where id = $1 and dead_at is not null and delivered_at is null
                     and erased_at is null",
                &[id.0.into(), at.into(), by.into(), note.into()],
            )
            .await?;
        if resolved == 0 {
            return Err(StoreError::NotFound);
        }
        transaction.commit().await
    }
}

/// Refuses a delivery that is not the scope's.
async fn own(db: &mut Db<'_>, scope: &Scope, id: DeliveryId) -> Result<(), StoreError> {
    let row = db
        .fetch_optional("select insurer from delivery where id = $1", &[id.0.into()])
        .await?
        .ok_or(StoreError::NotFound)?;
    let insurer: ParticipantId = row.named("insurer")?;
    match scope.is_owed(&insurer) {
        true => Ok(()),
        false => Err(StoreError::NotFound),
    }
}

/// Lets the dead letters of an insurer be tried again: where it listens has changed.
pub(crate) async fn revive(db: &mut Db<'_>, insurer: &ParticipantId) -> Result<u64, StoreError> {
    db.execute(
        "update delivery set dead_at = null, refusals = 0, refused_at = null
         where insurer = $1 and dead_at is not null and delivered_at is null and erased_at is null",
        &[insurer.as_str().into()],
    )
    .await
}

fn listed(row: &Row) -> Result<ListedDelivery, StoreError> {
    let (delivered_at, dead_at) = (
        row.moment_maybe("delivered_at")?,
        row.moment_maybe("dead_at")?,
    );
    let state = match (delivered_at, row.moment_maybe("erased_at")?, dead_at) {
        (Some(_), _, _) => DeliveryState::Delivered,
        (None, Some(_), _) => DeliveryState::Erased,
        (None, None, Some(_)) => DeliveryState::Dead,
        (None, None, None) => DeliveryState::Owed,
    };
    let resolved = row
        .text_maybe("resolved_by")?
        .zip(row.text_maybe("resolved_note")?);
    Ok(ListedDelivery {
        sequence: row.number("sequence")?,
        id: DeliveryId(row.uuid("id")?),
        insurer: row.named("insurer")?,
        purpose: row.named("purpose")?,
        message: MessageId(row.uuid("message")?),
        kind: row.named("kind")?,
        state,
        created_at: row.moment("created_at")?,
        delivered_at,
        dead_at,
        attempts: row.number("attempts")?,
        error: row.text_maybe("error")?.map(str::to_owned),
        resolved: resolved.map(|(by, note)| (by.to_owned(), note.to_owned())),
    })
}
