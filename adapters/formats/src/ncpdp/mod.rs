//! A pharmacy's transactions in JSON, with the names of the fields of NCPDP's Telecommunication Standard D.0: claims
//! (B1), reversals (B2), questions about cover (E1) and requests for leave in; paid, rejected or waiting, with reject
//! codes, out.
//!
//! D.0 itself is no JSON; pharmacies' programs write its fields as members, in sections or without. A body is one
//! transaction or a list of them, and each says what it is by `transaction_code` or by its sections. [`fields`] lists the members that are
//! understood, the sections in which they are looked for, their D.0 field and the code by which a bad one is rejected.
//! The same field may stand in several sections as long as it says the same.
//!
//! | transaction | kind | the drug |
//! |---|---|---|
//! | B1, or a `claim` (`primary_claim`) of a drug that names no code | claim of one line | NDC; what is asked is the gross amount due, else the sum of cost and fees |
//! | B2 | cancel | by `claim_id`, else by prescription number, fill and day |
//! | E1 | eligibility | |
//! | `pa_request`, or `pa_id` with a `medication` | pre-authorisation of one line | NDC, with diagnoses and no price |
//!
//! Amounts are in the currency agreed with the sender, in US dollars where none was. Diagnoses are of ICD-10-CM.

mod answer;
mod fields;
mod read;
mod write;

use takmil_domain::problem::Problem;

use crate::cursor::documents;
use crate::{Context, Format, Reading, peek};

/// Pharmacies' transactions.
pub const FORMAT: Format = Format {
    name: "ncpdp",
    media_types: &["application/vnd.ncpdp+json"],
    recognise,
    read,
    answer: answer::write,
    write: Some(write::write),
};

/// How much of a body is looked at.
const WINDOW: usize = 64 * 1024;

fn recognise(body: &[u8]) -> bool {
    let [kind, resource, code, request, id, drug, claim, primary] = peek::keys(
        body,
        [
            "kind",
            "resourceType",
            "transaction_code",
            "pa_request",
            "pa_id",
            "medication",
            "claim",
            "primary_claim",
        ],
    );
    let is_other = kind || resource;
    !is_other && (code || request || id && drug || (claim || primary) && names_a_drug(body))
}

/// Whether a member stands in the body that only transactions of pharmacies have.
fn names_a_drug(body: &[u8]) -> bool {
    let window = body.get(..WINDOW).unwrap_or(body);
    let names: [&[u8]; 2] = [b"\"ndc\"", b"\"transaction_code\""];
    let stands = |name: &&[u8]| window.windows(name.len()).any(|own| own == *name);
    names.iter().any(stands)
}

fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    documents(body, |node, place| read::one(node, place, context))
}
