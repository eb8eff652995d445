//! What insurers post to the ledger themselves: opening balances, consumption beside the hub, overrides,
//! changed ceilings.

use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::limit::{EntryKind, LimitKey, Standing};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::ledger::standing;
use crate::ledger_rows::{Change, LimitRow, Place};
use crate::put::put;
use crate::rows::over;
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

/// How often postings are begun anew when a lane was faster; it is there first only once for each limit.
const MOST_TRIES: u32 = 8;

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
        let mut tries = 0;
        loop {
            // A lane may have made the same limit at the same time; it is there then.
            match self.post_all(insurer, postings).await {
                Err(StoreError::Contended) if tries < MOST_TRIES => tries += 1,
                other => return other,
            }
        }
    }

    async fn post_all(
        &self,
        insurer: &ParticipantId,
        postings: &[Posting],
    ) -> Result<Vec<Result<Standing, PostingRefusal>>, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        lock(&mut db, postings).await?;
        let mut results = Vec::with_capacity(postings.len());
        for posting in postings {
            results.push(post(&mut db, insurer, posting).await?);
        }
        transaction.commit().await?;
        Ok(results)
    }
}

async fn post(
    db: &mut Db<'_>,
    insurer: &ParticipantId,
    posting: &Posting,
) -> Result<Result<Standing, PostingRefusal>, StoreError> {
    if posting.key.insurer != *insurer || !has_account(db, insurer, &posting.key).await? {
        return Ok(Err(PostingRefusal::NoAccount));
    }
    let before = kept(db, &posting.key).await?;
    if let Some(same) = repeated(db, insurer, posting).await? {
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
        make(db, posting).await?;
    }
    write(db, insurer, posting).await?;
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
    db: &mut Db<'_>,
    insurer: &ParticipantId,
    key: &LimitKey,
) -> Result<bool, StoreError> {
    // A member's own limit needs the member's cover in the account.
    let found = db
        .fetch_optional(
            "select 1 from account
             where id = $1 and insurer = $2 and ($3 is null or exists (
                 select 1 from cover where cover.account = account.id and cover.member = $3))",
            &[
                key.account.0.into(),
                insurer.as_str().into(),
                key.member.map(|member| member.0).into(),
            ],
        )
        .await?;
    Ok(found.is_some())
}

async fn kept(db: &mut Db<'_>, key: &LimitKey) -> Result<Option<Standing>, StoreError> {
    let place = Place::from(key);
    let row = db
        .fetch_optional(
            "select ceiling, consumed, reserved, overdraft, version from standing
             where account = $1 and id = $2",
            &[(&place.account).into(), (&place.standing).into()],
        )
        .await?;
    row.as_ref().map(standing).transpose()
}

/// Whether the reference was used before and, if so, for the same posting.
async fn repeated(
    db: &mut Db<'_>,
    insurer: &ParticipantId,
    posting: &Posting,
) -> Result<Option<bool>, StoreError> {
    let row = db
        .fetch_optional(
            "select account, standing, kind, amount from posting where insurer = $1 and reference = $2",
            &[insurer.as_str().into(), (&posting.reference).into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let place = Place::from(&posting.key);
    let same = row.uuid("account")? == uuid::Uuid::from(&place.account)
        && row.uuid("standing")? == uuid::Uuid::from(&place.standing)
        && row.named::<EntryKind>("kind")? == posting.kind
        && row.number::<i64>("amount")? == posting.amount;
    Ok(Some(same))
}

async fn make(db: &mut Db<'_>, posting: &Posting) -> Result<(), StoreError> {
    let terms = (posting.limit, posting.unit, posting.per);
    let row = LimitRow::new(
        Place::from(&posting.key),
        &posting.key,
        terms,
        posting.ceiling,
    );
    match put(db, std::slice::from_ref(&row)).await {
        Err(StoreError::Broken {
            constraint: Constraint::Limit,
            ..
        }) => Err(StoreError::Contended),
        other => other,
    }
}

async fn write(
    db: &mut Db<'_>,
    insurer: &ParticipantId,
    posting: &Posting,
) -> Result<(), StoreError> {
    let place = Place::from(&posting.key);
    let (account, standing) = ((&place.account).into(), (&place.standing).into());
    db.execute(
        "insert into posting (insurer, reference, account, standing, kind, amount, at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        &[
            insurer.as_str().into(),
            (&posting.reference).into(),
            account,
            standing,
            posting.kind.as_str().into(),
            posting.amount.into(),
            posting.at.into(),
        ],
    )
    .await?;
    let change = Change::of(posting.kind, posting.amount);
    db.execute(
        "update standing set ceiling = ceiling + $3, consumed = consumed + $4,
             reserved = reserved + $5, overdraft = overdraft + $6
         where account = $1 and id = $2",
        &[
            account,
            standing,
            change.ceiling.into(),
            change.consumed.into(),
            change.reserved.into(),
            change.overdraft.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Locks what the postings will move, in the order in which turns do it.
async fn lock(db: &mut Db<'_>, postings: &[Posting]) -> Result<(), StoreError> {
    let sql = over!(
        account id, standing id;
        "select s.id from batch join standing s on s.account = batch.account and s.id = batch.standing
         order by s.account, s.id for no key update of s"
    );
    if db.is_shared() {
        let places = postings.iter().map(|posting| Place::from(&posting.key));
        let rows: Vec<_> = places.map(Place::into_row).collect();
        db.ask(sql, &rows).await?;
    }
    Ok(())
}
