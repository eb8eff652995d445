//! The extractor against bodies whose facts are known, and against what the reader makes of real senders' bodies.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use super::{FactKind, measure, missing, records};
use crate::fhir::FORMAT;
use crate::{Context, read};
use takmil_domain::date::Date;

fn context() -> Context {
    Context {
        default_currency: None,
        today: Date::parse("2026-11-21").unwrap(),
    }
}

const CLAIM: &str = r#"{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {
    "resourceType": "Claim", "id": "c", "meta": {"lastUpdated": "2026-01-01"},
    "contained": [{"resourceType": "Patient", "identifier": [{"system": "urn:p", "value": "7"}]}],
    "identifier": [{"system": "urn:own", "value": "2026-11-02"}], "created": "2026-11-02",
    "item": [{"sequence": 1, "productOrService": {"coding": [{"system": "urn:s", "code": "A"}]},
              "net": {"value": 12.5, "currency": "MAD"}}]}}]}"#;

const CLAIM_IN_XML: &str = r#"<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource>
    <Claim><id value="c"/><meta><lastUpdated value="2026-01-01"/></meta>
    <contained><Patient><identifier><system value="urn:p"/><value value="7"/></identifier></Patient></contained>
    <identifier><system value="urn:own"/><value value="2026-11-02"/></identifier><created value="2026-11-02"/>
    <item><sequence value="1"/><productOrService><coding><system value="urn:s"/><code value="A"/></coding>
    </productOrService><net><value value="12.50"/><currency value="MAD"/></net></item></Claim>
    </resource></entry></Bundle>"#;

#[test]
fn both_syntaxes_say_the_same_facts_at_the_same_place() {
    let expected = [
        (FactKind::Amount, "1250"),
        (FactKind::Code, "urn:s|A"),
        (FactKind::Date, "2026-11-02"),
        (FactKind::Identifier, "urn:own|2026-11-02"),
        (FactKind::Line, ""),
    ];
    for body in [CLAIM, CLAIM_IN_XML] {
        let found = records(&FORMAT, body.as_bytes(), &context()).unwrap();
        assert_eq!(found.len(), 1, "{body}");
        assert_eq!(
            (&*found[0].place, &*found[0].name),
            ("/entry/0/resource", "Claim")
        );
        let facts = found[0].facts.iter().map(|fact| (fact.kind, &*fact.text));
        let mut facts: Vec<_> = facts.collect();
        facts.sort_unstable();
        assert_eq!(facts, expected, "{body}");
    }
}

#[test]
fn what_the_message_lacks_is_missing_and_what_stands_twice_must_be_said_twice() {
    let body = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/samples/fhir/claim-shiraz-pharmacy.json"
    ));
    let body = body.unwrap();
    let reading = read(&FORMAT, &body, &context()).unwrap();
    let message = reading.messages[0].outcome.as_ref().unwrap();
    let mut found = records(&FORMAT, &body, &context()).unwrap();
    let measured = measure(&FORMAT, &body, &context());
    assert_eq!(measured.len(), 1);
    assert_eq!((&*measured[0].name, measured[0].outcome), ("Claim", Ok(())));
    assert_eq!(measured[0].shares.total().per_myriad(), 10_000);
    assert_eq!(measured[0].shares.total().found, found[0].facts.len());
    let facts = &mut found[0].facts;
    for kind in FactKind::ALL {
        assert!(facts.iter().any(|fact| fact.kind == *kind), "no {kind:?}");
    }
    assert_eq!(missing(&*facts, message), Vec::<&super::Fact>::new());
    let mut more = facts.clone();
    more.extend(
        facts
            .iter()
            .filter(|fact| fact.kind == FactKind::Line)
            .cloned(),
    );
    assert_eq!(missing(&more, message).len(), more.len() - facts.len());
    facts[0].text.push('?');
    assert_eq!(missing(&*facts, message), [&facts[0]]);
}

#[test]
fn everything_that_our_samples_say_is_found_and_said() {
    let samples = [
        (
            &crate::x12::FORMAT,
            "x12/claims-houston-professional.x12",
            "837P",
            2,
        ),
        (
            &crate::x12::FORMAT,
            "x12/eligibility-and-review.x12",
            "270",
            2,
        ),
        (
            &crate::hl7v2::FORMAT,
            "hl7v2/charges-rabat.hl7",
            "DFT_P03",
            3,
        ),
        (
            &crate::hl7v2::FORMAT,
            "hl7v2/prescription-shiraz.hl7",
            "RDE_O11",
            2,
        ),
        (&crate::uae::FORMAT, "uae/claims-dubai.xml", "Claim", 2),
        (
            &crate::openehr::FORMAT,
            "openehr/prescription-braga-clinic.json",
            "order",
            1,
        ),
        (
            &crate::openehr::FORMAT,
            "openehr/prescription-flat.json",
            "order",
            2,
        ),
        (&crate::en13606::FORMAT, "en13606/orders-lund.xml", "lko", 1),
    ];
    for (format, path, name, lines) in samples {
        let path = format!("{}/samples/{path}", env!("CARGO_MANIFEST_DIR"));
        let body = std::fs::read(&path).unwrap();
        let context = Context {
            default_currency: takmil_domain::money::Currency::parse("MAD"),
            ..context()
        };
        let measured = measure(format, &body, &context);
        let first = &measured[0];
        assert_eq!((&*first.name, first.outcome), (name, Ok(())), "{path}");
        assert_eq!(first.lost, [], "{path}");
        assert_eq!(first.shares.of(FactKind::Line).found, lines, "{path}");
        for kind in [FactKind::Code, FactKind::Date, FactKind::Identifier] {
            assert!(first.shares.of(kind).found > 0, "{path}: no {kind:?}");
        }
    }
}

#[test]
fn what_cannot_be_walked_has_no_records() {
    let deep = "<a>".repeat(10_000);
    for body in [
        "", "{", "<Claim", "<Claim>", "[1]", "null", "\u{feff}", &deep,
    ] {
        assert_eq!(
            records(&FORMAT, body.as_bytes(), &context()),
            Some(vec![]),
            "{body:.20}"
        );
    }
    for format in [
        &crate::x12::FORMAT,
        &crate::hl7v2::FORMAT,
        &crate::uae::FORMAT,
        &crate::openehr::FORMAT,
        &crate::en13606::FORMAT,
    ] {
        for body in [
            "",
            "ISA*",
            "MSH",
            "MSH|^~",
            "<Claim.Submission>",
            "é",
            &deep,
        ] {
            let found = records(format, body.as_bytes(), &context());
            assert_eq!(found, Some(vec![]), "{body:.20}");
        }
    }
    assert_eq!(records(&crate::native::FORMAT, b"{}", &context()), None);
}
