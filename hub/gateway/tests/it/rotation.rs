//! Certificates change while the hub runs: what is open goes on, nothing fails, and what is broken changes nothing.

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use takmil_conformance::insurer::{Setup, Simulator, Wire};
use takmil_conformance::tls::Authority;

use crate::hub::{Caller, Hub, INSURER, PROVIDER, Place, claim};
use crate::sandbox::Sandbox;

/// How long a change may take to be noticed, and then some.
const NOTICED: Duration = Duration::from_secs(15);

/// Waits until a new connection gets an answer, or gets none any more.
async fn until(gets_in: bool, caller: impl Fn() -> Caller) {
    let begun = Instant::now();
    while caller().attempt("/healthz").await.is_some() != gets_in {
        assert!(begun.elapsed() < NOTICED, "the change is not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn readiness(hub: &Hub) -> Value {
    hub.attempt("/readyz").await.unwrap().ok()
}

/// Waits until the hub says that it is degraded, or no longer.
async fn until_degraded(hub: &Hub, degraded: &Value) {
    let begun = Instant::now();
    while readiness(hub).await["degraded"][0]["part"] != *degraded {
        assert!(begun.elapsed() < NOTICED, "{}", readiness(hub).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn new_certificates_come_into_force_while_requests_run_and_none_fails() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let clinic = sandbox.member(&hub, PROVIDER);
    let system = sandbox.member(&hub, INSURER);
    let next = Authority::new("The hub's next authority").unwrap();
    let both = format!(
        "{}{}",
        sandbox.own.certificate_pem(),
        next.certificate_pem()
    );
    let stop = Arc::new(AtomicBool::new(false));

    // A stream that is open all the time, and requests on connections that are kept and on new ones.
    let mut stream = sandbox
        .insurer(&hub, &system)
        .deliveries(1_000)
        .await
        .unwrap();
    let kept = hub.at_partners(&both, Some(&clinic));
    let requests = async {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            let number = format!("R-{sent}");
            let fresh = hub.at_partners(&both, Some(&clinic));
            for caller in [&kept, &fresh] {
                let message = claim(&number, "MA-2001").to_string();
                let answer = caller.raw(reqwest::Method::POST, "/v1/claims", &[], message);
                answer.await.ok();
            }
            sent += 1;
        }
        sent
    };
    let rotation = async {
        // Twice by itself, and twice at once when told.
        for (turn, authority) in [&next, &sandbox.own, &next, &sandbox.own]
            .iter()
            .enumerate()
        {
            sandbox.keep_own(&authority.issue(&["localhost"]).unwrap());
            if turn % 2 == 1 {
                hub.tell_to_look();
            }
            until(true, || {
                hub.at_partners(authority.certificate_pem(), Some(&clinic))
            })
            .await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (sent, ()) = futures::join!(requests, rotation);
    assert!(sent > 10, "{sent}");
    for _ in 0..sent {
        let delivery = tokio::time::timeout(NOTICED, stream.next()).await;
        assert!(delivery.unwrap().unwrap().is_some(), "the stream goes on");
    }
    assert_eq!(readiness(&hub).await, json!({"ready": true}));
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing_and_show() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let clinic = sandbox.member(&hub, PROVIDER);
    let caller = || sandbox.caller(&hub, &clinic);
    let good = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
    let other = sandbox.own.issue(&["localhost"]).unwrap();
    for (file, broken) in [
        ("hub.pem", "no certificate"),
        ("hub.key", &other.key_pem),
        ("clients.pem", ""),
        (
            "revoked.pem",
            "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        ),
    ] {
        let before = good(file);
        sandbox.keep(file, broken);
        hub.tell_to_look();
        until_degraded(&hub, &json!("partners")).await;
        let answer = caller().attempt("/v1/messages").await;
        answer
            .unwrap_or_else(|| panic!("{file}: what was before is in force"))
            .ok();
        sandbox.keep(file, &before);
        until_degraded(&hub, &Value::Null).await;
    }
}

#[tokio::test]
async fn authorities_and_revocation_lists_change_for_new_connections() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let clinic = sandbox.member(&hub, PROVIDER);
    let kept = sandbox.caller(&hub, &clinic);
    kept.attempt("/v1/messages").await.unwrap().ok();

    let list = sandbox.partners.revocation_list(&[&clinic]).unwrap();
    sandbox.keep("revoked.pem", &list);
    until(false, || sandbox.caller(&hub, &clinic)).await;
    kept.attempt("/v1/messages").await.unwrap().ok();

    let next = Authority::new("The partners' next authority").unwrap();
    let newcomer = next.issue_client(PROVIDER).unwrap();
    sandbox.register(&hub, PROVIDER, &newcomer);
    assert!(
        sandbox
            .caller(&hub, &newcomer)
            .attempt("/healthz")
            .await
            .is_none()
    );
    let [authorities, lists] = [
        [sandbox.partners.certificate_pem(), next.certificate_pem()].concat(),
        [list, next.revocation_list(&[]).unwrap()].concat(),
    ];
    sandbox.keep("clients.pem", &authorities);
    sandbox.keep("revoked.pem", &lists);
    hub.tell_to_look();
    until(true, || sandbox.caller(&hub, &newcomer)).await;
    let answer = sandbox
        .caller(&hub, &newcomer)
        .attempt("/v1/messages")
        .await;
    answer.unwrap().ok();
}

#[tokio::test]
async fn the_port_for_all_takes_new_certificates_too() {
    let hub = Hub::start("");
    let next = Authority::new("The hub's next authority").unwrap();
    let identity = next.issue(&["localhost"]).unwrap();
    // One after the other, and neither of both fits what is there.
    std::fs::write(hub.place.path("server.key"), &identity.key_pem).unwrap();
    hub.tell_to_look();
    until_degraded(&hub, &json!("tls")).await;
    std::fs::write(hub.place.path("server.pem"), &identity.certificate_pem).unwrap();
    until_degraded(&hub, &Value::Null).await;
    let caller = hub.trusting(next.certificate_pem());
    assert_eq!(caller.attempt("/healthz").await.unwrap().text, "ok\n");
}

#[tokio::test]
async fn an_insurer_is_shown_the_certificate_that_the_hub_has_now() {
    let sandbox = Sandbox::new();
    let insurers = Authority::new("The insurer's authority").unwrap();
    let simulator = Simulator::start(Setup {
        identity: Some(insurers.issue(&["127.0.0.1"]).unwrap()),
        clients: Some(insurers.certificate_pem().to_owned()),
        ..Setup::new(INSURER, Wire::Grpc)
    });
    let simulator = simulator.await.unwrap();
    let keep = |authority: &Authority| {
        let shown = authority.issue_client("The hub").unwrap();
        sandbox.keep("shown.key", &shown.key_pem);
        sandbox.keep("shown.pem", &shown.certificate_pem);
    };
    keep(&sandbox.own);
    let config = format!(
        "[partners]\nclient_certificate_file = {:?}\nclient_key_file = {:?}\n",
        sandbox.path("shown.pem"),
        sandbox.path("shown.key")
    );
    let place = Place::new(&config);
    place.fill();
    let entry = json!({"id": INSURER, "title": "Mutuelle Atlas", "role": "insurer", "currency": "MAD",
        "identifiers": [{"system": "urn:takmil:sample:insurer", "value": "MA-MUTUELLE"}],
        "contract": {"mode": "delegated", "endpoint": {
            "transport": "grpc", "url": simulator.url(), "ca_pem": insurers.certificate_pem()}}});
    std::fs::write(place.path("insurer.json"), entry.to_string()).unwrap();
    let document = place.path("insurer.json");
    place.json(&[
        "participant",
        "add",
        "--document",
        document.to_str().unwrap(),
    ]);
    let hub = Hub::on(place);
    let key = hub.place.key(PROVIDER);
    let message = claim("T-1", "MA-2001");
    let path = "/v1/claims";
    let paid = hub
        .send(reqwest::Method::POST, path, &key, &message)
        .await
        .ok();
    let way = format!("/v1/messages/{}", paid["id"].as_str().unwrap());
    let begun = Instant::now();
    let delivery = async || hub.get(&way, &key).await.ok()["deliveries"][0].clone();
    while delivery().await["attempts"].as_array().unwrap().is_empty() {
        assert!(begun.elapsed() < NOTICED);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(simulator.tally().deliveries, 0, "its authority is another");

    keep(&insurers);
    hub.tell_to_look();
    while delivery().await["delivered_at"].is_null() {
        assert!(begun.elapsed() < 2 * NOTICED, "{}", delivery().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(simulator.tally().deliveries, 1);
}
