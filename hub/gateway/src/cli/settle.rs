//! `takmil settle`: the statements of days that are over, made by hand; figures compared; and how old is what insurers owe.

use clap::Subcommand;
use serde_json::json;
use takmil_domain::date::Date;
use takmil_domain::settlement::age::Age;
use takmil_engine::settle;
use takmil_store::{AgedPair, BookFilter, Scope};

use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::hub::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the statements of every day that is over and has none yet, as the hub does every night. Running it again,
    /// or beside the hub, makes none twice.
    Run {
        /// The last day to settle; every day that is over where none is named.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        day: Option<Date>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Compares what insurers and providers state with the book, as the hub does every night: writes where they differ, and
    /// leads paid claims on of which all state the same.
    Reconcile {
        /// Claims that came to be owed until this day; today where none is named.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        date: Option<Date>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Says how old is what insurers owe.
    Aging {
        /// On which day; today where none is named.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        on: Option<Date>,
        #[command(flatten)]
        config: ConfigFile,
    },
}

fn day(text: &str) -> Result<Date, &'static str> {
    Date::parse(text).ok_or("expected a day: YYYY-MM-DD")
}

/// Does it.
pub(super) async fn run(command: Command, json: bool) -> Result<Exit, Fatal> {
    match command {
        Command::Run { day, config } => settle_days(day, &config, json).await,
        Command::Reconcile { date, config } => reconcile(date, &config, json).await,
        Command::Aging { on, config } => aging(on, &config, json).await,
    }
}

async fn settle_days(day: Option<Date>, config: &ConfigFile, json: bool) -> Result<Exit, Fatal> {
    let config = config.load()?;
    let store = open_store(&config).await?;
    let settled = settle(&store, &config.settlement, day, clock::now()).await;
    store.close().await;
    let settled = settled?;
    if json {
        println!("{}", json!({"days": settled}));
        return Ok(Exit::Well);
    }
    if settled.is_empty() {
        println!("Every day that is over is settled.");
    }
    for own in settled {
        println!("{}: {} statements", own.day, own.statements);
    }
    Ok(Exit::Well)
}

async fn reconcile(date: Option<Date>, config: &ConfigFile, json: bool) -> Result<Exit, Fatal> {
    let config = config.load()?;
    let store = open_store(&config).await?;
    let now = clock::now();
    let until = date.unwrap_or_else(|| config.settlement.day(now));
    let done = store.reconcile(until, now).await;
    store.close().await;
    let done = done?;
    if json {
        println!("{}", json!(done));
        return Ok(Exit::Well);
    }
    println!(
        "{} compared, {} differences, {} settled, {} claims reconciled",
        done.compared, done.differences, done.settled, done.reconciled
    );
    Ok(Exit::Well)
}

async fn aging(on: Option<Date>, config: &ConfigFile, json: bool) -> Result<Exit, Fatal> {
    let config = config.load()?;
    let store = open_store(&config).await?;
    let day = on.unwrap_or_else(|| config.settlement.day(clock::now()));
    let aged = store.aging(&Scope::Hub, &BookFilter::default(), day).await;
    store.close().await;
    let aged = aged?;
    if json {
        let shown = |own: &AgedPair| json!({"pair": own.pair, "aging": own.aging});
        let shown: Vec<_> = aged.iter().map(shown).collect();
        println!("{}", json!({"day": day, "aging": shown}));
        return Ok(Exit::Well);
    }
    if aged.is_empty() {
        println!("Nothing is owed.");
    }
    for AgedPair { pair, aging } in aged {
        println!("{pair}");
        for age in Age::ALL {
            let own = aging.ages.get(age).copied().unwrap_or_default();
            if own.claims > 0 {
                let (open, disputed) = (own.open, own.disputed);
                let age = age.as_str();
                println!(
                    "  {age:<8} {open:>20}  disputed {disputed}  claims {}",
                    own.claims
                );
            }
        }
        if aging.taken_back > 0 {
            println!("  to be netted {}", aging.taken_back);
        }
    }
    Ok(Exit::Well)
}
