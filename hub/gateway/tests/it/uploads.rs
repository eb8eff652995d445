//! Files of many messages: kept at once, taken one by one, each once, with progress and results.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Answer, Hub, INSURER, OTHER_PROVIDER, PROVIDER, claim};
use crate::schemas::conforms;

async fn upload(hub: &Hub, key: &str, file: &str, named: Option<&str>) -> Answer {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(named.map(|named| ("idempotency-key", named)));
    hub.raw(Method::POST, "/v1/uploads", &headers, file.to_owned())
        .await
}

/// Waits until an upload is finished.
async fn finished(hub: &Hub, key: &str, id: &str) -> Value {
    for _ in 0..600 {
        let shown = hub.get(&format!("/v1/uploads/{id}"), key).await.ok();
        conforms("upload", &shown);
        assert!(shown["done"].as_u64() <= shown["parts"].as_u64());
        if shown.get("finished_at").is_some() {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the upload is not finished");
}

async fn results(hub: &Hub, key: &str, id: &str, query: &str) -> Value {
    let path = format!("/v1/uploads/{id}/results{query}");
    let page = hub.get(&path, key).await.ok();
    conforms("upload_results", &page);
    page
}

#[tokio::test]
async fn each_line_of_a_file_is_taken_or_refused_for_itself() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let mut bad = claim("U-2", "MA-2001");
    bad["claim"]["bill"]["lines"][0]["billed"] = json!("much");
    let file = format!(
        "{}\n\n{bad}\n{}\nno message\n{}\n",
        claim("U-1", "MA-2001"),
        claim("U-3", "MA-2001"),
        json!([claim("U-4", "MA-2001"), {"kind": "poem"}]),
    );
    let kept = upload(&hub, &key, &file, None).await;
    assert_eq!(kept.status.as_u16(), 202, "{}", kept.text);
    let shown = kept.json();
    conforms("upload", &shown);
    let id = shown["id"].as_str().unwrap();
    assert_eq!(kept.header("location"), format!("/v1/uploads/{id}"));
    assert_eq!(shown["parts"], 5);
    let done = finished(&hub, &key, id).await;
    assert_eq!(
        (&done["done"], &done["taken"], &done["refused"]),
        (&json!(5), &json!(3), &json!(3))
    );

    let all = results(&hub, &key, id, "").await;
    let parts = all["parts"].as_array().unwrap();
    let lines: Vec<&Value> = parts.iter().map(|part| &part["line"]).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6]);
    assert_eq!(
        parts[1]["results"][0]["problems"][0]["pointer"],
        "/claim/bill/lines/0/billed"
    );
    assert_eq!(parts[3]["results"][0]["code"], "FMT-UNKNOWN");
    assert_eq!(parts[4]["results"][1]["place"], "/1");
    let message = parts[0]["results"][0]["message"].as_str().unwrap();
    let found = hub.get(&format!("/v1/messages/{message}"), &key).await.ok();
    assert_eq!(
        found["envelope"]["kind"]
            .as_str()
            .or(found["kind"].as_str()),
        Some("claim"),
        "{found}"
    );

    let refused = results(&hub, &key, id, "?refused=true").await;
    assert_eq!(refused["parts"].as_array().unwrap().len(), 3);
    // Page by page it is the same.
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = results(&hub, &key, id, &format!("?limit=2{cursor}")).await;
        paged.extend(page["parts"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(paged), all["parts"]);

    // The same file again is the same upload; another one under its key is refused.
    let again = upload(&hub, &key, &file, None).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["id"]),
        (200, &done["id"])
    );
    upload(&hub, &key, &file, Some("mine")).await.ok();
    let other = claim("U-9", "MA-2001").to_string();
    upload(&hub, &key, &other, Some("mine"))
        .await
        .is_problem(422, "API-CHANGED");
    upload(&hub, &key, " \n", None)
        .await
        .is_problem(400, "FMT-EMPTY");

    let listed = hub.get("/v1/uploads?limit=1", &key).await.ok();
    conforms("upload_page", &listed);
    assert!(listed["next"].is_string(), "{listed}");
    // Under another key the file came again: its messages are repeats.
    let second = listed["uploads"][0]["id"].as_str().unwrap();
    assert_eq!(finished(&hub, &key, second).await["taken"], 3);
    let repeats = results(&hub, &key, second, "").await;
    assert_eq!(repeats["parts"][0]["results"][0]["repeated"], true);

    let stranger = hub.place.key(OTHER_PROVIDER);
    for path in [
        format!("/v1/uploads/{id}"),
        format!("/v1/uploads/{id}/results"),
    ] {
        hub.get(&path, &stranger)
            .await
            .is_problem(404, "API-NOT-FOUND");
    }
    assert_eq!(
        hub.get("/v1/uploads", &stranger).await.ok()["uploads"],
        json!([])
    );
    let insurer = hub.place.key(INSURER);
    upload(&hub, &insurer, &file, None)
        .await
        .is_problem(403, "API-FORBIDDEN");
}

#[tokio::test]
async fn the_bills_of_a_sheet_are_taken_and_what_is_wrong_is_told_by_row_and_title() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let sheet = "facture;assuré [urn:takmil:sample:member];monnaie;date;code [urn:takmil:synthetic:services];quantité;montant\n\
        10;MA-2001;MAD;2026-11-02;NC100;1;150,00\n\
        11;MA-2001;MAD;2026-11-02;NC100;1;150.00\n\
        11;MA-2001;;2026-11-02;NC100;2;90\n";
    let kept = upload(&hub, &key, sheet, None).await.json();
    let id = kept["id"].as_str().unwrap();
    assert_eq!(kept["parts"], 2);
    let done = finished(&hub, &key, id).await;
    assert_eq!((&done["taken"], &done["refused"]), (&json!(1), &json!(1)));
    let all = results(&hub, &key, id, "").await;
    assert_eq!(
        all["parts"][0]["results"][0]["problems"][0]["pointer"], "/2/amount",
        "{all}"
    );
    assert_eq!(all["parts"][1]["line"], 3);
    assert_eq!(all["parts"][1]["results"][0]["kind"], "claim", "{all}");
    let wrong = upload(&hub, &key, "bill,colour,amount\n1,red,2\n", None).await;
    wrong.is_problem(422, "VAL-UNKNOWN");
    assert_eq!(wrong.json()["pointer"], "/1/2");
}

#[tokio::test]
async fn a_hub_that_dies_in_the_middle_of_a_file_takes_each_message_once() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let lines: Vec<String> = (0..300)
        .map(|number| claim(&format!("D-{number}"), "MA-2001").to_string())
        .collect();
    let kept = upload(&hub, &key, &lines.join("\n"), None).await.json();
    let id = kept["id"].as_str().unwrap().to_owned();
    // Something is done, and not all of it.
    loop {
        let shown = hub.get(&format!("/v1/uploads/{id}"), &key).await.ok();
        if shown["done"].as_u64() > Some(0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hub = hub.restart();
    let done = finished(&hub, &key, &id).await;
    assert_eq!((&done["taken"], &done["refused"]), (&json!(300), &json!(0)));
    let mut listed = 0;
    let mut cursor = String::new();
    loop {
        let page = hub
            .get(&format!("/v1/messages?limit=1000{cursor}"), &key)
            .await
            .ok();
        listed += page["messages"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, 300);
}
