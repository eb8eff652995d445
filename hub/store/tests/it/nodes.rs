//! Several hubs in one database of PostgreSQL: what holds for one of them holds for all together.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use takmil_conformance::postgres::Postgres;
use takmil_domain::ids::{DeliveryId, MessageId};
use takmil_domain::limit::{EntryKind, Standing};
use takmil_store::{
    Attempt, Batch, DatabaseUrl, Outcome, Place, Scope, Store, StoreError, Turn, Wanted,
};

use crate::bench::{Backend, Bench, config};
use crate::samples::{House, NOW, delivery, house, id};

/// What a turn came to; nothing where somebody was faster. Any other error fails the test.
fn settled<T>(turn: Result<T, StoreError>) -> Option<T> {
    match turn {
        Ok(done) => Some(done),
        Err(StoreError::Contended) => None,
        Err(other) => panic!("{other:?}"),
    }
}

const CEILING: i64 = 700;

/// Consumes 7 of each limit, where there is as much left of all.
async fn consume(store: &Store, house: &House, codes: &[&str]) -> Result<bool, StoreError> {
    let claim = house.claim("clinic");
    let message = claim.id;
    let mut turn = store.begin().await?;
    let keys: Vec<_> = codes.iter().map(|code| house.key(code)).collect();
    let standings = turn.standings(&keys).await?;
    let untouched = Standing {
        ceiling: CEILING,
        ..Standing::default()
    };
    let fits = |standing: &Option<Standing>| {
        let before = standing.unwrap_or(untouched);
        before.after(EntryKind::Consume, 7).is_some()
    };
    if !standings.iter().all(fits) {
        return Ok(false);
    }
    let new = codes
        .iter()
        .zip(&standings)
        .filter(|(_, old)| old.is_none());
    let batch = Batch {
        limits: new
            .map(|(code, _)| house.limit(code, CEILING, message))
            .collect(),
        entries: codes
            .iter()
            .map(|code| house.entry(code, message, EntryKind::Consume, 7))
            .collect(),
        messages: vec![claim],
        ..Batch::default()
    };
    turn.write(&batch).await?;
    turn.commit().await?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hubs_that_race_for_limits_never_promise_more_than_there_is() {
    let house = Arc::new(house(Backend::Postgres).await);
    let stores = [house.store.clone(), house.neighbour().await];
    let racers: Vec<_> = (0..160_usize)
        .map(|at| {
            let (house, store) = (Arc::clone(&house), stores[at % 2].clone());
            // Asked for in every order.
            let mut codes = ["stay", "visits", "year"];
            codes.rotate_left(at % 3);
            tokio::spawn(async move {
                loop {
                    if let Some(won) = settled(consume(&store, &house, &codes).await) {
                        return won;
                    }
                }
            })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += i64::from(racer.await.unwrap());
    }
    assert_eq!(won, CEILING / 7);
    let mut turn = house.store.begin().await.unwrap();
    for code in ["stay", "visits", "year"] {
        let standing = turn.standings(&[house.key(code)]).await.unwrap();
        assert_eq!(standing[0].unwrap().consumed, CEILING, "{code}");
    }
    drop(turn);
    house.in_order().await;
}

/// Takes a message under a key, as a lane would: once.
async fn take(store: &Store, house: &House, key: &str) -> Result<MessageId, StoreError> {
    let mut claim = house.claim("clinic");
    claim.keys = vec![key.to_owned()];
    let message = claim.id;
    let mut turn = store.begin().await?;
    let asked = [(id("clinic"), key.to_owned())];
    if let Some(answered) = &turn.idempotency(&asked).await?[0] {
        return Ok(answered.message);
    }
    let new = turn.standings(&[house.key("year")]).await?[0].is_none();
    let batch = Batch {
        limits: new
            .then(|| house.limit("year", CEILING, message))
            .into_iter()
            .collect(),
        entries: vec![house.entry("year", message, EntryKind::Consume, 1)],
        messages: vec![claim],
        ..Batch::default()
    };
    turn.write(&batch).await?;
    turn.commit().await?;
    Ok(message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_comes_to_two_hubs_at_once_has_one_effect() {
    let house = Arc::new(house(Backend::Postgres).await);
    let stores = [house.store.clone(), house.neighbour().await];
    let mut repeats = BTreeMap::new();
    for at in 0..120_usize {
        let (house, store) = (Arc::clone(&house), stores[at % 2].clone());
        let key = format!("key:{}", at / 6);
        let name = key.clone();
        let repeat = tokio::spawn(async move {
            loop {
                if let Some(message) = settled(take(&store, &house, &key).await) {
                    return message;
                }
            }
        });
        repeats.entry(name).or_insert_with(Vec::new).push(repeat);
    }
    let keys = repeats.len();
    for (key, repeats) in repeats {
        let mut messages = HashSet::new();
        for repeat in repeats {
            messages.insert(repeat.await.unwrap());
        }
        assert_eq!(messages.len(), 1, "{key}");
    }
    let mut turn = house.store.begin().await.unwrap();
    let standing = turn.standings(&[house.key("year")]).await.unwrap();
    assert_eq!(standing[0].unwrap().consumed, keys as i64);
    drop(turn);
    house.in_order().await;
}

#[tokio::test]
async fn a_turn_that_did_not_ask_is_told_what_it_breaks() {
    let house = house(Backend::Postgres).await;
    let key = || "key:same".to_owned();
    let taken = |turn: Turn| {
        let house = &house;
        let mut turn = turn;
        async move {
            let mut claim = house.claim("clinic");
            claim.keys = vec![key()];
            let batch = Batch {
                messages: vec![claim],
                ..Batch::default()
            };
            turn.write(&batch).await
        }
    };
    let mut asked = house.store.begin().await.unwrap();
    asked.idempotency(&[(id("clinic"), key())]).await.unwrap();
    take(&house.neighbour().await, &house, &key())
        .await
        .unwrap();
    let refused = taken(asked).await;
    assert!(matches!(refused, Err(StoreError::Contended)), "{refused:?}");
    let refused = taken(house.store.begin().await.unwrap()).await;
    assert!(
        matches!(refused, Err(StoreError::Broken { .. })),
        "{refused:?}"
    );
}

/// Deliveries that are on their way, and those that have arrived, by claim.
#[derive(Default)]
struct Road {
    travelling: HashSet<MessageId>,
    arrived: BTreeMap<MessageId, Vec<i64>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hubs_hand_each_delivery_over_once_in_the_order_of_its_claim() {
    let house = Arc::new(house(Backend::Postgres).await);
    let mut batch = Batch::default();
    for number in 0..120_u8 {
        if batch.messages.len() < 15 {
            batch.messages.push(house.claim("clinic"));
        }
        let claim = batch.messages[usize::from(number) % 15].id;
        batch.outbox.push(delivery(number, "alpha", claim, claim));
    }
    let owed = batch.outbox.len();
    house.write(&batch).await.unwrap();
    let claims: BTreeMap<DeliveryId, MessageId> =
        batch.outbox.iter().map(|one| (one.id, one.claim)).collect();
    let (claims, road) = (Arc::new(claims), Arc::new(Mutex::new(Road::default())));
    let mut workers = Vec::new();
    for store in [house.store.clone(), house.neighbour().await] {
        for _ in 0..3 {
            let (store, claims, road) = (store.clone(), Arc::clone(&claims), Arc::clone(&road));
            workers.push(tokio::spawn(async move {
                loop {
                    let (alpha, none) = (id("alpha"), HashSet::new());
                    let wanted = Wanted {
                        insurer: &alpha,
                        now: NOW,
                        due_by: NOW,
                        most: 4,
                        beside: &none,
                    };
                    let claimed = store.claim(wanted, NOW.plus_ms(60_000)).await.unwrap();
                    for one in &claimed {
                        let travels = road.lock().unwrap().travelling.insert(claims[&one.id]);
                        assert!(travels, "its claim is on the way already");
                    }
                    tokio::task::yield_now().await;
                    for one in &claimed {
                        let mut road = road.lock().unwrap();
                        road.travelling.remove(&claims[&one.id]);
                        let arrived = road.arrived.entry(claims[&one.id]).or_default();
                        arrived.push(one.owed.as_ref().unwrap().sequence);
                    }
                    let attempts: Vec<_> = claimed
                        .iter()
                        .map(|one| Attempt {
                            delivery: one.id,
                            at: NOW,
                            outcome: Outcome::Delivered { took_ms: None },
                        })
                        .collect();
                    store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
                    let arrived = &road.lock().unwrap().arrived;
                    if arrived.values().map(Vec::len).sum::<usize>() == claims.len() {
                        return;
                    }
                }
            }));
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let road = road.lock().unwrap();
    let all: HashSet<_> = road.arrived.values().flatten().collect();
    assert_eq!(all.len(), owed, "each once");
    for arrived in road.arrived.values() {
        assert!(arrived.is_sorted(), "{arrived:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_hubs_one_has_a_lease() {
    let bench = Bench::new(Backend::Postgres).await;
    let mut hubs = Vec::new();
    for number in 0..4 {
        let store = bench.open().await;
        hubs.push(tokio::spawn(async move {
            let holder = format!("hub {number}");
            store.lease("clock", &holder, NOW, 1_000).await.unwrap()
        }));
    }
    let mut holders = 0;
    for hub in hubs {
        holders += u32::from(hub.await.unwrap());
    }
    assert_eq!(holders, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_goes_away_cannot_serve_until_it_is_back() {
    let server = Arc::new(Postgres::start().unwrap());
    server.create("hub", "template1").unwrap();
    let place = Place::Postgres {
        url: DatabaseUrl::parse(&server.url("hub")).unwrap(),
        writers: 2,
    };
    let folder = tempfile::tempdir().unwrap();
    let config = config(place, folder.path());
    let (first, second) = (Store::open(&config), Store::open(&config));
    // Two hubs that start together make one schema.
    let (store, second) = tokio::join!(first, second);
    let (store, second) = (store.unwrap(), second.unwrap());
    assert_eq!(second.participants().await.unwrap(), []);
    let mut turn = store.begin().await.unwrap();
    let killed = Arc::clone(&server);
    tokio::task::spawn_blocking(move || killed.kill().unwrap())
        .await
        .unwrap();
    let key = [(id("clinic"), "key".to_owned())];
    let gone = turn.idempotency(&key).await;
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    drop(turn);
    let revived = Arc::clone(&server);
    tokio::task::spawn_blocking(move || revived.revive().unwrap())
        .await
        .unwrap();
    let (_, tries) = back(&store, &key).await;
    assert!(tries <= 2, "each connection is lost once: {tries}");
}

/// Asks until the store serves again, and counts how often it did not.
async fn back(
    store: &Store,
    key: &[(takmil_domain::ids::ParticipantId, String)],
) -> (Vec<Option<takmil_store::StoredAnswer>>, u32) {
    let mut tries = 0;
    loop {
        let asked = async { store.begin().await?.idempotency(key).await };
        match asked.await {
            Ok(found) => return (found, tries),
            Err(StoreError::Unavailable(_)) if tries < 10 => tries += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
}
