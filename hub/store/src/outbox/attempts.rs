//! What came of attempts to hand deliveries over, and what it leaves of each delivery.
//!
//! Most deliveries are taken at the first attempt: of that one the delivery itself tells, so that it costs one write.
//! Every other attempt has a row of its own.

use std::collections::{BTreeMap, BTreeSet};

use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, ParticipantId};

use crate::column::Row;
use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Id, over, row};
use crate::scope::Scope;
use crate::store::Store;

/// Why an attempt failed whose delivery was erased.
const ERASED: &str = "the member was erased";

/// How often an insurer has to refuse a delivery for what it is, and over how long at least, before it is a dead letter:
/// a fault of the insurer's own that it mends within minutes is to kill nothing.
const DEAD_REFUSALS: i64 = 3;
const DEAD_AFTER_MS: u64 = 10 * 60 * 1_000;

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
    Delivered {
        /// How long the hub's call took, in milliseconds; `None` where the insurer said it of its own accord.
        took_ms: Option<u64>,
    },
    /// It did not take it.
    Failed {
        /// When to try again.
        next_due: Instant,
        /// Why, in words. Nothing of the person.
        error: String,
    },
    /// It refuses it for what it is. Refused often enough, it is a dead letter: it is tried no more, and what comes
    /// after it in its claim waits, until a person has seen to it.
    Refused {
        /// When to try again, unless it is dead.
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
        took_ms: Option<u64> as integer,
        refusals: i64 as integer,
        refused_at: Option<Instant> as integer,
        dead_at: Option<Instant> as integer,
    }
    Some(Constraint::Delivery);
    "update delivery
     set attempts = batch.attempts, due_at = batch.due_at, delivered_at = batch.delivered_at,
         erased_at = batch.erased_at, took_ms = batch.took_ms, refusals = batch.refusals,
         refused_at = batch.refused_at, dead_at = batch.dead_at, claimed_until = null
     from batch where delivery.sequence = batch.sequence"
}

impl LeftRow {
    /// Counts an attempt, and gives the row that it has for itself; none where the delivery tells of it.
    fn count<'a>(&mut self, attempt: &'a Attempt) -> Option<AttemptRow<'a>> {
        self.attempts += 1;
        let is_owed = self.delivered_at.is_none();
        let mut error = None;
        match &attempt.outcome {
            Outcome::Delivered { took_ms } => {
                if is_owed {
                    (self.delivered_at, self.took_ms) = (Some(attempt.at), *took_ms);
                    (self.erased_at, self.dead_at) = (None, None);
                    if self.attempts == 1 {
                        return None;
                    }
                }
            }
            Outcome::Erased => {
                if is_owed {
                    self.erased_at = self.erased_at.or(Some(attempt.at));
                }
                error = Some(ERASED);
            }
            Outcome::Failed {
                next_due,
                error: why,
            } => {
                self.due_at = *next_due;
                error = Some(why.as_str());
            }
            Outcome::Refused {
                next_due,
                error: why,
            } => {
                self.due_at = *next_due;
                self.refusals += 1;
                let first = *self.refused_at.get_or_insert(attempt.at);
                let is_lasting = attempt.at >= first.plus_ms(DEAD_AFTER_MS);
                if is_owed && self.refusals >= DEAD_REFUSALS && is_lasting {
                    self.dead_at = self.dead_at.or(Some(attempt.at));
                }
                error = Some(why.as_str());
            }
        }
        Some(AttemptRow {
            delivery: self.sequence,
            number: self.attempts,
            at: attempt.at,
            error,
        })
    }
}

impl Store {
    /// Records attempts, all in one transaction, and ends what claims there were. Says of each whether its delivery is
    /// the scope's: what is not is left as it was.
    ///
    /// A delivery that the insurer has had stays had; one that was erased goes out of what is owed, and stays in
    /// [`Store::erased_deliveries`].
    ///
    /// # Errors
    /// If the database cannot serve; nothing is recorded then.
    pub async fn record_attempts(
        &self,
        scope: &Scope,
        attempts: &[Attempt],
    ) -> Result<Vec<bool>, StoreError> {
        if attempts.is_empty() || matches!(scope, Scope::Regulator) {
            return Ok(vec![false; attempts.len()]);
        }
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        let mut left = left(&mut db, scope, attempts).await?;
        let (mut rows, mut found) = (Vec::new(), Vec::with_capacity(attempts.len()));
        for attempt in attempts {
            let own = left.get_mut(&attempt.delivery);
            found.push(own.is_some());
            rows.extend(own.and_then(|own| own.count(attempt)));
        }
        put(&mut db, &rows).await?;
        let mut left: Vec<_> = left.into_values().collect();
        left.sort_unstable_by_key(|left| left.sequence);
        put(&mut db, &left).await?;
        transaction.commit().await?;
        Ok(found)
    }
}

macro_rules! left {
    () => {
        "select d.id, d.insurer, d.sequence, d.attempts, d.due_at, d.delivered_at, d.erased_at,
             d.took_ms, d.refusals, d.refused_at, d.dead_at
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
        if scope.is_owed(&insurer) {
            let delivery = LeftRow {
                sequence: row.number("sequence")?,
                attempts: row.number("attempts")?,
                due_at: row.moment("due_at")?,
                delivered_at: row.moment_maybe("delivered_at")?,
                erased_at: row.moment_maybe("erased_at")?,
                took_ms: row.number_maybe("took_ms")?,
                refusals: row.number("refusals")?,
                refused_at: row.moment_maybe("refused_at")?,
                dead_at: row.moment_maybe("dead_at")?,
            };
            left.insert(DeliveryId(row.uuid("id")?), delivery);
        }
    }
    Ok(left)
}

/// The attempts of one delivery from its rows, which have `number`, `at` and `error` of an attempt that may be missing,
/// and `attempts` and `delivered_at` of the delivery.
pub(crate) fn attempts_of(rows: &[&Row]) -> Result<Vec<AttemptRecord>, StoreError> {
    let mut records = Vec::with_capacity(rows.len());
    let Some(first) = rows.first() else {
        return Ok(records);
    };
    let (first_number, tried): (Option<i64>, i64) =
        (first.number_maybe("number")?, first.number("attempts")?);
    if let Some(at) = first.moment_maybe("delivered_at")?
        && tried > 0
        && first_number != Some(1)
    {
        // The first attempt has no row: it was the one by which the delivery was taken.
        records.push(AttemptRecord { at, error: None });
    }
    for row in rows {
        if let Some(at) = row.moment_maybe("at")? {
            let error = row.text_maybe("error")?.map(str::to_owned);
            records.push(AttemptRecord { at, error });
        }
    }
    Ok(records)
}
