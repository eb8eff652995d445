//! Disputes: opened by one side, decided by the other.

use takmil_domain::audit::Event;
use takmil_domain::date::Instant;
use takmil_domain::ids::{DisputeId, MessageId, ParticipantId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::dispute::{Dispute, Objection, Side};
use takmil_domain::settlement::state::{DisputeEvent, DisputeState};
use takmil_domain::settlement::{Due, Pair, PayeeKind, Refused};

use super::page::{Holds, Page};
use super::{BookFilter, rows, seen};
use crate::column::Row;
use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Id, row};
use crate::scope::Scope;
use crate::store::Store;

/// What somebody argues about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDispute {
    /// What is owed by this insurer.
    pub insurer: ParticipantId,
    /// For this claim, or this line of it, so much of it; and who says so.
    pub objection: Objection,
    /// Why, in words. They are kept for good, and are to name no person.
    pub reason: String,
}

/// A dispute with the words of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeRecord {
    /// The dispute.
    pub dispute: Dispute,
    /// Why it was opened.
    pub reason: String,
    /// What was said when it was decided.
    pub said: Option<String>,
}

row! {
    struct DisputeRow<'a> {
        id: Id as id,
        insurer: &'a ParticipantId as text,
        provider: &'a ParticipantId as text,
        payee: PayeeKind as text,
        currency: Currency as text,
        message: Id as id,
        line: Option<u32> as integer,
        amount: Amount as integer,
        opened_by: Side as text,
        reason: &'a str as text,
        state: DisputeState as text,
        opened_at: Instant as integer,
        decided_at: Option<Instant> as integer,
        said: Option<&'a str> as text,
    }
    Some(Constraint::Dispute);
    "insert into dispute
         (id, insurer, provider, payee, currency, message, line, amount, opened_by, reason, state,
          opened_at, decided_at, said)
     select id, insurer, provider, payee, currency, message, line, amount, opened_by, reason, state,
          opened_at, decided_at, said
     from batch where true
     on conflict (id) do update
     set state = excluded.state, decided_at = excluded.decided_at, said = excluded.said"
}

impl<'a> From<&'a DisputeRecord> for DisputeRow<'a> {
    fn from(record: &'a DisputeRecord) -> Self {
        let dispute = &record.dispute;
        DisputeRow {
            id: dispute.id.0.into(),
            insurer: &dispute.pair.insurer,
            provider: &dispute.pair.provider,
            payee: dispute.pair.payee,
            currency: dispute.pair.currency,
            message: dispute.message.into(),
            line: dispute.line,
            amount: dispute.amount,
            opened_by: dispute.opened_by,
            reason: &record.reason,
            state: dispute.state,
            opened_at: dispute.opened_at,
            decided_at: dispute.decided_at,
            said: record.said.as_deref(),
        }
    }
}

impl Store {
    /// Opens a dispute about what is owed for a claim.
    ///
    /// # Errors
    /// If the database cannot serve. What the book does not take is no error.
    pub async fn open_dispute(
        &self,
        scope: &Scope,
        new: &NewDispute,
        at: Instant,
    ) -> Result<Result<DisputeRecord, Refused>, StoreError> {
        let objection = new.objection;
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let due = due_of(&mut db, &new.insurer, objection.message).await?;
        let Some(due) = due.filter(|due| side(scope, &due.pair) == Some(objection.by)) else {
            return Ok(Err(Refused::Unknown));
        };
        let claims = [objection.message];
        let mut page = Page::open(&mut db, &due.pair, Holds::Claims(&claims), &[]).await?;
        let id = DisputeId(self.fresh_id(at));
        let (dispute, book) = match page.folio.dispute(objection, id, at) {
            Ok(opened) => opened,
            Err(refused) => return Ok(Err(refused)),
        };
        let record = DisputeRecord {
            dispute,
            reason: new.reason.clone(),
            said: None,
        };
        page.close(self, &mut db, book, at).await?;
        put(&mut db, &[DisputeRow::from(&record)]).await?;
        transaction.commit().await?;
        Ok(Ok(record))
    }

    /// Decides a dispute on behalf of one of its sides: see [`takmil_domain::settlement::Folio::rule`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such dispute in the scope. What the book does not take is no error.
    pub async fn decide_dispute(
        &self,
        scope: &Scope,
        id: DisputeId,
        event: DisputeEvent,
        said: Option<&str>,
        at: Instant,
    ) -> Result<Result<DisputeRecord, Refused>, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let row = db
            .fetch_optional("select * from dispute where id = $1", &[id.0.into()])
            .await?;
        let record = row.as_ref().map(dispute).transpose()?;
        let by = record
            .as_ref()
            .and_then(|record| side(scope, &record.dispute.pair));
        let (Some(mut record), Some(by)) = (record, by) else {
            return Err(StoreError::NotFound);
        };
        let claims = [record.dispute.message];
        let pair = record.dispute.pair.clone();
        let mut page = Page::open(&mut db, &pair, Holds::Claims(&claims), &[]).await?;
        let before = record.dispute.state;
        let book = match page.folio.rule(&mut record.dispute, event, by, at) {
            Ok(book) => book,
            Err(refused) => return Ok(Err(refused)),
        };
        if record.dispute.state != before {
            record.said = said.map(str::to_owned);
            page.close(self, &mut db, book, at).await?;
            put(&mut db, &[DisputeRow::from(&record)]).await?;
            let doer = match by {
                Side::Insurer => &pair.insurer,
                Side::Provider => &pair.provider,
            };
            let what = (Event::DisputeDecided, id.0, 1);
            let said = (id, record.dispute.state, record.dispute.amount);
            self.put_leaf(&mut db, what, Some(doer), at, &said).await?;
            transaction.commit().await?;
        }
        Ok(Ok(record))
    }

    /// Disputes, the earliest first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn disputes(
        &self,
        scope: &Scope,
        filter: &BookFilter,
        state: Option<DisputeState>,
        after: Option<DisputeId>,
        most: u32,
    ) -> Result<Vec<DisputeRecord>, StoreError> {
        const SQL: &str = concat!(
            "select * from dispute where ",
            seen!(),
            " and ($5 is null or state = $5) and id > $6 order by id limit $7"
        );
        let more = [
            state.map(DisputeState::as_str).into(),
            after.map_or(uuid::Uuid::nil(), |id| id.0).into(),
            most.into(),
        ];
        let values = [&filter.values(scope)[..], &more].concat();
        let mut reader = self.read(scope).await?;
        let found = reader.db().fetch_all(SQL, &values).await?;
        found.iter().map(dispute).collect()
    }
}

/// The side of a pair that a scope speaks for.
fn side(scope: &Scope, pair: &Pair) -> Option<Side> {
    match scope {
        Scope::Insurer(own) if *own == pair.insurer => Some(Side::Insurer),
        Scope::Provider(own) if *own == pair.provider => Some(Side::Provider),
        _ => None,
    }
}

async fn due_of(
    db: &mut Db<'_>,
    insurer: &ParticipantId,
    message: MessageId,
) -> Result<Option<Due>, StoreError> {
    let row = db
        .fetch_optional(
            "select * from due where message = $1 and insurer = $2",
            &[message.0.into(), insurer.as_str().into()],
        )
        .await?;
    row.as_ref().map(rows::due).transpose()
}

fn dispute(row: &Row) -> Result<DisputeRecord, StoreError> {
    Ok(DisputeRecord {
        dispute: Dispute {
            id: DisputeId(row.uuid("id")?),
            pair: rows::pair(row)?,
            message: MessageId(row.uuid("message")?),
            line: row.number_maybe("line")?,
            amount: row.number("amount")?,
            opened_by: row.named("opened_by")?,
            state: row.named("state")?,
            opened_at: row.moment("opened_at")?,
            decided_at: row.moment_maybe("decided_at")?,
        },
        reason: row.text("reason")?.to_owned(),
        said: row.text_maybe("said")?.map(str::to_owned),
    })
}
