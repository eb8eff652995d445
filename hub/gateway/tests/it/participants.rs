//! Who talks to the hub is an entry that operators keep while it runs: insurers, their contracts, and the secrets of their
//! webhooks.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use takmil_conformance::insurer::{Script, Setup, Simulator, Wire};

use crate::hub::{Hub, INSURER, PROVIDER, claim};
use crate::schemas::conforms;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn operator(hub: &Hub) -> String {
    let arguments = ["participant", "add", "op", "--role", "operator"];
    let added = hub.place.json(&arguments);
    added["key"].as_str().unwrap().to_owned()
}

async fn simulator(id: &str, secret: Option<&str>) -> Simulator {
    let wire = match secret {
        Some(secret) => Wire::Rest {
            secret: secret.to_owned(),
        },
        None => Wire::Grpc,
    };
    Simulator::start(Setup::new(id, wire)).await.unwrap()
}

fn entry(id: &str, contract: Value) -> Value {
    json!({"id": id, "title": id, "role": "insurer", "currency": "MAD", "contract": contract})
}

fn rest(simulator: &Simulator) -> Value {
    json!({"transport": "rest", "url": simulator.url()})
}

fn with_secret(mut endpoint: Value) -> Value {
    endpoint["secret"] = json!(SECRET);
    endpoint
}

pub(crate) async fn put(hub: &Hub, key: &str, id: &str, contract: Value) -> Value {
    let path = format!("/v1/participants/{id}");
    let answer = hub
        .send(Method::PUT, &path, key, &entry(id, contract))
        .await;
    let shown = answer.ok();
    conforms("participant_entry", &shown);
    assert!(!answer.text.contains("whsec_"), "{}", answer.text);
    shown
}

async fn take(hub: &Hub, key: &str, number: &str) -> Value {
    let claim = claim(number, "MA-2001");
    hub.send(Method::POST, "/v1/claims", key, &claim).await.ok()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn an_entry_is_kept_and_counts_while_the_hub_runs() {
    let hub = Hub::start("");
    let (operator, provider) = (operator(&hub), hub.place.key(PROVIDER));
    let made = hub
        .send(
            Method::PUT,
            "/v1/participants/ma-neuf",
            &operator,
            &entry("ma-neuf", json!({"mode": "delegated"})),
        )
        .await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let key = made.json()["key"].as_str().unwrap().to_owned();
    hub.get("/v1/deliveries", &key).await.ok();
    let again = put(&hub, &operator, "ma-neuf", json!({"mode": "delegated"})).await;
    assert!(again.get("key").is_none(), "shown once");

    // From delegated to consulted, without a restart.
    let first = take(&hub, &provider, "P-1").await;
    assert_eq!(first["decision"]["decided_by"], json!("hub"));
    let insurer = simulator(INSURER, Some(SECRET)).await;
    let contract =
        |endpoint: Value| json!({"mode": "consulted", "deadline_ms": 5_000, "endpoint": endpoint});
    let shown = put(
        &hub,
        &operator,
        INSURER,
        contract(with_secret(rest(&insurer))),
    )
    .await;
    assert!(
        shown["participant"]["contract"]["endpoint"]
            .get("secret")
            .is_none()
    );
    insurer.perform(Script::adjust(50)).await;
    let asked = take(&hub, &provider, "P-2").await;
    assert_eq!(asked["decision"]["decided_by"], json!("insurer"));
    // A secret that is left out stays.
    put(&hub, &operator, INSURER, contract(rest(&insurer))).await;
    let asked = take(&hub, &provider, "P-3").await;
    assert_eq!(asked["decision"]["decided_by"], json!("insurer"));
    assert_eq!(insurer.tally().forged, 0);

    let list = hub.get("/v1/participants", &operator).await;
    conforms("participant_list", &list.ok());
    assert!(!list.text.contains("whsec_") && list.text.contains("ma-neuf"));
    let one = hub.get("/v1/participants/ma-neuf", &operator).await.ok();
    assert_eq!(one["participant"]["id"], json!("ma-neuf"));
    hub.get("/v1/participants/nobody", &operator)
        .await
        .is_problem(404, "API-NOT-FOUND");
    for key in [&key, &provider] {
        hub.get("/v1/participants", key)
            .await
            .is_problem(403, "API-FORBIDDEN");
        let own = entry("ma-neuf", json!({"mode": "delegated"}));
        let refused = hub
            .send(Method::PUT, "/v1/participants/ma-neuf", key, &own)
            .await;
        refused.is_problem(403, "API-FORBIDDEN");
    }
}

#[tokio::test]
async fn what_the_command_line_refuses_is_refused_here_with_its_place() {
    let hub = Hub::start("");
    let operator = operator(&hub);
    let path = "/v1/participants/ma-neuf";
    let live = json!({"mode": "delegated", "eligibility": "live"});
    let late = json!({"mode": "consulted", "deadlines": {"claim": 60_000}});
    for (body, pointer) in [
        (entry("ma-neuf", live), "/contract/eligibility"),
        (entry("ma-neuf", late), "/contract/deadlines/claim"),
        (entry("another", json!({"mode": "delegated"})), "/id"),
        (
            entry("ma-neuf", json!({"mode": "perhaps"})),
            "/contract/mode",
        ),
        (json!({"id": "ma-neuf", "title": "x"}), "/role"),
    ] {
        let refused = hub.send(Method::PUT, path, &operator, &body).await;
        assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
        assert_eq!(refused.json()["pointer"], json!(pointer));
    }
    hub.get(path, &operator)
        .await
        .is_problem(404, "API-NOT-FOUND");
}

#[tokio::test]
async fn while_a_secret_changes_no_receiver_refuses() {
    let hub = Hub::start("");
    let (operator, provider) = (operator(&hub), hub.place.key(PROVIDER));
    let own = hub.place.key(INSURER);
    let before = simulator(INSURER, Some(SECRET)).await;
    let contract =
        |simulator: &Simulator| json!({"mode": "delegated", "endpoint": rest(simulator)});
    let mut first = contract(&before);
    first["endpoint"] = with_secret(rest(&before));
    put(&hub, &operator, INSURER, first).await;
    take(&hub, &provider, "S-1").await;
    until("it is delivered", || before.tally().deliveries == 1).await;

    // The insurer changes its own; who knows the old secret alone still believes the hub.
    let path = format!("/v1/participants/{INSURER}/secret");
    let rotated = hub.send(Method::POST, &path, &own, &json!({})).await.ok();
    conforms("secret_rotated", &rotated);
    take(&hub, &provider, "S-2").await;
    until("the old secret counts", || before.tally().deliveries == 2).await;
    // So does who knows the new one alone.
    let after = simulator(INSURER, rotated["secret"].as_str()).await;
    put(&hub, &operator, INSURER, contract(&after)).await;
    take(&hub, &provider, "S-3").await;
    until("the new secret counts", || after.tally().deliveries >= 1).await;
    assert_eq!((before.tally().forged, after.tally().forged), (0, 0));
    let shown = hub
        .get(&format!("/v1/participants/{INSURER}"), &operator)
        .await
        .ok();
    assert!(shown["former_secret_until"].is_i64() || shown["former_secret_until"].is_string());

    // Without an overlap the one before is worth nothing at once; the command does the same as the address.
    let none = json!({"overlap_hours": 0});
    hub.send(Method::POST, &path, &operator, &none).await.ok();
    take(&hub, &provider, "S-4").await;
    until("it is not believed", || after.tally().forged > 0).await;
    let by_command = hub
        .place
        .json(&["participant", "rotate", INSURER, "--overlap", "1"]);
    assert!(by_command["secret"].as_str().unwrap().starts_with("whsec_"));

    let long = json!({"overlap_hours": 10_000});
    hub.send(Method::POST, &path, &own, &long)
        .await
        .is_problem(422, "VAL-RANGE");
    let foreign = hub.send(Method::POST, &path, &provider, &none).await;
    foreign.is_problem(404, "API-NOT-FOUND");
    let silent = hub
        .send(
            Method::POST,
            "/v1/participants/ma-assur/secret",
            &operator,
            &none,
        )
        .await;
    silent.is_problem(404, "API-NOT-FOUND");
}

#[tokio::test]
async fn a_base_insurer_is_asked_for_its_share_and_the_others_complete_it() {
    let hub = Hub::start("");
    let (operator, provider) = (operator(&hub), hub.place.key(PROVIDER));
    let base = simulator("ma-caisse", None).await;
    let endpoint = json!({"transport": "grpc", "url": base.url()});
    let contract = json!({"mode": "consulted", "deadline_ms": 5_000, "endpoint": endpoint});
    let computed = take(&hub, &provider, "B-1").await;
    put(&hub, &operator, "ma-caisse", contract).await;
    base.perform(Script::adjust(25)).await;
    let asked = take(&hub, &provider, "B-2").await;
    let base_of = |answer: &Value| answer["decision"]["totals"]["base"].as_i64().unwrap();
    let part = base_of(&computed);
    assert!(part > 0);
    assert_eq!(base_of(&asked), part * 3 / 4);
    let sum = |answer: &Value| {
        let totals = &answer["decision"]["totals"];
        ["base", "written_off", "member"]
            .iter()
            .map(|name| totals[name].as_i64().unwrap())
            .sum::<i64>()
            + totals["supplementary"][0][1].as_i64().unwrap()
    };
    assert_eq!(sum(&asked), sum(&computed));
    assert_eq!(
        base.received()[0].share,
        part,
        "the computed part is the proposal"
    );
    // The stored decision comes out again, and is told.
    let id = asked["id"].as_str().unwrap();
    let derived = hub.place.json(&["adjudicate", "--decision", id]);
    assert_eq!(derived["same"], json!(true), "{derived}");
    let path = format!("/v1/decisions/{id}/explanation?lang=en");
    let told = hub.get(&path, &provider).await;
    assert!(
        told.text.contains("as it said itself when it was asked"),
        "{}",
        told.text
    );
    base.kill().await;
    let silent = take(&hub, &provider, "B-3").await;
    assert_eq!(base_of(&silent), part);
    assert!(
        silent["reasons"]
            .as_array()
            .unwrap()
            .contains(&json!("BASE-SILENT"))
    );

    // What it says late is noted, and changes nothing; of what it was not asked it sees nothing.
    let own = hub.place.key("ma-caisse");
    let late = |id: &Value| json!({"message": id, "reference": "L-1", "verdict": "refuse"});
    let said = late(&silent["id"]);
    let noted = hub
        .send(Method::POST, "/v1/decisions", &own, &said)
        .await
        .ok();
    let told = (&noted["state"], &noted["under_review"]);
    assert_eq!(told, (&json!("decided"), &json!(false)));
    assert!(noted.get("receipt").is_some());
    let unasked = late(&computed["id"]);
    let unasked = hub
        .send(Method::POST, "/v1/decisions", &own, &unasked)
        .await;
    unasked.is_problem(404, "API-NOT-FOUND");
}
