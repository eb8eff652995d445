//! Many at once on one limit: what is promised is exactly what there is.

use std::sync::Arc;

use takmil_domain::limit::{EntryKind, Standing};
use takmil_store::{Batch, StoreError};

use crate::bench::{Backend, both};
use crate::samples::{House, house};

both! {
    a_hundred_turns_share_one_limit_exactly
    turns_that_are_dropped_or_aborted_leave_the_ledger_whole
}

/// Consumes 7 if there is as much left, as a lane would, and says whether it did.
async fn try_consume(house: &House) -> bool {
    loop {
        match consume(house).await {
            // Another was faster to make the limit.
            Err(StoreError::Contended) => {}
            done => return done.unwrap(),
        }
    }
}

async fn consume(house: &House) -> Result<bool, StoreError> {
    let claim = house.claim("clinic");
    let message = claim.id;
    let mut turn = house.store.begin().await?;
    let standings = turn.standings(&[house.key("year")]).await?;
    let untouched = Standing {
        ceiling: 500,
        ..Standing::default()
    };
    let before = standings[0].unwrap_or(untouched);
    if before.after(EntryKind::Consume, 7).is_none() {
        return Ok(false);
    }
    let new = standings[0].is_none();
    let batch = Batch {
        limits: if new {
            vec![house.limit("year", 500, message)]
        } else {
            vec![]
        },
        entries: vec![house.entry("year", message, EntryKind::Consume, 7)],
        messages: vec![claim],
        ..Batch::default()
    };
    turn.write(&batch).await?;
    turn.commit().await?;
    Ok(true)
}

async fn a_hundred_turns_share_one_limit_exactly(on: Backend) {
    let house = Arc::new(house(on).await);
    let racers: Vec<_> = (0..100)
        .map(|_| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { try_consume(&house).await })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += i64::from(racer.await.unwrap());
    }
    assert_eq!(won, 500 / 7);
    let mut turn = house.store.begin().await.unwrap();
    let standings = turn.standings(&[house.key("year")]).await.unwrap();
    assert_eq!(standings[0].unwrap().consumed, won * 7);
    drop(turn);
    house.in_order().await;
}

async fn turns_that_are_dropped_or_aborted_leave_the_ledger_whole(on: Backend) {
    let house = Arc::new(house(on).await);
    let racers: Vec<_> = (0..60)
        .map(|at| {
            let house = Arc::clone(&house);
            let racer = tokio::spawn(async move { try_consume(&house).await });
            if at % 3 == 0 {
                // At whatever point it happens to be.
                racer.abort();
            }
            racer
        })
        .collect();
    for racer in racers {
        let _ = racer.await;
    }
    house.in_order().await;
    assert!(try_consume(&house).await, "the writer is free again");
    house.in_order().await;
}
