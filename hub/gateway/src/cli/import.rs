//! `takmil import`: documents and tables from files into the store. Every row is taken or refused for itself, and
//! running it again changes nothing: an import that broke off is run again from its start.

mod rows;
mod tables;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use takmil_domain::coverage::Enrolment;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::participant::Participant;
use takmil_domain::plan::{BasePlan, Plan, Regulation};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::tariff::Tariff;
use takmil_store::{Scope, Store, StoreError, Upserted};

use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::documents::{self, Document};
use crate::faces::rest::{enrol_problem, plan_problems};
use crate::hub::open_store;
use crate::neighbours::tell_of_changes;

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// What the file holds; `folder` for a folder with participants.json, tariffs.json, base_plans.json, plans.json,
    /// exchange.json, regulations.json and enrolments.json, as far as they are there.
    kind: Kind,
    /// A JSON file: one document, a list, or one a line; for tables and interactions separated values with named columns.
    path: PathBuf,
    #[command(flatten)]
    table: tables::Arguments,
}

/// What can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    #[value(alias = "providers")]
    Participants,
    Tariffs,
    BasePlans,
    Plans,
    Exchange,
    Regulations,
    Coverages,
    Tables,
    Interactions,
    Folder,
}

/// The files of a folder, in the order in which they rest on each other.
const FILES: &[(&str, Kind)] = &[
    ("participants.json", Kind::Participants),
    ("tariffs.json", Kind::Tariffs),
    ("base_plans.json", Kind::BasePlans),
    ("plans.json", Kind::Plans),
    ("exchange.json", Kind::Exchange),
    ("regulations.json", Kind::Regulations),
    ("enrolments.json", Kind::Coverages),
];

/// How many covers are taken in one transaction.
const BATCH: usize = 1_000;

/// What became of an import.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Rows that were read.
    pub(crate) read: usize,
    /// Rows that were taken, or were there already as they are.
    pub(crate) taken: usize,
    /// Rows that were not taken, with the first reason.
    pub(crate) refused: Vec<RefusedRow>,
}

/// A row that was not taken.
#[derive(Debug, Serialize)]
pub(crate) struct RefusedRow {
    /// The file.
    pub(crate) path: String,
    /// The row, counted from 1; in separated values the line.
    pub(crate) row: u64,
    /// Why.
    pub(crate) problem: Problem,
}

/// Imports, and prints what became of it.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    let report = match arguments.kind {
        kind @ (Kind::Tables | Kind::Interactions) => {
            tables::import(&config, kind, &arguments.path, &arguments.table)?
        }
        kind => {
            let store = open_store(&config).await?;
            let report = import(&store, kind, &arguments.path).await;
            store.close().await;
            tell_of_changes(&config).await?;
            report?
        }
    };
    print(&report, json)?;
    Ok(if report.refused.is_empty() {
        Exit::Well
    } else {
        Exit::Refused
    })
}

/// Fills an empty store from a folder; leaves one that has participants alone.
///
/// # Errors
/// If the store cannot serve, or a row of the folder is refused: a hub does not start on half of its seed.
pub(crate) async fn seed(store: &Store, folder: &Path) -> Result<(), Fatal> {
    if !store.participants().await?.is_empty() {
        return Ok(());
    }
    let report = import(store, Kind::Folder, folder).await?;
    if let Some(RefusedRow { path, row, problem }) = report.refused.first() {
        return Err(format!("the seed was refused: {path}, row {row}: {problem}").into());
    }
    tracing::info!(rows = report.taken, "the empty store was seeded");
    Ok(())
}

async fn import(store: &Store, kind: Kind, path: &Path) -> Result<Report, Fatal> {
    let mut report = Report::default();
    if kind != Kind::Folder {
        import_file(store, kind, path, &mut report).await?;
        return Ok(report);
    }
    for (file, kind) in FILES {
        let path = path.join(file);
        if path.is_file() {
            import_file(store, *kind, &path, &mut report).await?;
        }
    }
    Ok(report)
}

async fn import_file(
    store: &Store,
    kind: Kind,
    path: &Path,
    report: &mut Report,
) -> Result<(), Fatal> {
    let mut file = rows::File::open(path)?;
    let mut covers: Vec<(u64, Enrolment)> = Vec::new();
    while let Some((row, value)) = file.next() {
        report.read += 1;
        let kept = match (kind, value) {
            (_, Err(problem)) => Err(problem),
            (Kind::Coverages, Ok(value)) => match one(Document::Enrolment, &value) {
                Ok(cover) => {
                    covers.push((row, cover));
                    if covers.len() >= BATCH {
                        enrol(store, path, &mut covers, report).await?;
                    }
                    continue;
                }
                Err(problem) => Err(problem),
            },
            (kind, Ok(value)) => keep(store, kind, &value).await?,
        };
        report.tell(path, row, kept);
    }
    enrol(store, path, &mut covers, report).await
}

impl Report {
    fn tell(&mut self, path: &Path, row: u64, kept: Result<(), Problem>) {
        match kept {
            Ok(()) => self.taken += 1,
            Err(problem) => self.refused.push(RefusedRow {
                path: path.display().to_string(),
                row,
                problem,
            }),
        }
    }
}

/// Keeps one document. What is wrong with it is the inner error; the outer one is the store's.
async fn keep(store: &Store, kind: Kind, value: &Value) -> Result<Result<(), Problem>, StoreError> {
    let scope = &Scope::Hub;
    let upserted = match kind {
        Kind::Participants => match one::<Participant>(Document::Participant, value) {
            Ok(participant) => store.upsert_participant(&participant).await,
            Err(problem) => return Ok(Err(problem)),
        },
        Kind::Tariffs => match one::<Tariff>(Document::Tariff, value) {
            Ok(tariff) => store.upsert_tariff(scope, &tariff).await,
            Err(problem) => return Ok(Err(problem)),
        },
        Kind::BasePlans => match one::<BasePlan>(Document::BasePlan, value) {
            Ok(plan) => store.upsert_base_plan(scope, &plan).await,
            Err(problem) => return Ok(Err(problem)),
        },
        Kind::Plans => match one::<Plan>(Document::Plan, value).and_then(faultless) {
            Ok(plan) => store.upsert_plan(scope, &plan).await,
            Err(problem) => return Ok(Err(problem)),
        },
        Kind::Exchange => match one::<ExchangeRate>(Document::ExchangeRate, value) {
            Ok(rate) => store.upsert_exchange_rate(&rate).await,
            Err(problem) => return Ok(Err(problem)),
        },
        Kind::Regulations => match one::<Regulation>(Document::Regulation, value) {
            Ok(regulation) => match regulation.faults().into_iter().next() {
                Some((pointer, fault)) => {
                    return Ok(Err(Problem::new(ProblemCode::BadValue, pointer, fault)));
                }
                None => store.upsert_regulation(&regulation).await,
            },
            Err(problem) => return Ok(Err(problem)),
        },
        Kind::Coverages | Kind::Tables | Kind::Interactions | Kind::Folder => return Ok(Ok(())),
    };
    match upserted {
        Ok(Upserted::New(_) | Upserted::Same) => Ok(Ok(())),
        Err(error) => refusal(error).map(Err),
    }
}

fn faultless(plan: Plan) -> Result<Plan, Problem> {
    match plan_problems(&plan, "").into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(plan),
    }
}

/// What the store refuses of a document, as a problem of it.
fn refusal(error: StoreError) -> Result<Problem, StoreError> {
    let (code, detail) = match error {
        StoreError::PlanOutOfLine {
            pointer, detail, ..
        } => return Ok(Problem::new(ProblemCode::BadValue, pointer, detail)),
        StoreError::PlanDiffers { .. }
        | StoreError::TariffDiffers { .. }
        | StoreError::RuleDiffers { .. } => (
            ProblemCode::BadValue,
            "this version is kept already, with other contents; raise the version",
        ),
        StoreError::Broken { .. } => (
            ProblemCode::DanglingReference,
            "it names a participant that is not there, or another's identifier",
        ),
        StoreError::NotFound => (ProblemCode::BadValue, "its id is another insurer's"),
        error => return Err(error),
    };
    Ok(Problem::new(code, "", detail))
}

/// Reads a document; of several problems the first.
fn one<T: DeserializeOwned>(document: Document, value: &Value) -> Result<T, Problem> {
    let first = |problems: Vec<Problem>| {
        let unknown = || Problem::new(ProblemCode::BadValue, "", "it cannot be read");
        problems.into_iter().next().unwrap_or_else(unknown)
    };
    documents::read(document, value, "").map_err(first)
}

async fn enrol(
    store: &Store,
    path: &Path,
    covers: &mut Vec<(u64, Enrolment)>,
    report: &mut Report,
) -> Result<(), Fatal> {
    let (rows, covers): (Vec<u64>, Vec<Enrolment>) = covers.drain(..).unzip();
    let answers = store.enrol(&Scope::Hub, &covers, clock::now()).await?;
    for (row, answer) in rows.into_iter().zip(answers) {
        let kept = answer
            .map(|_| ())
            .map_err(|refusal| enrol_problem(&refusal, ""));
        report.tell(path, row, kept);
    }
    Ok(())
}

fn print(report: &Report, json: bool) -> Result<(), Fatal> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    for RefusedRow { path, row, problem } in &report.refused {
        println!("refused  {path}, row {row}: {problem}");
    }
    println!(
        "{} rows read, {} taken, {} refused",
        report.read,
        report.taken,
        report.refused.len()
    );
    Ok(())
}
