//! The stream through which hubs tell each other: a Redis stream of bounded length. An entry is a step of a message,
//! or the word that documents or credentials have changed. Nothing of a person.

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{FromRedisValue, Pipeline, RedisError};
use std::sync::Arc;
use std::time::Duration;
use takmil_engine::{Committed, Step};

use super::link::Link;
use crate::feed::{KEPT, Place};

/// The fields of an entry: the hub that wrote it; a step as JSON; that something is owed; that something was changed.
const HUB: &str = "hub";
const STEP: &str = "step";
const OWES: &str = "owes";
const CHANGES: &str = "changes";

/// How many entries are read at once.
const MOST_READ: usize = 512;

/// How long Redis holds a question open for which it has no entries yet, and how long its answer may take.
const BLOCKS_MS: usize = 1_000;
const ANSWER: Duration = Duration::from_millis(3_000);

/// The stream.
pub(super) struct Stream {
    key: String,
    /// This hub's mark on its entries.
    hub: String,
}

/// An entry, as read.
pub(super) struct Entry {
    pub(super) place: Place,
    hub: String,
    pub(super) step: Option<Step>,
    pub(super) owes: bool,
    pub(super) changes: bool,
}

impl Stream {
    pub(super) fn new(name: &str) -> Stream {
        Stream {
            key: format!("{name}:stream"),
            hub: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// Whether this hub wrote it.
    pub(super) fn wrote(&self, entry: &Entry) -> bool {
        entry.hub == self.hub
    }

    /// Appends an entry for each step, in one round trip.
    pub(super) async fn append(
        &self,
        mut connection: MultiplexedConnection,
        committed: &[Arc<Committed>],
    ) -> Result<(), RedisError> {
        let mut entries = redis::pipe();
        for turn in committed {
            for (at, step) in turn.steps.iter().enumerate() {
                // Names, numbers and words: that cannot fail to be written.
                let step = serde_json::to_string(step).unwrap_or_default();
                let entry = self.entry(&mut entries).arg(STEP).arg(step);
                if turn.owes && at == 0 {
                    entry.arg(OWES).arg(1);
                }
                entry.ignore();
            }
        }
        entries.exec_async(&mut connection).await
    }

    /// Appends the word that something was changed.
    pub(super) async fn append_change(
        &self,
        mut connection: MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let mut entries = redis::pipe();
        self.entry(&mut entries).arg(CHANGES).arg(1).ignore();
        entries.exec_async(&mut connection).await
    }

    fn entry<'p>(&self, entries: &'p mut Pipeline) -> &'p mut Pipeline {
        entries
            .cmd("XADD")
            .arg(&self.key)
            .arg("MAXLEN")
            .arg("~")
            .arg(KEPT)
            .arg("*")
            .arg(HUB)
            .arg(&self.hub)
    }

    /// Begins to read after `last`, or everything that is kept where nothing was read before.
    pub(super) async fn open(
        &self,
        link: &Link,
        last: Option<Place>,
    ) -> Result<Reading, RedisError> {
        let mut connection = link.connect(ANSWER).await?;
        let newest: StreamRangeReply = redis::cmd("XREVRANGE")
            .arg(&self.key)
            .arg(&["+", "-", "COUNT", "1"])
            .query_async(&mut connection)
            .await?;
        let newest = newest.ids.first();
        let newest = newest.and_then(|entry| Place::parse(&entry.id));
        Ok(Reading {
            connection,
            key: self.key.clone(),
            // A stream that ends before what was read of it is another: Redis has forgotten the first one.
            last: last.filter(|last| Some(*last) <= newest),
        })
    }
}

/// Where one is in reading the stream.
pub(super) struct Reading {
    connection: MultiplexedConnection,
    key: String,
    last: Option<Place>,
}

impl Reading {
    /// The place of the last entry that was read.
    pub(super) fn last(&self) -> Option<Place> {
        self.last
    }

    /// The next entries; none where none came for a moment.
    pub(super) async fn next(&mut self) -> Result<Vec<Entry>, RedisError> {
        let read: Option<StreamReadReply> = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(MOST_READ)
            .arg("BLOCK")
            .arg(BLOCKS_MS)
            .arg("STREAMS")
            .arg(&self.key)
            .arg(self.last.unwrap_or_default().to_string())
            .query_async(&mut self.connection)
            .await?;
        let entries = read.into_iter().flat_map(|read| read.keys);
        let entries: Vec<Entry> = entries
            .flat_map(|key| key.ids)
            .filter_map(read_entry)
            .collect();
        self.last = entries.last().map(|entry| entry.place).or(self.last);
        Ok(entries)
    }
}

/// An entry of another release of the hub may hold what this one does not know.
fn read_entry(entry: StreamId) -> Option<Entry> {
    let text = |name: &str| {
        let value = entry.map.get(name)?.clone();
        String::from_redis_value(value).ok()
    };
    Some(Entry {
        place: Place::parse(&entry.id)?,
        hub: text(HUB).unwrap_or_default(),
        step: text(STEP).and_then(|step| serde_json::from_str(&step).ok()),
        owes: entry.map.contains_key(OWES),
        changes: entry.map.contains_key(CHANGES),
    })
}
