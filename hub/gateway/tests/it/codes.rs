//! Insurers' own codes: told by the insurer, said in what it is sent, counted where they lack something.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, Place, claim};
use crate::schemas::conforms;

const SERVICES: &str = "urn:takmil:synthetic:services";

fn map(version: u32) -> Value {
    json!({
        "insurer": INSURER,
        "version": version,
        "plans": [{"plan": "ma-mutuelle-360", "code": "P-360"}],
        "commitments": [{"benefit": "consultation", "code": "C-7"}],
        "coverages": [
            {"codes": [{"prefix": ""}], "code": "V-0"},
            {"codes": [{"system": SERVICES, "prefix": "NC"}], "code": "V-1"},
        ],
        "items": [{"item": {"system": SERVICES, "code": "NC999"}, "code": "I-9"}],
    })
}

#[tokio::test]
async fn what_an_insurer_is_sent_says_its_own_codes_and_what_they_lack_is_counted() {
    let hub = Hub::start("");
    let (insurer, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    let put = |key: String, body: Value| {
        let hub = &hub;
        async move { hub.send(Method::PUT, "/v1/code-map", &key, &body).await }
    };
    hub.get("/v1/code-map", &insurer)
        .await
        .is_problem(404, "API-NOT-FOUND");
    let kept = put(insurer.clone(), map(1)).await.ok();
    conforms("code_map_kept", &kept);
    assert_eq!(kept["changed"], true);
    assert_eq!(
        kept["remarks"][0]["pointer"], "/items/0/item",
        "no such service is known: {kept}"
    );
    let again = put(insurer.clone(), map(1)).await.ok();
    assert_eq!(again["changed"], false);
    assert_eq!(
        hub.get("/v1/code-map", &insurer).await.ok()["plans"],
        map(1)["plans"]
    );

    // What is wrong with a version keeps it out.
    let mut changed = map(1);
    changed["plans"][0]["code"] = json!("P-361");
    let refused = put(insurer.clone(), changed).await;
    refused.is_problem(422, "VAL-VALUE");
    assert_eq!(refused.json()["pointer"], "/version");
    let mut twice = map(2);
    twice["plans"] = json!([{"plan": "a", "code": "1"}, {"plan": "a", "code": "2"}]);
    let refused = put(insurer.clone(), twice).await;
    refused.is_problem(422, "VAL-VALUE");
    assert_eq!(refused.json()["pointer"], "/plans/1/plan");
    let mut grouped = map(2);
    grouped["coverages"] = json!([{"codes": [{"group": "drugs"}], "code": "V-2"}]);
    let refused = put(insurer.clone(), grouped).await;
    assert_eq!(refused.json()["pointer"], "/coverages/0/codes/0");
    let stranger = hub.place.key(OTHER_INSURER);
    let refused = put(stranger.clone(), map(2)).await;
    refused.is_problem(422, "VAL-VALUE");
    assert_eq!(refused.json()["pointer"], "/insurer");
    hub.get(&format!("/v1/code-map?insurer={INSURER}"), &stranger)
        .await
        .is_problem(404, "API-NOT-FOUND");

    let member = "MA-2001";
    let answer = hub
        .send(Method::POST, "/v1/claims", &provider, &claim("K-1", member))
        .await
        .ok();
    let owed = hub.get("/v1/deliveries", &insurer).await.ok();
    conforms("delivery_list", &owed);
    let codes = &owed["deliveries"][0]["document"]["codes"];
    let benefit = answer["decision"]["lines"][0]["supplementary"][0]["benefit"].as_str();
    assert_eq!(codes["plan"], "P-360", "{answer}");
    assert_eq!(codes["version"], 1);
    assert_eq!(
        codes["lines"][0]["coverage"], "V-1",
        "what says the most counts: {codes}"
    );
    let is_mapped = benefit == Some("consultation");
    assert_eq!(
        codes["lines"][0]["commitment"] == "C-7",
        is_mapped,
        "{benefit:?} {codes}"
    );
    assert_eq!(
        codes["unmapped"][0],
        json!({"level": "item", "what": format!("{SERVICES}|NC100")})
    );

    let lacking = hub.get("/v1/unmapped", &insurer).await.ok();
    conforms("unmapped_list", &lacking);
    let counted = &lacking["unmapped"][0];
    assert_eq!(counted["system"], "urn:takmil:own:item");
    assert_eq!(counted["code"], format!("{SERVICES}|NC100"));
    assert_eq!(
        (&counted["times"], &counted["participant"]),
        (&json!(1), &json!(INSURER))
    );
    assert_eq!(
        hub.get("/v1/unmapped", &stranger).await.ok()["unmapped"],
        json!([])
    );

    // What has changed since is told in the same words, as soon as the log has numbered it.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let changed = hub.get("/v1/messages?updated_after=", &insurer).await.ok();
        let messages = changed["messages"].as_array().unwrap();
        if let Some(own) = messages.iter().find(|own| own["id"] == answer["id"]) {
            assert_eq!(own["document"]["codes"], *codes, "{changed}");
            break;
        }
        assert!(Instant::now() < deadline, "{changed}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_an_insurers_own_codes_lack_is_suggested_from_its_own_list_and_said_one_by_one() {
    let place = Place::new("");
    let list = place.path("own.csv");
    let rows = "code,name\nW-1,Consultation of a specialist\nW-2,Dressing of a wound\n";
    std::fs::write(&list, rows).unwrap();
    let system = format!("urn:takmil:own:item:{INSURER}");
    let arguments = [
        ["import", "tables"],
        [list.to_str().unwrap(), "--id=own"],
        ["--system", &system],
        ["--edition=1", "--as-of=2026-01-01"],
        ["--licence=its own", "--source=the insurer"],
        ["--columns", "code=code,title_en=name"],
    ];
    place.run(&arguments.concat(), "");
    place.fill();
    let hub = Hub::on(place);
    let (insurer, provider) = (hub.place.key(INSURER), hub.place.key(PROVIDER));
    hub.send(Method::PUT, "/v1/code-map", &insurer, &map(1))
        .await
        .ok();
    hub.send(
        Method::POST,
        "/v1/claims",
        &provider,
        &claim("K-1", "MA-2001"),
    )
    .await
    .ok();
    let path = format!("/v1/unmapped/suggestions?system=urn:takmil:own:item&code={SERVICES}|NC100");
    let suggested = hub.get(&path, &insurer).await.ok();
    conforms("code_suggestion_list", &suggested);
    assert_eq!(suggested["suggestions"][0]["code"], "W-1", "{suggested}");
    let item = json!({"item": {"system": SERVICES, "code": "NC100"}, "code": "W-1"});
    let kept = hub
        .send(Method::POST, "/v1/code-map/items", &insurer, &item)
        .await
        .ok();
    conforms("code_map_kept", &kept);
    assert_eq!(
        (&kept["version"], &kept["changed"]),
        (&json!(2), &json!(true))
    );
    let held = hub.get("/v1/code-map", &insurer).await.ok();
    assert_eq!(held["plans"], map(1)["plans"]);
    assert_eq!(held["items"].as_array().unwrap().len(), 2);
    let renamed = json!({"item": {"system": SERVICES, "code": "NC100"}, "code": "W-2"});
    hub.send(Method::POST, "/v1/code-map/items", &insurer, &renamed)
        .await
        .ok();
    hub.send(
        Method::POST,
        "/v1/claims",
        &provider,
        &claim("K-2", "MA-2001"),
    )
    .await
    .ok();
    let owed = hub.get("/v1/deliveries", &insurer).await.ok();
    let last = owed["deliveries"].as_array().unwrap().last().unwrap();
    assert_eq!(
        last["document"]["codes"]["lines"][0]["item"], "W-2",
        "{last}"
    );
    let bad = json!({"item": {"system": SERVICES}, "code": "W-2"});
    hub.send(Method::POST, "/v1/code-map/items", &insurer, &bad)
        .await
        .is_problem(422, "VAL-MISSING");
    hub.send(Method::POST, "/v1/code-map/items", &provider, &item)
        .await
        .is_problem(403, "API-FORBIDDEN");
    // Who has no map yet begins one.
    let other = hub.place.key(OTHER_INSURER);
    let first = hub
        .send(Method::POST, "/v1/code-map/items", &other, &item)
        .await
        .ok();
    assert_eq!(first["version"], 1);
}
