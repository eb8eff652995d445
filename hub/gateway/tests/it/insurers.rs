//! What insurers do over REST: covers, plans by two persons, decisions, postings, deliveries.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, claim, pack};
use crate::schemas::conforms;

fn cover(member: &str, plan: &str) -> Value {
    json!({
        "insurer": INSURER, "role": "supplementary", "policy": "T-1", "certificate": format!("T-1-{member}"),
        "member": {"identifiers": [{"system": "urn:takmil:sample:member", "value": member}], "birth_date": "1990-01-31"},
        "plan": plan, "start": "2025-01-01",
    })
}

#[tokio::test]
async fn covers_are_taken_row_by_row() {
    let hub = Hub::start("");
    let (key, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    let mut foreign = cover("T-4", "ma-mutuelle-360");
    foreign["insurer"] = json!(OTHER_INSURER);
    let mut ends_early = cover("T-5", "ma-mutuelle-360");
    ends_early["end"] = json!("2024-12-31");
    let mut misspelt = cover("T-6", "ma-mutuelle-360");
    misspelt["member"]["birth_date"] = json!("1990-02-31");
    misspelt["colour"] = json!("red");
    let rows = json!([
        cover("T-1", "ma-mutuelle-360"),
        misspelt,
        cover("T-3", "no-such-plan"),
        foreign,
        ends_early
    ]);
    let answer = hub
        .send(Method::PUT, "/v1/coverages", &key, &rows)
        .await
        .ok();
    let results = answer["results"].as_array().unwrap();
    conforms("enrolment_results", &answer);
    assert!(
        results[0]["member"].is_string() && results[0]["account"].is_string(),
        "{answer}"
    );
    let told = |row: usize| {
        let problems = results[row]["problems"].as_array().unwrap();
        problems
            .iter()
            .map(|problem| {
                (
                    problem["code"].as_str().unwrap(),
                    problem["pointer"].as_str().unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    let mut wrong = told(1);
    wrong.sort_unstable();
    assert_eq!(
        wrong,
        [
            ("VAL-UNKNOWN", "/1/colour"),
            ("VAL-VALUE", "/1/member/birth_date")
        ]
    );
    assert_eq!(told(2), [("VAL-REFERENCE", "/2/plan")]);
    assert_eq!(
        told(3),
        [("VAL-REFERENCE", "/3/plan")],
        "another insurer's plans are not there"
    );
    assert_eq!(told(4), [("VAL-DATE-ORDER", "/4/end")]);

    let again = hub
        .send(
            Method::PUT,
            "/v1/coverages",
            &key,
            &json!([cover("T-1", "ma-mutuelle-360")]),
        )
        .await
        .ok();
    let mut same = results[0].clone();
    assert_eq!(same["changed"].take(), json!(true));
    same["changed"] = json!(false);
    assert_eq!(
        again["results"][0], same,
        "a row that is sent again changes nothing"
    );
    let paid = hub
        .send(Method::POST, "/v1/claims", &provider, &claim("T-1", "T-1"))
        .await
        .ok();
    assert_eq!(
        paid["decision"]["totals"]["supplementary"][0][0],
        json!(INSURER)
    );
    hub.send(Method::PUT, "/v1/coverages", &key, &json!({}))
        .await
        .is_problem(422, "API-INVALID");
}

#[tokio::test]
async fn a_plan_needs_two_persons() {
    let hub = Hub::start("");
    let author = hub.place.person(INSURER, "Author", "plan_author");
    let approver = hub.place.person(INSURER, "Approver", "approver");
    let stranger = hub.place.person(OTHER_INSURER, "Stranger", "approver");
    let plans: Value =
        serde_json::from_slice(&std::fs::read(pack().join("plans.json")).unwrap()).unwrap();
    let mut plan = plans[0].clone();
    let path = format!("/v1/plans/{}", plan["id"].as_str().unwrap());

    plan["title"] = json!("another title");
    hub.send(Method::PUT, &path, &author, &plan)
        .await
        .is_problem(409, "API-CONFLICT");
    plan["version"] = json!(2);
    plan["benefits"][0]["rate"] = json!("15%");
    let early = hub.send(Method::PUT, &path, &author, &plan).await;
    early.is_problem(422, "VAL-VALUE");
    assert_eq!(
        early.json()["pointer"],
        json!("/from"),
        "no later than the first"
    );
    plan["from"] = json!(later(&plan["from"]));
    plan["benefits"][0]["rate"] = json!("150%");
    let wrong = hub.send(Method::PUT, &path, &author, &plan).await;
    wrong.is_problem(422, "VAL-VALUE");
    assert_eq!(wrong.json()["pointer"], json!("/benefits/0/rate"));
    plan["benefits"][0]["rate"] = json!("15%");
    let clinical = |rule: &str| json!({"levels": {"rules": {rule: "refusal"}}});
    for (rule, code) in [
        ("CLIN-NOTHING", "VAL-UNKNOWN"),
        ("CLIN-INDICATION", "VAL-VALUE"),
    ] {
        let mut plan = plan.clone();
        plan["clinical"] = clinical(rule);
        let wrong = hub.send(Method::PUT, &path, &author, &plan).await;
        wrong.is_problem(422, code);
        let place = format!("/clinical/levels/rules/{rule}");
        assert_eq!(wrong.json()["pointer"], json!(place));
    }
    hub.send(Method::PUT, &path, &hub.place.key(INSURER), &plan)
        .await
        .is_problem(403, "API-FORBIDDEN");
    hub.send(Method::PUT, &path, &approver, &plan)
        .await
        .is_problem(403, "API-FORBIDDEN");
    hub.send(Method::PUT, "/v1/plans/another", &author, &plan)
        .await
        .is_problem(422, "VAL-VALUE");

    let proposed = hub.send(Method::PUT, &path, &author, &plan).await;
    assert_eq!(proposed.status.as_u16(), 202, "{}", proposed.text);
    let proposed = proposed.json();
    let id = proposed["id"].as_str().unwrap();
    let open = hub.get("/v1/approvals", &approver).await.ok();
    conforms("approval_list", &open);
    let changes = open["approvals"][0]["changes"].as_array().unwrap();
    let places: Vec<&str> = changes
        .iter()
        .map(|one| one["pointer"].as_str().unwrap())
        .collect();
    let benefit = plan["benefits"][0]["id"].as_str().unwrap();
    let rate = format!("/benefits/{benefit}/rate");
    assert_eq!(places, ["/version", "/title", "/from", rate.as_str()]);
    assert_eq!(open["approvals"][0]["document"], plan);
    assert_eq!(
        hub.get("/v1/approvals", &stranger).await.ok()["approvals"],
        json!([])
    );
    let approve = format!("/v1/approvals/{id}/approve");
    hub.send(Method::POST, &approve, &stranger, &json!({}))
        .await
        .is_problem(404, "API-NOT-FOUND");
    hub.send(Method::POST, &approve, &author, &json!({}))
        .await
        .is_problem(403, "API-FORBIDDEN");
    let approved = hub
        .send(Method::POST, &approve, &approver, &json!({}))
        .await
        .ok();
    assert_eq!(approved["state"], json!("approved"));
    conforms("approval", &approved);

    // From now on decisions go by it.
    let paid = hub
        .send(
            Method::POST,
            "/v1/claims",
            &hub.place.key(PROVIDER),
            &claim("P-1", "MA-2001"),
        )
        .await
        .ok();
    let basis = paid["decision"]["basis"].as_array().unwrap();
    assert!(
        basis
            .iter()
            .any(|own| own["insurer"] == json!(INSURER) && own["version"] == json!(2)),
        "{paid}"
    );
    let refuse = format!("/v1/approvals/{id}/refuse");
    hub.send(Method::POST, &refuse, &approver, &json!({}))
        .await
        .is_problem(409, "API-CONFLICT");
}

/// The day after.
fn later(day: &Value) -> String {
    let day = takmil_domain::date::Date::parse(day.as_str().unwrap()).unwrap();
    day.add_days(1).to_string()
}

#[tokio::test]
async fn a_price_list_is_proposed_by_one_and_approved_by_the_other() {
    let hub = Hub::start("");
    let author = hub.place.person(PROVIDER, "Author", "plan_author");
    let own = hub.place.person(PROVIDER, "Own", "approver");
    let other = hub.place.person(INSURER, "Other", "approver");
    let stranger = hub.place.person(OTHER_INSURER, "Stranger", "plan_author");
    // The pair's list so far, in its next version: one price higher, one gone, one new.
    let path = "/v1/price-lists/ma-atlas-mutuelle";
    let price = |code: &str, price: i64| json!({"code": {"system": "urn:takmil:synthetic:services", "code": code}, "price": price});
    let mut list = json!({
        "id": "ma-atlas-mutuelle", "version": 2, "title": "Convention Clinique Atlas – Mutuelle (exemple)",
        "currency": "MAD", "from": "2999-01-01", "contract": {"provider": PROVIDER, "insurer": INSURER},
        "prices": [price("NS110", 730_000), price("NI300", 220_000), price("NQ900", 100)],
    });
    hub.send(Method::PUT, path, &stranger, &list)
        .await
        .is_problem(422, "VAL-VALUE");
    list["from"] = json!("2020-01-01");
    let late = hub.send(Method::PUT, path, &author, &list).await;
    late.is_problem(422, "VAL-VALUE");
    assert_eq!(
        late.json()["pointer"],
        json!("/from"),
        "no notice reaches back"
    );
    list["from"] = json!("2999-01-01");
    let refused = async |parts: Value, expected: &[&str]| {
        let mut list = list.clone();
        for (name, part) in parts.as_object().unwrap() {
            list[name] = part.clone();
        }
        let path = format!("/v1/price-lists/{}", list["id"].as_str().unwrap());
        let answer = hub.send(Method::PUT, &path, &author, &list).await;
        answer.is_problem(422, "VAL-VALUE");
        let problems = answer.json()["problems"].clone();
        let problems = problems.as_array().unwrap().iter();
        let places: Vec<String> = problems
            .map(|one| one["pointer"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(places, expected, "{parts}");
    };
    refused(json!({"currency": "USD"}), &["/currency", "/currency"]).await;
    refused(json!({"to": "2998-12-31"}), &["/to"]).await;
    refused(json!({"id": "another", "version": 1}), &["/contract"]).await;
    let twice = json!([price("NS110", 1), price("NS110", 2)]);
    refused(json!({"prices": twice}), &["/prices/1/code"]).await;
    let proposed = hub.send(Method::PUT, path, &author, &list).await;
    assert_eq!(proposed.status.as_u16(), 202, "{}", proposed.text);
    let proposed = proposed.json();
    conforms("approval", &proposed);
    let pointers = |list: &Value| -> Vec<String> {
        let rows = list.as_array().unwrap().iter();
        rows.map(|one| one["pointer"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        pointers(&proposed["remarks"]),
        ["/prices/2/code"],
        "no code of any table"
    );
    let services = "/prices/urn:takmil:synthetic:services";
    assert_eq!(
        pointers(&proposed["changes"]),
        [
            "/version".to_owned(),
            "/from".to_owned(),
            format!("{services} NQ900"),
            format!("{services} NS110/price"),
            format!("{services} NM110"),
            "/packages".to_owned(),
        ]
    );
    assert_eq!(proposed["approver"], json!(INSURER));
    let approve = format!("/v1/approvals/{}/approve", proposed["id"].as_str().unwrap());
    hub.send(Method::POST, &approve, &own, &json!({}))
        .await
        .is_problem(404, "API-NOT-FOUND");
    let open = hub.get("/v1/approvals", &other).await.ok();
    assert_eq!(open["approvals"][0]["id"], proposed["id"], "the notice");
    let approved = hub
        .send(Method::POST, &approve, &other, &json!({}))
        .await
        .ok();
    assert_eq!(approved["state"], json!("approved"));
    // What is in force is not proposed again with other contents.
    list["title"] = json!("Another");
    hub.send(Method::PUT, path, &author, &list)
        .await
        .is_problem(409, "API-CONFLICT");
}

#[tokio::test]
async fn what_is_owed_is_listed_until_it_is_acknowledged() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let answer = hub
        .send(
            Method::POST,
            "/v1/claims",
            &provider,
            &claim("D-1", "MA-2001"),
        )
        .await
        .ok();
    let owed = hub.get("/v1/deliveries", &insurer).await.ok();
    conforms("delivery_list", &owed);
    let delivery = &owed["deliveries"][0];
    assert_eq!(
        (&delivery["message"], &delivery["purpose"]),
        (&answer["id"], &json!("decided"))
    );
    assert_eq!(delivery["document"]["message"]["kind"], json!("claim"));
    let ack = format!("/v1/deliveries/{}/ack", delivery["id"].as_str().unwrap());
    hub.send(
        Method::POST,
        &ack,
        &hub.place.key(OTHER_INSURER),
        &json!({}),
    )
    .await
    .is_problem(404, "API-NOT-FOUND");
    assert_eq!(
        hub.send(Method::POST, &ack, &insurer, &json!({}))
            .await
            .status
            .as_u16(),
        204
    );
    assert_eq!(
        hub.get("/v1/deliveries", &insurer).await.ok()["deliveries"],
        json!([])
    );
    let way = hub
        .get(
            &format!("/v1/messages/{}", answer["id"].as_str().unwrap()),
            &provider,
        )
        .await
        .ok();
    assert!(way["deliveries"][0]["delivered_at"].is_i64(), "{way}");
}

#[tokio::test]
async fn an_insurer_that_is_asked_decides_later_over_rest() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    // Surgery needs a pre-authorisation under this plan: it waits for the insurer.
    let mut message = claim("W-1", "MA-2001");
    message["kind"] = json!("preauthorization");
    message["preauthorization"] = json!({"bill": crate::hub::bill("NS110", 700_000)});
    message.as_object_mut().unwrap().remove("claim");
    let asked = hub
        .send(Method::POST, "/v1/preauthorizations", &provider, &message)
        .await
        .ok();
    assert_eq!(asked["state"], json!("pended"), "{asked}");
    let decision = |amount: i64| json!({"message": asked["id"], "reference": "W-1", "verdict": "adjust", "currency": "MAD", "lines": [{"seq": 1, "amount": amount}]});
    let mut no_such_line = decision(1);
    no_such_line["lines"][0]["seq"] = json!(9);
    hub.send(Method::POST, "/v1/decisions", &insurer, &no_such_line)
        .await
        .is_problem(422, "VAL-REFERENCE");
    let other = hub.place.key(OTHER_INSURER);
    hub.send(Method::POST, "/v1/decisions", &other, &decision(1))
        .await
        .is_problem(404, "API-NOT-FOUND");
    let receipt = hub
        .send(Method::POST, "/v1/decisions", &insurer, &decision(100_000))
        .await
        .ok();
    assert_eq!(receipt["state"], json!("decided"), "{receipt}");
    conforms("decision_receipt", &receipt);
    assert!(receipt["receipt"]["promise"].is_string(), "{receipt}");
    let way = format!("/v1/messages/{}", asked["id"].as_str().unwrap());
    let answer = hub.get(&way, &provider).await.ok()["answer"].clone();
    assert_eq!(answer["decision"]["decided_by"], json!("insurer"));
    assert!(hub.get(&way, &insurer).await.ok().get("answer").is_none());
    let again = hub
        .send(Method::POST, "/v1/decisions", &insurer, &decision(100_000))
        .await
        .ok();
    assert_eq!(again["repeated"], json!(true));
}

#[tokio::test]
async fn consumption_elsewhere_is_posted_to_limits() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    let answer = hub
        .send(
            Method::POST,
            "/v1/claims",
            &provider,
            &claim("O-1", "MA-2001"),
        )
        .await
        .ok();
    let touched = &answer["decision"]["remainders"][0];
    let posting = |reference: &str, kind: &str, amount: i64| {
        json!({
            "reference": reference, "key": touched["key"], "limit": touched["kind"], "unit": touched["unit"],
            "per": touched["per"], "ceiling": touched["ceiling"], "kind": kind, "amount": amount,
        })
    };
    let left = touched["after"].as_i64().unwrap();
    let rows = json!([
        posting("a", "off_hub", 500),
        posting("b", "off_hub", left),
        posting("c", "override", 700),
        posting("a", "off_hub", 500),
        posting("d", "consume", 1)
    ]);
    let results = hub
        .send(Method::POST, "/v1/postings", &insurer, &rows)
        .await
        .ok();
    conforms("posting_results", &results);
    let results = results["results"].as_array().unwrap();
    assert_eq!(results[0]["left"], json!(left - 500));
    assert_eq!(results[1]["problems"][0]["code"], json!("VAL-RANGE"));
    assert_eq!(results[2]["left"], json!(left + 200));
    assert_eq!(
        results[3]["left"],
        json!(left + 200),
        "a repeat has no further effect"
    );
    assert_eq!(results[4]["problems"][0]["pointer"], json!("/4/kind"));
}
