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
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::tariff::{self, Contract, Tariff};
use takmil_engine::Catalog;
use takmil_formats::MAX_PROBLEMS;
use takmil_mappings::Tables;
use takmil_store::{Revision, Scope, Store, StoreError};

use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::documents::{self, Document};
use crate::faces::rest::enrol_problem;
use crate::hub::{open_store, tables as code_tables};
use crate::lint::{Beside, Linted, Remark, too_soon};
use crate::neighbours::tell_of_changes;

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// What the file holds; `folder` for a folder with participants.json, tariffs.json, base_plans.json, regulations.json,
    /// plans.json, code_maps.json, exchange.json and enrolments.json, as far as they are there.
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
    CodeMaps,
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
    ("regulations.json", Kind::Regulations),
    ("plans.json", Kind::Plans),
    ("code_maps.json", Kind::CodeMaps),
    ("exchange.json", Kind::Exchange),
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
    /// What is odd about rows that were taken.
    pub(crate) remarks: Vec<RemarkedRow>,
}

/// Something odd about a row that was taken.
#[derive(Debug, Serialize)]
pub(crate) struct RemarkedRow {
    /// The file.
    pub(crate) path: String,
    /// The row, counted from 1.
    pub(crate) row: u64,
    /// What.
    #[serde(flatten)]
    pub(crate) remark: Remark,
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
            let codes = code_tables(config.tables.named())?;
            let store = open_store(&config).await?;
            let report = import(&store, &codes, kind, &arguments.path).await;
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
pub(crate) async fn seed(store: &Store, codes: &Tables, folder: &Path) -> Result<(), Fatal> {
    if !store.participants().await?.is_empty() {
        return Ok(());
    }
    let report = import(store, codes, Kind::Folder, folder).await?;
    if let Some(RefusedRow { path, row, problem }) = report.refused.first() {
        return Err(format!("the seed was refused: {path}, row {row}: {problem}").into());
    }
    for RemarkedRow { path, row, remark } in &report.remarks {
        let Remark { pointer, detail } = remark;
        tracing::warn!(%path, row, %pointer, "odd in the seed: {detail}");
    }
    tracing::info!(rows = report.taken, "the empty store was seeded");
    Ok(())
}

async fn import(store: &Store, codes: &Tables, kind: Kind, path: &Path) -> Result<Report, Fatal> {
    let mut report = Report::default();
    if kind != Kind::Folder {
        import_file(store, codes, (kind, path), &mut report).await?;
        return Ok(report);
    }
    for (file, kind) in FILES {
        let path = path.join(file);
        if path.is_file() {
            import_file(store, codes, (*kind, &path), &mut report).await?;
        }
    }
    Ok(report)
}

async fn import_file(
    store: &Store,
    codes: &Tables,
    (kind, path): (Kind, &Path),
    report: &mut Report,
) -> Result<(), Fatal> {
    // A row is held against what other files have brought; those of its own kind, the store holds it against.
    let catalog = match kind {
        Kind::Coverages => Catalog::default(),
        _ => Catalog::new(store.catalogue(Revision::default()).await?),
    };
    let beside = Beside {
        catalog: &catalog,
        tables: codes,
    };
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
            (kind, Ok(value)) => match keep(store, kind, &value, &beside).await {
                Ok(remarks) => Ok(remarks),
                Err(Unkept::Refused(problem)) => Err(problem),
                Err(Unkept::Store(error)) => return Err(error.into()),
            },
        };
        report.tell(path, row, kept);
    }
    enrol(store, path, &mut covers, report).await
}

impl Report {
    fn tell(&mut self, path: &Path, row: u64, kept: Result<Vec<Remark>, Problem>) {
        let path = || path.display().to_string();
        match kept {
            Ok(remarks) => {
                self.taken += 1;
                let remarked = |remark| RemarkedRow {
                    path: path(),
                    row,
                    remark,
                };
                let remarks = remarks.into_iter().take(MAX_PROBLEMS);
                self.remarks.extend(remarks.map(remarked));
            }
            Err(problem) => self.refused.push(RefusedRow {
                path: path(),
                row,
                problem,
            }),
        }
    }
}

/// Why a document was not kept.
enum Unkept {
    /// Something is wrong with it.
    Refused(Problem),
    /// The store cannot serve.
    Store(StoreError),
}

impl From<Problem> for Unkept {
    fn from(problem: Problem) -> Unkept {
        Unkept::Refused(problem)
    }
}

impl From<StoreError> for Unkept {
    fn from(error: StoreError) -> Unkept {
        refusal(error).map_or_else(Unkept::Store, Unkept::Refused)
    }
}

/// Keeps one document, and says what is odd about it.
async fn keep(
    store: &Store,
    kind: Kind,
    value: &Value,
    beside: &Beside<'_>,
) -> Result<Vec<Remark>, Unkept> {
    let scope = &Scope::Hub;
    match kind {
        Kind::Participants => {
            let (participant, remarks) = sound(Document::Participant, value, beside)?;
            store.upsert_participant(&participant).await?;
            Ok(remarks)
        }
        Kind::Tariffs => {
            let (document, mut remarks) = sound(Document::Tariff, value, beside)?;
            remarks.extend(late_notice(&document, beside.catalog));
            let unreadable = |fault| Problem::new(ProblemCode::BadValue, "", fault);
            let tariff = Tariff::try_from(document).map_err(unreadable)?;
            store.upsert_tariff(scope, &tariff).await?;
            Ok(remarks)
        }
        Kind::BasePlans => {
            let (plan, remarks) = sound(Document::BasePlan, value, beside)?;
            store.upsert_base_plan(scope, &plan).await?;
            Ok(remarks)
        }
        Kind::Plans => {
            let (plan, remarks) = sound(Document::Plan, value, beside)?;
            store.upsert_plan(scope, &plan).await?;
            Ok(remarks)
        }
        Kind::Exchange => {
            let rate: ExchangeRate = one(Document::ExchangeRate, value)?;
            store.upsert_exchange_rate(&rate).await?;
            Ok(Vec::new())
        }
        Kind::Regulations => {
            let (regulation, remarks) = sound(Document::Regulation, value, beside)?;
            store.upsert_regulation(&regulation).await?;
            Ok(remarks)
        }
        Kind::CodeMaps => {
            let (map, remarks) = sound(Document::CodeMap, value, beside)?;
            store.upsert_code_map(scope, &map).await?;
            Ok(remarks)
        }
        Kind::Coverages | Kind::Tables | Kind::Interactions | Kind::Folder => Ok(Vec::new()),
    }
}

/// A document that nothing is wrong with, and what is odd about it; else the first problem.
fn sound<T: DeserializeOwned + Linted>(
    document: Document,
    value: &Value,
    beside: &Beside<'_>,
) -> Result<(T, Vec<Remark>), Problem> {
    let read: T = one(document, value)?;
    match read.problems_beside(beside).into_iter().next() {
        Some(problem) => Err(problem),
        None => {
            let remarks = read.remarks_beside(beside);
            Ok((read, remarks))
        }
    }
}

/// A price list that takes the place of another one sooner than notice could be given.
fn late_notice(list: &tariff::Document, catalog: &Catalog) -> Option<Remark> {
    let Contract { provider, insurer } = list.contract.as_ref()?;
    let before = catalog.agreed_tariff_on(provider, insurer, list.from)?;
    let is_change = before.document().version < list.version;
    let detail = too_soon(list, catalog, clock::now().day()).filter(|_| is_change)?;
    Some(Remark::new("/from", detail))
}

/// What the store refuses of a document, as a problem of it.
fn refusal(error: StoreError) -> Result<Problem, StoreError> {
    let (code, detail) = match error {
        StoreError::PlanOutOfLine {
            pointer, detail, ..
        }
        | StoreError::TariffOutOfLine {
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
            .map(|_| Vec::new())
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
    for RemarkedRow { path, row, remark } in &report.remarks {
        let Remark { pointer, detail } = remark;
        println!("odd      {path}, row {row}, {pointer}: {detail}");
    }
    println!(
        "{} rows read, {} taken, {} refused",
        report.read,
        report.taken,
        report.refused.len()
    );
    Ok(())
}
