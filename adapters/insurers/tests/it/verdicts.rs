//! What an insurer says comes back as it was said, and what it may not say does not.

use takmil_conformance::insurer::{Script, Tally, Verdict};
use takmil_domain::participant::{InsurerVerdict, Purpose};
use takmil_insurers::{Receipt, TransportError, Transports};

use crate::fixture::{INSURER, Insurer, PATIENT, WIRES, delivery, now, proposal};

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
