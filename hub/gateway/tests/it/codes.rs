//! Insurers' own codes: told by the insurer, said in what it is sent, counted where they lack something.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, claim};
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

    // What has changed since is told in the same words.
    let changed = hub.get("/v1/messages?updated_after=", &insurer).await.ok();
    let messages = changed["messages"].as_array().unwrap();
    let own = messages.iter().find(|own| own["id"] == answer["id"]);
    assert_eq!(own.unwrap()["document"]["codes"], *codes, "{changed}");
}
