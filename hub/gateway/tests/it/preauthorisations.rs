//! Pre-authorisations over FHIR: asked for, asked about, changed and taken back, in the words of Da Vinci's guide.

use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

use takmil_conformance::callback::Listener;

use crate::audit_log::{proof, receipt};
use crate::hub::{Answer, Hub, INSURER, OTHER_PROVIDER, PROVIDER, Place};
use crate::schemas::conforms;

const SUBMIT: &str = "/fhir/Claim/$submit";
const INQUIRE: &str = "/fhir/Claim/$inquire";
const GUIDE: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/";

fn certified(code: &str) -> Value {
    json!([{
        "url": format!("{GUIDE}extension-certificationType"),
        "valueCodeableConcept": {"coding": [{"system": "https://codesystem.x12.org/005010/1322", "code": code}]},
    }])
}

/// A line of a stay, which waits for the insurer, or of a visit, which does not.
fn line(number: u32, service: &str, kind: &str) -> Value {
    json!({
        "extension": certified(kind), "sequence": number, "servicedDate": "2026-03-02",
        "productOrService": {"coding": [{"system": "urn:takmil:synthetic:services", "code": service}]},
        "net": {"value": 7000.00, "currency": "MAD"},
    })
}

/// A request in its bundle, with `changes` merged into the Claim and more resources beside it.
fn request(number: &str, changes: Value, beside: Vec<Value>) -> Value {
    let mut claim = json!({
        "resourceType": "Claim",
        "identifier": [{"system": "urn:test:requests", "value": number}],
        "status": "active",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "institutional"}]},
        "use": "preauthorization",
        "patient": {"identifier": {"system": "urn:takmil:sample:member", "value": "MA-2001"}},
        "created": "2026-03-01",
        "insurer": {"identifier": {"system": "urn:takmil:sample:insurer", "value": "MA-MUTUELLE"}},
        "provider": {"identifier": {"system": "urn:takmil:sample:facility", "value": "MA-ATLAS"}},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": true, "coverage": {"display": "Mutuelle"}}],
        "item": [line(1, "NS110", "I"), line(2, "NC100", "I")],
    });
    for (key, value) in changes.as_object().unwrap() {
        claim[key] = value.clone();
    }
    let resources = [claim].into_iter().chain(beside);
    let entries: Vec<Value> = resources
        .map(|resource| json!({"resource": resource}))
        .collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

/// A question by changes of an example that names no request.
fn question(changes: Value) -> Value {
    let mut question = request("", json!({}), vec![]);
    let claim = question["entry"][0]["resource"].as_object_mut().unwrap();
    claim.remove("identifier");
    claim.remove("item");
    for (key, value) in changes.as_object().unwrap() {
        claim.insert(key.clone(), value.clone());
    }
    question
}

fn by_number(number: &str) -> Value {
    question(json!({"identifier": [{"system": "urn:test:requests", "value": number}]}))
}

struct Clinic {
    hub: Hub,
    key: String,
}

impl Clinic {
    fn new() -> Clinic {
        let hub = Hub::start("");
        let key = hub.place.key(PROVIDER);
        Clinic { hub, key }
    }

    async fn send(&self, path: &str, body: &Value) -> Answer {
        self.send_as(&self.key, path, body.to_string()).await
    }

    async fn send_as(&self, key: &str, path: &str, body: String) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/fhir+json"),
        ];
        self.hub.raw(Method::POST, path, &headers, body).await
    }

    /// The one answer in the bundle that comes back for a request.
    async fn submit(&self, body: &Value) -> Value {
        let answer = self.send(SUBMIT, body).await.ok();
        answer["entry"][0]["resource"].clone()
    }

    /// What a question finds.
    async fn ask(&self, body: &Value) -> Vec<Value> {
        let answer = self.send(INQUIRE, body).await.ok();
        assert_eq!(answer["resourceType"], json!("Bundle"));
        assert_eq!(answer["type"], json!("collection"));
        let entries = answer["entry"].as_array().cloned().unwrap_or_default();
        entries
            .into_iter()
            .map(|entry| entry["resource"].clone())
            .collect()
    }

    async fn decide(&self, message: &Value, verdict: &str) {
        let insurer = self.hub.place.key(INSURER);
        let decision = json!({"message": message, "reference": "D-1", "verdict": verdict});
        self.hub
            .send(Method::POST, "/v1/decisions", &insurer, &decision)
            .await
            .ok();
    }
}

/// The codes of the review of each line, with the number of leave where there is one.
fn reviews(response: &Value) -> Vec<(u64, String, Option<String>)> {
    let items = response["item"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let extensions = item["adjudication"][0]["extension"].as_array().unwrap();
            let action = extensions
                .iter()
                .find(|one| one["url"] == json!(format!("{GUIDE}extension-reviewAction")))
                .unwrap();
            let parts = action["extension"].as_array().unwrap();
            let code = parts.last().unwrap()["valueCodeableConcept"]["coding"][0]["code"].as_str();
            let number = parts[0]["valueString"].as_str().map(str::to_owned);
            (
                item["itemSequence"].as_u64().unwrap(),
                code.unwrap().to_owned(),
                number,
            )
        })
        .collect()
}

fn codes(response: &Value) -> Vec<String> {
    reviews(response)
        .into_iter()
        .map(|(_, code, _)| code)
        .collect()
}

fn refused(answer: &Answer, status: u16, code: &str, place: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["resourceType"], json!("OperationOutcome"), "{body}");
    let issue = &body["issue"][0];
    assert_eq!(issue["details"]["coding"][0]["code"], json!(code), "{body}");
    assert_eq!(issue["expression"][0].as_str(), place, "{body}");
}

#[tokio::test]
async fn what_waits_is_asked_about_until_it_is_decided() {
    let clinic = Clinic::new();
    let asked = clinic.submit(&request("R-1", json!({}), vec![])).await;
    assert_eq!(asked["outcome"], json!("queued"));
    assert_eq!(codes(&asked), ["A4", "A4"]);
    let found = clinic.ask(&by_number("R-1")).await;
    assert_eq!(found, std::slice::from_ref(&asked));

    clinic.decide(&asked["id"], "approve").await;
    let found = clinic.ask(&by_number("R-1")).await;
    let [decided] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(decided["outcome"], json!("complete"));
    assert_eq!(codes(decided), ["A1", "A1"]);
    let number = decided["preAuthRef"].as_str().unwrap();
    assert_eq!(reviews(decided)[0].2.as_deref(), Some(number));

    let line_of = |number: &str| {
        let mut line = line(1, "NS110", "I");
        let extensions = line["extension"].as_array_mut().unwrap();
        extensions.push(
            json!({"url": format!("{GUIDE}extension-authorizationNumber"), "valueString": number}),
        );
        line
    };
    let days = |start: &str, end: &str| json!({"billablePeriod": {"start": start, "end": end}});
    let table = [
        (question(json!({"identifier": [{"value": number}]})), true),
        (question(json!({"item": [line_of(number)]})), true),
        (question(json!({"item": [line_of("A-1")]})), false),
        (by_number("R-2"), false),
        (question(json!({})), true),
        (question(days("2026-03-01", "2026-03-31")), true),
        (question(days("2026-04-01", "2026-04-30")), false),
        (
            question(
                json!({"provider": {"identifier": {"system": "urn:takmil:sample:facility", "value": "MA-CHU"}}}),
            ),
            false,
        ),
        (
            question(
                json!({"patient": {"identifier": {"system": "urn:takmil:sample:member", "value": "MA-2002"}}}),
            ),
            false,
        ),
    ];
    for (question, is_found) in table {
        let expected = if is_found {
            vec![decided.clone()]
        } else {
            vec![]
        };
        assert_eq!(clinic.ask(&question).await, expected, "{question}");
    }
}

#[tokio::test]
async fn nobody_is_told_of_what_another_has_sent() {
    let clinic = Clinic::new();
    let asked = clinic.submit(&request("R-1", json!({}), vec![])).await;
    let stranger = clinic.hub.place.key(OTHER_PROVIDER);
    let by_id = question(json!({"identifier": [{"value": asked["id"]}]}));
    for question in [by_number("R-1"), by_id, question(json!({}))] {
        let answer = clinic
            .send_as(&stranger, INQUIRE, question.to_string())
            .await;
        assert_eq!(answer.ok().get("entry"), None, "{question}");
    }
    let insurer = clinic.hub.place.key(INSURER);
    let answer = clinic
        .send_as(&insurer, INQUIRE, by_number("R-1").to_string())
        .await;
    refused(&answer, 403, "API-FORBIDDEN", None);
    let answer = clinic
        .send_as("tk_wrong", INQUIRE, by_number("R-1").to_string())
        .await;
    refused(&answer, 401, "API-CREDENTIALS", None);
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_is_refused_where_it_is_wrong() {
    let clinic = Clinic::new();
    let mut of_bills = by_number("R-1");
    of_bills["entry"][0]["resource"]["use"] = json!("claim");
    let mut of_anything = question(json!({}));
    of_anything["entry"][0]["resource"]["patient"] = json!({"display": "somebody"});
    let mut twice = by_number("R-1");
    let again = twice["entry"][0].clone();
    twice["entry"].as_array_mut().unwrap().push(again);
    let table = [
        (of_bills, "FMT-KIND", Some("Bundle.entry[0].resource.use")),
        (
            of_anything,
            "VAL-MISSING",
            Some("Bundle.entry[0].resource.patient"),
        ),
        (twice, "VAL-CARDINALITY", Some("Bundle.entry[1].resource")),
    ];
    for (question, code, place) in table {
        refused(&clinic.send(INQUIRE, &question).await, 422, code, place);
    }
    let patient = json!({"resourceType": "Patient"});
    refused(
        &clinic.send(INQUIRE, &patient).await,
        400,
        "FMT-EMPTY",
        Some("Patient"),
    );
    let native = crate::hub::claim("N-1", "MA-2001");
    refused(&clinic.send(INQUIRE, &native).await, 415, "API-MEDIA", None);
    // XML is answered in XML.
    let xml = "<Claim xmlns=\"http://hl7.org/fhir\"><status";
    let answer = clinic.send_as(&clinic.key, INQUIRE, xml.to_owned()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (400, "application/fhir+xml")
    );
}

#[tokio::test]
async fn an_update_takes_the_place_of_the_request_and_a_cancel_ends_it() {
    let clinic = Clinic::new();
    let first = request("R-1", json!({"id": "first"}), vec![]);
    let asked = clinic.submit(&first).await;
    let earlier = first["entry"][0]["resource"].clone();
    let related = json!([{
        "claim": {"reference": "Claim/first"},
        "relationship": {"coding": [{"code": "prior"}]},
    }]);
    let lines = json!([line(1, "NS110", "3"), line(2, "NC100", "I")]);
    let changes = json!({"related": related, "item": lines});
    let update = request("R-2", changes, vec![earlier]);
    let answer = clinic.send(SUBMIT, &update).await.ok();
    assert_eq!(
        answer["entry"].as_array().unwrap().len(),
        1,
        "the earlier one is no request"
    );
    let updated = answer["entry"][0]["resource"].clone();
    assert_eq!(updated["outcome"], json!("complete"), "{updated}");
    assert_eq!(codes(&updated), ["A1", "C"]);
    assert_eq!(reviews(&updated)[1].0, 1);

    let found = clinic.ask(&by_number("R-1")).await;
    let [now, then] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(now, &updated);
    assert_eq!(
        (&then["id"], &then["status"]),
        (&asked["id"], &json!("cancelled"))
    );
    assert_eq!(codes(then), ["C", "C"]);

    let number = updated["preAuthRef"].as_str().unwrap();
    let whole = |number: &str, named: &str| {
        let insurance = json!([{"sequence": 1, "focal": true, "coverage": {"display": "Mutuelle"}, "preAuthRef": [named]}]);
        let mut cancel = request(
            number,
            json!({"extension": certified("3"), "insurance": insurance}),
            vec![],
        );
        cancel["entry"][0]["resource"]
            .as_object_mut()
            .unwrap()
            .remove("item");
        cancel
    };
    let cancelled = clinic.submit(&whole("R-3", number)).await;
    assert_eq!(
        cancelled["resourceType"],
        json!("ClaimResponse"),
        "{cancelled}"
    );
    assert_eq!(cancelled["use"], json!("preauthorization"));
    assert_eq!(
        cancelled["type"]["coding"][0]["code"],
        json!("institutional")
    );
    assert_eq!(cancelled["outcome"], json!("complete"));
    let found = clinic.ask(&by_number("R-2")).await;
    assert_eq!(found[0]["status"], json!("cancelled"));

    let nothing = clinic.submit(&whole("R-4", "A-9")).await;
    assert_eq!(nothing["outcome"], json!("error"), "{nothing}");
    assert_eq!(
        nothing["error"][0]["code"]["coding"][0]["code"],
        json!("MSG-NOT-FOUND")
    );
}

#[tokio::test]
async fn what_is_found_is_recorded_as_read() {
    let clinic = Clinic::new();
    let sent = clinic
        .send(SUBMIT, &request("R-1", json!({}), vec![]))
        .await;
    assert_eq!(
        proof(&clinic.hub, &clinic.key, &receipt(&sent).leaf)
            .await
            .entry
            .number,
        1
    );
    assert_eq!(clinic.ask(&by_number("R-9")).await, Vec::<Value>::new());
    assert_eq!(clinic.ask(&by_number("R-1")).await.len(), 1);
    let next = clinic
        .send(SUBMIT, &request("R-2", json!({}), vec![]))
        .await;
    let next = proof(&clinic.hub, &clinic.key, &receipt(&next).leaf).await;
    assert_eq!(next.entry.number, 3, "one reading lies in between");
}

/// The guide's samples in a folder of the corpus that hold a Claim.
fn samples(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(samples(&path));
        } else if path.extension().is_some_and(|kind| kind == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_claim = text
                .replace([' ', '\n'], "")
                .contains("\"resourceType\":\"Claim\"");
            found.extend(is_claim.then(|| (path.display().to_string(), text)));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn every_sample_of_the_guide_is_taken_or_told_what_is_wrong() {
    let Ok(corpus) = std::env::var("TAKMIL_CORPUS") else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: TAKMIL_CORPUS does not say where the corpus is; none of the guide's samples was sent"
        );
        return;
    };
    let clinic = Clinic::new();
    let sources = [
        "davinci-pas-2.0.1",
        "davinci-pas-2.2.1",
        "davinci-prior-auth-ri",
        "inferno-pas-fixtures",
    ];
    let (mut taken, mut refused) = (0, 0);
    for source in sources {
        for (path, text) in samples(&Path::new(&corpus).join(source)) {
            for operation in [SUBMIT, INQUIRE] {
                let answer = clinic.send_as(&clinic.key, operation, text.clone()).await;
                let status = answer.status.as_u16();
                let body = answer.json();
                if status == 200 {
                    taken += 1;
                    continue;
                }
                refused += 1;
                assert!(matches!(status, 400 | 422), "{path}: {}", answer.text);
                let outcome = match &body["resourceType"] {
                    kind if kind == "OperationOutcome" => &body,
                    _ => &body["entry"][0]["resource"],
                };
                let issue = &outcome["issue"][0];
                // Several samples bear the number of another with another content.
                let is_known = issue["details"]["coding"][0]["code"] == "API-CHANGED";
                let is_pointed = issue["expression"][0].is_string();
                assert!(is_known || is_pointed, "{path}: {body}");
            }
        }
    }
    assert!(
        taken >= 30 && refused >= 5,
        "{taken} taken, {refused} refused"
    );
}

/// What the hub signs callbacks with.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

#[tokio::test]
async fn a_late_decision_is_told_in_the_words_in_which_it_was_asked_for() {
    let listener = Listener::start(SECRET).await.unwrap();
    let place = Place::new("");
    place.fill();
    let document = place.path("atlas.json");
    let entry = json!({
        "id": PROVIDER, "title": "Atlas", "role": "provider", "currency": "MAD", "sector": "private",
        "identifiers": [{"system": "urn:takmil:sample:facility", "value": "MA-ATLAS"}],
        "networks": ["ma-mutuelle", "ma-assur"],
        "callback": {"transport": "rest", "url": listener.url(), "secret": SECRET},
    });
    std::fs::write(&document, entry.to_string()).unwrap();
    place.json(&[
        "participant",
        "add",
        "--document",
        document.to_str().unwrap(),
    ]);
    let key = place.key(PROVIDER);
    let hub = Hub::on(place);
    let clinic = Clinic { hub, key };
    let asked = clinic.submit(&request("R-1", json!({}), vec![])).await;
    assert_eq!(asked["outcome"], json!("queued"), "{asked}");
    let insurer = clinic.hub.place.key(INSURER);
    let owed = clinic.hub.get("/v1/deliveries", &insurer).await.ok();
    let message = &owed["deliveries"][0]["message"];
    let decision = json!({"message": message, "reference": "A-1", "verdict": "approve"});
    let decided = clinic
        .hub
        .send(Method::POST, "/v1/decisions", &insurer, &decision);
    assert_eq!(decided.await.ok()["state"], json!("decided"));
    let told = loop {
        if let Some(told) = listener.told().pop() {
            break told.body;
        }
        assert_eq!(listener.forged(), 0);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    conforms("message_callback", &told);
    let data = &told["data"];
    assert_eq!(
        (&data["message"], &data["state"]),
        (message, &json!("decided"))
    );
    assert_eq!(data["identifiers"][0]["value"], json!("R-1"));
    assert_eq!(data["media_type"], json!("application/fhir+json"));
    let answer = &data["answer"];
    let shown = (&answer["resourceType"], &answer["outcome"]);
    assert_eq!(
        shown,
        (&json!("ClaimResponse"), &json!("complete")),
        "{answer}"
    );
}
