//! The tamper-evident log, as those who read it see it: its head, tiles, entries and checkpoints, and whether what is
//! kept is one whole.

use takmil_domain::audit::{Entry, Frontier, Leaf, Salt, Tile, Tiles, TreeHash};
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::audit::{HEAD, LogHead, WaitingLeaf, head, read_tiles, salt, waiting};
use crate::column::Row;
use crate::db::{Sql, Value};
use crate::error::StoreError;
use crate::store::Store;

/// How many entries are read at once where all are.
const STRETCH: u64 = 4_096;

/// How the log is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// Its head.
    pub head: LogHead,
    /// How many leaves wait for their number.
    pub waiting: u64,
    /// When the first of them was made.
    pub oldest: Option<Instant>,
}

/// Where a leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundLeaf {
    /// It waits for its number.
    Waiting(Leaf, Option<Salt>),
    /// It is an entry, at a place of the log counted from 0.
    Entered(u64, Entry, Option<Salt>),
}

impl FoundLeaf {
    /// The leaf.
    pub fn leaf(&self) -> &Leaf {
        match self {
            FoundLeaf::Waiting(leaf, _) => leaf,
            FoundLeaf::Entered(_, entry, _) => &entry.leaf,
        }
    }
}

/// What is wrong with the log as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogDifference {
    /// There are other entries than the head says.
    Size {
        /// How many the head says.
        head: u64,
        /// How many follow each other from the first.
        found: u64,
    },
    /// The entries have another root than the head says.
    Root {
        /// The head's.
        head: TreeHash,
        /// That of the entries.
        found: TreeHash,
    },
    /// Turns of messages have no leaf, or more than one, since the log was begun.
    Turns {
        /// How many.
        count: u64,
    },
}

impl Store {
    /// The head of the log.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn log_head(&self) -> Result<LogHead, StoreError> {
        head(&self.readers.fetch_one(HEAD, &[]).await?)
    }

    /// How the log is doing.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn log_state(&self) -> Result<LogState, StoreError> {
        let mut reader = self.snapshot().await?;
        let mut db = reader.db();
        let head = head(&db.fetch_one(HEAD, &[]).await?)?;
        let count = db
            .fetch_one("select count(*) as waiting from audit_pending", &[])
            .await?;
        let first = db
            .fetch_optional(
                "select leaf, salt from audit_pending order by id limit 1",
                &[],
            )
            .await?;
        let first = first.as_ref().map(waiting).transpose()?;
        Ok(LogState {
            head,
            waiting: count.number("waiting")?,
            oldest: first.map(|first| first.leaf.at),
        })
    }

    /// Whether leaves wait for their number.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn log_waits(&self) -> Result<bool, StoreError> {
        let first = "select id from audit_pending order by id limit 1";
        Ok(self.readers.fetch_optional(first, &[]).await?.is_some())
    }

    /// Tiles, as far as they are there. One that is not complete may have more hashes by now than it is asked for
    /// with: those asked for are its first.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn log_tiles(
        &self,
        tiles: impl IntoIterator<Item = Tile>,
    ) -> Result<Tiles, StoreError> {
        let wanted: Vec<(u8, u64)> = tiles
            .into_iter()
            .map(|tile| (tile.level, tile.index))
            .collect();
        let mut reader = self.readers.acquire().await?;
        read_tiles(&mut reader.db(), wanted.into_iter()).await
    }

    /// Entries from a place on, as far as they are there.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what is no entry.
    pub async fn log_entries(&self, first: u64, most: u64) -> Result<Vec<Entry>, StoreError> {
        let end = first.saturating_add(most);
        let rows = self
            .readers
            .fetch_all(
                "select entry from audit_entry where place >= $1 and place < $2 order by place",
                &[integer(first), integer(end)],
            )
            .await?;
        rows.iter().map(entry).collect()
    }

    /// Where the leaves of a subject are, those with a number first, in the order of their turns.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn log_leaves(&self, subject: Uuid) -> Result<Vec<FoundLeaf>, StoreError> {
        let bytes = subject.into_bytes();
        let values = [Value::Bytes(&bytes)];
        let mut reader = self.snapshot().await?;
        let mut db = reader.db();
        let mut found = Vec::new();
        let entered = db
            .fetch_all(
                "select place, entry, salt from audit_entry
                 where substr(entry, 24, 16) = $1 order by place",
                &values,
            )
            .await?;
        for row in &entered {
            found.push(FoundLeaf::Entered(
                row.number("place")?,
                entry(row)?,
                salt(row)?,
            ));
        }
        let wait = db
            .fetch_all(
                "select leaf, salt from audit_pending
                 where substr(leaf, 15, 16) = $1 order by id",
                &values,
            )
            .await?;
        for row in &wait {
            let WaitingLeaf { leaf, salt } = waiting(row)?;
            found.push(FoundLeaf::Waiting(leaf, salt));
        }
        Ok(found)
    }

    /// Checkpoints that were kept, from a number on, with the number that the next page begins at.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn log_checkpoints(
        &self,
        from: u64,
        most: u32,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self
            .readers
            .fetch_all(
                "select number, note from audit_checkpoint where number >= $1
                 order by number limit $2",
                &[integer(from), most.into()],
            )
            .await?;
        let read = |row: &Row| Ok((row.number("number")?, row.text("note")?.to_owned()));
        rows.iter().map(read).collect()
    }

    /// Derives the log's root from its entries again, and looks whether every turn of a message has its one leaf.
    /// Goes over the whole log.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what is no entry.
    pub async fn check_log(&self) -> Result<Vec<LogDifference>, StoreError> {
        const ENTRIES: &str = "select place, entry from audit_entry
             where place >= $1 and place < $2 order by place";
        let mut reader = self.snapshot().await?;
        let mut db = reader.db();
        let head = head(&db.fetch_one(HEAD, &[]).await?)?;
        let mut tree = Frontier::default();
        loop {
            let first = tree.size();
            let values = [integer(first), integer(first.saturating_add(STRETCH))];
            let rows = db.fetch_all(ENTRIES, &values).await?;
            for row in &rows {
                if row.number::<u64>("place")? == tree.size() {
                    tree.push(entry(row)?.hash());
                }
            }
            if tree.size() < first.saturating_add(STRETCH) {
                break;
            }
        }
        let beyond = "select count(*) as beyond from audit_entry where place >= $1";
        let beyond = db.fetch_one(beyond, &[integer(tree.size())]).await?;
        let found = tree.size().saturating_add(beyond.number("beyond")?);
        let wrong = db.fetch_one(TURNS, &[]).await?;
        let count: u64 = wrong.number("wrong")?;
        let (size, root) = (head.size, tree.root());
        let mut differences = Vec::new();
        if found != size {
            differences.push(LogDifference::Size { head: size, found });
        } else if root != head.root {
            let (head, found) = (head.root, root);
            differences.push(LogDifference::Root { head, found });
        }
        if count > 0 {
            differences.push(LogDifference::Turns { count });
        }
        Ok(differences)
    }
}

/// How many turns since the log was begun have no leaf, or several. Turns before the first checkpoint may be those of
/// a hub that had no log.
const TURNS: Sql = Sql {
    sqlite: "select count(*) as wrong from turn t
         where t.at > (select signed_at from audit_checkpoint where number = 1)
             and (select count(*) from audit_entry e where substr(e.entry, 24, 16) = t.message
                     and substr(e.entry, 12, 4) = unhex(printf('%08x', t.number)))
                 + (select count(*) from audit_pending p where substr(p.leaf, 15, 16) = t.message
                     and substr(p.leaf, 3, 4) = unhex(printf('%08x', t.number))) <> 1",
    postgres: "select count(*) as wrong from turn t
         where t.at > (select signed_at from audit_checkpoint where number = 1)
             and (select count(*) from audit_entry e where substr(e.entry, 24, 16) = uuid_send(t.message)
                     and substr(e.entry, 12, 4) = int4send(t.number::integer))
                 + (select count(*) from audit_pending p where substr(p.leaf, 15, 16) = uuid_send(t.message)
                     and substr(p.leaf, 3, 4) = int4send(t.number::integer)) <> 1",
};

fn integer(number: u64) -> Value<'static> {
    Value::Integer(Some(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    let unreadable = |_| StoreError::Unreadable { what: "entry" };
    Entry::parse(row.bytes("entry")?).map_err(unreadable)
}
