//! The tamper-evident log, as those who write it see it: leaves that wait for their number, and the one transaction
//! at a time that numbers them.

use std::collections::BTreeSet;

use takmil_domain::audit::{
    Entry, GrownTile, LEAF_BYTES, Leaf, Pseudonym, Salt, Tile, Tiles, TreeHash,
};
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use uuid::Uuid;

use crate::audit_rows::{LeafRow, LogEntryRow, NumberRow, ReadRow, TileRow};
use crate::column::Row;
use crate::db::{Db, Sql, Transaction, Value};
use crate::error::StoreError;
use crate::put::put;
use crate::rows::{Id, over};
use crate::store::Store;

/// A leaf that the log is to have, with what its commitment can be opened by. `Debug` masks the salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLeaf {
    /// The leaf.
    pub leaf: Leaf,
    /// Random bits, erased with the payload.
    pub salt: Salt,
}

/// A leaf that waits for its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingLeaf {
    /// The leaf.
    pub leaf: Leaf,
    /// Its salt, unless that was erased meanwhile.
    pub salt: Option<Salt>,
}

/// A record of somebody's reading, and the leaf for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRead {
    /// Who read what, as JSON. Nothing of the person who was read about but ids.
    pub document: String,
    /// Its subject is the record's id.
    pub leaf: NewLeaf,
}

/// The head of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// How many entries there are.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// The public key that the log was begun with.
    pub key: Option<String>,
    /// The signed note; none before the log was begun.
    pub checkpoint: Option<String>,
    /// When it was signed.
    pub signed_at: Option<Instant>,
    /// When a checkpoint was last kept for good.
    pub kept_at: Option<Instant>,
}

/// What the log grows by, all of it or nothing.
#[derive(Debug)]
pub struct Growth {
    /// The entries that follow, with their salts.
    pub entries: Vec<(Entry, Option<Salt>)>,
    /// Every tile that is new or has grown.
    pub tiles: Vec<GrownTile>,
    /// The last number of each participant who has one of the entries.
    pub numbers: Vec<(Pseudonym, u64)>,
    /// How many entries there are then.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// The signed note over both.
    pub checkpoint: String,
    /// When it was signed: not before the last one.
    pub signed_at: Instant,
    /// Whether the note is kept for good.
    pub is_kept: bool,
}

/// A transaction that lets the log grow. All hubs have one at a time: it holds the head's row, so that what it
/// found there is true until it ends. Dropped without [`LogTurn::grow`], it leaves nothing behind.
pub struct LogTurn {
    transaction: Transaction<'static>,
    head: LogHead,
}

impl std::fmt::Debug for LogTurn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogTurn")
    }
}

pub(crate) const HEAD: &str =
    "select size, root, log_key, checkpoint, signed_at, kept_at from audit_head";

impl Store {
    /// Begins to let the log grow. Whoever else wants to waits until this ends.
    ///
    /// # Errors
    /// [`StoreError::Contended`] if another holds the log for too long; else if the database cannot serve.
    pub async fn log_turn(&self) -> Result<LogTurn, StoreError> {
        const LOCKED: Sql = Sql {
            sqlite: HEAD,
            postgres: "select size, root, log_key, checkpoint, signed_at, kept_at from audit_head
                 for no key update",
        };
        let mut transaction = self.rows().await?;
        let head = head(&transaction.db().fetch_one(LOCKED, &[]).await?)?;
        Ok(LogTurn { transaction, head })
    }

    /// Begins the log with a public key, where it has none, and gives the one that it has.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn begin_log(&self, key: &str) -> Result<String, StoreError> {
        self.writers
            .execute(
                "update audit_head set log_key = $1 where log_key is null",
                &[key.into()],
            )
            .await?;
        let row = self.writers.fetch_one(HEAD, &[]).await?;
        Ok(row.text("log_key")?.to_owned())
    }

    /// Who a participant is in the log.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such participant.
    pub async fn pseudonym(&self, participant: &ParticipantId) -> Result<Pseudonym, StoreError> {
        let row = self
            .readers
            .fetch_one(
                "select pseudonym from participant where id = $1",
                &[participant.as_str().into()],
            )
            .await?;
        Ok(Pseudonym(row.uuid("pseudonym")?))
    }

    /// Records what was read, with its leaves, in one transaction. When this returns, it is durable.
    ///
    /// # Errors
    /// If the database cannot serve: then nothing of what was read may be given away.
    pub async fn record_reads(&self, reads: &[NewRead]) -> Result<(), StoreError> {
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        put(&mut db, &ReadRow::of(reads)).await?;
        let leaves: Vec<NewLeaf> = reads.iter().map(|read| read.leaf).collect();
        put(&mut db, &LeafRow::of(&leaves)).await?;
        transaction.commit().await
    }
}

/// Erases the salts of what is about messages, so that nobody can tell any more what their leaves commit to; the
/// log stays as verifiable as before.
pub(crate) async fn erase_salts(db: &mut Db<'_>, messages: &[MessageId]) -> Result<(), StoreError> {
    // The sequencer goes from the one table to the other: it waits meanwhile.
    const HELD: Sql = Sql {
        sqlite: "select size from audit_head",
        postgres: "select size from audit_head for no key update",
    };
    db.fetch_optional(HELD, &[]).await?;
    for message in messages {
        let subject = [Value::Bytes(message.0.as_bytes())];
        db.execute(
            "update audit_pending set salt = null where substr(leaf, 15, 16) = $1",
            &subject,
        )
        .await?;
        db.execute(
            "update audit_entry set salt = null where substr(entry, 24, 16) = $1",
            &subject,
        )
        .await?;
    }
    Ok(())
}

impl LogTurn {
    /// The head, which nobody moves meanwhile.
    pub fn head(&self) -> &LogHead {
        &self.head
    }

    /// Takes leaves that wait, the first written first, as far as they are committed.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what is no leaf.
    pub async fn take(&mut self, most: u32) -> Result<Vec<WaitingLeaf>, StoreError> {
        // By their ids and nothing else: turns commit in another order than that in which they got them.
        let rows = self
            .transaction
            .db()
            .fetch_all(
                "delete from audit_pending
                 where id in (select id from audit_pending order by id limit $1)
                 returning id, leaf, salt",
                &[most.into()],
            )
            .await?;
        let read = |row: &Row| Ok((row.number::<i64>("id")?, waiting(row)?));
        let read: Result<Vec<_>, StoreError> = rows.iter().map(read).collect();
        let mut leaves = read?;
        leaves.sort_by_key(|(id, _)| *id);
        Ok(leaves.into_iter().map(|(_, leaf)| leaf).collect())
    }

    /// The last number of each participant who has one.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn numbers(
        &mut self,
        participants: &BTreeSet<Pseudonym>,
    ) -> Result<Vec<(Pseudonym, u64)>, StoreError> {
        let sql = over!(
            participant id;
            "select n.participant, n.last from batch
             join audit_number n on n.participant = batch.participant"
        );
        let rows: Vec<(Id,)> = participants.iter().map(|one| (one.0.into(),)).collect();
        let found = self.transaction.db().ask(sql, &rows).await?;
        let number = |row: &Row| {
            let participant = Pseudonym(row.uuid("participant")?);
            Ok((participant, row.number("last")?))
        };
        found.iter().map(number).collect()
    }

    /// Tiles, as far as they are there.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn tiles(&mut self, tiles: &[Tile]) -> Result<Tiles, StoreError> {
        let wanted = tiles.iter().map(|tile| (tile.level, tile.index));
        read_tiles(&mut self.transaction.db(), wanted).await
    }

    /// Writes what the log grows by, and makes it durable. Nothing of it may be shown before this returns.
    ///
    /// # Errors
    /// If the database cannot serve; then the log is as it was, or as it is to be.
    pub async fn grow(mut self, growth: &Growth) -> Result<(), StoreError> {
        let mut db = self.transaction.db();
        let entries = LogEntryRow::of(self.head.size, &growth.entries);
        put(&mut db, &entries).await?;
        put(&mut db, &TileRow::of(&growth.tiles)).await?;
        put(&mut db, &NumberRow::of(&growth.numbers)).await?;
        let size = Value::Integer(i64::try_from(growth.size).ok());
        let kept_at = growth.is_kept.then_some(growth.signed_at.0);
        db.execute(
            "update audit_head
             set size = $1, root = $2, checkpoint = $3, signed_at = $4, kept_at = coalesce($5, kept_at)",
            &[
                size,
                (&growth.root.0).into(),
                (&growth.checkpoint).into(),
                growth.signed_at.into(),
                kept_at.into(),
            ],
        )
        .await?;
        if growth.is_kept {
            db.execute(
                "insert into audit_checkpoint (number, size, signed_at, note)
                 select coalesce(max(number), 0) + 1, $1, $2, $3 from audit_checkpoint",
                &[size, growth.signed_at.into(), (&growth.checkpoint).into()],
            )
            .await?;
        }
        self.transaction.commit().await
    }
}

/// Tiles by level and place, as far as they are there.
pub(crate) async fn read_tiles(
    db: &mut Db<'_>,
    wanted: impl Iterator<Item = (u8, u64)>,
) -> Result<Tiles, StoreError> {
    let sql = over!(
        level integer, tile integer;
        "select t.level, t.tile, t.hashes from batch
         join audit_tile t on t.level = batch.level and t.tile = batch.tile"
    );
    let rows: Vec<(u8, u64)> = wanted.collect();
    let mut tiles = Tiles::default();
    for row in db.ask(sql, &rows).await? {
        tiles.insert(
            row.number("level")?,
            row.number("tile")?,
            row.bytes("hashes")?,
        );
    }
    Ok(tiles)
}

pub(crate) fn head(row: &Row) -> Result<LogHead, StoreError> {
    let root = row.bytes("root")?.try_into();
    Ok(LogHead {
        size: row.number("size")?,
        root: TreeHash(root.map_err(|_| StoreError::Unreadable { what: "root" })?),
        key: row.text_maybe("log_key")?.map(str::to_owned),
        checkpoint: row.text_maybe("checkpoint")?.map(str::to_owned),
        signed_at: row.moment_maybe("signed_at")?,
        kept_at: row.moment_maybe("kept_at")?,
    })
}

pub(crate) fn waiting(row: &Row) -> Result<WaitingLeaf, StoreError> {
    let bytes: &[u8; LEAF_BYTES] = row
        .bytes("leaf")?
        .try_into()
        .map_err(|_| StoreError::Unreadable { what: "leaf" })?;
    let leaf = Leaf::parse(bytes).map_err(|_| StoreError::Unreadable { what: "leaf" })?;
    let salt = salt(row)?;
    Ok(WaitingLeaf { leaf, salt })
}

pub(crate) fn salt(row: &Row) -> Result<Option<Salt>, StoreError> {
    let unreadable = |_| StoreError::Unreadable { what: "salt" };
    let bytes = row.bytes_maybe("salt")?.map(<[u8; 32]>::try_from);
    Ok(bytes.transpose().map_err(unreadable)?.map(Salt))
}

/// The record of a read, whose id is its leaf's subject.
pub(crate) fn read_id(read: &NewRead) -> Uuid {
    read.leaf.leaf.subject
}
