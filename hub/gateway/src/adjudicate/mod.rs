//! `takmil adjudicate`: the pure share computation on files, for whoever wants to see what a plan does to a
//! bill. It opens no store, asks no clock and no network: the same files give the same shares for ever.

mod cases;
mod clinical;
mod explained;
mod pack;
mod scenario;
mod table;

pub(crate) use explained::explained;

#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use takmil_domain::date::{Date, Instant};
use takmil_domain::decision::Decision;
use takmil_domain::message::Message;
use takmil_domain::plan::Plan;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::share::{Documents, Unjudged};
use takmil_formats::{Context, MAX_BODY_BYTES, read, recognise};

/// The largest plan file that is read, 64 MiB: some national tariffs of 100,000 prices.
pub(crate) const MAX_PLAN_BYTES: usize = 64 * 1024 * 1024;

/// The first moment of the year 9999. Nobody asks here what day it is, so that no bill lies too far ahead.
const NO_CLOCK: Instant = Instant(253_370_764_800_000_000);

/// Why a bill was not adjudicated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The input can not be used.
    #[error("the {0}")]
    Refused(Refusal),
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What came out cannot be written.
    #[error("the result cannot be written")]
    Write(#[from] io::Error),
}

/// What is wrong with an input file, everything at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Which of the inputs.
    pub(crate) input: Input,
    /// What is wrong with it, with pointers into it.
    pub(crate) problems: Vec<Problem>,
}

/// The inputs of an adjudication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The plan file.
    Plan,
    /// The bill file.
    Bill,
    /// The file of scenarios.
    Cases,
    /// What is rehearsed on.
    History,
    /// The documents that history went by.
    Against,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = match self.input {
            Input::Plan => "plan file",
            Input::Bill => "bill",
            Input::Cases => "file of scenarios",
            Input::History => "history",
            Input::Against => "file of documents before the change",
        };
        write!(f, "{input} is refused:")?;
        let problems = self.problems.iter();
        problems
            .clone()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Error {
    pub(crate) fn refused(input: Input, problems: Vec<Problem>) -> Error {
        Error::Refused(Refusal { input, problems })
    }
}

/// What came of a bill: for machines by [`Adjudicated::json`], for people by `Display`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adjudicated {
    decision: Decision,
    /// Digits after the point of the currency on the bill's day.
    exponent: u32,
}

impl Adjudicated {
    /// One JSON object: a [`Decision`] in which no list is missing for being empty. Amounts are integers of the
    /// smallest unit.
    pub(crate) fn json(&self) -> Value {
        let mut value = json!(self.decision);
        for line in value["lines"].as_array_mut().into_iter().flatten() {
            keep_list(line, "reasons");
            keep_list(line, "trace");
        }
        keep_list(&mut value, "remainders");
        keep_list(&mut value, "reasons");
        value
    }
}

fn keep_list(value: &mut Value, name: &str) {
    if let Value::Object(members) = value {
        members.entry(name).or_insert_with(|| json!([]));
    }
}

/// Adjudicates a bill file by a plan file, and writes the shares: one line of JSON, or a table and its trace.
///
/// # Errors
/// [`Error`] where an input is refused or cannot be read, or nothing can be written.
pub(crate) fn files(
    plan: &Path,
    bill: &Path,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Error> {
    let adjudicated = plan_and_bill(
        &contents(plan, MAX_PLAN_BYTES)?,
        &contents(bill, MAX_BODY_BYTES)?,
    )?;
    if json {
        writeln!(out, "{}", adjudicated.json())?;
    } else {
        write!(out, "{adjudicated}")?;
    }
    Ok(out.flush()?)
}

/// The shares of a bill, in any format that the hub reads, by a plan file.
///
/// A plan file is one [`Plan`], a list of them (the insurers in the order in which they pay), or [`Documents`].
///
/// # Errors
/// [`Error::Refused`] with everything that is wrong with the one or the other.
pub(crate) fn plan_and_bill(plan: &[u8], bill: &[u8]) -> Result<Adjudicated, Error> {
    let (documents, message) = inputs(plan, bill)?;
    let decision = judged(&documents, &message)?;
    Ok(Adjudicated {
        exponent: decision.currency.exponent(day(&documents)),
        decision,
    })
}

fn inputs(plan: &[u8], bill: &[u8]) -> Result<(Documents, Message), Error> {
    let documents =
        documents(plan).map_err(|problem| Error::refused(Input::Plan, vec![problem]))?;
    let message = message(bill).map_err(|problems| Error::refused(Input::Bill, problems))?;
    Ok((documents, message))
}

fn judged(documents: &Documents, message: &Message) -> Result<Decision, Error> {
    documents.judge(message).map_err(|unjudged| match unjudged {
        Unjudged::Documents(problems) => Error::refused(Input::Plan, problems),
        Unjudged::Message(problems) => Error::refused(Input::Bill, problems),
    })
}

/// A day on which the plans count, for the number of digits that amounts are shown with.
fn day(documents: &Documents) -> Date {
    let first = documents.plans.iter().map(|plan| plan.from).max();
    first.unwrap_or(NO_CLOCK.day())
}

/// The documents of a plan file.
pub(crate) fn documents(text: &[u8]) -> Result<Documents, Problem> {
    let value: Value = parse(text)?;
    match value {
        Value::Array(_) => parse::<Vec<Plan>>(text).map(Documents::from),
        Value::Object(members) if !members.contains_key("plans") => {
            parse(text).map(|plan: Plan| Documents::from(vec![plan]))
        }
        _ => parse(text),
    }
}

/// Reads JSON from its text, so that what is wrong is told with line and column.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|error| {
        let code = if error.is_data() {
            ProblemCode::BadValue
        } else {
            ProblemCode::Malformed
        };
        Problem::new(code, "", error.to_string())
    })
}

fn message(body: &[u8]) -> Result<Message, Vec<Problem>> {
    let one = |code, place: &str, detail| vec![Problem::new(code, place, detail)];
    let context = Context {
        default_currency: None,
        today: NO_CLOCK.day(),
    };
    let unknown = || {
        one(
            ProblemCode::UnknownFormat,
            "",
            ProblemCode::UnknownFormat.meaning(),
        )
    };
    let format = recognise(None, body).ok_or_else(unknown)?;
    let reading = read(format, body, &context).map_err(|problem| vec![problem])?;
    let mut bills = reading
        .messages
        .into_iter()
        .filter(|read| match &read.outcome {
            Ok(message) => message.bill().is_some(),
            Err(_) => true,
        });
    let first = bills
        .next()
        .ok_or_else(|| one(ProblemCode::NoMessage, "", "nothing in it has a bill"))?;
    match bills.next() {
        Some(second) => Err(one(
            ProblemCode::TooMany,
            &second.place,
            "one bill is adjudicated at a time",
        )),
        None => first.outcome,
    }
}

/// What came of a case file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Cases judged.
    pub(crate) judged: u64,
    /// Lines that hold no case, and scenarios that do not come out as expected.
    pub(crate) refused: u64,
}

/// Judges every case of a case file, or every scenario of a file of them, whose name ends in `.json`: a line of JSON for
/// each, as it comes.
///
/// # Errors
/// As [`cases`].
pub(crate) fn case_file(path: &Path, out: &mut impl Write) -> Result<Summary, Error> {
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return scenarios(&contents(path, MAX_PLAN_BYTES)?, out);
    }
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    cases(
        path,
        BufReader::new(File::open(path).map_err(unreadable)?),
        out,
    )
}

/// Judges the scenarios of a file. One that does not come out as the file expects counts as refused.
///
/// # Errors
/// [`Error::Refused`] where the file holds none, and [`Error::Write`].
pub(crate) fn scenarios(text: &[u8], out: &mut impl Write) -> Result<Summary, Error> {
    let file: scenario::ScenarioFile =
        parse(text).map_err(|problem| Error::refused(Input::Cases, vec![problem]))?;
    let unreadable = |error: takmil_mappings::Error| {
        let problem = Problem::new(ProblemCode::BadValue, "/pack", error.to_string());
        Error::refused(Input::Cases, vec![problem])
    };
    let clinic = file.clinic().map_err(unreadable)?;
    let mut summary = Summary::default();
    for one in &file.scenarios {
        let outcome = scenario::judge(&file, one, clinic.as_ref());
        summary.judged += 1;
        summary.refused += u64::from(!outcome.differs.is_empty());
        writeln!(out, "{}", json!(outcome))?;
    }
    Ok(summary)
}

/// Judges a case a line. A line that holds none is answered by `{"line":…,"problem":{…}}` and stops nothing.
///
/// # Errors
/// [`Error::Read`] (`path` is named in it) and [`Error::Write`].
pub(crate) fn cases(
    path: &Path,
    mut cases: impl BufRead,
    out: &mut impl Write,
) -> Result<Summary, Error> {
    let mut out = BufWriter::new(out);
    let mut summary = Summary::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let unreadable = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let most = as_u64(MAX_BODY_BYTES) + 1;
        if cases
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut line)
            .map_err(unreadable)?
            == 0
        {
            break;
        }
        if line.len() > MAX_BODY_BYTES && !line.ends_with(b"\n") {
            cases.skip_until(b'\n').map_err(unreadable)?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match case(&line) {
            Ok(result) => {
                summary.judged += 1;
                writeln!(out, "{result}")?;
            }
            Err(problem) => {
                summary.refused += 1;
                writeln!(out, "{}", json!({"line": number, "problem": problem}))?;
            }
        }
    }
    out.flush()?;
    Ok(summary)
}

fn case(line: &[u8]) -> Result<Value, Problem> {
    if line.len() > MAX_BODY_BYTES {
        let detail = format!("a case has at most {MAX_BODY_BYTES} bytes");
        return Err(Problem::new(ProblemCode::TooLarge, "", detail));
    }
    let result = cases::judge(&parse(line)?);
    let detail = "a name, a price or an insurer in it cannot stand in the hub's plans";
    let result = result.ok_or_else(|| Problem::new(ProblemCode::BadValue, "", detail))?;
    Ok(json!(result))
}

/// A file's bytes, no more than may be, and one: whoever reads them then says that it is too large.
pub(crate) fn contents(path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(as_u64(most) + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX - 1)
}
