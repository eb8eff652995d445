//! What insurers post to the ledger themselves.

use takmil_domain::ids::{AccountId, MemberId};
use takmil_domain::limit::{EntryKind, Standing};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_store::{Posting, PostingRefusal, Scope, StoreError};

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, house, id, insurer, provider};

both! {
    an_opening_balance_makes_the_limit_and_a_repeat_changes_nothing
    a_fact_beyond_the_ceiling_needs_its_override_first
    insurers_post_facts_and_ceilings_of_their_own_members_only
}

fn posting(house: &House, reference: &str, kind: EntryKind, amount: i64) -> Posting {
    Posting {
        reference: reference.to_owned(),
        key: house.key("year"),
        limit: LimitKind::Ceiling,
        unit: LimitUnit::Money,
        per: LimitPer::Year,
        ceiling: 1_000,
        kind,
        amount,
        at: NOW,
    }
}

async fn post(house: &House, postings: &[Posting]) -> Vec<Result<Standing, PostingRefusal>> {
    let alpha = insurer("alpha");
    house
        .store
        .post(&alpha, &id("alpha"), postings)
        .await
        .unwrap()
}

async fn an_opening_balance_makes_the_limit_and_a_repeat_changes_nothing(on: Backend) {
    let house = house(on).await;
    let opening = posting(&house, "o-1", EntryKind::Opening, 400);
    let expected = Standing {
        ceiling: 1_000,
        consumed: 400,
        reserved: 0,
        overdraft: 0,
        version: 0,
    };
    let twice = [opening.clone(), opening.clone()];
    assert_eq!(post(&house, &twice).await, [Ok(expected), Ok(expected)]);
    assert_eq!(post(&house, &[opening]).await, [Ok(expected)]);
    let off_hub = posting(&house, "p-1", EntryKind::OffHub, 100);
    let after = Standing {
        consumed: 500,
        ..expected
    };
    assert_eq!(post(&house, &[off_hub]).await, [Ok(after)]);
    let other = posting(&house, "o-1", EntryKind::Opening, 401);
    assert_eq!(
        post(&house, &[other]).await,
        [Err(PostingRefusal::ReferenceDiffers)]
    );
    house.in_order().await;
}

async fn a_fact_beyond_the_ceiling_needs_its_override_first(on: Backend) {
    let house = house(on).await;
    let fact = posting(&house, "p-1", EntryKind::OffHub, 1_200);
    let lift = posting(&house, "p-0", EntryKind::Override, 200);
    assert_eq!(
        post(&house, std::slice::from_ref(&fact)).await,
        [Err(PostingRefusal::NoRoom)]
    );
    let answers = post(&house, &[lift, fact]).await;
    assert_eq!(answers[1].map(|standing| standing.left()), Ok(0));
    let lowered = posting(&house, "p-2", EntryKind::Ceiling, -1);
    assert_eq!(
        post(&house, &[lowered]).await,
        [Err(PostingRefusal::NoRoom)]
    );
    let raised = posting(&house, "p-2", EntryKind::Ceiling, 50);
    assert_eq!(
        post(&house, &[raised]).await[0].map(|standing| standing.left()),
        Ok(50)
    );
    house.in_order().await;
}

async fn insurers_post_facts_and_ceilings_of_their_own_members_only(on: Backend) {
    let house = house(on).await;
    let good = posting(&house, "g", EntryKind::Opening, 1);
    let mut table = vec![
        (
            posting(&house, "a", EntryKind::Consume, 1),
            PostingRefusal::Kind,
        ),
        (
            posting(&house, "b", EntryKind::Reserve, 1),
            PostingRefusal::Kind,
        ),
        (
            posting(&house, "c", EntryKind::Opening, 0),
            PostingRefusal::Kind,
        ),
        (
            posting(&house, "d", EntryKind::Opening, -1),
            PostingRefusal::Kind,
        ),
        (
            posting(&house, "e", EntryKind::Ceiling, 0),
            PostingRefusal::Kind,
        ),
    ];
    let mut no_account = good.clone();
    no_account.key.account = AccountId(house.fresh().0);
    let mut no_member = good.clone();
    no_member.key.member = Some(MemberId(house.fresh().0));
    let mut foreign = good.clone();
    foreign.key.insurer = id("beta");
    let mut negative = good.clone();
    negative.ceiling = -1;
    table.push((no_account, PostingRefusal::NoAccount));
    table.push((no_member, PostingRefusal::NoAccount));
    table.push((foreign, PostingRefusal::NoAccount));
    table.push((negative, PostingRefusal::NoRoom));
    for (posting, refusal) in table {
        assert_eq!(
            post(&house, std::slice::from_ref(&posting)).await,
            [Err(refusal)],
            "{posting:?}"
        );
    }
    for scope in [insurer("beta"), provider("clinic"), Scope::Regulator] {
        let refused = house
            .store
            .post(&scope, &id("alpha"), std::slice::from_ref(&good))
            .await;
        assert!(matches!(refused, Err(StoreError::NotFound)));
    }
    // Another insurer's reference is another reference, and alpha's account is not beta's.
    let beta = house
        .store
        .post(&insurer("beta"), &id("beta"), &[good])
        .await
        .unwrap();
    assert_eq!(beta, [Err(PostingRefusal::NoAccount)]);
    house.in_order().await;
}
