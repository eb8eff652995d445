//! What the reader does, one sentence a test, on bodies just large enough to show it.

use crate::fhir::{ELEMENT, EXTENSION, FORMAT, REFERENCE};
use crate::{Context, Read, Reading};
use serde_json::{Value, json};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Message, Relation};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::problem::ProblemCode;

fn reading(body: &Value) -> Reading {
    crate::read(&FORMAT, body.to_string().as_bytes(), &super::context()).unwrap()
}

fn message(body: &Value) -> Message {
    let [read] = <[Read; 1]>::try_from(reading(body).messages).unwrap();
    read.outcome.unwrap()
}

fn refused(body: &Value) -> Vec<(ProblemCode, String)> {
    let [read] = <[Read; 1]>::try_from(reading(body).messages).unwrap();
    let problems = read.outcome.unwrap_err();
    problems
        .into_iter()
        .map(|problem| (problem.code, problem.pointer))
        .collect()
}

/// A claim of one line, with `changes` merged into it.
fn claim(changes: Value) -> Value {
    let mut claim = json!({
        "resourceType": "Claim",
        "status": "active",
        "type": {"coding": [{"code": "professional"}]},
        "use": "claim",
        "patient": {"reference": "Patient/1"},
        "created": "2026-11-01",
        "provider": {"reference": "Organization/1"},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": true, "coverage": {"reference": "Coverage/1"}}],
        "item": [{"sequence": 1, "productOrService": {"text": "visit"}}],
    });
    for (key, value) in changes.as_object().unwrap() {
        claim[key] = value.clone();
    }
    claim
}

fn order(id: &str, group: &str, patient: &str) -> Value {
    json!({
        "resourceType": "MedicationRequest",
        "id": id,
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "drug"},
        "subject": {"reference": patient},
        "groupIdentifier": {"system": "urn:groups", "value": group},
    })
}

fn bundle(kind: &str, resources: Vec<Value>) -> Value {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| json!({"resource": resource}))
        .collect();
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn priced(amounts: &[Value]) -> Value {
    let item = |(index, amount): (usize, &Value)| json!({"sequence": index + 1, "productOrService": {"text": "visit"}, "net": amount});
    claim(json!({"item": amounts.iter().enumerate().map(item).collect::<Vec<_>>()}))
}

#[test]
fn a_reference_that_leads_nowhere_stays_an_identifier() {
    let message = message(&claim(json!({})));
    assert_eq!(
        message.head.member.identifiers,
        [Identifier::new(REFERENCE, "Patient/1")]
    );
    assert_eq!(
        message.head.coverages[0].identifiers,
        [Identifier::new(REFERENCE, "Coverage/1")]
    );
}

#[test]
fn a_fragment_that_leads_nowhere_is_refused() {
    let body = claim(json!({"provider": {"reference": "#nobody"}}));
    assert_eq!(
        refused(&body),
        [(ProblemCode::DanglingReference, "/provider".into())]
    );
}

#[test]
fn amounts_are_in_the_smallest_unit_of_the_one_currency_that_is_named() {
    let message = message(&priced(&[
        json!({"value": 12.5}),
        json!({"value": 3, "currency": "KWD"}),
    ]));
    assert_eq!(message.head.currency, Currency::parse("KWD"));
    let Body::Claim(claim) = message.body else {
        panic!()
    };
    let billed: Vec<_> = claim
        .bill
        .lines
        .iter()
        .map(|line| line.billed.map(Amount::get))
        .collect();
    assert_eq!(billed, [Some(12_500), Some(3_000)]);
}

#[test]
fn amounts_without_a_currency_are_in_the_agreed_one_or_in_none() {
    let body = priced(&[json!({"value": 7})]).to_string();
    for (agreed, expected, amount) in [("IRR", "IRR", 7), ("", "XXX", 700)] {
        let context = Context {
            default_currency: Currency::parse(agreed),
            ..super::context()
        };
        let mut reading = crate::read(&FORMAT, body.as_bytes(), &context).unwrap();
        let message = reading.messages.remove(0).outcome.unwrap();
        assert_eq!(message.head.currency, Currency::parse(expected));
        let Body::Claim(claim) = message.body else {
            panic!()
        };
        assert_eq!(claim.bill.lines[0].billed.map(Amount::get), Some(amount));
    }
}

#[test]
fn amounts_that_cannot_be_are_refused_where_they_stand() {
    let usd = |value: Value| json!({"value": value, "currency": "USD"});
    let check = |amounts: &[Value], code, pointer: &str| {
        assert_eq!(refused(&priced(amounts)), [(code, pointer.to_owned())]);
    };
    let euro = json!({"value": 1, "currency": "EUR"});
    check(
        &[usd(json!(1)), euro],
        ProblemCode::MixedCurrency,
        "/item/1/net/currency",
    );
    check(
        &[json!({"value": 1, "currency": "TOM"})],
        ProblemCode::UnknownCurrency,
        "/item/0/net/currency",
    );
    check(
        &[usd(json!(-0.01))],
        ProblemCode::Negative,
        "/item/0/net/value",
    );
    check(
        &[usd(json!(1e17))],
        ProblemCode::OutOfRange,
        "/item/0/net/value",
    );
}

#[test]
fn an_amount_finer_than_its_currency_is_rounded_and_its_place_told() {
    let message = message(&priced(&[json!({"value": 10.5, "currency": "IRR"})]));
    assert_eq!(message.head.unread, ["/item/0/net/value"]);
    let Body::Claim(claim) = message.body else {
        panic!()
    };
    assert_eq!(claim.bill.lines[0].billed.map(Amount::get), Some(11));
}

#[test]
fn digits_of_other_scripts_are_read_and_words_stay() {
    let message = message(&claim(json!({
        "id": "۱۲",
        "identifier": [{"system": "urn:x", "value": "پرونده ۷"}],
        "created": "۲۰۲۶-۱۱-۰۲",
        "patient": {"reference": "Patient/۱", "display": "بیمار ۱"},
        "item": [{
            "sequence": 1,
            "productOrService": {"coding": [{"system": "urn:irc", "code": "۱۲۳۴", "display": "قرص ۵۰۰"}]},
        }],
    })));
    assert_eq!(message.head.created.unwrap().as_str(), "2026-11-02");
    assert_eq!(
        message.head.identifiers[0],
        Identifier::new("urn:x", "پرونده 7")
    );
    assert_eq!(
        message.head.identifiers[1],
        Identifier::new(REFERENCE, "Claim/12")
    );
    assert_eq!(
        message.head.member.identifiers,
        [Identifier::new(REFERENCE, "Patient/1")]
    );
    assert_eq!(message.head.member.name.as_deref(), Some("بیمار ۱"));
    let Body::Claim(claim) = message.body else {
        panic!()
    };
    let item = claim.bill.lines[0].item.source.clone().unwrap();
    assert_eq!(
        (item.code.as_str(), item.display.as_deref()),
        ("1234", Some("قرص ۵۰۰"))
    );
}

#[test]
fn what_has_no_place_is_told_by_its_element_or_extension() {
    let message = message(&claim(json!({
        "fundsReserve": {"text": "patient"},
        "extension": [{"url": "https://x.example/a", "extension": [{"url": "b", "valueDate": "2026-01-01"}]}],
    })));
    let told: Vec<_> = message
        .head
        .supporting
        .iter()
        .map(|part| {
            let category = part.category.as_ref().unwrap().source.as_ref().unwrap();
            (category.system.as_str(), category.code.as_str())
        })
        .collect();
    assert!(told.contains(&(ELEMENT, "Claim.fundsReserve")), "{told:?}");
    assert!(
        told.contains(&(EXTENSION, "https://x.example/a#b")),
        "{told:?}"
    );
    assert_eq!(message.head.unread, Vec::<String>::new());
}

#[test]
fn a_modifier_extension_that_is_not_known_is_told_as_unread() {
    let message = message(&claim(json!({
        "modifierExtension": [{"url": "https://x.example/not-really", "valueBoolean": true}],
    })));
    assert_eq!(message.head.unread, ["/modifierExtension"]);
}

#[test]
fn unread_places_are_told_by_the_outermost_that_was_not_read_at_all() {
    let patient = json!({
        "resourceType": "Patient",
        "id": "1",
        "name": [{"family": "A", "given": ["B"]}, {"family": "C", "period": {"start": "2001"}}],
        "contact": [{"name": {"family": "D"}}],
    });
    let message = message(&bundle("collection", vec![claim(json!({})), patient]));
    assert_eq!(message.head.member.name.as_deref(), Some("B A"));
    assert_eq!(
        message.head.unread,
        ["/entry/1/resource/name/1", "/entry/1/resource/contact"]
    );
}

#[test]
fn entries_that_no_message_took_part_of_are_told_by_the_reading() {
    let note = json!({"resourceType": "Basic", "code": {"text": "note"}});
    let reading = reading(&bundle("batch", vec![note, claim(json!({}))]));
    assert_eq!(reading.unread, ["/entry/0"]);
    assert_eq!(reading.messages[0].place, "/entry/1/resource");
}

#[test]
fn a_bad_entry_leaves_the_others_alone() {
    let bad = claim(json!({"use": "borrow"}));
    let reading = reading(&bundle("batch", vec![claim(json!({})), bad]));
    let [good, bad] = <[Read; 2]>::try_from(reading.messages).unwrap();
    assert!(good.outcome.is_ok());
    assert_eq!(bad.outcome.unwrap_err()[0].pointer, "/entry/1/resource/use");
}

#[test]
fn a_body_without_a_message_is_refused() {
    let body = json!({"resourceType": "Patient"}).to_string();
    let problem = crate::read(&FORMAT, body.as_bytes(), &super::context()).unwrap_err();
    assert_eq!(problem.code, ProblemCode::NoMessage);
}

#[test]
fn orders_of_one_group_and_patient_are_one_prescription() {
    let orders = vec![
        order("a", "1", "Patient/1"),
        order("b", "2", "Patient/1"),
        order("c", "1", "Patient/1"),
        order("d", "1", "Patient/2"),
    ];
    let reading = reading(&bundle("transaction", orders));
    let lines: Vec<Vec<u32>> = reading
        .messages
        .iter()
        .map(|read| {
            let Body::Prescription(order) = &read.outcome.as_ref().unwrap().body else {
                panic!()
            };
            order.lines.iter().map(|line| line.seq).collect()
        })
        .collect();
    assert_eq!(lines, [vec![1, 2], vec![1], vec![1]]);
}

#[test]
fn an_order_that_differs_from_the_first_keeps_its_own() {
    let mut second = order("b", "1", "Patient/1");
    second["authoredOn"] = json!("2026-10-02");
    second["requester"] = json!({"reference": "Practitioner/2"});
    let mut first = order("a", "1", "Patient/1");
    first["authoredOn"] = json!("2026-10-01");
    first["requester"] = json!({"reference": "Practitioner/1"});
    let message = message(&bundle("collection", vec![first, second]));
    let Body::Prescription(order) = message.body else {
        panic!()
    };
    assert_eq!(
        order.prescriber.unwrap().identifiers[0].value,
        "Practitioner/1"
    );
    assert_eq!(order.authored, None);
    assert_eq!(
        order.lines[1].authored.as_ref().unwrap().as_str(),
        "2026-10-02"
    );
    let told = &order.lines[1].particulars[0];
    assert_eq!(
        told.identifier,
        Some(Identifier::new(REFERENCE, "Practitioner/2"))
    );
}

#[test]
fn orders_that_a_message_takes_back_are_a_cancel() {
    let mut order = order("a", "G-1", "Patient/1");
    order["status"] = json!("cancelled");
    order["statusReason"] = json!({"text": "error"});
    let header = json!({
        "resourceType": "MessageHeader",
        "eventCoding": {"code": "prescription-order-update"},
        "source": {"endpoint": "https://x.example"},
    });
    let message = message(&bundle("message", vec![header, order]));
    let taken_back: Vec<_> = message
        .head
        .correlates
        .iter()
        .map(|one| (one.relation, one.identifier.value.as_str()))
        .collect();
    assert_eq!(
        taken_back,
        [
            (Relation::Cancels, "G-1"),
            (Relation::Cancels, "MedicationRequest/a")
        ]
    );
    let Body::Cancel(cancel) = message.body else {
        panic!()
    };
    assert_eq!(cancel.reason.unwrap().text.as_deref(), Some("error"));
}

#[test]
fn of_a_history_the_newest_version_counts() {
    let old = claim(json!({"id": "1", "created": "2026-10-01"}));
    let new = claim(json!({"id": "1", "created": "2026-10-02"}));
    let mut history = bundle("history", vec![new, old]);
    for entry in history["entry"].as_array_mut().unwrap() {
        entry["request"] = json!({"method": "PUT", "url": "Claim/1"});
        entry["response"] = json!({"status": "200"});
    }
    let reading = reading(&history);
    assert_eq!(reading.messages.len(), 1);
    assert_eq!(reading.messages[0].place, "/entry/0/resource");
    assert_eq!(reading.unread, ["/entry/1"]);
}

#[test]
fn a_claim_of_ten_thousand_lines_is_read_and_one_more_is_refused() {
    let lines = |count: u32| {
        let line = |seq| json!({"sequence": seq, "productOrService": {"text": "x"}});
        claim(json!({"item": (1..=count).map(line).collect::<Vec<_>>()}))
    };
    let Body::Claim(claim) = message(&lines(10_000)).body else {
        panic!()
    };
    assert_eq!(claim.bill.lines.len(), 10_000);
    assert_eq!(
        refused(&lines(10_001)),
        [(ProblemCode::TooManyLines, String::new())]
    );
}

#[test]
fn messages_that_share_more_than_the_hub_reads_again_are_refused() {
    let numbers: Vec<Value> = (0..40_000)
        .map(|n| json!({"value": n.to_string()}))
        .collect();
    let patient = json!({"resourceType": "Patient", "id": "1", "identifier": numbers});
    let mut resources = vec![patient];
    resources.extend((0..150).map(|n| order(&n.to_string(), &n.to_string(), "Patient/1")));
    let reading = reading(&bundle("collection", resources));
    let refused = reading
        .messages
        .iter()
        .filter_map(|read| read.outcome.as_ref().err());
    assert!(
        refused
            .flatten()
            .any(|problem| problem.code == ProblemCode::TooLarge)
    );
}

#[test]
fn both_syntaxes_are_recognised_by_their_content() {
    let recognise = FORMAT.recognise;
    assert!(recognise(br#" {"id": "1", "resourceType": "Claim"}"#));
    assert!(recognise(
        b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --><Claim xmlns='http://hl7.org/fhir'/>"
    ));
    assert!(recognise(br#"<f:Claim xmlns:f="http://hl7.org/fhir">"#));
    assert!(!recognise(br#"{"kind": "claim"}"#));
    assert!(!recognise(
        br#"<Claim xmlns="urn:hl7-org:v3" about="http://hl7.org/fhir/x">"#
    ));
    assert!(!recognise(b"ISA*00*"));
    assert!(!recognise(b""));
}
