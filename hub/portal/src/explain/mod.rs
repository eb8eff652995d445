//! A decision told to the member in plain words: who pays what, why, and what the member's part is made of.
//!
//! Pure: the same decision, titles and language give the same words. The texts are in `words/`, one Fluent file a
//! language: a message for each [`Reason`] by its code, which tells it in general; its attribute `told` tells it with
//! the figures of a trace entry, and `part` names a part of what the member pays. A clinical rule has a message by its code.

mod figures;
mod language;
mod parts;
mod teller;
mod titles;
mod words;

#[cfg(test)]
mod tests;

pub use language::{Direction, Language};
pub use titles::Titles;

use serde::Serialize;
use std::fmt;
use takmil_domain::clinical::ClinicalRule;
use takmil_domain::decision::Decision;
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Amount;
use takmil_domain::reason::Reason;

use teller::Teller;

/// A decision in a member's language. For machines it is data in the member's order; `Display` is a text to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The language.
    pub language: Language,
    /// Which way it is written.
    pub direction: Direction,
    /// The whole bill in one sentence.
    pub summary: String,
    /// The sums.
    pub totals: Vec<Sum>,
    /// What the member pays of the whole bill, and what it is made of.
    pub member: String,
    /// The lines, in the order in which they were judged.
    pub lines: Vec<LineTold>,
    /// What is left of limits.
    pub limits: Vec<String>,
    /// What speaks against it from the medical side, as far as it asks for a look or is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingTold>,
    /// What concerns the whole bill.
    pub notes: Vec<ReasonTold>,
    /// To which day what is set aside stays so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<String>,
}

/// A sum over the lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Which: billed, allowed, base, supplementary, written_off or member, as in the decision.
    pub name: &'static str,
    /// Of which supplementary insurer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insurer: Option<ParticipantId>,
    /// How much, in the smallest unit of the decision's currency.
    pub amount: Amount,
    /// The same in words.
    pub text: String,
}

/// A line of the bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineTold {
    /// The sender's number of the line.
    pub seq: u32,
    /// The sender's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the line is.
    pub title: String,
    /// Who pays what of it, in one sentence.
    pub shares: String,
    /// Why, a sentence for each step that changed something, in their order.
    pub reasons: Vec<ReasonTold>,
    /// What the member pays of it, and what it is made of.
    pub member: String,
}

/// A reason in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonTold {
    /// The reason.
    pub code: Reason,
    /// The sentence.
    pub text: String,
}

/// A finding of a clinical rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingTold {
    /// The rule.
    pub rule: ClinicalRule,
    /// The lines that it is about; none where it is about the whole message.
    pub lines: Vec<u32>,
    /// The sentence.
    pub text: String,
}

/// Tells a decision.
pub fn explain(decision: &Decision, titles: &Titles<'_>, language: Language) -> Explanation {
    Teller::new(decision, titles, language).explanation()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.summary)?;
        for sum in &self.totals {
            writeln!(f, "{}", sum.text)?;
        }
        for line in &self.lines {
            write!(f, "\n{}", line.title)?;
            if let Some(code) = line.code.as_ref().filter(|code| **code != line.title) {
                // The code is set apart, so that it stands behind the title in either direction.
                write!(f, " \u{2068}({code})\u{2069}")?;
            }
            writeln!(f, "\n{}", line.shares)?;
            for reason in &line.reasons {
                writeln!(f, "• {}", reason.text)?;
            }
            writeln!(f, "{}", line.member)?;
        }
        if self.lines.len() > 1 {
            writeln!(f, "\n{}", self.member)?;
        }
        let findings = self.findings.iter().map(|finding| &finding.text);
        let notes = self.notes.iter().map(|note| &note.text);
        let after: Vec<&String> = findings
            .chain(&self.limits)
            .chain(&self.reserved)
            .chain(notes)
            .collect();
        if !after.is_empty() {
            writeln!(f)?;
        }
        after.into_iter().try_for_each(|text| writeln!(f, "{text}"))
    }
}
