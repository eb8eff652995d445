//! What a body came to, record by record, and the sums of that over many bodies.

use std::collections::HashMap;

use takmil_domain::message::Message;
use takmil_domain::problem::ProblemCode;

use super::{Fact, FactKind, Record, missing, records};
use crate::{Context, Format, Read, read};

/// The name of what was refused before its format could call it anything.
pub const UNNAMED: &str = "-";

/// What became of one message of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What its format calls it; where nobody wrote an extractor, the kind of the canonical message.
    pub name: String,
    /// Whether it was read, and if not, the code of its first problem. A record that the format's reader takes for
    /// no message is [`ProblemCode::NoMessage`].
    pub outcome: Result<(), ProblemCode>,
    /// What it says and what of that the canonical message says too; nothing where it was not read.
    pub shares: Shares,
    /// What is not said.
    pub lost: Vec<Fact>,
}

impl Measured {
    /// One that was not read.
    pub fn refused(name: &str, code: ProblemCode) -> Measured {
        Measured {
            name: name.to_owned(),
            outcome: Err(code),
            shares: Shares::default(),
            lost: Vec::new(),
        }
    }
}

/// How many facts of each kind were found, and how many of them are said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shares([Share; FactKind::ALL.len()]);

/// Facts found in a body, and those of them that its messages say too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Found.
    pub found: usize,
    /// Said.
    pub said: usize,
}

impl Share {
    /// Said facts in ten thousandths of those found, rounded down; all where none was found.
    pub fn per_myriad(self) -> usize {
        let said = self.said.saturating_mul(10_000);
        said.checked_div(self.found).unwrap_or(10_000)
    }

    fn add(&mut self, other: Share) {
        self.found = self.found.saturating_add(other.found);
        self.said = self.said.saturating_add(other.said);
    }
}

impl Shares {
    /// The share of one kind of facts.
    pub fn of(&self, kind: FactKind) -> Share {
        let mut kinds = FactKind::ALL.iter().zip(self.0);
        let share = kinds.find_map(|(known, share)| (*known == kind).then_some(share));
        share.unwrap_or_default()
    }

    /// The share of all facts.
    pub fn total(&self) -> Share {
        let mut total = Share::default();
        self.0.iter().for_each(|share| total.add(*share));
        total
    }

    /// Adds the facts that `other` counts.
    pub fn add(&mut self, other: &Shares) {
        for (share, more) in self.0.iter_mut().zip(other.0) {
            share.add(more);
        }
    }

    fn of_facts<'f>(facts: &[&'f Fact], lost: &[&'f Fact]) -> Shares {
        let count = |list: &[&Fact], kind| list.iter().filter(|fact| fact.kind == kind).count();
        let mut shares = Shares::default();
        for (share, kind) in shares.0.iter_mut().zip(FactKind::ALL) {
            let found = count(facts, *kind);
            let said = found.saturating_sub(count(lost, *kind));
            *share = Share { found, said };
        }
        shares
    }
}

/// Reads a body in `format` and compares what its messages say with what stands in it.
pub fn measure(format: &Format, body: &[u8], context: &Context) -> Vec<Measured> {
    let found = records(format, body, context).unwrap_or_default();
    let reading = match read(format, body, context) {
        Ok(reading) => reading,
        Err(problem) if found.is_empty() => return vec![Measured::refused(UNNAMED, problem.code)],
        Err(problem) => {
            let refused = found
                .iter()
                .map(|record| Measured::refused(&record.name, problem.code));
            return refused.collect();
        }
    };
    let mut sources: Vec<Vec<&Record>> = vec![Vec::new(); reading.messages.len()];
    let mut measured = Vec::new();
    let owners = Owners::of(&reading.messages);
    for record in &found {
        match owners.find(record).and_then(|index| sources.get_mut(index)) {
            Some(list) => list.push(record),
            None => measured.push(Measured::refused(&record.name, ProblemCode::NoMessage)),
        }
    }
    let messages = reading.messages.iter().zip(sources);
    measured.extend(messages.map(|(read, sources)| compared(read, &sources)));
    measured
}

fn compared(read: &Read, sources: &[&Record]) -> Measured {
    let name = sources.first().map(|record| record.name.as_str());
    match &read.outcome {
        Ok(message) => said(name, message, sources),
        Err(problems) => {
            let code = problems.first().map(|problem| problem.code);
            Measured::refused(
                name.unwrap_or(UNNAMED),
                code.unwrap_or(ProblemCode::BadValue),
            )
        }
    }
}

fn said(name: Option<&str>, message: &Message, sources: &[&Record]) -> Measured {
    let facts = sources.iter().flat_map(|record| &record.facts);
    let facts: Vec<&Fact> = facts.collect();
    let lost = missing(facts.iter().copied(), message);
    Measured {
        name: name.unwrap_or(message.kind().as_str()).to_owned(),
        outcome: Ok(()),
        shares: Shares::of_facts(&facts, &lost),
        lost: lost.into_iter().cloned().collect(),
    }
}

/// Which message was made from what stands at a place.
struct Owners<'r> {
    places: HashMap<&'r str, usize>,
    /// The messages that were refused: they have no parts, so all that stands in their place is theirs.
    refused: Vec<(&'r str, usize)>,
}

impl<'r> Owners<'r> {
    fn of(messages: &'r [Read]) -> Owners<'r> {
        let mut places = HashMap::new();
        for (index, read) in messages.iter().enumerate() {
            places.insert(read.place.as_str(), index);
        }
        for (index, read) in messages.iter().enumerate() {
            for (_, source) in &read.origins {
                places.entry(source.as_str()).or_insert(index);
            }
        }
        let refused = messages.iter().enumerate();
        let refused = refused.filter(|(_, read)| read.outcome.is_err());
        let refused = refused.map(|(index, read)| (read.place.as_str(), index));
        Owners {
            places,
            refused: refused.collect(),
        }
    }

    fn find(&self, record: &Record) -> Option<usize> {
        let known = self.places.get(record.place.as_str()).copied();
        known.or_else(|| {
            let mut refused = self.refused.iter();
            let within = refused.find(|(place, _)| lies_within(&record.place, place));
            within.map(|(_, index)| *index)
        })
    }
}

fn lies_within(place: &str, outer: &str) -> bool {
    let rest = place.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
