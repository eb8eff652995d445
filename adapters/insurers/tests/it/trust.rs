//! TLS: the authority that an entry names is trusted, and no other.

use takmil_conformance::insurer::{Script, Setup, Simulator};
use takmil_conformance::tls::Authority;
use takmil_domain::participant::{Endpoint, Purpose};
use takmil_insurers::{Identity, TransportError, Transports};

use crate::fixture::{Insurer, PATIENT, WIRES, delivery, endpoint, now, setup};

#[tokio::test]
async fn only_the_named_authority_is_trusted_and_only_for_its_name() {
    let transports = Transports::new();
    let own = Authority::new("An insurer's authority").unwrap();
    let other = Authority::new("An insurer's authority").unwrap();
    let here = own.issue(&["127.0.0.1", "localhost"]).unwrap();
    let elsewhere = own.issue(&["insurer.example"]).unwrap();
    for wire in WIRES {
        let insurer = |identity| async {
            let setup = Setup {
                identity: Some(identity),
                ..setup(wire)
            };
            let simulator = Simulator::start(setup).await.unwrap();
            let endpoint = endpoint(wire, simulator.url());
            Insurer {
                simulator,
                endpoint,
            }
        };
        let trusting = |insurer: &Insurer, ca_pem: Option<&str>| Endpoint {
            ca_pem: ca_pem.map(str::to_owned),
            ..insurer.endpoint.clone()
        };
        let trusted = insurer(here.clone()).await;
        let misnamed = insurer(elsewhere.clone()).await;
        // With its own authority once before the wrong one and once after: a pooled connection saves nobody.
        let both = format!("{}{}", other.certificate_pem(), own.certificate_pem());
        let table = [
            (&trusted, Some(own.certificate_pem()), true),
            (&trusted, Some(other.certificate_pem()), false),
            (&trusted, None, false),
            (&trusted, Some(&both), true),
            (&misnamed, Some(own.certificate_pem()), false),
        ];
        for (at, (insurer, ca_pem, reached)) in (1..).zip(table) {
            let entry = trusting(insurer, ca_pem);
            let handed = delivery(at, Purpose::Decided);
            match transports.deliver(&entry, &handed, PATIENT, now()).await {
                Ok(_) => assert!(reached, "{wire:?} row {at}"),
                Err(TransportError::Unreachable { cause }) => {
                    assert!(
                        !reached && cause.contains("certificate"),
                        "{wire:?} row {at}: {cause}"
                    );
                }
                Err(error) => panic!("{wire:?} row {at}: {error:?}"),
            }
        }
        assert_eq!(trusted.simulator.tally().deliveries, 2);
        assert_eq!(misnamed.simulator.tally().deliveries, 0);
        trusted.simulator.perform(Script::adjust(10)).await;
        let entry = trusting(&trusted, Some(own.certificate_pem()));
        let asked = Insurer {
            endpoint: entry,
            ..trusted
        };
        asked.ask(&transports, PATIENT).await.unwrap();
        asked.simulator.kill().await;
        asked.ask(&transports, PATIENT).await.unwrap_err();
        asked.simulator.revive().await.unwrap();
        asked.ask(&transports, PATIENT).await.unwrap();
    }
}

#[tokio::test]
async fn an_insurer_that_asks_for_it_sees_the_hubs_own_certificate_the_newest_always() {
    let theirs = Authority::new("An insurer's authority").unwrap();
    let (old, new) = (
        Authority::new("hubs").unwrap(),
        Authority::new("hubs").unwrap(),
    );
    let of = |authority: &Authority| {
        let issued = authority.issue_client("The hub").unwrap();
        Identity::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
    };
    let transports = Transports::new();
    for wire in WIRES {
        let simulator = Simulator::start(Setup {
            identity: Some(theirs.issue(&["127.0.0.1"]).unwrap()),
            clients: Some(new.certificate_pem().to_owned()),
            ..setup(wire)
        });
        let simulator = simulator.await.unwrap();
        let entry = Endpoint {
            ca_pem: Some(theirs.certificate_pem().to_owned()),
            ..endpoint(wire, simulator.url())
        };
        let table = [
            (None, false),
            (Some(of(&old)), false),
            (Some(of(&new)), true),
            (None, false),
        ];
        for (at, (identity, reached)) in (1..).zip(table) {
            transports.show(identity);
            let handed = delivery(at, Purpose::Decided);
            match transports.deliver(&entry, &handed, PATIENT, now()).await {
                Ok(_) => assert!(reached, "{wire:?} row {at}"),
                Err(TransportError::Unreachable { .. }) => assert!(!reached, "{wire:?} row {at}"),
                Err(error) => panic!("{wire:?} row {at}: {error:?}"),
            }
        }
        assert_eq!(simulator.tally().deliveries, 1);
    }
}

#[test]
fn a_certificate_of_another_key_is_no_identity() {
    let authority = Authority::new("hubs").unwrap();
    let issue = || authority.issue_client("The hub").unwrap();
    let (one, other) = (issue(), issue());
    for (certificate, key, fits) in [
        (one.certificate_pem.as_str(), one.key_pem.as_str(), true),
        (&one.certificate_pem, &other.key_pem, false),
        (&one.key_pem, &one.key_pem, false),
        (&one.certificate_pem, "", false),
        ("", "", false),
    ] {
        assert_eq!(Identity::from_pem(certificate, key).is_ok(), fits);
    }
}
