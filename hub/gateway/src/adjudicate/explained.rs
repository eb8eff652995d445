//! The shares of a bill in a member's language.

use std::io::Write;
use std::path::Path;

use takmil_domain::plan::Plan;
use takmil_formats::MAX_BODY_BYTES;
use takmil_portal::explain::{Explanation, Language, Titles, explain};

use super::{Error, MAX_PLAN_BYTES, contents, day, inputs, judged};

/// Adjudicates a bill file by a plan file, and writes the explanation: one line of JSON, or a text to read.
///
/// # Errors
/// As [`super::files`].
pub(crate) fn explained(
    plan: &Path,
    bill: &Path,
    language: Language,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Error> {
    let plan = contents(plan, MAX_PLAN_BYTES)?;
    let bill = contents(bill, MAX_BODY_BYTES)?;
    let told = told(&plan, &bill, language)?;
    if json {
        writeln!(out, "{}", serde_json::json!(told))?;
    } else {
        write!(out, "{told}")?;
    }
    Ok(out.flush()?)
}

/// The explanation of a bill's shares. Insurers are told by their ids: a plan file has no other names for them.
///
/// # Errors
/// As [`super::plan_and_bill`].
pub(super) fn told(plan: &[u8], bill: &[u8], language: Language) -> Result<Explanation, Error> {
    let (documents, message) = inputs(plan, bill)?;
    let decision = judged(&documents, &message)?;
    let bill = message.bill();
    let start = |plan: &Plan| {
        let mut covers = documents.covers.iter();
        let cover = covers.find(|cover| cover.insurer == plan.insurer);
        cover.map_or(plan.from, |cover| cover.start)
    };
    let titles = Titles {
        day: day(&documents),
        insurers: Vec::new(),
        plans: documents.plans.iter().map(AsRef::as_ref).collect(),
        starts: documents
            .plans
            .iter()
            .map(|plan| (&plan.id, start(plan)))
            .collect(),
        lines: bill.as_deref().map_or(&[], |bill| &bill.lines),
        findings: &[],
    };
    Ok(explain(&decision, &titles, language))
}
