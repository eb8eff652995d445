//! What insurers are owed reaches them: once in effect, in the order of each claim, whatever they do meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use takmil_conformance::insurer::Wire;
use takmil_domain::date::Instant;
use takmil_store::Scope;

use crate::rig::{Insurer, Rig, SECRET, bill, following, insurer, insurer_id, message};

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_was_away_gets_everything_in_the_order_of_each_claim() {
    let simulator = insurer(
        "i-2",
        Wire::Rest {
            secret: SECRET.into(),
        },
    )
    .await;
    let rig = Rig::new(&[
        (Insurer::Delegated, 100_000),
        (Insurer::StandIn(&simulator, 1_000, 100_000), 100_000),
    ])
    .await;
    simulator.kill().await;
    let mut sent = 0;
    for stay in 0..5 {
        rig.take(message(
            "admission",
            &format!("A-{stay}"),
            json!({"bill": bill("S1", 500)}),
        ))
        .await;
        for part in 0..3 {
            let number = format!("C-{stay}-{part}");
            let claim = message(
                "claim",
                &number,
                json!({"interim": part < 2, "bill": bill("S1", 100)}),
            );
            rig.take(following(claim, "admission", &format!("A-{stay}")))
                .await;
        }
        sent += 4;
    }
    simulator.revive().await.unwrap();
    for _ in 0..500 {
        if simulator.received().len() >= sent {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let received = simulator.received();
    assert_eq!(received.len(), sent);
    let tally = simulator.tally();
    assert_eq!(tally.out_of_order, 0, "{tally:?}");
    rig.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_holds_up_no_other_delivery() {
    let simulator = insurer(
        "i-2",
        Wire::Rest {
            secret: SECRET.into(),
        },
    )
    .await;
    let rig = Rig::new(&[
        (Insurer::Delegated, 100_000),
        (Insurer::StandIn(&simulator, 1_000, 100_000), 100_000),
    ])
    .await;
    let (pulls, is_pushed) = ("i-1", "i-2");
    let broken = rig.spoil("S-1", &[pulls, is_pushed]).await;
    let erased = rig.erase_meanwhile("E-1", &[pulls, is_pushed]).await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 500)}));
    let taken = rig.take(claim).await;
    let store = rig.engine.store();
    let waiting = async || {
        let backlogs = store.backlogs(&Scope::Hub).await.unwrap();
        backlogs.iter().map(|own| own.waiting).collect::<Vec<_>>()
    };
    for _ in 0..500 {
        if waiting().await[1] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let received = simulator.received();
    let told: Vec<_> = received
        .iter()
        .map(|one| (one.purpose.as_str(), one.message_id.clone()))
        .collect();
    let id = taken.id.to_string();
    assert_eq!(told, [("decide", id.clone()), ("decided", id)]);
    let due = rig.engine.due(&insurer_id(pulls), 10).await.unwrap();
    let due: Vec<_> = due.iter().map(|one| one.message).collect();
    assert_eq!(due, [taken.id]);
    // None of it is lost sight of: what was erased is named, what is broken stays owed and says why.
    let named = store.erased_deliveries(Instant(0), 10).await.unwrap();
    let named: BTreeSet<_> = named
        .iter()
        .map(|one| (one.message, one.insurer.as_str()))
        .collect();
    assert_eq!(
        named,
        BTreeSet::from([(erased, pulls), (erased, is_pushed)])
    );
    for delivery in store.way(&Scope::Hub, broken).await.unwrap().deliveries {
        assert_eq!(delivery.delivered_at, None);
        let error = delivery.attempts.first().unwrap().error.clone().unwrap();
        assert_eq!(error, format!("message {broken} cannot be read back"));
    }
    assert_eq!(
        waiting().await,
        [2, 1],
        "the broken one, and what i-1 has not acknowledged"
    );
    rig.engine.drain(Duration::from_secs(5)).await;
}
