//! The ledger: standings move by their entries alone, and nothing is promised beyond a limit.

use takmil_domain::limit::{EntryKind, Standing};
use takmil_domain::plan::LimitPer;
use takmil_store::{Batch, Constraint, LedgerSum, NewEntry, Reservation, ReservationState, Scope};

use crate::bench::{Backend, both};
use crate::samples::{House, broken, day, house, insurer, reservation};

both! {
    standings_are_what_the_entries_say
    a_message_that_goes_beyond_a_limit_is_named
    what_would_break_the_ledger_is_refused
    one_reservation_never_uses_anothers_part
    reservations_are_loaded_with_their_open_parts
    reservations_expire_after_their_last_day
    a_reservation_closed_with_something_in_it_is_a_difference
    a_limit_is_made_once_and_keeps_its_kind
    a_plan_change_is_a_ceiling_entry_on_the_same_limit
}

async fn standing(house: &House, code: &str) -> Standing {
    let mut turn = house.store.begin().await.unwrap();
    let standings = turn.standings(&[house.key(code)]).await.unwrap();
    standings[0].unwrap()
}

async fn standings_are_what_the_entries_say(on: Backend) {
    let house = house(on).await;
    let admission = house.reserved("year", 1_000, 300, "2025-12-31").await;
    let claim = house.claim("clinic");
    let message = claim.id;
    let released = NewEntry {
        reservation: Some(admission),
        ..house.entry("year", message, EntryKind::Release, 300)
    };
    let batch = Batch {
        // Consumed before it is released: only the sum of a message counts.
        entries: vec![
            house.entry("year", message, EntryKind::Consume, 950),
            released,
        ],
        reservations: vec![reservation(admission, "2025-12-31", ReservationState::Used)],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let expected = Standing {
        ceiling: 1_000,
        consumed: 950,
        reserved: 0,
        overdraft: 0,
        version: 1,
    };
    assert_eq!(standing(&house, "year").await, expected);
    house.in_order().await;
}

async fn a_message_that_goes_beyond_a_limit_is_named(on: Backend) {
    let house = house(on).await;
    house.consumed("year", 100, 60).await;
    let (first, second, third) = (
        house.claim("clinic"),
        house.claim("clinic"),
        house.claim("clinic"),
    );
    let ids = [first.id, second.id, third.id];
    let entry = |at: usize, amount| house.entry("year", ids[at], EntryKind::Consume, amount);
    let batch = Batch {
        entries: vec![entry(0, 30), entry(1, 20), entry(2, 10)],
        messages: vec![first.clone(), second, third.clone()],
        ..Batch::default()
    };
    let error = house.write(&batch).await.unwrap_err();
    assert_eq!(broken(error), Constraint::LimitRoom);
    assert_eq!(
        standing(&house, "year").await.left(),
        40,
        "nothing was written"
    );
    let without = Batch {
        entries: vec![entry(0, 30), entry(2, 10)],
        messages: vec![first, third],
        ..Batch::default()
    };
    house.write(&without).await.unwrap();
    assert_eq!(standing(&house, "year").await.left(), 0);
    house.in_order().await;
}

async fn what_would_break_the_ledger_is_refused(on: Backend) {
    let house = house(on).await;
    let admission = house.reserved("year", 100, 50, "2025-12-31").await;
    house.consumed("other", 100, 10).await;
    let claim = house.claim("clinic");
    let message = claim.id;
    let entry = |kind, amount| house.entry("year", message, kind, amount);
    let of = |reservation, kind, amount| NewEntry {
        reservation,
        ..entry(kind, amount)
    };
    let twice = entry(EntryKind::Consume, 1);
    let table = [
        (
            "too much reserved",
            vec![entry(EntryKind::Reserve, 51)],
            Constraint::LimitRoom,
        ),
        (
            "too much released",
            vec![of(Some(admission), EntryKind::Release, 51)],
            Constraint::LimitReserved,
        ),
        (
            "too much taken back",
            vec![entry(EntryKind::Reverse, 1)],
            Constraint::LimitConsumed,
        ),
        (
            "a ceiling under what is reserved",
            vec![entry(EntryKind::Ceiling, -51)],
            Constraint::LimitRoom,
        ),
        (
            "nothing moved",
            vec![entry(EntryKind::Consume, 0)],
            Constraint::EntryAmount,
        ),
        (
            "moved backwards",
            vec![entry(EntryKind::Consume, -5)],
            Constraint::EntryAmount,
        ),
        (
            "the same line twice",
            vec![twice.clone(), twice],
            Constraint::Entry,
        ),
        (
            "a limit that is not there",
            vec![house.entry("none", message, EntryKind::Consume, 1)],
            Constraint::Reference,
        ),
        (
            "reserved for nobody",
            vec![of(None, EntryKind::Reserve, 1)],
            Constraint::EntryReservation,
        ),
        (
            "consumed of a reservation",
            vec![of(Some(admission), EntryKind::Consume, 1)],
            Constraint::EntryReservation,
        ),
        (
            "released of a reservation that is not there",
            vec![of(Some(message), EntryKind::Release, 1)],
            Constraint::Reference,
        ),
    ];
    for (why, entries, constraint) in table {
        let reserves = entries.iter().any(|entry| entry.kind == EntryKind::Reserve);
        let own = reservation(message, "2025-12-31", ReservationState::Open);
        let batch = Batch {
            entries,
            reservations: if reserves { vec![own] } else { vec![] },
            messages: vec![claim.clone()],
            ..Batch::default()
        };
        let error = house.write(&batch).await.unwrap_err();
        assert_eq!(broken(error), constraint, "{why}");
        house.in_order().await;
    }
}

async fn one_reservation_never_uses_anothers_part(on: Backend) {
    let house = house(on).await;
    let small = house.reserved("year", 100, 20, "2025-12-31").await;
    let claim = house.claim("clinic");
    let large = claim.id;
    let batch = Batch {
        reservations: vec![reservation(large, "2025-12-31", ReservationState::Open)],
        entries: vec![house.entry("year", large, EntryKind::Reserve, 60)],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    // The limit has 80 reserved, the small reservation only 20 of it.
    let claim = house.claim("clinic");
    let message = claim.id;
    let batch = Batch {
        entries: vec![NewEntry {
            reservation: Some(small),
            ..house.entry("year", message, EntryKind::Release, 21)
        }],
        messages: vec![claim],
        ..Batch::default()
    };
    let error = house.write(&batch).await.unwrap_err();
    assert_eq!(broken(error), Constraint::ReservationOpen);
    house.in_order().await;
}

async fn reservations_are_loaded_with_their_open_parts(on: Backend) {
    let house = house(on).await;
    let admission = house.reserved("year", 100, 50, "2025-12-31").await;
    let mut turn = house.store.begin().await.unwrap();
    let found = turn
        .reservations(&[house.fresh(), admission, admission])
        .await
        .unwrap();
    let expected = Reservation {
        message: admission,
        expires_on: day("2025-12-31"),
        state: ReservationState::Open,
        parts: vec![(house.key("year"), 50)],
    };
    assert_eq!(found, [expected], "asked twice, it is one");
    drop(turn);
    // Used in part, it holds the rest; used up, it holds nothing.
    for (amount, state, left) in [
        (30, ReservationState::Open, vec![(house.key("year"), 20)]),
        (20, ReservationState::Used, vec![]),
    ] {
        let claim = house.claim("clinic");
        let batch = Batch {
            entries: vec![NewEntry {
                reservation: Some(admission),
                ..house.entry("year", claim.id, EntryKind::Release, amount)
            }],
            reservations: vec![reservation(admission, "2025-12-31", state)],
            messages: vec![claim],
            ..Batch::default()
        };
        house.write(&batch).await.unwrap();
        let mut turn = house.store.begin().await.unwrap();
        let found = turn.reservations(&[admission]).await.unwrap();
        assert_eq!((&found[0].parts, found[0].state), (&left, state));
    }
    house.in_order().await;
}

async fn reservations_expire_after_their_last_day(on: Backend) {
    let house = house(on).await;
    let late = house.reserved("late", 100, 1, "2025-06-30").await;
    let early = house.reserved("early", 100, 1, "2025-05-31").await;
    let used = house.reserved("used", 100, 1, "2025-05-31").await;
    let claim = house.claim("clinic");
    let batch = Batch {
        entries: vec![NewEntry {
            reservation: Some(used),
            ..house.entry("used", claim.id, EntryKind::Release, 1)
        }],
        reservations: vec![reservation(used, "2025-05-31", ReservationState::Used)],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let expired = |today| house.store.expired_reservations(day(today), 10);
    assert_eq!(expired("2025-05-31").await.unwrap(), []);
    assert_eq!(expired("2025-06-30").await.unwrap(), [early]);
    assert_eq!(expired("2025-07-01").await.unwrap(), [early, late]);
}

async fn a_reservation_closed_with_something_in_it_is_a_difference(on: Backend) {
    let house = house(on).await;
    let admission = house.reserved("year", 100, 50, "2025-12-31").await;
    let batch = Batch {
        reservations: vec![reservation(
            admission,
            "2025-12-31",
            ReservationState::Expired,
        )],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let differences = house.store.check_ledger().await.unwrap();
    assert_eq!(differences.len(), 1);
    let difference = &differences[0];
    assert_eq!(difference.key, house.key("year"));
    assert_eq!(
        (difference.sum, difference.kept, difference.derived),
        (LedgerSum::Open, 50, 0)
    );
}

async fn a_limit_is_made_once_and_keeps_its_kind(on: Backend) {
    let house = house(on).await;
    let first = house.consumed("year", 100, 10).await;
    let claim = house.claim("clinic");
    let message = claim.id;
    let batch = Batch {
        limits: vec![house.limit("year", 500, message)],
        messages: vec![claim],
        ..Batch::default()
    };
    let error = house.write(&batch).await.unwrap_err();
    assert_eq!(broken(error), Constraint::Limit);
    assert_ne!(first, message);
    let limits = house
        .store
        .standings_of_member(&insurer("alpha"), house.member)
        .await
        .unwrap();
    assert_eq!(limits.len(), 1);
    assert_eq!(
        (&limits[0].key, limits[0].per),
        (&house.key("year"), LimitPer::Year)
    );
    assert_eq!(limits[0].standing.left(), 90);
}

async fn a_plan_change_is_a_ceiling_entry_on_the_same_limit(on: Backend) {
    let house = house(on).await;
    house.consumed("year", 100, 100).await;
    let claim = house.claim("clinic");
    let batch = Batch {
        entries: vec![
            house.entry("year", claim.id, EntryKind::Ceiling, 50),
            house.entry("year", claim.id, EntryKind::Consume, 30),
        ],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    assert_eq!(standing(&house, "year").await.left(), 20);
    house.in_order().await;
    let limits = house
        .store
        .standings_of_member(&Scope::Hub, house.member)
        .await
        .unwrap();
    assert_eq!(limits[0].standing.ceiling, 150);
}
