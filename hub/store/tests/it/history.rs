//! History as rehearsals read it: what was decided and used limits up, page by page, and what was used before.

use takmil_domain::date::Instant;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::limit::EntryKind;
use takmil_domain::message::Kind;
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::rehearsal::Posted;
use takmil_store::{Batch, NewMessage, Posting, StoreError};
use uuid::Uuid;

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, house, id, insurer};

both! {
    settled_messages_come_in_their_order_and_others_not
    what_was_used_before_is_summed_and_postings_come_one_by_one
}

const ALL: (MessageId, MessageId) = (MessageId(Uuid::nil()), MessageId(Uuid::max()));

async fn settled_messages_come_in_their_order_and_others_not(on: Backend) {
    let house = house(on).await;
    let messages: Vec<NewMessage> = [
        (Kind::Claim, State::Decided),
        (Kind::Claim, State::Pended),
        (Kind::Dispense, State::Decided),
        (Kind::Admission, State::Decided),
        (Kind::Claim, State::Decided),
    ]
    .into_iter()
    .map(|(kind, state)| NewMessage {
        kind,
        state,
        ..house.claim("clinic")
    })
    .collect();
    let ids = [0, 2, 4].map(|at: usize| messages[at].id);
    let batch = Batch {
        messages,
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let (alpha, beta) = (id("alpha"), id("beta"));
    let page = house.store.settled(Some(&alpha), ALL, 2).await.unwrap();
    let read: Vec<_> = page.messages.iter().map(|own| own.id).collect();
    assert_eq!((read.as_slice(), page.last), (&ids[..2], Some(ids[1])));
    let first = &page.messages[0];
    assert_eq!(
        (first.kind, first.at, first.member),
        (Kind::Claim, NOW.plus_ms(3), house.member)
    );
    assert_eq!(first.canonical, b"{\"the\":\"canonical\"}");
    assert_eq!(first.answer, format!("{{\"answer\":\"{} پاسخ\"}}", ids[0]));
    let rest = house.store.settled(None, (ids[1], ALL.1), 2).await.unwrap();
    assert_eq!((rest.messages.len(), rest.last), (1, Some(ids[2])));
    let none = house.store.settled(None, (ids[2], ALL.1), 2).await.unwrap();
    assert_eq!(none.last, None);
    let other = house.store.settled(Some(&beta), ALL, 9).await.unwrap();
    assert_eq!(other.last, None, "another insurer owes nothing of them");
    let before = house.store.settled(None, (ALL.0, ids[1]), 9).await.unwrap();
    assert_eq!(before.messages.len(), 1);
}

async fn what_was_used_before_is_summed_and_postings_come_one_by_one(on: Backend) {
    let house = house(on).await;
    let first = house.consumed("year", 1_000, 300).await;
    let second = house.claim("clinic");
    let later = second.id;
    let batch = Batch {
        entries: vec![house.entry("year", later, EntryKind::Consume, 50)],
        messages: vec![second],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let posting = |reference: &str, kind, amount, at| Posting {
        reference: reference.to_owned(),
        key: house.key("year"),
        limit: LimitKind::Ceiling,
        unit: LimitUnit::Money,
        per: LimitPer::Year,
        ceiling: 1_000,
        kind,
        amount,
        at,
    };
    let postings = [
        posting("1", EntryKind::Opening, 20, NOW),
        posting("2", EntryKind::Override, 7, NOW),
        posting("3", EntryKind::OffHub, 11, NOW.plus_ms(10)),
        posting("4", EntryKind::Ceiling, 5, NOW.plus_ms(20)),
    ];
    let alpha = id("alpha");
    let posted = house.store.post(&insurer("alpha"), &alpha, &postings).await;
    assert!(posted.unwrap().iter().all(Result::is_ok));
    assert!(first < later);

    let moment = NOW.plus_ms(5);
    let mut used = Vec::new();
    let take = |own: Posted| -> Result<(), StoreError> {
        used.push((own.key, own.at, own.used, own.room));
        Ok(())
    };
    let before = house.store.used_before(Some(&alpha), (later, moment), take);
    before.await.unwrap();
    assert_eq!(used, [(house.key("year"), moment, 320, 7)]);
    assert_eq!(
        posted_in(&house, (moment, NOW.plus_ms(20))).await,
        [(11, 0)]
    );
    assert_eq!(posted_in(&house, (NOW, NOW.plus_ms(21))).await.len(), 4);
    let mut others = 0;
    let beta = id("beta");
    let count = |_: Posted| -> Result<(), StoreError> {
        others += 1;
        Ok(())
    };
    let before = house.store.used_before(Some(&beta), (later, moment), count);
    before.await.unwrap();
    assert_eq!(others, 0);
}

async fn posted_in(house: &House, stretch: (Instant, Instant)) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    let take = |own: Posted| -> Result<(), StoreError> {
        all.push((own.used, own.room));
        Ok(())
    };
    house.store.posted(None, stretch, take).await.unwrap();
    all
}
