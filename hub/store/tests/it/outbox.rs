//! The outbox: each claim in its order, tried until it is had, never lost.

use takmil_domain::ids::{DeliveryId, MessageId};
use takmil_store::{Attempt, AttemptRecord, Batch, Constraint, Outcome, Scope, StoreError};

use crate::bench::{Backend, Bench, both};
use crate::samples::{House, NOW, delivery, house, id, insurer, provider};
use crate::tampering::tamper;

both! {
    only_the_earliest_of_each_claim_is_offered
    a_delivery_carries_what_was_sent_and_answered
    every_attempt_is_kept_with_the_message
    backlogs_count_what_waits_and_what_was_had
    a_stretch_of_time_is_delivered_again_in_the_old_order
    an_insurer_acknowledges_its_own_deliveries_only
    a_delivery_is_owed_once
    what_cannot_be_read_keeps_nothing_else_back
    what_is_claimed_is_offered_to_nobody_else_until_its_time_is_over
    a_lease_has_one_holder
}

fn number(number: u8) -> DeliveryId {
    DeliveryId::new(NOW, [number; 10])
}

/// Two claims: the first with deliveries 1, 2 and 4 to alpha and 5 to beta, the second with 3 to alpha.
async fn owed(on: Backend) -> (House, [MessageId; 2]) {
    let house = house(on).await;
    let (first, second) = (house.claim("clinic"), house.claim("clinic"));
    let [a, b] = [first.id, second.id];
    let batch = Batch {
        outbox: vec![
            delivery(1, "alpha", a, a),
            delivery(2, "alpha", a, a),
            delivery(3, "alpha", b, b),
            delivery(4, "alpha", a, b),
            delivery(5, "beta", a, a),
        ],
        messages: vec![first, second],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    (house, [a, b])
}

async fn due(house: &House, insurer: &str, after_ms: u64) -> Vec<DeliveryId> {
    let now = NOW.plus_ms(after_ms);
    let due = house.store.due(&id(insurer), now, 10).await.unwrap();
    due.iter().map(|delivery| delivery.id).collect()
}

fn had(delivery: u8) -> Attempt {
    Attempt {
        delivery: number(delivery),
        at: NOW.plus_ms(10),
        outcome: Outcome::Delivered,
    }
}

fn failed(delivery: u8, next_due_ms: u64) -> Attempt {
    Attempt {
        delivery: number(delivery),
        at: NOW.plus_ms(10),
        outcome: Outcome::Failed {
            next_due: NOW.plus_ms(next_due_ms),
            error: "connection refused".to_owned(),
        },
    }
}

async fn only_the_earliest_of_each_claim_is_offered(on: Backend) {
    let (house, _) = owed(on).await;
    let hub = &Scope::Hub;
    assert_eq!(due(&house, "alpha", 0).await, [number(1), number(3)]);
    assert_eq!(
        due(&house, "beta", 0).await,
        [number(5)],
        "insurers do not wait for each other"
    );
    // A failed one holds its claim up, and no other.
    house
        .store
        .record_attempts(hub, &[failed(1, 500)])
        .await
        .unwrap();
    assert_eq!(due(&house, "alpha", 499).await, [number(3)]);
    assert_eq!(due(&house, "alpha", 500).await, [number(3), number(1)]);
    house
        .store
        .record_attempts(hub, &[had(1), had(3)])
        .await
        .unwrap();
    assert_eq!(due(&house, "alpha", 500).await, [number(2)]);
    house.store.record_attempts(hub, &[had(2)]).await.unwrap();
    assert_eq!(due(&house, "alpha", 500).await, [number(4)]);
    house.store.record_attempts(hub, &[had(4)]).await.unwrap();
    assert_eq!(due(&house, "alpha", 500).await, []);
}

async fn a_delivery_carries_what_was_sent_and_answered(on: Backend) {
    let (house, [a, _]) = owed(on).await;
    let due = house.store.due(&id("alpha"), NOW, 1).await.unwrap();
    assert_eq!(due.len(), 1);
    let owed = due[0].owed.as_ref().unwrap();
    assert_eq!(owed.canonical, b"{\"the\":\"canonical\"}");
    assert_eq!(owed.answer, format!("{{\"answer\":\"{a} پاسخ\"}}"));
    assert_eq!((owed.message, owed.insurer.as_str()), (a, "alpha"));
    assert_eq!((owed.id, due[0].id), (number(1), number(1)));
    let beta = house.store.due(&id("beta"), NOW, 1).await.unwrap();
    assert!(owed.sequence < beta[0].owed.as_ref().unwrap().sequence);
}

async fn every_attempt_is_kept_with_the_message(on: Backend) {
    let (house, [a, _]) = owed(on).await;
    let attempts = [failed(1, 1), failed(1, 2), had(1), had(1)];
    house
        .store
        .record_attempts(&Scope::Hub, &attempts)
        .await
        .unwrap();
    let way = house.store.way(&Scope::Hub, a).await.unwrap();
    assert_eq!(way.deliveries.len(), 3);
    let first = &way.deliveries[0];
    assert_eq!(first.delivered_at, Some(NOW.plus_ms(10)));
    let record = |error: Option<&str>| AttemptRecord {
        at: NOW.plus_ms(10),
        error: error.map(str::to_owned),
    };
    let refused = Some("connection refused");
    let expected = [record(refused), record(refused), record(None), record(None)];
    assert_eq!(
        first.attempts, expected,
        "a late failure or repeat is recorded, too"
    );
    let late = [failed(1, 900)];
    house
        .store
        .record_attempts(&Scope::Hub, &late)
        .await
        .unwrap();
    assert_eq!(
        due(&house, "alpha", 900).await[0],
        number(2),
        "what was had stays had"
    );
}

async fn backlogs_count_what_waits_and_what_was_had(on: Backend) {
    let (house, _) = owed(on).await;
    house
        .store
        .record_attempts(&Scope::Hub, &[had(1)])
        .await
        .unwrap();
    let backlogs = house.store.backlogs(&Scope::Regulator).await.unwrap();
    let counts: Vec<_> = backlogs
        .iter()
        .map(|backlog| (backlog.insurer.as_str(), backlog.waiting, backlog.delivered))
        .collect();
    assert_eq!(counts, [("alpha", 3, 1), ("beta", 1, 0)]);
    assert_eq!(backlogs[0].oldest, Some(NOW));
    assert_eq!(backlogs[0].last_delivered, Some(NOW.plus_ms(10)));
    assert_eq!(backlogs[1].last_delivered, None);
    let own = house.store.backlogs(&insurer("beta")).await.unwrap();
    assert_eq!(own, backlogs[1..]);
    assert_eq!(house.store.backlogs(&provider("clinic")).await.unwrap(), []);
}

async fn a_stretch_of_time_is_delivered_again_in_the_old_order(on: Backend) {
    let (house, _) = owed(on).await;
    let all = [had(1), had(2), had(3), had(4), had(5)];
    house
        .store
        .record_attempts(&Scope::Hub, &all)
        .await
        .unwrap();
    let alpha = id("alpha");
    let again = |from, to| house.store.redeliver(&Scope::Hub, &alpha, (from, to), NOW);
    assert_eq!(again(NOW.plus_ms(1), NOW.plus_ms(2)).await.unwrap(), 0);
    assert_eq!(again(NOW, NOW.plus_ms(1)).await.unwrap(), 4);
    assert_eq!(due(&house, "alpha", 0).await, [number(1), number(3)]);
    assert_eq!(due(&house, "beta", 0).await, []);
}

async fn an_insurer_acknowledges_its_own_deliveries_only(on: Backend) {
    let (house, _) = owed(on).await;
    let store = &house.store;
    store
        .record_attempts(&insurer("alpha"), &[had(1)])
        .await
        .unwrap();
    let foreign = [had(3), had(5)];
    for scope in [insurer("alpha"), provider("clinic"), Scope::Regulator] {
        let refused = store.record_attempts(&scope, &foreign).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{scope:?}");
    }
    assert_eq!(due(&house, "alpha", 0).await[0], number(2));
    assert_eq!(
        due(&house, "alpha", 0).await[1],
        number(3),
        "all or nothing"
    );
}

async fn a_delivery_is_owed_once(on: Backend) {
    let (house, [a, _]) = owed(on).await;
    let claim = house.claim("clinic");
    let batch = Batch {
        outbox: vec![
            delivery(6, "alpha", a, a),
            delivery(1, "alpha", a, claim.id),
        ],
        messages: vec![claim.clone()],
        ..Batch::default()
    };
    match house.write(&batch).await.unwrap_err() {
        StoreError::Broken { constraint } => assert_eq!(constraint, Constraint::Delivery),
        other => panic!("{other}"),
    }
}

async fn what_cannot_be_read_keeps_nothing_else_back(on: Backend) {
    let (house, [a, _]) = owed(on).await;
    let answer = "update turn set body = x'00' where number = 1 and message = (select message from delivery where sequence = 1)";
    tamper(&house.bench, answer).await;
    let alpha = id("alpha");
    let due = house.store.due(&alpha, NOW, 10).await.unwrap();
    let claimed = house.store.claim(&alpha, NOW, NOW.plus_ms(9), 10);
    for offered in [due, claimed.await.unwrap()] {
        let ids: Vec<_> = offered.iter().map(|offered| offered.id).collect();
        assert_eq!(ids, [number(1), number(3)], "of {a}");
        assert!(matches!(offered[0].owed, Err(StoreError::Seal(_))));
        assert!(offered[1].owed.is_ok());
    }
}

async fn what_is_claimed_is_offered_to_nobody_else_until_its_time_is_over(on: Backend) {
    let (house, _) = owed(on).await;
    let (store, alpha) = (&house.store, id("alpha"));
    let claim = |after_ms: u64, most| {
        let now = NOW.plus_ms(after_ms);
        let alpha = &alpha;
        async move {
            let claimed = store.claim(alpha, now, now.plus_ms(100), most).await;
            let claimed = claimed.unwrap();
            claimed.iter().map(|one| one.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(claim(0, 1).await, [number(1)]);
    assert_eq!(due(&house, "alpha", 0).await, [number(3)]);
    assert_eq!(claim(50, 10).await, [number(3)]);
    assert_eq!(claim(99, 10).await, [], "what comes after 1 waits for it");
    assert_eq!(claim(100, 10).await, [number(1)], "its time is over");
    let store = &house.store;
    store
        .record_attempts(&Scope::Hub, &[had(1), failed(3, 120)])
        .await
        .unwrap();
    assert_eq!(claim(119, 10).await, [number(2)], "an attempt ends a claim");
    assert_eq!(claim(120, 10).await, [number(3)]);
    store
        .record_attempts(&Scope::Hub, &[had(2), had(3)])
        .await
        .unwrap();
    let again = store.redeliver(&Scope::Hub, &alpha, (NOW, NOW.plus_ms(1)), NOW);
    assert_eq!(again.await.unwrap(), 3);
    assert_eq!(due(&house, "alpha", 120).await, [number(1), number(3)]);
}

async fn a_lease_has_one_holder(on: Backend) {
    let bench = Bench::new(on).await;
    let store = bench.open().await;
    let lease = |holder: &'static str, after_ms| {
        let store = store.clone();
        async move {
            let now = NOW.plus_ms(after_ms);
            store.lease("clock", holder, now, 1_000).await.unwrap()
        }
    };
    assert!(lease("a", 0).await);
    assert!(!lease("b", 999).await);
    assert!(lease("a", 999).await, "who has it keeps it");
    assert!(!lease("b", 1_998).await);
    assert!(lease("b", 1_999).await, "its time is over");
    assert!(!lease("a", 2_000).await);
    store.release("clock", "a").await.unwrap();
    assert!(
        !lease("a", 2_000).await,
        "nobody gives back what another has"
    );
    store.release("clock", "b").await.unwrap();
    assert!(lease("a", 2_000).await);
    assert!(store.lease("other", "b", NOW, 1).await.unwrap());
}
