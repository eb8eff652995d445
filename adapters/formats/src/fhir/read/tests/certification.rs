//! Requests for leave that say what they ask of earlier ones.

use super::corpus::samples;
use crate::fhir::{ELEMENT, EXTENSION, FORMAT};
use crate::{MESSAGE_SYSTEM, Read};
use serde_json::{Value, json};
use takmil_domain::bill::Line;
use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Message, Relation, Supporting};
use takmil_domain::problem::{Problem, ProblemCode};

const GUIDE: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/";
pub(super) const OWN: &str = "019aa123-0000-7000-8000-00000000000a";

pub(super) fn typed(code: &str) -> Value {
    json!({
        "url": format!("{GUIDE}extension-certificationType"),
        "valueCodeableConcept": {"coding": [{"system": "https://codesystem.x12.org/005010/1322", "code": code}]},
    })
}

pub(super) fn text(name: &str, value: &str) -> Value {
    json!({"url": format!("{GUIDE}{name}"), "valueString": value})
}

/// A line, with these extensions.
pub(super) fn line(number: u32, extensions: Vec<Value>) -> Value {
    let mut line = json!({"sequence": number, "productOrService": {"text": "session"}});
    if !extensions.is_empty() {
        line["extension"] = json!(extensions);
    }
    line
}

pub(super) fn of_type(number: u32, code: &str) -> Value {
    line(number, vec![typed(code)])
}

fn gone(mut line: Value, is_gone: bool) -> Value {
    let url = format!("{GUIDE}modifierextension-infoCancelled");
    line["modifierExtension"] = json!([{"url": url, "valueBoolean": is_gone}]);
    line
}

/// A request for leave, with `changes` merged into it.
pub(super) fn request(lines: Vec<Value>, changes: Value) -> Value {
    let mut request = json!({
        "resourceType": "Claim",
        "identifier": [{"system": "urn:requests", "value": "R-2"}],
        "status": "active",
        "type": {"coding": [{"code": "professional"}]},
        "use": "preauthorization",
        "patient": {"identifier": {"system": "urn:members", "value": "M-1"}},
        "created": "2026-11-01",
        "provider": {"identifier": {"system": "urn:providers", "value": "P-1"}},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": true, "coverage": {"reference": "Coverage/1"}}],
        "item": lines,
    });
    for (key, value) in changes.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

/// What names the request R-1 as the one before.
fn after(relationship: &str) -> Value {
    json!({"related": [{
        "claim": {"identifier": {"system": "urn:requests", "value": "R-1"}},
        "relationship": {"coding": [{"code": relationship}]},
    }]})
}

fn read(body: &Value) -> Result<Message, Vec<Problem>> {
    let reading = crate::read(&FORMAT, body.to_string().as_bytes(), &super::context()).unwrap();
    let [read] = <[Read; 1]>::try_from(reading.messages).unwrap();
    read.outcome
}

fn refused(body: &Value) -> Vec<(ProblemCode, String)> {
    let problems = read(body).unwrap_err().into_iter();
    problems
        .map(|problem| (problem.code, problem.pointer))
        .collect()
}

/// The earlier messages that a message names: how, and by which number.
pub(super) fn named(message: &Message) -> Vec<(Relation, &str, &str)> {
    let correlates = message.head.correlates.iter();
    correlates
        .map(|named| {
            let Identifier { system, value } = &named.identifier;
            (named.relation, system.as_str(), value.as_str())
        })
        .collect()
}

pub(super) fn lines(message: &Message) -> &[Line] {
    let Body::Preauthorization(asked) = &message.body else {
        panic!("{:?}", message.kind())
    };
    &asked.bill.lines
}

fn told<'m>(parts: &'m [Supporting], category: &Coded) -> Vec<&'m Supporting> {
    let is_it = |part: &&Supporting| part.category.as_ref() == Some(category);
    parts.iter().filter(is_it).collect()
}

fn extension(name: &str) -> Coded {
    Coded::new(EXTENSION, format!("{GUIDE}{name}"))
}

#[test]
fn a_first_request_goes_by_the_leave_on_its_lines_and_is_related_to_an_earlier_refusal() {
    let numbers = vec![
        typed("I"),
        text("extension-authorizationNumber", "A-7"),
        text("extension-administrationReferenceNumber", "N-7"),
    ];
    let message = read(&request(vec![line(1, numbers)], json!({}))).unwrap();
    assert_eq!(named(&message), [(Relation::Related, "", "N-7")]);
    let line = &lines(&message)[0];
    assert_eq!(line.authorisation.as_deref(), Some("A-7"));
    let kept = told(&line.particulars, &extension("extension-certificationType"));
    assert_eq!(kept.len(), 1, "insurers read the type");
}

#[test]
fn more_is_asked_for_beside_the_leave_that_is_named_and_not_out_of_it() {
    for code in ["R", "4"] {
        let numbers = vec![typed(code), text("extension-authorizationNumber", OWN)];
        let with_cover = json!({"insurance": [{
            "sequence": 1, "focal": true, "coverage": {"reference": "Coverage/1"}, "preAuthRef": ["A-8", OWN],
        }]});
        let message = read(&request(vec![line(1, numbers)], with_cover)).unwrap();
        let expected = [
            (Relation::Related, MESSAGE_SYSTEM, OWN),
            (Relation::Related, "", "A-8"),
        ];
        assert_eq!(named(&message), expected, "{code}");
        let word = message.head.correlates[0].coded.as_ref().unwrap();
        assert_eq!(word.source.as_ref().unwrap().code, code);
        let line = &lines(&message)[0];
        assert_eq!(line.authorisation, None);
        let kept = told(
            &line.particulars,
            &extension("extension-authorizationNumber"),
        );
        assert_eq!(kept[0].text.as_deref(), Some(OWN));
        assert!(message.head.coverages[0].authorisations.is_empty());
    }
}

#[test]
fn what_is_revised_replaces_what_it_names_and_is_refused_where_it_names_nothing() {
    let by_number = vec![typed("S"), text("extension-authorizationNumber", OWN)];
    let message = read(&request(vec![line(1, by_number)], json!({}))).unwrap();
    assert_eq!(named(&message), [(Relation::Replaces, MESSAGE_SYSTEM, OWN)]);
    let message = read(&request(vec![of_type(1, "S")], after("prior"))).unwrap();
    assert_eq!(
        named(&message),
        [(Relation::Replaces, "urn:requests", "R-1")]
    );
    let type_of_line = "/item/1/extension/0/valueCodeableConcept";
    let unnamed = request(vec![of_type(1, "I"), of_type(2, "S")], json!({}));
    assert_eq!(
        refused(&unnamed),
        [(ProblemCode::Missing, type_of_line.to_owned())]
    );
    let unnamed = request(vec![line(1, vec![])], json!({"extension": [typed("S")]}));
    assert_eq!(
        refused(&unnamed),
        [(
            ProblemCode::Missing,
            "/extension/0/valueCodeableConcept".to_owned()
        )]
    );
}

#[test]
fn an_update_replaces_the_request_before_with_the_lines_that_stand() {
    let changed = json!({"url": format!("{GUIDE}extension-infoChanged"), "valueCode": "added"});
    let lines_of_update = vec![
        of_type(1, "I"),
        gone(of_type(2, "3"), true),
        line(3, vec![typed("I"), changed]),
    ];
    let message = read(&request(lines_of_update, after("prior"))).unwrap();
    assert_eq!(
        named(&message),
        [(Relation::Replaces, "urn:requests", "R-1")]
    );
    let cancelled: Vec<_> = lines(&message).iter().map(|line| line.cancelled).collect();
    assert_eq!(cancelled, [None, Some(true), None]);
    // The type alone takes a line back, too.
    let by_type = request(vec![of_type(1, "I"), of_type(2, "3")], after("prior"));
    assert_eq!(lines(&read(&by_type).unwrap())[1].cancelled, Some(true));
    // Without a mark of an update, what went before is only related.
    let more = request(vec![of_type(1, "I")], after("prior"));
    assert_eq!(named(&read(&more).unwrap())[0].0, Relation::Related);
    let profile = json!({"profile": [format!("{GUIDE}profile-claim-update|2.2.1")]});
    let mut by_profile = request(vec![of_type(1, "I")], after("prior"));
    by_profile["meta"] = profile;
    assert_eq!(named(&read(&by_profile).unwrap())[0].0, Relation::Replaces);
}

#[test]
fn the_request_before_is_no_request_where_it_stands_beside_its_update() {
    let bundle = |kind: &str| {
        let update = request(
            vec![of_type(1, "I"), of_type(2, "3")],
            json!({"related": [{
                "claim": {"reference": "Claim/first"},
                "relationship": {"coding": [{"code": "prior"}]},
            }]}),
        );
        let mut first = request(vec![of_type(1, "I")], json!({"id": "first"}));
        first["identifier"][0]["value"] = json!("R-1");
        let body = json!({"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": update}, {"resource": first},
        ]});
        crate::read(&FORMAT, body.to_string().as_bytes(), &super::context()).unwrap()
    };
    let reading = bundle("collection");
    let [update] = <[Read; 1]>::try_from(reading.messages).unwrap();
    let expected = [(Relation::Replaces, "urn:requests", "R-1")];
    assert_eq!(named(&update.outcome.unwrap()), expected);
    assert_eq!(reading.unread, ["/entry/1"]);
    assert_eq!(bundle("batch").messages.len(), 2, "each is a request");
}

#[test]
fn a_cancelled_request_takes_back_what_it_names() {
    let whole = |changes: Value| {
        let mut request = request(vec![], json!({"extension": [typed("3")]}));
        request.as_object_mut().unwrap().remove("item");
        for (key, value) in changes.as_object().unwrap() {
            request[key] = value.clone();
        }
        request
    };
    let numbered = |number: &str| {
        let number = text("extension-authorizationNumber", number);
        line(1, vec![typed("3"), number])
    };
    let of_cover = json!({"insurance": [{
        "sequence": 1, "focal": true, "coverage": {"reference": "Coverage/1"}, "preAuthRef": [OWN],
    }]});
    let table = [
        (whole(after("prior")), ("urn:requests", "R-1")),
        (whole(after("replaces")), ("urn:requests", "R-1")),
        (whole(of_cover), (MESSAGE_SYSTEM, OWN)),
        (
            request(vec![numbered(OWN)], json!({})),
            (MESSAGE_SYSTEM, OWN),
        ),
        (
            request(vec![gone(of_type(1, "I"), true)], after("prior")),
            ("urn:requests", "R-1"),
        ),
        // What was sent under its own number.
        (whole(json!({})), ("urn:requests", "R-2")),
    ];
    for (body, (system, value)) in table {
        let message = read(&body).unwrap();
        assert!(matches!(message.body, Body::Cancel(_)), "{body}");
        let taken_back = message.head.correlates.iter();
        let taken_back: Vec<_> = taken_back
            .filter(|named| named.relation == Relation::Cancels)
            .map(|named| {
                (
                    named.identifier.system.as_str(),
                    named.identifier.value.as_str(),
                )
            })
            .collect();
        assert_eq!(taken_back, [(system, value)], "{body}");
        let purpose = told(&message.head.supporting, &Coded::new(ELEMENT, "Claim.use"));
        assert_eq!(purpose.len(), 1, "its answer goes by it");
        assert_eq!(message.head.unread, Vec::<String>::new(), "{body}");
    }
    let two = vec![numbered(OWN), {
        let mut other = numbered("A-9");
        other["sequence"] = json!(2);
        other
    }];
    assert_eq!(
        refused(&request(two, json!({}))),
        [(ProblemCode::TooMany, String::new())]
    );
    let mut of_nothing = whole(json!({}));
    of_nothing.as_object_mut().unwrap().remove("identifier");
    assert_eq!(
        refused(&of_nothing),
        [(ProblemCode::Missing, String::new())]
    );
    let mut draft = whole(after("prior"));
    draft["status"] = json!("draft");
    let draft = read(&draft).unwrap();
    assert!(matches!(draft.body, Body::Preauthorization(_)));
}

#[test]
fn types_that_the_hub_does_not_take_are_refused_where_they_stand() {
    let place = "/item/0/extension/0/valueCodeableConcept".to_owned();
    for code in ["1", "2", "5", "i", "initial"] {
        let body = request(vec![of_type(1, code)], json!({}));
        assert_eq!(
            refused(&body),
            [(ProblemCode::BadValue, place.clone())],
            "{code}"
        );
    }
    let mut words = request(vec![of_type(1, "I")], json!({}));
    words["item"][0]["extension"][0]["valueCodeableConcept"] = json!({"text": "initial"});
    assert_eq!(refused(&words), [(ProblemCode::BadValue, place.clone())]);
    let both = request(vec![gone(of_type(1, "3"), false)], json!({}));
    assert_eq!(refused(&both), [(ProblemCode::BadValue, place)]);
    // A bill is not asked for: what it says of certifications is kept, and moves nothing.
    let mut bill = request(vec![of_type(1, "9")], json!({}));
    bill["use"] = json!("claim");
    assert!(read(&bill).is_ok());
}

#[test]
fn a_part_of_a_request_is_refused_by_its_tag() {
    let mut part = request(vec![of_type(1, "I")], after("prior"));
    part["meta"] = json!({"security": [{"code": "SUBSETTED"}]});
    let body =
        json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": part}]});
    let place = "/entry/0/resource/meta/security/0".to_owned();
    assert_eq!(refused(&body), [(ProblemCode::BadValue, place)]);
}

#[test]
fn information_that_is_taken_back_is_left_in_the_original() {
    let info = |number: u32| json!({"sequence": number, "category": {"text": "report"}, "valueString": "words"});
    let mut of_line = of_type(1, "I");
    of_line["informationSequence"] = json!([1, 2]);
    let changes = json!({"supportingInfo": [gone(info(1), true), info(2)]});
    let message = read(&request(vec![of_line], changes)).unwrap();
    let kept: Vec<_> = message
        .head
        .supporting
        .iter()
        .map(|part| part.seq)
        .collect();
    assert_eq!(kept, [Some(2)]);
    assert_eq!(lines(&message)[0].supporting, [2]);
    let unread = &message.head.unread;
    assert!(
        unread
            .iter()
            .all(|place| place.starts_with("/supportingInfo/0/"))
    );
    assert!(unread.contains(&"/supportingInfo/0/valueString".to_owned()));
}

/// What becomes of a sample that is no first request.
#[derive(Debug, PartialEq)]
enum Became {
    /// A request that replaces the one of that number.
    Update(&'static str),
    Refused(ProblemCode, &'static str),
}

/// The samples of requests that are more, or less, than a first request.
const NOT_FIRST: &[(&str, Became)] = &[
    (
        "davinci-pas-2.0.1/Claim-HomecareAuthorizationDifferentialExample.json",
        Became::Refused(ProblemCode::BadValue, "/meta/security/0"),
    ),
    (
        "davinci-pas-2.2.1/Bundle-HomecareAuthorizationUpdateBundleExample.json",
        Became::Update("111099"),
    ),
    (
        "inferno-pas-fixtures/conformant_pas_bundle_v110_multiple_items.json",
        Became::Refused(ProblemCode::DuplicateLine, "/entry/0/resource/item/1"),
    ),
    (
        "inferno-pas-fixtures/invalid/nonconformant_pas_bundle_v110.json",
        Became::Refused(ProblemCode::BadValue, "/entry"),
    ),
];

#[test]
fn every_sample_of_the_guide_is_taken_or_refused_where_it_is_wrong() {
    let of_guide = ["davinci-pas", "davinci-prior-auth", "inferno-pas"];
    let (mut taken, mut without) = (0_usize, 0_usize);
    let mut seen = Vec::new();
    let all = samples();
    let own = all.iter().filter(|sample| {
        sample.is_fhir() && of_guide.iter().any(|own| sample.source.starts_with(own))
    });
    for sample in own {
        let path = sample.path.as_str();
        let outcome = match crate::read(&FORMAT, &sample.body, &super::context()) {
            Ok(reading) => {
                let [read] = <[Read; 1]>::try_from(reading.messages).unwrap();
                read.outcome
            }
            Err(problem) if problem.code == ProblemCode::NoMessage => {
                without += 1;
                continue;
            }
            Err(problem) => Err(vec![problem]),
        };
        let listed = NOT_FIRST.iter().find(|(listed, _)| *listed == path);
        match (outcome, listed.map(|(_, became)| became)) {
            (Ok(message), None) => {
                let replaced = named(&message).into_iter();
                let replaced: Vec<_> = replaced
                    .filter(|(relation, ..)| *relation == Relation::Replaces)
                    .collect();
                assert_eq!(replaced, [], "{path}");
                taken += 1;
            }
            (Ok(message), Some(Became::Update(of))) => {
                let replaced = named(&message).into_iter();
                let replaced = replaced.map(|(relation, _, value)| (relation, value));
                assert!(
                    replaced.clone().any(|one| one == (Relation::Replaces, of)),
                    "{path}"
                );
                taken += 1;
                seen.push(path.to_owned());
            }
            (Err(problems), Some(Became::Refused(code, place))) => {
                let known = problems
                    .iter()
                    .map(|problem| (problem.code, problem.pointer.as_str()));
                assert!(
                    known.clone().any(|one| one == (*code, place)),
                    "{path}: {problems:?}"
                );
                assert!(problems.iter().all(|problem| !problem.pointer.is_empty()));
                seen.push(path.to_owned());
            }
            (outcome, listed) => panic!("{path}: {listed:?}, and yet {outcome:?}"),
        }
    }
    if !all.is_empty() {
        assert_eq!(seen.len(), NOT_FIRST.len(), "{seen:?}");
        assert!(taken >= 20 && without >= 50, "{taken}, {without}");
    }
}
