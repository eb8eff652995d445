//! `takmil restore`: a backup put back into an empty place. It is proven there before it gets its name: the bytes, the
//! figures, the ledger, the log; and whoever was erased since is erased again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use takmil_domain::audit::{Path as ProofPath, Policy, TreeHash, proves_consistency};
use takmil_store::{Figures, KeyProvider, LogFigures, Place, Store};
use tempfile::TempDir;

use super::{ConfigFile, Exit, Fatal};
use crate::backup::keys::{self, Use};
use crate::backup::postgres::{self, Programs, Until};
use crate::backup::{Database, Manifest, Refusal, SQLITE_COPY, at, is_vacant, parent, sync};
use crate::config::Config;
use crate::hub::open_store_at;

/// From where, to where, and up to when.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The backup's folder.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The file of SQLite, or PostgreSQL's data folder, to be made. Nothing may be there; the folder that it is in
    /// must exist.
    #[arg(long, value_name = "PLACE")]
    to: PathBuf,
    /// For PostgreSQL: go on to this moment with what was archived ("2026-03-02 14:00:00+00"), or as far as the archive
    /// goes ("latest"). As of the backup where it is missing.
    #[arg(long, value_name = "TIME", requires = "archive")]
    at: Option<String>,
    /// For PostgreSQL: the folder that its log was archived to.
    #[arg(long, value_name = "DIR", requires = "at")]
    archive: Option<PathBuf>,
    /// The greatest size of the tamper-evident log that a witness, a partner or an export has seen.
    #[arg(long, value_name = "SIZE")]
    seen: Option<u64>,
    /// Where entries are missing that were seen: end the log under its old name, so that the next hub begins another, with
    /// a key and an origin of its own.
    #[arg(long, requires = "seen")]
    new_log: bool,
    /// The folder with PostgreSQL's programs; where Debian has them, or the search path, where it is missing.
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

/// How far to go where no moment is named.
const LATEST: &str = "latest";

/// What was restored.
#[derive(Debug, Serialize)]
struct Report<'a> {
    place: &'a Path,
    /// When the backup was made.
    backup_of: &'a str,
    /// Whether the state is that of the backup, figure for figure; a later one where it is not.
    is_as_backed_up: bool,
    /// Rows, sums and log as they were found, before erasures.
    figures: Figures,
    /// How many members were erased again.
    erased_again: u64,
    /// How many entries of the log somebody has seen that are not there any more.
    missing_entries: u64,
    /// Whether the log was ended under its old name.
    log_ended: bool,
    /// Keys that the backup names and this configuration has not.
    keys_missing: Vec<keys::Needed>,
    /// What the operator does next.
    next: Vec<String>,
}

/// Restores, and says what came of it.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    // What SQLite has left beside a file that is gone would be taken for that of the one that comes.
    for beside in ["", "-wal", "-journal"] {
        let mut place = arguments.to.as_os_str().to_owned();
        place.push(beside);
        if !is_vacant(Path::new(&place))? {
            let told = format!("{} is there already", Path::new(&place).display());
            return Err(Refusal(told).into());
        }
    }
    let manifest = Manifest::checked(&arguments.from)?;
    let keys_missing = keys_missing(&config, &manifest)?;
    check_erased(&config, &manifest.figures).await?;
    // Of the same folder, so that it gets its name at once and whole; gone where something is wrong with it.
    let fresh = TempDir::with_prefix_in(".takmil-restore-", parent(&arguments.to))?;
    let data = fresh.path().join("data");
    let (figures, erased_again) = match &manifest.database {
        Database::Sqlite => in_file(&arguments, &config, &manifest, &data).await?,
        Database::Postgres { version, .. } => {
            postgres::give(fresh.path())?;
            let programs = Programs::of(*version, arguments.pg_bin.as_deref())?;
            in_server(&arguments, &config, &manifest, &programs, &data).await?
        }
    };
    fs::rename(&data, &arguments.to).map_err(|error| at(&arguments.to, error))?;
    sync(&parent(&arguments.to))?;
    let missing_entries = missing(&arguments, &figures);
    let log_ended = ends_log(&arguments, &figures);
    let report = Report {
        place: &arguments.to,
        backup_of: &manifest.at,
        is_as_backed_up: figures == manifest.figures,
        next: next(
            &arguments,
            &manifest,
            (missing_entries, log_ended),
            &keys_missing,
        ),
        figures,
        erased_again,
        missing_entries,
        log_ended,
        keys_missing,
    };
    print(&report, json)?;
    Ok(match missing_entries == 0 || log_ended {
        true => Exit::Well,
        false => Exit::Refused,
    })
}

/// How many entries of the log somebody has seen that were not found.
fn missing(arguments: &Arguments, found: &Figures) -> u64 {
    let size = found.log.size;
    arguments.seen.map_or(0, |seen| seen.saturating_sub(size))
}

fn ends_log(arguments: &Arguments, found: &Figures) -> bool {
    arguments.new_log && missing(arguments, found) > 0
}

/// The keys that a backup names and a configuration has not. Without those of members nothing can be done.
fn keys_missing(config: &Config, manifest: &Manifest) -> Result<Vec<keys::Needed>, Fatal> {
    let at_hand = keys::at_hand(config)?;
    let has = |needed: &keys::Needed| {
        let mut own = at_hand.iter();
        own.any(|own| (own.what, &own.fingerprint) == (needed.what, &needed.fingerprint))
    };
    let needed = manifest.keys.iter().filter(|needed| !has(needed));
    let lacking: Vec<keys::Needed> = needed.cloned().collect();
    match lacking.iter().find(|key| key.what == Use::Members) {
        Some(key) => {
            let (file, print) = (config.store.member_key_file(), &key.fingerprint);
            let told = format!("{} has not the members' key {print}", file.display());
            Err(Refusal(told).into())
        }
        None => Ok(lacking),
    }
}

/// The list of the erased is younger than any backup, or it is not the list.
async fn check_erased(config: &Config, figures: &Figures) -> Result<(), Fatal> {
    let listed = config.store.keys()?.forgotten().await?.len();
    let listed = u64::try_from(listed).unwrap_or(u64::MAX);
    let backed_up = figures.rows.get("erasure").copied().unwrap_or(0);
    if listed >= backed_up {
        return Ok(());
    }
    let list = config.store.erased_file();
    let list = list.display();
    Err(Refusal(format!(
        "{list} names {listed} erased members, and the backup knows {backed_up}: it is not the list that they were written to"
    ))
    .into())
}

async fn in_file(
    arguments: &Arguments,
    config: &Config,
    manifest: &Manifest,
    data: &Path,
) -> Result<(Figures, u64), Fatal> {
    if arguments.at.is_some() {
        let told = "a file of SQLite is restored as it was backed up: there is no moment to choose";
        return Err(Refusal(told.to_owned()).into());
    }
    let copy = arguments.from.join(SQLITE_COPY);
    fs::copy(&copy, data).map_err(|error| at(&copy, error))?;
    // Whoever runs the hub is given it by its owner.
    fs::set_permissions(data, fs::Permissions::from_mode(0o600))?;
    let figures = Figures::of_file(data).await?;
    let place = Place::File(data.to_owned());
    let erased = prove(arguments, config, place, manifest, &figures).await?;
    // Closed, the file is all there is: a log that is left beside it would hold the erasures.
    if data.with_file_name("data-wal").exists() {
        return Err("SQLite has left a write-ahead log beside the restored file".into());
    }
    sync(data)?;
    Ok((figures, erased))
}

async fn in_server(
    arguments: &Arguments,
    config: &Config,
    manifest: &Manifest,
    programs: &Programs,
    data: &Path,
) -> Result<(Figures, u64), Fatal> {
    let Database::Postgres { name, role, .. } = &manifest.database else {
        return Err("the backup is not of PostgreSQL".into());
    };
    let archive = arguments.archive.as_deref().map(fs::canonicalize);
    let archive = archive.transpose()?;
    let time = arguments.at.as_deref().filter(|time| *time != LATEST);
    let until = match &archive {
        Some(archive) => Until::Archived { archive, time },
        None => Until::Backup,
    };
    programs.unpack(&arguments.from, data)?;
    let private = programs.start(data, until)?;
    let url = private.url(name, role)?;
    let figures = Figures::of_server(&url).await?;
    // One for everything, and one beside it.
    let place = Place::Postgres { url, writers: 2 };
    let erased = prove(arguments, config, place, manifest, &figures).await?;
    private.stop()?;
    Ok((figures, erased))
}

/// Proves that what was put in place is what was backed up, or a continuation of it, and sound. Opening it brings its
/// schema up to date and erases again whom the list beside the keys names; gives how many those are.
async fn prove(
    arguments: &Arguments,
    config: &Config,
    place: Place,
    manifest: &Manifest,
    found: &Figures,
) -> Result<u64, Fatal> {
    let wanted = &manifest.figures;
    if arguments.at.is_none() && found != wanted {
        return Err(Refusal(difference(wanted, found)).into());
    }
    signed(&found.log)?;
    let store = open_store_at(config, place).await?;
    let mut proven = prove_opened(&store, wanted, found).await;
    if proven.is_ok() && ends_log(arguments, found) {
        proven = store.end_log().await.map_err(Fatal::from);
    }
    let erased = store.erased().await;
    store.close().await;
    proven?;
    let before = found.rows.get("erasure").copied().unwrap_or(0);
    Ok(erased?.saturating_sub(before))
}

async fn prove_opened(store: &Store, wanted: &Figures, found: &Figures) -> Result<(), Fatal> {
    let ledger = store.check_ledger().await?;
    let log = store.check_log().await?;
    if let Some(first) = ledger.first() {
        let told = format!("limits differ from their ledger, the first {:?}", first.sum);
        return Err(Refusal(told).into());
    }
    if let Some(first) = store.check_book().await?.first() {
        let told = format!("the book of settlement does not balance, the first {first:?}");
        return Err(Refusal(told).into());
    }
    if let Some(first) = log.first() {
        let told = format!("the tamper-evident log is not what was signed: {first:?}");
        return Err(Refusal(told).into());
    }
    let (old, new) = (&wanted.log, &found.log);
    let shorter = || Refusal("the tamper-evident log is shorter than the backup's".to_owned());
    let path = ProofPath::between(old.size, new.size).ok_or_else(shorter)?;
    let proof: Vec<TreeHash> = path.hashes(&store.log_tiles(path.tiles()).await?)?;
    match proves_consistency((old.size, old.root), (new.size, new.root), &proof) {
        true => Ok(()),
        false => {
            let told = "the tamper-evident log is no continuation of the backup's";
            Err(Refusal(told.to_owned()).into())
        }
    }
}

/// The log's head is what its own key has signed.
fn signed(log: &LogFigures) -> Result<(), Fatal> {
    let (Some(key), Some(checkpoint)) = (&log.key, &log.checkpoint) else {
        return Ok(());
    };
    let policy = Policy::parse(&format!("log {key}\nquorum none\n"))?;
    let head = policy.checkpoint(checkpoint)?;
    match (head.size, head.root) == (log.size, log.root) {
        true => Ok(()),
        false => Err(Refusal("the log's head is not what was signed".to_owned()).into()),
    }
}

/// The first figure that is not as it was.
fn difference(wanted: &Figures, found: &Figures) -> String {
    let rows = wanted.rows.iter();
    let mut other = rows.filter(|(table, rows)| found.rows.get(*table) != Some(rows));
    if let Some((table, rows)) = other.next() {
        let now = found.rows.get(table).copied().unwrap_or(0);
        return format!("{table} has {now} rows, and had {rows} when it was backed up");
    }
    if wanted.ledger != found.ledger {
        return "the sums of the limits are not those that were backed up".to_owned();
    }
    "the tamper-evident log is not the one that was backed up".to_owned()
}

fn next(
    arguments: &Arguments,
    manifest: &Manifest,
    (missing, log_ended): (u64, bool),
    lacking: &[keys::Needed],
) -> Vec<String> {
    let place = arguments.to.display();
    let mut next = Vec::new();
    let mut logs = lacking.iter().filter(|key| key.what == Use::Log);
    if let Some(key) = logs.next().filter(|_| !log_ended) {
        let print = &key.fingerprint;
        next.push(format!(
            "bring the log's key {print}: no hub starts without"
        ));
    }
    if log_ended {
        next.push(format!(
            "begin the new log: takmil audit key FILE --origin NAME, a name that no log had, and [audit] key_file; tell the regulator and all witnesses that {missing} entries of the old one are lost, and why"
        ));
    } else if missing > 0 {
        next.push(format!(
            "start no hub on it: {missing} entries of the log are missing that others have seen, so under its old name it would be a fork; remove it and restore again with --new-log, for a log with a new origin ([audit] origin)"
        ));
    }
    match &manifest.database {
        Database::Sqlite => next.push(format!("[store] path = \"{place}\", then takmil serve")),
        Database::Postgres { .. } => {
            next.push(format!(
                "start PostgreSQL on {place} with its own settings, archiving to another folder than before"
            ));
            next.push("point [store] url_file at it, then takmil doctor, takmil serve".to_owned());
            next.push(
                "takmil backup at once: earlier base backups are of the earlier timeline"
                    .to_owned(),
            );
        }
    }
    next
}

fn print(report: &Report<'_>, json: bool) -> Result<(), Fatal> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    let rows: u64 = report.figures.rows.values().sum();
    let (log, place) = (&report.figures.log, report.place.display());
    println!("{place}: {rows} rows, sound");
    match report.is_as_backed_up {
        true => println!("as backed up at {}, figure for figure", report.backup_of),
        false => println!(
            "a continuation of what was backed up at {}",
            report.backup_of
        ),
    }
    println!("log: {} entries, root {}", log.size, log.root);
    println!("{} members erased again", report.erased_again);
    if report.missing_entries > 0 {
        let missing = report.missing_entries;
        println!("MISSING: {missing} entries of the log that others have seen");
    }
    report.next.iter().for_each(|next| println!("next: {next}"));
    Ok(())
}
