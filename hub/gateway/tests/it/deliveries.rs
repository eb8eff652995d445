//! What the hub owes insurers, as they and those who run it see to it: acknowledged in bulk, listed, delivered again, and
//! what was refused for good.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use takmil_conformance::insurer::{DeliveryStream, HubClient};
use takmil_domain::date;
use takmil_domain::ids::DeliveryId;
use takmil_proto::v1::hub_service_client::HubServiceClient;
use takmil_proto::v1::{self, deliveries_request};
use takmil_store::{Attempt, FileKeys, Outcome, Place as StorePlace, Scope, Store, StoreConfig};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::faults::counted;
use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, Place, claim};
use crate::schemas::conforms;

/// How long something may take that does not depend on anybody's answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends so many claims, each of which is owed to the insurer; gives their ids.
pub(crate) async fn owe(hub: &Hub, name: &str, count: usize) -> BTreeSet<String> {
    let key = hub.place.key(PROVIDER);
    let mut sent = BTreeSet::new();
    for number in 0..count {
        let message = claim(&format!("{name}-{number}"), "MA-2001");
        let answer = hub.send(Method::POST, "/v1/claims", &key, &message).await;
        sent.insert(answer.ok()["id"].as_str().unwrap().to_owned());
    }
    sent
}

fn ids(list: &Value) -> Vec<String> {
    let deliveries = list["deliveries"].as_array().unwrap();
    let id = |one: &Value| one["id"].as_str().unwrap().to_owned();
    deliveries.iter().map(id).collect()
}

#[tokio::test]
async fn many_are_acknowledged_at_once_and_each_row_is_answered() {
    let hub = Hub::start("");
    let insurer = hub.place.key(INSURER);
    owe(&hub, "D", 4).await;
    let owed = hub.get("/v1/deliveries", &insurer).await.ok();
    let [taken, later, refused, decided] = <[String; 4]>::try_from(ids(&owed)).unwrap();
    let message = &owed["deliveries"][3]["message"];
    let decision = json!({"message": message, "reference": "A-1", "verdict": "approve"});
    let mut nonsense = decision.clone();
    nonsense["lines"] = json!([{"seq": 9, "amount": 1}]);
    let acks = json!([
        {"delivery": taken, "outcome": "taken"},
        {"delivery": later, "outcome": "later"},
        {"delivery": refused, "outcome": "refused"},
        {"delivery": decided, "outcome": "taken", "decision": decision},
        {"delivery": decided, "outcome": "taken", "decision": nonsense},
        {"delivery": message, "outcome": "taken"},
        {"delivery": taken, "outcome": "perhaps"},
    ]);
    let path = "/v1/deliveries/ack";
    let results = hub.send(Method::POST, path, &insurer, &acks).await.ok();
    conforms("delivery_ack_results", &results);
    let told = results["results"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|row| match row["problems"][0]["pointer"].as_str() {
            Some(pointer) => pointer.to_owned(),
            None => row["delivery"].as_str().unwrap().to_owned(),
        })
        .collect();
    let expected = [
        taken.as_str(),
        later.as_str(),
        refused.as_str(),
        decided.as_str(),
        "/4/decision/lines",
        "/5/delivery",
        "/6/outcome",
    ];
    assert_eq!(told, expected, "{results}");
    let foreign = hub.place.key(OTHER_INSURER);
    let acks = json!([{"delivery": later, "outcome": "taken"}]);
    let results = hub.send(Method::POST, path, &foreign, &acks).await.ok();
    let pointer = &results["results"][0]["problems"][0]["pointer"];
    assert_eq!(pointer, &json!("/0/delivery"), "{results}");

    let listed = async |state: &str| {
        let path = format!("/v1/deliveries?state={state}");
        let list = hub.get(&path, &insurer).await.ok();
        conforms("delivery_list", &list);
        ids(&list)
    };
    assert_eq!(listed("delivered").await, [taken.clone(), decided.clone()]);
    assert_eq!(listed("dead").await, [""; 0]);
    let all = [taken.clone(), later, refused, decided];
    assert_eq!(listed("all").await, all);
    // Page by page, and for an operator by name.
    let added = ["participant", "add", "operator", "--role", "operator"];
    let operator = hub.place.json(&added)["key"].clone();
    let operator = operator.as_str().unwrap();
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("/v1/deliveries?state=all&insurer={INSURER}&limit=3&after={after}");
        let page = hub.get(&path, operator).await.ok();
        conforms("delivery_list", &page);
        seen.extend(ids(&page));
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, all);
    let health = hub.get("/v1/deliveries/health", &insurer).await.ok();
    conforms("delivery_health", &health);
    let own = &health["insurers"][0];
    assert_eq!((&own["waiting"], &own["delivered"]), (&json!(2), &json!(2)));

    // What was had comes again where the insurer asks for it.
    let one = format!("/v1/deliveries/{taken}/redeliver");
    let foreigner = hub.send(Method::POST, &one, &foreign, &json!({})).await;
    foreigner.is_problem(404, "API-NOT-FOUND");
    let again = hub
        .send(Method::POST, &one, &insurer, &json!({}))
        .await
        .ok();
    conforms("redelivered", &again);
    assert_eq!(again, json!({"deliveries": 1}));
    assert!(listed("owed").await.contains(&taken));
    let stretch = json!({"from": 0, "to": i64::MAX});
    let path = "/v1/deliveries/redeliver";
    let again = hub.send(Method::POST, path, &insurer, &stretch).await.ok();
    assert_eq!(again, json!({"deliveries": 1}), "the other was had, too");
    let unnamed = hub.send(Method::POST, path, operator, &stretch).await;
    unnamed.is_problem(422, "VAL-MISSING");
    let named = json!({"from": 0, "to": i64::MAX, "insurer": INSURER});
    let again = hub.send(Method::POST, path, operator, &named).await.ok();
    assert_eq!(again, json!({"deliveries": 0}));
}

/// Lets an insurer have refused a delivery three times over ten minutes, in a hub that does not run meanwhile.
async fn refuse_for_good(place: &Place, delivery: &str) {
    let keys = FileKeys::read(
        &place.path("takmil.member.keys"),
        place.path("takmil.member.keys.erased"),
    );
    let config = StoreConfig {
        place: StorePlace::File(place.path("takmil.db")),
        readers: 1,
        random: Arc::new(rand::random),
        keys: Arc::new(keys.unwrap()),
    };
    let store = Store::open(&config).await.unwrap();
    let start = date::Instant::parse("2026-11-21T08:30:00Z").unwrap();
    let attempt = |minute: u64| Attempt {
        delivery: DeliveryId::parse(delivery).unwrap(),
        at: start.plus_ms(minute * 60_000),
        outcome: Outcome::Refused {
            next_due: start,
            error: "the insurer does not take the call: http 422".to_owned(),
        },
    };
    let attempts = [0, 5, 10].map(attempt);
    store.record_attempts(&Scope::Hub, &attempts).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_was_refused_for_good_is_seen_and_seen_to_by_people() {
    let mut hub = Hub::start("[telemetry]\nmetrics = \"open\"\n");
    owe(&hub, "D", 3).await;
    let insurer = hub.place.key(INSURER);
    let owed = ids(&hub.get("/v1/deliveries", &insurer).await.ok());
    hub.stop();
    for dead in &owed[..2] {
        refuse_for_good(&hub.place, dead).await;
    }
    let hub = hub.restart();
    let dead = hub.get("/v1/deliveries?state=dead", &insurer).await.ok();
    conforms("delivery_list", &dead);
    assert_eq!(ids(&dead), owed[..2]);
    let error = &dead["deliveries"][0]["error"];
    assert_eq!(
        error,
        &json!("the insurer does not take the call: http 422")
    );
    let left = hub.get("/v1/deliveries", &insurer).await.ok();
    assert_eq!(ids(&left), owed[2..]);
    let metrics = hub.attempt("/metrics").await.unwrap().text;
    let told = format!("takmil_deliveries_dead{{insurer=\"{INSURER}\"}} 2");
    assert!(metrics.lines().any(|line| line == told), "{metrics}");
    let findings = hub.place.run(&["doctor"], "").stdout;
    let findings = String::from_utf8(findings).unwrap();
    assert!(
        findings.contains("deliveries are refused for good"),
        "{findings}"
    );

    // A person says how the insurer knows; a system cannot, and nobody can of what is not dead.
    let path = |delivery: &str| format!("/v1/deliveries/{delivery}/resolve");
    let note = json!({"note": "told by telephone"});
    let person = hub.place.person(INSURER, "Ann", "assessor");
    let post = async |delivery: &str, key: &str, body: &Value| {
        hub.send(Method::POST, &path(delivery), key, body).await
    };
    let system = post(&owed[0], &insurer, &note).await;
    system.is_problem(403, "API-FORBIDDEN");
    let alive = post(&owed[2], &person, &note).await;
    alive.is_problem(404, "API-NOT-FOUND");
    let silent = post(&owed[0], &person, &json!({"note": ""})).await;
    assert_eq!(silent.status.as_u16(), 422);
    assert_eq!(post(&owed[0], &person, &note).await.status.as_u16(), 204);
    let message = dead["deliveries"][0]["message"].as_str().unwrap();
    let way = format!("/v1/messages/{message}");
    let way = hub.get(&way, &hub.place.key(PROVIDER)).await.ok();
    conforms("message_way", &way);
    let told = &way["deliveries"][0]["resolved_note"];
    assert_eq!(told, &json!("told by telephone"), "{way}");

    // The command line does the same.
    let listed = hub
        .place
        .run(&["deliveries", "list", "--state", "dead"], "");
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.starts_with(&owed[1]) && listed.lines().count() == 1,
        "{listed}"
    );
    let health = hub.place.json(&["deliveries", "health"]);
    assert_eq!(
        (&health["waiting"], &health["dead"]),
        (&json!(1), &json!(1))
    );
    let again = hub.place.json(&["deliveries", "redeliver", &owed[1]]);
    assert_eq!(again, json!({"deliveries": 1}));
    let left = hub.get("/v1/deliveries", &insurer).await.ok();
    assert_eq!(
        BTreeSet::from_iter(ids(&left)),
        BTreeSet::from_iter(owed[1..].to_vec())
    );
    let resolve = ["deliveries", "resolve", &owed[1], "--note", "by letter"];
    assert_eq!(hub.place.run(&resolve, "").status.code(), Some(1));
}

fn client(hub: &Hub) -> HubClient {
    let key = hub.place.key(INSURER);
    HubClient::new(&hub.base, Some(hub.certificate()), &key).unwrap()
}

fn ack(delivery_id: &str, outcome: v1::AckOutcome) -> v1::DeliveryAck {
    v1::DeliveryAck {
        delivery_id: delivery_id.to_owned(),
        outcome: outcome.into(),
        ..v1::DeliveryAck::default()
    }
}

/// Reads and acknowledges until the stream has been quiet for a while; gives the messages that it told of.
async fn drain(stream: &mut DeliveryStream, quiet: Duration) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(next) = tokio::time::timeout(quiet, stream.next()).await {
        let delivery = next.unwrap().unwrap().delivery.unwrap();
        let taken = ack(&delivery.delivery_id, v1::AckOutcome::Taken);
        stream.acknowledge(taken).await.unwrap();
        told.push(delivery.message_id);
    }
    told
}

#[tokio::test]
async fn an_acknowledgement_that_is_refused_ends_nothing() {
    let hub = Hub::start("");
    owe(&hub, "D", 2).await;
    let mut stream = client(&hub).deliveries(10).await.unwrap();
    let first = stream.next().await.unwrap().unwrap().delivery.unwrap();
    let second = stream.next().await.unwrap().unwrap().delivery.unwrap();
    let mut decided = ack(&second.delivery_id, v1::AckOutcome::Taken);
    decided.decision = Some(v1::InsurerDecision {
        message_id: first.delivery_id.clone(),
        reference: "A-1".to_owned(),
        verdict: v1::Verdict::Approve.into(),
        ..v1::InsurerDecision::default()
    });
    let table = [
        (
            ack("nonsense", v1::AckOutcome::Taken),
            Some("API-NOT-FOUND"),
        ),
        (
            ack(&first.message_id, v1::AckOutcome::Taken),
            Some("API-NOT-FOUND"),
        ),
        (
            ack(&first.delivery_id, v1::AckOutcome::Unspecified),
            Some("API-PARAMETER"),
        ),
        (ack(&first.delivery_id, v1::AckOutcome::Taken), None),
        (
            ack(&first.delivery_id, v1::AckOutcome::Taken),
            Some("API-NOT-FOUND"),
        ),
        (decided, Some("API-NOT-FOUND")),
    ];
    for (ack, expected) in table {
        let named = ack.delivery_id.clone();
        stream.acknowledge(ack).await.unwrap();
        if let Some(code) = expected {
            let refused = stream.next().await.unwrap().unwrap().refused.unwrap();
            let problem = refused.problem.unwrap();
            assert_eq!((refused.delivery_id, problem.code.as_str()), (named, code));
        }
    }
    let key = hub.place.key(INSURER);
    counted(&hub, &key, "API-NOT-FOUND", 4).await;
    counted(&hub, &key, "API-PARAMETER", 1).await;
    let told = owe(&hub, "E", 1).await;
    let next = stream.next().await.unwrap().unwrap().delivery.unwrap();
    assert!(told.contains(&next.message_id), "the stream goes on");
    for _ in 0..=100 {
        let wrong = ack("nonsense", v1::AckOutcome::Taken);
        if stream.acknowledge(wrong).await.is_err() {
            break;
        }
    }
    let mut end = Ok(None);
    for _ in 0..=101 {
        end = stream.next().await;
        if end.is_err() {
            break;
        }
    }
    assert_eq!(end.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_stream_that_is_not_read_ends_and_loses_nothing() {
    let hub = Hub::start("[limits]\nstream_stall_ms = 500\n");
    // More than the connection holds by itself.
    let owed = owe(&hub, "D", 100).await;
    let (subscribe, said) = mpsc::channel(1);
    let mut stalled = with_little_room(&hub).await;
    let mut stalled = {
        let credit = v1::Subscribe { credit: 1_000 };
        let request = Some(deliveries_request::Request::Subscribe(credit));
        let first = v1::DeliveriesRequest { request };
        subscribe.send(first).await.unwrap();
        let mut request = tonic::Request::new(ReceiverStream::new(said));
        let key = format!("Bearer {}", hub.place.key(INSURER));
        let metadata = request.metadata_mut();
        metadata.insert("authorization", key.parse().unwrap());
        stalled.deliveries(request).await.unwrap().into_inner()
    };
    let first = stalled.message().await.unwrap().unwrap().delivery.unwrap();
    assert!(owed.contains(&first.message_id));
    let mut other = client(&hub).deliveries(1_000).await.unwrap();
    let begun = Instant::now();
    let mut told = Vec::new();
    while told.len() < owed.len() && begun.elapsed() < PATIENCE {
        told.extend(drain(&mut other, Duration::from_millis(500)).await);
    }
    assert_eq!(BTreeSet::from_iter(told.clone()), owed);
    assert_eq!(told.len(), owed.len(), "each once");
    let end = loop {
        match stalled.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it says why it ended"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), tonic::Code::ResourceExhausted);
    counted(&hub, &hub.place.key(INSURER), "API-STALLED", 1).await;
}

/// A client that takes no more than the least before it reads.
async fn with_little_room(hub: &Hub) -> HubServiceClient<Channel> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(hub.certificate()));
    let endpoint = Endpoint::from_shared(hub.base.clone())
        .unwrap()
        .initial_stream_window_size(65_535)
        .tls_config(tls)
        .unwrap();
    HubServiceClient::new(endpoint.connect().await.unwrap())
}

/// Reads both streams of an insurer at two hubs until everything was told of, and for a while longer.
pub(crate) async fn told_by_two(one: &Hub, other: &Hub, count: usize) -> [Vec<String>; 2] {
    let mut streams = [
        client(one).deliveries(7).await.unwrap(),
        client(other).deliveries(7).await.unwrap(),
    ];
    let mut told = [Vec::new(), Vec::new()];
    let begun = Instant::now();
    let quiet = Duration::from_millis(700);
    while told.iter().map(Vec::len).sum::<usize>() < count && begun.elapsed() < PATIENCE {
        let [one, other] = &mut streams;
        let (more, others) = tokio::join!(drain(one, quiet), drain(other, quiet));
        told[0].extend(more);
        told[1].extend(others);
    }
    told
}
