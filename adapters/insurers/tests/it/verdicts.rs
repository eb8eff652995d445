//! What an insurer says comes back as it was said, and what it may not say does not.

use takmil_conformance::insurer::{Script, Tally, Verdict};
use takmil_domain::participant::{CoverStanding, Delivery, InsurerVerdict, Purpose, Transport};
use takmil_insurers::{Receipt, TransportError, Transports};

use crate::fixture::{INSURER, Insurer, PATIENT, WIRES, delivery, endpoint, now, proposal};

#[tokio::test]
async fn every_verdict_comes_back_over_both_wires() {
    let transports = Transports::new();
    let table: [(Script, InsurerVerdict, &[i64]); 4] = [
        (Script::approve(), InsurerVerdict::Approve, &[]),
        (Script::adjust(10), InsurerVerdict::Adjust, &[219_248, 8]),
        (Script::refuse(), InsurerVerdict::Refuse, &[0, 0]),
        (Script::pend(), InsurerVerdict::Pend, &[]),
    ];
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve()).await;
        for (script, verdict, amounts) in table {
            insurer.simulator.perform(script).await;
            let decision = insurer.ask(&transports, PATIENT).await.unwrap();
            let stated: Vec<i64> = decision
                .lines
                .iter()
                .map(|line| line.amount.get())
                .collect();
            assert_eq!(
                (decision.verdict, &stated[..]),
                (verdict, amounts),
                "{wire:?}"
            );
            assert_eq!(decision.message, proposal().id);
            assert_eq!(
                decision.reference,
                format!("{INSURER}-{}", delivery(7, Purpose::Decide).id)
            );
        }
        let received = insurer.simulator.received();
        assert_eq!(received.len(), 1, "one delivery, asked about four times");
        assert_eq!((received[0].times, received[0].share), (4, 243_618));
        assert_eq!(received[0].currency, "IRR");
        assert_eq!(
            (&*received[0].purpose, &*received[0].kind),
            ("decide", "claim")
        );
        assert_eq!(received[0].decided_by, "hub");
    }
}

#[tokio::test]
async fn a_decision_that_cannot_be_used_is_garbled() {
    let transports = Transports::new();
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve()).await;
        for (verdict, place) in [
            (Verdict::WrongSums, "/total"),
            (Verdict::Overpay, "/lines/0/amount"),
        ] {
            insurer.simulator.perform(Script::of(verdict)).await;
            match insurer.ask(&transports, PATIENT).await {
                Err(TransportError::Garbled(problem)) => assert_eq!(problem.pointer, place),
                other => panic!("{wire:?}: {other:?}"),
            }
        }
        insurer
            .simulator
            .perform(Script::of(Verdict::Nonsense))
            .await;
        match insurer.ask(&transports, PATIENT).await {
            Err(error @ TransportError::Garbled(_)) => assert!(!error.is_retryable()),
            other => panic!("{wire:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn deliveries_are_kept_once_and_repeats_are_known() {
    let transports = Transports::new();
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve()).await;
        for (number, sequence, repeated) in
            [(1, 1, false), (1, 1, true), (3, 3, false), (2, 2, false)]
        {
            let mut handed = delivery(number, Purpose::Decided);
            handed.sequence = sequence;
            let receipt = transports
                .deliver(&insurer.endpoint, &handed, PATIENT, now())
                .await;
            let reference = Some(format!("{INSURER}-{}", handed.id));
            let expected = Receipt {
                reference,
                repeated,
            };
            assert_eq!(receipt, Ok(expected), "{wire:?}");
        }
        let tally = Tally {
            deliveries: 3,
            repeats: 1,
            out_of_order: 1,
            forged: 0,
        };
        assert_eq!(insurer.simulator.tally(), tally);
        let first = &insurer.simulator.received()[0];
        let document = first.document.as_ref().unwrap();
        assert_eq!(document, delivery(1, Purpose::Decided).document.as_bytes());
    }
}

/// What was asked by an insurer, and replied.
fn replied() -> Delivery {
    let mut handed = delivery(1, Purpose::Clarified);
    let mut document: serde_json::Value = serde_json::from_str(&handed.document).unwrap();
    let note = |reference: &str, at: i64| {
        serde_json::json!({"insurer": "asia", "reference": reference, "at": 1, "text": "Which?", "asks": true,
            "reply": {"at": at, "text": "Left.", "attachments": [{"title": "scan", "sha256": "ab", "place": "urn:x"}]}})
    };
    document["answer"]["notes"] =
        serde_json::json!([note("Q-1", 1_000_002), note("Q-2", 1_000_001)]);
    handed.document = document.to_string();
    handed
}

#[tokio::test]
async fn a_reply_is_handed_over_by_its_own_call_and_by_deliver_where_there_is_none() {
    for transport in [Transport::Grpc, Transport::Rest] {
        let insurer = Insurer::start(transport, Script::approve()).await;
        let handed = replied();
        let transports = Transports::new();
        let receipt = transports
            .deliver(&insurer.endpoint, &handed, PATIENT, now())
            .await;
        assert!(receipt.unwrap().reference.is_some());
        assert_eq!(insurer.simulator.received()[0].purpose, "clarified");
    }
    // An insurer of before knows Deliver alone: it is given what it was always given.
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&kept);
    let app = axum::Router::new().route(
        "/deliver",
        axum::routing::post(move |body: axum::Json<serde_json::Value>| {
            keep.lock().unwrap().push(body.0["purpose"].clone());
            async { axum::http::StatusCode::NO_CONTENT }
        }),
    );
    let entry = endpoint(Transport::Rest, crate::hostile::serve(app).await);
    let handed = Transports::new()
        .deliver(&entry, &replied(), PATIENT, now())
        .await;
    handed.unwrap();
    assert_eq!(*kept.lock().unwrap(), [serde_json::json!("review")]);
    let before = crate::hostile::parrot(
        None,
        Some(takmil_proto::v1::DeliveryReceipt {
            delivery_id: replied().id.to_string(),
            ..Default::default()
        }),
    );
    let entry = endpoint(Transport::Grpc, crate::hostile::serve(before).await);
    let handed = Transports::new()
        .deliver(&entry, &replied(), PATIENT, now())
        .await;
    handed.unwrap();
}

#[tokio::test]
async fn a_cover_is_stated_over_both_wires_and_nonsense_is_not_used() {
    for transport in [Transport::Grpc, Transport::Rest] {
        let insurer = Insurer::start(transport, Script::approve()).await;
        let transports = Transports::new();
        let asked = delivery(1, Purpose::Eligibility);
        let ask = async || {
            transports
                .eligibility(&insurer.endpoint, &asked, &proposal(), PATIENT, now())
                .await
        };
        let stated = ask().await.unwrap();
        assert_eq!(stated.standing, CoverStanding::Active);
        assert_eq!(stated.benefits.len(), 1);
        insurer.simulator.perform(Script::refuse()).await;
        assert_eq!(ask().await.unwrap().standing, CoverStanding::Inactive);
        insurer
            .simulator
            .perform(Script::of(Verdict::Nonsense))
            .await;
        assert!(matches!(ask().await, Err(TransportError::Garbled(_))));
    }
}
