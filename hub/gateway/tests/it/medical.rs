//! Clinical findings in answers, and a pre-authorisation from its question to its decision, over the whole way.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, PROVIDER, bill, claim};
use crate::schemas::conforms;

fn prescription(number: &str, drugs: &[&str]) -> Value {
    let line = |(seq, code): (usize, &&str)| json!({"seq": seq + 1, "item": {"source": {"system": "rxnorm", "code": code}}});
    let lines: Vec<Value> = drugs.iter().enumerate().map(line).collect();
    json!({
        "kind": "prescription",
        "identifiers": [{"system": "urn:test:prescription", "value": number}],
        "occurred_on": "2026-03-02",
        "member": {"identifiers": [{"system": "urn:takmil:sample:member", "value": "MA-2001"}]},
        "prescription": {"authored": "2026-03-02", "lines": lines},
    })
}

async fn interactions(hub: &Hub) -> Value {
    let listed = hub.get("/v1/clinical-rules", "").await.ok();
    let mut rules = listed["rules"].as_array().unwrap().iter();
    let rule = rules.find(|rule| rule["code"] == json!("CLIN-INTERACTION"));
    rule.unwrap().clone()
}

#[tokio::test]
async fn imported_interactions_are_found_in_a_prescription() {
    let hub = Hub::start("");
    let provider = hub.place.key(PROVIDER);
    let waiting = interactions(&hub).await;
    assert_eq!(waiting["active"], json!(false));
    assert!(waiting["waits_for"].is_string(), "{waiting}");
    let told = hub
        .send(
            Method::POST,
            "/v1/prescriptions",
            &provider,
            &prescription("P-1", &["6809", "1191"]),
        )
        .await
        .ok();
    conforms("answer", &told);
    assert_eq!(told.get("findings"), None, "{told}");

    let pairs = hub.place.path("pairs.csv");
    std::fs::write(
        &pairs,
        "a,b,level\nmetformin,aspirin,Contraindicated\nmetformin,aspirin,Perhaps\n",
    )
    .unwrap();
    let head = [
        "--id",
        "pairs",
        "--edition",
        "1",
        "--as-of",
        "2026-01-01",
        "--licence",
        "own",
        "--source",
        "own",
    ];
    let mut import = vec![
        "import",
        "interactions",
        pairs.to_str().unwrap(),
        "--columns",
        "one=a,other=b,severity=level",
        "--json",
    ];
    import.extend(head);
    let output = hub.place.run(&import, "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["taken"], output.status.code()),
        (&json!(1), Some(1))
    );
    assert_eq!(report["refused"][0]["row"], json!(3));

    let hub = hub.restart();
    assert_eq!(interactions(&hub).await["active"], json!(true));
    let told = hub
        .send(
            Method::POST,
            "/v1/prescriptions",
            &provider,
            &prescription("P-2", &["6809", "1191"]),
        )
        .await
        .ok();
    conforms("answer", &told);
    let finding = &told["findings"][0];
    assert_eq!(finding["rule"], json!("CLIN-INTERACTION"), "{told}");
    assert_eq!(
        (&finding["level"], &finding["severity"]),
        (&json!("warning"), &json!("contraindicated"))
    );
    assert_eq!(finding["lines"], json!([1, 2]));
}

#[tokio::test]
async fn an_insurer_asks_and_the_provider_replies() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let mut request = claim("W-1", "MA-2001");
    request["kind"] = json!("preauthorization");
    request["preauthorization"] = json!({"bill": bill("NS110", 700_000)});
    request.as_object_mut().unwrap().remove("claim");
    let asked = hub
        .send(Method::POST, "/v1/preauthorizations", &provider, &request)
        .await
        .ok();
    let id = asked["id"].as_str().unwrap();
    let way = async || hub.get(&format!("/v1/messages/{id}"), &provider).await.ok();
    assert!(way().await["deadline"].is_i64(), "the insurer's clock runs");

    let mut question = json!({"message": id, "reference": "Q-1", "verdict": "ask"});
    hub.send(Method::POST, "/v1/decisions", &insurer, &question)
        .await
        .is_problem(422, "VAL-MISSING");
    question["note"] = json!("Which side?");
    let receipt = hub
        .send(Method::POST, "/v1/decisions", &insurer, &question)
        .await
        .ok();
    assert_eq!(receipt["state"], json!("queried"), "{receipt}");
    let shown = way().await;
    assert_eq!(shown["answer"]["notes"][0]["text"], json!("Which side?"));
    assert_eq!(
        shown.get("deadline"),
        None,
        "it stands while the question is open"
    );

    let replies = format!("/v1/messages/{id}/replies");
    let reply = json!({"reference": "Q-1", "text": "The left.", "attachments": [{"title": "Report", "sha256": "0".repeat(64)}]});
    let unknown = json!({"reference": "Q-2", "text": "The left."});
    hub.send(Method::POST, &replies, &insurer, &reply)
        .await
        .is_problem(403, "API-FORBIDDEN");
    hub.send(Method::POST, &replies, &provider, &unknown)
        .await
        .is_problem(404, "API-NOT-FOUND");
    hub.send(Method::POST, &replies, &provider, &json!({"text": "?"}))
        .await
        .is_problem(422, "VAL-MISSING");
    let answer = hub
        .send(Method::POST, &replies, &provider, &reply)
        .await
        .ok();
    conforms("answer", &answer);
    assert_eq!(answer["notes"][0]["reply"]["text"], json!("The left."));
    hub.send(Method::POST, &replies, &provider, &reply)
        .await
        .ok();
    let changed = json!({"reference": "Q-1", "text": "The right."});
    hub.send(Method::POST, &replies, &provider, &changed)
        .await
        .is_problem(422, "API-CHANGED");

    let approved = json!({"message": id, "reference": "D-1", "verdict": "approve", "valid_until": "2026-03-31"});
    let receipt = hub
        .send(Method::POST, "/v1/decisions", &insurer, &approved)
        .await
        .ok();
    assert_eq!(receipt["state"], json!("decided"), "{receipt}");
    let decision = &way().await["answer"]["decision"];
    assert_eq!(decision["valid_until"], json!("2026-03-31"));
}

#[tokio::test]
async fn a_question_is_told_and_replied_to_in_fhir() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let mut request = claim("W-9", "MA-2001");
    request["kind"] = json!("preauthorization");
    request["preauthorization"] = json!({"bill": bill("NS110", 700_000)});
    request.as_object_mut().unwrap().remove("claim");
    let asked = hub
        .send(Method::POST, "/v1/preauthorizations", &provider, &request)
        .await
        .ok();
    let id = asked["id"].as_str().unwrap();
    let number = json!({"system": "urn:test:claim", "value": "W-9"});
    let bearer = format!("Bearer {provider}");
    let fhir = async |path: &str, body: Value| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/fhir+json"),
        ];
        hub.raw(Method::POST, path, &headers, body.to_string())
            .await
    };
    let mut reply = json!({
        "resourceType": "Communication",
        "status": "completed",
        "about": [{"identifier": number}],
        "payload": [
            {"contentString": "The left."},
            {"contentAttachment": {"contentType": "application/pdf", "url": "https://files.example/1", "title": "Report"}},
        ],
    });
    let early = fhir("/fhir/Communication", reply.clone()).await;
    assert_eq!(early.status.as_u16(), 422, "{}", early.text);
    assert!(early.text.contains("no insurer waits"), "{}", early.text);

    let question =
        json!({"message": id, "reference": "Q-1", "verdict": "ask", "note": "Which side?"});
    hub.send(Method::POST, "/v1/decisions", &insurer, &question)
        .await
        .ok();
    let example = json!({
        "resourceType": "Claim", "status": "active", "use": "preauthorization", "identifier": [number],
        "type": {"coding": [{"code": "professional"}]}, "priority": {"text": "normal"}, "created": "2026-03-02",
        "patient": {"display": "?"}, "provider": {"display": "?"},
        "insurance": [{"sequence": 1, "focal": true, "coverage": {"display": "?"}}],
    });
    let told = fhir("/fhir/Claim/$inquire", example).await;
    let told: Value = serde_json::from_str(&told.text).unwrap();
    let response = &told["entry"][0]["resource"];
    assert_eq!(
        response["communicationRequest"][0]["reference"], "#question-1",
        "{told:#}"
    );
    let asked = &response["contained"][0];
    assert_eq!(asked["payload"][0]["contentString"], "Which side?");
    assert_eq!(asked["identifier"][0]["value"], "Q-1");

    reply["basedOn"] = json!([{"identifier": asked["identifier"][0]}]);
    let taken = fhir("/fhir/Communication", reply.clone()).await;
    assert_eq!(taken.status.as_u16(), 201, "{}", taken.text);
    assert_eq!(taken.header("location"), format!("/v1/messages/{id}"));
    let shown = hub.get(&format!("/v1/messages/{id}"), &provider).await.ok();
    let said = &shown["answer"]["notes"][0]["reply"];
    assert_eq!(said["text"], "The left.");
    assert_eq!(said["attachments"][0]["place"], "https://files.example/1");
    // Again it has no further effect; of what nobody sent there is nothing to say, and documents go by reference.
    assert_eq!(
        fhir("/fhir/Communication", reply.clone())
            .await
            .status
            .as_u16(),
        201
    );
    reply["payload"][1]["contentAttachment"] = json!({"data": "SGVsbG8="});
    let inline = fhir("/fhir/Communication", reply.clone()).await;
    assert_eq!(inline.status.as_u16(), 422, "{}", inline.text);
    assert!(inline.text.contains("payload[1]"), "{}", inline.text);
    reply["payload"] = json!([{"contentString": "?"}]);
    reply["about"][0]["identifier"]["value"] = json!("W-10");
    let nothing = fhir("/fhir/Communication", reply).await;
    assert_eq!(nothing.status.as_u16(), 404, "{}", nothing.text);
    assert!(
        nothing.text.contains("OperationOutcome"),
        "{}",
        nothing.text
    );
}
