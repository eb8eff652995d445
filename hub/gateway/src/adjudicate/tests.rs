//! The command on real files: the worked examples, plan files of every shape, inputs that are refused, and the
//! case files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use super::*;

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
