//! Answers of every shape, drawn at random and written: R4 has nothing to say against any of them, both
//! syntaxes hold them whole, and their amounts add up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod any;
mod bundles;
mod corpus;
mod decisions;
#[path = "../../../tests/it/draw.rs"]
mod draw;
mod payment;

use takmil_domain::date::Date;
use takmil_domain::decision::{InsurerShare, LineShare};
use takmil_domain::ids::{Identifier, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Message;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::reason::Reason;

use super::adjudication::{Notes, Review, items};
use super::{answer, composed};
use crate::fhir::datatypes::{Money, reference};
use crate::fhir::tree::Node;
use crate::fhir::{REFERENCE, json, r4, xml};
use crate::{Answered, Cause, Fault, Outcome, Reply};

const HUB: &str = "https://hub.example";
const REQUEST: &str = "01938f2e-7c1b-7000-8000-00000000beef";

fn reply<'a>(body: &'a [u8], outcomes: &'a [Outcome<'a>]) -> Reply<'a> {
    Reply {
        body,
        hub: HUB,
        request: REQUEST,
        outcomes,
    }
}

/// What is written passes R4 and comes back from both syntaxes as it was.
fn assert_sound(node: &Node) {
    let findings = r4::check(node);
    assert_eq!(findings, [], "{}", json::render(node));
    assert_eq!(
        json::parse(json::render(node).as_bytes()).unwrap(),
        node.clone()
    );
    let written = xml::render(node).unwrap();
    let back = xml::parse(written.as_bytes()).unwrap();
    assert_eq!(back.sorted(), node.clone().sorted());
}

#[test]
fn every_cause_and_problem_has_a_word_of_hl7s_list() {
    let causes = [
        Cause::Request,
        Cause::Credentials,
        Cause::Forbidden,
        Cause::NotFound,
        Cause::Unsupported,
        Cause::Conflict,
        Cause::Duplicate,
        Cause::Timeout,
        Cause::Throttled,
        Cause::Busy,
        Cause::Internal,
    ];
    let body = causes
        .into_iter()
        .chain(ProblemCode::ALL.iter().copied().map(Cause::Body));
    for cause in body {
        let fault = Fault {
            code: "X-1",
            meaning: "It is wrong.",
            pointer: "/item/0/net",
            detail: "what is wrong",
            cause,
        };
        let faults = [fault];
        let outcomes = [Outcome {
            place: "",
            result: Err(&faults),
        }];
        let node = composed(
            &reply(br#"{"resourceType":"Claim","item":[{}]}"#, &outcomes),
            true,
        );
        assert_sound(&node);
        let issue = &node.list("issue")[0];
        assert_eq!(issue.text("severity"), Some("error"));
        assert_eq!(
            issue.list("expression")[0].as_str(),
            Some("Claim.item[0].net")
        );
        assert_eq!(node.text("id"), Some(REQUEST));
    }
}

#[test]
fn a_body_that_cannot_be_read_is_refused_in_its_own_syntax() {
    let problem = Problem::new(ProblemCode::Malformed, "/code", "the end is missing");
    let faults = [Fault::from(&problem)];
    let outcomes = [Outcome {
        place: "",
        result: Err(&faults),
    }];
    for (body, media_type) in [
        (&b"{\"resourceType\":"[..], "application/fhir+json"),
        (&b""[..], "application/fhir+json"),
        (
            &b"<Claim xmlns='http://hl7.org/fhir'><code>"[..],
            "application/fhir+xml",
        ),
        (&b"\xff\xfe<\x00"[..], "application/fhir+xml"),
    ] {
        let written = answer(&reply(body, &outcomes));
        assert_eq!(written.media_type, media_type);
        let node = json::parse(&written.bytes)
            .or_else(|_| xml::parse(&written.bytes))
            .unwrap();
        assert_sound(&node);
        assert_eq!(node.list("issue")[0].text("code"), Some("structure"));
    }
}

#[test]
fn every_reason_is_told_with_its_code_and_words() {
    for reason in Reason::ALL {
        let mut notes = Notes::default();
        assert_eq!(notes.number(*reason), notes.number(*reason));
        let told: Vec<Node> = notes.told().collect();
        assert_eq!(told.len(), 1);
        let text = told[0].text("text").unwrap();
        assert_eq!(text, format!("{}: {}", reason.code(), reason.meaning()));
        assert!(reason.meaning().len() > 10 && reason.meaning().ends_with('.'));
    }
}

#[test]
fn amounts_are_written_with_the_digits_of_their_currency() {
    let day = Date::parse("2026-11-21").unwrap();
    let table = [
        ("IRR", 812_000, "812000"),
        ("IRR", 0, "0"),
        ("MAD", 0, "0.00"),
        ("MAD", 5, "0.05"),
        ("MAD", -5, "-0.05"),
        ("MAD", 13_550, "135.50"),
        ("KWD", 1_001, "1.001"),
        ("USD", i64::MAX, "92233720368547758.07"),
        ("USD", i64::MIN, "-92233720368547758.08"),
    ];
    for (currency, units, expected) in table {
        let money = Money::new(Currency::parse(currency).unwrap(), day).units(units);
        assert_eq!(money.get("value").unwrap().as_number(), Some(expected));
        assert_eq!(money.text("currency"), Some(currency));
    }
    let unnamed = Money::new(Currency::NONE, day).units(250);
    assert_eq!(json::render(&unnamed), r#"{"value":2.50}"#);
}

#[test]
fn a_reference_is_told_so_that_the_sender_finds_it() {
    let literal = |text: &str| Identifier::new(REFERENCE, text);
    let number = Identifier::new("urn:ir:national-id", "0084575948");
    let table: &[(&[Identifier], Option<&str>)] = &[
        (&[], None),
        (
            &[literal("Patient/1")],
            Some(r#"{"reference":"Patient/1"}"#),
        ),
        (
            &[literal("https://x/fhir/Patient/1/_history/2")],
            Some(r#"{"reference":"https://x/fhir/Patient/1/_history/2"}"#),
        ),
        (&[literal("Group/1")], None),
        (&[literal("#p1")], None),
        (
            &[literal("urn:uuid:1")],
            Some(r#"{"reference":"urn:uuid:1"}"#),
        ),
        (
            &[literal("urn:uuid:1"), number.clone()],
            Some(r#"{"identifier":{"system":"urn:ir:national-id","value":"0084575948"}}"#),
        ),
        (
            &[number, literal("Patient/1")],
            Some(
                r#"{"reference":"Patient/1","identifier":{"system":"urn:ir:national-id","value":"0084575948"}}"#,
            ),
        ),
        (
            &[Identifier::new("a system", "x\u{1}y")],
            Some(r#"{"identifier":{"value":"xy"}}"#),
        ),
    ];
    for (known, expected) in table {
        let told = reference(known, &["Patient"]).map(|node| json::render(&node));
        assert_eq!(told.as_deref(), *expected);
    }
}

fn line(shares: &[(Option<Reason>, bool)], reasons: &[Reason]) -> LineShare {
    let share = |(refused, pended): &(Option<Reason>, bool)| InsurerShare {
        insurer: ParticipantId::parse("ir-omid").unwrap(),
        amount: Amount::ZERO,
        allowed: Amount::ZERO,
        benefit: None,
        refused: *refused,
        pended: *pended,
    };
    LineShare {
        seq: 1,
        billed: Amount::ZERO,
        allowed: Amount::ZERO,
        base: Amount::ZERO,
        subsidy: Amount::ZERO,
        supplementary: shares.iter().map(share).collect(),
        written_off: Amount::ZERO,
        member: Amount::ZERO,
        reasons: reasons.to_vec(),
        trace: Vec::new(),
    }
}

#[test]
fn a_line_that_leave_is_asked_for_has_a_review_code() {
    let refused = (Some(Reason::Excluded), false);
    let (given, waits) = ((None, false), (None, true));
    type Row<'a> = (
        &'a [(Option<Reason>, bool)],
        &'a [Reason],
        State,
        Option<&'a str>,
    );
    let table: &[Row<'_>] = &[
        (&[], &[], State::Decided, None),
        (&[given], &[], State::Decided, Some("A1")),
        (&[given], &[Reason::OverTariff], State::Decided, Some("A1")),
        (
            &[given],
            &[Reason::QuantityCapped],
            State::Decided,
            Some("A2"),
        ),
        (&[refused, given], &[], State::Decided, Some("A1")),
        (&[refused], &[], State::Decided, Some("A3")),
        (&[refused], &[], State::Pended, Some("A3")),
        (&[waits], &[], State::Decided, Some("A4")),
        (&[given], &[], State::Consulting, Some("A4")),
        (&[given], &[], State::Pended, Some("A4")),
    ];
    for (shares, reasons, state, expected) in table {
        let lines = vec![line(shares, reasons)];
        let decision = decisions::of(lines);
        let money = Money::new(decision.currency, Date::parse("2026-11-21").unwrap());
        let review = Review {
            state: *state,
            number: Some("n-1"),
        };
        let items = items(&decision, money, &mut Notes::default(), Some(review));
        let submitted = &items[0].list("adjudication")[0];
        let action = submitted
            .list("extension")
            .first()
            .map(|action| action.list("extension"));
        let code = action.and_then(|parts| {
            parts
                .last()?
                .get("valueCodeableConcept")?
                .list("coding")
                .first()?
                .text("code")
        });
        assert_eq!(code, *expected, "{shares:?} {reasons:?} {state:?}");
        let has_number = action.is_some_and(|parts| {
            parts
                .iter()
                .any(|part| part.text("valueString") == Some("n-1"))
        });
        assert_eq!(has_number, matches!(code, Some("A1" | "A2")));
    }
}

/// The samples of answers were blessed by a person; R4 has its say here.
#[test]
fn the_samples_of_answers_keep_to_r4() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/fhir/answers");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        let node = match name.rsplit_once(".response.") {
            Some((_, "json")) => json::parse(&body).unwrap(),
            Some((_, "xml")) => xml::parse(&body).unwrap(),
            _ => continue,
        };
        assert_sound(&node);
        count += 1;
    }
    assert!(count >= 12, "samples are missing");
}

/// A message of a kind, with nothing in it that the kind does not demand.
#[test]
fn a_message_that_names_nothing_is_answered_all_the_same() {
    let bodies = [
        r#"{"kind":"claim","claim":{"bill":{"lines":[]}}}"#,
        r#"{"kind":"eligibility","eligibility":{}}"#,
        r#"{"kind":"cancel","cancel":{}}"#,
        r#"{"kind":"prescription","prescription":{"lines":[]}}"#,
    ];
    for body in bodies {
        let message: Message = serde_json::from_str(body).unwrap();
        let answer = decisions::bare(message.kind());
        let outcomes = [Outcome {
            place: "",
            result: Ok(Answered {
                message: &message,
                answer: &answer,
                json: None,
            }),
        }];
        assert_sound(&composed(&reply(b"", &outcomes), true));
    }
}
