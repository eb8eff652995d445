//! Answers of every shape, drawn at random and written: R4 has nothing to say against any of them, both
//! syntaxes hold them whole, and their amounts add up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod decisions;
#[path = "../../../tests/it/draw.rs"]
mod draw;

use proptest::prelude::*;
use std::collections::BTreeMap;
use takmil_domain::answer::{Answer, State};
use takmil_domain::date::Date;
use takmil_domain::decision::{InsurerShare, LineShare};
use takmil_domain::ids::{Identifier, ParticipantId};
use takmil_domain::message::{Kind, Message};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::reason::Reason;

use self::decisions::answers;
use super::adjudication::{Notes, Review, items};
use super::datatypes::{Money, reference};
use super::{answer, composed};
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
    let back = xml::parse(xml::render(node).unwrap().as_bytes()).unwrap();
    assert_eq!(back.sorted(), node.clone().sorted());
}

/// Smallest units, as all amounts of one answer have the same number of digits.
fn units(money: &Node) -> i128 {
    let text = money.get("value").unwrap().as_number().unwrap();
    text.replace('.', "").parse().unwrap()
}

/// Sums by category and insurer.
fn sums<'n>(adjudications: impl Iterator<Item = &'n Node>) -> BTreeMap<(String, String), i128> {
    let mut sums = BTreeMap::new();
    for told in adjudications {
        let category = told.get("category").unwrap().list("coding")[0]
            .text("code")
            .unwrap();
        let mut extensions = told.list("extension").iter();
        let insurer = extensions.find_map(|one| one.get("valueIdentifier")?.text("value"));
        let key = (category.to_owned(), insurer.unwrap_or_default().to_owned());
        *sums.entry(key).or_default() += units(told.get("amount").unwrap());
    }
    sums
}

/// The parts of what was asked, each once.
fn parts(sums: &BTreeMap<(String, String), i128>) -> i128 {
    let adds = [
        "base-share",
        "written-off",
        "supplementary-share",
        "member-share",
    ];
    let parts = sums
        .iter()
        .filter(|((category, _), _)| adds.contains(&category.as_str()));
    parts.map(|(_, sum)| sum).sum()
}

fn of(sums: &BTreeMap<(String, String), i128>, category: &str) -> i128 {
    let own = sums.iter().filter(|((name, _), _)| name == category);
    own.map(|(_, sum)| sum).sum()
}

fn assert_adds_up(response: &Node) {
    for item in response.list("item") {
        let sums = sums(item.list("adjudication").iter());
        assert_eq!(of(&sums, "submitted"), parts(&sums), "{item:?}");
        assert_eq!(of(&sums, "benefit"), of(&sums, "supplementary-share"));
    }
    let items = response.list("item").iter();
    let by_items = sums(items.flat_map(|item| item.list("adjudication")));
    for (key, total) in sums(response.list("total").iter()) {
        let sum = by_items.get(&key).copied().unwrap_or_default();
        assert_eq!(sum, total, "{key:?}");
    }
}

/// Every number that an item refers to is a note, and every line's reasons are among them.
fn assert_notes_lead_somewhere(response: &Node, answer: &Answer) {
    let notes: BTreeMap<&str, &str> = response
        .list("processNote")
        .iter()
        .filter_map(|note| Some((note.get("number")?.as_number()?, note.text("text")?)))
        .collect();
    let lines = answer.decision.iter().flat_map(|decision| &decision.lines);
    for (item, line) in response.list("item").iter().zip(lines) {
        let told: Vec<&str> = item
            .list("noteNumber")
            .iter()
            .map(|number| notes[number.as_number().unwrap()])
            .collect();
        for reason in &line.reasons {
            assert!(told.iter().any(|text| text.starts_with(reason.code())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_answer_to_any_message_is_sound_and_adds_up(
        (message, answer) in (draw::messages(), answers()),
    ) {
        let outcomes = [Outcome { place: "", result: Ok(Answered { message: &message, answer: &answer }) }];
        let node = composed(&reply(b"{}", &outcomes), true);
        assert_sound(&node);
        let kind = node.resource_type().unwrap();
        let has_shares = answer.decision.is_some();
        match message.kind() {
            Kind::Eligibility => prop_assert_eq!(kind, "CoverageEligibilityResponse"),
            Kind::Cancel => prop_assert_eq!(kind, "OperationOutcome"),
            Kind::Prescription | Kind::Dispense if !has_shares => prop_assert_eq!(kind, "OperationOutcome"),
            _ => prop_assert_eq!(kind, "ClaimResponse"),
        }
        if kind == "ClaimResponse" {
            assert_adds_up(&node);
            assert_notes_lead_somewhere(&node, &answer);
        }
        // An error stands alone, and nothing but an error has errors.
        let is_error = node.text("outcome") == Some("error");
        prop_assert_eq!(is_error, !node.list("error").is_empty());
        prop_assert!(!is_error || node.list("item").is_empty());
    }
}

const BUNDLES: &[&str] = &[
    "message",
    "transaction",
    "batch",
    "collection",
    "document",
    "searchset",
    "history",
];

/// A body of that many messages, with a header and a patient before them.
fn body(kind: &str, messages: usize) -> Node {
    let of = |kind: &str, id: &str| {
        Node::object([("resourceType", kind), ("id", id)].map(|(k, v)| (k, Node::from(v))))
    };
    let mut header = of("MessageHeader", "h-1");
    if let Node::Object(members) = &mut header {
        let coding = Node::object([
            ("system", Node::from("urn:x")),
            ("code", Node::from("claim-request")),
        ]);
        members.push(("eventCoding".into(), coding));
        let source = Node::object([("endpoint", Node::from("https://till.example/fhir"))]);
        members.push(("source".into(), source));
    }
    let resources = [header, of("Patient", "p")]
        .into_iter()
        .chain((0..messages).map(|_| of("Claim", "c")));
    let entries = resources.map(|resource| Node::object([("resource", resource)]));
    Node::object([
        ("resourceType", Node::from("Bundle")),
        ("type", Node::from(kind)),
        ("entry", Node::array(entries)),
    ])
}

fn problems() -> impl Strategy<Value = Vec<Problem>> {
    let problem = (
        proptest::sample::select(ProblemCode::ALL),
        proptest::sample::select(vec![
            "",
            "/entry/1/resource",
            "/entry/2/resource/item/0/net",
            "/x~1y",
        ]),
    );
    let problem = problem.prop_map(|(code, at)| Problem::new(code, at, "what is wrong"));
    proptest::collection::vec(problem, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_bundle_is_answered_in_its_kind(
        kind in proptest::sample::select(BUNDLES),
        told in proptest::collection::vec(
            prop_oneof![
                (draw::messages(), answers()).prop_map(Ok),
                problems().prop_map(Err),
            ],
            1..5,
        ),
        in_parameters in any::<bool>(),
        as_json in any::<bool>(),
    ) {
        let tree = body(kind, told.len());
        let (tree, prefix) = if in_parameters {
            let parameter = Node::object([("name", Node::from("resource")), ("resource", tree)]);
            let parameters = Node::object([
                ("resourceType", Node::from("Parameters")),
                ("parameter", Node::array([parameter])),
            ]);
            (parameters, "/parameter/0/resource")
        } else {
            (tree, "")
        };
        let body = if as_json { json::render(&tree) } else { xml::render(&tree).unwrap() };
        let places: Vec<String> = (2..).take(told.len()).map(|at: usize| format!("{prefix}/entry/{at}/resource")).collect();
        let faults: Vec<Vec<Fault>> = told
            .iter()
            .map(|one| one.as_ref().err().map(|problems| problems.iter().map(Fault::from).collect()).unwrap_or_default())
            .collect();
        let outcomes: Vec<Outcome> = told
            .iter()
            .zip(&places)
            .zip(&faults)
            .map(|((one, place), faults)| Outcome {
                place,
                result: match one {
                    Ok((message, answer)) => Ok(Answered { message, answer }),
                    Err(_) => Err(faults),
                },
            })
            .collect();
        let written = answer(&reply(body.as_bytes(), &outcomes));
        let node = if as_json { json::parse(&written.bytes).unwrap() } else { xml::parse(&written.bytes).unwrap() };
        prop_assert_eq!(written.media_type, if as_json { "application/fhir+json" } else { "application/fhir+xml" });
        assert_sound(&node);
        let (expected, entries) = match kind {
            "message" => ("message", told.len() + 1),
            "transaction" => ("transaction-response", told.len() + 2),
            "batch" => ("batch-response", told.len() + 2),
            _ => ("collection", told.len()),
        };
        prop_assert_eq!(node.text("type"), Some(expected));
        prop_assert_eq!(node.list("entry").len(), entries);
        let mut urls: Vec<&str> = node.list("entry").iter().filter_map(|entry| entry.text("fullUrl")).collect();
        let count = urls.len();
        urls.sort_unstable();
        urls.dedup();
        prop_assert_eq!(urls.len(), count, "an address stands once in a bundle");
        if kind == "message" {
            let response = node.list("entry")[0].get("resource").unwrap().get("response").unwrap();
            prop_assert_eq!(response.text("identifier"), Some("h-1"));
            let all_well = told.iter().all(Result::is_ok);
            prop_assert_eq!(response.text("code"), Some(if all_well { "ok" } else { "fatal-error" }));
            let details = response.get("details").map(|details| details.text("reference").unwrap());
            prop_assert_eq!(details.is_none(), all_well);
            prop_assert!(details.is_none_or(|url| urls.contains(&url)));
        }
    }
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
    let table: &[(&[(Option<Reason>, bool)], &[Reason], State, Option<&str>)] = &[
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
            }),
        }];
        assert_sound(&composed(&reply(b"", &outcomes), true));
    }
}
