//! Insurers that are slow, silent, unwilling or gone, and entries that name nobody.

use std::time::{Duration, Instant};

use futures::future::join_all;
use takmil_conformance::faults::{Proxy, Weather};
use takmil_conformance::insurer::{Manner, Script};
use takmil_domain::participant::{Endpoint, Purpose, Transport};
use takmil_insurers::{TransportError, Transports};

use crate::fixture::{Insurer, PATIENT, SECRET, WIRES, delivery, endpoint, now, proposal};

#[tokio::test]
async fn a_slow_insurer_counts_within_the_deadline_and_a_silent_one_costs_no_more_than_it() {
    let transports = Transports::new();
    let deadline = Duration::from_millis(400);
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve().slowly(300)).await;
        let begun = Instant::now();
        insurer.ask(&transports, PATIENT).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(300), "{wire:?}");
        for script in [Script::silent(), Script::approve().slowly(60_000)] {
            insurer.simulator.perform(script).await;
            let begun = Instant::now();
            let silent = TransportError::Silent { waited_ms: 400 };
            assert_eq!(
                insurer.ask(&transports, deadline).await,
                Err(silent.clone())
            );
            assert!(silent.is_retryable());
            let waited = begun.elapsed();
            assert!(
                waited >= deadline && waited < deadline * 5,
                "{wire:?} {waited:?}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_declines_says_whether_for_ever() {
    let transports = Transports::new();
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve()).await;
        for permanent in [true, false] {
            let script = Script::approve().in_manner(Manner::Declining { permanent });
            insurer.simulator.perform(script).await;
            let handed = delivery(1, Purpose::Decided);
            let kept = transports
                .deliver(&insurer.endpoint, &handed, PATIENT, now())
                .await
                .unwrap_err();
            let asked = insurer.ask(&transports, PATIENT).await.unwrap_err();
            for error in [kept, asked] {
                let expected = matches!(&error, TransportError::Refused { permanent: never, .. } if *never == permanent);
                assert!(expected, "{wire:?} {error:?}");
                assert_eq!(error.is_retryable(), !permanent);
            }
        }
        assert_eq!(insurer.simulator.tally().deliveries, 0);
    }
}

#[tokio::test]
async fn a_killed_insurer_is_unreachable_until_it_is_back_on_its_port() {
    let transports = Transports::new();
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve()).await;
        insurer.ask(&transports, PATIENT).await.unwrap();
        for _ in 0..3 {
            insurer.simulator.kill().await;
            for _ in 0..3 {
                let error = insurer.ask(&transports, PATIENT).await.unwrap_err();
                assert!(
                    matches!(error, TransportError::Unreachable { .. }),
                    "{wire:?} {error:?}"
                );
                assert!(error.is_retryable());
            }
            insurer.simulator.revive().await.unwrap();
            // A connection that broke while it was idle may cost one try.
            let mut settled = insurer.ask(&transports, PATIENT).await;
            if settled.is_err() {
                settled = insurer.ask(&transports, PATIENT).await;
            }
            settled.unwrap();
        }
        assert_eq!(
            insurer.simulator.received().len(),
            1,
            "what it was given it keeps"
        );
    }
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_call_is_noticed_at_once() {
    let transports = Transports::new();
    for wire in WIRES {
        let insurer = Insurer::start(wire, Script::approve().slowly(60_000)).await;
        let begun = Instant::now();
        let kill = async {
            while insurer.simulator.received().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            insurer.simulator.kill().await;
        };
        let (settled, ()) = tokio::join!(insurer.ask(&transports, PATIENT), kill);
        assert!(
            matches!(settled, Err(TransportError::Unreachable { .. })),
            "{wire:?} {settled:?}"
        );
        assert!(begun.elapsed() < PATIENT / 2);
    }
}

/// Silence says nothing of how many connections lead nowhere: one call pays for all of them.
#[tokio::test]
async fn connections_that_were_forgotten_on_the_way_cost_one_call() {
    const SHORT: Duration = Duration::from_millis(500);
    let transports = Transports::new();
    for wire in WIRES {
        let mut insurer = Insurer::start(wire, Script::approve().slowly(50)).await;
        let way = Proxy::start().await.unwrap();
        way.lead_to(insurer.simulator.address());
        insurer.endpoint.url = way.url();
        let asked = join_all((0..4).map(|_| insurer.ask(&transports, PATIENT))).await;
        assert!(asked.iter().all(Result::is_ok), "{wire:?} {asked:?}");
        way.turn(Weather::HalfOpen);
        tokio::time::sleep(SHORT).await;
        way.turn(Weather::Fair);
        let settled = insurer.ask(&transports, SHORT).await;
        assert!(
            matches!(settled, Err(TransportError::Silent { .. })),
            "{wire:?} {settled:?}"
        );
        insurer.ask(&transports, PATIENT).await.unwrap();
    }
}

#[tokio::test]
async fn a_flapping_insurer_is_met_between_its_absences() {
    let transports = Transports::new();
    for wire in WIRES {
        let script = Script::approve().in_manner(Manner::Flapping { period_ms: 150 });
        let insurer = Insurer::start(wire, script).await;
        let (mut met, mut missed) = (0, 0);
        let begun = Instant::now();
        while (met < 10 || missed < 10) && begun.elapsed() < PATIENT {
            match insurer.ask(&transports, PATIENT).await {
                Ok(_) => met += 1,
                Err(TransportError::Unreachable { .. }) => missed += 1,
                Err(other) => panic!("{wire:?} {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            met >= 10 && missed >= 10,
            "{wire:?}: met {met}, missed {missed}"
        );
        insurer.simulator.perform(Script::approve()).await;
        assert!(
            insurer.simulator.is_up().await,
            "a steady script ends the flapping"
        );
    }
}

#[tokio::test]
async fn an_entry_that_names_nobody_says_what_is_wrong_with_it() {
    let rest = |url: &str| endpoint(Transport::Rest, url);
    let grpc = |url: &str| endpoint(Transport::Grpc, url);
    let with_ca = |ca_pem: &str, entry: Endpoint| Endpoint {
        ca_pem: Some(ca_pem.to_owned()),
        ..entry
    };
    let no_secret = Endpoint {
        secret: None,
        ..rest("http://127.0.0.1:1")
    };
    let bad_secret = Endpoint {
        secret: Some("whsec_@@@".to_owned()),
        ..rest("http://127.0.0.1:1")
    };
    let table = [
        (rest("not a url"), "the url is not one"),
        (grpc("not a url"), "the url is not one"),
        (rest("ftp://127.0.0.1"), "the url is not http or https"),
        (grpc("ftp://127.0.0.1"), "the url is not http or https"),
        (no_secret, "webhooks need a secret to be signed with"),
        (bad_secret, "the secret is not \"whsec_\" and base64"),
        (
            with_ca("", rest("https://127.0.0.1:1")),
            "ca_pem is no list of PEM certificates",
        ),
        (
            with_ca("x", grpc("https://127.0.0.1:1")),
            "ca_pem is no list of PEM certificates",
        ),
        (
            with_ca(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                grpc("https://127.0.0.1:1"),
            ),
            "ca_pem is no list of PEM certificates",
        ),
    ];
    let transports = Transports::new();
    for (entry, said) in table {
        let handed = delivery(1, Purpose::Decided);
        let error = transports.deliver(&entry, &handed, PATIENT, now()).await;
        let what = said.to_owned();
        let expected = TransportError::Endpoint { what };
        assert!(!expected.is_retryable());
        assert_eq!(error, Err(expected), "{}", entry.url);
        let shown = error.unwrap_err().to_string();
        assert!(!shown.contains(SECRET) && !shown.contains("@@@"));
    }
}

#[tokio::test]
async fn a_document_that_is_not_the_hubs_own_form_is_the_hubs_fault() {
    let transports = Transports::new();
    let table = [
        (Transport::Grpc, r#"{"message": {"kind": "claim"}}"#),
        (Transport::Grpc, r#"{"answer": {}}"#),
        (Transport::Grpc, "0012345679"),
        (Transport::Rest, "{"),
    ];
    for (wire, document) in table {
        let insurer = Insurer::start(wire, Script::approve()).await;
        let mut handed = delivery(1, Purpose::Decided);
        handed.document = document.to_owned();
        let kept = transports.deliver(&insurer.endpoint, &handed, PATIENT, now());
        let proposal = proposal();
        let asked = transports.decide(&insurer.endpoint, &handed, &proposal, PATIENT, now());
        let errors = [kept.await.unwrap_err(), asked.await.unwrap_err()];
        for error in errors {
            assert!(
                matches!(error, TransportError::Document { .. }),
                "{error:?}"
            );
            assert!(!error.is_retryable() && !error.to_string().contains("0012345679"));
        }
        assert_eq!(insurer.simulator.tally().deliveries, 0);
    }
}
