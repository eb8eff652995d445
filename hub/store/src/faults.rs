//! What insurers said that could not be used.

use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use uuid::Uuid;

use crate::column::Row;
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Id, row};
use crate::scope::Scope;
use crate::store::Store;

/// What an insurer said that could not be used, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsurerFault {
    /// Who.
    pub insurer: ParticipantId,
    /// Why, as a public code.
    pub code: String,
    /// About which message; `None` where the hub knows none such.
    pub message: Option<MessageId>,
    /// Where in what it said, as of the last time.
    pub pointer: String,
    /// What is wrong with it, as of the last time.
    pub detail: String,
    /// How often.
    pub times: u64,
    /// When first.
    pub first_at: Instant,
    /// When last.
    pub last_at: Instant,
}

/// Where a fault stands in the list of all: by its last time, code and message.
pub type FaultPlace = (Instant, String, Option<MessageId>);

row! {
    struct FaultRow<'a> {
        insurer: &'a ParticipantId as text,
        code: &'a str as text,
        message: Id as id,
        pointer: &'a str as text,
        detail: &'a str as text,
        times: u64 as integer,
        first_at: Instant as integer,
        last_at: Instant as integer,
    }
    Some(Constraint::InsurerFault);
    "insert into insurer_fault
         (insurer, code, message, pointer, detail, times, first_at, last_at)
     select insurer, code, message, pointer, detail, times, first_at, last_at
     from batch where true order by insurer, code, message
     on conflict (insurer, code, message) do update
     set times = insurer_fault.times + excluded.times, pointer = excluded.pointer,
         detail = excluded.detail, last_at = excluded.last_at"
}

impl<'a> FaultRow<'a> {
    fn of(fault: &'a InsurerFault) -> Self {
        FaultRow {
            insurer: &fault.insurer,
            code: &fault.code,
            message: id(fault.message).into(),
            pointer: &fault.pointer,
            detail: &fault.detail,
            times: fault.times,
            first_at: fault.first_at,
            last_at: fault.last_at,
        }
    }
}

fn id(message: Option<MessageId>) -> Uuid {
    message.map_or(Uuid::nil(), |message| message.0)
}

impl Store {
    /// Counts what insurers said that could not be used: each insurer, code and message once in `faults`.
    ///
    /// # Errors
    /// If the database cannot serve; nothing is counted then.
    pub async fn count_faults(&self, faults: &[InsurerFault]) -> Result<(), StoreError> {
        let rows: Vec<_> = faults.iter().map(FaultRow::of).collect();
        let mut transaction = self.rows().await?;
        put(&mut transaction.db(), &rows).await?;
        transaction.commit().await
    }

    /// What insurers said that could not be used, the latest first; of one insurer alone where it is named, and what comes
    /// after a place of the list.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn insurer_faults(
        &self,
        scope: &Scope,
        insurer: Option<&ParticipantId>,
        after: Option<&FaultPlace>,
        most: u32,
    ) -> Result<Vec<InsurerFault>, StoreError> {
        if matches!(scope, Scope::Provider(_)) {
            return Ok(Vec::new());
        }
        let values = [
            scope.insurer().into(),
            insurer.map(ParticipantId::as_str).into(),
            after.map(|(at, ..)| at.0).into(),
            after.map(|(_, code, _)| code.as_str()).into(),
            after.map(|(.., message)| id(*message)).into(),
            most.into(),
        ];
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select insurer, code, message, pointer, detail, times, first_at, last_at
                 from insurer_fault
                 where ($1 is null or insurer = $1) and ($2 is null or insurer = $2)
                     and ($3 is null or last_at < $3
                         or (last_at = $3 and (code < $4 or (code = $4 and message < $5))))
                 order by last_at desc, code desc, message desc limit $6",
                &values,
            )
            .await?;
        rows.iter().map(fault).collect()
    }
}

fn fault(row: &Row) -> Result<InsurerFault, StoreError> {
    let message = row.uuid("message")?;
    Ok(InsurerFault {
        insurer: row.named("insurer")?,
        code: row.text("code")?.to_owned(),
        message: (!message.is_nil()).then_some(MessageId(message)),
        pointer: row.text("pointer")?.to_owned(),
        detail: row.text("detail")?.to_owned(),
        times: row.number("times")?,
        first_at: row.moment("first_at")?,
        last_at: row.moment("last_at")?,
    })
}
