//! The tamper-evident log: leaves go in with what they are about, and come out as one tree, whoever numbers them.

use std::collections::{BTreeMap, BTreeSet};

use takmil_domain::audit::{
    Commitment, Edge, Entry, Event, Leaf, Numbering, Pseudonym, Salt, Tile, TreeHash,
};
use takmil_domain::date::Instant;
use takmil_store::{Batch, FoundLeaf, Growth, LogDifference, NewLeaf, NewRead, Store, StoreError};
use uuid::Uuid;

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, house, id, update};
use crate::tampering::tamper;

both! {
    a_leaf_is_written_with_its_message_or_not_at_all
    the_log_grows_in_the_order_in_which_leaves_were_written_and_reads_back_whole
    participants_have_pseudonyms_that_stay
    a_log_is_begun_with_one_key
    reads_are_recorded_together_with_their_leaves
    an_erased_salt_leaves_the_log_as_it_was
    what_was_changed_in_the_database_is_found
}

pub(crate) fn leaf(subject: Uuid, turn: u32, participant: u128) -> NewLeaf {
    let salt = Salt([turn as u8; 32]);
    let leaf = Leaf {
        event: Event::MessageTaken,
        turn,
        at: NOW,
        subject,
        participant: Pseudonym(Uuid::from_u128(participant)),
        commitment: Commitment::new(&salt, &[b"sent", b"answered"]),
    };
    NewLeaf { leaf, salt }
}

fn leaves(count: u32) -> Vec<NewLeaf> {
    let subject = |at: u32| Uuid::from_u128(u128::from(at) << 64);
    (1..=count)
        .map(|at| leaf(subject(at), 1, u128::from(at % 3)))
        .collect()
}

async fn write(house: &House, leaves: Vec<NewLeaf>) {
    let batch = Batch {
        leaves,
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
}

/// Lets the log grow by at most so many of the leaves that wait, as a hub does that has just started.
pub(crate) async fn grow(store: &Store, most: u32, at: Instant) -> Result<usize, StoreError> {
    let mut turn = store.log_turn().await?;
    let waiting = turn.take(most).await?;
    let size = turn.head().size;
    let tiles = turn.tiles(&Tile::partials(size)).await?;
    let mut edge = Edge::restore(size, &tiles).unwrap();
    assert_eq!(edge.root(), turn.head().root);
    let who: BTreeSet<Pseudonym> = waiting.iter().map(|one| one.leaf.participant).collect();
    let mut numbering = Numbering::after(turn.numbers(&who).await?);
    let entries: Vec<_> = waiting
        .iter()
        .map(|one| (numbering.number(one.leaf), one.salt))
        .collect();
    let hashes: Vec<TreeHash> = entries.iter().map(|(entry, _)| entry.hash()).collect();
    let tiles = edge.append(&hashes);
    let growth = Growth {
        tiles,
        numbers: numbering.last().collect(),
        entries,
        size: edge.size(),
        root: edge.root(),
        checkpoint: format!("checkpoint of {}", edge.size()),
        signed_at: at,
        is_kept: true,
    };
    turn.grow(&growth).await?;
    Ok(waiting.len())
}

async fn a_leaf_is_written_with_its_message_or_not_at_all(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let message = claim.id;
    let batch = Batch {
        leaves: vec![leaf(message.0, 1, 7)],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    assert_eq!(house.store.log_state().await.unwrap().waiting, 1);
    // The same message again is refused, and so is its leaf.
    assert!(house.write(&batch).await.is_err());
    let state = house.store.log_state().await.unwrap();
    assert_eq!((state.waiting, state.oldest), (1, Some(NOW)));
    let found = house.store.log_leaves(message.0).await.unwrap();
    let own = batch.leaves[0];
    assert_eq!(found, [FoundLeaf::Waiting(own.leaf, Some(own.salt))]);
    grow(&house.store, 10, NOW).await.unwrap();
    let entry = Entry {
        number: 1,
        leaf: own.leaf,
    };
    let found = house.store.log_leaves(message.0).await.unwrap();
    assert_eq!(found, [FoundLeaf::Entered(0, entry, Some(own.salt))]);
    assert!(!house.store.log_waits().await.unwrap());
    // From here on every turn is to have its leaf; this one has none.
    let at = Instant(NOW.0 + 2_000_000);
    let mut silent = update(
        message,
        takmil_domain::life::State::Decided,
        takmil_domain::life::State::Decided,
        2,
    );
    silent.at = at;
    let batch = Batch {
        updates: vec![silent],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let found = house.store.check_log().await.unwrap();
    assert_eq!(found.last(), Some(&LogDifference::Turns { count: 1 }));
    write(&house, vec![leaf(message.0, 2, 7)]).await;
    assert_eq!(house.store.check_log().await.unwrap(), []);
}

async fn the_log_grows_in_the_order_in_which_leaves_were_written_and_reads_back_whole(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let all = leaves(700);
    for part in all.chunks(90) {
        write(&house, part.to_vec()).await;
    }
    // A neighbour, where there may be one, takes turns with the hub.
    let neighbour = match on {
        Backend::Sqlite => store.clone(),
        Backend::Postgres => house.neighbour().await,
    };
    let mut taken = 0;
    for (round, hub) in [store, &neighbour].into_iter().cycle().take(8).enumerate() {
        let at = NOW.plus_ms(60_000 * round as u64);
        taken += grow(hub, 100, at).await.unwrap();
    }
    assert_eq!(taken, 700);
    let mut numbering = Numbering::default();
    let expected: Vec<Entry> = all.iter().map(|new| numbering.number(new.leaf)).collect();
    assert_eq!(store.log_entries(0, 10_000).await.unwrap(), expected);
    assert_eq!(store.log_entries(698, 10).await.unwrap(), expected[698..]);
    let mut edge = Edge::default();
    let hashes: Vec<TreeHash> = expected.iter().map(Entry::hash).collect();
    let grown = edge.append(&hashes);
    let head = store.log_head().await.unwrap();
    assert_eq!((head.size, head.root), (700, edge.root()));
    assert_eq!(head.checkpoint.as_deref(), Some("checkpoint of 700"));
    let kept = store.log_tiles(Tile::all(700)).await.unwrap();
    let tiles: BTreeMap<Tile, Vec<u8>> = grown
        .into_iter()
        .map(|grown| (grown.tile, grown.bytes))
        .collect();
    for tile in Tile::all(700) {
        let bytes: Vec<u8> = kept
            .get(tile)
            .unwrap()
            .iter()
            .flat_map(|hash| hash.0)
            .collect();
        assert_eq!(bytes, tiles[&tile], "{tile:?}");
    }
    let notes = store.log_checkpoints(1, 100).await.unwrap();
    assert_eq!(notes.len(), 8);
    assert_eq!(notes[7], (8, "checkpoint of 700".to_owned()));
    assert_eq!(store.log_checkpoints(8, 100).await.unwrap(), notes[7..]);
    assert_eq!(store.check_log().await.unwrap(), []);
}

async fn participants_have_pseudonyms_that_stay(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let (clinic, alpha) = (id("clinic"), id("alpha"));
    let own = store.pseudonym(&clinic).await.unwrap();
    assert_ne!(own, store.pseudonym(&alpha).await.unwrap());
    assert_ne!(own, Pseudonym::HUB);
    let mut changed = store.participant(&clinic).await.unwrap();
    changed.title = "Another name".to_owned();
    store.upsert_participant(&changed).await.unwrap();
    assert_eq!(store.pseudonym(&clinic).await.unwrap(), own);
    let nobody = store.pseudonym(&id("nobody")).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)));
}

async fn a_log_is_begun_with_one_key(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    assert_eq!(store.log_head().await.unwrap().key, None);
    assert_eq!(store.begin_log("first").await.unwrap(), "first");
    assert_eq!(store.begin_log("second").await.unwrap(), "first");
    assert_eq!(
        store.log_head().await.unwrap().key.as_deref(),
        Some("first")
    );
}

async fn reads_are_recorded_together_with_their_leaves(on: Backend) {
    let house = house(on).await;
    let reads: Vec<NewRead> = leaves(3)
        .into_iter()
        .map(|leaf| NewRead {
            document: "{\"operation\":\"GET\"}".to_owned(),
            leaf,
        })
        .collect();
    house.store.record_reads(&reads).await.unwrap();
    assert_eq!(house.store.log_state().await.unwrap().waiting, 3);
    // One that is there already is refused, and its neighbours with it.
    let again = [leaves(4).pop().unwrap(), leaves(1).pop().unwrap()];
    let again = again.map(|leaf| NewRead {
        document: String::new(),
        leaf,
    });
    assert!(house.store.record_reads(&again).await.is_err());
    assert_eq!(house.store.log_state().await.unwrap().waiting, 3);
}

async fn an_erased_salt_leaves_the_log_as_it_was(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let all = leaves(3);
    let subject = house.consumed("year", 100, 10).await.0;
    write(&house, vec![all[0], leaf(subject, 1, 1)]).await;
    grow(store, 10, NOW).await.unwrap();
    write(&house, vec![leaf(subject, 2, 1), all[2]]).await;
    assert!(store.erase_member(house.member, NOW).await.unwrap());
    grow(store, 10, NOW).await.unwrap();
    let found = store.log_leaves(subject).await.unwrap();
    let salts: Vec<_> = found
        .iter()
        .map(|found| match found {
            FoundLeaf::Waiting(_, salt) | FoundLeaf::Entered(_, _, salt) => *salt,
        })
        .collect();
    assert_eq!(salts, [None, None]);
    let other = store.log_leaves(all[0].leaf.subject).await.unwrap();
    assert!(matches!(other[..], [FoundLeaf::Entered(0, _, Some(_))]));
    assert_eq!(store.check_log().await.unwrap(), []);
    assert_eq!(store.log_head().await.unwrap().size, 4);
}

async fn what_was_changed_in_the_database_is_found(on: Backend) {
    let house = house(on).await;
    write(&house, leaves(300)).await;
    grow(&house.store, 1_000, NOW).await.unwrap();
    assert_eq!(house.store.check_log().await.unwrap(), []);
    tamper(&house.bench, "update audit_entry set entry = (select entry from audit_entry where place = 8) where place = 7").await;
    let found = house.store.check_log().await.unwrap();
    assert!(
        matches!(found[..], [LogDifference::Root { .. }]),
        "{found:?}"
    );
    tamper(&house.bench, "delete from audit_entry where place = 7").await;
    let found = house.store.check_log().await.unwrap();
    let expected = LogDifference::Size {
        head: 300,
        found: 299,
    };
    assert_eq!(found, [expected]);
}

/// Turns commit in another order than that in which their leaves got their ids: none is passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_turn_that_commits_late_gets_its_number_late() {
    let house = house(Backend::Postgres).await;
    let all = leaves(3);
    let mut slow = house.store.begin().await.unwrap();
    let batch = |leaf: NewLeaf| Batch {
        leaves: vec![leaf],
        ..Batch::default()
    };
    slow.write(&batch(all[0])).await.unwrap();
    write(&house, vec![all[1]]).await;
    assert_eq!(grow(&house.store, 10, NOW).await.unwrap(), 1);
    slow.commit().await.unwrap();
    write(&house, vec![all[2]]).await;
    assert_eq!(grow(&house.store, 10, NOW).await.unwrap(), 2);
    let entries = house.store.log_entries(0, 10).await.unwrap();
    let subjects: Vec<Uuid> = entries.iter().map(|entry| entry.leaf.subject).collect();
    let expected = [1, 0, 2].map(|at: usize| all[at].leaf.subject);
    assert_eq!(subjects, expected);
    assert_eq!(house.store.check_log().await.unwrap(), []);
}

/// Two hubs that let the log grow at once take turns: whoever waits sees what the other has done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hubs_that_number_at_once_make_one_log() {
    let house = house(Backend::Postgres).await;
    let neighbour = house.neighbour().await;
    let all = leaves(400);
    for part in all.chunks(40) {
        write(&house, part.to_vec()).await;
    }
    let work = |store: Store| async move {
        let mut taken = 0;
        for _ in 0..20 {
            taken += grow(&store, 25, NOW).await.unwrap();
        }
        taken
    };
    let (one, other) = tokio::join!(
        tokio::spawn(work(house.store.clone())),
        tokio::spawn(work(neighbour))
    );
    assert_eq!(one.unwrap() + other.unwrap(), 400);
    let head = house.store.log_head().await.unwrap();
    assert_eq!(head.size, 400);
    assert_eq!(house.store.check_log().await.unwrap(), []);
    let mut numbering = Numbering::default();
    for entry in house.store.log_entries(0, 1_000).await.unwrap() {
        numbering.follow(&entry).unwrap();
    }
}
