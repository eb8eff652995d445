//! What a rehearsal tells, as JSON: its summary with the largest differences in words, and every difference a line. The
//! lines come first and are told last, so they lie in a file without a name meanwhile.

use serde::Serialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::ops::ControlFlow;

use takmil_domain::bill::Line;
use takmil_domain::clinical::Tables;
use takmil_domain::code::{Coded, Coding};
use takmil_domain::decision::Decision;
use takmil_domain::ids::ParticipantId;
use takmil_domain::plan::Plan;
use takmil_domain::rehearsal::{
    Change, ChangedLine, Difference, Explained, Failed, Held, History, Options, Summary, Told,
    rehearse,
};
use takmil_portal::explain::{Explanation, Language, LineTold, Titles, explain};

/// What is needed to tell a rehearsal in words.
#[derive(Clone, Copy)]
pub(crate) struct Teller<'t> {
    pub(crate) language: Language,
    /// What insurers are called.
    pub(crate) insurers: &'t [(ParticipantId, String)],
    pub(crate) change: &'t Change,
    pub(crate) held: &'t Held,
}

/// A rehearsal that is done.
pub(crate) struct Rehearsed {
    pub(crate) summary: Summary,
    pub(crate) largest: Vec<Largest>,
    differences: BufReader<File>,
}

/// One of the largest differences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Largest {
    #[serde(flatten)]
    pub(crate) difference: Difference,
    /// What kind of message it is.
    pub(crate) kind: takmil_domain::message::Kind,
    /// The lines that move, with the steps that are on one side alone.
    pub(crate) lines: Vec<ChangedLine>,
    /// The same lines in words.
    pub(crate) told: Vec<ToldLine>,
}

/// A line that moves, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ToldLine {
    pub(crate) seq: u32,
    pub(crate) title: String,
    /// Its shares before, and the steps that were before alone.
    pub(crate) before: Vec<String>,
    /// Its shares after, and the steps that are after alone.
    pub(crate) after: Vec<String>,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error("the differences cannot be kept")]
    Kept(#[from] io::Error),
}

/// Rehearses, and keeps what comes of it. `progress` is told how many messages are done, and may stop it.
///
/// # Errors
/// [`Error`]
pub(crate) fn run(
    history: &History<'_>,
    tables: &Tables,
    options: &Options,
    teller: &Teller<'_>,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Rehearsed, Error> {
    let mut differences = BufWriter::new(tempfile::tempfile()?);
    let mut failed = None;
    let done = rehearse(history, teller.change, tables, options, |told| match told {
        Told::Progress(done) => progress(done),
        Told::Difference(difference) => match write_line(&mut differences, &difference) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        },
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    let outcome = done?;
    let mut differences = differences.into_inner().map_err(io::Error::from)?;
    differences.rewind()?;
    Ok(Rehearsed {
        summary: outcome.summary,
        largest: outcome.largest.iter().map(|own| teller.tell(own)).collect(),
        differences: BufReader::new(differences),
    })
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

impl Rehearsed {
    /// The summary, with the largest differences.
    pub(crate) fn summary(&self) -> Value {
        let mut summary = json!(self.summary);
        if let Value::Object(members) = &mut summary {
            members.insert("largest".to_owned(), json!(self.largest));
        }
        summary
    }
}

impl Read for Rehearsed {
    /// The differences: a JSON object a line.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.differences.read(buffer)
    }
}

impl Teller<'_> {
    fn tell(&self, explained: &Explained) -> Largest {
        let codes = explained.codes.iter();
        let lines: Vec<Line> = codes
            .map(|(seq, system, code)| Line {
                seq: *seq,
                item: Coded {
                    source: Some(Coding {
                        system: system.clone(),
                        code: code.clone(),
                        ..Coding::default()
                    }),
                    ..Coded::default()
                },
                ..Line::default()
            })
            .collect();
        let before = self.words(&explained.before, &lines, &self.held.plans, explained);
        let after = self.words(&explained.after, &lines, &self.change.plans, explained);
        let moved = explained.lines();
        let told = |line: &ChangedLine| {
            let seq = line.after.seq;
            let side = |told: &Explanation| told.lines.iter().find(|own| own.seq == seq).cloned();
            let (before, after) = (side(&before)?, side(&after)?);
            Some(ToldLine {
                seq,
                before: sentences(&before, &after),
                after: sentences(&after, &before),
                title: after.title,
            })
        };
        Largest {
            told: moved.iter().filter_map(told).collect(),
            lines: moved,
            kind: explained.kind,
            difference: explained.difference.clone(),
        }
    }

    fn words(
        &self,
        decision: &Decision,
        lines: &[Line],
        first: &[Plan],
        explained: &Explained,
    ) -> Explanation {
        let all = first
            .iter()
            .chain(&self.change.plans)
            .chain(&self.held.plans);
        let basis = decision.basis.iter();
        let plans = basis.filter_map(|own| {
            let mut all = all.clone();
            all.find(|plan| plan.id == own.plan && plan.version == own.version)
        });
        let titles = Titles {
            day: explained.difference.day,
            insurers: (self.insurers.iter())
                .map(|(id, title)| (id, title.as_str()))
                .collect(),
            plans: plans.collect(),
            starts: Vec::new(),
            findings: &[],
            lines,
        };
        explain(decision, &titles, self.language)
    }
}

/// A line's shares, and those of its reasons that the other side does not have.
fn sentences(own: &LineTold, other: &LineTold) -> Vec<String> {
    let reasons = own.reasons.iter();
    let reasons = reasons.filter(|reason| !other.reasons.contains(reason));
    let told = reasons.map(|reason| reason.text.clone());
    std::iter::once(own.shares.clone()).chain(told).collect()
}
