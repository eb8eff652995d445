//! Messages in the order in which they changed, each as its reader may see it.

use takmil_domain::code_map::CodeMap;
use takmil_domain::ids::ParticipantId;
use takmil_store::{ChangeCursor, ChangedMessage, MessageEnvelope, Scope};

use crate::Engine;
use crate::document;
use crate::error::Error;

/// A message that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The message.
    pub envelope: MessageEnvelope,
    /// What an insurer is handed of it, `{"message": …, "answer": …, "codes": …}`; none for others, and where the member was erased.
    pub document: Option<String>,
    /// Up to here.
    pub cursor: ChangeCursor,
}

/// Some messages that have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The messages, each once, in the order of their last change.
    pub messages: Vec<Change>,
    /// From where to go on.
    pub next: ChangeCursor,
    /// Whether there was nothing more.
    pub caught_up: bool,
}

impl Engine {
    /// A scope's messages that have changed since a cursor, in the order in which they did, so many at most. `None` where
    /// the cursor is not of this hub's history.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn changes(
        &self,
        scope: &Scope,
        after: ChangeCursor,
        most: u32,
    ) -> Result<Option<Changes>, Error> {
        let Some(page) = self.inner.store.changed(scope, after, most).await? else {
            return Ok(None);
        };
        let reader = match scope {
            Scope::Insurer(insurer) => Some(insurer),
            Scope::Hub | Scope::Regulator | Scope::Provider(_) => None,
        };
        let catalog = self.inner.catalog();
        let reader = reader.map(|insurer| Reader {
            insurer,
            map: catalog.code_map(insurer).map(AsRef::as_ref),
        });
        let messages = page.messages.into_iter();
        let messages = messages.map(|own| change(own, reader));
        Ok(Some(Changes {
            messages: messages.collect::<Result<_, _>>()?,
            next: page.next,
            caught_up: page.caught_up,
        }))
    }
}

/// An insurer that reads, and how it says things.
#[derive(Clone, Copy)]
struct Reader<'a> {
    insurer: &'a ParticipantId,
    map: Option<&'a CodeMap>,
}

fn change(changed: ChangedMessage, reader: Option<Reader<'_>>) -> Result<Change, Error> {
    let ChangedMessage {
        envelope,
        content,
        cursor,
    } = changed;
    let seen = reader.zip(content).map(|(reader, (canonical, record))| {
        let seen = document::seen(&canonical, &record, reader.insurer, reader.map);
        seen.map_err(|_| Error::Unreadable {
            message: envelope.id,
        })
    });
    Ok(Change {
        document: seen.transpose()?,
        envelope,
        cursor,
    })
}
