//! What the hub says of itself: health, metrics, lists, schemas, interface, page.

use reqwest::Method;
use serde_json::{Value, json};
use takmil_domain::clinical::{Level, RULES};

use crate::hub::{Hub, PROVIDER, claim};

#[tokio::test]
async fn health_and_metrics_tell_how_the_hub_is_doing() {
    let mut hub = Hub::start("[telemetry]\nmetrics = \"open\"\n");
    let key = hub.place.key(PROVIDER);
    assert_eq!(hub.raw(Method::GET, "/healthz", &[], "").await.text, "ok\n");
    assert_eq!(
        hub.raw(Method::GET, "/readyz", &[], "").await.ok(),
        json!({"ready": true})
    );
    hub.send(Method::POST, "/v1/claims", &key, &claim("M-1", "MA-2001"))
        .await
        .ok();
    let metrics = hub.raw(Method::GET, "/metrics", &[], "").await.text;
    for line in [
        "takmil_requests_total{route=\"/v1/claims\",status=\"200\"} 1",
        "takmil_messages_total{format=\"native\",kind=\"claim\",outcome=\"decided\"} 1",
        "takmil_deliveries_waiting{insurer=\"ma-mutuelle\"} 1",
        "takmil_lanes{what=\"orders\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    assert!(!metrics.contains("MA-2001"));
    assert_eq!(hub.stop(), Some(0), "SIGTERM ends it well");
}

#[tokio::test]
async fn an_operators_key_opens_the_metrics() {
    let hub = Hub::start("");
    let shown = hub
        .place
        .json(&["participant", "add", "operations", "--role", "operator"]);
    let answer = hub.get("/metrics", shown["key"].as_str().unwrap()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
}

#[tokio::test]
async fn lists_schemas_interface_and_page_are_open_to_all() {
    let hub = Hub::start("");
    let get = async |path: &str| hub.raw(Method::GET, path, &[], "").await;
    let codes = async |path: &str, name: &str| {
        let list = get(path).await.ok()[name].as_array().unwrap().clone();
        list.iter()
            .map(|row| row["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let reasons = codes("/v1/reasons", "reasons").await;
    let problems = codes("/v1/problems", "problems").await;
    assert!(
        reasons.contains(&"BEN-WAITING".to_owned()) && problems.contains(&"API-CHANGED".to_owned())
    );
    for schema in ["claim", "common", "documents", "answers"] {
        assert_eq!(
            get(&format!("/v1/schemas/{schema}")).await.ok()["$schema"],
            json!("https://json-schema.org/draft/2020-12/schema")
        );
    }
    get("/v1/schemas/poem")
        .await
        .is_problem(404, "API-NOT-FOUND");

    let interface: Value = get("/openapi.json").await.ok();
    assert_eq!(
        interface["openapi"]
            .as_str()
            .unwrap()
            .split('.')
            .take(2)
            .collect::<Vec<_>>(),
        ["3", "1"]
    );
    let page = get("/docs").await;
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    for path in interface["paths"].as_object().unwrap().keys() {
        assert!(
            page.text.contains(path.as_str()),
            "{path} is not on the page"
        );
    }
    for code in reasons.iter().chain(&problems) {
        assert!(
            page.text.contains(&format!("id=\"{code}\"")),
            "{code} has no anchor"
        );
    }
    assert!(
        get("/docs/style.css")
            .await
            .header("content-type")
            .starts_with("text/css")
    );
}

#[tokio::test]
async fn a_pasted_message_is_shown_as_the_hub_reads_it_and_is_not_kept() {
    let hub = Hub::start("");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let paste = async |fields: &[(&str, &str)]| {
        let body = reqwest::Url::parse_with_params("http://hub", fields).unwrap();
        let body = body.query().unwrap().to_owned();
        hub.raw(Method::POST, "/docs/reader", &form, body).await
    };
    let empty = hub.raw(Method::GET, "/docs/reader", &[], "").await;
    assert!(empty.text.contains("<form") && !empty.text.contains("id=\"reading\""));

    let mut bill = claim("P-1", "MA-2001");
    let shown = paste(&[("message", &bill.to_string()), ("currency", "")]).await;
    assert_eq!(shown.status.as_u16(), 200, "{}", shown.text);
    assert_eq!(shown.header("cache-control"), "no-store");
    assert!(shown.text.contains("<code>native</code>"), "{}", shown.text);
    assert!(shown.text.contains("&#34;MA-2001&#34;"), "{}", shown.text);

    // Browsers send each line's end as CR and LF.
    let samples = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../adapters/formats/samples/"
    );
    for (path, kind) in [
        ("hl7v2/prescription-shiraz.hl7", "prescription"),
        ("uae/prescription.xml", "prescription"),
        ("x12/claims-houston-professional.x12", "claim"),
    ] {
        let text = std::fs::read_to_string(format!("{samples}{path}")).unwrap();
        let text = text.replace("\r\n", "\n").replace(['\r', '\n'], "\r\n");
        let shown = paste(&[("message", &text), ("currency", "irr")]).await.text;
        assert!(
            shown.contains(&format!("<h3><code>{kind}</code>")),
            "{path} {shown}"
        );
    }
    bill["claim"]["bill"]["lines"][0]["quantity"] = json!("<script>");
    let refused = paste(&[("message", &bill.to_string())]).await;
    assert!(
        refused
            .text
            .contains("<code>/claim/bill/lines/0/quantity</code>"),
        "{}",
        refused.text
    );
    assert!(!refused.text.contains("<script"));

    let nothing = paste(&[("message", "hello")]).await;
    assert!(nothing.text.contains("FMT-UNKNOWN"), "{}", nothing.text);
    let currency = paste(&[("message", &bill.to_string()), ("currency", "!")]).await;
    assert!(currency.text.contains("ISO 4217"), "{}", currency.text);
    let large = " ".repeat(300_000);
    let large = paste(&[("message", &large)]).await;
    assert!(large.text.contains("FMT-SIZE"), "{:.500}", large.text);
}

#[test]
fn the_schema_of_plans_has_every_clinical_rule_with_what_it_may_do() {
    let text = include_str!("../../schemas/documents.schema.json");
    let schema: Value = serde_json::from_str(text).unwrap();
    let rules = &schema["$defs"]["clinical"]["properties"]["levels"]["properties"]["rules"];
    let stated: Vec<(&str, &str)> = rules["properties"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(code, setting)| (code.as_str(), setting["$ref"].as_str().unwrap()))
        .collect();
    let known: Vec<(&str, &str)> = RULES
        .iter()
        .map(|rule| match rule.most {
            Level::Information => (rule.rule.code(), "#/$defs/clinical_telling"),
            Level::Warning | Level::Refusal => (rule.rule.code(), "#/$defs/clinical_setting"),
        })
        .collect();
    assert_eq!(stated, known);
}
