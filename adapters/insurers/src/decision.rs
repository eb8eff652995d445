//! What an insurer decided, read strictly, whichever wire it came by.
//!
//! Here is checked what can be known from the decision and the proposal alone. Whether the amounts leave nobody
//! short is the core's to say.

use std::collections::{HashMap, HashSet};

use takmil_domain::answer::Answer;
use takmil_domain::ids::MessageId;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::{DecidedLine, InsurerDecision, InsurerVerdict};
use takmil_domain::problem::{Problem, ProblemCode};

/// As many lines as a bill may have.
const MAX_LINES: usize = 10_000;
/// Letters of an insurer's own reference: any number, UUID or URI of a case fits.
pub(crate) const MAX_REFERENCE: usize = 128;
/// Letters of a note: a screen of text.
pub(crate) const MAX_NOTE: usize = 2_000;
/// Reasons for one line.
const MAX_REASONS: usize = 16;
/// Letters of one reason.
const MAX_REASON: usize = 256;

/// An insurer's decision that is sound in itself; whether it answers a certain proposal is for [`Self::fit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedDecision {
    decision: InsurerDecision,
    currency: Option<Currency>,
}

impl StatedDecision {
    /// Checks bounds, texts, amounts and sums. Pointers are into a decision with the field names of both wires.
    pub(crate) fn new(
        decision: InsurerDecision,
        currency: Option<Currency>,
        total: Option<Amount>,
    ) -> Result<Self, Problem> {
        if decision.reference.is_empty() {
            let detail = "a decision has the insurer's own reference";
            return Err(Problem::new(ProblemCode::Missing, "/reference", detail));
        }
        text(&decision.reference, MAX_REFERENCE, "/reference")?;
        text(decision.note.as_deref().unwrap_or(""), MAX_NOTE, "/note")?;
        if decision.verdict == InsurerVerdict::Ask && decision.note.is_none() {
            let detail = "a question is in the note";
            return Err(Problem::new(ProblemCode::Missing, "/note", detail));
        }
        lines(decision.verdict, &decision.lines)?;
        let sum: Amount = decision.lines.iter().map(|line| line.amount).sum();
        if total.is_some_and(|total| total != sum) {
            let detail = "the stated total is not the sum of the lines";
            return Err(Problem::new(ProblemCode::BadValue, "/total", detail));
        }
        Ok(Self { decision, currency })
    }

    /// The message that the insurer decided.
    pub fn message(&self) -> MessageId {
        self.decision.message
    }

    /// The decision, where it is one on `proposal`: of the same message, in its currency, about lines that it has, and of
    /// none more than was asked for it.
    ///
    /// # Errors
    /// A [`Problem`] with a pointer into the decision.
    pub fn fit(self, proposal: &Answer) -> Result<InsurerDecision, Problem> {
        if self.decision.message != proposal.id {
            let detail = "the decision is on another message than the one that was asked about";
            let problem = Problem::new(ProblemCode::DanglingReference, "/message", detail);
            return Err(problem);
        }
        let shares = proposal.decision.as_ref();
        let stated = self.currency.zip(shares.map(|shares| shares.currency));
        if stated.is_some_and(|(stated, asked)| stated != asked) {
            let detail = "the amounts are in another currency than the bill";
            let problem = Problem::new(ProblemCode::MixedCurrency, "/currency", detail);
            return Err(problem);
        }
        let known = shares.map_or(&[][..], |shares| &shares.lines);
        let billed: HashMap<u32, Amount> = known.iter().map(|own| (own.seq, own.billed)).collect();
        for (at, line) in self.decision.lines.iter().enumerate() {
            let problem = |code, field, detail| {
                let pointer = format!("/lines/{at}/{field}");
                Err(Problem::new(code, pointer, detail))
            };
            match billed.get(&line.seq) {
                None => {
                    let code = ProblemCode::DanglingReference;
                    return problem(code, "seq", "the bill has no such line");
                }
                Some(billed) if line.amount > *billed => {
                    let detail = "more than was asked for the line";
                    return problem(ProblemCode::OutOfRange, "amount", detail);
                }
                Some(_) => {}
            }
        }
        Ok(self.decision)
    }
}

fn lines(verdict: InsurerVerdict, lines: &[DecidedLine]) -> Result<(), Problem> {
    let fault = match verdict {
        InsurerVerdict::Adjust if lines.is_empty() => {
            Some((ProblemCode::Missing, "an adjustment names lines"))
        }
        InsurerVerdict::Approve | InsurerVerdict::Pend | InsurerVerdict::Ask
            if !lines.is_empty() =>
        {
            let detail = "only an adjustment or a refusal names lines";
            Some((ProblemCode::TooMany, detail))
        }
        _ if lines.len() > MAX_LINES => {
            Some((ProblemCode::TooManyLines, "more lines than a bill has"))
        }
        _ => None,
    };
    if let Some((code, detail)) = fault {
        return Err(Problem::new(code, "/lines", detail));
    }
    let mut seen = HashSet::new();
    for (at, line) in lines.iter().enumerate() {
        let problem = |code, field, detail: &str| {
            Err(Problem::new(code, format!("/lines/{at}/{field}"), detail))
        };
        if !seen.insert(line.seq) {
            let detail = "an earlier line has the same number";
            return problem(ProblemCode::DuplicateLine, "seq", detail);
        }
        if line.amount < Amount::ZERO {
            return problem(ProblemCode::Negative, "amount", "an amount is zero or more");
        }
        if verdict == InsurerVerdict::Refuse && !line.amount.is_zero() {
            let detail = "a refused line has an amount of zero";
            return problem(ProblemCode::BadValue, "amount", detail);
        }
        if line.reasons.len() > MAX_REASONS {
            return problem(ProblemCode::TooMany, "reasons", "at most 16 reasons");
        }
        for (place, reason) in line.reasons.iter().enumerate() {
            text(reason, MAX_REASON, &format!("/lines/{at}/reasons/{place}"))?;
        }
    }
    Ok(())
}

/// Whether a text of the insurer's has at most `most` letters and no control characters but line ends and tabs.
pub(crate) fn text(text: &str, most: usize, pointer: &str) -> Result<(), Problem> {
    let raw = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    if text.chars().any(raw) {
        let detail = "text holds no control characters but tab and line ends";
        return Err(Problem::new(ProblemCode::ControlCharacter, pointer, detail));
    }
    if text.chars().nth(most).is_some() {
        let detail = format!("at most {most} letters");
        return Err(Problem::new(ProblemCode::TooLarge, pointer, detail));
    }
    Ok(())
}
