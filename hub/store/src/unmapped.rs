//! Codes that a map lacks: the common scheme's of what senders say, an insurer's own of what it is sent.

use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};

use crate::column::Row;
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// How often a code came that the common scheme does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmappedCount {
    /// Who sent it; or the insurer whose own codes lack it.
    pub sender: ParticipantId,
    /// The code's system, as sent.
    pub system: String,
    /// The code.
    pub code: String,
    /// Its name, as last sent.
    pub display: Option<String>,
    /// How often.
    pub times: u64,
    /// When it came first.
    pub first_at: Instant,
    /// When it came last.
    pub last_at: Instant,
    /// The last message that it came with.
    pub last_message: MessageId,
}

impl Store {
    /// The codes that came unmapped, or are unmapped for an insurer, the most frequent first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn unmapped(
        &self,
        scope: &Scope,
        most: u32,
    ) -> Result<Vec<UnmappedCount>, StoreError> {
        let own = scope.owed_to();
        let rows = self
            .readers
            .fetch_all(
                "select system, code, sender, display, times, first_at, last_at, last_message
                 from unmapped where $2 is null or sender = $2
                 order by times desc, system, code, sender limit $1",
                &[most.into(), own.into()],
            )
            .await?;
        rows.iter().map(count).collect()
    }
}

fn count(row: &Row) -> Result<UnmappedCount, StoreError> {
    Ok(UnmappedCount {
        sender: row.named("sender")?,
        system: row.text("system")?.to_owned(),
        code: row.text("code")?.to_owned(),
        display: row.text_maybe("display")?.map(str::to_owned),
        times: row.number("times")?,
        first_at: row.moment("first_at")?,
        last_at: row.moment("last_at")?,
        last_message: MessageId(row.uuid("last_message")?),
    })
}
