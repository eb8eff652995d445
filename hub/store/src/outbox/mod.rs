//! What is owed to insurers, and to providers that are told of their messages: offered in the order of each claim, tried until it is had, never deleted.

mod attempts;
mod letters;

use std::collections::HashSet;

use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::body::sent_and_answered;
use crate::column::Row;
use crate::db::{Db, Pool, Sql, Value};
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Id, over, row};
use crate::scope::Scope;
use crate::seal::OwnerKey;
use crate::store::Store;

pub(crate) use attempts::attempts_of;
pub use attempts::{Attempt, AttemptRecord, Outcome};
pub(crate) use letters::revive;
pub use letters::{DeliveryPage, DeliveryState, ListedDelivery, Redelivery};

/// The most deliveries that are offered at once.
const MOST_OFFERED: u32 = 10_000;

/// Something owed to an insurer: what was sent, and what was answered in the turn that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The delivery's id; the same at every attempt.
    pub id: DeliveryId,
    /// To whom.
    pub insurer: ParticipantId,
    /// What is to be done with it.
    pub purpose: Purpose,
    /// The message it is about.
    pub message: MessageId,
    /// The kind of the message.
    pub kind: Kind,
    /// The wire format that the message came in.
    pub format: String,
    /// Deliveries of one claim go in this order, one after the other.
    pub sequence: i64,
    /// When it became owed.
    pub created_at: Instant,
    /// The canonical message, as JSON.
    pub canonical: Vec<u8>,
    /// The answer, as JSON.
    pub answer: String,
}

/// A delivery that is offered. That one cannot be read does not keep the others back.
#[derive(Debug)]
pub struct Offered {
    /// The delivery's id.
    pub id: DeliveryId,
    /// How often it was tried before.
    pub attempts: u32,
    /// What it is; [`StoreError::Erased`] where its member was erased, another error where it is broken.
    pub owed: Result<Owed, StoreError>,
}

/// A delivery that its insurer never had: its member was erased first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedDelivery {
    /// The delivery.
    pub id: DeliveryId,
    /// To whom it was owed.
    pub insurer: ParticipantId,
    /// The message it was about.
    pub message: MessageId,
    /// When it was found that nobody can read it any more.
    pub at: Instant,
}

/// How much is owed to an insurer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The insurer.
    pub insurer: ParticipantId,
    /// How many deliveries wait.
    pub waiting: u64,
    /// How many were refused for what they are, and wait for a person.
    pub dead: u64,
    /// Since when the oldest is owed of those that are tried: neither dead nor behind one that is.
    pub oldest: Option<Instant>,
    /// How many it has had.
    pub delivered: u64,
    /// When it had the last one.
    pub last_delivered: Option<Instant>,
}

row! {
    /// A delivery that somebody is handing over.
    struct ClaimRow {
        sequence: i64 as integer,
        until: Instant as integer,
    }
    Some(Constraint::Delivery);
    "update delivery set claimed_until = batch.until
     from batch where delivery.sequence = batch.sequence"
}

row! {
    /// A claim that goes on, or ends.
    struct HeldRow {
        id: Id as id,
        until: Option<Instant> as integer,
    }
    None;
    sqlite(
        "update delivery set claimed_until = batch.until
         from batch where delivery.id = batch.id and delivery.claimed_until is not null"
    )
    postgres(
        ", held as (
             select d.sequence, batch.until from batch join delivery d on d.id = batch.id
             where d.claimed_until is not null order by d.sequence for no key update of d)
         update delivery set claimed_until = held.until
         from held where delivery.sequence = held.sequence"
    )
}

/// Which deliveries of an insurer are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// To whom they are owed.
    pub insurer: &'a ParticipantId,
    /// The moment at which claims are counted.
    pub now: Instant,
    /// Those that are due by then: `now`, or later where it is to be found out whether the insurer is back.
    pub due_by: Instant,
    /// So many at most.
    pub most: u32,
    /// Those that are on their way already, from this hub.
    pub beside: &'a HashSet<DeliveryId>,
}

/// The longest that an attempt may be put off. What lies further ahead was put off by a clock that has gone back
/// since, and is due.
pub const MOST_WAIT_MS: u64 = 300_000;

/// What an insurer ($1) is to get by then ($5), so many at most ($3), now ($2); $4 is the farthest that an attempt may
/// lie ahead.
macro_rules! ripe {
    () => {
        "select d.sequence, d.id from delivery d
         where d.insurer = $1 and d.delivered_at is null and d.erased_at is null
             and d.dead_at is null and (d.due_at <= $5 or d.due_at > $4)
             and (d.claimed_until is null or d.claimed_until <= $2 or d.claimed_until > $4)
             and not exists (
                 select 1 from delivery earlier
                 where earlier.insurer = d.insurer and earlier.claim = d.claim
                     and earlier.delivered_at is null and earlier.erased_at is null
                     and earlier.sequence < d.sequence)
         order by d.due_at, d.sequence limit $3"
    };
}

/// What an insurer ($1) is to get later than now ($2) because it was away.
macro_rules! put_off {
    () => {
        "select sequence from delivery
         where insurer = $1 and due_at > $2 and delivered_at is null and erased_at is null
             and dead_at is null and refusals = 0"
    };
}

/// The places of what is not on its way already, in the order of the rows.
fn new(ripe: &[Row], beside: &HashSet<DeliveryId>) -> Result<Vec<i64>, StoreError> {
    let mut sequences = Vec::with_capacity(ripe.len());
    for row in ripe {
        if !beside.contains(&DeliveryId(row.uuid("id")?)) {
            sequences.push(row.number("sequence")?);
        }
    }
    Ok(sequences)
}

impl<'a> Wanted<'a> {
    fn values(&self, most: u32) -> [Value<'a>; 5] {
        [
            self.insurer.as_str().into(),
            self.now.into(),
            most.into(),
            self.now.plus_ms(MOST_WAIT_MS).into(),
            self.due_by.into(),
        ]
    }
}

impl Store {
    /// What an insurer is to get, the longest due first: of each claim only the earliest that it has not had, nothing
    /// that somebody has claimed, and nothing behind a dead letter. What is offered stays offered until an attempt is
    /// recorded.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn due(&self, wanted: Wanted<'_>) -> Result<Vec<Offered>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut db = connection.db();
        // Those beside are among the first, for they are due the longest.
        let beside = u32::try_from(wanted.beside.len()).unwrap_or(u32::MAX);
        let most = wanted.most.saturating_add(beside).min(MOST_OFFERED);
        let ripe = db.fetch_all(ripe!(), &wanted.values(most)).await?;
        let mut sequences = new(&ripe, wanted.beside)?;
        sequences.truncate(usize::try_from(wanted.most).unwrap_or(usize::MAX));
        self.offered(&mut db, &sequences).await
    }

    /// Takes what an insurer is to get, so that nobody else does before `until`: where several hubs work in the database it
    /// is claimed; where one does, it is enough that the hub keeps its own list of what is on the way.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn take(
        &self,
        wanted: Wanted<'_>,
        until: Instant,
    ) -> Result<Vec<Offered>, StoreError> {
        match self.readers {
            Pool::Sqlite(_) => self.due(wanted).await,
            Pool::Postgres(_) => self.claim(wanted, until).await,
        }
    }

    /// Claims what an insurer is to get, as [`Store::due`] offers it: nobody else is offered it, nor what
    /// comes after it in its claim, before an attempt is recorded or `until` has come. Of two who claim at the
    /// same time, each gets what the other does not.
    ///
    /// A claim is forgotten where the database crashes: what was handed over may be handed over again then, as
    /// after every crash before an attempt was recorded.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn claim(
        &self,
        wanted: Wanted<'_>,
        until: Instant,
    ) -> Result<Vec<Offered>, StoreError> {
        const RIPE: Sql = Sql {
            sqlite: ripe!(),
            postgres: concat!(ripe!(), " for no key update of d skip locked"),
        };
        // No claim is worth waiting for the disk; SQLite knows only one way to commit.
        const BEGIN: Sql = Sql {
            sqlite: "begin immediate",
            postgres: "begin; set local synchronous_commit to off",
        };
        let values = wanted.values(wanted.most.min(MOST_OFFERED));
        let mut transaction = self.writers.begin(BEGIN).await?;
        let mut db = transaction.db();
        let ripe = db.fetch_all(RIPE, &values).await?;
        let offered = self.offered(&mut db, &new(&ripe, wanted.beside)?).await?;
        let mut claims = new(&ripe, &HashSet::new())?;
        claims.sort_unstable();
        let claim = |sequence| ClaimRow { sequence, until };
        let claims: Vec<_> = claims.into_iter().map(claim).collect();
        put(&mut db, &claims).await?;
        transaction.commit().await?;
        Ok(offered)
    }

    /// What is owed, in this order.
    async fn offered(
        &self,
        db: &mut Db<'_>,
        sequences: &[i64],
    ) -> Result<Vec<Offered>, StoreError> {
        let of_sequences = over!(
            sequence integer;
            "select d.sequence, d.id, d.insurer, d.message, d.kind, d.purpose, d.created_at, d.attempts,
                 m.format, m.member, k.wrapped, first.body as taken, told.number, told.body
             from batch
             join delivery d on d.sequence = batch.sequence
             join message m on m.id = d.message
             left join data_key k on k.owner = m.member
             join turn first on first.message = d.message and first.number = 1
             join turn told on told.message = d.message and told.number = d.turn
             order by batch.place"
        );
        let rows: Vec<(i64,)> = sequences.iter().map(|own| (*own,)).collect();
        let mut offered = Vec::with_capacity(rows.len());
        for row in &db.ask(of_sequences, &rows).await? {
            let key = self.keys.of(row).await;
            offered.push(Offered {
                id: DeliveryId(row.uuid("id")?),
                attempts: row.number("attempts")?,
                owed: key.and_then(|key| owed(row, &key)),
            });
        }
        Ok(offered)
    }

    /// Goes on with what [`Store::take`] gave: nobody else is offered it before `until`, or everybody at once where there
    /// is none.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn hold(
        &self,
        deliveries: &[DeliveryId],
        until: Option<Instant>,
    ) -> Result<(), StoreError> {
        if let Pool::Sqlite(_) = self.readers {
            return Ok(());
        }
        let held = |id: &DeliveryId| HeldRow {
            id: (*id).into(),
            until,
        };
        let held: Vec<_> = deliveries.iter().map(held).collect();
        let mut transaction = self.rows().await?;
        put(&mut transaction.db(), &held).await?;
        transaction.commit().await
    }

    /// Makes everything due that waits for an insurer to be back: it is. What was refused for what it is waits on.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn hasten(&self, insurer: &ParticipantId, now: Instant) -> Result<u64, StoreError> {
        const SOON: Sql = Sql {
            sqlite: concat!(
                "update delivery set due_at = $2 where sequence in (",
                put_off!(),
                ")"
            ),
            postgres: concat!(
                "with put_off as (",
                put_off!(),
                " order by sequence for no key update skip locked)
                 update delivery set due_at = $2
                 from put_off where delivery.sequence = put_off.sequence"
            ),
        };
        let values = [insurer.as_str().into(), now.into()];
        self.writers.execute(SOON, &values).await
    }

    /// How much is owed, to every insurer that the scope may see and to which something was ever owed.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn backlogs(&self, scope: &Scope) -> Result<Vec<Backlog>, StoreError> {
        if matches!(scope, Scope::Provider(_)) {
            return Ok(Vec::new());
        }
        // A question of each kind, so that each is answered from its own index.
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select insurer, cast(sum(waiting) as bigint) as waiting, min(oldest) as oldest,
                 cast(sum(delivered) as bigint) as delivered, max(last_delivered) as last_delivered,
                 cast(sum(dead) as bigint) as dead
             from (
                 select insurer, count(*) as waiting, min(created_at) as oldest, 0 as delivered,
                     cast(null as bigint) as last_delivered, 0 as dead
                 from delivery where delivered_at is null and erased_at is null group by insurer
                 union all
                 select insurer, 0, null, count(*), max(delivered_at), 0
                 from delivery where delivered_at is not null group by insurer
                 union all
                 select insurer, -count(*), null, 0, null, count(*)
                 from delivery
                 where dead_at is not null and delivered_at is null and erased_at is null
                 group by insurer) all_kinds
             where $1 is null or insurer = $1
             group by insurer order by insurer",
                &[scope.insurer().into()],
            )
            .await?;
        let read = |row: &Row| {
            Ok(Backlog {
                insurer: row.named("insurer")?,
                waiting: row.number("waiting")?,
                dead: row.number("dead")?,
                oldest: row.moment_maybe("oldest")?,
                delivered: row.number("delivered")?,
                last_delivered: row.moment_maybe("last_delivered")?,
            })
        };
        let mut backlogs: Vec<Backlog> =
            rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        for backlog in backlogs.iter_mut().filter(|own| own.dead > 0) {
            backlog.oldest = oldest_tried(&mut reader.db(), &backlog.insurer).await?;
        }
        Ok(backlogs)
    }

    /// Deliveries that insurers never had because the member was erased first, as they were found since a moment, the
    /// latest first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn erased_deliveries(
        &self,
        since: Instant,
        most: u32,
    ) -> Result<Vec<ErasedDelivery>, StoreError> {
        let rows = self
            .readers
            .fetch_all(
                "select id, insurer, message, erased_at from delivery where erased_at >= $1
                 order by erased_at desc, sequence desc limit $2",
                &[since.into(), most.into()],
            )
            .await?;
        let read = |row: &Row| {
            Ok(ErasedDelivery {
                id: DeliveryId(row.uuid("id")?),
                insurer: row.named("insurer")?,
                message: MessageId(row.uuid("message")?),
                at: row.moment("erased_at")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Since when the oldest is owed to an insurer of those that are neither dead nor behind one that is.
async fn oldest_tried(
    db: &mut Db<'_>,
    insurer: &ParticipantId,
) -> Result<Option<Instant>, StoreError> {
    let row = db
        .fetch_one(
            "select min(d.created_at) as oldest from delivery d
             where d.insurer = $1 and d.delivered_at is null and d.erased_at is null
                 and d.dead_at is null
                 and not exists (
                     select 1 from delivery dead
                     where dead.insurer = d.insurer and dead.claim = d.claim
                         and dead.delivered_at is null and dead.erased_at is null
                         and dead.dead_at is not null and dead.sequence < d.sequence)",
            &[insurer.as_str().into()],
        )
        .await?;
    row.moment_maybe("oldest")
}

fn owed(row: &Row, key: &OwnerKey) -> Result<Owed, StoreError> {
    let message = MessageId(row.uuid("message")?);
    let (canonical, answer) = sent_and_answered(row, key, message)?;
    Ok(Owed {
        id: DeliveryId(row.uuid("id")?),
        insurer: row.named("insurer")?,
        purpose: row.named("purpose")?,
        message,
        kind: row.named("kind")?,
        format: row.text("format")?.to_owned(),
        sequence: row.number("sequence")?,
        created_at: row.moment("created_at")?,
        canonical,
        answer,
    })
}
