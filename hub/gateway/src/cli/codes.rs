//! `takmil codes`: codes that no table knows, what they may be, and what a person judges them to be.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use takmil_domain::local_map::Judgement;
use takmil_engine::Catalog;
use takmil_store::{Revision, Scope};

use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::desk::{self, SUGGESTIONS, Wanted};
use crate::documents::{self, Document};
use crate::hub::{open_store, tables};
use crate::neighbours::tell_of_changes;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the codes that came and that no table knows, the most frequent first.
    Unmapped {
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Suggests which codes one with this name may be, the likest first.
    Suggest {
        /// Its name, in any script.
        display: String,
        /// Its system, as it was sent.
        #[arg(long, default_value = "")]
        system: String,
        /// The code, as it was sent.
        #[arg(long, default_value = "")]
        code: String,
        /// The system among whose codes it is looked for.
        #[arg(long)]
        into: Option<String>,
        /// How many.
        #[arg(long, default_value_t = SUGGESTIONS)]
        limit: u32,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Says what a code is from now on, or that it has no place in the common scheme.
    Judge(Judge),
}

/// What is judged.
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// The code's system, as it is counted; '' where it has none.
    system: String,
    /// The code, as it is counted.
    code: String,
    /// The provider whose code it is; everybody's where it is missing.
    #[arg(long)]
    participant: Option<String>,
    /// The system and the code that it is in the common scheme.
    #[arg(long, num_args = 2, value_names = ["SYSTEM", "CODE"], required_unless_present = "no_place")]
    to: Option<Vec<String>>,
    /// How the common code stands to it: equivalent, wider or narrower.
    #[arg(long, default_value = "equivalent", requires = "to")]
    equivalence: String,
    /// It has no place in the common scheme.
    #[arg(long, conflicts_with = "to")]
    no_place: bool,
    /// Why, for those who read it later.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Does it.
pub(super) async fn run(command: Command, json: bool) -> Result<Exit, Fatal> {
    match command {
        Command::Unmapped { limit, config } => unmapped(limit, &config, json).await,
        Command::Suggest {
            display,
            system,
            code,
            into,
            limit,
            config,
        } => {
            let wanted = Wanted {
                system: &system,
                code: &code,
                display: &display,
                into: into.as_deref(),
                most: usize::try_from(limit)?,
            };
            suggest(&wanted, &config, json)
        }
        Command::Judge(judge) => judged(&judge, json).await,
    }
}

async fn unmapped(limit: u32, config: &ConfigFile, json: bool) -> Result<Exit, Fatal> {
    let store = open_store(&config.load()?).await?;
    let unmapped = store.unmapped(&Scope::Hub, limit).await;
    store.close().await;
    for own in unmapped? {
        let display = own.display.as_deref().unwrap_or_default();
        let (sender, system, code, times) = (&own.sender, &own.system, &own.code, own.times);
        match json {
            true => println!(
                "{}",
                json!({"participant": sender, "system": system, "code": code, "display": own.display, "times": times})
            ),
            false => println!("{times:>8}  {sender}  {system}|{code}  {display}"),
        }
    }
    Ok(Exit::Well)
}

fn suggest(wanted: &Wanted<'_>, config: &ConfigFile, json: bool) -> Result<Exit, Fatal> {
    let tables = tables(config.load()?.tables.named())?;
    let Some(found) = desk::suggestions(&tables, wanted)? else {
        eprintln!("takmil: the hub has no list of this system");
        return Ok(Exit::Usage);
    };
    if json {
        println!("{}", json!({"suggestions": found}));
        return Ok(Exit::Well);
    }
    for own in &found {
        let display = own.display.as_deref().unwrap_or_default();
        println!(
            "{:>5}  {}|{}  {display}",
            own.likeness, own.system, own.code
        );
    }
    Ok(Exit::Well)
}

async fn judged(judge: &Judge, json: bool) -> Result<Exit, Fatal> {
    let mut document = json!({"system": judge.system, "code": judge.code});
    let equivalence = &judge.equivalence;
    let to = match judge.to.as_deref() {
        Some([system, code]) => {
            json!({"system": system, "code": code, "equivalence": equivalence})
        }
        _ => Value::Null,
    };
    let told = [
        ("participant", json!(judge.participant)),
        ("note", json!(judge.note)),
        ("to", to),
    ];
    for (name, value) in told.into_iter().filter(|(_, value)| !value.is_null()) {
        document[name] = value;
    }
    let config = judge.config.load()?;
    let tables = tables(config.tables.named())?;
    let store = open_store(&config).await?;
    let catalog = Catalog::new(store.catalogue(Revision::default()).await?);
    let read = documents::read(Document::Judgement, &document, "");
    let checked = read.and_then(|own: Judgement| desk::checked(own, &catalog, &tables));
    let kept = match checked {
        Ok(judgement) => Ok(store.judge_code(&judgement, None, clock::now()).await),
        Err(problems) => Err(problems),
    };
    store.close().await;
    let (judged, changed) = match kept {
        Ok(kept) => kept?,
        Err(problems) => {
            for problem in &problems {
                eprintln!("takmil: refused: {problem}");
            }
            return Ok(Exit::Refused);
        }
    };
    tell_of_changes(&config).await?;
    match json {
        true => println!("{}", json!({"version": judged.version, "changed": changed})),
        false => println!("version {} of the hub's own map says so", judged.version),
    }
    Ok(Exit::Well)
}
