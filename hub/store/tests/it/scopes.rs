//! Who may see what: a foreign object is not found, the same as a missing one.

use takmil_domain::participant::Role;
use takmil_store::{Batch, MessageFilter, Scope, StoreError};

use crate::bench::{Backend, both};
use crate::samples::{House, delivery, house, id, insurer, leg, participant, provider};

both! {
    messages_are_seen_by_their_sender_and_those_who_owe_a_share
    an_insurer_sees_no_other_insurer_on_a_messages_way
    members_and_their_limits_are_seen_by_their_insurers
    an_insurer_sees_its_own_limits_of_a_member_alone
}

fn is_missing<T>(answer: Result<T, StoreError>) -> bool {
    match answer {
        Ok(_) => false,
        Err(StoreError::NotFound) => true,
        Err(other) => panic!("{other}"),
    }
}

/// Whether the scope sees the message, which every way of asking has to agree on.
async fn sees(house: &House, scope: &Scope, message: takmil_domain::ids::MessageId) -> bool {
    let store = &house.store;
    let missing = [
        is_missing(store.way(scope, message).await),
        is_missing(store.envelope(scope, message).await),
        is_missing(store.original(scope, message).await),
        is_missing(store.canonical(scope, message).await),
        is_missing(store.answer(scope, message).await),
    ];
    let filter = MessageFilter::default();
    let of_member = MessageFilter {
        member: Some(house.member),
        ..MessageFilter::default()
    };
    let mut seen = Vec::from(missing.map(|missing| !missing));
    for filter in [filter, of_member] {
        let page = store.messages(scope, &filter, None, 10).await.unwrap();
        seen.push(page.iter().any(|envelope| envelope.id == message));
    }
    assert!(
        seen.iter().all(|one| *one == seen[0]),
        "{scope:?}: {seen:?}"
    );
    seen[0]
}

async fn messages_are_seen_by_their_sender_and_those_who_owe_a_share(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let message = claim.id;
    house
        .write(&Batch {
            messages: vec![claim],
            ..Batch::default()
        })
        .await
        .unwrap();
    let table = [
        (Scope::Hub, true),
        (Scope::Regulator, true),
        (provider("clinic"), true),
        (provider("pharmacy"), false),
        (provider("alpha"), false),
        (insurer("alpha"), true),
        (insurer("beta"), false),
        (insurer("clinic"), false),
    ];
    for (scope, expected) in table {
        assert_eq!(sees(&house, &scope, message).await, expected, "{scope:?}");
        assert!(!sees(&house, &scope, house.fresh()).await, "{scope:?}");
    }
}

async fn an_insurer_sees_no_other_insurer_on_a_messages_way(on: Backend) {
    let house = house(on).await;
    let mut claim = house.claim("clinic");
    let message = claim.id;
    claim.insurers = vec![id("alpha"), id("beta"), id("alpha")];
    claim.legs = vec![
        leg("received", None),
        leg("asked", Some("alpha")),
        leg("asked", Some("beta")),
    ];
    let batch = Batch {
        outbox: vec![
            delivery(1, "alpha", message, message),
            delivery(2, "beta", message, message),
        ],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let way = house.store.way(&insurer("beta"), message).await.unwrap();
    assert_eq!(
        way.turns[0].legs,
        [leg("received", None), leg("asked", Some("beta"))]
    );
    let owed: Vec<_> = way
        .deliveries
        .iter()
        .map(|way| way.insurer.as_str())
        .collect();
    assert_eq!(owed, ["beta"]);
    let whole = house.store.way(&provider("clinic"), message).await.unwrap();
    assert_eq!((whole.turns[0].legs.len(), whole.deliveries.len()), (3, 2));
}

async fn members_and_their_limits_are_seen_by_their_insurers(on: Backend) {
    let house = house(on).await;
    house.consumed("year", 100, 10).await;
    let stranger = takmil_domain::ids::MemberId(house.fresh().0);
    let table = [
        (Scope::Hub, true),
        (Scope::Regulator, true),
        (insurer("alpha"), true),
        (insurer("beta"), false),
        (provider("clinic"), false),
    ];
    for (scope, expected) in table {
        let store = &house.store;
        let limits = store.standings_of_member(&scope, house.member).await;
        let covers = store.covers(&scope, house.member).await;
        let person = store.person(&scope, house.member).await;
        let seen = [
            !is_missing(limits),
            !is_missing(covers),
            !is_missing(person),
        ];
        assert_eq!(seen, [expected; 3], "{scope:?}");
        assert!(is_missing(
            store.standings_of_member(&scope, stranger).await
        ));
        assert!(is_missing(store.covers(&scope, stranger).await));
        assert!(is_missing(store.person(&scope, stranger).await));
    }
}

async fn an_insurer_sees_its_own_limits_of_a_member_alone(on: Backend) {
    let house = house(on).await;
    house.consumed("year", 100, 10).await;
    let gamma = participant("gamma", Role::Insurer);
    house.store.upsert_participant(&gamma).await.unwrap();
    let plan = crate::samples::plan("gamma-plan", 1, "gamma");
    house.store.upsert_plan(&Scope::Hub, &plan).await.unwrap();
    let enrolment = crate::samples::enrolment("gamma", "g", "0012345679");
    let enrolled = house
        .store
        .enrol(&Scope::Hub, &[enrolment], crate::samples::NOW)
        .await
        .unwrap();
    assert_eq!(enrolled[0].as_ref().unwrap().member, house.member);
    let limits = |scope| {
        let (store, member) = (house.store.clone(), house.member);
        async move {
            store
                .standings_of_member(&scope, member)
                .await
                .unwrap()
                .len()
        }
    };
    assert_eq!(limits(insurer("gamma")).await, 0);
    assert_eq!(limits(insurer("alpha")).await, 1);
    assert_eq!(limits(Scope::Regulator).await, 1);
}
