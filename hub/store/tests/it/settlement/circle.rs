//! The circle closed: claims are paid when all has arrived, and reconciled when three sides state the same.

use std::collections::BTreeMap;

use takmil_domain::ids::MessageId;
use takmil_domain::settlement::Refused;
use takmil_domain::settlement::payment::Reach;
use takmil_domain::settlement::reconcile::{DifferenceKind, Figure};
use takmil_domain::settlement::state::{DifferenceState, PaymentEvent};
use takmil_store::{Batch, BookFilter, Scope, StatedFigures, StoreError};

use super::{amount, at, notice, pair};
use crate::bench::{Backend, both};
use crate::samples::{House, house, id, insurer, provider};

both! {
    a_claim_is_paid_when_every_insurer_has_paid_and_silence_counts_as_arrival
    three_sides_agree_or_their_differences_stand_until_they_do
    a_document_comes_from_stage_to_stage_and_a_bounce_takes_it_back
}

/// Decided, delivered, stated, noticed, confirmed: which of them a document has come to with alpha.
async fn reached(house: &House, claim: MessageId) -> [bool; 5] {
    let (scope, none) = (insurer("alpha"), BookFilter::default());
    let found = house
        .store
        .progress(&scope, &none, Some(claim), false, None, 10);
    let found = found.await.unwrap();
    let [own] = found.as_slice() else {
        panic!("{found:?}")
    };
    let own = own.progress;
    assert!(own.is_payable && own.is_owed && !own.has_ended, "{own:?}");
    [
        own.decided_at,
        own.delivered_at,
        own.stated_at,
        own.noticed_at,
        own.confirmed_at,
    ]
    .map(|at| at.is_some())
}

async fn a_document_comes_from_stage_to_stage_and_a_bounce_takes_it_back(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let claim = house.owes(pair("alpha", "clinic", "IRR"), 0, &[100]).await;
    let other = house.owes(pair("beta", "clinic", "IRR"), 0, &[40]).await;
    let none = BookFilter::default();
    for (scope, expected) in [
        (Scope::Hub, vec![claim, other]),
        (Scope::Regulator, vec![claim, other]),
        (insurer("alpha"), vec![claim]),
        (provider("clinic"), vec![claim, other]),
        (provider("pharmacy"), vec![]),
    ] {
        for is_awaiting in [false, true] {
            let found = store.progress(&scope, &none, None, is_awaiting, None, 10);
            let found = found.await.unwrap();
            let seen: Vec<MessageId> = found.iter().map(|own| own.message).collect();
            assert_eq!(seen, expected, "{scope:?}");
        }
    }
    let after = (claim, id("alpha"));
    let rest = store.progress(&Scope::Hub, &none, None, true, Some(&after), 1);
    let rest = rest.await.unwrap();
    assert_eq!(rest.first().map(|own| own.message), Some(other));

    assert_eq!(
        reached(&house, claim).await,
        [true, true, false, false, false]
    );
    house.settle_to(0).await;
    assert_eq!(
        reached(&house, claim).await,
        [true, true, true, false, false]
    );
    house.pay("r-1", 60, Reach::Bulk, 1).await.unwrap();
    assert_eq!(
        reached(&house, claim).await,
        [true, true, true, false, false],
        "a part is not all of it"
    );
    let second = house.pay("r-2", 40, Reach::Bulk, 2).await.unwrap();
    assert_eq!(
        reached(&house, claim).await,
        [true, true, true, true, false]
    );
    assert_eq!(store.confirm_silent(at(2), at(9)).await.unwrap(), 2);
    assert_eq!(reached(&house, claim).await, [true; 5]);
    let bounced = store.settle(&Scope::Hub, second.payment, PaymentEvent::Bounced, at(10));
    bounced.await.unwrap().unwrap();
    assert_eq!(
        reached(&house, claim).await,
        [true, true, true, false, false]
    );
    house.in_order().await;
}

async fn a_claim_is_paid_when_every_insurer_has_paid_and_silence_counts_as_arrival(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let claim = house.owes(pair("alpha", "clinic", "IRR"), 0, &[100]).await;
    let (due, transfer) = house.owed(claim, pair("beta", "clinic", "IRR"), 0, &[40]);
    let batch = Batch {
        dues: vec![due],
        transfers: vec![transfer],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    house.pay("r-1", 100, Reach::Bulk, 1).await.unwrap();
    assert_eq!(store.confirm_silent(at(0), at(8)).await.unwrap(), 0);
    assert_eq!(store.confirm_silent(at(1), at(8)).await.unwrap(), 1);
    assert_eq!(store.confirm_silent(at(1), at(8)).await.unwrap(), 0);
    assert_eq!(house.states(&[claim]).await, ["decided"], "beta still owes");
    let mut other = notice("r-2", 40, Reach::Bulk);
    other.pair = pair("beta", "clinic", "IRR");
    store
        .notice(&Scope::Hub, &other, at(8))
        .await
        .unwrap()
        .unwrap();
    store.confirm_silent(at(8), at(9)).await.unwrap();
    assert_eq!(house.states(&[claim]).await, ["paid"]);
    store.follow_money(at(10)).await.unwrap();
    assert_eq!(house.states(&[claim]).await, ["paid"]);
    house.in_order().await;
}

async fn three_sides_agree_or_their_differences_stand_until_they_do(on: Backend) {
    let house = house(on).await;
    let (store, clinic) = (&house.store, pair("alpha", "clinic", "IRR"));
    let first = house.owes(clinic.clone(), 0, &[100]).await;
    let second = house.owes(clinic.clone(), 0, &[40]).await;
    let lacking = house.owes(clinic, 0, &[7]).await;
    let unknown = house.fresh();
    let day = at(0).day();
    let figures = |reference: &str, claims: &[(MessageId, i64)]| StatedFigures {
        reference: reference.to_owned(),
        digest: [u8::try_from(claims.len()).unwrap(); 32],
        from: day,
        to: day,
        claims: claims
            .iter()
            .map(|(claim, owed)| {
                let figure = Figure {
                    amount: amount(*owed),
                    state: None,
                    limits: BTreeMap::new(),
                };
                (*claim, id("alpha"), figure)
            })
            .collect(),
    };
    assert_eq!(
        store.reconcile(day, at(1)).await.unwrap().compared,
        0,
        "nobody has spoken"
    );
    let told = figures("f-1", &[(unknown, 1), (first, 100), (second, 39)]);
    for _ in 0..2 {
        let taken = store.take_figures(&insurer("alpha"), &told, at(1)).await;
        let taken = taken.unwrap().unwrap();
        assert_eq!(taken.taken, 2);
        assert_eq!(taken.refused.len(), 1);
        assert_eq!(taken.refused[0].pointer, "/claims/0");
        assert_eq!(taken.refused[0].refused, Refused::Unknown);
    }
    let other = figures("f-1", &[(first, 100)]);
    let other = store.take_figures(&insurer("alpha"), &other, at(1)).await;
    assert_eq!(other.unwrap(), Err(Refused::Reference));
    let foreign = figures("f-1", &[(first, 100)]);
    let foreign = store
        .take_figures(&provider("pharmacy"), &foreign, at(1))
        .await;
    assert_eq!(foreign.unwrap().unwrap().taken, 0);
    let own = figures("f-1", &[(first, 100), (second, 40), (lacking, 7)]);
    let own = store.take_figures(&provider("clinic"), &own, at(1)).await;
    assert_eq!(own.unwrap().unwrap().taken, 3);

    let paid = house.pay("r-1", 147, Reach::Bulk, 1).await.unwrap();
    let event = PaymentEvent::Confirmed;
    let settled = store
        .settle(&provider("clinic"), paid.payment, event, at(1))
        .await;
    settled.unwrap().unwrap();
    let done = store.reconcile(day, at(2)).await.unwrap();
    assert_eq!(
        (done.compared, done.reconciled, done.differences),
        (3, 1, 2)
    );
    assert_eq!(
        house.states(&[first, second, lacking]).await,
        ["reconciled", "paid", "paid"]
    );
    let all = BookFilter::default();
    let open = Some(DifferenceState::Open);
    let list = async |scope: &Scope, state| {
        store
            .differences(scope, &all, state, None, 10)
            .await
            .unwrap()
    };
    let found = list(&insurer("alpha"), open).await;
    let mut shown: Vec<_> = found.iter().map(|one| (one.message, one.kind)).collect();
    shown.sort_unstable();
    let mut expected = vec![
        (second, DifferenceKind::Amount),
        (lacking, DifferenceKind::MissingAtInsurer),
    ];
    expected.sort_unstable();
    assert_eq!(shown, expected);
    assert_eq!(list(&provider("pharmacy"), None).await, []);
    let of_amount = found.iter().find(|one| one.message == second).unwrap();
    let explain = async |scope: &Scope| {
        store
            .explain_difference(scope, of_amount.id, "rounded", at(2))
            .await
    };
    let stranger = explain(&provider("pharmacy")).await;
    assert!(matches!(stranger, Err(StoreError::NotFound)));
    explain(&provider("clinic")).await.unwrap().unwrap();
    store.reconcile(day, at(3)).await.unwrap();
    assert_eq!(list(&Scope::Hub, open).await.len(), 1, "explained it stays");

    let later = figures("f-2", &[(second, 40), (lacking, 7)]);
    let later = store.take_figures(&insurer("alpha"), &later, at(3)).await;
    later.unwrap().unwrap();
    let done = store.reconcile(day, at(4)).await.unwrap();
    assert_eq!((done.reconciled, done.differences, done.settled), (2, 0, 2));
    let nothing = store.reconcile(day, at(4)).await.unwrap();
    assert_eq!(nothing.compared, 0, "what is reconciled is done");
    assert_eq!(
        list(&Scope::Hub, Some(DifferenceState::Settled))
            .await
            .len(),
        2
    );
    let event = PaymentEvent::Bounced;
    let bounced = store.settle(&Scope::Hub, paid.payment, event, at(5)).await;
    bounced.unwrap().unwrap();
    assert_eq!(house.states(&[first, second]).await, ["decided", "decided"]);
    house.in_order().await;
}
