//! Messages as they are asked for: where is it, what was sent, what was answered.

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DeliveryId, MemberId, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::batch::Leg;
use crate::body::Opened;
use crate::column::Row;
use crate::db::Db;
use crate::error::StoreError;
use crate::outbox::{AttemptRecord, attempts_of};
use crate::scope::Scope;
use crate::seal::OwnerKey;
use crate::store::Store;
use crate::turn::digest;

/// The most messages of one page.
const MOST_OF_PAGE: u32 = 1_000;

/// What is known of a message without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEnvelope {
    /// The message.
    pub id: MessageId,
    /// Who sent it.
    pub sender: ParticipantId,
    /// Its kind.
    pub kind: Kind,
    /// The wire format it came in.
    pub format: String,
    /// How far it has come.
    pub state: State,
    /// The number of its last turn.
    pub turn: u32,
    /// When the hub took it.
    pub received_at: Instant,
    /// When its last turn was.
    pub updated_at: Instant,
    /// By when somebody must have spoken.
    pub deadline: Option<Instant>,
    /// The member, where known.
    pub member: Option<MemberId>,
    /// SHA-256 of the body as received.
    pub digest: [u8; 32],
}

/// A message's whole way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageWay {
    /// The message.
    pub envelope: MessageEnvelope,
    /// Its turns, the first one first.
    pub turns: Vec<MessageTurn>,
    /// What became owed to insurers because of it, in order.
    pub deliveries: Vec<DeliveryWay>,
}

/// One turn of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTurn {
    /// Its number, from 1.
    pub number: u32,
    /// When.
    pub at: Instant,
    /// How far the message came.
    pub state: State,
    /// The answer, as JSON, where it changed and the member was not erased since.
    pub answer: Option<String>,
    /// The legs since the turn before.
    pub legs: Vec<Leg>,
}

/// A delivery on a message's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryWay {
    /// The delivery.
    pub id: DeliveryId,
    /// To whom.
    pub insurer: ParticipantId,
    /// What is to be done with it.
    pub purpose: Purpose,
    /// When it became owed.
    pub created_at: Instant,
    /// When the insurer had it, or knew by other means.
    pub delivered_at: Option<Instant>,
    /// How long the hub's call took by which it had it, in milliseconds.
    pub took_ms: Option<u64>,
    /// Since when it is a dead letter, or was one when a person saw to it.
    pub dead_at: Option<Instant>,
    /// Who told the insurer by other means, and how.
    pub resolved: Option<(String, String)>,
    /// Every attempt, the first one first.
    pub attempts: Vec<AttemptRecord>,
}

/// Which messages of a scope are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this state.
    pub state: Option<State>,
    /// Of this member.
    pub member: Option<MemberId>,
}

/// A message whose deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The message.
    pub message: MessageId,
    /// How far it has come.
    pub state: State,
    /// The deadline.
    pub at: Instant,
}

macro_rules! envelope_columns {
    () => {
        "m.id, m.sender, m.kind, m.format, m.state, m.turn, m.received_at, m.updated_at, m.deadline, m.member, m.digest"
    };
}
pub(crate) use envelope_columns;

/// A page of messages: by the index that the narrowest condition has, the rest as filters.
/// $1 sender, $2 insurer, $3 member, $4 kind, $5 state, $6 cursor, $7 how many.
macro_rules! page {
    ($from:literal, $order:literal) => {
        concat!(
            "select ",
            envelope_columns!(),
            " from ",
            $from,
            " and ($1 is null or m.sender = $1)
              and ($2 is null or exists (
                  select 1 from payer x where x.insurer = $2 and x.message = m.id))
              and ($3 is null or m.member = $3)
              and ($4 is null or m.kind = $4)
              and ($5 is null or m.state = $5)
              and ",
            $order,
            " < $6
              order by ",
            $order,
            " desc limit $7"
        )
    };
}

const PAGE_OF_ALL: &str = page!("message m where true", "m.id");
const PAGE_OF_SENDER: &str = page!("message m where m.sender = $1", "m.id");
const PAGE_OF_MEMBER: &str = page!("message m where m.member = $3", "m.id");
const PAGE_OF_INSURER: &str = page!(
    "payer p join message m on m.id = p.message where p.insurer = $2",
    "p.message"
);

const FIRST: &str = "select number, body from turn where message = $1 and number = 1";

impl Store {
    /// A message's whole way: turns with their answers and legs, deliveries with their attempts. An insurer
    /// sees its own deliveries, and no leg with another.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such message in the scope.
    pub async fn way(&self, scope: &Scope, id: MessageId) -> Result<MessageWay, StoreError> {
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        let envelope = find(&mut db, scope, id).await?;
        let turns = db
            .fetch_all(
                "select number, at, state, body, legs from turn where message = $1 order by number",
                &[id.0.into()],
            )
            .await?;
        let deliveries = deliveries(&mut db, scope, id).await?;
        // The key is asked for with a connection of its own: two at once could wait for each other.
        drop(reader);
        let key = match self.keys.of_member(&self.readers, envelope.member).await {
            Err(StoreError::Erased) => None,
            other => Some(other?),
        };
        let turns = turns
            .iter()
            .map(|row| turn(scope, id, key.as_ref(), row))
            .collect::<Result<_, _>>()?;
        Ok(MessageWay {
            envelope,
            turns,
            deliveries,
        })
    }

    /// What is known of a message without opening it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such message in the scope.
    pub async fn envelope(
        &self,
        scope: &Scope,
        id: MessageId,
    ) -> Result<MessageEnvelope, StoreError> {
        find(&mut self.read(scope).await?.db(), scope, id).await
    }

    /// The body as received.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such message in the scope; [`StoreError::Erased`] if it is of a
    /// member who was erased.
    pub async fn original(&self, scope: &Scope, id: MessageId) -> Result<Vec<u8>, StoreError> {
        self.opened(scope, id, FIRST).await?.original()
    }

    /// The canonical message, as JSON.
    ///
    /// # Errors
    /// As [`Store::original`].
    pub async fn canonical(&self, scope: &Scope, id: MessageId) -> Result<Vec<u8>, StoreError> {
        self.opened(scope, id, FIRST).await?.canonical()
    }

    /// The last answer, as JSON.
    ///
    /// # Errors
    /// As [`Store::original`].
    pub async fn answer(&self, scope: &Scope, id: MessageId) -> Result<String, StoreError> {
        const LAST: &str = "select number, body from turn
             where message = $1 and body is not null order by number desc limit 1";
        self.opened(scope, id, LAST).await?.answer()
    }

    /// The body of a turn of a message.
    async fn opened(
        &self,
        scope: &Scope,
        id: MessageId,
        sql: &'static str,
    ) -> Result<Opened, StoreError> {
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        let envelope = find(&mut db, scope, id).await?;
        let row = db.fetch_one(sql, &[id.0.into()]).await?;
        drop(reader);
        let key = self.keys.of_member(&self.readers, envelope.member).await?;
        Opened::of_row(&row, &key, id)
    }

    /// A page of the scope's messages, the latest first; the next page begins after the last one's id.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn messages(
        &self,
        scope: &Scope,
        filter: &MessageFilter,
        after: Option<MessageId>,
        most: u32,
    ) -> Result<Vec<MessageEnvelope>, StoreError> {
        let sql = match (filter.member, scope) {
            (Some(_), _) => PAGE_OF_MEMBER,
            (None, Scope::Provider(_)) => PAGE_OF_SENDER,
            (None, Scope::Insurer(_)) => PAGE_OF_INSURER,
            (None, Scope::Hub | Scope::Regulator) => PAGE_OF_ALL,
        };
        let values = [
            scope.sender().into(),
            scope.insurer().into(),
            filter.member.map(|member| member.0).into(),
            filter.kind.map(Kind::as_str).into(),
            filter.state.map(State::as_str).into(),
            after.map_or(uuid::Uuid::max(), |id| id.0).into(),
            most.min(MOST_OF_PAGE).into(),
        ];
        let mut reader = self.read(scope).await?;
        let rows = reader.db().fetch_all(sql, &values).await?;
        rows.iter().map(envelope).collect()
    }

    /// Messages whose deadline has passed while somebody has still to speak, the earliest deadline first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn overdue(&self, now: Instant, most: u32) -> Result<Vec<Deadline>, StoreError> {
        let rows = self
            .readers
            .fetch_all(
                "select id, state, deadline from message
                 where deadline is not null and deadline <= $1
                 order by deadline, id limit $2",
                &[now.into(), most.into()],
            )
            .await?;
        let read = |row: &Row| {
            Ok(Deadline {
                message: MessageId(row.uuid("id")?),
                state: row.named("state")?,
                at: row.moment("deadline")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The messages with a deadline to come, or passed, while somebody has still to speak: what a hub that
    /// starts has to wait for.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn waiting(&self, most: u32) -> Result<Vec<Deadline>, StoreError> {
        self.overdue(Instant(i64::MAX), most).await
    }

    /// Messages whose open reservation no longer counts on `today`, the longest expired first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn expired_reservations(
        &self,
        today: Date,
        most: u32,
    ) -> Result<Vec<MessageId>, StoreError> {
        let rows = self
            .readers
            .fetch_all(
                "select message from reservation where state = 'open' and expires_on < $1
                 order by expires_on, message limit $2",
                &[(&today.to_string()).into(), most.into()],
            )
            .await?;
        rows.iter()
            .map(|row| row.uuid("message").map(MessageId))
            .collect()
    }
}

/// A message of the scope.
pub(crate) async fn find(
    db: &mut Db<'_>,
    scope: &Scope,
    id: MessageId,
) -> Result<MessageEnvelope, StoreError> {
    const SQL: &str = concat!(
        "select ",
        envelope_columns!(),
        " from message m
         where m.id = $1 and ($2 is null or m.sender = $2)
             and ($3 is null or exists (
                 select 1 from payer where payer.insurer = $3 and payer.message = m.id))"
    );
    let values = [id.0.into(), scope.sender().into(), scope.insurer().into()];
    let row = db.fetch_one(SQL, &values).await?;
    envelope(&row)
}

async fn deliveries(
    db: &mut Db<'_>,
    scope: &Scope,
    id: MessageId,
) -> Result<Vec<DeliveryWay>, StoreError> {
    let rows = db
        .fetch_all(
            "select d.id, d.insurer, d.purpose, d.created_at, d.delivered_at, d.attempts, d.took_ms,
                 d.dead_at, d.resolved_by, d.resolved_note, a.number, a.at, a.error
             from delivery d left join attempt a on a.delivery = d.sequence
             where d.message = $1 and ($2 is null or d.insurer = $2)
             order by d.sequence, a.number",
            &[id.0.into(), scope.insurer().into()],
        )
        .await?;
    let mut deliveries: Vec<(DeliveryId, Vec<&Row>)> = Vec::new();
    for row in &rows {
        let id = DeliveryId(row.uuid("id")?);
        match deliveries.last_mut() {
            Some((last, attempts)) if *last == id => attempts.push(row),
            _ => deliveries.push((id, vec![row])),
        }
    }
    let deliveries = deliveries.iter();
    deliveries.map(|(id, rows)| delivery(*id, rows)).collect()
}

/// A delivery from its rows, one for each attempt.
fn delivery(id: DeliveryId, rows: &[&Row]) -> Result<DeliveryWay, StoreError> {
    let row = rows.first().ok_or(StoreError::NotFound)?;
    let resolved = row
        .text_maybe("resolved_by")?
        .zip(row.text_maybe("resolved_note")?);
    Ok(DeliveryWay {
        id,
        insurer: row.named("insurer")?,
        purpose: row.named("purpose")?,
        created_at: row.moment("created_at")?,
        delivered_at: row.moment_maybe("delivered_at")?,
        took_ms: row.number_maybe("took_ms")?,
        dead_at: row.moment_maybe("dead_at")?,
        resolved: resolved.map(|(by, note)| (by.to_owned(), note.to_owned())),
        attempts: attempts_of(rows)?,
    })
}

fn turn(
    scope: &Scope,
    message: MessageId,
    key: Option<&OwnerKey>,
    row: &Row,
) -> Result<MessageTurn, StoreError> {
    let mut legs: Vec<Leg> = row.document("legs")?;
    if let Scope::Insurer(own) = scope {
        legs.retain(|leg| leg.who.as_ref().is_none_or(|who| who == own));
    }
    Ok(MessageTurn {
        number: row.number("number")?,
        at: row.moment("at")?,
        state: row.named("state")?,
        answer: match (key, row.bytes_maybe("body")?) {
            (Some(key), Some(_)) => Some(Opened::of_row(row, key, message)?.answer()?),
            _ => None,
        },
        legs,
    })
}

/// Reads [`envelope_columns!`].
pub(crate) fn envelope(row: &Row) -> Result<MessageEnvelope, StoreError> {
    Ok(MessageEnvelope {
        id: MessageId(row.uuid("id")?),
        sender: row.named("sender")?,
        kind: row.named("kind")?,
        format: row.text("format")?.to_owned(),
        state: row.named("state")?,
        turn: row.number("turn")?,
        received_at: row.moment("received_at")?,
        updated_at: row.moment("updated_at")?,
        deadline: row.moment_maybe("deadline")?,
        member: row.uuid_maybe("member")?.map(MemberId),
        digest: digest(row)?,
    })
}
