//! `takmil simulate`: what would a period have cost under a changed plan, tariff or price list? And the extract of a
//! store's history, on which that runs anywhere. Nothing is written to the store.

mod inputs;
mod shown;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write, stdout};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

use takmil_domain::date::Date;
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Amount;
use takmil_domain::rehearsal::{self, Baseline, History, Options};
use takmil_engine::{Wanted, extract};
use takmil_mappings::clinical;
use takmil_portal::explain::Language;

use super::{ConfigFile, Exit, Fatal};
use crate::adjudicate::{Error, Refusal};
use crate::hub::{open_store, tables};
use crate::rehearsed::{self, Teller};

/// How many of the largest differences are explained.
const LARGEST: usize = 10;

/// What to rehearse, on which history.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What is changed: a plan, a list of plans, a tariff or price list, or {"plans", "base_plans", "tariffs"}. Each takes
    /// the place of all versions with its id. May be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    plan: Vec<PathBuf>,
    /// The history: an extract, or canonical messages, one a line (what `takmil convert` prints).
    #[arg(long, value_name = "PATH", required = true)]
    history: Option<PathBuf>,
    /// For canonical messages: the documents that they went by, as `takmil adjudicate` takes them. An extract holds its own.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// A folder of code tables beside those that come with the hub: imported interactions are such a table. They matter
    /// where clinical terms are changed.
    #[arg(long, value_name = "FOLDER")]
    tables: Option<PathBuf>,
    /// The premium that was earned in the period, in smallest units: tells loss ratios.
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    premium: Option<Amount>,
    /// Counts messages from this day. Earlier ones still move limits.
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Date>,
    /// Counts messages to this day.
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Date>,
    /// What the change is held against. `recomputed` tells messages apart that the rules alone do not reproduce;
    /// `recorded` takes half the time, and mixes them in.
    #[arg(long, value_enum, default_value = "recomputed")]
    baseline: Side,
    /// Shows it as this insurer may see it: others without a name.
    #[arg(long, value_name = "ID", value_parser = participant)]
    insurer: Option<ParticipantId>,
    /// Tells the largest differences in this language: fa, ar, pt, fr or en.
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = language)]
    explain: Language,
    /// How many threads work; as many as the machine has, where nothing is said. The outcome is the same for any number.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes the history of a store to a file for rehearsals: no names and no identifiers, members as numbers. It holds the
    /// plans of all insurers of its members, and is the hub's own.
    Extract(Extract),
}

/// What to extract.
#[derive(Debug, Args)]
struct Extract {
    #[command(flatten)]
    config: ConfigFile,
    /// The first day on which messages came.
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Date,
    /// The last one.
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Date,
    /// Only messages of which this insurer owes a share.
    #[arg(long, value_name = "ID", value_parser = participant)]
    insurer: Option<ParticipantId>,
    /// Reads codes that nobody knew when they came by what the tables say now, and what persons have judged since.
    #[arg(long)]
    codes_anew: bool,
    /// The file to write, which must not exist.
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    Recomputed,
    Recorded,
}

fn day(text: &str) -> Result<Date, &'static str> {
    Date::parse(text).ok_or("expected a day, YYYY-MM-DD")
}

fn amount(text: &str) -> Result<Amount, &'static str> {
    let amount = text.parse().ok().and_then(Amount::new);
    let positive = amount.filter(|amount| *amount > Amount::ZERO);
    positive.ok_or("expected a whole number of smallest units, 1 or more")
}

fn participant(text: &str) -> Result<ParticipantId, &'static str> {
    ParticipantId::parse(text).ok_or("expected the id of a participant")
}

fn language(text: &str) -> Result<Language, &'static str> {
    Language::parse(text).ok_or("expected fa, ar, pt, fr or en")
}

/// Rehearses or extracts, and prints what came of it.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    if let Some(Command::Extract(wanted)) = arguments.command {
        return extracted(wanted, json).await;
    }
    match rehearsed(&arguments, json) {
        Err(fatal) => match fatal.downcast::<Error>() {
            Ok(error) => match *error {
                Error::Refused(refusal) => Ok(refused(&refusal)),
                error => Err(error.into()),
            },
            Err(fatal) => Err(fatal),
        },
        done => done,
    }
}

fn refused(refusal: &Refusal) -> Exit {
    eprintln!("takmil: the {refusal}");
    Exit::Refused
}

fn rehearsed(arguments: &Arguments, json: bool) -> Result<Exit, Fatal> {
    let Some(path) = &arguments.history else {
        return Ok(Exit::Usage);
    };
    let change = inputs::change(&arguments.plan)?;
    let tables = clinical::tables(&tables(arguments.tables.as_deref())?)?;
    let against = arguments.against.as_deref();
    let inputs::Form { bytes, refused } = inputs::history(path, against, &tables)?;
    let history = History::read(&bytes);
    let history = history.map_err(|corrupt| inputs::corrupt(path, &corrupt))?;
    inputs::check(&change, history.held())?;
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let options = Options {
        baseline: match arguments.baseline {
            Side::Recomputed => Baseline::Recomputed,
            Side::Recorded => Baseline::Recorded,
        },
        threads,
        viewer: arguments.insurer.clone(),
        premium: arguments.premium,
        from: arguments.from,
        to: arguments.to,
        largest: LARGEST,
    };
    let teller = Teller {
        language: arguments.explain,
        insurers: &[],
        change: &change,
        held: history.held(),
    };
    let progress = bar(Some(history.messages()));
    let done = rehearsed::run(&history, &tables, &options, &teller, |done| {
        progress.set_position(done);
        ControlFlow::Continue(())
    });
    progress.finish_and_clear();
    let mut done = match done {
        Err(rehearsed::Error::Failed(rehearsal::Failed::Corrupt(corrupt))) => {
            return Err(inputs::corrupt(path, &corrupt).into());
        }
        done => done?,
    };
    let mut out = BufWriter::new(stdout().lock());
    if json {
        writeln!(out, "{}", done.summary())?;
        io::copy(&mut done, &mut out)?;
    } else {
        shown::show(&done, &mut out)?;
    }
    out.flush()?;
    Ok(if refused { Exit::Refused } else { Exit::Well })
}

/// How far it is, on standard error where that is a terminal.
fn bar(all: Option<u64>) -> ProgressBar {
    match all {
        Some(all) => ProgressBar::new(all),
        None => {
            let style = ProgressStyle::with_template("{pos} messages, {per_sec}");
            let bar = ProgressBar::no_length();
            style.map_or(bar.clone(), |style| bar.with_style(style))
        }
    }
}

async fn extracted(wanted: Extract, json: bool) -> Result<Exit, Fatal> {
    if wanted.to < wanted.from {
        eprintln!("takmil: the period ends before it begins");
        return Ok(Exit::Usage);
    }
    let cannot = |source| format!("{} cannot be made: {source}", wanted.out.display());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let config = wanted.config.load()?;
    let codes = tables(config.tables.named())?;
    let tables = clinical::tables(&codes)?;
    let store = open_store(&config).await?;
    let file: File = options.open(&wanted.out).map_err(cannot)?;
    let mut out = BufWriter::new(file);
    let period = Wanted {
        from: wanted.from,
        to: wanted.to,
        insurer: wanted.insurer,
        most: None,
    };
    let progress = bar(None);
    let mut bytes = 0_usize;
    let done = extract(
        &store,
        &tables,
        wanted.codes_anew.then_some(&codes),
        &period,
        &rand::random(),
        |ready, messages| {
            bytes = bytes.saturating_add(ready.len());
            progress.set_position(messages);
            out.write_all(&ready)
        },
    )
    .await;
    progress.finish_and_clear();
    store.close().await;
    let done = match done {
        Ok(done) => done,
        // What was begun is no extract.
        Err(error) => {
            drop(out);
            std::fs::remove_file(&wanted.out)?;
            return Err(error.into());
        }
    };
    out.into_inner().map_err(io::Error::from)?.sync_all()?;
    let (messages, erased) = (done.messages, done.erased);
    let path = wanted.out.display();
    if json {
        let told = serde_json::json!({"messages": messages, "erased": erased, "bytes": bytes});
        println!("{told}");
    } else {
        println!("{messages} messages in {bytes} bytes: {path}");
        if erased > 0 {
            println!("left out: {erased} messages of members who were erased");
        }
    }
    Ok(Exit::Well)
}
