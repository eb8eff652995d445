//! TLS: the authority that an entry names is trusted, and no other.

use takmil_conformance::insurer::{Script, Setup, Simulator};
use takmil_conformance::tls::Authority;
use takmil_domain::participant::{Endpoint, Purpose};
use takmil_insurers::{TransportError, Transports};

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
