//! The Emirates' claim XML through the public face.

use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId, PaymentId};
use takmil_domain::message::{Kind, Message, Relation};
use takmil_domain::money::Currency;
use takmil_domain::party::CoverageReference;
use takmil_domain::problem::ProblemCode;
use takmil_domain::settlement::remittance::{Occasion, Remittance, RemittedClaim, RemittedLine};
use takmil_domain::settlement::state::PaymentState;
use takmil_domain::settlement::{Pair, PayeeKind};
use takmil_formats::{FORMATS, Fault, Format, Outcome, Reply, read, recognise, uae};

fn format() -> &'static Format {
    FORMATS.iter().find(|format| format.name == "uae").unwrap()
}

fn sample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/uae");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const SAMPLES: &[&str] = &["claims-dubai.xml", "prior-requests.xml", "prescription.xml"];

fn messages(body: &[u8]) -> Vec<Message> {
    let reading = read(format(), body, &crate::context()).unwrap();
    let read = reading.messages.into_iter();
    read.filter_map(|read| read.outcome.ok()).collect()
}

fn values(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| values(value, texts)),
        Value::Array(items) => items.iter().for_each(|value| values(value, texts)),
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        _ => {}
    }
}

/// The texts of the elements of a name, cut out by hand.
fn cut<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(open.as_str()).skip(1);
    let texts = parts.filter_map(|part| part.split(close.as_str()).next());
    texts
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect()
}

/// Requests of the corpus, which lies outside the repo in the folder that `TAKMIL_CORPUS` names; and our own.
fn requests() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    match std::env::var_os("TAKMIL_CORPUS") {
        Some(root) => {
            let folder = Path::new(&root).join("uae-handwritten-specimens");
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                found.push((
                    path.display().to_string(),
                    std::fs::read_to_string(&path).unwrap(),
                ));
            }
            assert_eq!(found.len(), 3, "the corpus is not whole");
        }
        None => eprintln!("TAKMIL_CORPUS is not set: no corpus is read"),
    }
    found.push(("prescription.xml".to_owned(), sample("prescription.xml")));
    found
}

#[test]
fn requests_are_read_whole() {
    for (path, xml) in requests() {
        assert_eq!(
            recognise(None, xml.as_bytes()).unwrap().name,
            "uae",
            "{path}"
        );
        let reading = read(format(), xml.as_bytes(), &crate::context()).unwrap();
        let mut texts = Vec::new();
        for read in &reading.messages {
            let message = read
                .outcome
                .as_ref()
                .unwrap_or_else(|problems| panic!("{path}: {problems:?}"));
            values(&serde_json::to_value(message).unwrap(), &mut texts);
            assert_eq!(message.head.currency, Currency::parse("AED"));
        }
        let has = |text: &str| texts.iter().any(|own| own == text);
        for name in [
            "Code",
            "MemberID",
            "PayerID",
            "ProviderID",
            "FacilityID",
            "Clinician",
            "PatientID",
        ] {
            for text in cut(&xml, name) {
                assert!(has(text), "{path}: {name} {text}");
            }
        }
        for text in cut(&xml, "ID") {
            // One that is sent again is known by its time, too.
            assert!(has(text), "{path}: ID {text}");
        }
        for name in ["Net", "Gross", "PatientShare"] {
            for text in cut(&xml, name) {
                let (whole, part) = text.split_once('.').unwrap_or((text, ""));
                assert!(has(&format!("{whole}{part:0<2}")), "{path}: {name} {text}");
            }
        }
        for name in ["Start", "End", "DateOfBirth"] {
            for text in cut(&xml, name) {
                let day = format!("{}-{}-{}", &text[6..10], &text[3..5], &text[..2]);
                assert!(
                    texts.iter().any(|own| own.starts_with(&day)),
                    "{path}: {name} {text}"
                );
            }
        }
    }
}

#[test]
fn answers_and_registers_are_refused_by_name() {
    let mut bodies = vec![
        sample("remittance-is-no-request.xml"),
        "<Person.Register/>".to_owned(),
    ];
    if let Some(root) = std::env::var_os("TAKMIL_CORPUS") {
        let folder = Path::new(&root).join("uae-doh-remittance");
        bodies.push(
            std::fs::read_to_string(folder.join("official_layout_remittance_advice.xml")).unwrap(),
        );
    }
    for body in bodies {
        assert_eq!(recognise(None, body.as_bytes()).unwrap().name, "uae");
        let problem = read(format(), body.as_bytes(), &crate::context()).unwrap_err();
        assert_eq!(problem.code, ProblemCode::NoMessage, "{body}");
    }
}

#[test]
fn a_claim_that_is_sent_again_replaces_the_first_and_is_no_repeat_of_it() {
    let read = messages(sample("claims-dubai.xml").as_bytes());
    let again = &read[1];
    let replaced = &again.head.correlates[0];
    assert_eq!(
        (replaced.relation, replaced.identifier.value.as_str()),
        (Relation::Replaces, "C-0")
    );
    assert!(!again.head.identifiers.contains(&replaced.identifier));
    assert_eq!(again.head.texts, ["The tariff of May applies"]);
}

#[test]
fn nobody_is_known_by_a_number_that_stands_for_none() {
    let read = messages(sample("claims-dubai.xml").as_bytes());
    let has_id = |message: &Message| {
        let mut own = message.head.member.identifiers.iter();
        own.any(|id| id.system == uae::EMIRATES_ID)
    };
    assert_eq!((has_id(&read[0]), has_id(&read[1])), (true, false));
    let covers: &[CoverageReference] = &read[1].head.coverages;
    assert_eq!(covers[0].identifiers[0].value, "M-100");
}

#[test]
fn each_type_of_prior_request_is_a_kind() {
    let body = sample("prior-requests.xml");
    let reading = read(format(), body.as_bytes(), &crate::context()).unwrap();
    let kinds: Vec<Option<Kind>> = reading
        .messages
        .iter()
        .map(|read| read.outcome.as_ref().ok().map(Message::kind))
        .collect();
    assert_eq!(
        kinds,
        [
            Some(Kind::Preauthorization),
            Some(Kind::Eligibility),
            Some(Kind::Cancel),
            None
        ]
    );
    let problems = reading.messages[3].outcome.as_ref().unwrap_err();
    assert_eq!(problems[0].pointer, "/Prior.Request/Authorization[4]/Type");
    assert_eq!(problems[0].code, ProblemCode::NoMessage);
}

#[test]
fn every_encoding_is_read_alike() {
    let xml = sample("claims-dubai.xml").replace("The tariff of May applies", "تعرفة مايو");
    let expected = messages(xml.as_bytes());
    let wide: Vec<u8> = format!("\u{feff}{xml}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(messages(&wide), expected);
    assert_eq!(recognise(None, &wide).unwrap().name, "uae");
    // In windows-1256, letter by letter.
    let arabic: Vec<u8> = xml
        .replace("utf-8", "windows-1256")
        .chars()
        .map(|letter| match letter {
            'ت' => 0xca,
            'ع' => 0xda,
            'ر' => 0xd1,
            'ف' => 0xdd,
            'ة' => 0xc9,
            'م' => 0xe3,
            'ا' => 0xc7,
            'ي' => 0xed,
            'و' => 0xe6,
            other => u8::try_from(other).unwrap(),
        })
        .collect();
    assert_eq!(messages(&arabic), expected);
}

#[test]
fn what_could_reach_out_or_swell_is_refused() {
    use ProblemCode::{Malformed, NotText, TooDeep, Unknown};
    let deep = format!("<Claim.Submission>{}", "<Claim>".repeat(100_000));
    let table = [
        (
            "<!DOCTYPE Claim.Submission [<!ENTITY a 'b'>]><Claim.Submission>&a;</Claim.Submission>",
            Malformed,
        ),
        (
            "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><Claim.Submission/>",
            Malformed,
        ),
        ("<Claim.Submission>&a;</Claim.Submission>", Malformed),
        ("<?go now?><Claim.Submission/>", Malformed),
        ("<Claim.Submission>", Malformed),
        ("<Claim.Submission></Claim>", Malformed),
        ("<Claim.Submission/><Claim.Submission/>", Malformed),
        ("<Claim.Submission/>x", Malformed),
        ("<Other/>", Unknown),
        ("", Malformed),
        (
            "<?xml version='1.0' encoding='klingon'?><Claim.Submission/>",
            NotText,
        ),
        (deep.as_str(), TooDeep),
    ];
    for (body, code) in table {
        let problem = read(format(), body.as_bytes(), &crate::context()).unwrap_err();
        assert_eq!(problem.code, code, "{problem}");
    }
}

#[test]
fn a_hostile_body_costs_no_more_than_its_length() {
    let clinicians: String = (0..50_000)
        .map(|at| {
            format!("<Activity><Type>3</Type><Code>1</Code><Clinician>{at}</Clinician></Activity>")
        })
        .collect();
    let bodies = [
        format!(
            "<Claim.Submission>{}</Claim.Submission>",
            "<Claim/>".repeat(200_000)
        ),
        format!(
            "<Claim.Submission>{}</Claim.Submission>",
            "<Claim><a>1</a></Claim>".repeat(9_000)
        ),
        format!("<Claim.Submission><Claim><ID>1</ID>{clinicians}</Claim></Claim.Submission>"),
    ];
    let clock = std::time::Instant::now();
    for body in bodies {
        let _ = read(format(), body.as_bytes(), &crate::context());
    }
    // Squares of these would take hours.
    assert!(clock.elapsed().as_secs() < 90, "{:?}", clock.elapsed());
}

#[test]
fn a_payments_remittance_is_written_in_the_layout() {
    let day = Date::parse("2026-11-20").unwrap();
    let line = RemittedLine {
        seq: 1,
        billed: 40_000,
        base: 0,
        amount: 36_000,
        others: 4_000,
        paid: 36_000,
    };
    let message = MessageId::parse("019aa123-4567-7000-8000-000000000006").unwrap();
    let advice = Remittance {
        pair: Pair {
            insurer: ParticipantId::parse("ae-insurer").unwrap(),
            provider: ParticipantId::parse("ae-hospital").unwrap(),
            payee: PayeeKind::default(),
            currency: Currency::parse("AED").unwrap(),
        },
        occasion: Occasion::Payment {
            id: PaymentId::parse("019aa123-4567-7000-8000-000000000009").unwrap(),
            reference: "PAY <1> & more".to_owned(),
            paid_on: day,
            instrument: None,
            state: PaymentState::Noticed,
        },
        made_at: Instant::parse("2026-11-20T21:30:00Z").unwrap(),
        claims: vec![RemittedClaim {
            message,
            own: Some("C-1".to_owned()),
            on_day: day,
            due_on: day,
            billed: 40_000,
            base: 0,
            amount: 36_000,
            paid: 36_000,
            moved: 0,
            open: 0,
            beyond: 0,
            lines: vec![line],
        }],
        ahead: 0,
        paid: 36_000,
    };
    let xml = String::from_utf8(uae::remittance(&advice).bytes).unwrap();
    assert_eq!(cut(&xml, "PaymentReference"), ["PAY &lt;1&gt; &amp; more"]);
    assert_eq!(cut(&xml, "PaymentAmount"), ["360.00"]);
    assert_eq!(
        cut(&xml, "TransactionDate"),
        ["21/11/2026 01:30"],
        "in the Emirates' time"
    );
    assert_eq!(cut(&xml, "DateSettlement"), ["20/11/2026"]);
    let problem = read(format(), xml.as_bytes(), &crate::context()).unwrap_err();
    assert_eq!(
        problem.code,
        ProblemCode::NoMessage,
        "well-formed, and an answer"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_bytes_make_it_fail(
        name in proptest::sample::select(SAMPLES),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        words in proptest::collection::vec((any::<prop::sample::Index>(), proptest::sample::select(&["", "x", "-1", "&amp;", "<", "99999999999999999999"][..])), 0..6),
    ) {
        let mut body = sample(name).into_bytes();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for (at, word) in words {
            let at = at.index(body.len());
            body.splice(at..at, word.bytes());
        }
        let _ = recognise(None, &body);
        let reading = read(format(), &body, &crate::context());
        let told: Vec<(String, Vec<_>)> = match reading {
            Ok(reading) => reading.messages.into_iter().filter_map(|read| Some((read.place, read.outcome.err()?))).collect(),
            Err(problem) => vec![(String::new(), vec![problem])],
        };
        let faults: Vec<(&str, Vec<Fault<'_>>)> =
            told.iter().map(|(place, problems)| (place.as_str(), problems.iter().map(Fault::from).collect())).collect();
        let outcomes: Vec<Outcome<'_>> = faults.iter().map(|(place, faults)| Outcome { place, result: Err(faults) }).collect();
        let written = (format().answer)(&Reply { body: &body, hub: "", request: "", outcomes: &outcomes });
        // It is no document of the layouts, but well-formed.
        if !outcomes.is_empty() {
            let problem = read(format(), &written.bytes, &crate::context()).unwrap_err();
            prop_assert_eq!(problem.code, ProblemCode::Unknown);
        }
    }
}
