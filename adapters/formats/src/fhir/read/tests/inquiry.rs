//! Questions about requests for leave.

use super::certification::{OWN, line, lines, named, of_type, request, text, typed};
use super::corpus::samples;
use crate::fhir::inquiry;
use serde_json::{Value, json};
use takmil_domain::message::{Message, Relation};
use takmil_domain::problem::{Problem, ProblemCode};

fn asked(body: &Value) -> Result<Message, Vec<(ProblemCode, String)>> {
    let problems = |problems: Vec<Problem>| {
        let problems = problems.into_iter();
        problems
            .map(|problem| (problem.code, problem.pointer))
            .collect()
    };
    inquiry(body.to_string().as_bytes(), &super::context()).map_err(problems)
}

fn bundle(resources: Vec<Value>) -> Value {
    let entries: Vec<_> = resources
        .into_iter()
        .map(|resource| json!({"resource": resource}))
        .collect();
    json!({
        "resourceType": "Bundle", "type": "collection", "entry": entries,
        "identifier": {"system": "urn:questions", "value": "Q-1"},
    })
}

#[test]
fn a_question_is_an_example_of_what_is_sought() {
    let numbers = vec![
        typed("S"),
        text("extension-authorizationNumber", OWN),
        text("extension-administrationReferenceNumber", "N-7"),
    ];
    let days = json!({"billablePeriod": {"start": "2026-11-01", "end": "2026-11-30"}});
    let question = request(vec![line(1, numbers)], days);
    let patient = json!({"resourceType": "Patient", "id": "1"});
    for body in [question.clone(), bundle(vec![question.clone(), patient])] {
        let example = asked(&body).unwrap();
        let own: Vec<_> = example.head.identifiers.iter().collect();
        assert_eq!(own[0].value, "R-2", "the question's own number is no other");
        assert_eq!(own.len(), 1);
        assert_eq!(named(&example), [(Relation::Related, "", "N-7")]);
        let [line] = lines(&example) else { panic!() };
        assert_eq!(line.authorisation.as_deref(), Some(OWN));
        assert_eq!(example.head.member.identifiers[0].value, "M-1");
    }
}

#[test]
fn a_question_that_cannot_be_read_is_refused_where_it_is_wrong() {
    let mut of_claims = request(vec![], json!({"use": "claim"}));
    of_claims.as_object_mut().unwrap().remove("item");
    let two = bundle(vec![
        request(vec![of_type(1, "I")], json!({})),
        request(vec![of_type(1, "I")], json!({})),
    ]);
    let mut nobody = request(vec![of_type(1, "I")], json!({}));
    nobody.as_object_mut().unwrap().remove("patient");
    let mut of_anything = request(
        vec![of_type(1, "I")],
        json!({"patient": {"reference": "Patient/1"}}),
    );
    of_anything.as_object_mut().unwrap().remove("identifier");
    let table = [
        (of_anything, ProblemCode::Missing, "/patient"),
        (of_claims, ProblemCode::WrongKind, "/use"),
        (two, ProblemCode::TooMany, "/entry/1/resource"),
        (nobody, ProblemCode::Missing, "/patient"),
        (
            bundle(vec![json!({"resourceType": "Patient"})]),
            ProblemCode::NoMessage,
            "",
        ),
    ];
    for (body, code, place) in table {
        assert_eq!(asked(&body), Err(vec![(code, place.to_owned())]), "{body}");
    }
    let large = vec![b' '; crate::MAX_BODY_BYTES + 1];
    let problems = inquiry(&large, &super::context()).unwrap_err();
    assert_eq!(problems[0].code, ProblemCode::TooLarge);
}

#[test]
fn the_guides_own_question_names_the_request_that_it_is_about() {
    for sample in samples() {
        if sample.path.ends_with("Claim-PASClaimInquiryExample.json") {
            let example = inquiry(&sample.body, &super::context()).unwrap();
            assert_eq!(example.head.identifiers[0].value, "111099");
        }
    }
}
