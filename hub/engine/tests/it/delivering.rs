//! What insurers are owed reaches them: once in effect, in the order of each claim, whatever they do meanwhile.

use std::time::Duration;

use serde_json::json;
use takmil_conformance::insurer::Wire;

use crate::rig::{Insurer, Rig, SECRET, bill, following, insurer, message};

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
