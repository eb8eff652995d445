//! HL7 v2 through the public face: real senders' messages, ours in every dress, and bytes that are none.

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use takmil_domain::message::{Kind, Message};
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::{
    Cause, Context, FORMATS, Fault, Format, Outcome, Read, Reply, read, recognise,
};

fn context() -> Context {
    Context {
        default_currency: Currency::parse("USD"),
        ..crate::context()
    }
}

fn hl7v2() -> &'static Format {
    FORMATS
        .iter()
        .find(|format| format.name == "hl7v2")
        .unwrap()
}

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/hl7v2");
    std::fs::read(folder.join(name)).unwrap()
}

const SAMPLES: &[&str] = &[
    "batch-with-bad-ones.hl7",
    "charges-rabat.hl7",
    "dispense-casablanca.hl7",
    "order-cancelled.hl7",
    "order-old-version.hl7",
    "prescription-shiraz.hl7",
];

/// The corpus' messages, by path. They lie outside the repo, in the folder that `TAKMIL_CORPUS` names.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS") else {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
        return Vec::new();
    };
    let mut files = Vec::new();
    for folder in ["hl7v2-lfh", "hl7v2-ms-converter", "healthsim-doc-samples"] {
        for entry in std::fs::read_dir(Path::new(&root).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|own| own == "hl7") {
                files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(files.len() > 90, "the corpus is not whole");
    files
}

/// A body's segments, split by hand: name and fields. A header's separator is its first field.
fn split(body: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(body);
    let lines = text.trim_start_matches('\u{feff}').split(['\r', '\n']);
    lines
        .filter(|line| line.len() > 3)
        .map(|line| {
            let mut fields: Vec<String> = line.split('|').map(str::to_owned).collect();
            if line.starts_with("MSH") {
                fields.insert(1, "|".to_owned());
            }
            fields
        })
        .collect()
}

fn field(segment: &[String], number: usize) -> &str {
    segment.get(number).map_or("", |own| own.trim())
}

/// Type and event of a body's first message.
fn kind(segments: &[Vec<String>]) -> String {
    let named = segments.first().map_or("", |msh| field(msh, 9));
    named.split('^').take(2).collect::<Vec<_>>().join("^")
}

/// What the hub takes.
const REQUESTS: &[&str] = &[
    "ADT^A01", "ADT^A04", "ADT^A05", "ADT^A11", "BAR^P01", "BAR^P05", "DFT^P03", "DFT^P11",
    "OMG^O19", "OML^O21", "OMP^O09", "ORM^O01", "RDE^O11", "RDE^O25", "RDS^O13",
];

/// Requests that say nothing of what they are about: no visit, no number of it, no order's item.
const EMPTY: &[&str] = &["ADT_A01_ADT_033.hl7", "hl7v2-adt_07.hl7", "ORM-O01-05.hl7"];

#[test]
fn the_messages_of_real_senders_are_read_and_the_others_are_refused_by_name() {
    let mut table: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (path, body) in corpus() {
        assert_eq!(recognise(None, &body).unwrap().name, "hl7v2", "{path}");
        let kind = kind(&split(&body));
        let reading = read(hl7v2(), &body, &context()).unwrap();
        let [message] = &reading.messages[..] else {
            panic!("{path} holds one message")
        };
        if !REQUESTS.contains(&kind.as_str()) {
            let problems = message.outcome.as_ref().unwrap_err();
            assert_eq!(problems[0].code, ProblemCode::NoMessage, "{path}");
            assert_eq!(problems[0].pointer, "/MSH[1]-9", "{path}");
            continue;
        }
        if EMPTY.iter().any(|name| path.ends_with(name)) {
            let problems = message.outcome.as_ref().unwrap_err();
            assert_eq!(problems[0].code, ProblemCode::Missing, "{path}");
            continue;
        }
        let row = table.entry(kind).or_default();
        row.0 += u32::from(message.outcome.is_ok());
        row.1 += 1;
        if let Err(problems) = &message.outcome {
            println!("{path}: {problems:?}");
        }
    }
    for (kind, (read, all)) in table {
        println!("{kind}: {read} of {all}");
        assert!(read * 100 >= all * 99, "{kind}: {read} of {all}");
    }
}

/// Every text and number of a message.
fn values(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| values(value, texts)),
        Value::Array(items) => items.iter().for_each(|value| values(value, texts)),
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        _ => {}
    }
}

/// The facts that a message states, by what they are, as the canonical form writes them.
fn facts(segments: &[Vec<String>], kind: &str) -> Vec<(&'static str, String, String)> {
    let is_order = kind.starts_with("OM") || kind.starts_with("OR") || kind.starts_with("RD");
    let is_bill = kind.starts_with("DFT");
    let mut found = Vec::new();
    let mut visits = 0;
    for segment in segments {
        let name = segment[0].as_str();
        visits += usize::from(name == "PV1");
        let codes: &[usize] = match name {
            "RXE" | "RXD" if is_order => &[2],
            "RXO" if is_order => &[1],
            "OBR" if is_order => &[4],
            "FT1" if is_order || is_bill => &[7, 25],
            "DG1" | "PR1" if name == "DG1" || !is_order => &[3],
            _ => &[],
        };
        let identifiers: &[usize] = match name {
            "MSH" => &[10],
            "PID" => &[3],
            "PV1" if visits == 1 => &[19],
            "IN1" => &[3, 36, 49],
            "ORC" if is_order => &[2, 3],
            "FT1" if is_bill => &[2],
            _ => &[],
        };
        let dates: &[usize] = match name {
            "PID" => &[7],
            "PV1" if visits == 1 && !kind.starts_with("RDS") => &[44, 45],
            "ORC" if is_order && !kind.starts_with("RDS") => &[9],
            "RXD" => &[3],
            "FT1" if is_bill => &[4],
            "DG1" if !kind.starts_with("RDS") => &[5],
            _ => &[],
        };
        let amounts: &[usize] = match name {
            "FT1" if is_bill => &[11, 12],
            "FT1" if is_order => &[11],
            _ => &[],
        };
        let first = |text: &str| -> String {
            let repeat = text.split('~').next().unwrap_or_default();
            let component = repeat.split('^').next().unwrap_or_default();
            component.split('&').next().unwrap_or_default().to_owned()
        };
        let mut add = |what, numbers: &[usize], shown: &dyn Fn(String) -> String| {
            for number in numbers {
                let value = first(field(segment, *number));
                if !value.is_empty() && value != "\"\"" {
                    found.push((what, format!("{name}-{number}"), shown(value)));
                }
            }
        };
        add("code", codes, &|value| value);
        add("identifier", identifiers, &|value| value);
        add("date", dates, &|value| {
            let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
            match digits.len() {
                0..=5 => digits,
                6..=7 => format!("{}-{}", &digits[..4], &digits[4..6]),
                _ => format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..8]),
            }
        });
        add("amount", amounts, &|value| {
            let (whole, part) = value.split_once('.').unwrap_or((value.as_str(), ""));
            let cents = format!("{whole}{part:0<2}");
            cents.trim_start_matches('0').to_owned()
        });
    }
    found
}

#[test]
fn what_real_senders_state_is_in_the_canonical_form() {
    let mut table: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (path, body) in corpus() {
        let segments = split(&body);
        let kind = kind(&segments);
        let reading = read(hl7v2(), &body, &context()).unwrap();
        for message in reading
            .messages
            .iter()
            .filter_map(|read| read.outcome.as_ref().ok())
        {
            let mut texts = Vec::new();
            values(&serde_json::to_value(message).unwrap(), &mut texts);
            for (what, place, expected) in facts(&segments, &kind) {
                let is_there = texts.iter().any(|text| match what {
                    "date" => text.starts_with(&expected),
                    "identifier" => text == &expected || text.starts_with(&format!("{expected} ")),
                    _ => text == &expected,
                });
                let row = table.entry(what).or_default();
                row.0 += u32::from(is_there);
                row.1 += 1;
                if !is_there {
                    println!("{path}: {place} {what} {expected}");
                }
            }
            let charges = segments.iter().filter(|own| {
                own[0] == "FT1"
                    && matches!(field(own, 6), "CG" | "CD" | "")
                    && kind.starts_with("DFT")
            });
            let orders = segments
                .iter()
                .filter(|own| own[0] == "RXE" && kind.starts_with("RDE"));
            let given = segments
                .iter()
                .filter(|own| own[0] == "RXD" && kind.starts_with("RDS"));
            let stated = charges.count() + orders.count() + given.count();
            if lines(message) < stated {
                println!("{path}: {} lines of {stated}", lines(message));
            }
            if stated > 0 {
                let row = table.entry("line").or_default();
                row.0 += u32::try_from(lines(message).min(stated)).unwrap();
                row.1 += u32::try_from(stated).unwrap();
            }
        }
    }
    for (what, (found, all)) in table {
        println!("{what}: {found} of {all}");
        assert!(found * 100 >= all * 98, "{what}: {found} of {all}");
    }
}

fn lines(message: &Message) -> usize {
    let value = serde_json::to_value(message).unwrap();
    let places = [
        "/claim/bill/lines",
        "/prescription/lines",
        "/dispense/lines",
        "/cancel/prescription/lines",
    ];
    let lists = places
        .iter()
        .filter_map(|place| value.pointer(place)?.as_array());
    lists.map(Vec::len).sum()
}

fn outcomes(body: &[u8]) -> Vec<Result<Message, Vec<Problem>>> {
    let reading = read(hl7v2(), body, &context()).unwrap();
    reading
        .messages
        .into_iter()
        .map(|read: Read| read.outcome)
        .collect()
}

#[test]
fn a_message_is_the_same_in_every_dress() {
    for name in SAMPLES.iter().filter(|name| !name.starts_with("dispense")) {
        let text = String::from_utf8(sample(name)).unwrap();
        let expected = outcomes(text.as_bytes());
        let swapped: String = text
            .chars()
            .map(|letter| match letter {
                '|' => '!',
                '^' => '$',
                '~' => '%',
                '\\' => '*',
                '&' => '@',
                other => other,
            })
            .collect();
        // Where the mark separates nothing it needs no escape.
        let swapped = swapped.replace("*T*", "&");
        let wide = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}")
                .encode_utf16()
                .flat_map(unit)
                .collect()
        };
        let dressed: Vec<(&str, Vec<u8>)> = vec![
            ("carriage returns", text.replace('\n', "\r").into_bytes()),
            ("both", text.replace('\n', "\r\n").into_bytes()),
            (
                "framing",
                format!("\u{b}{}\u{1c}\r", text.replace('\n', "\r")).into_bytes(),
            ),
            ("mark", format!("\u{feff}{text}").into_bytes()),
            ("separators", swapped.into_bytes()),
            ("UTF-16 LE", wide(u16::to_le_bytes)),
            ("UTF-16 BE", wide(u16::to_be_bytes)),
        ];
        for (what, body) in dressed {
            assert_eq!(
                recognise(None, &body).unwrap().name,
                "hl7v2",
                "{name} {what}"
            );
            assert_eq!(outcomes(&body), expected, "{name} {what}");
        }
    }
}

#[test]
fn a_declared_encoding_is_read() {
    let text = "MSH|^~\\&|A|B|||20261120||ORM^O01|1|P|2.5||||||8859/1\rPID|1||7||Fran\u{e7}oise^Lef\u{e8}vre\rORC|NW|1\rRXO|X^Caf\u{e9}";
    let latin: Vec<u8> = text
        .chars()
        .map(|letter| u8::try_from(u32::from(letter)).unwrap())
        .collect();
    let Ok(message) = &outcomes(&latin)[0] else {
        panic!("it is read")
    };
    assert_eq!(
        message.head.member.name.as_deref(),
        Some("Lef\u{e8}vre Fran\u{e7}oise")
    );
    let undeclared = String::from_utf8_lossy(&latin).len();
    assert!(undeclared > latin.len());
    let bare: Vec<u8> = latin.iter().copied().filter(|byte| *byte != b'/').collect();
    let problem = read(hl7v2(), &bare, &context()).unwrap_err();
    assert_eq!(problem.code, ProblemCode::NotText, "88591 is no encoding");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    use ProblemCode::{BadValue, Malformed, Missing, MixedCurrency, NoMessage, TooMany};
    let check = |body: &str, code, place: &str| {
        let shown = body.replace('\r', " / ");
        match &read(hl7v2(), body.as_bytes(), &context()) {
            Ok(reading) => {
                let problems = reading.messages[0].outcome.as_ref().expect_err(&shown);
                let found = problems
                    .iter()
                    .any(|own| own.code == code && own.pointer == place);
                assert!(found, "{shown}: {problems:?}");
            }
            Err(problem) => assert_eq!(
                (problem.code, problem.pointer.as_str()),
                (code, place),
                "{shown}"
            ),
        }
    };
    let head = |kind: &str| format!("MSH|^~\\&|A|B|C|D|20261120||{kind}|1|P|2.5\r");
    check("MSH", Malformed, "/MSH[1]-2");
    check("MSH|", Malformed, "/MSH[1]-2");
    check("MSH|^^^^|", Malformed, "/MSH[1]-2");
    check("MSH|^~\\&|A|B|C|D|20261120|||1|P|2.5", Missing, "/MSH[1]-9");
    check(
        "MSH|^~\\&|A|B|C|D|20261120||ORM^O01|1|P|",
        Missing,
        "/MSH[1]-12",
    );
    check(
        "MSH|^~\\&|A|B|C|D|20261120||ORM^O01|1|P|7",
        BadValue,
        "/MSH[1]-12",
    );
    check(&head("ACK^O01"), NoMessage, "/MSH[1]-9");
    check(&head("ADT"), NoMessage, "/MSH[1]-9");
    check(
        &format!("{}PID|1\rPI", head("ORM^O01")),
        Malformed,
        "/PID[1]",
    );
    check(
        &format!("{}PID|1\rPID|2\rORC|NW\rRXO|X", head("ORM^O01")),
        TooMany,
        "/PID[2]",
    );
    check(
        &format!("{}RXR|PO\rORC|NW\rRXO|X", head("ORM^O01")),
        Malformed,
        "/RXR[1]",
    );
    check(
        &format!("{}IN2|1\rORC|NW\rRXO|X", head("ORM^O01")),
        Malformed,
        "/IN2[1]",
    );
    check(
        &format!("{}ORC|NW\rRXO|X|much", head("ORM^O01")),
        BadValue,
        "/RXO[1]-2[1].1",
    );
    check(&format!("{}ORC|CA", head("ORM^O01")), Missing, "/ORC[1]-2");
    check(&format!("{}PID|1", head("DFT^P03")), Missing, "/MSH[1]");
    let mixed = "FT1|1||||||X|||1|5&EUR\rFT1|2||||||X|||1|5&MAD";
    check(
        &format!("{}{mixed}", head("DFT^P03")),
        MixedCurrency,
        "/FT1[2]-11[1].1",
    );
}

#[test]
fn an_admission_and_its_cancellation_name_the_same_visit() {
    let outcomes = outcomes(&sample("batch-with-bad-ones.hl7"));
    let [Ok(admission), Ok(cancel), ..] = &outcomes[..] else {
        panic!("two are read")
    };
    assert_eq!(
        (admission.kind(), cancel.kind()),
        (Kind::Admission, Kind::Cancel)
    );
    let named = &cancel.head.correlates[0].identifier;
    assert!(admission.head.identifiers.contains(named));
}

#[test]
fn a_hostile_body_costs_no_more_than_its_length() {
    let head = "MSH|^~\\&|A|B|C|D|20261120||DFT^P03|1|P|2.5\r";
    let repeats: String = (0..200_000).map(|at| format!("D{at}~")).collect();
    let many: String = (0..60_000).map(|at| format!("DG1|{at}||D{at}\r")).collect();
    let bodies = [
        format!("{head}PID|1|{}", "a|".repeat(1_000_000)),
        format!("{head}PID|1||{repeats}"),
        format!("{head}PID|1||{}", "a^".repeat(1_000_000)),
        format!("{head}FT1|1|||20261120||CG|X||||||||||||{repeats}"),
        format!("{head}{many}FT1|1|||20261120||CG|X"),
        "MSH|^~\\&|\r".repeat(9_000),
    ];
    let clock = std::time::Instant::now();
    for body in bodies {
        let reading = read(hl7v2(), body.as_bytes(), &context());
        assert!(reading.is_ok_and(|reading| !reading.messages.is_empty()));
    }
    // Squares of these would take hours.
    assert!(clock.elapsed().as_secs() < 90, "{:?}", clock.elapsed());
}

/// What goes back where the whole body, or its first message, has a fault.
fn refusal(body: &[u8], place: &str, pointer: &str, detail: &str) -> Vec<u8> {
    let fault = Fault {
        code: "VAL-VALUE",
        meaning: "It is wrong.",
        pointer,
        detail,
        cause: Cause::Body(ProblemCode::BadValue),
    };
    let faults = [fault];
    let outcome = Outcome {
        place,
        result: Err(&faults),
    };
    let reply = Reply {
        body,
        hub: "",
        request: "019aa123-0000-7000-8000-000000000000",
        outcomes: &[outcome],
    };
    (hl7v2().answer)(&reply).bytes
}

/// Whether it is one whole message that answers: our own reader takes it apart, and knows it for none of its own.
fn is_answer(bytes: &[u8]) -> bool {
    let reading = read(hl7v2(), bytes, &context()).unwrap();
    let known =
        |read: &Read| matches!(&read.outcome, Err(problems) if problems[0].pointer == "/MSH[1]-9");
    reading.unread.is_empty() && reading.messages.len() == 1 && known(&reading.messages[0])
}

#[test]
fn an_answer_that_stands_in_json_is_one_string_of_it() {
    let text: String = serde_json::from_slice(&refusal(b"{}", "", "", "x")).unwrap();
    assert!(
        text.starts_with("MSH|") && is_answer(text.as_bytes()),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_bytes_make_it_fail(
        name in proptest::sample::select(SAMPLES),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        marks in proptest::collection::vec((any::<prop::sample::Index>(), proptest::sample::select(&b"|^~\\&\rM"[..])), 0..12),
        end in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut body = sample(name);
        for (at, byte) in changes.into_iter().chain(marks) {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if is_cut {
            body.truncate(end.index(body.len()));
        }
        let _ = recognise(None, &body);
        if let Ok(reading) = read(hl7v2(), &body, &context()) {
            for message in &reading.messages {
                if let Err(problems) = &message.outcome {
                    prop_assert!(!problems.is_empty());
                    for problem in problems {
                        refusal(&body, &message.place, &problem.pointer, &problem.detail);
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_is_said_the_answer_stays_whole(detail in "\\PC{0,60}", marks in "[|^~&\\\\\r\n]{0,8}") {
        let words = format!("{detail}{marks}");
        let body = sample("order-cancelled.hl7");
        prop_assert!(is_answer(&refusal(&body, "", "/PID[1]-3[2].4", &words)));
        let swapped = sample("dispense-casablanca.hl7");
        prop_assert!(is_answer(&refusal(&swapped, "", &words, &words)));
    }
}
