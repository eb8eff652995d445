//! The sequencer: it gives leaves that are committed their number and place in the log, and signs the head. Every hub
//! has one. The head's row is theirs one at a time, so that of several hubs each goes on from where the last has left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use takmil_domain::audit::{Checkpoint, Edge, Entry, Numbering, Pseudonym, Tile, TreeHash};
use takmil_store::{Growth, LogTurn, StoreError, WaitingLeaf};
use tokio::sync::watch;

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;

/// The most leaves that get their number at once: some seconds of a busy hub.
const MOST: u32 = 4_096;

/// How long it rests after its work, so that under load one fsync serves many leaves, and a proof still follows
/// within the second.
const REST: Duration = Duration::from_millis(200);

/// How often it looks for leaves that nobody told it of: those that a hub has left that is gone.
const LOOK: Duration = Duration::from_secs(1);

/// How often a checkpoint is kept for good, though nothing happens.
const KEEP_MS: u64 = 60_000;

/// Gives numbers until the hub stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let mut edge = None;
    let outage = Outage::new("the log cannot grow; it is tried again");
    loop {
        match next(&inner, &mut edge).await {
            // There is more than one go takes.
            Ok(true) => continue,
            Ok(false) => outage.went_well(),
            Err(Error::Store(StoreError::Contended)) => {}
            Err(error) => outage.failed(&error),
        }
        if waits(&mut stop, tokio::time::sleep(REST)).await {
            return;
        }
        let told = async {
            tokio::select! {
                () = inner.audit.waiting.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        };
        if waits(&mut stop, told).await {
            return;
        }
    }
}

/// Waits for something, or for the end of the hub, and says whether it was that.
async fn waits(stop: &mut watch::Receiver<bool>, something: impl Future<Output = ()>) -> bool {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => true,
        () = something => false,
    }
}

/// Lets the log grow by what waits, and says whether more of it may wait still. `edge` is that of the log as this hub
/// saw it last.
async fn next(inner: &Inner, edge: &mut Option<Edge>) -> Result<bool, Error> {
    let now = (inner.clock)();
    let head = inner.store.log_head().await?;
    let is_due = |kept_at: Option<takmil_domain::date::Instant>| {
        kept_at.is_none_or(|at| at.plus_ms(KEEP_MS) <= now)
    };
    if !is_due(head.kept_at) && !inner.store.log_waits().await? {
        return Ok(false);
    }
    let mut turn = inner.store.log_turn().await?;
    let head = turn.head().clone();
    let waiting = turn.take(MOST).await?;
    let is_kept = is_due(head.kept_at);
    if waiting.is_empty() && !is_kept {
        return Ok(false);
    }
    // Taken, and put back only when it is sure what the log has come to.
    let known = edge.take();
    let mut grown =
        match known.filter(|known| (known.size(), known.root()) == (head.size, head.root)) {
            Some(known) => known,
            None => restore(&mut turn).await?,
        };
    let entries = number(&mut turn, &waiting).await?;
    let hashes: Vec<TreeHash> = entries.iter().map(Entry::hash).collect();
    let tiles = grown.append(&hashes);
    let log = &inner.audit.log;
    let checkpoint = Checkpoint {
        origin: log.key().name().clone(),
        size: grown.size(),
        root: grown.root(),
    };
    let signed_at = head.signed_at.map_or(now, |before| before.max(now));
    let salts = waiting.iter().map(|waiting| waiting.salt);
    let growth = Growth {
        numbers: last_numbers(&entries),
        entries: entries.into_iter().zip(salts).collect(),
        tiles,
        size: checkpoint.size,
        root: checkpoint.root,
        checkpoint: checkpoint.sign(log, signed_at).to_string(),
        signed_at,
        is_kept,
    };
    turn.grow(&growth).await?;
    inner.audit.signed(signed_at);
    *edge = Some(grown);
    Ok(u32::try_from(waiting.len()).is_ok_and(|count| count == MOST))
}

/// The edge of the log as it is kept.
async fn restore(turn: &mut LogTurn) -> Result<Edge, Error> {
    let (size, root) = (turn.head().size, turn.head().root);
    let tiles = turn.tiles(&Tile::partials(size)).await?;
    let edge = Edge::restore(size, &tiles).map_err(|_| Error::LogBroken { size })?;
    // Nothing is signed over a tree that is not the one that was signed before.
    match edge.root() == root {
        true => Ok(edge),
        false => Err(Error::LogBroken { size }),
    }
}

/// Gives each leaf its number.
async fn number(turn: &mut LogTurn, waiting: &[WaitingLeaf]) -> Result<Vec<Entry>, Error> {
    let participants: BTreeSet<Pseudonym> = waiting
        .iter()
        .map(|waiting| waiting.leaf.participant)
        .collect();
    let mut numbering = Numbering::after(turn.numbers(&participants).await?);
    let leaves = waiting.iter().map(|waiting| waiting.leaf);
    Ok(leaves.map(|leaf| numbering.number(leaf)).collect())
}

/// The last number of each participant who has an entry here.
fn last_numbers(entries: &[Entry]) -> Vec<(Pseudonym, u64)> {
    let numbers = entries
        .iter()
        .map(|entry| (entry.leaf.participant, entry.number));
    let last: std::collections::BTreeMap<Pseudonym, u64> = numbers.collect();
    last.into_iter().collect()
}
