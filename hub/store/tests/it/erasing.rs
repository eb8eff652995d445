//! What was sent is sealed under its member's key, and goes with it.

use std::collections::HashSet;

use takmil_domain::ids::{DeliveryId, Identifier};
use takmil_store::{
    Attempt, Batch, Constraint, FileKeys, Outcome, Redelivery, ReservationChange, ReservationState,
    Resolution, Scope, Store, StoreError, Wanted,
};

use crate::bench::{Backend, Bench, both};
use crate::samples::{NOW, broken, day, delivery, enrolment, house, id};

both! {
    nothing_of_a_message_lies_open_in_the_database
    a_member_is_erased_for_good
    a_member_with_something_open_is_not_erased
    what_is_owed_of_an_erased_member_keeps_nothing_else_back
    a_database_from_before_an_erasure_is_erased_again
    a_database_in_order_is_only_read_at_opening
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
    let owed = Batch {
        reservations: vec![ReservationChange {
            message: reserved,
            expires_on: day("2025-12-31"),
            state: ReservationState::Used,
        }],
        outbox: vec![delivery(1, "alpha", reserved, reserved)],
        ..Batch::default()
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

async fn what_is_owed_of_an_erased_member_keeps_nothing_else_back(on: Backend) {
    let house = house(on).await;
    let (store, alpha) = (&house.store, id("alpha"));
    let had = house.claim("clinic");
    let batch = Batch {
        outbox: vec![delivery(1, "alpha", had.id, had.id)],
        messages: vec![had],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let number = |number: u8| DeliveryId::new(NOW, [number; 10]);
    let attempt = |delivery, at, outcome| Attempt {
        delivery,
        at,
        outcome,
    };
    let delivered = [attempt(
        number(1),
        NOW,
        Outcome::Delivered { took_ms: None },
    )];
    store
        .record_attempts(&Scope::Hub, &delivered)
        .await
        .unwrap();
    let enrolments = [enrolment("alpha", "certificate-2", "0012345687")];
    let enrolled = store.enrol(&Scope::Hub, &enrolments, NOW).await.unwrap();
    let other = enrolled[0].as_ref().unwrap().member;
    let key = store.known_members(&[other]).await.unwrap().remove(0).key;
    let late = house.claim("clinic");
    let (a, mut next) = (late.id, house.claim("clinic"));
    (next.member, next.key) = (Some(other), key);
    let b = next.id;
    let batch = Batch {
        outbox: vec![
            delivery(2, "alpha", a, a),
            delivery(3, "alpha", a, a),
            delivery(4, "alpha", b, b),
            delivery(5, "alpha", a, b),
        ],
        messages: vec![late, next],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    // The database came back from a backup in which something is owed still; or another hub was as fast as the erasure.
    let config = house.bench.config();
    config.keys.forget(house.member.0).await.unwrap();
    Store::open(&config).await.unwrap();
    let late = Batch {
        messages: vec![house.claim("clinic")],
        ..Batch::default()
    };
    let refused = house.write(&late).await.unwrap_err();
    assert_eq!(broken(refused), Constraint::Reference);
    let mut given = Vec::new();
    let none = HashSet::new();
    let wanted = |now, most| Wanted {
        insurer: &alpha,
        now,
        due_by: now,
        most,
        beside: &none,
    };
    for at in 0..4 {
        let now = NOW.plus_ms(at);
        let claimed = store
            .claim(wanted(now, 1), now.plus_ms(1_000))
            .await
            .unwrap();
        let [offered] = claimed.as_slice() else {
            panic!("{claimed:?}");
        };
        let outcome = match &offered.owed {
            Err(StoreError::Erased) => Outcome::Erased,
            other => {
                given.push(other.as_ref().unwrap().id);
                Outcome::Delivered { took_ms: None }
            }
        };
        let attempts = [attempt(offered.id, now, outcome)];
        store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
    }
    assert_eq!(
        given,
        [number(4), number(5)],
        "also in the erased one's own claim"
    );
    assert!(
        store
            .due(wanted(NOW.plus_ms(9), 10))
            .await
            .unwrap()
            .is_empty()
    );
    // It is accounted for: no backlog, and named.
    let backlog = store.backlogs(&Scope::Hub).await.unwrap().remove(0);
    assert_eq!(
        (backlog.waiting, backlog.oldest, backlog.delivered),
        (0, None, 3)
    );
    let erased = store.erased_deliveries(NOW, 10).await.unwrap();
    let named: Vec<_> = erased.iter().map(|one| (one.id, one.message)).collect();
    assert_eq!(named, [(number(3), a), (number(2), a)]);
    assert_eq!(
        store.erased_deliveries(NOW.plus_ms(9), 10).await.unwrap(),
        []
    );
    let way = store.way(&Scope::Hub, a).await.unwrap();
    let last = way.deliveries[0].attempts.last().unwrap();
    assert_eq!(way.deliveries[0].delivered_at, None);
    assert_eq!(last.error.as_deref(), Some("the member was erased"));
    // What can be read no more is not owed again; and there is nothing more to erase.
    let stretch = Redelivery::Stretch {
        insurer: &alpha,
        from: NOW,
        to: NOW.plus_ms(1),
    };
    let again = store.redeliver(&Scope::Hub, stretch, NOW);
    assert_eq!(again.await.unwrap(), 2, "4 and 5, not 1");
    assert!(!store.erase_member(house.member, NOW).await.unwrap());
}

/// On SQLite, whose only writer the erasure is, nothing comes between its look and its deed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_looks_at_what_a_turn_is_writing() {
    let house = house(Backend::Sqlite).await;
    let claim = house.claim("clinic");
    let batch = Batch {
        outbox: vec![delivery(1, "alpha", claim.id, claim.id)],
        messages: vec![claim],
        ..Batch::default()
    };
    let mut turn = house.store.begin().await.unwrap();
    turn.write(&batch).await.unwrap();
    let (store, member) = (house.store.clone(), house.member);
    let erasure = tokio::spawn(async move { store.erase_member(member, NOW).await });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    turn.commit().await.unwrap();
    let refused = erasure.await.unwrap();
    assert!(
        matches!(refused, Err(StoreError::StillOpen { .. })),
        "{refused:?}"
    );
    let forgotten = house.bench.config().keys.forgotten().await.unwrap();
    assert!(forgotten.is_empty());
}

async fn a_database_in_order_is_only_read_at_opening(on: Backend) {
    let house = house(on).await;
    assert!(house.store.erase_member(house.member, NOW).await.unwrap());
    let config = house.bench.config();
    assert_eq!(config.keys.forgotten().await.unwrap(), [house.member.0]);
    if on == Backend::Postgres {
        house.bench.sql(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin raise 'written at opening'; end $$;
             create trigger refused before insert or update or delete on data_key
                 for each statement execute function refuse();",
        );
    }
    // The only writer that SQLite has.
    let turn = house.store.begin().await.unwrap();
    Store::open(&config).await.unwrap();
    drop(turn);
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
    FileKeys::make(&path, [43; 32]).unwrap();
    config.keys = std::sync::Arc::new(FileKeys::read(&path, folder.path().join("erased")).unwrap());
    let refused = Store::open(&config).await.err();
    assert!(matches!(refused, Some(StoreError::Seal(_))), "{refused:?}");
}
