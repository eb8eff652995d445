//! The claim XML of the Emirates' two regulators: eClaimLink (Dubai, DHA) and Shafafiya (Abu Dhabi, DoH). Claims, prior
//! requests and e-prescriptions in; Prior.Authorization, eRx.Authorization and Remittance.Advice out.
//!
//! Amounts are dirhams unless another currency was agreed, because both regulators prescribe it. A line's net is what
//! is asked for it: the layouts tell the patient's share of the whole claim alone.

mod answer;
mod denial;
mod prescription;
mod read;
pub(crate) mod xml;

use crate::{Context, Format, Read, Reading, encoding};
use takmil_domain::problem::{Problem, ProblemCode};
use xml::Element;

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

/// How much of a body is looked at: comments and declarations may stand before the first element.
const WINDOW: usize = 64 * 1024;

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
    let skipped = |byte: &u8| {
        matches!(byte, 0 | 0xef | 0xbb | 0xbf | 0xff | 0xfe) || byte.is_ascii_whitespace()
    };
    let mut window = body.get(..WINDOW).unwrap_or(body).to_vec();
    let start = window
        .iter()
        .position(|byte| !skipped(byte))
        .unwrap_or(window.len());
    window.drain(..start);
    // In UTF-16 every other byte is zero for the letters that matter here.
    window.retain(|byte| *byte != 0);
    let text = String::from_utf8_lossy(&window);
    if !text.starts_with('<') {
        return false;
    }
    let mut tags = text.split('<').skip(1);
    let root = tags
        .find(|tag| !tag.starts_with(['?', '!']))
        .unwrap_or_default();
    let name = root
        .split([' ', '\t', '\r', '\n', '>', '/'])
        .next()
        .unwrap_or_default();
    let name = name.rsplit(':').next().unwrap_or_default();
    DOCUMENTS.iter().any(|(own, _)| *own == name)
}

fn parse(body: &[u8]) -> Result<Element, Problem> {
    xml::parse(&encoding::decode(body, encoding::declared_in_xml(body))?)
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
