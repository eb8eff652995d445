//! What is owed, as it stands; and how old it is.

use takmil_domain::date::Date;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::settlement::age::Aging;
use takmil_domain::settlement::{Due, Pair, Refused};

use uuid::Uuid;

use super::page::unsettled;
use super::{BookFilter, rows, seen};
use crate::error::StoreError;
use crate::rows::{Id, over};
use crate::scope::Scope;
use crate::store::Store;
use crate::turn::Turn;

/// How old is what an insurer owes a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgedPair {
    /// Whose.
    pub pair: Pair,
    /// The ages.
    pub aging: Aging,
}

macro_rules! dues {
    () => {
        "select due.* from batch join due on due.message = batch.message
         order by due.message, due.insurer"
    };
}

/// A page of what is owed, by the index that the narrowest condition has: arguments 1 to 9.
macro_rules! owed {
    ($which:literal) => {
        concat!(
            "select * from due where ",
            seen!(),
            " and ",
            $which,
            " and ($6 = 0 or ",
            unsettled!(),
            ") and (message, insurer) > ($7, $8) order by message, insurer limit $9"
        )
    };
}

const ONE: &str = owed!("message = $5");
const OF_PROVIDER: &str = owed!("$5 is null and provider = coalesce($2, $4)");
const ALL: &str = owed!("$5 is null");

impl Turn {
    /// What insurers owe for claims, in the order of claims and insurers. It stays locked until the turn ends.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn dues(&mut self, claims: &[MessageId]) -> Result<Vec<Due>, StoreError> {
        let sql = over!(
            message id;
            sqlite(dues!())
            postgres(dues!(), " for no key update of due")
        );
        let keys: Vec<(Id,)> = claims.iter().map(|message| ((*message).into(),)).collect();
        let found = self.db().ask(sql, &keys).await?;
        found.iter().map(rows::due).collect()
    }
}

impl Store {
    /// What insurers owe, in the order of claims and insurers; of one claim, of what is not settled, or all.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn dues(
        &self,
        scope: &Scope,
        filter: &BookFilter,
        message: Option<MessageId>,
        is_unsettled: bool,
        after: Option<&(MessageId, ParticipantId)>,
        most: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let sql = match message {
            Some(_) => ONE,
            None if scope.sender().is_some() || filter.provider.is_some() => OF_PROVIDER,
            None => ALL,
        };
        let mut reader = self.read(scope).await?;
        let more = [
            message.map(|id| id.0).into(),
            i64::from(is_unsettled).into(),
            after.map_or(Uuid::nil(), |(message, _)| message.0).into(),
            after.map_or("", |(_, insurer)| insurer.as_str()).into(),
            most.into(),
        ];
        let values = [&filter.values(scope)[..], &more].concat();
        let found = reader.db().fetch_all(sql, &values).await?;
        found.iter().map(rows::due).collect()
    }

    /// How old is what insurers owe on a day, pair by pair; pairs between whom all is settled are left out.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn aging(
        &self,
        scope: &Scope,
        filter: &BookFilter,
        today: Date,
    ) -> Result<Vec<AgedPair>, StoreError> {
        const SQL: &str = concat!(
            "select insurer, provider, payee, currency, message, on_day, due_on, turn,
                 incurred, noticed, confirmed, disputed, written_off
             from due where ",
            seen!(),
            " and ",
            unsettled!(),
            " order by insurer, provider, payee, currency"
        );
        let mut reader = self.read(scope).await?;
        let mut aged = Vec::new();
        // One pair's dues are in memory at a time.
        let mut own: Vec<Due> = Vec::new();
        let values = filter.values(scope);
        reader
            .db()
            .each(SQL, &values, |row| {
                let due = rows::due_sums(&row)?;
                if own.first().is_some_and(|first| first.pair != due.pair) {
                    aged.extend(age(&std::mem::take(&mut own), today)?);
                }
                own.push(due);
                Ok(())
            })
            .await?;
        aged.extend(age(&own, today)?);
        Ok(aged)
    }
}

/// The ages of one pair's dues.
fn age(dues: &[Due], today: Date) -> Result<Option<AgedPair>, StoreError> {
    let Some(first) = dues.first() else {
        return Ok(None);
    };
    let too_large = |_: Refused| StoreError::Unreadable {
        what: "a sum of dues",
    };
    Ok(Some(AgedPair {
        pair: first.pair.clone(),
        aging: Aging::of(dues, today).map_err(too_large)?,
    }))
}
