//! The outbox: each claim in its order, tried until it is had, never lost.

use std::collections::HashSet;
use takmil_domain::ids::{DeliveryId, MessageId, ParticipantId};

use takmil_domain::date::Instant;
use takmil_domain::participant::Participant;
use takmil_store::{
    Attempt, AttemptRecord, Batch, Constraint, DeliveryPage, DeliveryState, Offered, Outcome,
    Redelivery, Scope, Store, StoreError, Wanted,
};

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
    what_is_on_its_way_is_left_out
    who_is_back_is_met_at_once
    a_delivery_that_is_refused_for_long_is_dead_and_its_claim_waits_for_a_person
    a_dead_letter_is_tried_again_where_its_insurer_listens_elsewhere
    deliveries_are_listed_page_by_page_for_whom_they_are_owed
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
    let due = offered(&house.store, insurer, NOW.plus_ms(after_ms), 10).await;
    ids(&due)
}

async fn offered(store: &Store, insurer: &str, now: Instant, most: u32) -> Vec<Offered> {
    let (insurer, beside) = (id(insurer), HashSet::new());
    store
        .due(wanted(&insurer, now, most, &beside))
        .await
        .unwrap()
}

fn wanted<'a>(
    insurer: &'a ParticipantId,
    now: Instant,
    most: u32,
    beside: &'a HashSet<DeliveryId>,
) -> Wanted<'a> {
    Wanted {
        insurer,
        now,
        due_by: now,
        most,
        beside,
    }
}

fn ids(offered: &[Offered]) -> Vec<DeliveryId> {
    offered.iter().map(|one| one.id).collect()
}

fn had(delivery: u8) -> Attempt {
    Attempt {
        delivery: number(delivery),
        at: NOW.plus_ms(10),
        outcome: Outcome::Delivered { took_ms: None },
    }
}

fn refused(delivery: u8, at_ms: u64) -> Attempt {
    Attempt {
        delivery: number(delivery),
        at: NOW.plus_ms(at_ms),
        outcome: Outcome::Refused {
            next_due: NOW.plus_ms(at_ms + 1),
            error: "http 422".to_owned(),
        },
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
    let due = offered(&house.store, "alpha", NOW, 1).await;
    assert_eq!(due.len(), 1);
    let owed = due[0].owed.as_ref().unwrap();
    assert_eq!(owed.canonical, b"{\"the\":\"canonical\"}");
    assert_eq!(owed.answer, format!("{{\"answer\":\"{a} پاسخ\"}}"));
    assert_eq!((owed.message, owed.insurer.as_str()), (a, "alpha"));
    assert_eq!((owed.id, due[0].id), (number(1), number(1)));
    let beta = offered(&house.store, "beta", NOW, 1).await;
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
    let (house, [a, _]) = owed(on).await;
    let all = [had(1), had(2), had(3), had(4), had(5)];
    house
        .store
        .record_attempts(&Scope::Hub, &all)
        .await
        .unwrap();
    let alpha = id("alpha");
    let again = async |scope: &Scope, from, to| {
        let stretch = Redelivery::Stretch {
            insurer: &alpha,
            from,
            to,
        };
        house.store.redeliver(scope, stretch, NOW).await
    };
    let later = again(&Scope::Hub, NOW.plus_ms(1), NOW.plus_ms(2));
    assert_eq!(later.await.unwrap(), 0);
    for foreign in [insurer("beta"), provider("clinic"), Scope::Regulator] {
        let refused = again(&foreign, NOW, NOW.plus_ms(1)).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{foreign:?}");
    }
    let own = insurer("alpha");
    assert_eq!(again(&own, NOW, NOW.plus_ms(1)).await.unwrap(), 4);
    assert_eq!(due(&house, "alpha", 0).await, [number(1), number(3)]);
    assert_eq!(due(&house, "beta", 0).await, []);
    // That it was had before is not forgotten.
    house
        .store
        .record_attempts(&Scope::Hub, &[had(1)])
        .await
        .unwrap();
    let way = house.store.way(&Scope::Hub, a).await.unwrap();
    let twice = vec![
        AttemptRecord {
            at: NOW.plus_ms(10),
            error: None,
        };
        2
    ];
    assert_eq!(way.deliveries[0].attempts, twice);
}

async fn an_insurer_acknowledges_its_own_deliveries_only(on: Backend) {
    let (house, _) = owed(on).await;
    let store = &house.store;
    store
        .record_attempts(&insurer("alpha"), &[had(1)])
        .await
        .unwrap();
    let both = [had(3), had(5)];
    for (scope, found) in [
        (provider("clinic"), [false, false]),
        (Scope::Regulator, [false, false]),
        (insurer("alpha"), [true, false]),
    ] {
        let recorded = store.record_attempts(&scope, &both).await.unwrap();
        assert_eq!(recorded, found, "{scope:?}");
    }
    assert_eq!(due(&house, "alpha", 0).await, [number(2)]);
    assert_eq!(due(&house, "beta", 0).await, [number(5)]);
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
    let due = offered(&house.store, "alpha", NOW, 10).await;
    let beside = HashSet::new();
    let wanted = wanted(&alpha, NOW, 10, &beside);
    let claimed = house.store.claim(wanted, NOW.plus_ms(9));
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
            let beside = HashSet::new();
            let wanted = wanted(alpha, now, most, &beside);
            ids(&store.claim(wanted, now.plus_ms(100)).await.unwrap())
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
    let stretch = Redelivery::Stretch {
        insurer: &alpha,
        from: NOW,
        to: NOW.plus_ms(1),
    };
    let again = store.redeliver(&Scope::Hub, stretch, NOW);
    assert_eq!(again.await.unwrap(), 3);
    assert_eq!(due(&house, "alpha", 120).await, [number(1), number(3)]);
}

async fn what_is_on_its_way_is_left_out(on: Backend) {
    let (house, _) = owed(on).await;
    let (store, alpha) = (&house.store, id("alpha"));
    let beside = HashSet::from([number(1)]);
    for most in [1, 10] {
        let wanted = wanted(&alpha, NOW, most, &beside);
        assert_eq!(ids(&store.due(wanted).await.unwrap()), [number(3)]);
    }
    let none = HashSet::new();
    let take = async |beside: &HashSet<DeliveryId>, now: Instant| {
        let wanted = wanted(&alpha, now, 10, beside);
        ids(&store.take(wanted, now.plus_ms(100)).await.unwrap())
    };
    assert_eq!(take(&none, NOW).await, [number(1), number(3)]);
    let is_shared = on == Backend::Postgres;
    // Where hubs share the database it is claimed, for as long as it is held on to.
    let left: &[DeliveryId] = if is_shared { &[] } else { &[number(1)] };
    let other = HashSet::from([number(3)]);
    assert_eq!(take(&other, NOW).await, left);
    store
        .hold(&[number(1)], Some(NOW.plus_ms(500)))
        .await
        .unwrap();
    assert_eq!(take(&other, NOW.plus_ms(200)).await, left);
    store.hold(&[number(1), number(3)], None).await.unwrap();
    assert_eq!(take(&other, NOW.plus_ms(200)).await, [number(1)]);
}

async fn who_is_back_is_met_at_once(on: Backend) {
    let (house, _) = owed(on).await;
    let (store, alpha) = (&house.store, id("alpha"));
    let attempts = [failed(1, 60_000), refused(3, 10)];
    store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
    assert_eq!(due(&house, "alpha", 0).await, []);
    // Whether it is back is asked with what is due the earliest.
    let none = HashSet::new();
    let first = Wanted {
        due_by: NOW.plus_ms(300_000),
        ..wanted(&alpha, NOW, 10, &none)
    };
    let found = store.take(first, NOW.plus_ms(1)).await.unwrap();
    let found: Vec<_> = found.iter().map(|one| (one.id, one.attempts)).collect();
    assert_eq!(found, [(number(3), 1), (number(1), 1)]);
    assert_eq!(store.hasten(&alpha, NOW.plus_ms(5)).await.unwrap(), 1);
    assert_eq!(due(&house, "alpha", 5).await, [number(1)]);
    assert_eq!(store.hasten(&id("beta"), NOW).await.unwrap(), 0);
}

const TEN_MINUTES: u64 = 600_000;

/// Delivery 1 is refused three times over ten minutes.
async fn killed(on: Backend) -> House {
    let (house, _) = owed(on).await;
    let store = &house.store;
    for at_ms in [0, 1, TEN_MINUTES - 1] {
        let attempts = [refused(1, at_ms)];
        store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
        assert_eq!(
            due(&house, "alpha", at_ms + 1).await.len(),
            2,
            "not yet, at {at_ms} ms"
        );
    }
    let attempts = [refused(1, TEN_MINUTES)];
    store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
    house
}

async fn a_delivery_that_is_refused_for_long_is_dead_and_its_claim_waits_for_a_person(on: Backend) {
    let house = killed(on).await;
    let (store, after) = (&house.store, TEN_MINUTES + 100);
    assert_eq!(due(&house, "alpha", after).await, [number(3)]);
    let backlog = store.backlogs(&Scope::Hub).await.unwrap().remove(0);
    assert_eq!(
        (backlog.waiting, backlog.dead, backlog.oldest),
        (3, 1, Some(NOW))
    );
    let said = ("alpha/ann", "told by telephone");
    let at = NOW.plus_ms(after);
    for (scope, delivery) in [
        (insurer("beta"), number(1)),
        (Scope::Regulator, number(1)),
        (insurer("alpha"), number(3)),
        (insurer("alpha"), number(99)),
    ] {
        let refused = store.resolve_delivery(&scope, delivery, said, at).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{scope:?}");
    }
    let alpha = insurer("alpha");
    store
        .resolve_delivery(&alpha, number(1), said, at)
        .await
        .unwrap();
    assert_eq!(due(&house, "alpha", after).await, [number(2), number(3)]);
    let dead = listed(&house, &alpha, Some(DeliveryState::Dead)).await;
    assert_eq!(dead, []);
    // Seen to or not, it can be tried again, from the beginning.
    for (scope, again) in [(&Scope::Hub, 1), (&alpha, 0)] {
        let one = Redelivery::One(number(1));
        assert_eq!(store.redeliver(scope, one, at).await.unwrap(), again);
    }
    assert_eq!(due(&house, "alpha", after).await, [number(3), number(1)]);
    let attempts = [refused(1, after)];
    store.record_attempts(&alpha, &attempts).await.unwrap();
    let dead = listed(&house, &alpha, Some(DeliveryState::Dead)).await;
    assert_eq!(dead, [], "one more refusal is the first again");
}

async fn a_dead_letter_is_tried_again_where_its_insurer_listens_elsewhere(on: Backend) {
    let house = killed(on).await;
    let after = TEN_MINUTES + 100;
    let entry = |url: &str| -> Participant {
        let contract = serde_json::json!({
            "mode": "delegated", "endpoint": {"transport": "rest", "url": url},
        });
        let entry = serde_json::json!({
            "id": "alpha", "title": url, "role": "insurer", "contract": contract,
        });
        serde_json::from_value(entry).unwrap()
    };
    let mut same = house.store.participant(&id("alpha")).await.unwrap();
    same.title.push('!');
    house.store.upsert_participant(&same).await.unwrap();
    assert_eq!(due(&house, "alpha", after).await, [number(3)]);
    let elsewhere = entry("http://elsewhere");
    house.store.upsert_participant(&elsewhere).await.unwrap();
    assert_eq!(due(&house, "alpha", after).await, [number(3), number(1)]);
}

async fn listed(
    house: &House,
    scope: &Scope,
    state: Option<DeliveryState>,
) -> Vec<(DeliveryId, DeliveryState, Option<String>)> {
    let page = DeliveryPage {
        state,
        most: 100,
        ..DeliveryPage::default()
    };
    let listed = house.store.deliveries(scope, &page).await.unwrap();
    let row = |one: takmil_store::ListedDelivery| (one.id, one.state, one.error);
    listed.into_iter().map(row).collect()
}

async fn deliveries_are_listed_page_by_page_for_whom_they_are_owed(on: Backend) {
    let house = killed(on).await;
    let store = &house.store;
    let attempts = [had(3), failed(5, 1)];
    store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
    let backlog = store.backlogs(&Scope::Hub).await.unwrap().remove(0);
    assert_eq!(
        (backlog.waiting, backlog.dead, backlog.oldest),
        (2, 1, None)
    );
    let (alpha, error) = (insurer("alpha"), |text: &str| Some(text.to_owned()));
    let [owed, dead, had] = [
        DeliveryState::Owed,
        DeliveryState::Dead,
        DeliveryState::Delivered,
    ];
    let one = (number(1), dead, error("http 422"));
    let three = (number(3), had, None);
    let two = [(number(2), owed, None), (number(4), owed, None)];
    let five = (number(5), owed, error("connection refused"));
    assert_eq!(
        listed(&house, &alpha, Some(dead)).await,
        std::slice::from_ref(&one)
    );
    assert_eq!(
        listed(&house, &alpha, Some(had)).await,
        std::slice::from_ref(&three)
    );
    assert_eq!(listed(&house, &alpha, Some(owed)).await, two);
    let [second, fourth] = two;
    let all = [one, second, three, fourth, five.clone()];
    assert_eq!(listed(&house, &alpha, None).await, all[..4]);
    assert_eq!(listed(&house, &insurer("beta"), None).await, [five]);
    assert_eq!(listed(&house, &provider("clinic"), None).await, []);
    for scope in [&Scope::Hub, &Scope::Regulator] {
        assert_eq!(listed(&house, scope, None).await, all);
    }
    // Page by page it is the same.
    let mut page = DeliveryPage {
        most: 2,
        insurer: Some(id("alpha")),
        ..DeliveryPage::default()
    };
    let mut seen = Vec::new();
    loop {
        let listed = store.deliveries(&Scope::Hub, &page).await.unwrap();
        let Some(last) = listed.last() else {
            break;
        };
        page.after = last.sequence;
        seen.extend(listed.iter().map(|one| one.id));
    }
    assert_eq!(seen, [number(1), number(2), number(3), number(4)]);
    page.after = 0;
    let foreign = store.deliveries(&insurer("beta"), &page).await;
    assert_eq!(foreign.unwrap(), []);
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
