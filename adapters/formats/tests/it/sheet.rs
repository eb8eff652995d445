//! Rows of a spreadsheet from outside: titles in every language, other delimiters and encodings, bad titles and rows, parts.

use proptest::prelude::*;
use takmil_domain::message::{Body, Message};
use takmil_formats::{Reading, native, parts, read, recognise, sheet, write};

use crate::context;

fn reading(body: &[u8]) -> Reading {
    let known = recognise(None, body).unwrap();
    assert_eq!(known.name, "sheet");
    read(known, body, &context()).unwrap()
}

fn messages(body: &[u8]) -> Vec<Message> {
    let read = reading(body).messages.into_iter();
    read.map(|one| one.outcome.unwrap()).collect()
}

const ROWS: &str = "\
bill,member [urn:my:member],currency,date,code [urn:my:codes],service,quantity,amount
7,M-1,MZN,2026-11-02,10,\"Consulta, geral\",1,100.00
8,M-2,MZN,2026-11-02,11,Raio X,2,50.50
7,M-1,,2026-11-03,12,Penso,1,20
";

#[test]
fn the_rows_of_a_bill_are_one_message_wherever_they_stand() {
    let found = messages(ROWS.as_bytes());
    let lines: Vec<Vec<i64>> = found
        .iter()
        .map(|message| match &message.body {
            Body::Claim(claim) => claim
                .bill
                .lines
                .iter()
                .map(|line| line.billed.unwrap().get())
                .collect(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lines, [vec![10_000, 2_000], vec![5_050]]);
}

#[test]
fn delimiters_encodings_and_line_ends_make_no_difference() {
    let expected = messages(ROWS.as_bytes());
    for delimiter in [";", "\t"] {
        let text = ROWS
            .replace("Consulta, geral", "Consulta geral")
            .replace(',', delimiter);
        let plain = ROWS.replace("Consulta, geral", "Consulta geral");
        assert_eq!(
            messages(text.as_bytes()),
            messages(plain.as_bytes()),
            "{delimiter:?}"
        );
    }
    assert_eq!(messages(ROWS.replace('\n', "\r\n").as_bytes()), expected);
    assert_eq!(messages(format!("\u{feff}{ROWS}").as_bytes()), expected);
    let wide: Vec<u8> = format!("\u{feff}{ROWS}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(messages(&wide), expected);
}

#[test]
fn a_title_that_is_wrong_is_told_with_its_place() {
    for (titles, place, code) in [
        ("bill,member [urn:m],colour", "/1/3", "VAL-UNKNOWN"),
        ("bill,amount [urn:m]", "/1/2", "VAL-VALUE"),
        ("bill,date [julian],amount", "/1/2", "VAL-VALUE"),
        ("bill,amount,montant", "/1/2", "VAL-CARDINALITY"),
        ("bill,amount\n1,2,3", "/2", "VAL-CARDINALITY"),
        ("bill,amount", "", "FMT-EMPTY"),
    ] {
        let problem = read(&sheet::FORMAT, titles.as_bytes(), &context()).unwrap_err();
        assert_eq!(
            (&*problem.pointer, problem.code.code()),
            (place, code),
            "{titles}: {problem}"
        );
    }
    let problem = read(&sheet::FORMAT, b"member [urn:m],amount\nM,1", &context()).unwrap_err();
    assert_eq!(
        (&*problem.pointer, problem.code.code()),
        ("/1", "VAL-MISSING")
    );
    assert!(
        recognise(None, b"a,b\n1,2").is_none(),
        "any rows are no sheet"
    );
}

#[test]
fn the_parts_of_a_sheet_say_what_the_whole_says_and_where() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/sheet/");
    for name in [
        "claims-fes-clinic.csv",
        "claims-shiraz-clinic.tsv",
        "claims-with-bad-rows.csv",
    ] {
        let body = std::fs::read(format!("{samples}{name}")).unwrap();
        let whole = reading(&body).messages;
        let found = parts(&body).unwrap();
        assert_eq!(found.len(), whole.len());
        for (part, expected) in found.iter().zip(whole) {
            let own = reading(&part.body).messages;
            assert_eq!(own.len(), 1);
            assert_eq!(own[0].outcome, expected.outcome, "{name}");
            assert_eq!(format!("/{}", part.line), expected.place);
        }
    }
}

#[test]
fn what_rows_say_is_written_as_rows_and_read_again_whole() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/sheet/");
    let mut written = 0;
    for name in [
        "claims-fes-clinic.csv",
        "claims-shiraz-clinic.tsv",
        "claims-with-bad-rows.csv",
    ] {
        let body = std::fs::read(format!("{samples}{name}")).unwrap();
        for message in reading(&body)
            .messages
            .into_iter()
            .filter_map(|one| one.outcome.ok())
        {
            let translated = write(&sheet::FORMAT, &message, &context()).unwrap();
            assert_eq!(
                (translated.unsaid, translated.added),
                (vec![], vec![]),
                "{name}"
            );
            written += 1;
        }
    }
    assert_eq!(written, 5);
}

#[test]
fn what_rows_cannot_say_of_a_bill_is_told_by_its_place() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/native/");
    let told = |name: &str| {
        let body = std::fs::read(format!("{samples}{name}")).unwrap();
        let message = read(&native::FORMAT, &body, &context())
            .unwrap()
            .messages
            .remove(0);
        write(&sheet::FORMAT, &message.outcome.unwrap(), &context())
    };
    let dental = told("claim-casablanca-dental.json").unwrap();
    assert_eq!(
        dental.unsaid,
        [
            "/provider",
            "/claim/bill/period",
            "/claim/bill/diagnoses/0/coded/source/display",
            "/claim/bill/care_team/0/role",
            "/claim/bill/care_team/0/specialty",
            "/claim/bill/lines/0/sub_sites",
            "/claim/bill/payee",
        ]
    );
    assert_eq!(dental.added, [""; 0]);
    let order = told("prescription-tehran.json").unwrap_err();
    assert_eq!(order.code.code(), "FMT-KIND");
}

#[test]
fn lines_of_json_are_parts_and_any_other_body_is_one() {
    let lines = b"{\"kind\": \"claim\"}\r\n\n{\"resourceType\": \"Claim\"}\n{broken\n";
    let found = parts(lines).unwrap();
    let shown: Vec<_> = found.iter().map(|part| (part.line, &*part.body)).collect();
    assert_eq!(
        shown,
        [
            (1, &b"{\"kind\": \"claim\"}"[..]),
            (3, b"{\"resourceType\": \"Claim\"}"),
            (4, b"{broken"),
        ]
    );
    for whole in [
        &b"{\n\"kind\": \"claim\"\n}"[..],
        b"[{\"kind\": \"claim\"}]",
        b"MSH|^~\\&|",
        b"",
    ] {
        let found = parts(whole).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(&*found[0].body, whole);
    }
}

proptest! {
    /// Any cells are read or refused, and never twice.
    #[test]
    fn any_rows_have_an_outcome_each(cells in prop::collection::vec(prop::collection::vec("[^\"]{0,6}", 4), 0..12)) {
        let mut text = "bill,member [urn:m],amount,date\n".to_owned();
        for row in &cells {
            let row: Vec<String> = row.iter().map(|cell| format!("\"{cell}\"")).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
        if let Ok(reading) = read(&sheet::FORMAT, text.as_bytes(), &context()) {
            prop_assert!(reading.messages.len() <= cells.len());
            for part in parts(text.as_bytes()).unwrap() {
                prop_assert_eq!(read(&sheet::FORMAT, &part.body, &context()).unwrap().messages.len(), 1);
            }
        }
    }
}
