//! The other commands: configuration, import, participants, doctor.

use serde_json::{Value, json};
use takmil_conformance::tls::Authority;

use crate::hub::{PROVIDER, Place, claim, pack, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_configuration_is_shown_or_its_faults_are() {
    let place = Place::new("[limits]\nburst = 7\n");
    let shown = place.run(&["config", "check"], "");
    assert_eq!(shown.status.code(), Some(0));
    assert!(text(&shown.stdout).contains("limits.burst = 7\n"));
    let json = place.json(&["config", "check"]);
    assert_eq!(
        json["limits"]["requests_per_second"],
        json!(500),
        "a default stays where nothing else is said"
    );

    let check = |more: &str, named: &str| {
        let output = Place::new(more).run(&["config", "check"], "");
        assert_eq!(output.status.code(), Some(1), "{more}");
        assert!(
            text(&output.stderr).contains(named),
            "{}",
            text(&output.stderr)
        );
    };
    check("[limits]\nburts = 7\n", "burts");
    check("[limits]\nburst = 0\n", "limits.burst");
    check("[seed]\nfolder = \"/nowhere\"\n", "seed.folder");
    let output = run(&["config", "check", "--config", "/nowhere.toml"], "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_import_can_be_run_again_and_names_what_it_refused() {
    let place = Place::new("");
    place.fill();
    place.fill();
    let rows = "{\"id\":\"clinic\",\"title\":\"Clinic\",\"role\":\"provider\"}\n{\"id\":\"no good\",\"title\":\"X\",\"role\":\"provider\"}\n{\"id\":\"b\"";
    std::fs::write(place.path("rows.json"), rows).unwrap();
    let output = place.run(
        &[
            "import",
            "participants",
            place.path("rows.json").to_str().unwrap(),
            "--json",
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["read"], &report["taken"]), (&json!(3), &json!(1)));
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(
        (&refused[0]["row"], &refused[0]["problem"]["pointer"]),
        (&json!(2), &json!("/id"))
    );
    assert_eq!(
        (&refused[1]["row"], &refused[1]["problem"]["code"]),
        (&json!(3), &json!("FMT-MALFORMED"))
    );

    let plan = pack().join("plans.json");
    let mut plans: Value = serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap();
    plans[0]["title"] = json!("changed in place");
    std::fs::write(place.path("plans.json"), plans.to_string()).unwrap();
    let output = place.run(
        &[
            "import",
            "plans",
            place.path("plans.json").to_str().unwrap(),
        ],
        "",
    );
    assert!(
        text(&output.stdout).contains("raise the version"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn documents_are_looked_over_as_they_are_imported() {
    let place = Place::new("");
    place.fill();
    let check = |kind: &str, row: Value, problem: &str, remarks: &[&str]| {
        std::fs::write(place.path("row.json"), row.to_string()).unwrap();
        let path = place.path("row.json");
        let output = place.run(&["import", kind, path.to_str().unwrap(), "--json"], "");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let refused = report["refused"].as_array().unwrap().iter();
        let refused: Vec<String> = refused
            .map(|one| {
                let part = |name: &str| one["problem"][name].as_str().unwrap().to_owned();
                format!("{} {}", part("code"), part("pointer"))
            })
            .collect();
        let wanted: Vec<&str> = Some(problem)
            .filter(|own| !own.is_empty())
            .into_iter()
            .collect();
        assert_eq!(refused, wanted, "{row}");
        let told = report["remarks"].as_array().unwrap().iter();
        let told: Vec<&str> = told.map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!(told, remarks, "{row}");
    };
    let base = |parts: Value| {
        let base = json!({
            "id": "base", "version": 1, "insurer": "ma-caisse", "title": "Base", "currency": "MAD", "from": "2023-01-01",
            "tariff": "ma-reference", "rates": [{"codes": {"prefix": ""}, "rate": "70%"}],
        });
        with(base, &parts)
    };
    let rate = json!([{"codes": {"group": "nothing"}, "rate": "70%"}]);
    check(
        "base-plans",
        base(json!({"rates": rate})),
        "VAL-VALUE /rates/0/codes",
        &[],
    );
    let rate = json!([{"codes": {"prefix": ""}, "rate": "170%"}]);
    check(
        "base-plans",
        base(json!({"rates": rate})),
        "VAL-VALUE /rates/0/rate",
        &[],
    );
    check(
        "base-plans",
        base(json!({"tariff": "nothing"})),
        "VAL-REFERENCE /tariff",
        &[],
    );
    check(
        "base-plans",
        base(json!({"from": "2022-12-31"})),
        "VAL-REFERENCE /tariff",
        &[],
    );
    check(
        "base-plans",
        base(json!({"currency": "USD"})),
        "VAL-VALUE /currency",
        &[],
    );
    check(
        "base-plans",
        base(json!({"to": "2022-01-01"})),
        "VAL-VALUE /to",
        &[],
    );
    let twice =
        json!([{"codes": {"prefix": ""}, "rate": "70%"}, {"codes": {"prefix": ""}, "rate": "80%"}]);
    check(
        "base-plans",
        base(json!({"rates": twice})),
        "",
        &["/rates/1/codes"],
    );
    check(
        "base-plans",
        base(json!({"version": 2})),
        "VAL-VALUE /from",
        &[],
    );

    let tariff = |parts: Value| {
        let tariff = json!({
            "id": "state", "version": 1, "title": "State", "currency": "MAD", "from": "2025-01-01", "to": "2025-12-31",
            "prices": [{"code": {"system": "urn:takmil:synthetic:services", "code": "NC100"}, "price": 100}],
        });
        with(tariff, &parts)
    };
    let relative =
        json!([{"code": {"system": "urn:sample", "code": "1"}, "relative": {"professional": "1"}}]);
    check(
        "tariffs",
        tariff(json!({"prices": relative})),
        "VAL-VALUE /prices/0/relative",
        &[],
    );
    let k = json!([{"professional": 0}]);
    check(
        "tariffs",
        tariff(json!({"prices": relative, "k": k})),
        "",
        &["/k/0/professional", "/prices/0/code"],
    );
    check(
        "tariffs",
        tariff(json!({"version": 2})),
        "VAL-VALUE /from",
        &[],
    );
    let contract = |provider: &str| json!({"provider": provider, "insurer": "ma-mutuelle"});
    let list = |parts: Value| with(tariff(json!({"id": "list", "to": "2099-12-31"})), &parts);
    check(
        "tariffs",
        list(json!({"contract": contract("nobody")})),
        "VAL-REFERENCE /contract/provider",
        &[],
    );
    check(
        "tariffs",
        list(json!({"contract": contract("ma-atlas")})),
        "VAL-VALUE /contract",
        &[],
    );
    let other = json!({"contract": contract("ma-chu"), "currency": "USD"});
    check("tariffs", list(other), "VAL-VALUE /currency", &[]);
    check(
        "tariffs",
        list(json!({"contract": contract("ma-chu")})),
        "",
        &[],
    );
    let next = json!({"contract": contract("ma-chu"), "version": 2, "from": "2100-01-01", "to": "2100-12-31"});
    check("tariffs", list(next), "", &[]);

    let plan = json!({
        "id": "short", "version": 1, "insurer": "ma-mutuelle", "title": "Short", "currency": "MAD", "from": "2025-01-01",
        "tariff": "state", "benefits": [{"id": "all", "title": "All", "codes": [{"prefix": ""}]}],
    });
    check("plans", plan.clone(), "", &["/tariff"]);
    check(
        "plans",
        with(plan, &json!({"version": 2, "from": "2026-01-01"})),
        "VAL-REFERENCE /tariff",
        &[],
    );

    let insurer = |contract: Value| json!({"id": "new", "title": "New", "role": "insurer", "currency": "MAD", "contract": contract});
    let terms = json!({"mode": "consulted", "stand_in": {"per_day": 1}});
    check(
        "participants",
        insurer(terms.clone()),
        "VAL-VALUE /contract/stand_in",
        &[],
    );
    let absurd = json!({"mode": "consulted", "deadline_ms": 600_000, "decision_hours": 8_760});
    check(
        "participants",
        insurer(absurd.clone()),
        "",
        &["/contract/deadline_ms", "/contract/decision_hours"],
    );

    // An entry of a participant is looked over alike.
    let add = |contract: Value| {
        let path = place.path("insurer.json");
        std::fs::write(&path, insurer(contract).to_string()).unwrap();
        place.run(
            &[
                "participant",
                "add",
                "--document",
                path.to_str().unwrap(),
                "--json",
            ],
            "",
        )
    };
    let refused = add(terms);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(
        text(&refused.stderr).contains("/contract/stand_in"),
        "{}",
        text(&refused.stderr)
    );
    let added: Value = serde_json::from_slice(&add(absurd).stdout).unwrap();
    assert_eq!(
        added["remarks"][0]["pointer"],
        json!("/contract/deadline_ms")
    );
}

/// A document with other parts in place of its own.
fn with(mut document: Value, parts: &Value) -> Value {
    for (name, part) in parts.as_object().unwrap() {
        document[name] = part.clone();
    }
    document
}

#[test]
fn a_code_table_is_read_at_the_next_start() {
    let place = Place::new("");
    std::fs::write(
        place.path("list.csv"),
        "KOD;SHARH\nA1;one\nA1;two\nB2;three\n",
    )
    .unwrap();
    let path = place.path("list.csv");
    let import = |more: &[&str]| {
        let mut arguments = vec!["import", "tables", path.to_str().unwrap()];
        arguments.extend(more);
        place.run(&arguments, "")
    };
    assert_eq!(import(&[]).status.code(), Some(2), "a table needs its head");
    let output = import(&[
        "--id",
        "test-list",
        "--system",
        "urn:test:list",
        "--as-of",
        "2026-01-01",
        "--edition",
        "1",
        "--licence",
        "CC0-1.0",
        "--source",
        "this test",
        "--columns",
        "code=KOD,title_en=SHARH",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("3 rows read, 2 taken, 1 refused"),
        "{}",
        text(&output.stdout)
    );
    assert!(place.path("tables/test-list.tsv").is_file());
    place.fill();
    let mut hub = crate::hub::Hub::on(place);
    assert_eq!(hub.stop(), Some(0), "the hub starts with it");
}

#[test]
fn keys_are_shown_once_rotated_and_revoked() {
    let place = Place::new("");
    place.fill();
    let added = place.json(&[
        "participant",
        "add",
        "clinic",
        "--role",
        "provider",
        "--title",
        "Clinic",
    ]);
    assert_eq!(added["participant"]["title"], json!("Clinic"));
    let key = added["key"].as_str().unwrap();
    assert!(key.starts_with("tk_"));
    let rotated = place.run(&["participant", "rotate", "--json"], key);
    assert_eq!(rotated.status.code(), Some(0), "{}", text(&rotated.stderr));
    let new: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(
        place.run(&["participant", "revoke"], key).status.code(),
        Some(3),
        "the old key is closed already"
    );
    assert_eq!(
        place
            .run(&["participant", "revoke"], new["key"].as_str().unwrap())
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        place
            .run(&["participant", "add", "x y", "--role", "provider"], "")
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        place
            .run(&["participant", "key", "nobody"], "")
            .status
            .code(),
        Some(3)
    );
    let database = std::fs::read(place.path("takmil.db")).unwrap();
    assert!(
        !database
            .windows(key.len())
            .any(|window| window == key.as_bytes()),
        "the store has no key"
    );
}

#[test]
fn keys_and_certificates_are_listed_and_revoked_by_their_label_or_hash() {
    let place = Place::new("");
    place.fill();
    let add = ["participant", "add", "clinic", "--role", "provider"];
    let key = place.json(&add)["key"].as_str().unwrap().to_owned();
    place.person("clinic", "Amina", "desk");
    for _ in 0..2 {
        place.json(&["participant", "key", "clinic", "--label", "ward"]);
    }
    let identity = Authority::new("Partners").unwrap();
    let identity = identity.issue_client("clinic").unwrap();
    std::fs::write(place.path("clinic.pem"), &identity.certificate_pem).unwrap();
    let file = place.path("clinic.pem");
    let certificate = ["participant", "certificate", "clinic", "--file"];
    let registered = place.json(&[&certificate[..], &[file.to_str().unwrap()]].concat());

    let list = || place.json(&["participant", "list", "clinic"])["credentials"].clone();
    let shown = |of: &[&str]| -> Vec<String> {
        let list = list();
        let cells = |one: &Value| of.iter().map(|name| one[*name].to_string()).collect();
        let lines = list.as_array().unwrap().iter().map(cells);
        lines.map(|cells: Vec<String>| cells.join(" ")).collect()
    };
    assert_eq!(
        shown(&["kind", "label", "person"]),
        [
            r#""key" "key" null"#,
            r#""key" "Amina" "Amina""#,
            r#""key" "ward" null"#,
            r#""key" "ward" null"#,
            r#""certificate" "certificate" null"#,
        ]
    );
    let whole = registered["public_key_sha256"].as_str().unwrap();
    let end = list()[4]["hash_ends"].as_str().unwrap().to_owned();
    assert!(end.len() == 12 && whole.ends_with(&end));
    let printed = place.run(&["participant", "list", "clinic"], "");
    assert!(text(&printed.stdout).contains(&end) && !text(&printed.stdout).contains(&key));

    let revoke = |named: &[&str]| {
        let all = [&["participant", "revoke"], named].concat();
        place.run(&all, "").status.code()
    };
    let one_ward = list()[2]["hash_ends"].as_str().unwrap().to_owned();
    let table: [(&[&str], i32); 8] = [
        (&["clinic"], 2),
        (&["clinic", "--hash", "ff"], 2),
        (&["clinic", "--label", "nothing"], 3),
        (&["clinic", "--label", "ward"], 3),
        (&["ma-atlas", "--hash", &end], 3),
        (&["clinic", "--hash", &one_ward], 0),
        (&["clinic", "--label", "certificate"], 0),
        (&["clinic", "--label", "certificate"], 3),
    ];
    for (named, expected) in table {
        assert_eq!(revoke(named), Some(expected), "{named:?}");
    }
    assert_eq!(
        shown(&["label"]),
        [r#""key""#, r#""Amina""#, r#""ward""#],
        "the others still open"
    );
    let nobody = place.run(&["participant", "list", "nobody"], "");
    assert_eq!(nobody.status.code(), Some(3));
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_run() {
    let place = Place::new("");
    place.fill();
    assert_eq!(place.json(&["doctor"]), json!({"findings": []}));
    std::fs::remove_file(place.path("takmil.db")).unwrap();
    std::fs::write(place.path("takmil.db"), "this is no database").unwrap();
    let output = place.run(&["doctor"], "");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("the store does not open")
            && text(&output.stdout).contains("next: ")
    );
}

#[tokio::test]
async fn an_empty_store_is_seeded_once() {
    let seed = format!("[seed]\nfolder = {:?}\n", pack());
    let mut hub = crate::hub::Hub::on(Place::new(&seed));
    let key = hub.place.key(PROVIDER);
    let paid = hub
        .send(
            reqwest::Method::POST,
            "/v1/claims",
            &key,
            &claim("E-1", "MA-2001"),
        )
        .await
        .ok();
    assert_eq!(paid["decision"]["totals"]["billed"], json!(15_000));
    assert_eq!(hub.stop(), Some(0));
    let hub = hub.restart();
    let kept = hub.get("/v1/messages", &key).await.ok();
    assert_eq!(kept["messages"][0]["id"], paid["id"]);
}
