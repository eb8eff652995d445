//! The hub as a terminology server: what codes are, what they are called elsewhere, what unknown ones may be.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_PROVIDER, PROVIDER, claim};
use crate::schemas::conforms;

const SERVICES: &str = "urn:takmil:synthetic:services";

/// The values of the parameters of a name, wherever they stand.
fn named<'p>(parameters: &'p Value, name: &str) -> Vec<&'p Value> {
    assert_eq!(parameters["resourceType"], "Parameters", "{parameters}");
    let all = parameters["parameter"].as_array().unwrap().iter();
    all.filter(|one| one["name"] == name).collect()
}

fn part<'p>(parameter: &'p Value, name: &str) -> &'p Value {
    let parts = parameter["part"].as_array().unwrap();
    parts.iter().find(|one| one["name"] == name).unwrap()
}

#[tokio::test]
async fn a_hub_answers_as_a_terminology_server() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let get = async |path: &str| hub.get(path, &key).await;

    let found = get("/fhir/CodeSystem/$lookup?system=http://hl7.org/fhir/sid/icd-10-cm&code=e119");
    let found = found.await.ok();
    let display = named(&found, "display")[0]["valueString"].as_str();
    assert!(display.unwrap().contains("Type 2 diabetes"), "{found}");
    assert_eq!(named(&found, "version")[0]["valueString"], "2026-04");
    let coding = json!({"name": "coding", "valueCoding": {"system": "ICD-9", "code": "0010"}});
    let asked = json!({"resourceType": "Parameters", "parameter": [coding]});
    let lookup = "/fhir/CodeSystem/$lookup";
    let found = hub.send(Method::POST, lookup, &key, &asked).await.ok();
    assert_eq!(
        named(&found, "display")[0]["valueString"],
        "Cholera due to vibrio cholerae"
    );
    for missing in [
        "/fhir/CodeSystem/$lookup?system=ICD-10-CM&code=E11.99999",
        "/fhir/CodeSystem/$lookup?system=ICD-10-CM&code=E11.9&version=1999",
        "/fhir/CodeSystem/$lookup?system=urn:nobody&code=1",
    ] {
        let answer = get(missing).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["resourceType"]),
            (404, &json!("OperationOutcome"))
        );
    }
    let wrong = [
        "?code=1",
        "?system=ICD-10-CM",
        "?system=ICD-10-CM&code=A00&colour=red",
    ];
    for query in wrong {
        assert_eq!(
            get(&format!("{lookup}{query}")).await.status.as_u16(),
            400,
            "{query}"
        );
    }
    let message = json!({"resourceType": "Claim"});
    let refused = hub.send(Method::POST, lookup, &key, &message).await;
    assert_eq!(
        refused.json()["resourceType"],
        "OperationOutcome",
        "{}",
        refused.text
    );

    for (query, result) in [
        ("CodeSystem/$validate-code?url=ICD-10-CM&code=E11.9", true),
        (
            "CodeSystem/$validate-code?url=ICD-10-CM&code=E11.99999",
            false,
        ),
        (
            "CodeSystem/$validate-code?url=ICD-10-CM&code=A00.0&display=Influenza",
            false,
        ),
        (
            "ValueSet/$validate-code?url=http://hl7.org/fhir/sid/icd-10-cm%3Ffhir_vs&code=E11.9",
            true,
        ),
    ] {
        let answer = get(&format!("/fhir/{query}")).await.ok();
        assert_eq!(
            named(&answer, "result")[0]["valueBoolean"],
            result,
            "{query}: {answer}"
        );
    }

    let translate = "/fhir/ConceptMap/$translate?system=ICD-9-CM";
    let exact = get(&format!("{translate}&code=001.0")).await.ok();
    let matches = named(&exact, "match");
    assert_eq!(part(matches[0], "equivalence")["valueCode"], "equivalent");
    assert_eq!(part(matches[0], "concept")["valueCoding"]["code"], "A00.0");
    assert_eq!(
        part(matches[0], "source")["valueUri"],
        "urn:takmil:map:icd-9-cm-icd-10-cm"
    );
    let several = get(&format!("{translate}&code=249.51")).await.ok();
    assert_eq!(
        named(&several, "message").len(),
        1,
        "nothing is sure: {several}"
    );
    let products = named(&several, "match")
        .into_iter()
        .filter(|one| one.to_string().contains("product"));
    assert!(products.count() > 0);
    let none = get(&format!("{translate}&code=365.70")).await.ok();
    assert_eq!(named(&none, "result")[0]["valueBoolean"], false);

    let expand = "/fhir/ValueSet/$expand?url=http://hl7.org/fhir/sid/icd-10-cm%3Ffhir_vs";
    let page = get(&format!("{expand}&filter=mild%20asthma&count=2&offset=1"))
        .await
        .ok();
    let expansion = &page["expansion"];
    assert_eq!(expansion["contains"].as_array().unwrap().len(), 2, "{page}");
    assert!(expansion["total"].as_u64().unwrap() > 2);
    let first = expansion["contains"][0]["display"].as_str().unwrap();
    assert!(first.to_lowercase().contains("asthma"));

    let statement = hub.raw(Method::GET, "/fhir/metadata", &[], "").await.ok();
    assert!(
        statement
            .to_string()
            .contains("OperationDefinition/ConceptMap-translate")
    );
    let closed = hub.raw(Method::GET, expand, &[], "").await;
    assert_eq!(
        closed.status.as_u16(),
        401,
        "an imported list may be licensed"
    );
}

#[tokio::test]
async fn an_unknown_code_is_suggested_what_it_may_be() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let asked = "/v1/unmapped/suggestions?system=local&code=77&display=Type%202%20diabetes%20mellitus%20without%20complication&limit=5";
    let found = hub.get(asked, &key).await.ok();
    conforms("code_suggestion_list", &found);
    let codes = found["suggestions"].as_array().unwrap().iter();
    let codes: Vec<&str> = codes.map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!((codes[0], codes.len()), ("E11.9", 5), "{found}");
    // With Arabic letters and digits, among the codes of one system.
    let persian = "/v1/unmapped/suggestions?display=%D9%85%D8%AA%D9%81%D9%88%D8%B1%D9%85%D9%8A%D9%86%20%D9%A5%D9%A0%D9%A0&into=urn:takmil:synthetic:ir:irc";
    let found = hub.get(persian, &key).await.ok();
    assert_eq!(found["suggestions"][0]["code"], "Y0011", "{found}");
    let refused = hub
        .get("/v1/unmapped/suggestions?display=x&into=nowhere", &key)
        .await;
    refused.is_problem(400, "API-PARAMETER");

    let tables = hub.get("/v1/code-tables", &key).await.ok();
    conforms("code_table_list", &tables);
    let ids = |tables: &Value| -> Vec<String> {
        let all = tables["tables"].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(ids(&tables).contains(&"icd-10-cm-ccsr".to_owned()));
    let late = hub.get("/v1/code-tables?since=2026-04-01", &key).await.ok();
    assert_eq!(ids(&late), ["icd-10-cm"]);
    let refused = hub.get("/v1/code-tables?since=lately", &key).await;
    refused.is_problem(400, "API-PARAMETER");
}

#[tokio::test]
async fn what_a_person_judges_a_code_to_be_counts_from_then_on() {
    let hub = Hub::start("");
    let (provider, other) = (hub.place.key(PROVIDER), hub.place.key(OTHER_PROVIDER));
    let operator = hub
        .place
        .json(&["participant", "add", "op", "--role", "operator"])["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let person = hub.place.person("op", "Amal", "operator");
    let sent = async |key: &str, number: &str| {
        let mut claim = claim(number, "MA-2001");
        claim["claim"]["bill"]["lines"][0]["item"]["source"] =
            json!({"system": "our codes", "code": "K7", "display": "Consultation"});
        hub.send(Method::POST, "/v1/claims", key, &claim).await.ok()
    };
    let first = sent(&provider, "D-1").await;
    assert_eq!(first["unmapped"].as_array().unwrap().len(), 1, "{first}");
    sent(&other, "D-2").await;
    let counted = hub.get("/v1/unmapped", &provider).await.ok();
    assert_eq!(counted["unmapped"][0]["code"], "K7");

    let to = json!({"system": SERVICES, "code": "NC100", "equivalence": "wider"});
    let own = json!({"participant": PROVIDER, "system": "our codes", "code": "K7", "to": to,
        "note": "as the price book has it"});
    let judge = async |key: &str, judgement: &Value| {
        hub.send(Method::POST, "/v1/local-map", key, judgement)
            .await
    };
    // Only a person who runs the hub may, and only what can be so.
    for key in [&provider, &operator] {
        judge(key, &own).await.is_problem(403, "API-FORBIDDEN");
    }
    for (pointer, changed) in [
        ("/participant", json!(null)),
        ("/participant", json!("nobody")),
        ("/participant", json!(INSURER)),
        (
            "/to/code",
            json!({"system": "ICD-10-CM", "code": "E11.99999", "equivalence": "wider"}),
        ),
        (
            "/to/code",
            json!({"system": "ICD-9-CM", "code": "001.0", "equivalence": "wider"}),
        ),
        (
            "/to/equivalence",
            json!({"system": SERVICES, "code": "NC100", "equivalence": "unchecked"}),
        ),
    ] {
        let mut wrong = own.clone();
        let field = pointer.split('/').nth(1).unwrap();
        match changed.is_null() {
            true => drop(wrong.as_object_mut().unwrap().remove(field)),
            false => wrong[field] = changed,
        }
        let refused = judge(&person, &wrong).await;
        assert_eq!(refused.status.as_u16(), 422, "{pointer}: {}", refused.text);
        assert_eq!(refused.json()["pointer"], pointer, "{}", refused.text);
    }
    let known = json!({"system": "ICD-10-CM", "code": "E11.9"});
    assert_eq!(judge(&person, &known).await.json()["pointer"], "/code");
    let lacking = json!({"system": "urn:takmil:own:item", "code": "x|y"});
    assert_eq!(judge(&person, &lacking).await.json()["pointer"], "/system");

    let kept = judge(&person, &own).await.ok();
    conforms("code_judged", &kept);
    assert_eq!(
        (&kept["version"], &kept["changed"]),
        (&json!(1), &json!(true))
    );
    let again = judge(&person, &own).await.ok();
    assert_eq!(
        (&again["version"], &again["changed"]),
        (&json!(1), &json!(false))
    );

    // From now on, of that provider; the other's is its own. What was decided stays.
    let second = sent(&provider, "D-3").await;
    assert_eq!(second.get("unmapped"), None, "{second}");
    let reasons = |answer: &Value| answer.to_string().contains("CODE-UNMAPPED");
    assert_eq!((reasons(&first), reasons(&second)), (true, false));
    assert_eq!(sent(&provider, "D-1").await["decision"], first["decision"]);
    assert_eq!(sent(&other, "D-4").await["unmapped"], first["unmapped"]);
    let lacks = async |key: &str| hub.get("/v1/unmapped", key).await.ok()["unmapped"].clone();
    assert_eq!(lacks(&provider).await, json!([]));
    assert_eq!(lacks(&other).await[0]["times"], 2);

    // Whoever asks what the code is elsewhere is told so, of its own alone.
    let told = "/fhir/ConceptMap/$translate?system=our%20codes&code=K7";
    let translated = hub.get(told, &provider).await.ok();
    assert_eq!(
        translated["parameter"][0]["valueBoolean"], true,
        "{translated}"
    );
    let parts = &translated["parameter"][1]["part"];
    assert_eq!(parts[0]["valueCode"], "wider", "{translated}");
    assert_eq!(parts[1]["valueCoding"]["code"], "NC100");
    assert_eq!(parts[2]["valueUri"], "urn:takmil:map:local");
    let others = hub.get(told, &other).await.ok();
    assert_eq!(others["parameter"][0]["valueBoolean"], false, "{others}");

    // At the console, and that a code has no place: it stays unmapped, and says that somebody has looked.
    let judged = hub.place.json(&[
        "codes",
        "judge",
        "our codes",
        "K7",
        "--no-place",
        "--participant",
        OTHER_PROVIDER,
    ]);
    assert_eq!(judged["version"], 2);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while lacks(&other).await[0]["judged"] != 2 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    conforms("unmapped_list", &hub.get("/v1/unmapped", &other).await.ok());
    assert_eq!(
        sent(&other, "D-5").await["unmapped"],
        first["unmapped"],
        "it is still told"
    );

    // Who subscribes asks for what came after.
    let listed = hub.get("/v1/local-map", &operator).await.ok();
    conforms("local_map", &listed);
    let versions = |listed: &Value| -> Vec<u64> {
        let judged = listed["judged"].as_array().unwrap().iter();
        judged.map(|own| own["version"].as_u64().unwrap()).collect()
    };
    assert_eq!(
        (versions(&listed), &listed["version"]),
        (vec![1, 2], &json!(2))
    );
    let later = hub.get("/v1/local-map?since=1", &operator).await.ok();
    assert_eq!(versions(&later), [2]);
    let seen = hub.get("/v1/local-map", &provider).await.ok();
    assert_eq!(versions(&seen), [1], "another's is not seen");

    let metrics = hub.get("/metrics", &operator).await;
    // What is sent again is read again.
    for line in [
        "takmil_codes_total{outcome=\"mapped\",provider=\"ma-atlas\"} 2",
        "takmil_codes_total{outcome=\"unmapped\",provider=\"ma-chu\"} 3",
    ] {
        assert!(metrics.text.contains(line), "{line}: {}", metrics.text);
    }
    let shown = hub.place.run(&["codes", "unmapped"], "");
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("ma-chu  our codes|K7  Consultation"),
        "{shown}"
    );
    let found = hub
        .place
        .json(&["codes", "suggest", "cholera", "--into", "ICD-10-CM"]);
    let likest = found["suggestions"][0]["code"].as_str().unwrap();
    assert!(likest.starts_with("A00"), "{found}");
}
