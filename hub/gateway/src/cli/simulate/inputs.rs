//! What a rehearsal reads: the changed documents, and the history in either form.

use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use takmil_domain::clinical::Tables;
use takmil_domain::message::Message;
use takmil_domain::plan::{BasePlan, Plan};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::rehearsal::{Change, Corrupt, Held, Unusable, Writer, push_message};
use takmil_domain::share::Documents;
use takmil_domain::tariff::Tariff;
use takmil_formats::MAX_BODY_BYTES;

use crate::adjudicate::{Error, Input, MAX_PLAN_BYTES, contents, documents, parse};

/// How many lines that cannot be used are told one by one.
const MOST_TOLD: u64 = 10;

/// The first bytes of an extract: canonical messages begin with a brace.
const EXTRACT: &[u8] = b"TAKMIL";

/// A history in the form of an extract.
pub(super) struct Form {
    pub(super) bytes: Vec<u8>,
    /// Whether some of its lines were refused.
    pub(super) refused: bool,
}

/// The changed documents of some files.
pub(super) fn change(paths: &[PathBuf]) -> Result<Change, Error> {
    let mut change = Change::default();
    for path in paths {
        let text = contents(path, MAX_PLAN_BYTES)?;
        let more = one(&text).map_err(|problem| Error::refused(Input::Plan, vec![problem]))?;
        change.plans.extend(more.plans);
        change.base_plans.extend(more.base_plans);
        change.tariffs.extend(more.tariffs);
    }
    match change.problems() {
        problems if problems.is_empty() => Ok(change),
        problems => Err(Error::refused(Input::Plan, problems)),
    }
}

/// The documents of one file, by what its members are.
fn one(text: &[u8]) -> Result<Change, Problem> {
    let value: Value = parse(text)?;
    let has = |name| value.get(name).is_some();
    Ok(match &value {
        Value::Array(_) => Change {
            plans: parse::<Vec<Plan>>(text)?,
            ..Change::default()
        },
        _ if has("benefits") => Change {
            plans: vec![parse(text)?],
            ..Change::default()
        },
        _ if has("prices") => Change {
            tariffs: vec![parse::<Tariff>(text)?],
            ..Change::default()
        },
        _ if has("rates") => Change {
            base_plans: vec![parse::<BasePlan>(text)?],
            ..Change::default()
        },
        _ => parse(text)?,
    })
}

/// Whether the changed documents can take the place of a history's.
pub(super) fn check(change: &Change, held: &Held) -> Result<(), Error> {
    match change.problems_with(held) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Error::refused(Input::Plan, problems)),
    }
}

/// An extract that cannot be used, with the place.
pub(super) fn corrupt(path: &Path, corrupt: &Corrupt) -> Error {
    let detail = format!("{}: {corrupt}", path.display());
    let problem = Problem::new(ProblemCode::Malformed, "", detail);
    Error::refused(Input::History, vec![problem])
}

/// A history: an extract as it is, or canonical messages made into one.
pub(super) fn history(path: &Path, against: Option<&Path>, tables: &Tables) -> Result<Form, Error> {
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let is_extract = file.fill_buf().map_err(unreadable)?.starts_with(EXTRACT);
    if is_extract {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(Form {
            bytes,
            refused: false,
        });
    }
    let Some(against) = against else {
        let detail = "canonical messages need the documents that they went by: --against FILE";
        let problem = Problem::new(ProblemCode::Missing, "", detail);
        return Err(Error::refused(Input::History, vec![problem]));
    };
    let text = contents(against, MAX_PLAN_BYTES)?;
    let refused = |problems| Error::refused(Input::Against, problems);
    let before = documents(&text).map_err(|problem| refused(vec![problem]))?;
    match before.problems() {
        problems if problems.is_empty() => messages(path, file, &before, tables),
        problems => Err(refused(problems)),
    }
}

/// Canonical messages, one a line: as they are, or as `takmil convert` prints them.
fn messages(
    path: &Path,
    mut file: impl BufRead,
    before: &Documents,
    tables: &Tables,
) -> Result<Form, Error> {
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut writer = Writer::new(None, &rand::random());
    let mut refused = 0_u64;
    let mut line = Vec::new();
    let most = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX - 1) + 1;
    for number in 1_u32.. {
        line.clear();
        let mut limited = file.by_ref().take(most);
        if limited.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        if line.len() > MAX_BODY_BYTES && !line.ends_with(b"\n") {
            file.skip_until(b'\n').map_err(unreadable)?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let one = message(&line).and_then(|message| {
            match push_message(&mut writer, tables, before, &message, number) {
                Ok(()) | Err(Unusable::UsesNothing) => Ok(()),
                Err(Unusable::Problems(problems)) => Err(problems),
                Err(Unusable::TooMuch(error)) => Err(vec![Problem::new(
                    ProblemCode::TooLarge,
                    "",
                    error.to_string(),
                )]),
            }
        });
        if let Err(problems) = one {
            refused += 1;
            if refused <= MOST_TOLD {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                eprintln!("takmil: line {number} is left out: {}", told.join("; "));
            }
        }
    }
    if refused > MOST_TOLD {
        eprintln!("takmil: {refused} lines are left out");
    }
    let bytes = writer.finish().map_err(|error| {
        let problem = Problem::new(ProblemCode::TooLarge, "", error.to_string());
        Error::refused(Input::History, vec![problem])
    })?;
    Ok(Form {
        bytes,
        refused: refused > 0,
    })
}

fn message(line: &[u8]) -> Result<Message, Vec<Problem>> {
    let one = |problem| vec![problem];
    let mut value: Value = parse(line).map_err(one)?;
    if let Some(problem) = value.get("problem") {
        let detail = format!("it was not understood: {problem}");
        return Err(one(Problem::new(ProblemCode::NoMessage, "", detail)));
    }
    let message = match value.get_mut("message") {
        Some(message) => message.take(),
        None => value,
    };
    serde_json::from_value(message).map_err(|error| {
        let problem = Problem::new(ProblemCode::BadValue, "", error.to_string());
        vec![problem]
    })
}
