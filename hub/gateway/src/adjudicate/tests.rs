//! The command on real files: the worked examples, plan files of every shape, inputs that are refused, the
//! case files, and the table of scenarios.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use super::explained::told;
use super::*;
use std::collections::BTreeSet;
use takmil_domain::reason::Reason;
use takmil_portal::explain::Language;

fn worked(name: &str, part: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/cases/worked");
    std::fs::read(folder.join(format!("{name}.{part}.json"))).unwrap()
}

fn adjudicated(name: &str) -> Adjudicated {
    plan_and_bill(&worked(name, "plan"), &worked(name, "bill")).unwrap()
}

/// Everything that is wrong with a plan and a bill: (input, code, pointer).
fn refused(plan: &[u8], bill: &[u8]) -> Vec<(Input, ProblemCode, String)> {
    let Err(Error::Refused(refusal)) = plan_and_bill(plan, bill) else {
        return Vec::new();
    };
    let problems = refusal.problems.into_iter();
    problems
        .map(|problem| (refusal.input, problem.code, problem.pointer))
        .collect()
}

#[test]
fn the_worked_examples_print_what_they_are_to() {
    let names = std::fs::read_dir(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/cases/worked"),
    )
    .unwrap();
    let names: Vec<String> = names
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".bill.json"))
        .collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let shown = adjudicated(name).json();
        let expected: Value = serde_json::from_slice(&worked(name, "expected")).unwrap();
        let lines = expected["lines"].as_array().unwrap().iter();
        for (line, expected) in shown["lines"].as_array().unwrap().iter().zip(lines) {
            for part in ["seq", "allowed", "base", "written_off", "member", "reasons"] {
                assert_eq!(line[part], expected[part], "{name}: {part}");
            }
            let paid: Vec<&Value> = line["supplementary"]
                .as_array()
                .unwrap()
                .iter()
                .map(|share| &share["amount"])
                .collect();
            assert_eq!(json!(paid), expected["supplementary"], "{name}");
        }
        let left = shown["remainders"].as_array().unwrap().iter();
        let left = left.map(|row| json!({"insurer": row["key"]["insurer"], "limit": row["key"]["code"], "left": row["after"]}));
        assert_eq!(Value::Array(left.collect()), expected["left"], "{name}");
    }
}

#[test]
fn what_is_printed_reads_back_as_a_decision_and_misses_no_list() {
    let shown = adjudicated("7-stay-authorised");
    let value = shown.json();
    for list in [
        "/remainders",
        "/reasons",
        "/lines/0/reasons",
        "/lines/0/trace",
        "/lines/0/supplementary",
    ] {
        assert!(value.pointer(list).is_some_and(Value::is_array), "{list}");
    }
    assert_eq!(
        serde_json::from_value::<Decision>(value).unwrap(),
        shown.decision
    );
}

#[test]
fn a_plan_file_is_a_plan_a_list_of_plans_or_documents() {
    let documents: Value = serde_json::from_slice(&worked("2-surgery", "plan")).unwrap();
    let plan = &documents["plans"][0];
    let bill = worked("2-surgery", "bill");
    let whole = plan_and_bill(documents.to_string().as_bytes(), &bill).unwrap();
    for shape in [json!(plan), json!([plan])] {
        assert_eq!(
            plan_and_bill(shape.to_string().as_bytes(), &bill).unwrap(),
            whole
        );
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let (plan, bill) = (worked("1-visit", "plan"), worked("1-visit", "bill"));
    let changed = |file: &[u8], change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(file).unwrap();
        change(&mut value);
        value.to_string().into_bytes()
    };
    let check = |plan: &[u8], bill: &[u8], expected: (Input, ProblemCode, &str)| {
        let (input, code, pointer) = expected;
        assert_eq!(refused(plan, bill), [(input, code, pointer.to_owned())]);
    };
    check(b"{", &bill, (Input::Plan, ProblemCode::Malformed, ""));
    check(b"\xff", &bill, (Input::Plan, ProblemCode::Malformed, ""));
    check(b"17", &bill, (Input::Plan, ProblemCode::BadValue, ""));
    check(b"{}", &bill, (Input::Plan, ProblemCode::BadValue, ""));
    let unknown = changed(&plan, &|own| own["plan"] = json!(1));
    check(&unknown, &bill, (Input::Plan, ProblemCode::BadValue, ""));
    let without_tariff = changed(&plan, &|own| own["tariffs"] = json!([]));
    check(
        &without_tariff,
        &bill,
        (Input::Plan, ProblemCode::DanglingReference, "/base/tariff"),
    );
    check(&plan, b"", (Input::Bill, ProblemCode::UnknownFormat, ""));
    let negative = changed(&bill, &|own| {
        own["claim"]["bill"]["lines"][0]["billed"] = json!(-1)
    });
    let found = refused(&plan, &negative);
    assert!(
        found
            .iter()
            .any(|(input, _, pointer)| *input == Input::Bill
                && pointer == "/claim/bill/lines/0/billed"),
        "{found:?}"
    );
    let no_bill = br#"{"kind": "eligibility", "eligibility": {}}"#;
    check(&plan, no_bill, (Input::Bill, ProblemCode::NoMessage, ""));
    let two = [b"[".as_slice(), &bill, b",", &bill, b"]"].concat();
    check(&plan, &two, (Input::Bill, ProblemCode::TooMany, "/1"));
    let no_day = changed(&bill, &|own| {
        drop(own.as_object_mut().unwrap().remove("occurred_on"))
    });
    check(
        &plan,
        &no_day,
        (Input::Bill, ProblemCode::Missing, "/occurred_on"),
    );
}

#[test]
fn people_see_a_table_and_how_each_amount_came_about() {
    let shown = adjudicated("3-mri-outside-the-network").to_string();
    let expected = "\
amounts in IRR
line      billed     allowed  base     takaful  written off      member
   1  22,000,000  18,000,000     0  12,000,000            0  10,000,000
 all  22,000,000  18,000,000     0  12,000,000            0  10,000,000

line 1
  step 8   takaful  22,000,000  →  18,000,000  PRICE-TARIFF: The price is above the tariff. (national-sample/1#mri, price 18000000, quantity 1)
  step 10  takaful           0  →   1,800,000  SHARE-RATE: The member's rate of the allowed amount. (takaful-sample/1#imaging, rate 0.1, of 18000000)
  step 11  takaful  18,000,000  →  16,200,000  SHARE-PAID: What this insurer would pay before limits and other insurers. (takaful-sample/1#mode, mode offset, base 0, cost_share 1800000)
  step 13  takaful  16,200,000  →  12,000,000  LIMIT-REACHED: A limit of the plan leaves less. (takaful-sample/1#imaging, left 12000000)

limits
  takaful  imaging  2024-01-01  12,000,000  →  0
";
    assert_eq!(shown, expected);
    // Two digits after the point.
    assert!(
        adjudicated("6-brand-drug")
            .to_string()
            .contains("   1  180.00    95.50  66.85    19.10         0.00   94.05")
    );
}

#[test]
fn a_member_is_told_the_shares_in_a_language() {
    let (plan, bill) = (
        worked("7-stay-authorised", "plan"),
        worked("7-stay-authorised", "bill"),
    );
    for (language, part) in [
        (Language::Pt, "nada fica a seu cargo"),
        (Language::Fa, "شما چیزی نمی‌پردازید"),
    ] {
        let told = told(&plan, &bill, language).unwrap();
        assert!(told.summary.contains(part), "{}", told.summary);
    }
    assert!(matches!(
        told(b"{", &bill, Language::En),
        Err(Error::Refused(_))
    ));
}

#[test]
fn a_line_that_holds_no_case_is_told_by_its_number_and_stops_nothing() {
    let good = r#"{"case":"one","currency":"USD","member":{"birth_date":"1980-01-01","sex":"F","covers":{"A":{"start":"2024-01-01","end":"2024-12-31","suspended":false,"prior_cover":false}}},"base":{"used":false,"rate":"0","tariff":{}},"insurers":[{"id":"A","cob":"standard","plan":{"mode":"offset","benefits":[],"exclusions":[],"prices":{},"deductible_left":0,"oop_left":null,"limits":[]}}],"lines":[{"seq":1,"code":"D01","date":"2024-05-17","quantity":2,"unit_price":100,"in_network":true}]}"#;
    let nobody = good.replace(r#""covers":{"A""#, r#""covers":{"B""#);
    let input = format!("{good}\n\nnot json\n{{}}\n{nobody}\n{good}");
    let mut out = Vec::new();
    let summary = cases(Path::new("-"), input.as_bytes(), &mut out).unwrap();
    assert_eq!(
        summary,
        Summary {
            judged: 2,
            refused: 3
        }
    );
    let told: Vec<Value> = out
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let first: Vec<&Value> = told
        .iter()
        .map(|line| {
            if line["case"].is_null() {
                &line["line"]
            } else {
                &line["case"]
            }
        })
        .collect();
    assert_eq!(json!(first), json!(["one", 3, 4, 5, "one"]));
    assert_eq!(told[0]["lines"][0]["refused"], json!({"A": "NO_BENEFIT"}));
    assert_eq!(told[1]["problem"]["code"], json!("FMT-MALFORMED"));
}

#[test]
fn every_case_of_the_corpus_comes_out_exactly() {
    let Some(corpus) = std::env::var_os("TAKMIL_CORPUS") else {
        eprintln!("SKIPPED: the share cases are not tried; TAKMIL_CORPUS names no corpus");
        return;
    };
    let path = Path::new(&corpus).join("share-cases/cases.ndjson");
    let mut out = Vec::new();
    let summary = case_file(&path, &mut out).unwrap();
    assert_eq!(
        summary,
        Summary {
            judged: 500,
            refused: 0
        }
    );
    let results = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let file = std::fs::read_to_string(&path).unwrap();
    for (result, case) in results.zip(file.lines()) {
        let (result, case): (Value, Value) = (
            serde_json::from_slice(result).unwrap(),
            serde_json::from_str(case).unwrap(),
        );
        let name = &case["case"];
        assert_eq!(&result["case"], name);
        assert_eq!(result["left"], case["expected"]["left"], "{name}");
        let expected = case["expected"]["lines"].as_array().unwrap();
        let lines = result["lines"].as_array().unwrap();
        assert_eq!(lines.len(), expected.len(), "{name}");
        for (line, expected) in lines.iter().zip(expected) {
            for (part, value) in expected.as_object().unwrap() {
                assert_eq!(&line[part], value, "{name}: {part} of {line}");
            }
        }
    }
}

/// The files of the table of scenarios: the name, what it says, and what came of each scenario.
fn table() -> Vec<(String, Value, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/cases/scenarios");
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let judged = |path: &PathBuf| {
        let mut out = Vec::new();
        let summary = case_file(path, &mut out).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let outcomes: Vec<Value> = out
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(summary.judged, u64::try_from(outcomes.len()).unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let said = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        (name, said, outcomes)
    };
    paths.iter().map(judged).collect()
}

/// Every value under a name, however deep it lies.
fn all_named<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value {
        Value::Object(members) => {
            let inner = members.iter().flat_map(|(own, value)| {
                let here = (own == name).then_some(value);
                here.into_iter().chain(all_named(value, name))
            });
            inner.collect()
        }
        Value::Array(items) => items.iter().flat_map(|own| all_named(own, name)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_scenario_of_the_table_comes_out_as_it_says() {
    let mut sentences = BTreeSet::new();
    let mut differences = Vec::new();
    for (name, _, outcomes) in table() {
        for outcome in outcomes {
            let case = outcome["case"].as_str().unwrap().to_owned();
            let differs = all_named(&outcome, "differs");
            differences.extend(differs.iter().map(|own| format!("{name}: {case} {own}")));
            assert!(case.ends_with('.'), "a sentence: {name}: {case}");
            assert!(sentences.insert(case.clone()), "twice: {name}: {case}");
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(sentences.len() >= 150, "{} scenarios", sentences.len());
}

/// What reasons of the share computation are about, by how their codes begin.
const FAMILIES: &[&str] = &[
    "COV", "BEN", "NET", "AUTH", "QTY", "PRICE", "BASE", "SHARE", "LIMIT", "COB", "BILL",
];

/// Reasons of these families that are found before a bill is judged, where the member and authorisations are looked up, or
/// insurers are asked.
const BEFORE: &[Reason] = &[
    Reason::AuthorisationGone,
    Reason::MemberUnknown,
    Reason::MemberAmbiguous,
    Reason::NoCover,
    Reason::BaseSilent,
    Reason::CoverDenied,
    Reason::CoverByHub,
];

/// Reasons that a line's trace has, and that a line is not told.
const QUIET: &[Reason] = &[Reason::BasePaid, Reason::BaseComputed, Reason::Share];

#[test]
fn the_table_expects_every_reason_that_the_computation_gives() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let quiet = |reason: &&Value| QUIET.iter().any(|own| json!(own) == **reason);
    for (_, said, outcomes) in table() {
        let expected = all_named(&said, "expected");
        let lists = expected
            .iter()
            .flat_map(|own| [all_named(own, "reasons"), all_named(own, "refused")])
            .flatten();
        let told = lists.filter_map(Value::as_array).flatten();
        let traced = outcomes.iter().flat_map(|own| all_named(own, "reason"));
        let told = told.chain(traced.filter(quiet));
        seen.extend(told.filter_map(Value::as_str).map(str::to_owned));
    }
    let of_computation = |reason: &&Reason| {
        let family = reason.code().split('-').next().unwrap_or_default();
        FAMILIES.contains(&family) && !BEFORE.contains(reason)
    };
    let missing: Vec<&Reason> = Reason::ALL
        .iter()
        .filter(of_computation)
        .filter(|reason| !seen.contains(reason.code()))
        .collect();
    assert!(missing.is_empty(), "no scenario expects {missing:?}");
    assert!(seen.len() >= 41, "{seen:?}");
}

/// Every limit that a plan may state, as it stands in a plan.
fn limits_of_plans() -> Vec<Value> {
    let kinds = [
        "ceiling",
        "deductible",
        "out_of_pocket",
        "copay",
        "least_share",
    ];
    let stretches = ["item", "visit", "day", "month", "year", "lifetime"];
    let mut limits = Vec::new();
    for kind in kinds {
        for unit in ["money", "count", "days", "visits"] {
            for per in stretches {
                for owner in ["member", "account"] {
                    limits.push(
                        json!({"id": "limit", "title": "", "kind": kind, "unit": unit,
                                       "per": per, "owner": owner, "ceiling": 1}),
                    );
                }
            }
        }
    }
    limits.retain(|limit| {
        let plan: Plan = serde_json::from_value(json!({
            "id": "plan", "version": 1, "insurer": "insurer", "title": "", "currency": "IRR",
            "from": "2024-01-01", "benefits": [], "limits": [limit],
        }))
        .unwrap();
        plan.faults().is_empty()
    });
    limits
}

/// What kind of limit it is. Whose it is counts for ceilings alone: they are tried for both owners.
fn kind_of_limit(limit: &Value, owner: &str) -> String {
    let said = |name: &str, default: &str| limit[name].as_str().unwrap_or(default).to_owned();
    let (kind, unit) = (said("kind", "ceiling"), said("unit", "money"));
    let owner = if kind == "ceiling" { owner } else { "" };
    format!("{kind} {unit} {} {owner}", said("per", "year"))
}

#[test]
fn the_table_uses_every_kind_of_limit_that_a_plan_may_state() {
    let mut seen = BTreeSet::new();
    for (_, said, outcomes) in table() {
        let used = outcomes.iter().flat_map(|own| all_named(own, "remainders"));
        for row in used.filter_map(Value::as_array).flatten() {
            if row["before"] != row["after"] {
                let own = row["key"]["member"].is_string();
                seen.insert(kind_of_limit(row, if own { "member" } else { "account" }));
            }
        }
        // Nothing is remembered of a limit on a line, so that no remainder shows its use.
        let stated = all_named(&said, "limits").into_iter();
        for limit in stated.filter_map(Value::as_array).flatten() {
            if limit["per"] == "item" {
                seen.insert(kind_of_limit(limit, "member"));
            }
        }
    }
    let wanted = limits_of_plans();
    let wanted: BTreeSet<String> = wanted
        .iter()
        .map(|limit| kind_of_limit(limit, limit["owner"].as_str().unwrap()))
        .collect();
    let missing: Vec<&String> = wanted.difference(&seen).collect();
    assert!(missing.is_empty(), "no scenario uses {missing:?}");
    // Ceilings in three units over six stretches and of visits over four, all but those on a line for two
    // owners; the member's own parts, two of which a line cannot have.
    assert_eq!(wanted.len(), 5 * 3 * 2 + 3 + 4 * 2 + 6 + 6 + 5 + 5);
}
