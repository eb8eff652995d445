//! A provider asks about its requests for leave: by number, by its own identifiers, by member, provider and days.

use serde_json::{Value, json};
use takmil_domain::life::State;
use takmil_domain::message::{Kind, Message};
use takmil_engine::RequestsFound;
use takmil_store::{MessageFilter, Scope};

use crate::rig::{Insurer, Rig, following, from, insurer_id, message};

fn request(number: &str, day: &str, provider: &str) -> Value {
    let bill = json!({"lines": [{
        "seq": 1, "item": {"source": {"system": "urn:test:services", "code": "MRI1"}},
        "quantity": "1", "billed": 100, "serviced": {"start": day, "end": day},
    }]});
    let mut request = message("preauthorization", number, json!({"bill": bill}));
    request["provider"] =
        json!({"identifiers": [{"system": "urn:test:licence", "value": provider}]});
    request
}

/// A question that names nothing, with `changes` merged into it.
fn example(changes: Value) -> Message {
    let mut example =
        json!({"kind": "preauthorization", "preauthorization": {"bill": {"lines": []}}});
    for (key, value) in changes.as_object().unwrap() {
        example[key] = value.clone();
    }
    from(example)
}

fn member(value: &str) -> Value {
    json!({"identifiers": [{"system": "urn:test:member", "value": value}]})
}

fn numbers(values: &[&str]) -> Value {
    let number = |value| json!({"system": "urn:test:messages", "value": value});
    values.iter().copied().map(number).collect()
}

fn serviced(start: &str, end: &str) -> Value {
    let mut line = json!({"seq": 1, "item": {"text": "any"}});
    line["serviced"] = json!({"start": start, "end": end});
    json!({"bill": {"lines": [line]}})
}

/// The sender's numbers of what was found, in the order found.
fn told(found: &RequestsFound) -> Vec<String> {
    let requests = found.requests.iter();
    let first = requests.map(|own| own.message.head.identifiers[0].value.clone());
    first.collect()
}

async fn rig() -> Rig {
    Rig::new(&[(Insurer::Delegated, 100_000)]).await
}

async fn asked(rig: &Rig, changes: Value) -> Vec<String> {
    let sender = &rig.provider().id;
    let found = rig.engine.inquire(sender, &example(changes)).await.unwrap();
    assert!(!found.is_cut);
    told(&found)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_found_by_what_the_question_names_and_by_nothing_else() {
    let rig = rig().await;
    let first = rig.take(request("R-1", "2026-11-10", "P-1")).await;
    rig.take(request("R-2", "2026-11-20", "P-2")).await;
    let mut of_other = request("R-3", "2026-11-20", "P-1");
    of_other["member"] = member("m-2");
    rig.take(of_other).await;
    // Not a request, and not this provider's.
    rig.take(message("claim", "R-4", json!({"bill": {"lines": []}})))
        .await;
    rig.take_of("other", request("R-1", "2026-11-10", "P-1"))
        .await;
    let number = first.id.to_string();
    let provider =
        |value: &str| json!({"identifiers": [{"system": "urn:test:licence", "value": value}]});
    let by_line =
        json!({"bill": {"lines": [{"seq": 1, "item": {"text": "any"}, "authorisation": number}]}});
    let table = [
        (json!({"identifiers": numbers(&["R-1"])}), vec!["R-1"]),
        (
            json!({"identifiers": numbers(&["R-1", "R-3"])}),
            vec!["R-3", "R-1"],
        ),
        (json!({"identifiers": numbers(&["R-4"])}), vec![]),
        (json!({"identifiers": numbers(&["R-9"])}), vec![]),
        // The number of what was granted, wherever it stands.
        (json!({"identifiers": [{"value": number}]}), vec!["R-1"]),
        (
            json!({"identifiers": [{"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{number}")}]}),
            vec!["R-1"],
        ),
        (json!({"preauthorization": by_line}), vec!["R-1"]),
        (
            json!({"coverages": [{"authorisations": [number]}]}),
            vec!["R-1"],
        ),
        (
            json!({"coverages": [{"authorisations": ["A-1"]}], "member": member("m-1")}),
            vec![],
        ),
        // The member, and what narrows it.
        (json!({"member": member("m-1")}), vec!["R-2", "R-1"]),
        (json!({"member": member("m-2")}), vec!["R-3"]),
        (json!({"member": member("m-9")}), vec![]),
        (json!({}), vec![]),
        (
            json!({"member": member("m-1"), "provider": provider("P-2")}),
            vec!["R-2"],
        ),
        (
            json!({"member": member("m-1"), "provider": provider("P-9")}),
            vec![],
        ),
        (
            json!({"member": member("m-1"), "preauthorization": serviced("2026-11-01", "2026-11-10")}),
            vec!["R-1"],
        ),
        (
            json!({"member": member("m-1"), "preauthorization": serviced("2026-11-11", "2026-11-19")}),
            vec![],
        ),
        (
            json!({"member": member("m-1"), "preauthorization": serviced("2026-11", "2026-11")}),
            vec!["R-2", "R-1"],
        ),
        // What is named is of another member, or provider.
        (
            json!({"identifiers": numbers(&["R-1"]), "member": member("m-2")}),
            vec![],
        ),
        (
            json!({"identifiers": numbers(&["R-1"]), "provider": provider("P-2")}),
            vec![],
        ),
        // Who is not known to the hub narrows nothing.
        (
            json!({"identifiers": numbers(&["R-1"]), "member": member("m-9")}),
            vec!["R-1"],
        ),
    ];
    for (changes, expected) in table {
        assert_eq!(asked(&rig, changes.clone()).await, expected, "{changes}");
    }
    let stranger = insurer_id("stranger");
    let by_id = example(json!({"identifiers": [{"value": number}]}));
    let found = rig.engine.inquire(&stranger, &by_id).await.unwrap();
    assert_eq!(found.requests, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_is_told_with_what_stands_in_its_place() {
    let rig = rig().await;
    let first = rig.take(request("R-1", "2026-11-10", "P-1")).await;
    let second = following(request("R-2", "2026-11-11", "P-1"), "replaces", "R-1");
    let second = rig.take(second).await;
    // By the number of what was granted.
    let mut third = request("R-3", "2026-11-12", "P-1");
    third["correlates"] = json!([{"relation": "replaces", "identifier": {
        "system": "urn:takmil:message", "value": second.id.to_string(),
    }}]);
    rig.take(third).await;
    rig.take(request("R-4", "2026-11-12", "P-1")).await;
    let by_number = json!({"identifiers": [{"value": first.id.to_string()}]});
    assert_eq!(asked(&rig, by_number).await, ["R-3", "R-2", "R-1"]);
    assert_eq!(
        asked(&rig, json!({"identifiers": numbers(&["R-3"])})).await,
        ["R-3"]
    );
    let of_first = example(json!({"identifiers": numbers(&["R-1"])}));
    let sender = &rig.provider().id;
    let found = rig.engine.inquire(sender, &of_first).await.unwrap();
    let states: Vec<State> = found.requests.iter().map(|own| own.answer.state).collect();
    assert_eq!(states, [State::Decided, State::Cancelled, State::Cancelled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_told_of_the_latest_and_that_there_are_more() {
    let rig = rig().await;
    for number in 0..52 {
        let number = format!("R-{number}");
        rig.take(request(&number, "2026-11-10", "P-1")).await;
    }
    let sender = &rig.provider().id;
    let of_member = example(json!({"member": member("m-1")}));
    let found = rig.engine.inquire(sender, &of_member).await.unwrap();
    assert!(found.is_cut);
    let told = told(&found);
    assert_eq!((told.len(), told[0].as_str()), (50, "R-51"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_replaces_nothing() {
    let rig = rig().await;
    rig.take(request("R-1", "2026-11-10", "P-1")).await;
    let mut draft = following(request("R-2", "2026-11-10", "P-1"), "replaces", "R-1");
    draft["status"] = json!("draft");
    rig.take(draft).await;
    let filter = MessageFilter {
        kind: Some(Kind::Preauthorization),
        ..MessageFilter::default()
    };
    let page = rig
        .engine
        .store()
        .messages(&Scope::Hub, &filter, None, 10)
        .await
        .unwrap();
    let states: Vec<State> = page.iter().map(|own| own.state).collect();
    assert_eq!(states, [State::Recorded, State::Decided]);
}
