//! `takmil import tables` and `takmil import interactions`: separated values become a table in the configured folder. The
//! hub reads it at its start.

use clap::Args;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use takmil_domain::date::Date;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_mappings::clinical;
use takmil_mappings::import::{Imported, Refusal, Refused, table};
use takmil_mappings::table::Head;

use super::{Fatal, Kind, RefusedRow, Report};
use crate::config::Config;
use crate::hub::tables;

/// What a table is. Only for tables and interactions.
#[derive(Debug, Args)]
#[group(id = "table")]
pub(crate) struct Arguments {
    /// Which column is what: code=KOD,title_fa=SHARH; ACTIVE==1 takes the rows alone that have it; for interactions
    /// one=A,other=B,severity=LEVEL
    #[arg(long, required_if_eq_any([("kind", "tables"), ("kind", "interactions")]))]
    columns: Option<String>,
    /// A short name, unique among the hub's tables.
    #[arg(long, required_if_eq_any([("kind", "tables"), ("kind", "interactions")]))]
    id: Option<String>,
    /// The system that the codes belong to. Only for tables.
    #[arg(long, required_if_eq("kind", "tables"))]
    system: Option<String>,
    /// The system that a map leads to.
    #[arg(long)]
    target: Option<String>,
    /// The edition, as its publisher names it.
    #[arg(long, required_if_eq_any([("kind", "tables"), ("kind", "interactions")]))]
    edition: Option<String>,
    /// The day of that edition.
    #[arg(long, required_if_eq_any([("kind", "tables"), ("kind", "interactions")]), value_name = "YYYY-MM-DD", value_parser = day)]
    as_of: Option<Date>,
    /// Every valid code is listed.
    #[arg(long)]
    complete: bool,
    /// The rows were invented for demonstration.
    #[arg(long)]
    synthetic: bool,
    /// The terms under which the rows may be used.
    #[arg(long, required_if_eq_any([("kind", "tables"), ("kind", "interactions")]))]
    licence: Option<String>,
    /// Who publishes it.
    #[arg(long, required_if_eq_any([("kind", "tables"), ("kind", "interactions")]))]
    source: Option<String>,
}

fn day(text: &str) -> Result<Date, &'static str> {
    Date::parse(text).ok_or("not a day of the form YYYY-MM-DD")
}

/// Reads a source and keeps its table.
pub(super) fn import(
    config: &Config,
    kind: Kind,
    path: &Path,
    arguments: &Arguments,
) -> Result<Report, Fatal> {
    let folder = config
        .tables
        .named()
        .ok_or("the configuration names no folder for tables: set tables.folder")?;
    let head = arguments
        .head()
        .ok_or("a table needs its head: see takmil import --help")?;
    if !head
        .id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err("--id is of a-z A-Z 0-9 and -".into());
    }
    let columns = arguments.columns.as_deref().unwrap_or_default();
    let source = File::open(path)?;
    let imported = match kind {
        Kind::Interactions => {
            let found = clinical::interactions(source, columns, &tables(config.tables.named())?)?;
            Imported {
                table: clinical::interactions_table(&head, &found.interactions)?,
                read: found.read,
                refused: found.refused,
            }
        }
        _ => table(source, &head, columns)?,
    };
    // Written beside its place and moved there: a hub that starts meanwhile reads the old table or the new one.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(imported.table.text().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(format!("{}.tsv", head.id)))?;
    let refused: Vec<RefusedRow> = imported.refused.iter().map(|row| told(path, row)).collect();
    Ok(Report {
        read: imported.read,
        taken: imported.read.saturating_sub(refused.len()),
        refused,
        remarks: Vec::new(),
    })
}

impl Arguments {
    fn head(&self) -> Option<Head> {
        Some(Head {
            id: self.id.clone()?,
            system: self.system.clone().unwrap_or_default(),
            target: self.target.clone(),
            edition: self.edition.clone()?,
            as_of: self.as_of?,
            complete: self.complete,
            synthetic: self.synthetic,
            licence: self.licence.clone()?,
            source: self.source.clone()?,
        })
    }
}

fn told(path: &Path, row: &Refused) -> RefusedRow {
    let (code, detail) = match row.reason {
        Refusal::Uneven => (
            ProblemCode::Malformed,
            "it has more or fewer fields than the first line",
        ),
        Refusal::NotText => (ProblemCode::NotText, "it is not UTF-8"),
        Refusal::TooLong => (ProblemCode::TooLarge, "a field is too long"),
        Refusal::Misspelled => (
            ProblemCode::BadValue,
            "its code is not one that the system can have",
        ),
        Refusal::MisspelledTarget => (
            ProblemCode::BadValue,
            "the code that it leads to is not one that the system can have",
        ),
        Refusal::UnknownEquivalence => (ProblemCode::BadValue, "its equivalence is not known"),
        Refusal::NoName => (ProblemCode::Missing, "a drug has no name"),
        Refusal::UnknownSeverity => (
            ProblemCode::BadValue,
            "its severity is none of contraindicated, not recommended, precautions for use, take into consideration",
        ),
        Refusal::Contradicts => (
            ProblemCode::BadValue,
            "an earlier row of the same code says something else",
        ),
    };
    RefusedRow {
        path: path.display().to_string(),
        row: row.line,
        problem: Problem::new(code, "", detail),
    }
}
