//! `takmil doctor`: what is wrong, how far it reaches, and the one command to run next. It changes no data.

use clap::Args;
use serde::Serialize;
use takmil_domain::date::Instant;
use takmil_domain::settlement::age::Age;
use takmil_store::{BookFilter, LogDifference, RegistrationFilter, Scope, Store, StoreError};

use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::hub::open_store;

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
struct Finding {
    /// What.
    what: &'static str,
    /// How far it reaches.
    reach: String,
    /// The one command to run next.
    next: String,
}

/// A delivery that is owed for longer than this is stuck: retries span it many times.
const STUCK_MS: i64 = 5 * 60 * 1_000;

/// The central register wants to know of things within days: what waits for a day is told.
const UNREGISTERED_MS: u64 = 24 * 3_600 * 1_000;

/// For how long it is told that a delivery was erased with its member: nothing can be done about it but to know it.
const TOLD_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// A message whose deadline passed longer ago than this was forgotten: clocks look every second.
const FORGOTTEN_MS: i64 = 60 * 1_000;

/// A leaf that waits longer for its number was forgotten: it takes a second.
const UNNUMBERED_MS: i64 = 60 * 1_000;

/// How many rows are looked at where the count alone is told.
const LOOKED_AT: u32 = 1_000;

/// Looks, and prints what it finds.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let findings = match arguments.config.load() {
        Err(error) => vec![Finding {
            what: "the configuration is wrong",
            reach: error.to_string(),
            next: "takmil config check".to_owned(),
        }],
        Ok(config) if config.store.is_missing() => vec![Finding {
            what: "there is no store",
            reach: format!("nothing was ever kept in {}", config.store.path.display()),
            next: "takmil serve".to_owned(),
        }],
        Ok(config) => match open_store(&config).await {
            Err(error) => vec![Finding {
                what: "the store does not open",
                reach: format!("the hub cannot start: {error}"),
                next: "takmil config check".to_owned(),
            }],
            Ok(store) => {
                let found = examine(&store, clock::now()).await;
                store.close().await;
                found?
            }
        },
    };
    print(&findings, json)?;
    Ok(if findings.is_empty() {
        Exit::Well
    } else {
        Exit::Refused
    })
}

async fn examine(store: &Store, now: Instant) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    findings.extend(ledger(store).await?);
    findings.extend(book(store).await?);
    findings.extend(overdue(store, now).await?);
    findings.extend(outbox(store, now).await?);
    findings.extend(unregistered(store, now).await?);
    findings.extend(erased(store, now).await?);
    findings.extend(forgotten(store, now).await?);
    findings.extend(log(store, now).await?);
    findings.extend(unmapped(store).await?);
    Ok(findings)
}

/// Σ ledger = limits, or money was lost or made.
async fn ledger(store: &Store) -> Result<Option<Finding>, StoreError> {
    let differences = store.check_ledger().await?;
    Ok(differences.first().map(|first| Finding {
        what: "limits differ from their ledger",
        reach: format!(
            "{} sums, the first {:?} of {}: {} is kept, {} follows from the entries",
            differences.len(),
            first.sum,
            first.key,
            first.kept,
            first.derived
        ),
        next: "stop the hub and restore from the last sound backup".to_owned(),
    }))
}

/// Σ transfers = what is owed = statements, or money was lost or made.
async fn book(store: &Store) -> Result<Option<Finding>, StoreError> {
    let differences = store.check_book().await?;
    Ok(differences.first().map(|first| Finding {
        what: "the book of settlement does not balance",
        reach: format!("{} sums, the first {first:?}", differences.len()),
        next: "stop the hub and restore from the last sound backup".to_owned(),
    }))
}

/// What insurers have owed for more than 90 days past its day.
async fn overdue(store: &Store, now: Instant) -> Result<Option<Finding>, StoreError> {
    let none = BookFilter::default();
    let aged = store.aging(&Scope::Hub, &none, now.day()).await?;
    let long = aged.iter().filter_map(|own| {
        let oldest = own.aging.ages.get(&Age::Over90)?;
        (oldest.claims > 0).then_some((&own.pair, oldest))
    });
    let long: Vec<_> = long.collect();
    let claims: u64 = long.iter().map(|(_, oldest)| oldest.claims).sum();
    Ok(long.first().map(|(pair, oldest)| Finding {
        what: "claims have been owed for more than 90 days past their day",
        reach: format!(
            "{claims} claims between {} pairs, the first {pair} with {} open and {} argued about",
            long.len(),
            oldest.open,
            oldest.disputed
        ),
        next: "takmil settle aging".to_owned(),
    }))
}

/// What has waited for its unique code for a day: the register is away, there is none, or it refuses.
async fn unregistered(store: &Store, now: Instant) -> Result<Option<Finding>, StoreError> {
    let backlog = store.registration_backlog().await?;
    let Some(oldest) = backlog.oldest else {
        return Ok(None);
    };
    let age_ms = now.ms_since(oldest);
    if age_ms < UNREGISTERED_MS {
        return Ok(None);
    }
    let waiting = RegistrationFilter {
        is_waiting: true,
        ..RegistrationFilter::default()
    };
    let first = store.registrations(&Scope::Hub, &waiting, 1).await?;
    let error = first.into_iter().next().and_then(|first| first.error);
    let error = error.unwrap_or_else(|| "never tried".to_owned());
    Ok(Some(Finding {
        what: "registrations wait for their unique codes",
        reach: format!(
            "{}, the oldest for {} h: {error}",
            backlog.waiting,
            age_ms / 3_600_000
        ),
        next: "takmil participant add --document register.json  # where the central register listens now"
            .to_owned(),
    }))
}

async fn outbox(store: &Store, now: Instant) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for backlog in store.backlogs(&Scope::Hub).await? {
        if backlog.dead > 0 {
            findings.push(Finding {
                what: "deliveries are refused for good",
                reach: format!("insurer {}: {}, and what comes after them in their claims", backlog.insurer, backlog.dead),
                next: format!("takmil deliveries list --state dead --insurer {}  # then redeliver or resolve each", backlog.insurer),
            });
        }
        let Some(oldest) = backlog.oldest else {
            continue;
        };
        let age_ms = now.0.saturating_sub(oldest.0) / 1_000;
        if age_ms > STUCK_MS {
            findings.push(Finding {
                what: "deliveries are stuck",
                reach: format!("insurer {}: {} wait, the oldest for {} s", backlog.insurer, backlog.waiting, age_ms / 1_000),
                next: format!("takmil participant add --document {}.json  # with the endpoint where it listens now", backlog.insurer),
            });
        }
    }
    Ok(findings)
}

/// What an insurer will never have: somebody has to tell it by other means.
async fn erased(store: &Store, now: Instant) -> Result<Option<Finding>, StoreError> {
    let since = Instant(now.0.saturating_sub(TOLD_MS.saturating_mul(1_000)));
    let erased = store.erased_deliveries(since, LOOKED_AT).await?;
    Ok(erased.first().map(|last| Finding {
        what: "deliveries were erased with their member",
        reach: format!(
            "{} that their insurers never had, the last one to {} about message {}",
            erased.len(),
            last.insurer,
            last.message
        ),
        next: format!("curl -H 'authorization: Bearer KEY' HUB/v1/messages/{}  # and tell the insurer by other means", last.message),
    }))
}

async fn forgotten(store: &Store, now: Instant) -> Result<Option<Finding>, StoreError> {
    let before = Instant(now.0.saturating_sub(FORGOTTEN_MS.saturating_mul(1_000)));
    let overdue = store.overdue(before, LOOKED_AT).await?;
    Ok(overdue.first().map(|first| Finding {
        what: "messages wait past their deadline",
        reach: format!("{} messages, the first {}", overdue.len(), first.message),
        next: "takmil serve".to_owned(),
    }))
}

/// The log is the tree of its entries, and whatever was promised gets into it.
async fn log(store: &Store, now: Instant) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for difference in store.check_log().await? {
        let reach = match difference {
            LogDifference::Size { head, found } => {
                format!("{head} entries were signed for, and there are {found}")
            }
            LogDifference::Root { head, found } => {
                format!("the root {head} was signed, and that of the entries is {found}")
            }
            LogDifference::Turns { count } => {
                format!("{count} turns of messages have not just one leaf")
            }
        };
        findings.push(Finding {
            what: "the tamper-evident log is not what was signed",
            reach,
            next: "takmil audit export --to FOLDER  # and restore from the last sound backup"
                .to_owned(),
        });
    }
    let state = store.log_state().await?;
    let age_ms = state
        .oldest
        .map_or(0, |oldest| now.0.saturating_sub(oldest.0) / 1_000);
    if age_ms > UNNUMBERED_MS {
        let (waiting, age_s) = (state.waiting, age_ms / 1_000);
        findings.push(Finding {
            what: "the tamper-evident log does not grow",
            reach: format!("{waiting} leaves wait for their number, the first for {age_s} s"),
            next: "takmil serve".to_owned(),
        });
    }
    Ok(findings)
}

async fn unmapped(store: &Store) -> Result<Option<Finding>, StoreError> {
    let codes = store.unmapped(&Scope::Hub, LOOKED_AT).await?;
    let times: u64 = codes.iter().map(|code| code.times).sum();
    Ok(codes.first().map(|first| Finding {
        what: "codes are not mapped",
        reach: format!(
            "{} codes, {times} times; most often {} of {}",
            codes.len(),
            first.code,
            first.system
        ),
        next: format!(
            "takmil import tables FILE --id NAME --system '{}' --columns code=… --as-of YYYY-MM-DD",
            first.system
        ),
    }))
}

fn print(findings: &[Finding], json: bool) -> Result<(), Fatal> {
    if json {
        println!(
            "{}",
            serde_json::to_string(&serde_json::json!({"findings": findings}))?
        );
        return Ok(());
    }
    if findings.is_empty() {
        println!("All well.");
    }
    for Finding { what, reach, next } in findings {
        println!("{what}\n  {reach}\n  next: {next}");
    }
    Ok(())
}
