//! Messages in the order in which they changed, for those who keep a copy of their own.
//!
//! The order is that of the tamper-evident log: every turn leaves a leaf in its own transaction, and a leaf gets its place
//! after that transaction is committed, one place after another, from one hub at a time. So a place once taken is never
//! taken later by what was committed before, however long its transaction ran and whatever the clocks of the hubs say:
//! whoever has read up to a place has missed nothing below it.

use std::fmt;

use takmil_domain::digest::sha256;
use takmil_domain::ids::MessageId;

use crate::column::Row;
use crate::db::{Sql, Value};
use crate::error::StoreError;
use crate::messages::{MessageEnvelope, envelope, envelope_columns};
use crate::scope::Scope;
use crate::store::Store;

/// The most messages of one page.
const MOST_OF_PAGE: u32 = 1_000;

/// How many places of the log one question looks at, and how many questions one page asks: a party that has little to do
/// with what happened gets a short page, from the end of which it goes on.
const STRETCH: u64 = 4_096;
const MOST_STRETCHES: u32 = 16;

/// Up to where somebody has the changes. `Display` and [`ChangeCursor::parse`] are its form on the wire, which says nothing
/// to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCursor {
    /// How many places of the log are done with.
    done: u64,
    /// By which the last of them is known again: after an older state of the database was restored, another stands there.
    mark: [u8; 8],
}

/// A message that has changed, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedMessage {
    /// The message.
    pub envelope: MessageEnvelope,
    /// The canonical message and the last answer, as JSON; none where the member was erased.
    pub content: Option<(Vec<u8>, String)>,
    /// Up to here.
    pub cursor: ChangeCursor,
}

/// Some messages that have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPage {
    /// The messages, each at its last change, in the order of these.
    pub messages: Vec<ChangedMessage>,
    /// From where to go on.
    pub next: ChangeCursor,
    /// Whether there was nothing more.
    pub caught_up: bool,
}

/// The messages of a sender ($3) or an insurer ($4) whose last turn has a place of the log from $1 to before $2, so many
/// ($5); and how a database writes id and turn as a leaf has them.
macro_rules! changed {
    ($id:literal, $turn:literal) => {
        concat!(
            "select ",
            envelope_columns!(),
            ", e.place, e.entry, k.wrapped, first.body as taken, last.number, last.body
             from audit_entry e
             join message m on m.id = ",
            $id,
            " and ",
            $turn,
            " = substr(e.entry, 12, 4)
             left join data_key k on k.owner = m.member
             join turn first on first.message = m.id and first.number = 1
             join turn last on last.message = m.id
                 and last.number = (select max(number) from turn
                     where turn.message = m.id and turn.body is not null)
             where e.place >= $1 and e.place < $2
                 and ($3 is null or m.sender = $3)
                 and ($4 is null or exists (
                     select 1 from payer x where x.insurer = $4 and x.message = m.id))
             order by e.place limit $5"
        )
    };
}

const CHANGED: Sql = Sql {
    sqlite: changed!("substr(e.entry, 24, 16)", "unhex(printf('%08x', m.turn))"),
    postgres: changed!(
        "encode(substr(e.entry, 24, 16), 'hex')::uuid",
        "int4send(m.turn::integer)"
    ),
};

impl ChangeCursor {
    /// Before all changes.
    pub const START: ChangeCursor = ChangeCursor {
        done: 0,
        mark: [0; 8],
    };

    /// Reads a cursor as it was given; nothing is before all changes.
    pub fn parse(text: &str) -> Option<ChangeCursor> {
        if text.is_empty() {
            return Some(ChangeCursor::START);
        }
        let (done, mark) = text.split_once('-').filter(|_| text.len() == 33)?;
        Some(ChangeCursor {
            done: u64::from_str_radix(done, 16).ok()?,
            mark: u64::from_str_radix(mark, 16).ok()?.to_be_bytes(),
        })
    }

    fn after(row: &Row) -> Result<ChangeCursor, StoreError> {
        let place: u64 = row.number("place")?;
        let [a, b, c, d, e, f, g, h, ..] = sha256(row.bytes("entry")?);
        Ok(ChangeCursor {
            done: place.saturating_add(1),
            mark: [a, b, c, d, e, f, g, h],
        })
    }
}

impl fmt::Display for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:016x}-{:016x}",
            self.done,
            u64::from_be_bytes(self.mark)
        )
    }
}

impl Store {
    /// The scope's messages that have changed since a cursor, each once, in the order of their last change: one that changes
    /// again while somebody reads on comes again, later. What a hub before the log had kept is not among them.
    ///
    /// `None` where the cursor is of another history than the database's, as after an older state of it was restored.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn changed(
        &self,
        scope: &Scope,
        after: ChangeCursor,
        most: u32,
    ) -> Result<Option<ChangedPage>, StoreError> {
        // What gets a place while this reads has one behind this end.
        let end = self.log_head().await?.size;
        if self.mark(after.done).await? != Some(after) {
            return Ok(None);
        }
        let most = most.clamp(1, MOST_OF_PAGE);
        let mut page = ChangedPage {
            messages: Vec::new(),
            next: after,
            caught_up: after.done >= end,
        };
        for _ in 0..MOST_STRETCHES {
            let (from, found) = (page.next.done, page.messages.len());
            let left = most.saturating_sub(u32::try_from(found).unwrap_or(most));
            if page.caught_up || left == 0 {
                break;
            }
            let until = from.saturating_add(STRETCH).min(end);
            let rows = self.stretch(scope, (from, until), left).await?;
            for row in &rows {
                page.messages.push(self.changed_message(row).await?);
            }
            let is_full = u32::try_from(rows.len()).is_ok_and(|found| found >= left);
            page.next = match rows.last().filter(|_| is_full) {
                Some(last) => ChangeCursor::after(last)?,
                None => self.mark(until).await?.ok_or(StoreError::NotFound)?,
            };
            page.caught_up = page.next.done >= end;
        }
        Ok(Some(page))
    }

    async fn stretch(
        &self,
        scope: &Scope,
        (from, until): (u64, u64),
        most: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let values = [
            place(from),
            place(until),
            scope.sender().into(),
            scope.insurer().into(),
            most.into(),
        ];
        self.readers.fetch_all(CHANGED, &values).await
    }

    async fn changed_message(&self, row: &Row) -> Result<ChangedMessage, StoreError> {
        let envelope = envelope(row)?;
        let content = match self.keys.of(row).await {
            Ok(key) => {
                let id: MessageId = envelope.id;
                Some(crate::body::sent_and_answered(row, &key, id)?)
            }
            Err(StoreError::Erased) => None,
            Err(error) => return Err(error),
        };
        Ok(ChangedMessage {
            envelope,
            content,
            cursor: ChangeCursor::after(row)?,
        })
    }

    /// The cursor behind so many places, where there are so many.
    async fn mark(&self, done: u64) -> Result<Option<ChangeCursor>, StoreError> {
        let Some(last) = done.checked_sub(1) else {
            return Ok(Some(ChangeCursor::START));
        };
        let entry = "select place, entry from audit_entry where place = $1";
        let row = self.readers.fetch_optional(entry, &[place(last)]).await?;
        row.as_ref().map(ChangeCursor::after).transpose()
    }
}

fn place(number: u64) -> Value<'static> {
    Value::Integer(Some(i64::try_from(number).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::ChangeCursor;

    #[test]
    fn a_cursor_reads_back_and_what_is_none_does_not() {
        let cursor = ChangeCursor {
            done: 77,
            mark: [0xfe; 8],
        };
        assert_eq!(ChangeCursor::parse(&cursor.to_string()), Some(cursor));
        assert_eq!(ChangeCursor::parse(""), Some(ChangeCursor::START));
        for text in ["1", "x", "00000000000000zz-0000000000000000", "-", "é"] {
            assert_eq!(ChangeCursor::parse(text), None, "{text}");
        }
    }
}
