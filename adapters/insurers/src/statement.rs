//! What an insurer says of a member's cover, read strictly, whichever wire it came by.

use takmil_domain::answer::Answer;
use takmil_domain::participant::CoverStatement;
use takmil_domain::problem::{Problem, ProblemCode};

use crate::decision::{MAX_NOTE, MAX_REFERENCE, text};

/// Benefits that a statement may name: more than any plan has.
const MAX_BENEFITS: usize = 100;
/// Letters of the name of one.
const MAX_BENEFIT: usize = 128;

/// The statement, where it is sound and one on `proposal`. Pointers are into a statement with the field names of both wires.
///
/// # Errors
/// A [`Problem`] with a pointer into the statement.
pub(crate) fn fit(stated: CoverStatement, proposal: &Answer) -> Result<CoverStatement, Problem> {
    if stated.message != proposal.id {
        let detail = "the statement is on another message than the one that asks";
        let code = ProblemCode::DanglingReference;
        return Err(Problem::new(code, "/message", detail));
    }
    if stated.reference.is_empty() {
        let detail = "a statement has the insurer's own reference";
        return Err(Problem::new(ProblemCode::Missing, "/reference", detail));
    }
    text(&stated.reference, MAX_REFERENCE, "/reference")?;
    text(stated.note.as_deref().unwrap_or(""), MAX_NOTE, "/note")?;
    if stated.benefits.len() > MAX_BENEFITS {
        let detail = "at most 100 benefits";
        return Err(Problem::new(ProblemCode::TooMany, "/benefits", detail));
    }
    for (at, benefit) in stated.benefits.iter().enumerate() {
        text(benefit, MAX_BENEFIT, &format!("/benefits/{at}"))?;
    }
    let ends_early = stated.start.zip(stated.end);
    if ends_early.is_some_and(|(start, end)| end < start) {
        let detail = "the end stands before the start";
        return Err(Problem::new(ProblemCode::DateOrder, "/end", detail));
    }
    Ok(stated)
}
