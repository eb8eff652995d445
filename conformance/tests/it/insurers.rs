//! Insurers towards the hub: covers, decisions, deliveries from behind a firewall.

use std::time::Duration;

use takmil_conformance::insurer::{HubClient, Manner, Script, Setup, Simulator, Verdict, Wire};
use takmil_proto::v1;
use takmil_proto::v1::insurer_service_client::InsurerServiceClient;
use tonic::Code;

use crate::hub::{Hub, KEY};

#[tokio::test]
async fn every_row_has_its_result_in_order() {
    use v1::upsert_coverages_response::Result as Outcome;
    let url = Hub::default().serve().await;
    let client = HubClient::new(&url, None, KEY).unwrap();
    let cover = |number: u64| v1::Coverage {
        policy: number.to_string(),
        ..v1::Coverage::default()
    };
    let results = client
        .upsert_coverages((1..=1_001).map(cover).collect())
        .await;
    let results = results.unwrap();
    assert_eq!(results.len(), 1_001);
    for (row, result) in (1..).zip(results) {
        assert_eq!(result.row, row);
        match result.result.unwrap() {
            Outcome::Taken(taken) => assert_eq!((row % 2, taken.account_id), (1, row.to_string())),
            Outcome::Problem(problem) => assert_eq!((row % 2, &*problem.pointer), (0, "/policy")),
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_by_its_status() {
    let url = Hub::default().serve().await;
    let client = HubClient::new(&url, None, "somebody-else").unwrap();
    let status = client.upsert_coverages(Vec::new()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(
        client.deliveries(1).await.err().unwrap().code(),
        Code::Unauthenticated
    );
    assert!(HubClient::new(&url, None, "line\nend").is_err());
    assert!(HubClient::new("no url", None, KEY).is_err());
}

#[tokio::test]
async fn no_more_deliveries_are_on_the_way_than_the_insurer_has_credit_for() {
    let hub = Hub::default();
    let client = HubClient::new(&hub.serve().await, None, KEY).unwrap();
    let mut stream = client.deliveries(2).await.unwrap();
    let mut taken = Vec::new();
    while let Some(response) = stream.next().await.unwrap() {
        let delivery_id = response.delivery.unwrap().delivery_id;
        taken.push(delivery_id.clone());
        let ack = v1::DeliveryAck {
            delivery_id,
            outcome: v1::AckOutcome::Taken.into(),
            ..v1::DeliveryAck::default()
        };
        stream.acknowledge(ack).await.unwrap();
    }
    assert_eq!(taken, ["1", "2", "3", "4", "5"]);
    assert_eq!(hub.acks.lock().unwrap().len(), 5);
    assert_eq!(*hub.widest.lock().unwrap(), 2);
}

/// A delivery that proposes 100 of 300 rials for the insurer.
fn delivery(number: u8, purpose: v1::Purpose) -> v1::Delivery {
    let rials = |units| {
        Some(v1::Money {
            units,
            currency_code: "IRR".into(),
        })
    };
    let share = v1::InsurerShare {
        insurer_id: "asia".into(),
        amount: rials(100),
        ..v1::InsurerShare::default()
    };
    let line = v1::LineShare {
        seq: 1,
        billed: rials(300),
        supplementary: vec![share],
        ..v1::LineShare::default()
    };
    let decision = v1::Decision {
        lines: vec![line],
        decided_by: v1::DecidedBy::StandIn.into(),
        ..v1::Decision::default()
    };
    v1::Delivery {
        delivery_id: format!("d-{number}"),
        message_id: "m-1".into(),
        purpose: purpose.into(),
        kind: v1::MessageKind::Claim.into(),
        answer: Some(v1::Answer {
            decision: Some(decision),
            ..v1::Answer::default()
        }),
        ..v1::Delivery::default()
    }
}

async fn decisions(hub: &Hub, count: usize) -> Vec<v1::InsurerDecision> {
    for _ in 0..500 {
        if hub.decisions.lock().unwrap().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Time for one too many.
    tokio::time::sleep(Duration::from_millis(200)).await;
    hub.decisions.lock().unwrap().drain(..).collect()
}

#[tokio::test]
async fn an_insurer_with_a_way_to_the_hub_decides_reviews_and_repeats_itself() {
    let hub = Hub::default();
    let insurer = Simulator::start(Setup::new("asia", Wire::Grpc))
        .await
        .unwrap();
    insurer.report_to(HubClient::new(&hub.serve().await, None, KEY).unwrap());
    let mut client = InsurerServiceClient::connect(insurer.url()).await.unwrap();
    let mut deliver = async |number, purpose| {
        let delivery = Some(delivery(number, purpose));
        client
            .deliver(v1::DeliverRequest { delivery })
            .await
            .unwrap();
    };

    deliver(1, v1::Purpose::Decided).await;
    deliver(2, v1::Purpose::Cancelled).await;
    assert_eq!(
        decisions(&hub, 0).await,
        [],
        "what is decided is only noted"
    );

    insurer.perform(Script::adjust(50)).await;
    deliver(3, v1::Purpose::Review).await;
    let decided = decisions(&hub, 1).await;
    assert_eq!(decided.len(), 1);
    assert_eq!(decided[0].verdict(), v1::Verdict::Adjust);
    assert_eq!(decided[0].lines[0].amount.as_ref().unwrap().units, 50);

    insurer.perform(Script::of(Verdict::Pend)).await;
    deliver(4, v1::Purpose::Review).await;
    assert_eq!(decisions(&hub, 0).await, [], "later means later");

    let repeating = Manner::Repeating { times: 3 };
    insurer
        .perform(Script::approve().in_manner(repeating))
        .await;
    let asked = Some(delivery(5, v1::Purpose::Decide));
    let request = v1::DecideRequest {
        delivery: asked,
        deadline_ms: 0,
    };
    let answered = client.decide(request).await.unwrap().into_inner().decision;
    let again = decisions(&hub, 3).await;
    assert_eq!(again, vec![answered.unwrap(); 3]);

    let received = insurer.received();
    let purposes: Vec<&str> = received.iter().map(|received| &*received.purpose).collect();
    assert_eq!(
        purposes,
        ["decided", "cancelled", "review", "review", "decide"]
    );
    assert!(
        received
            .iter()
            .all(|received| received.decided_by == "stand_in" && received.share == 100)
    );
}
