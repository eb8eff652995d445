//! The partner port: who shows a certificate is who has registered it, on every face; and nobody else gets in.

use reqwest::{Method, Version};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use takmil_conformance::insurer::HubClient;
use takmil_conformance::tls::{Authority, Identity};
use takmil_proto::v1;
use tonic::Code;

use crate::hub::{Caller, Hub, INSURER, OTHER_PROVIDER, PROVIDER, Place, bill, claim};
use crate::sandbox::Sandbox;

/// How long a hub may remember the holder of a credential, and then some.
const FORGOTTEN: Duration = Duration::from_secs(15);

fn pre_authorisation(number: &str) -> Value {
    let mut message = claim(number, "MA-2001");
    message["kind"] = json!("preauthorization");
    message["preauthorization"] = json!({"bill": bill("NS110", 700_000)});
    message.as_object_mut().unwrap().remove("claim");
    message
}

impl Caller {
    /// Sends a message without a key.
    async fn post(&self, path: &str, message: &Value) -> crate::hub::Answer {
        self.raw(Method::POST, path, &[], message.to_string()).await
    }
}

#[tokio::test]
async fn provider_and_insurer_do_all_their_work_by_certificate() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let clinic = sandbox.member(&hub, PROVIDER);
    let insurer = sandbox.insurer(&hub, &sandbox.member(&hub, INSURER));

    let cover = v1::Coverage {
        role: v1::InsurerRole::Supplementary.into(),
        policy: "G-1".to_owned(),
        certificate: "G-1-1".to_owned(),
        member: Some(v1::Member {
            identifiers: vec![v1::Identifier {
                system: "urn:takmil:sample:member".to_owned(),
                value: "P-1".to_owned(),
            }],
            ..v1::Member::default()
        }),
        plan_id: "ma-mutuelle-360".to_owned(),
        start: "2025-01-01".to_owned(),
        ..v1::Coverage::default()
    };
    let taken = insurer.upsert_coverages(vec![cover]).await.unwrap();
    use v1::upsert_coverages_response::Result as Enrolled;
    assert!(
        matches!(taken[0].result, Some(Enrolled::Taken(_))),
        "{taken:?}"
    );

    // The provider's claim of that member, by both versions of HTTP on the one port.
    let new = sandbox.caller(&hub, &clinic);
    let old = hub.at_partners_over_http1(sandbox.own.certificate_pem(), &clinic);
    let paid = new.post("/v1/claims", &claim("C-1", "P-1")).await;
    let again = old.post("/v1/claims", &claim("C-1", "P-1")).await;
    assert_eq!(
        (paid.version, again.version),
        (Version::HTTP_2, Version::HTTP_11)
    );
    assert_eq!(paid.ok(), again.ok());
    let share = &paid.ok()["decision"]["totals"]["supplementary"][0][0];
    assert_eq!(share, &json!(INSURER));

    // The insurer fetches what it is owed, decides what waits for it, and the provider sees the decision.
    let asked = new
        .post("/v1/preauthorizations", &pre_authorisation("W-1"))
        .await
        .ok();
    assert_eq!(asked["state"], json!("pended"), "{asked}");
    let id = asked["id"].as_str().unwrap().to_owned();
    let mut stream = insurer.deliveries(10).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let delivery = stream.next().await.unwrap().unwrap().delivery.unwrap();
        let ack = v1::DeliveryAck {
            delivery_id: delivery.delivery_id.clone(),
            outcome: v1::AckOutcome::Taken.into(),
            ..v1::DeliveryAck::default()
        };
        stream.acknowledge(ack).await.unwrap();
        told.push(delivery.message_id);
    }
    assert!(told.contains(&id), "{told:?}");
    let decision = v1::InsurerDecision {
        message_id: id.clone(),
        reference: "W-1".to_owned(),
        verdict: v1::Verdict::Approve.into(),
        ..v1::InsurerDecision::default()
    };
    let decided = insurer.submit_decisions(vec![decision]).await.unwrap();
    use v1::submit_decisions_response::Result as Decided;
    let Some(Decided::Taken(taken)) = &decided[0].result else {
        panic!("{decided:?}")
    };
    let receipt: Value = serde_json::from_str(&taken.receipt).unwrap();
    assert!(receipt["leaf"].is_string(), "{receipt}");
    let way = new
        .attempt(&format!("/v1/messages/{id}"))
        .await
        .unwrap()
        .ok();
    assert_eq!(
        way["answer"]["decision"]["decided_by"],
        json!("insurer"),
        "{way}"
    );

    // Each stays in its role.
    new.raw(Method::PUT, "/v1/coverages", &[], "[]")
        .await
        .is_problem(403, "API-FORBIDDEN");
    let provider = sandbox.insurer(&hub, &clinic);
    let refused = provider.upsert_coverages(Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn where_keys_open_nothing_for_systems_they_still_do_for_people() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let provider = hub.place.key(PROVIDER);
    hub.send(
        Method::POST,
        "/v1/claims",
        &provider,
        &claim("K-1", "MA-2001"),
    )
    .await
    .is_problem(403, "API-NO-CERTIFICATE");
    hub.get("/v1/messages", &provider)
        .await
        .is_problem(403, "API-NO-CERTIFICATE");
    let key = hub.place.key(INSURER);
    let client = HubClient::new(&hub.base, Some(hub.certificate()), &key).unwrap();
    let refused = client.deliveries(1).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(
        refused.message().starts_with("API-NO-CERTIFICATE: "),
        "{refused}"
    );

    let approver = hub.place.person(INSURER, "Amal", "approver");
    assert_eq!(
        hub.get("/v1/approvals", &approver).await.ok()["approvals"],
        json!([])
    );
    let operator = hub
        .place
        .json(&["participant", "add", "operations", "--role", "operator"]);
    let metrics = hub.get("/metrics", operator["key"].as_str().unwrap()).await;
    assert_eq!(metrics.status.as_u16(), 200, "{}", metrics.text);
}

#[tokio::test]
async fn keys_from_this_machine_open_where_only_they_may() {
    let place = Place::new("");
    place.fill();
    let hub = Hub::with(place, &[("TAKMIL_LISTEN__API_KEYS", "loopback")]);
    let key = hub.place.key(PROVIDER);
    hub.send(Method::POST, "/v1/claims", &key, &claim("L-1", "MA-2001"))
        .await
        .ok();
}

#[tokio::test]
async fn a_person_speaks_through_its_participants_own_system_alone() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let system = sandbox.caller(&hub, &sandbox.member(&hub, INSURER));
    let refuse = "/v1/approvals/0195f2a0-0000-7000-8000-000000000000/refuse";
    let approver = hub.place.person(INSURER, "Amal", "approver");
    // Let in, and there is no such proposal.
    system
        .send(Method::POST, refuse, &approver, &json!({}))
        .await
        .is_problem(404, "API-NOT-FOUND");
    system
        .post(refuse, &json!({}))
        .await
        .is_problem(403, "API-FORBIDDEN");
    for key in [&hub.place.key(PROVIDER), "tk_guessed", "guessed"] {
        system
            .get("/v1/approvals", key)
            .await
            .is_problem(401, "API-CREDENTIALS");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_good_does_not_get_in() {
    let sandbox = Sandbox::new();
    let taken_back = sandbox.partners.issue_client("taken back").unwrap();
    let list = sandbox.partners.revocation_list(&[&taken_back]).unwrap();
    sandbox.keep("revoked.pem", &list);
    let hub = sandbox.hub();
    let foreign = Authority::new("The partners' authority").unwrap();
    let good = sandbox.member(&hub, PROVIDER);
    let expired = sandbox.partners.issue_expired_client(PROVIDER).unwrap();
    let foreign = foreign.issue_client(PROVIDER).unwrap();
    let server = sandbox.partners.issue(&["localhost"]).unwrap();
    // Registered or not, what the handshake refuses is not let in.
    for identity in [&expired, &foreign, &taken_back, &server] {
        sandbox.register(&hub, PROVIDER, identity);
    }
    for (what, shown, gets_in) in [
        ("good", Some(&good), true),
        ("none", None, false),
        ("expired", Some(&expired), false),
        ("of a foreign authority", Some(&foreign), false),
        ("taken back by its authority", Some(&taken_back), false),
        ("a server's", Some(&server), false),
    ] {
        let caller = hub.at_partners(sandbox.own.certificate_pem(), shown);
        let answer = caller.attempt("/healthz").await;
        assert_eq!(answer.is_some(), gets_in, "{what}: {answer:?}");
        let Some(shown) = shown else { continue };
        let called = sandbox
            .insurer(&hub, shown)
            .upsert_coverages(Vec::new())
            .await;
        let code = called.unwrap_err().code();
        let turned_away = code == Code::PermissionDenied;
        assert_eq!(turned_away, gets_in, "{what}: {code:?}");
    }
}

#[tokio::test]
async fn whoever_nobody_knows_is_told_so_on_every_operation_that_is_not_open() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let stranger = sandbox.partners.issue_client("stranger").unwrap();
    let shown = sandbox.caller(&hub, &stranger);
    let interface = hub.raw(Method::GET, "/openapi.json", &[], "").await.ok();
    let mut closed = 0;
    for (path, item) in interface["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{id}", "1").replace("{name}", "claim");
            let nothing = hub.raw(method.clone(), &path, &[], "").await;
            let unknown = shown.raw(method.clone(), &path, &[], "").await;
            let told = [nothing, unknown].map(|answer| {
                let code = match path.starts_with("/fhir") {
                    true => answer.text.clone(),
                    false => answer.text.parse::<Value>().unwrap_or_default()["code"].to_string(),
                };
                (answer.status.as_u16(), code)
            });
            let [(nothing, credentials), (unknown, certificate)] = told;
            if operation.get("security").is_some() {
                assert!(nothing != 401 && unknown != 401, "{method} {path}");
                continue;
            }
            closed += 1;
            assert_eq!((nothing, unknown), (401, 401), "{method} {path}");
            assert!(
                credentials.contains("API-CREDENTIALS"),
                "{method} {path}: {credentials}"
            );
            assert!(
                certificate.contains("API-CERTIFICATE"),
                "{method} {path}: {certificate}"
            );
        }
    }
    assert!(closed > 25, "{closed}");

    let client = sandbox.insurer(&hub, &stranger);
    let told = [
        client
            .upsert_coverages(Vec::new())
            .await
            .map(|_| ())
            .unwrap_err(),
        client
            .submit_decisions(Vec::new())
            .await
            .map(|_| ())
            .unwrap_err(),
        client.deliveries(1).await.map(|_| ()).unwrap_err(),
    ];
    for status in told {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(
            status.message().starts_with("API-CERTIFICATE: "),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_revoked_certificate_opens_nothing_more_and_its_open_streams_end() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let (clinic, system) = (
        sandbox.member(&hub, PROVIDER),
        sandbox.member(&hub, INSURER),
    );
    let (caller, insurer) = (
        sandbox.caller(&hub, &clinic),
        sandbox.insurer(&hub, &system),
    );
    caller.attempt("/v1/messages").await.unwrap().ok();
    let mut stream = insurer.deliveries(1).await.unwrap();
    for identity in [&clinic, &system] {
        let file = sandbox.file(identity);
        let revoked = hub
            .place
            .json(&["participant", "revoke", "--certificate", &file]);
        assert_eq!(revoked, json!({"revoked": true}));
    }
    let begun = Instant::now();
    let ended = tokio::time::timeout(FORGOTTEN, stream.next())
        .await
        .expect("the stream ends");
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
    while caller
        .attempt("/v1/messages")
        .await
        .unwrap()
        .status
        .is_success()
    {
        assert!(begun.elapsed() < FORGOTTEN);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    caller
        .attempt("/v1/messages")
        .await
        .unwrap()
        .is_problem(401, "API-CERTIFICATE");
}

#[tokio::test]
async fn a_certificate_is_known_by_its_key_and_so_is_the_next_on_it() {
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let first = sandbox.member(&hub, PROVIDER);
    let renewed = sandbox.partners.renew_client(PROVIDER, &first).unwrap();
    assert_ne!(first.certificate_pem, renewed.certificate_pem);
    let caller = sandbox.caller(&hub, &renewed);
    caller.attempt("/v1/messages").await.unwrap().ok();
    let key = sandbox.file(&first);
    let again = ["participant", "certificate", OTHER_PROVIDER, "--file", &key];
    let taken = hub.place.run(&again, "");
    assert_eq!(taken.status.code(), Some(3), "a key is one participant's");
    let nothing = sandbox.path("hub.key");
    let nothing = [
        "participant",
        "certificate",
        PROVIDER,
        "--file",
        nothing.to_str().unwrap(),
    ];
    assert_eq!(hub.place.run(&nothing, "").status.code(), Some(3));
}

#[tokio::test]
async fn the_silent_keep_nobody_waiting() {
    const SILENT: usize = 200;
    let sandbox = Sandbox::new();
    let hub = sandbox.hub();
    let caller = sandbox.caller(&hub, &sandbox.member(&hub, PROVIDER));
    let port = hub.partners().rsplit(':').next().unwrap();
    let port = port.parse::<u16>().unwrap();
    let mut silent: Vec<_> = (0..SILENT)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    caller.attempt("/v1/messages").await.unwrap().ok();
    // The others were at their handshakes meanwhile, and are until their time is up.
    for socket in &mut silent {
        socket.set_nonblocking(true).unwrap();
        let waits = socket.read(&mut [0; 16]).unwrap_err().kind();
        assert_eq!(waits, ErrorKind::WouldBlock);
        socket.set_nonblocking(false).unwrap();
    }
    for mut socket in silent {
        socket.set_read_timeout(Some(FORGOTTEN)).unwrap();
        let heard = socket.read(&mut [0; 16]);
        assert_eq!(heard.unwrap_or(0), 0, "the connection ends");
    }
}

#[tokio::test]
async fn the_sandbox_command_makes_all_that_a_trial_needs() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = crate::hub::run(
        &[
            "sandbox",
            "certificates",
            folder.path().to_str().unwrap(),
            PROVIDER,
            "--json",
        ],
        "",
    );
    assert_eq!(
        made.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["files"].as_array().unwrap().len(), 5);
    let config = format!(
        "[partners]\naddress = \"127.0.0.1:0\"\ncertificate_file = {:?}\nkey_file = {:?}\nclient_authority_files = [{:?}]\n",
        at("hub.pem"),
        at("hub.key"),
        at("ca.pem")
    );
    let hub = Hub::start(&config);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let identity = Identity {
        certificate_pem: read(&format!("{PROVIDER}.pem")),
        key_pem: read(&format!("{PROVIDER}.key")),
    };
    let file = at(&format!("{PROVIDER}.pem"));
    hub.place.json(&[
        "participant",
        "certificate",
        PROVIDER,
        "--file",
        file.to_str().unwrap(),
    ]);
    let caller = hub.at_partners(&read("ca.pem"), Some(&identity));
    let paid = caller
        .post("/v1/claims", &claim("S-1", "MA-2001"))
        .await
        .ok();
    assert_eq!(paid["state"], json!("decided"), "{paid}");
}
