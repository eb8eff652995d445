//! What was sent is sealed under its member's key, and goes with it.

use takmil_domain::ids::Identifier;
use takmil_store::{Resolution, Scope, Store, StoreError};

use crate::bench::{Backend, Bench, both};
use crate::samples::{NOW, day, delivery, enrolment, house};

both! {
    nothing_of_a_message_lies_open_in_the_database
    a_member_is_erased_for_good
    a_member_with_something_open_is_not_erased
    a_database_from_before_an_erasure_is_erased_again
    another_key_file_opens_nothing
}

/// Everything that the database holds, as its own tool or its files show it.
fn dump(bench: &Bench) -> Vec<u8> {
    if bench.database.is_some() {
        let tables = "select string_agg(t::text, '') from";
        let rows = |table| bench.sql(&format!("{tables} {table} t"));
        return [
            rows("turn"),
            rows("decision"),
            rows("message"),
            rows("delivery"),
        ]
        .concat()
        .into_bytes();
    }
    let log = bench.file().with_extension("db-wal");
    [bench.file(), log]
        .iter()
        .flat_map(|file| std::fs::read(file).unwrap_or_default())
        .collect()
}

async fn nothing_of_a_message_lies_open_in_the_database(on: Backend) {
    let house = house(on).await;
    let message = house.consumed("year", 1_000, 300).await;
    let dump = dump(&house.bench);
    // PostgreSQL shows bytes in hexadecimal.
    for secret in ["\"the\"", "پاسخ"] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for spelled in [secret.as_bytes(), hex.as_bytes()] {
            let found = dump.windows(spelled.len()).any(|bytes| bytes == spelled);
            assert!(!found, "{secret} of {message}");
        }
    }
    assert!(!dump.is_empty());
    let canonical = house.store.canonical(&Scope::Hub, message).await.unwrap();
    assert_eq!(canonical, b"{\"the\":\"canonical\"}");
}

async fn a_member_is_erased_for_good(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let message = house.consumed("year", 1_000, 300).await;
    assert!(store.erase_member(house.member, NOW).await.unwrap());
    assert!(!store.erase_member(house.member, NOW).await.unwrap());
    let hub = &Scope::Hub;
    for gone in [
        store.original(hub, message).await.err(),
        store.canonical(hub, message).await.err(),
        store.answer(hub, message).await.err(),
    ] {
        assert!(matches!(gone, Some(StoreError::Erased)), "{gone:?}");
    }
    // What happened is still known; to whom is not.
    let way = store.way(hub, message).await.unwrap();
    assert_eq!(way.turns.len(), 1);
    assert_eq!(way.turns[0].answer, None);
    house.in_order().await;
    let person = store.person(hub, house.member).await.unwrap();
    assert_eq!((person.birth_date, person.sex), (None, None));
    let identifiers = [Identifier::new("urn:national", "0012345679")];
    let nobody = store.resolve_member(&identifiers).await.unwrap();
    assert_eq!(nobody, Resolution::Unknown);
    assert_eq!(store.known_members(&[house.member]).await.unwrap(), []);
    // Who enrols again is somebody new.
    let enrolments = [enrolment("alpha", "certificate-2", "0012345679")];
    let enrolled = store.enrol(hub, &enrolments, NOW).await.unwrap();
    assert_ne!(enrolled[0].as_ref().unwrap().member, house.member);
}

async fn a_member_with_something_open_is_not_erased(on: Backend) {
    let house = house(on).await;
    let reserved = house.reserved("stay", 1_000, 200, "2025-12-31").await;
    let refused = house.store.erase_member(house.member, NOW).await;
    assert!(matches!(refused, Err(StoreError::StillOpen { .. })));
    let owed = takmil_store::Batch {
        reservations: vec![takmil_store::ReservationChange {
            message: reserved,
            expires_on: day("2025-12-31"),
            state: takmil_store::ReservationState::Used,
        }],
        outbox: vec![delivery(1, "alpha", reserved, reserved)],
        ..takmil_store::Batch::default()
    };
    house.write(&owed).await.unwrap();
    let refused = house.store.erase_member(house.member, NOW).await;
    assert!(matches!(
        refused,
        Err(StoreError::StillOpen {
            what: "a delivery is owed"
        })
    ));
    let stranger = takmil_domain::ids::MemberId(uuid::Uuid::from_u128(9));
    let nobody = house.store.erase_member(stranger, NOW).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)));
}

async fn a_database_from_before_an_erasure_is_erased_again(on: Backend) {
    let house = house(on).await;
    let message = house.consumed("year", 1_000, 300).await;
    // As if the database had come back from a backup: the key provider alone knows of the erasure.
    let config = house.bench.config();
    config.keys.forget(house.member.0).await.unwrap();
    let store = Store::open(&config).await.unwrap();
    let gone = store.canonical(&Scope::Hub, message).await;
    assert!(matches!(gone, Err(StoreError::Erased)));
    // Another hub with the old key in hand finds the key gone from the database.
    let gone = house.store.canonical(&Scope::Hub, message).await;
    assert!(matches!(gone, Err(StoreError::Erased)));
}

async fn another_key_file_opens_nothing(on: Backend) {
    let house = house(on).await;
    let mut config = house.bench.config();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.keys");
    takmil_store::FileKeys::make(&path, [43; 32]).unwrap();
    config.keys = std::sync::Arc::new(
        takmil_store::FileKeys::read(&path, folder.path().join("erased")).unwrap(),
    );
    let refused = Store::open(&config).await.err();
    assert!(matches!(refused, Some(StoreError::Seal(_))), "{refused:?}");
}
