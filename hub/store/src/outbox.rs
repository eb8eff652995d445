//! What is owed to insurers: offered in the order of each claim, tried until it is had, never deleted.

use std::collections::{BTreeMap, BTreeSet};

use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};
use takmil_domain::message::Kind;
use takmil_domain::participant::Purpose;

use crate::body::sent_and_answered;
use crate::column::Row;
use crate::db::{Db, Sql};
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Id, over, row};
use crate::scope::Scope;
use crate::seal::OwnerKey;
use crate::store::Store;

/// Why an attempt failed whose delivery was erased.
const ERASED: &str = "the member was erased";

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
    /// What it is; [`StoreError::Erased`] where its member was erased, another error where it is broken.
    pub owed: Result<Owed, StoreError>,
}

/// What came of an attempt to hand a delivery over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When.
    pub at: Instant,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The insurer said that it has it.
    Delivered,
    /// It did not.
    Failed {
        /// When to try again.
        next_due: Instant,
        /// Why, in words. Nothing of the person.
        error: String,
    },
    /// Its member was erased: nobody can read it any more, and it is owed no longer.
    Erased,
}

/// An attempt, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// When.
    pub at: Instant,
    /// Why it failed; `None` where it did not.
    pub error: Option<String>,
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
    /// Since when the oldest of them is owed.
    pub oldest: Option<Instant>,
    /// How many it has had.
    pub delivered: u64,
    /// When it had the last one.
    pub last_delivered: Option<Instant>,
}

row! {
    /// An attempt under its delivery's sequence and its own number.
    struct AttemptRow<'a> {
        delivery: i64 as integer,
        number: i64 as integer,
        at: Instant as integer,
        error: Option<&'a str> as text,
    }
    Some(Constraint::Attempt);
    "insert into attempt (delivery, number, at, error)
     select delivery, number, at, error from batch"
}

row! {
    /// What attempts leave of a delivery.
    struct LeftRow {
        sequence: i64 as integer,
        attempts: i64 as integer,
        due_at: Instant as integer,
        delivered_at: Option<Instant> as integer,
        erased_at: Option<Instant> as integer,
    }
    Some(Constraint::Delivery);
    "update delivery
     set attempts = batch.attempts, due_at = batch.due_at, delivered_at = batch.delivered_at,
         erased_at = batch.erased_at, claimed_until = null
     from batch where delivery.sequence = batch.sequence"
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

/// The longest that an attempt may be put off. What lies further ahead was put off by a clock that has gone back
/// since, and is due.
pub const MOST_WAIT_MS: u64 = 300_000;

/// What an insurer ($1) is to get now ($2), so many at most ($3); $4 is the farthest that an attempt may lie ahead.
macro_rules! due {
    () => {
        "select d.sequence, d.id, d.insurer, d.message, d.kind, d.purpose, d.created_at,
             m.member, k.wrapped, first.body as taken, told.number, told.body
         from delivery d
         join message m on m.id = d.message
         left join data_key k on k.owner = m.member
         join turn first on first.message = d.message and first.number = 1
         join turn told on told.message = d.message and told.number = d.turn
         where d.insurer = $1 and d.delivered_at is null and d.erased_at is null
             and (d.due_at <= $2 or d.due_at > $4)
             and (d.claimed_until is null or d.claimed_until <= $2 or d.claimed_until > $4)
             and not exists (
                 select 1 from delivery earlier
                 where earlier.insurer = d.insurer and earlier.claim = d.claim
                     and earlier.delivered_at is null and earlier.erased_at is null
                     and earlier.sequence < d.sequence)
         order by d.due_at, d.sequence limit $3"
    };
}

/// What an insurer ($1) has had of a stretch of time ($2, $3) and can be read still.
macro_rules! delivered {
    () => {
        "select sequence from delivery
         where insurer = $1 and delivered_at is not null and created_at >= $2 and created_at < $3
             and not exists (
                 select 1 from message m join erasure e on e.member = m.member
                 where m.id = delivery.message)"
    };
}

impl Store {
    /// What an insurer is to get now, the longest due first: of each claim only the earliest that it has not
    /// had, and nothing that somebody has claimed. What is offered stays offered until an attempt is recorded.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn due(
        &self,
        insurer: &ParticipantId,
        now: Instant,
        most: u32,
    ) -> Result<Vec<Offered>, StoreError> {
        let values = [
            insurer.as_str().into(),
            now.into(),
            most.min(MOST_OFFERED).into(),
            now.plus_ms(MOST_WAIT_MS).into(),
        ];
        let rows = self.readers.fetch_all(due!(), &values).await?;
        self.offered(&rows).await
    }

    /// Claims what an insurer is to get now, as [`Store::due`] offers it: nobody else is offered it, nor what
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
        insurer: &ParticipantId,
        now: Instant,
        until: Instant,
        most: u32,
    ) -> Result<Vec<Offered>, StoreError> {
        const RIPE: Sql = Sql {
            sqlite: due!(),
            postgres: concat!(due!(), " for no key update of d skip locked"),
        };
        // No claim is worth waiting for the disk; SQLite knows only one way to commit.
        const BEGIN: Sql = Sql {
            sqlite: "begin immediate",
            postgres: "begin; set local synchronous_commit to off",
        };
        let values = [
            insurer.as_str().into(),
            now.into(),
            most.min(MOST_OFFERED).into(),
            now.plus_ms(MOST_WAIT_MS).into(),
        ];
        let mut transaction = self.writers.begin(BEGIN).await?;
        let mut db = transaction.db();
        let rows = db.fetch_all(RIPE, &values).await?;
        let claimed = self.offered(&rows).await?;
        let mut claims: Vec<_> = rows
            .iter()
            .map(|row| row.number("sequence"))
            .collect::<Result<_, _>>()?;
        claims.sort_unstable();
        let claim = |sequence| ClaimRow { sequence, until };
        let claims: Vec<_> = claims.into_iter().map(claim).collect();
        put(&mut db, &claims).await?;
        transaction.commit().await?;
        Ok(claimed)
    }

    async fn offered(&self, rows: &[Row]) -> Result<Vec<Offered>, StoreError> {
        let mut offered = Vec::with_capacity(rows.len());
        for row in rows {
            let key = self.keys.of(row).await;
            offered.push(Offered {
                id: DeliveryId(row.uuid("id")?),
                owed: key.and_then(|key| owed(row, &key)),
            });
        }
        Ok(offered)
    }

    /// Records attempts, all in one transaction, and ends what claims there were. A delivery that the insurer
    /// has had stays had; one that was erased goes out of what is owed, and stays in [`Store::erased_deliveries`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if one of the deliveries is not the scope's; nothing is recorded then.
    pub async fn record_attempts(
        &self,
        scope: &Scope,
        attempts: &[Attempt],
    ) -> Result<(), StoreError> {
        if matches!(scope, Scope::Regulator | Scope::Provider(_)) {
            return Err(StoreError::NotFound);
        }
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        let mut left = left(&mut db, scope, attempts).await?;
        let mut rows = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let left = left
                .get_mut(&attempt.delivery)
                .ok_or(StoreError::NotFound)?;
            left.attempts += 1;
            let error = match &attempt.outcome {
                Outcome::Delivered => {
                    left.delivered_at = left.delivered_at.or(Some(attempt.at));
                    left.erased_at = None;
                    None
                }
                Outcome::Erased => {
                    if left.delivered_at.is_none() {
                        left.erased_at = left.erased_at.or(Some(attempt.at));
                    }
                    Some(ERASED)
                }
                Outcome::Failed { next_due, error } => {
                    left.due_at = *next_due;
                    Some(error.as_str())
                }
            };
            rows.push(AttemptRow {
                delivery: left.sequence,
                number: left.attempts,
                at: attempt.at,
                error,
            });
        }
        put(&mut db, &rows).await?;
        let mut left: Vec<_> = left.into_values().collect();
        left.sort_unstable_by_key(|left| left.sequence);
        put(&mut db, &left).await?;
        transaction.commit().await
    }

    /// Makes everything that became owed to an insurer in a stretch of time (its end not included) owed again,
    /// in the old order, but for what is of members who were erased since. Gives how many that are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the insurer's deliveries are not the scope's.
    pub async fn redeliver(
        &self,
        scope: &Scope,
        insurer: &ParticipantId,
        (from, to): (Instant, Instant),
        due: Instant,
    ) -> Result<u64, StoreError> {
        if !scope.may_change(insurer) {
            return Err(StoreError::NotFound);
        }
        const AGAIN: Sql = Sql {
            sqlite: concat!(
                "update delivery set delivered_at = null, claimed_until = null, due_at = $4
                 where sequence in (",
                delivered!(),
                ")"
            ),
            postgres: concat!(
                "with again as (",
                delivered!(),
                " order by sequence for no key update)
                 update delivery set delivered_at = null, claimed_until = null, due_at = $4
                 from again where delivery.sequence = again.sequence"
            ),
        };
        let values = [insurer.as_str().into(), from.into(), to.into(), due.into()];
        self.writers.execute(AGAIN, &values).await
    }

    /// How much is owed, to every insurer that the scope may see and to which something was ever owed.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn backlogs(&self, scope: &Scope) -> Result<Vec<Backlog>, StoreError> {
        if matches!(scope, Scope::Provider(_)) {
            return Ok(Vec::new());
        }
        // Two questions, so that each is answered from its own index.
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select insurer, cast(sum(waiting) as bigint) as waiting, min(oldest) as oldest,
                 cast(sum(delivered) as bigint) as delivered, max(last_delivered) as last_delivered
             from (
                 select insurer, count(*) as waiting, min(created_at) as oldest, 0 as delivered,
                     cast(null as bigint) as last_delivered
                 from delivery where delivered_at is null and erased_at is null group by insurer
                 union all
                 select insurer, 0, null, count(*), max(delivered_at)
                 from delivery where delivered_at is not null group by insurer) both_kinds
             where $1 is null or insurer = $1
             group by insurer order by insurer",
                &[scope.insurer().into()],
            )
            .await?;
        let read = |row: &Row| {
            Ok(Backlog {
                insurer: row.named("insurer")?,
                waiting: row.number("waiting")?,
                oldest: row.moment_maybe("oldest")?,
                delivered: row.number("delivered")?,
                last_delivered: row.moment_maybe("last_delivered")?,
            })
        };
        rows.iter().map(read).collect()
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

macro_rules! left {
    () => {
        "select d.id, d.insurer, d.sequence, d.attempts, d.due_at, d.delivered_at, d.erased_at
         from batch join delivery d on d.id = batch.id"
    };
}

/// The deliveries of the scope that attempts speak of.
async fn left(
    db: &mut Db<'_>,
    scope: &Scope,
    attempts: &[Attempt],
) -> Result<BTreeMap<DeliveryId, LeftRow>, StoreError> {
    let sql = over!(
        id id;
        sqlite(left!())
        postgres(left!(), " order by d.sequence for no key update of d")
    );
    let distinct: BTreeSet<_> = attempts.iter().map(|attempt| attempt.delivery).collect();
    let keys: Vec<_> = distinct.into_iter().map(|id| (Id::from(id),)).collect();
    let mut left = BTreeMap::new();
    for row in db.ask(sql, &keys).await? {
        let insurer: ParticipantId = row.named("insurer")?;
        if scope.sees_insurer(&insurer) {
            let delivery = LeftRow {
                sequence: row.number("sequence")?,
                attempts: row.number("attempts")?,
                due_at: row.moment("due_at")?,
                delivered_at: row.moment_maybe("delivered_at")?,
                erased_at: row.moment_maybe("erased_at")?,
            };
            left.insert(DeliveryId(row.uuid("id")?), delivery);
        }
    }
    Ok(left)
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
        sequence: row.number("sequence")?,
        created_at: row.moment("created_at")?,
        canonical,
        answer,
    })
}

/// The attempt of a row that may have none.
pub(crate) fn attempt_record(row: &Row) -> Result<Option<AttemptRecord>, StoreError> {
    let Some(at) = row.moment_maybe("at")? else {
        return Ok(None);
    };
    Ok(Some(AttemptRecord {
        at,
        error: row.text_maybe("error")?.map(str::to_owned),
    }))
}
