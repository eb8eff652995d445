//! The hub's service for insurers beside its streams: what is owed one request at a time, plans, and the history; each as
//! over REST.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use takmil_conformance::insurer::HubClient;
use takmil_proto::v1::{self, AckOutcome, submit_plans_response};
use tonic::Code;

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, claim, pack};
use crate::schemas::conforms;

fn client(hub: &Hub, key: &str) -> HubClient {
    HubClient::new(&hub.base, Some(hub.certificate()), key).unwrap()
}

async fn claims(hub: &Hub, numbers: &[&str]) -> Vec<Value> {
    let key = hub.place.key(PROVIDER);
    let mut answers = Vec::new();
    for number in numbers {
        let claim = claim(number, "MA-2001");
        answers.push(
            hub.send(Method::POST, "/v1/claims", &key, &claim)
                .await
                .ok(),
        );
    }
    answers
}

fn ack(delivery: &str, outcome: AckOutcome) -> v1::DeliveryAck {
    v1::DeliveryAck {
        delivery_id: delivery.to_owned(),
        outcome: outcome.into(),
        ..v1::DeliveryAck::default()
    }
}

#[tokio::test]
async fn what_is_owed_is_pulled_and_acknowledged_as_over_rest() {
    let hub = Hub::start("");
    claims(&hub, &["L-1", "L-2", "L-3"]).await;
    let key = hub.place.key(INSURER);
    let insurer = client(&hub, &key);
    let pulled = insurer.pull(1_000).await.unwrap();
    let ids: Vec<&str> = pulled.iter().map(|own| own.delivery_id.as_str()).collect();
    let listed = hub.get("/v1/deliveries", &key).await.ok();
    let over_rest = listed["deliveries"].as_array().unwrap();
    let over_rest: Vec<&str> = over_rest
        .iter()
        .map(|own| own["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, over_rest);
    assert_eq!(ids.len(), 3);
    assert_eq!(insurer.pull(1).await.unwrap()[0].delivery_id, ids[0]);
    for most in [0, 1_001] {
        let refused = insurer.pull(most).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }

    let mut wrong = ack(ids[1], AckOutcome::Taken);
    wrong.decision = Some(v1::InsurerDecision {
        message_id: pulled[1].message_id.clone(),
        verdict: v1::Verdict::Approve.into(),
        ..v1::InsurerDecision::default()
    });
    let acks = vec![
        ack(ids[0], AckOutcome::Taken),
        wrong,
        ack("nothing", AckOutcome::Taken),
        ack(ids[2], AckOutcome::Unspecified),
        ack(ids[2], AckOutcome::Later),
    ];
    let results = insurer.acknowledge(acks).await.unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|own| {
            let problem = own.problem.as_ref();
            problem.map(|own| (own.code.as_str(), own.pointer.as_str()))
        })
        .collect();
    assert_eq!(
        told,
        [
            None,
            Some(("VAL-MISSING", "/decision/reference")),
            Some(("VAL-REFERENCE", "/delivery_id")),
            Some(("VAL-MISSING", "/outcome")),
            None,
        ]
    );
    assert_eq!(results[2].delivery_id, "nothing");
    let left = hub.get("/v1/deliveries?state=all", &key).await.ok();
    let states: Vec<_> = left["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["delivered", "delivered", "owed"]);
    let foreign = client(&hub, &hub.place.key(OTHER_INSURER));
    let foreign = foreign
        .acknowledge(vec![ack(ids[2], AckOutcome::Taken)])
        .await
        .unwrap();
    assert_eq!(foreign[0].problem.as_ref().unwrap().code, "VAL-REFERENCE");
    let provider = client(&hub, &hub.place.key(PROVIDER)).pull(1).await;
    assert_eq!(provider.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn plans_are_proposed_by_persons_and_looked_over_as_over_rest() {
    let hub = Hub::start("");
    let author = hub.place.person(INSURER, "Author", "plan_author");
    let approver = hub.place.person(INSURER, "Approver", "approver");
    let plans: Value =
        serde_json::from_slice(&std::fs::read(pack().join("plans.json")).unwrap()).unwrap();
    let mut plan = plans[0].clone();
    plan["version"] = json!(2);
    plan["from"] = json!("2030-01-01");
    let mut wrong = plan.clone();
    wrong["benefits"][0]["rate"] = json!("150%");
    let rows = vec![
        wrong.to_string().into_bytes(),
        b"{".to_vec(),
        plan.to_string().into_bytes(),
    ];
    let systems = client(&hub, &hub.place.key(INSURER));
    let refused = systems.submit_plans(rows.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "no person");
    let refused = client(&hub, &approver).submit_plans(rows.clone()).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let results = client(&hub, &author).submit_plans(rows).await.unwrap();
    let problem = |row: usize| match &results[row].result {
        Some(submit_plans_response::Result::Refused(refused)) => refused.problems[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(problem(0).pointer, "/benefits/0/rate");
    assert!(problem(1).code.starts_with("FMT-"), "{:?}", problem(1));
    let Some(submit_plans_response::Result::Proposed(proposed)) = &results[2].result else {
        panic!("{results:?}");
    };
    assert_eq!(results[2].row, 3);
    let approve = format!("/v1/approvals/{}/approve", proposed.approval_id);
    let approved = hub
        .send(Method::POST, &approve, &approver, &json!({}))
        .await
        .ok();
    assert_eq!(
        approved["subject"].as_str(),
        Some(proposed.subject.as_str())
    );
    assert_eq!(approved["state"], json!("approved"));
}

/// Reads the history over both wires until so many messages are there.
async fn history(hub: &Hub, key: &str, after: &str, count: usize) -> Vec<v1::HistoryResponse> {
    for _ in 0..200 {
        let rows = client(hub, key).history(after).await.unwrap();
        if rows.len() >= count {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the changes are not told of");
}

#[tokio::test]
async fn the_history_tells_each_insurer_its_own_in_order_over_both_wires() {
    let hub = Hub::start("");
    let (key, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    let answers = claims(&hub, &["H-1", "H-2"]).await;
    let sent: Vec<&str> = answers
        .iter()
        .map(|own| own["id"].as_str().unwrap())
        .collect();
    let rows = history(&hub, &key, "", 2).await;
    let told: Vec<&str> = rows.iter().map(|own| own.message_id.as_str()).collect();
    assert_eq!(told, sent);
    let first = rows[0].answer.as_ref().unwrap();
    let share = &first.decision.as_ref().unwrap().lines[0].supplementary[0];
    assert_eq!(share.insurer_id, INSURER);
    assert!(rows[0].message.as_ref().unwrap().bill.is_some());

    let over_rest = hub
        .get("/v1/messages?updated_after=&limit=1", &key)
        .await
        .ok();
    conforms("message_page", &over_rest);
    assert_eq!(over_rest["messages"][0]["id"], json!(sent[0]));
    assert_eq!(over_rest["messages"][0]["cursor"], json!(rows[0].cursor));
    assert_eq!(
        over_rest["messages"][0]["document"]["answer"]["id"],
        json!(sent[0])
    );
    assert_eq!(over_rest["caught_up"], json!(false));

    // What is taken back has changed, and comes again behind the others.
    let cancel = format!("/v1/claims/{}/cancel", sent[0]);
    hub.send(Method::POST, &cancel, &provider, &json!({}))
        .await
        .ok();
    let after = &rows[1].cursor;
    let more = history(&hub, &key, after, 1).await;
    assert_eq!(more[0].message_id, sent[0]);
    assert_eq!(more[0].state, i32::from(v1::AnswerState::Reversed));
    let path = format!("/v1/messages?updated_after={after}");
    let over_rest = hub.get(&path, &key).await.ok();
    assert_eq!(over_rest["messages"][0]["id"], json!(sent[0]));
    assert_eq!(over_rest["caught_up"], json!(true));
    // Its sender sees it, too, and the message that took it back; no document.
    let over_rest = hub.get(&path, &provider).await.ok();
    assert_eq!(over_rest["messages"].as_array().unwrap().len(), 2);
    assert!(over_rest["messages"][0].get("document").is_none());
    let other = client(&hub, &hub.place.key(OTHER_INSURER));
    assert!(other.history("").await.unwrap().is_empty());

    let forged = client(&hub, &key)
        .history("0000000000000001-0000000000000000")
        .await;
    assert_eq!(forged.unwrap_err().code(), Code::InvalidArgument);
    hub.get("/v1/messages?updated_after=x", &key)
        .await
        .is_problem(400, "API-PARAMETER");
    hub.get("/v1/messages?updated_after=&kind=claim", &key)
        .await
        .is_problem(400, "API-PARAMETER");
}
