//! Late facts over HTTP: what they change is listed, another person agrees, and the decisions are made anew.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, PROVIDER, claim, pack};
use crate::schemas::conforms;

#[tokio::test]
async fn what_a_retroactive_version_changes_is_written_when_another_person_approves() {
    let hub = Hub::start("");
    let provider = hub.place.key(PROVIDER);
    let author = hub.place.person(INSURER, "Author", "plan_author");
    let approver = hub.place.person(INSURER, "Approver", "approver");
    let decided = hub
        .send(
            Method::POST,
            "/v1/claims",
            &provider,
            &claim("1", "MA-2001"),
        )
        .await
        .ok();
    let total = |answer: &Value| answer["decision"]["totals"]["supplementary"][0][1].as_i64();
    let before = total(&decided).unwrap();
    assert!(before > 0, "{decided}");

    let plans: Value =
        serde_json::from_slice(&std::fs::read(pack().join("plans.json")).unwrap()).unwrap();
    let plans = plans.as_array().unwrap();
    let mut plan = plans
        .iter()
        .find(|plan| plan["id"] == "ma-mutuelle-360")
        .unwrap()
        .clone();
    plan["version"] = json!(2);
    plan["from"] = json!("2026-01-01");
    plan["benefits"][0]["rate"] = json!("100%");
    let agree = async |proposal: &Value| {
        let id = proposal["id"].as_str().unwrap();
        let path = format!("/v1/approvals/{id}/approve");
        hub.send(Method::POST, &path, &approver, &json!({}))
            .await
            .ok()
    };
    let proposed = hub
        .send(Method::PUT, "/v1/plans/ma-mutuelle-360", &author, &plan)
        .await;
    assert_eq!(proposed.status.as_u16(), 202, "{}", proposed.text);
    agree(&proposed.json()).await;

    let wrong = json!({"from": "2026-12-31", "to": "2026-01-01"});
    hub.send(Method::POST, "/v1/corrections", &author, &wrong)
        .await
        .is_problem(422, "VAL-DATE-ORDER");
    let period =
        json!({"from": "2020-01-01", "to": "2099-12-31", "reason": "the endorsement of 2026"});
    hub.send(
        Method::POST,
        "/v1/corrections",
        &hub.place.key(INSURER),
        &period,
    )
    .await
    .is_problem(403, "API-FORBIDDEN");
    let listed = hub
        .send(Method::POST, "/v1/corrections", &author, &period)
        .await;
    assert_eq!(listed.status.as_u16(), 202, "{}", listed.text);
    let listed = listed.json();
    conforms("approval", &listed);
    let corrections = &listed["document"]["corrections"];
    assert_eq!(corrections.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(corrections[0]["before"]["insurer"], json!(before));
    assert_eq!(corrections[0]["after"]["insurer"], json!(0));

    let way = format!("/v1/messages/{}", decided["id"].as_str().unwrap());
    let answer = hub.get(&way, &provider).await.ok()["answer"].clone();
    assert_eq!(total(&answer), Some(before), "nobody has agreed yet");
    agree(&listed).await;
    let answer = hub.get(&way, &provider).await.ok()["answer"].clone();
    assert_eq!(total(&answer), Some(0), "{answer}");
    let reasons = answer["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("MSG-CORRECTED")), "{answer}");
    agree(&listed).await;
    let again = hub
        .send(Method::POST, "/v1/corrections", &author, &period)
        .await
        .json();
    assert_eq!(again["document"]["corrections"], json!([]));
}
