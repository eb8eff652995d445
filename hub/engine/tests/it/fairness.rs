//! Senders take turns: one that sends much holds up itself, and nobody else.

use std::sync::Arc;

use serde_json::{Value, json};
use takmil_domain::participant::Participant;
use takmil_engine::{Engine, Error, Submission};
use tokio::task::JoinSet;

use crate::rig::{Insurer, Rig, bill, message, until};

/// How many of one sender wait, of a queue of 4,096; and how many more than that it may have there.
const FLOOD: usize = 2_000;
const TOO_MANY: usize = 100;

async fn sender(engine: &Engine, name: &str) -> Arc<Participant> {
    let entry = json!({"id": name, "title": name, "role": "provider", "currency": "IRR"});
    let participant: Participant = serde_json::from_value(entry).unwrap();
    let store = engine.store();
    store.upsert_participant(&participant).await.unwrap();
    Arc::new(participant)
}

fn submission(engine: &Engine, sender: &Arc<Participant>, message: &Value) -> Submission {
    Submission {
        sender: Arc::clone(sender),
        format: &takmil_formats::native::FORMAT,
        expect: None,
        body: serde_json::to_vec(message).unwrap(),
        idempotency_key: None,
        received_at: engine.now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_floods_holds_up_nobody_else_and_is_told_to_come_back() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let engine = &rig.engine;
    let (flooding, quiet) = (sender(engine, "flood").await, sender(engine, "quiet").await);
    // Whoever holds the only writer holds up the lane.
    let held = engine.store().begin().await.unwrap();
    let mut flood = JoinSet::new();
    let mut send = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let claim = json!({"bill": bill("S1", 1)});
            let claim = message("claim", &format!("F-{number}"), claim);
            let submission = submission(engine, &flooding, &claim);
            let engine = engine.clone();
            flood.spawn(async move { engine.submit(submission).await });
        }
    };
    send(0..FLOOD);
    // A turn may have been taken, and waits for the writer.
    until("the flood does not wait", || {
        engine.status().waiting + 256 >= FLOOD
    })
    .await;
    send(FLOOD..FLOOD + 256 + TOO_MANY);
    until("the flood is not bounded", || {
        engine.status().waiting == 2_048
    })
    .await;
    let claim = message("claim", "Q-1", json!({"bill": bill("S1", 1)}));
    let one = engine.submit(submission(engine, &quiet, &claim));
    let released = async {
        until("the other one is not let in", || {
            engine.status().waiting == 2_049
        })
        .await;
        drop(held);
    };
    let (taken, ()) = tokio::join!(one, released);
    assert!(taken.unwrap().pop().unwrap().result.is_ok());
    let waiting = engine.status().waiting;
    assert!(waiting > FLOOD / 2, "{waiting} of the flood still wait");
    let (mut answered, mut turned_away) = (0, 0);
    while let Some(outcome) = flood.join_next().await {
        match outcome.unwrap() {
            Ok(_) => answered += 1,
            Err(Error::TooMany { retry_after_ms }) => {
                assert_eq!(retry_after_ms, 1_000);
                turned_away += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(answered + turned_away, FLOOD + 256 + TOO_MANY);
    assert!(answered >= 2_048 && turned_away > 0, "{answered}");
    assert_eq!(engine.status().waiting, 0);
}
