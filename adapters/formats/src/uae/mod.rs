//! The claim XML of the Emirates' two regulators: eClaimLink (Dubai, DHA) and Shafafiya (Abu Dhabi, DoH). Claims, prior
//! requests and e-prescriptions in; Prior.Authorization, eRx.Authorization and Remittance.Advice out.
//!
//! Amounts are dirhams unless another currency was agreed, because both regulators prescribe it. A line's net is what
//! is asked for it: the layouts tell the patient's share of the whole claim alone.

mod answer;
mod denial;
mod prescription;
mod read;

use crate::xml::{self, Element};
use crate::{Context, Format, Read, Reading, encoding};
use takmil_domain::problem::{Problem, ProblemCode};

pub use answer::remittance;

/// eClaimLink and Shafafiya.
pub const FORMAT: Format = Format {
    name: "uae",
    media_types: &[
        "application/vnd.uae-claim+xml",
        "application/xml",
        "text/xml",
    ],
    recognise,
    read,
    answer: answer::write,
    write: None,
};

/// The system of the Emirates' national id.
pub const EMIRATES_ID: &str = "urn:ae:emirates-id";

/// How many messages one body may hold.
const MAX_MESSAGES: usize = 10_000;

/// The documents of the layouts: root, what of it is a message, and for those that are none, why.
const DOCUMENTS: &[(&str, Result<&str, &str>)] = &[
    ("Claim.Submission", Ok("Claim")),
    ("Prior.Request", Ok("Authorization")),
    ("eRx.Request", Ok("Prescription")),
    (
        "Remittance.Advice",
        Err("a remittance advice is an answer: the hub writes it and takes none"),
    ),
    (
        "Prior.Authorization",
        Err("an authorisation is an answer: the hub writes it and takes none"),
    ),
    (
        "eRx.Authorization",
        Err("an authorisation is an answer: the hub writes it and takes none"),
    ),
    (
        "Person.Register",
        Err("members are registered by their insurers"),
    ),
];

fn recognise(body: &[u8]) -> bool {
    let root = xml::root(body);
    root.is_some_and(|root| DOCUMENTS.iter().any(|(own, _)| *own == root))
}

fn parse(body: &[u8]) -> Result<Element, Problem> {
    let text = encoding::decode(body, encoding::declared_in_xml(body))?;
    xml::parse(&text, is_repeated)
}

fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let root = parse(body)?;
    let known = DOCUMENTS.iter().find(|(own, _)| *own == root.name);
    let item = match known {
        Some((_, Ok(item))) => *item,
        Some((_, Err(why))) => {
            return Err(Problem::new(
                ProblemCode::NoMessage,
                root.place.as_str(),
                *why,
            ));
        }
        None => {
            let detail = "the document is none of the layouts'";
            return Err(Problem::new(
                ProblemCode::Unknown,
                root.place.as_str(),
                detail,
            ));
        }
    };
    let items: Vec<&Element> = root.all(item).collect();
    if items.is_empty() {
        let detail = format!("the document holds no {item}");
        return Err(Problem::new(
            ProblemCode::NoMessage,
            root.place.as_str(),
            detail,
        ));
    }
    if items.len() > MAX_MESSAGES {
        let detail = format!("a body holds at most {MAX_MESSAGES} messages");
        return Err(Problem::new(
            ProblemCode::TooLarge,
            root.place.as_str(),
            detail,
        ));
    }
    let header = root.child("Header");
    let messages: Vec<Read> = items
        .iter()
        .map(|own| read::one(own, header, context))
        .collect();
    let mut unread = Vec::new();
    // What stands within a message is told with it.
    root.unread(Some(item), &mut unread);
    Ok(Reading { messages, unread })
}

/// Elements of which the layouts allow several beside each other.
fn is_repeated(name: &str) -> bool {
    matches!(
        name,
        "Claim"
            | "Authorization"
            | "Prescription"
            | "Encounter"
            | "Diagnosis"
            | "Activity"
            | "Observation"
            | "DxInfo"
            | "Resubmission"
    )
}
