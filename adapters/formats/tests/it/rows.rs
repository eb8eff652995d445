//! Flat files of the past: rows of bills with what their insurers paid, read as history.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use takmil_domain::message::Message;
use takmil_domain::problem::ProblemCode;
use takmil_formats::facts::{Shares, measure};
use takmil_formats::{native, read, recognise, rows};

use crate::context;
use crate::report::unpacked;

fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from);
    if root.is_none() {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
    }
    root
}

/// The files of a source, by name.
fn files(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn told(body: &str) -> Vec<(ProblemCode, String)> {
    match read(&rows::HISTORY, body.as_bytes(), &context()) {
        Err(problem) => vec![(problem.code, problem.pointer)],
        Ok(reading) => {
            let problems = reading.messages.into_iter();
            let problems = problems.filter_map(|one| one.outcome.err()).flatten();
            problems.map(|one| (one.code, one.pointer)).collect()
        }
    }
}

fn messages(body: &str) -> Vec<Message> {
    let reading = read(&rows::HISTORY, body.as_bytes(), &context()).unwrap();
    let outcomes = reading.messages.into_iter().map(|one| one.outcome.unwrap());
    outcomes.collect()
}

/// What the corpus holds: for each source and kind how many bills.
const HELD: &[(&str, &str, usize)] = &[
    ("cms-bfd-idr-flat", "claim", 6),
    ("cms-bfd-idr-flat", "drug event", 1),
    ("cms-bfd-idr-flat", "request", 1),
    ("cms-rif-synthea", "claim", 89),
    ("cms-rif-synthea", "drug event", 18),
    ("desynpuf-hfpp", "claim", 595),
    ("desynpuf-hfpp", "drug event", 4),
    ("desynpuf-hfpp-xml", "claim", 10),
];

#[test]
fn every_bill_of_the_corpus_is_read_whole() {
    let Some(root) = corpus() else { return };
    let mut found: BTreeMap<(&str, String), (usize, Shares)> = BTreeMap::new();
    let mut lost = Vec::new();
    let mut others = 0;
    for source in [
        "cms-bfd-idr-flat",
        "cms-rif-synthea",
        "desynpuf-hfpp",
        "desynpuf-hfpp-xml",
    ] {
        for path in files(&root.join(source)) {
            let body = unpacked(&path);
            let reading = match read(&rows::HISTORY, &body, &context()) {
                Err(problem) => {
                    assert_eq!(problem.code, ProblemCode::NoMessage, "{}", path.display());
                    others += 1;
                    continue;
                }
                Ok(reading) => reading,
            };
            assert!(recognise(None, &body).is_none(), "{}", path.display());
            assert_eq!(reading.unread, Vec::<String>::new());
            for one in &reading.messages {
                let message = one.outcome.as_ref().unwrap();
                // What is read is a canonical message in its written form too.
                let written = native::write(message);
                let again = read(&native::FORMAT, &written, &context()).unwrap();
                let again = again.messages[0].outcome.as_ref();
                assert_eq!(again.unwrap(), message, "{}", path.display());
                let is_technical =
                    |place: &String| place.ends_with("/lastUpdated") || place.ends_with("/id");
                assert!(
                    message.head.unread.iter().all(is_technical),
                    "{:?}",
                    message.head.unread
                );
            }
            for one in measure(&rows::HISTORY, &body, &context()) {
                let row = found.entry((source, one.name)).or_default();
                assert_eq!(one.outcome, Ok(()), "{}", path.display());
                row.0 += 1;
                row.1.add(&one.shares);
                lost.extend(
                    one.lost
                        .iter()
                        .map(|fact| format!("{} {fact:?}", path.display())),
                );
            }
        }
    }
    // Members, covers, cards, counts: all told by name.
    assert_eq!(others, 21);
    let facts = found.values().map(|(_, shares)| shares.total().found);
    assert_eq!(facts.sum::<usize>(), 27_836);
    let held: Vec<_> = found
        .iter()
        .map(|((source, name), (count, _))| (*source, name.as_str(), *count))
        .collect();
    assert_eq!(held, HELD);
    assert_eq!(lost, Vec::<String>::new());
}

const CLAIMS: &str = "DML_IND|BENE_ID|CLM_ID|CLM_FROM_DT|CLM_PMT_AMT|CLM_LINE_NUM|HCPCS_CD|REV_CNTR_TOT_CHRG_AMT|WORDS";

#[test]
fn what_is_wrong_names_its_line_and_column_and_leaves_other_bills_alone() {
    let body = |rows: &str| format!("{CLAIMS}\n{rows}");
    let check = |rows: &str, expected: &[(ProblemCode, &str)]| {
        let told = told(&body(rows));
        let told: Vec<_> = told
            .iter()
            .map(|(code, place)| (*code, place.as_str()))
            .collect();
        assert_eq!(told, expected, "{rows}");
    };
    check("I|1|A|01-Jan-2020|5.00|1|99213|7.00|", &[]);
    check(
        "I|1|A|01-Jan-2020|5.00|1|99213|7.00|\n\n\nI|1|B|01-Xan-2020|5,0|1|99213|7.00|\nI|1|C|01-Jan-2020|5.00|1|99213|99999999999999999|",
        &[
            (ProblemCode::BadDate, "/5/CLM_FROM_DT"),
            (ProblemCode::BadValue, "/5/CLM_PMT_AMT"),
            (ProblemCode::OutOfRange, "/6/REV_CNTR_TOT_CHRG_AMT"),
        ],
    );
    check(
        "I|1|A|01-Jan-2020|5.00|x|99213|7.00|",
        &[(ProblemCode::BadValue, "/2/CLM_LINE_NUM")],
    );
    check(
        "I|1|A|01-Jan-1820|5.00|1|99213|7.00|",
        &[(ProblemCode::BadDate, "/2/CLM_FROM_DT")],
    );
    check(
        "I|1|A|01-Jan-2020|5.00|1|99213|7.00|\nI|1|A|01-Jan-2020|5.00|1|99213|7.00|",
        &[(ProblemCode::DuplicateLine, "/3")],
    );
    check(
        "I|1|A|01-Jan-2020\nI|1|B|01-Jan-2020|5.00|1|99213|7.00||",
        &[(ProblemCode::Malformed, "/2")],
    );
    check("", &[(ProblemCode::NoMessage, "")]);
    let wide = format!("{CLAIMS}{}\n", "|x".repeat(3_000));
    assert_eq!(told(&wide), [(ProblemCode::TooMany, "/1".to_owned())]);
    let large = "I|1|A|01-Jan-2020|5.00|1|99213|7.00|x\n".repeat(60_000);
    check(&large, &[(ProblemCode::TooLarge, "/55557")]);
    let many: String = (0..10_001)
        .map(|number| format!("I|1|A|01-Jan-2020|5.00|{number}|99213|7.00|\n"))
        .collect();
    check(&many, &[(ProblemCode::TooManyLines, "/10002")]);
}

#[test]
fn rows_of_one_bill_are_one_message_and_say_what_is_its_own_once() {
    let rows = "I|1|A|01-Jan-2020|5.00|1|99213|7.00|\nI|2|B|01-Jan-2020|0|1||2.50|\nI|1|A|01-Jan-2020|6.00|2|36415|-1.00|late";
    let found = messages(&format!("{CLAIMS}\n{rows}"));
    let [first, second] = &*found else {
        panic!("{found:?}")
    };
    let told = serde_json::to_value(first).unwrap();
    let lines = told["claim"]["bill"]["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["billed"]), (2, &700.into()));
    // What is below zero is told in words.
    let back = &lines[1]["particulars"][0];
    assert_eq!(
        (&back["text"], &back["unit"]),
        (&"-1.00".into(), &"USD".into())
    );
    let decided = told["supporting"].as_array().unwrap().iter();
    let decided: Vec<_> = decided.filter_map(|part| part["amount"].as_i64()).collect();
    assert_eq!(
        decided,
        [500, 600],
        "what two rows say differently is told twice"
    );
    assert_eq!(told["unread"], serde_json::json!(["/4/WORDS"]));
    assert_eq!(second.head.member.identifiers[0].value, "2");
    assert_eq!(second.head.unread, Vec::<String>::new());
}

#[test]
fn rows_that_are_no_bills_are_refused_by_what_they_are() {
    for (body, what) in [
        (
            "\u{feff}DML_IND|BENE_ID|STATE_CODE|BENE_BIRTH_DT\nI|1|2|3\n",
            "members",
        ),
        ("\"DESYNPUF_ID\",\"BENE_BIRTH_DT\"\nA,19260401\n", "members"),
        ("<?xml version='1.0'?><BeneficiarySummaries/>", "members"),
        (r#"{"resourceType": "CoverageBase"}"#, "covers"),
    ] {
        let problem = read(&rows::HISTORY, body.as_bytes(), &context()).unwrap_err();
        assert_eq!(problem.code, ProblemCode::NoMessage, "{body}");
        assert!(problem.detail.contains(what), "{}", problem.detail);
        assert!((rows::HISTORY.recognise)(body.as_bytes()), "{body}");
    }
    for body in [
        "",
        "a,b\n1,2",
        "<root/>",
        "{}",
        r#"{"resourceType": "Claim"}"#,
        "<CarrierClaimsOfOthers/>",
    ] {
        assert!(!(rows::HISTORY.recognise)(body.as_bytes()), "{body}");
        assert_eq!(
            told(body),
            [(ProblemCode::NoMessage, String::new())],
            "{body}"
        );
    }
}

#[test]
fn rows_of_the_warehouse_are_read_alone_in_lists_and_one_a_line() {
    let row = |id: &str| {
        format!(
            r#"{{"resourceType": "ExplanationOfBenefitBase", "CLM_UNIQ_ID": "{id}", "lineItemComponents": [{{"CLM_LINE_NUM": "1", "CLM_LINE_SBMT_CHRG_AMT": "x"}}]}}"#
        )
    };
    let at = "lineItemComponents/0/CLM_LINE_SBMT_CHRG_AMT";
    let wrong = |place: String| (ProblemCode::BadValue, place);
    assert_eq!(told(&row("1")), [wrong(format!("/{at}"))]);
    let list = format!("[{}, {}, 3]", row("1"), row("2"));
    let all = [wrong(format!("/0/{at}")), wrong(format!("/1/{at}"))];
    let mut told_of = told(&list);
    assert_eq!(
        told_of.pop(),
        Some((ProblemCode::NoMessage, "/2".to_owned()))
    );
    assert_eq!(told_of, all);
    assert_eq!(told(&format!("{}\n{}\n", row("1"), row("2"))), all);
    let broken = format!("{} {{", row("1"));
    assert_eq!(told(&broken), [(ProblemCode::Malformed, String::new())]);
}

#[test]
fn nothing_that_befalls_a_sample_breaks_its_reader() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/rows/history");
    let samples = files(Path::new(folder));
    let samples = samples
        .iter()
        .filter(|path| !path.to_string_lossy().ends_with(".out.json"));
    let mut taken = 0;
    for path in samples {
        let body = std::fs::read(path).unwrap();
        for at in 0..body.len() {
            let cut = body[..at].to_vec();
            let mut changed = body.clone();
            changed[at] = b",|\"<{}0-\n\xff"[at % 10];
            for body in [cut, changed] {
                let _ = (rows::HISTORY.recognise)(&body);
                let Ok(reading) = read(&rows::HISTORY, &body, &context()) else {
                    continue;
                };
                let messages = reading.messages.iter();
                for message in messages.filter_map(|one| one.outcome.as_ref().ok()).take(1) {
                    if at % 16 == 0 {
                        let again = read(&native::FORMAT, &native::write(message), &context());
                        let again = again.unwrap();
                        assert_eq!(again.messages[0].outcome.as_ref().unwrap(), message);
                    }
                    taken += 1;
                }
            }
        }
    }
    assert!(taken > 1_000, "{taken}");
}
