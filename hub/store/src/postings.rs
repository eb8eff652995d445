//! What insurers post to the ledger themselves: opening balances, consumption beside the hub, overrides,
//! changed ceilings.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::limit::{EntryKind, LimitKey, Standing};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::column::Columns;
use crate::error::StoreError;
use crate::ledger::standing;
use crate::ledger_rows::{Change, LimitRow, Place};
use crate::put::{Pace, put};
use crate::scope::Scope;
use crate::store::Store;

/// A fact that an insurer posts to one limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posting {
    /// The insurer's own reference; a repeat with the same one has no further effect.
    pub reference: String,
    /// The limit.
    pub key: LimitKey,
    /// What it limits, should it have to be made.
    pub limit: LimitKind,
    /// Of what.
    pub unit: LimitUnit,
    /// Over which stretch.
    pub per: LimitPer,
    /// The ceiling it starts with, should it have to be made.
    pub ceiling: i64,
    /// Opening, off-hub, override or ceiling.
    pub kind: EntryKind,
    /// How much; the difference, for a ceiling.
    pub amount: i64,
    /// When it came.
    pub at: Instant,
}

/// Why a posting was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PostingRefusal {
    /// The insurer has no such account.
    NoAccount,
    /// Not a kind that insurers post, or nothing to move.
    Kind,
    /// It would lie beyond the ceiling, or under what is used. The override is to be posted before it.
    NoRoom,
    /// The reference stands for another posting.
    ReferenceDiffers,
}

impl Store {
    /// Posts facts of one insurer, in their order, each on its own, all in one transaction.
    ///
    /// Gives the standing after each; a repeat changes nothing and gives the standing as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the scope may not change the insurer's limits.
    pub async fn post(
        &self,
        scope: &Scope,
        insurer: &ParticipantId,
        postings: &[Posting],
    ) -> Result<Vec<Result<Standing, PostingRefusal>>, StoreError> {
        if !scope.may_change(insurer) {
            return Err(StoreError::NotFound);
        }
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        let mut results = Vec::with_capacity(postings.len());
        for posting in postings {
            results.push(post(&mut transaction, insurer, posting).await?);
        }
        transaction.commit().await?;
        Ok(results)
    }
}

async fn post(
    connection: &mut SqliteConnection,
    insurer: &ParticipantId,
    posting: &Posting,
) -> Result<Result<Standing, PostingRefusal>, StoreError> {
    if posting.key.insurer != *insurer || !has_account(connection, insurer, &posting.key).await? {
        return Ok(Err(PostingRefusal::NoAccount));
    }
    let before = kept(connection, &posting.key).await?;
    if let Some(same) = repeated(connection, insurer, posting).await? {
        let standing = before.filter(|_| same);
        return Ok(standing.ok_or(PostingRefusal::ReferenceDiffers));
    }
    if !may_post(posting) {
        return Ok(Err(PostingRefusal::Kind));
    }
    let start = Standing {
        ceiling: posting.ceiling,
        ..Standing::default()
    };
    let after = before.unwrap_or(start).after(posting.kind, posting.amount);
    let Some(after) = after.filter(|_| posting.ceiling >= 0) else {
        return Ok(Err(PostingRefusal::NoRoom));
    };
    if before.is_none() {
        make(connection, posting).await?;
    }
    write(connection, insurer, posting).await?;
    Ok(Ok(after))
}

fn may_post(posting: &Posting) -> bool {
    match posting.kind {
        EntryKind::Opening | EntryKind::OffHub | EntryKind::Override => posting.amount > 0,
        EntryKind::Ceiling => posting.amount != 0,
        EntryKind::Reserve | EntryKind::Consume | EntryKind::Release | EntryKind::Reverse => false,
    }
}

async fn has_account(
    connection: &mut SqliteConnection,
    insurer: &ParticipantId,
    key: &LimitKey,
) -> Result<bool, StoreError> {
    // A member's own limit needs the member's cover in the account.
    let found = sqlx::query(
        "select 1 from account
         where id = $1 and insurer = $2 and ($3 is null or exists (
             select 1 from cover where cover.account = account.id and cover.member = $3))",
    )
    .bind(key.account.0)
    .bind(insurer.as_str())
    .bind(key.member.map(|member| member.0))
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

async fn kept(
    connection: &mut SqliteConnection,
    key: &LimitKey,
) -> Result<Option<Standing>, StoreError> {
    let Place {
        account,
        standing: id,
    } = key.into();
    let row = sqlx::query(
        "select ceiling, consumed, reserved, overdraft, version from standing where account = $1 and id = $2",
    )
    .bind(account.0.as_slice())
    .bind(id.0.as_slice())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(standing).transpose()
}

/// Whether the reference was used before and, if so, for the same posting.
async fn repeated(
    connection: &mut SqliteConnection,
    insurer: &ParticipantId,
    posting: &Posting,
) -> Result<Option<bool>, StoreError> {
    let row = sqlx::query(
        "select account, standing, kind, amount from posting where insurer = $1 and reference = $2",
    )
    .bind(insurer.as_str())
    .bind(&posting.reference)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let place = Place::from(&posting.key);
    let same = row.bytes("account")? == place.account.0
        && row.bytes("standing")? == place.standing.0
        && row.named::<EntryKind>("kind")? == posting.kind
        && row.number::<i64>("amount")? == posting.amount;
    Ok(Some(same))
}

async fn make(connection: &mut SqliteConnection, posting: &Posting) -> Result<(), StoreError> {
    let terms = (posting.limit, posting.unit, posting.per);
    let row = LimitRow::new(&posting.key, terms, posting.ceiling);
    put(connection, &vec![row].into(), Pace::Together).await
}

async fn write(
    connection: &mut SqliteConnection,
    insurer: &ParticipantId,
    posting: &Posting,
) -> Result<(), StoreError> {
    let Place { account, standing } = Place::from(&posting.key);
    sqlx::query(
        "insert into posting (insurer, reference, account, standing, kind, amount, at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(insurer.as_str())
    .bind(&posting.reference)
    .bind(account.0.as_slice())
    .bind(standing.0.as_slice())
    .bind(posting.kind.as_str())
    .bind(posting.amount)
    .bind(posting.at.0)
    .execute(&mut *connection)
    .await?;
    let change = Change::of(posting.kind, posting.amount);
    sqlx::query(
        "update standing set ceiling = ceiling + $3, consumed = consumed + $4,
             reserved = reserved + $5, overdraft = overdraft + $6
         where account = $1 and id = $2",
    )
    .bind(account.0.as_slice())
    .bind(standing.0.as_slice())
    .bind(change.ceiling)
    .bind(change.consumed)
    .bind(change.reserved)
    .bind(change.overdraft)
    .execute(connection)
    .await?;
    Ok(())
}
