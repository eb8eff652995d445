//! The worked examples of the share computation, from the files that `takmil adjudicate` takes.

use std::path::PathBuf;

use serde::Deserialize;
use takmil_domain::decision::Decision;
use takmil_domain::ids::{LimitCode, ParticipantId};
use takmil_domain::message::Message;
use takmil_domain::money::Amount;
use takmil_domain::reason::Reason;
use takmil_domain::share::Documents;

/// Each example by the name of its files, and what it shows.
const EXAMPLES: &[(&str, &str)] = &[
    ("1-visit", "the base share pays the franchise off first"),
    (
        "2-surgery",
        "three lines use one ceiling up; the last is paid in part",
    ),
    (
        "3-mri-outside-the-network",
        "over tariff, franchise and over ceiling are the member's",
    ),
    (
        "3-offset-before-the-ceiling",
        "offset: the larger of franchise and base share is taken off",
    ),
    (
        "3-waive-before-the-ceiling",
        "waive: no franchise where the base insurer pays",
    ),
    (
        "4-standard",
        "a second insurer pays up to what is still open",
    ),
    (
        "4-carve-out",
        "a second insurer pays what it would pay beyond the first",
    ),
    (
        "5-maternity-waiting",
        "a waiting period by the Persian calendar; the limit stays whole",
    ),
    (
        "5-maternity-with-prior-cover",
        "prior cover waives the waiting period, not the exclusion",
    ),
    (
        "6-brand-drug",
        "what is over the reference price is the member's",
    ),
    (
        "7-stay-without-authorisation",
        "without a pre-authorisation the member's rate is a penalty",
    ),
    ("7-stay-authorised", "with one there is no penalty"),
];

/// What must come out.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    lines: Vec<ExpectedLine>,
    left: Vec<ExpectedLeft>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedLine {
    seq: u32,
    allowed: Amount,
    base: Amount,
    supplementary: Vec<Amount>,
    written_off: Amount,
    member: Amount,
    reasons: Vec<Reason>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedLeft {
    insurer: ParticipantId,
    limit: LimitCode,
    left: i64,
}

impl Expected {
    fn of(decision: &Decision) -> Expected {
        let lines = decision.lines.iter().map(|line| ExpectedLine {
            seq: line.seq,
            allowed: line.allowed,
            base: line.base,
            supplementary: line
                .supplementary
                .iter()
                .map(|share| share.amount)
                .collect(),
            written_off: line.written_off,
            member: line.member,
            reasons: line.reasons.clone(),
        });
        let left = decision.remainders.iter().map(|row| ExpectedLeft {
            insurer: row.key.insurer.clone(),
            limit: row.key.code.clone(),
            left: row.after,
        });
        Expected {
            lines: lines.collect(),
            left: left.collect(),
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/cases/worked")
}

fn read<T: for<'de> Deserialize<'de>>(name: &str, part: &str) -> T {
    let text = std::fs::read_to_string(folder().join(format!("{name}.{part}.json"))).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.{part}: {error}"))
}

#[test]
fn the_worked_examples_come_out_to_the_unit() {
    for (name, shows) in EXAMPLES {
        let documents: Documents = read(name, "plan");
        let bill: Message = read(name, "bill");
        let decision = documents.judge(&bill).unwrap();
        assert_eq!(
            Expected::of(&decision),
            read(name, "expected"),
            "{name}: {shows}"
        );
        assert_eq!(
            decision.reasons,
            [],
            "{name}: the stated total is the lines' sum"
        );
    }
}

#[test]
fn every_example_in_the_folder_is_tried() {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".bill.json")?.to_owned()))
        .collect();
    let mut tried: Vec<String> = EXAMPLES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    found.sort();
    tried.sort();
    assert_eq!(found, tried);
}

/// What stands before the ceiling in the third example, read from the trace of the same bill.
#[test]
fn the_trace_tells_the_share_before_the_ceiling() {
    let documents: Documents = read("3-mri-outside-the-network", "plan");
    let decision = documents
        .judge(&read("3-mri-outside-the-network", "bill"))
        .unwrap();
    let steps: Vec<(u8, i64, i64)> = decision.lines[0]
        .trace
        .iter()
        .map(|entry| (entry.step, entry.before.get(), entry.after.get()))
        .collect();
    let expected = [
        (8, 22_000_000, 18_000_000),
        (10, 0, 1_800_000),
        (11, 18_000_000, 16_200_000),
        (13, 16_200_000, 12_000_000),
    ];
    assert_eq!(steps, expected);
}
