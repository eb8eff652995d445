//! A decision told to its member, over REST and on the command line.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::hub::{Answer, Hub, INSURER, OTHER_PROVIDER, PROVIDER, claim, run};
use crate::schemas::conforms;

async fn asked(hub: &Hub, path: &str, key: &str, headers: &[(&str, &str)]) -> Answer {
    let key = format!("Bearer {key}");
    let headers = [&[("authorization", key.as_str())], headers].concat();
    hub.raw(Method::GET, path, &headers, String::new()).await
}

#[tokio::test]
async fn a_member_is_told_in_five_languages_who_pays_what_and_why() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let message = claim("E-1", "MA-2001");
    let answer = hub
        .send(Method::POST, "/v1/claims", &key, &message)
        .await
        .ok();
    let path = format!(
        "/v1/decisions/{}/explanation",
        answer["id"].as_str().unwrap()
    );
    for (language, direction, billed) in [
        ("fa", "rtl", "۱۵۰٫۰۰ درهم مراکش"),
        ("ar", "rtl", "١٥٠٫٠٠ درهم مغربي"),
        ("pt", "ltr", "150,00 dirhams marroquinos"),
        ("fr", "ltr", "150,00 dirhams"),
        ("en", "ltr", "150.00 dirhams"),
    ] {
        let told = asked(&hub, &format!("{path}?lang={language}"), &key, &[]).await;
        assert_eq!(told.header("content-language"), language);
        let told = told.ok();
        conforms("explanation", &told);
        assert_eq!(told["direction"], json!(direction));
        assert!(
            told["summary"].as_str().unwrap().contains(billed),
            "{told:#}"
        );
        let decided = answer["decision"]["lines"].as_array().unwrap();
        let lines = told["lines"].as_array().unwrap();
        assert_eq!(lines.len(), decided.len());
        for (told, line) in lines.iter().zip(decided) {
            assert_eq!(told["seq"], line["seq"]);
            let steps = line["trace"].as_array().map_or(0, Vec::len);
            assert!(told["reasons"].as_array().unwrap().len() >= steps);
        }
        // The insurer goes by the name that members know.
        let shares = told["lines"][0]["shares"].as_str().unwrap();
        assert!(!shares.contains(INSURER), "{shares}");
    }
}

#[tokio::test]
async fn the_reader_says_the_language_and_the_form() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let message = claim("E-2", "MA-2001");
    let answer = hub
        .send(Method::POST, "/v1/claims", &key, &message)
        .await
        .ok();
    let path = format!(
        "/v1/decisions/{}/explanation",
        answer["id"].as_str().unwrap()
    );

    let wanted = [
        ("accept-language", "de, fr-MA;q=0.8"),
        ("accept", "text/plain"),
    ];
    let text = asked(&hub, &path, &key, &wanted).await;
    assert_eq!(text.status, StatusCode::OK);
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(
        text.text.starts_with("Sur cette facture de "),
        "{}",
        text.text
    );
    let unnamed = asked(&hub, &path, &key, &[]).await;
    assert_eq!(unnamed.header("content-language"), "en");
    assert_eq!(unnamed.header("content-type"), "application/json");

    let unknown = asked(&hub, &format!("{path}?lang=de"), &key, &[]).await;
    unknown.is_problem(400, "API-PARAMETER");
    let detail = unknown.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("fa, ar, pt, fr, en"), "{detail}");
}

#[tokio::test]
async fn nobody_reads_what_is_not_theirs_and_what_has_no_decision_is_not_there() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let message = claim("E-3", "MA-2001");
    let answer = hub
        .send(Method::POST, "/v1/claims", &key, &message)
        .await
        .ok();
    let path = format!(
        "/v1/decisions/{}/explanation",
        answer["id"].as_str().unwrap()
    );
    let stranger = hub.place.key(OTHER_PROVIDER);
    hub.get(&path, &stranger)
        .await
        .is_problem(404, "API-NOT-FOUND");
    // The whole of a decision names the other insurers.
    let insurer = hub.place.key(INSURER);
    hub.get(&path, &insurer)
        .await
        .is_problem(403, "API-FORBIDDEN");

    let mut question: Value = claim("E-4", "MA-2001");
    let members = question.as_object_mut().unwrap();
    members.remove("claim");
    members.insert("kind".to_owned(), json!("eligibility"));
    members.insert("eligibility".to_owned(), json!({}));
    let answer = hub
        .send(Method::POST, "/v1/eligibility", &key, &question)
        .await
        .ok();
    let path = format!(
        "/v1/decisions/{}/explanation",
        answer["id"].as_str().unwrap()
    );
    hub.get(&path, &key).await.is_problem(404, "API-NOT-FOUND");
}

#[test]
fn the_command_tells_a_bill_from_files() {
    let worked = |name: &str| {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../conformance/cases/worked"
        );
        format!("{folder}/2-surgery.{name}.json")
    };
    let (plan, bill) = (worked("plan"), worked("bill"));
    let command = [
        "adjudicate",
        "--plan",
        &plan,
        "--bill",
        &bill,
        "--explain",
        "fa",
    ];
    let told = run(&command, "");
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("۶٬۵۰۰٬۰۰۰ ریال"), "{text}");
    let data = run(&[command.as_slice(), &["--json"]].concat(), "");
    conforms(
        "explanation",
        &serde_json::from_slice(&data.stdout).unwrap(),
    );
    let unknown = run(
        &[
            "adjudicate",
            "--plan",
            &plan,
            "--bill",
            &bill,
            "--explain",
            "de",
        ],
        "",
    );
    assert_eq!(unknown.status.code(), Some(2));
}
