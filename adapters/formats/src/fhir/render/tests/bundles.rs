//! Bundles of every type, with good and bad messages in them.

use proptest::prelude::*;
use takmil_domain::problem::{Problem, ProblemCode};

use super::decisions::answers;
use super::{assert_sound, draw, reply};
use crate::fhir::render::answer;
use crate::fhir::tree::Node;
use crate::fhir::{json, xml};
use crate::{Answered, Fault, Outcome};

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
fn body(kind: &str, messages: usize) -> Node<'static> {
    let of = |kind: &str, id: &str| {
        let members = [("resourceType", kind), ("id", id)];
        Node::object(members.map(|(key, value)| (key, Node::from(value.to_owned()))))
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
        ("type", Node::from(kind.to_owned())),
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
                    Ok((message, answer)) => Ok(Answered { message, answer, json: None }),
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
