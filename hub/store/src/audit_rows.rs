//! The rows that the tamper-evident log leaves.

use takmil_domain::audit::{ENTRY_BYTES, Entry, GrownTile, LEAF_BYTES, Pseudonym, Salt};

use crate::audit::{NewLeaf, NewRead, read_id};
use crate::rows::{Bytes, Id, Raw, row};

row! {
    /// A leaf that waits for its number.
    struct LeafRow {
        leaf: Bytes<LEAF_BYTES> as bytes,
        salt: Bytes<32> as bytes,
    }
    None;
    "insert into audit_pending (leaf, salt) select leaf, salt from batch order by place"
}

impl LeafRow {
    pub(crate) fn of(leaves: &[NewLeaf]) -> Vec<Self> {
        let row = |new: &NewLeaf| LeafRow {
            leaf: Bytes(new.leaf.to_bytes()),
            salt: Bytes(new.salt.0),
        };
        leaves.iter().map(row).collect()
    }
}

row! {
    /// An entry of the log.
    struct LogEntryRow {
        at: u64 as integer,
        entry: Bytes<ENTRY_BYTES> as bytes,
        salt: Option<Bytes<32>> as bytes,
    }
    None;
    "insert into audit_entry (place, entry, salt) select at, entry, salt from batch where true"
}

impl LogEntryRow {
    /// The entries that follow so many.
    pub(crate) fn of(size: u64, entries: &[(Entry, Option<Salt>)]) -> Vec<Self> {
        let row = |(at, (entry, salt)): (u64, &(Entry, Option<Salt>))| LogEntryRow {
            at,
            entry: Bytes(entry.to_bytes()),
            salt: salt.map(|salt| Bytes(salt.0)),
        };
        (size..).zip(entries).map(row).collect()
    }
}

row! {
    /// A tile, as it is now.
    struct TileRow<'a> {
        level: u8 as integer,
        tile: u64 as integer,
        hashes: Raw<'a> as bytes,
    }
    None;
    "insert into audit_tile (level, tile, hashes) select level, tile, hashes from batch where true
     on conflict (level, tile) do update set hashes = excluded.hashes"
}

impl<'a> TileRow<'a> {
    pub(crate) fn of(tiles: &'a [GrownTile]) -> Vec<Self> {
        let row = |grown: &'a GrownTile| TileRow {
            level: grown.tile.level,
            tile: grown.tile.index,
            hashes: Raw(&grown.bytes),
        };
        tiles.iter().map(row).collect()
    }
}

row! {
    /// The last number of a participant.
    struct NumberRow {
        participant: Id as id,
        last: u64 as integer,
    }
    None;
    "insert into audit_number (participant, last) select participant, last from batch where true
     on conflict (participant) do update set last = excluded.last"
}

impl NumberRow {
    pub(crate) fn of(numbers: &[(Pseudonym, u64)]) -> Vec<Self> {
        let row = |(participant, last): &(Pseudonym, u64)| NumberRow {
            participant: participant.0.into(),
            last: *last,
        };
        numbers.iter().map(row).collect()
    }
}

row! {
    /// Who read what.
    struct ReadRow<'a> {
        id: Id as id,
        document: &'a str as text,
    }
    None;
    "insert into audit_read (id, document) select id, document from batch"
}

impl<'a> ReadRow<'a> {
    pub(crate) fn of(reads: &'a [NewRead]) -> Vec<Self> {
        let row = |read: &'a NewRead| ReadRow {
            id: read_id(read).into(),
            document: &read.document,
        };
        reads.iter().map(row).collect()
    }
}
