//! Rehearsals on a history that the hub itself has made: from its store by an extract, over HTTP, and from canonical
//! messages.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{Hub, INSURER, OTHER_INSURER, PROVIDER, Place, bill, claim, pack, run};
use crate::schemas::conforms;

/// The plans of the pack.
fn plans() -> Vec<Value> {
    let text = std::fs::read(pack().join("plans.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn plan(id: &str) -> Value {
    let mut plans = plans().into_iter();
    plans.find(|plan| plan["id"] == id).unwrap()
}

/// The plan with another yearly dental limit for each family.
fn with_dental(ceiling: i64) -> Value {
    let mut plan = plan("ma-mutuelle-360");
    plan["version"] = json!(2);
    let mut limits = plan["limits"].as_array_mut().unwrap().iter_mut();
    limits.find(|own| own["id"] == "dental").unwrap()["ceiling"] = json!(ceiling);
    plan
}

fn dental(number: &str, member: &str) -> Value {
    let mut message = claim(number, member);
    message["claim"]["bill"] = bill("ND120", 600_000);
    message["claim"]["bill"]["lines"][0]["quantity"] = json!(10);
    message
}

/// A hub that has decided some claims, and what it answered.
async fn history() -> (Hub, Vec<Value>) {
    let place = Place::new("[limits]\nsimulations = 1\n");
    place.fill();
    // Both insurers' answers are the hub's own.
    let other = place.path("other.json");
    let participants = std::fs::read(pack().join("participants.json")).unwrap();
    let participants: Vec<Value> = serde_json::from_slice(&participants).unwrap();
    let mut participant = participants
        .into_iter()
        .find(|own| own["id"] == OTHER_INSURER)
        .unwrap();
    participant["contract"] = json!({"mode": "delegated"});
    std::fs::write(&other, participant.to_string()).unwrap();
    place.json(&["participant", "add", "--document", other.to_str().unwrap()]);
    let hub = Hub::on(place);
    let key = hub.place.key(PROVIDER);
    let mut answers = Vec::new();
    for (number, member) in [
        ("1", "MA-2001"),
        ("2", "MA-2003"),
        ("3", "MA-2001"),
        ("4", "MA-2004"),
    ] {
        let message = dental(number, member);
        answers.push(
            hub.send(Method::POST, "/v1/claims", &key, &message)
                .await
                .ok(),
        );
    }
    // Of two supplementary insurers, the second is another.
    let both = claim("5", "MA-2002");
    answers.push(hub.send(Method::POST, "/v1/claims", &key, &both).await.ok());
    // What is taken back, and what only asks, is no part of it.
    let taken = hub
        .send(Method::POST, "/v1/claims", &key, &claim("6", "MA-2004"))
        .await
        .ok();
    let path = format!("/v1/claims/{}/cancel", taken["id"].as_str().unwrap());
    hub.send(Method::POST, &path, &key, &json!({})).await.ok();
    let mut estimate = claim("7", "MA-2004");
    estimate["kind"] = json!("estimate");
    estimate["estimate"] = estimate["claim"]["bill"].clone();
    estimate.as_object_mut().unwrap().remove("claim");
    hub.send(Method::POST, "/v1/estimates", &key, &estimate)
        .await
        .ok();
    (hub, answers)
}

fn paid(answers: &[Value], insurer: &str) -> i64 {
    let totals = answers.iter().flat_map(|answer| {
        answer["decision"]["totals"]["supplementary"]
            .as_array()
            .unwrap()
    });
    let own = totals.filter(|own| own[0] == insurer);
    own.map(|own| own[1].as_i64().unwrap()).sum()
}

fn lines(text: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(text).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Makes an extract of all that there is; the file's name follows.
const EXTRACT: [&str; 6] = [
    "simulate",
    "extract",
    "--from",
    "2020-01-01",
    "--to",
    "2099-12-31",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_from_the_store_comes_out_as_it_was_and_a_raised_limit_gains_its_family() {
    let (mut hub, answers) = history().await;
    hub.stop();
    let place = &hub.place;
    let extract = place.path("history.extract");
    let extract = extract.to_str().unwrap();
    let made = place.json(&[&EXTRACT[..], &[extract]].concat());
    assert_eq!((&made["messages"], &made["erased"]), (&json!(5), &json!(0)));
    let bytes = std::fs::read(extract).unwrap();
    for secret in ["MA-2001", "urn:takmil:sample:member", "MU-10-55"] {
        let found = bytes
            .windows(secret.len())
            .any(|own| own == secret.as_bytes());
        assert!(!found, "{secret} is in the extract");
    }
    let again = place.run(&[&EXTRACT[..], &[extract]].concat(), "");
    assert_eq!(again.status.code(), Some(3), "it overwrites nothing");

    let simulate = |plan: &Value, more: &[&str]| {
        let file = place.path("changed.json");
        std::fs::write(&file, plan.to_string()).unwrap();
        let base = [
            "simulate",
            "--history",
            extract,
            "--plan",
            file.to_str().unwrap(),
        ];
        run(&[&base[..], more].concat(), "")
    };
    let told = simulate(&plan("ma-mutuelle-360"), &["--json"]);
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let same = lines(&told.stdout);
    assert_eq!(same.len(), 1, "nothing moves: {same:#?}");
    let count = |summary: &Value| {
        [
            "messages",
            "members",
            "touched",
            "moved",
            "not_reproducible",
        ]
        .map(|own| summary[own].clone())
    };
    assert_eq!(count(&same[0]), [5, 4, 5, 0, 0].map(|own| json!(own)));
    let of = |summary: &Value, insurer: &str| {
        let all = summary["supplementary"].as_array().unwrap();
        let own = all.iter().find(|own| own["insurer"] == insurer).unwrap();
        (
            own["before"].as_i64().unwrap(),
            own["after"].as_i64().unwrap(),
        )
    };
    let (ours, theirs) = (paid(&answers, INSURER), paid(&answers, OTHER_INSURER));
    assert_eq!(of(&same[0], INSURER), (ours, ours), "what was recorded");
    assert_eq!(of(&same[0], OTHER_INSURER), (theirs, theirs));

    let told = lines(&simulate(&with_dental(900_000), &["--json", "--threads", "2"]).stdout);
    let moved: Vec<&Value> = told[1..].iter().map(|own| &own["message"]).collect();
    let ids = |own: &[usize]| own.iter().map(|at| &answers[*at]["id"]).collect::<Vec<_>>();
    assert_eq!(
        moved,
        ids(&[1, 2]),
        "the family that had reached it, and nobody else"
    );
    assert_eq!(told[0]["gain"]["members"], json!(2));
    assert_eq!(of(&told[0], INSURER), (ours, ours + 300_000));
    assert_eq!(told[0]["member"]["change"], json!(-300_000));
    assert_eq!(of(&told[0], OTHER_INSURER), (theirs, theirs));
    let largest = &told[0]["largest"][0]["told"][0];
    assert!(
        largest["before"]
            .to_string()
            .contains("Dentaire par famille"),
        "{largest:#}"
    );

    let shown = simulate(
        &with_dental(900_000),
        &["--explain", "fr", "--premium", "1000000"],
    );
    let text = String::from_utf8(shown.stdout).unwrap();
    for part in [
        "5 messages",
        "loss ratio",
        "Largest differences",
        "LIMIT-REACHED",
        "Dentaire",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_rehearsed_is_refused_in_clear_words() {
    let place = Place::new("");
    let file = |name: &str, text: &[u8]| {
        std::fs::write(place.path(name), text).unwrap();
        place.path(name).to_str().unwrap().to_owned()
    };
    let good = file("plan.json", plan("ma-mutuelle-360").to_string().as_bytes());
    let mut contradicts = plan("ma-mutuelle-360");
    contradicts["benefits"][0]["limits"] = json!(["none"]);
    let contradicts = file("contradicts.json", contradicts.to_string().as_bytes());
    let message = file("message.json", claim("1", "MA-2001").to_string().as_bytes());
    let cut = file("cut.extract", b"TAKMILRX\x02\x00\x01");
    let older = file("older.extract", b"TAKMILRX\x00\x00");
    let check = |arguments: &[&str], code: i32, words: &str| {
        let output = run(&[&["simulate"], arguments].concat(), "");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    };
    check(
        &[
            "--plan",
            &contradicts,
            "--history",
            &message,
            "--against",
            &good,
        ],
        1,
        "/plans/0/benefits/0/limits/0",
    );
    check(&["--plan", &good, "--history", &message], 1, "--against");
    check(
        &["--plan", &good, "--history", &cut],
        1,
        "at byte 10: it ends in the middle of a block",
    );
    check(
        &["--plan", &good, "--history", &older],
        1,
        "of another version",
    );
    check(
        &["--plan", &good, "--history", "absent"],
        3,
        "absent cannot be read",
    );
    check(&["--plan", &good], 2, "--history");
    check(
        &["--plan", &good, "--history", &message, "--premium", "0"],
        2,
        "1 or more",
    );
}

#[test]
fn canonical_messages_are_history_too() {
    let place = Place::new("");
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let all: Vec<String> = [("1", "A"), ("2", "A"), ("3", "B"), ("4", "A")]
        .iter()
        .map(|(number, member)| json!({"path": "x", "message": dental(number, member)}).to_string())
        .collect();
    let tariffs: Value =
        serde_json::from_slice(&std::fs::read(pack().join("tariffs.json")).unwrap()).unwrap();
    let documents = json!({"plans": [plan("ma-mutuelle-360")], "tariffs": tariffs});
    std::fs::write(path("history.ndjson"), all.join("\n")).unwrap();
    std::fs::write(path("before.json"), documents.to_string()).unwrap();
    std::fs::write(path("after.json"), with_dental(10_000_000).to_string()).unwrap();
    let base = ["simulate", "--json", "--history", &path("history.ndjson")];
    let files = [
        "--against",
        &path("before.json"),
        "--plan",
        &path("after.json"),
    ];
    let output = run(&[&base[..], &files].concat(), "");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told = lines(&output.stdout);
    assert_eq!(told[0]["messages"], json!(4));
    // Each bill is 480,000 after the member's 20 %: the second of A finds 120,000, the third nothing; B reaches none.
    let moved: Vec<(i64, i64)> = told[1..]
        .iter()
        .map(|own| &own["supplementary"][0])
        .map(|own| {
            (
                own["before"].as_i64().unwrap(),
                own["after"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(moved, [(120_000, 480_000), (0, 480_000)]);
    let broken = all[..2].join("\n") + "\n{\"message\": {}}\n";
    std::fs::write(path("history.ndjson"), broken).unwrap();
    let output = run(&[&base[..], &files].concat(), "");
    assert_eq!(output.status.code(), Some(1), "a line was left out");
    assert_eq!(lines(&output.stdout)[0]["messages"], json!(2));
}

#[tokio::test]
async fn an_author_rehearses_over_http_and_sees_the_own_business_alone() {
    let (hub, answers) = history().await;
    let author = hub.place.person(INSURER, "Author", "plan_author");
    let stranger = hub.place.person(OTHER_INSURER, "Stranger", "plan_author");
    let approver = hub.place.person(INSURER, "Approver", "approver");
    let body = |plan: Value| json!({"plan": plan, "from": "2020-01-01", "to": "2099-12-31", "premium": 1_000_000, "language": "fr"});
    let path = "/v1/simulations";
    let answer = hub
        .send(Method::POST, path, &author, &body(with_dental(900_000)))
        .await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let told = lines(answer.text.as_bytes());
    told.iter()
        .for_each(|line| conforms("simulation_line", line));
    let of = |name: &str| {
        told.iter()
            .filter_map(|line| line.get(name))
            .collect::<Vec<_>>()
    };
    assert!(
        !of("progress").is_empty() && of("problem").is_empty(),
        "{}",
        answer.text
    );
    let summary = of("summary")[0];
    assert_eq!((&summary["moved"], of("difference").len()), (&json!(2), 2));
    let names: Vec<&Value> = summary["supplementary"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| &own["insurer"])
        .collect();
    assert_eq!(names, ["another-insurer", INSURER]);
    assert!(!answer.text.contains(OTHER_INSURER), "{}", answer.text);
    let ours = paid(&answers, INSURER);
    assert_eq!(summary["supplementary"][1]["after"], json!(ours + 300_000));

    // Another insurer sees its own member alone, and cannot try a foreign plan.
    let mut other = plan("ma-assur-plus");
    other["version"] = json!(2);
    let answer = hub.send(Method::POST, path, &stranger, &body(other)).await;
    let told = lines(answer.text.as_bytes());
    let summary = told.iter().find_map(|line| line.get("summary")).unwrap();
    assert_eq!(
        (&summary["messages"], &summary["members"]),
        (&json!(1), &json!(1))
    );
    assert!(!answer.text.contains(INSURER), "{}", answer.text);
    let foreign = hub
        .send(Method::POST, path, &stranger, &body(with_dental(1)))
        .await;
    foreign.is_problem(422, "VAL-VALUE");
    assert_eq!(foreign.json()["pointer"], json!("/plan/insurer"));

    let mut contradicts = with_dental(1);
    contradicts["benefits"][0]["limits"] = json!(["none"]);
    let refused = hub
        .send(Method::POST, path, &author, &body(contradicts))
        .await;
    refused.is_problem(422, "VAL-VALUE");
    assert_eq!(
        refused.json()["pointer"],
        json!("/plan/benefits/0/limits/0")
    );
    let backwards = json!({"plan": with_dental(1), "from": "2026-01-02", "to": "2026-01-01"});
    let refused = hub.send(Method::POST, path, &author, &backwards).await;
    refused.is_problem(422, "VAL-DATE-ORDER");
    hub.send(
        Method::POST,
        path,
        &author,
        &json!({"from": "2026-01-02", "to": "2026-01-03"}),
    )
    .await
    .is_problem(422, "VAL-MISSING");
    hub.send(Method::POST, path, &approver, &body(with_dental(1)))
        .await
        .is_problem(403, "API-FORBIDDEN");
}

#[tokio::test]
async fn where_as_many_run_as_may_the_author_is_told_when_to_come_back() {
    let hub = Hub::start("[limits]\nsimulations = 0\n");
    let author = hub.place.person(INSURER, "Author", "plan_author");
    let body = json!({"plan": with_dental(1), "from": "2026-01-01", "to": "2026-01-02"});
    let answer = hub
        .send(Method::POST, "/v1/simulations", &author, &body)
        .await;
    answer.is_problem(503, "API-BUSY");
    assert_eq!(answer.header("retry-after"), "30");
}

/// A month's supply of a drug.
fn supply(number: &str, member: &str, day: &str) -> Value {
    let mut message = claim(number, member);
    message["occurred_on"] = json!(day);
    message["claim"]["bill"] = json!({"class": "professional", "lines": [{
        "seq": 1,
        "item": {"source": {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "6809"}},
        "billed": 9_000,
        "quantity": 30,
        "days_supply": 30,
    }]});
    message
}

/// The plan as it is, but for what it makes of a drug that is fetched too soon.
fn with_refill(level: &str) -> Value {
    let mut plan = plan("ma-mutuelle-360");
    plan["version"] = json!(2);
    plan["clinical"] = json!({"levels": {"rules": {"CLIN-REFILL": level}}});
    plan
}

/// What the first insurer pays before and after, of each message that moves, with the reasons that come and go.
fn moves(told: &[Value]) -> Vec<(i64, i64, String)> {
    let own = |own: &Value| {
        let paid = &own["supplementary"][0];
        let sum = |side: &str| paid[side].as_i64().unwrap();
        let reasons = format!("+{} -{}", own["gained"], own["lost"]);
        (sum("before"), sum("after"), reasons)
    };
    told.iter().map(own).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_clinical_terms_refuse_and_allow_what_they_would_have() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    for message in [
        supply("1", "MA-2001", "2026-03-02"),
        supply("2", "MA-2001", "2026-03-10"),
        supply("3", "MA-2001", "2026-05-15"),
        supply("4", "MA-2003", "2026-03-10"),
    ] {
        let sent = hub.send(Method::POST, "/v1/claims", &key, &message).await;
        assert!(sent.status.is_success(), "{}", sent.text);
    }
    let mut hub = hub;
    hub.stop();
    let place = &hub.place;
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let made = place.json(&[&EXTRACT[..], &[path("history").as_str()]].concat());
    assert_eq!(made["messages"], json!(4));
    let simulate = |plan: &Value, history: &[&str]| {
        std::fs::write(path("plan.json"), plan.to_string()).unwrap();
        let base = [
            "simulate",
            "--json",
            "--plan",
            &path("plan.json"),
            "--history",
        ];
        let output = run(&[&base[..], history].concat(), "");
        assert!(output.status.success(), "{output:?}");
        lines(&output.stdout)
    };
    // The plan in force refuses the second of the same member's, eight days into a month's supply, and no other.
    let told = simulate(&with_refill("warning"), &[&path("history")]);
    assert_eq!(
        (&told[0]["messages"], &told[0]["not_reproducible"]),
        (&json!(4), &json!(0))
    );
    let allowed = moves(&told[1..]);
    let [(before, after, reasons)] = allowed.as_slice() else {
        panic!("{told:#?}");
    };
    assert_eq!((*before, *after > 0), (0, true));
    assert!(reasons.ends_with("BEN-CLINICAL\"]]"), "{reasons}");

    // The same bills from files, before a plan that lets it pass.
    let tariffs = std::fs::read(pack().join("tariffs.json")).unwrap();
    let tariffs: Value = serde_json::from_slice(&tariffs).unwrap();
    let documents = json!({"plans": [with_refill("warning")], "tariffs": tariffs});
    std::fs::write(path("before.json"), documents.to_string()).unwrap();
    let bills = [
        supply("1", "A", "2026-03-02"),
        supply("2", "A", "2026-03-10"),
        supply("3", "B", "2026-03-10"),
    ];
    let bills: Vec<String> = bills.iter().map(Value::to_string).collect();
    std::fs::write(path("bills.ndjson"), bills.join("\n")).unwrap();
    let mut strict = with_refill("refusal");
    strict["version"] = json!(3);
    let history = [&path("bills.ndjson"), "--against", &path("before.json")];
    let told = simulate(&strict, &history);
    let [(before, after, reasons)] = &moves(&told[1..])[..] else {
        panic!("{told:#?}");
    };
    assert_eq!((*before > 0, *after), (true, 0));
    assert!(reasons.starts_with("+[[1,\"BEN-CLINICAL\"]]"), "{reasons}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_judges_a_code_to_be_is_applied_to_history_where_that_is_asked_for() {
    let mut hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let mut message = claim("1", "MA-2004");
    message["claim"]["bill"]["lines"][0]["item"] =
        json!({"source": {"system": "urn:clinic:own", "code": "C-77"}, "text": "Consultation"});
    let answer = hub
        .send(Method::POST, "/v1/claims", &key, &message)
        .await
        .ok();
    assert_eq!(
        answer["unmapped"].as_array().map(Vec::len),
        Some(1),
        "{answer:#}"
    );
    hub.stop();
    let place = &hub.place;
    place.json(&[
        "codes",
        "judge",
        "urn:clinic:own",
        "C-77",
        "--to",
        "urn:takmil:synthetic:services",
        "NC100",
    ]);
    let after = |name: &str, more: &[&str]| {
        let extract = place.path(name);
        let extract = extract.to_str().unwrap();
        place.json(&[&EXTRACT[..], more, &[extract]].concat());
        let file = place.path("same.json");
        std::fs::write(&file, plan("ma-mutuelle-360").to_string()).unwrap();
        let told = run(
            &[
                "simulate",
                "--history",
                extract,
                "--plan",
                file.to_str().unwrap(),
                "--baseline",
                "recorded",
                "--json",
            ],
            "",
        );
        let told = lines(&told.stdout);
        told[0]["member"]["after"].as_i64().unwrap()
    };
    // The member paid all of it, as long as nobody knew what it was.
    assert_eq!(after("as-it-came.extract", &[]), 15_000);
    assert!(after("anew.extract", &["--codes-anew"]) < 15_000);
}
