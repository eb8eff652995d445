//! Extracts of health records after EN/ISO 13606, as the Swedish national patient overview (NPÖ, `urn:riv13606:v1.1`)
//! profiles them: the medication orders of an `ehr_extract` as prescriptions. It is a reading of that profile's content,
//! not a validated implementation of the standard, and nothing is written in it; answers are the hub's own JSON.
//!
//! | composition | what becomes of it |
//! |---|---|
//! | `lko`, medication order (läkemedelsordination) | a prescription of one line |
//! | `lkf`, what was prescribed on an order (läkemedelsförskrivning) | amounts and dates of the order that it links to |
//! | any other | no message: listed as unread; an extract of such alone is refused as empty, with their names |
//!
//! `subject_of_care` is the member, the composer the prescriber with the facility, professions come from the demographic
//! part. Systems are the roots, as `urn:oid:…`. What the model has no field for is kept as particulars by its code.

mod read;

use takmil_domain::problem::{Problem, ProblemCode};

use crate::xml::{self, Element};
use crate::{Context, Format, Reading, encoding, native};

/// Extracts of health records.
pub const FORMAT: Format = Format {
    name: "en13606",
    media_types: &["application/xml", "text/xml"],
    recognise,
    read,
    answer: native::FORMAT.answer,
    write: None,
};

/// How many orders one body may hold.
const MAX_MESSAGES: usize = 10_000;

/// The compositions of the profile: an order, and what was prescribed on one.
const ORDER: &str = "lko";
const PRESCRIBED: &str = "lkf";

fn recognise(body: &[u8]) -> bool {
    xml::root(body).is_some_and(|root| root.eq_ignore_ascii_case("ehr_extract"))
}

fn read(body: &[u8], _: &Context) -> Result<Reading, Problem> {
    let text = encoding::decode(body, encoding::declared_in_xml(body))?;
    let root = xml::parse(&text, is_repeated)?;
    let place = root.place.as_str();
    if !root.name.eq_ignore_ascii_case("ehr_extract") {
        let detail = "the document is no extract of a health record";
        return Err(Problem::new(ProblemCode::Unknown, place, detail));
    }
    let meaning = |own: &Element| {
        own.peek("meaning")
            .and_then(|own| own.attribute("code").map(str::to_owned))
    };
    let compositions = || root.children().filter(|own| own.name == "all_compositions");
    let of = |code: &str| -> Vec<&Element> {
        let all = compositions();
        all.filter(|own| meaning(own).as_deref() == Some(code))
            .collect()
    };
    let orders = of(ORDER);
    if orders.is_empty() {
        let name = |own: &Element| {
            let meaning = own.peek("meaning");
            let name = meaning.and_then(|own| own.peek("displayName"));
            let name = name.and_then(|own| own.attribute("value"));
            let code = meaning.and_then(|own| own.attribute("code"));
            name.or(code)
                .unwrap_or("a composition without a meaning")
                .to_owned()
        };
        let mut names: Vec<String> = compositions().map(name).collect();
        names.dedup();
        names.truncate(6);
        let detail = match names.is_empty() {
            true => "the extract holds no medication order".to_owned(),
            false => format!(
                "the extract holds no medication order; it holds {}",
                names.join(", ")
            ),
        };
        return Err(Problem::new(ProblemCode::NoMessage, place, detail));
    }
    if orders.len() > MAX_MESSAGES {
        let detail = format!("a body holds at most {MAX_MESSAGES} messages");
        return Err(Problem::new(ProblemCode::TooLarge, place, detail));
    }
    let extract = read::Extract::of(&root, &of(PRESCRIBED));
    let messages = orders.iter().map(|own| extract.prescription(own)).collect();
    for order in &orders {
        // Told with the message.
        order.know_all();
    }
    let mut unread = Vec::new();
    root.unread(None, &mut unread);
    Ok(Reading { messages, unread })
}

/// Elements of which several stand beside each other.
fn is_repeated(name: &str) -> bool {
    matches!(
        name,
        "all_compositions"
            | "content"
            | "items"
            | "parts"
            | "members"
            | "links"
            | "other_participations"
            | "attestations"
            | "demographic_extract"
            | "telecom"
            | "addr"
            | "part"
            | "role"
    )
}
