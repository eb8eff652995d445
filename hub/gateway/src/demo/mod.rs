//! `takmil demo`: the hub at work before one's eyes. A hub on an embedded store, sample insurers as servers of
//! their own, and messages as providers of five countries send them, all over real sockets with TLS.
//!
//! Nothing here decides, computes or delivers: what is shown is what the hub did.

mod corpus;
mod figures;
mod folder;
mod hub;
mod insurers;
mod outage;
mod play;
mod race;
mod reply;
mod screen;
mod script;
mod seed;
mod standing;
mod table;

use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use takmil_conformance::tls::Authority;
use takmil_domain::date::Date;
use takmil_domain::ids::ParticipantId;
use takmil_store::Scope;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Exit, Fatal};
use crate::{clock, hub as whole};
use figures::Sums;
use folder::Folder;
use hub::RunningHub;
use insurers::Insurers;
use play::Row;
use screen::Screen;
use seed::Keys;

/// How to show the hub.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Ends when everything was shown, instead of staying up until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Also sends every message of a folder that the hub can read; its members are put on a sample plan.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Keeps database, log and the insurers' deliveries in this folder; a fresh one, gone at the end, where none
    /// is named.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How long insurers may take to have what is still owed at the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all parts of the demonstration share.
struct World {
    screen: Screen,
    folder: Folder,
    hub: RunningHub,
    insurers: Insurers,
    keys: Keys,
    /// How many deliveries insurers had from earlier runs on the same folder.
    had: BTreeMap<ParticipantId, u64>,
    today: Date,
    /// A number that no other run has.
    run: String,
}

/// Runs the demonstration; for machines, one JSON object is all that it prints.
///
/// # Errors
/// Whatever keeps it from running to its end. A message that the hub refuses is a part of it.
pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    if let Some(missing) = arguments.corpus.as_ref().filter(|folder| !folder.is_dir()) {
        eprintln!("takmil: there is no folder {}", missing.display());
        return Ok(Exit::Usage);
    }
    let mut world = World::start(&arguments, Screen { json }).await?;
    let exit = tokio::select! {
        exit = show(&mut world, &arguments) => exit,
        ended = told_to_end() => ended.and_then(|()| Err("it was ended before everything was shown".into())),
    };
    let kept = match (&exit, arguments.once) {
        (Ok(_), false) => {
            world.screen.show("\nThe hub stays up until Ctrl-C.");
            told_to_end().await
        }
        _ => Ok(()),
    };
    world.stop().await?;
    kept.and(exit)
}

/// Resolves when somebody wants the process to end.
async fn told_to_end() -> Result<(), Fatal> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

impl World {
    /// Starts insurers and hub, and fills the hub with the country packs.
    async fn start(arguments: &Arguments, screen: Screen) -> Result<World, Fatal> {
        let now = clock::now();
        let folder = Folder::open(arguments.data.as_deref())?;
        folder.start_log()?;
        let authority = Authority::new("Takmil demonstration")?;
        let mut insurers = Insurers::start(&authority).await?;
        if arguments.corpus.is_some() {
            corpus::add_insurers(&mut insurers, &authority).await?;
        }
        let config = hub::config(&folder, &authority)?;
        let store = whole::open_store(&config).await?;
        let (mut keys, covers) = seed::documents(&store, &insurers, now).await?;
        if arguments.corpus.is_some() {
            corpus::admit_insurers(&store, &insurers, &mut keys, now).await?;
        }
        let had = store.backlogs(&Scope::Hub).await?;
        store.close().await;
        let hub = RunningHub::start(config, &authority).await?;
        let refused = seed::enrol(&hub, &keys, &insurers, &covers).await?;
        if !refused.is_empty() {
            return Err(format!("covers of the packs were refused: {refused:?}").into());
        }
        for (id, _) in insurers.iter() {
            insurers.report_to(id, hub.insurer(keys.of(id)?)?);
        }
        Ok(World {
            screen,
            folder,
            hub,
            insurers,
            keys,
            had: had
                .into_iter()
                .map(|own| (own.insurer, own.delivered))
                .collect(),
            today: now.day(),
            run: format!("{:x}", now.0),
        })
    }

    /// Brings everything to rest.
    async fn stop(self) -> Result<(), Fatal> {
        self.insurers.keep_deliveries(&self.folder)?;
        self.hub.stop().await;
        Ok(())
    }
}

/// Shows everything, part by part.
async fn show(world: &mut World, arguments: &Arguments) -> Result<Exit, Fatal> {
    let screen = world.screen;
    screen.show(opening(world));
    let mut rows = play::play(world).await?;
    play::follow(world, &mut rows).await?;
    screen.show(format_args!("\n{}", table::messages(&rows, world.today)));
    screen.show(summed(&Sums::of(&rows)));
    screen.show(format_args!(
        "\nAt the insurers\n\n{}",
        table::deliveries(&figures::delivered(world).await?)
    ));

    screen.show("A limit is raced");
    let race = race::run(world).await?;
    screen.show(race.shown());
    screen.show("\nAn insurer is killed and comes back");
    let outage = outage::run(world).await?;

    let corpus = match &arguments.corpus {
        Some(folder) => Some(corpus::run(world, folder).await?),
        None => None,
    };
    let settled = world.hub.settle(PATIENCE, |_| ()).await?;
    let store = world.hub.store();
    let differences = store.check_ledger().await?.len() + store.check_book().await?.len();
    screen.show(format_args!("\nThe ledger: {}", ledger(differences)));
    let insurers = figures::delivered(world).await?;
    if corpus.is_some() {
        screen.show(format_args!(
            "\nAt the insurers, in the end\n\n{}",
            table::deliveries(&insurers)
        ));
    }
    world.insurers.keep_deliveries(&world.folder)?;
    screen.show(where_next(world, &rows, arguments.once)?);

    let samples = Sums::of(&rows);
    let mut parts = json!({
        "race": race.json(),
        "outage": outage.json(),
        "ledger": {"differences": differences, "sound": differences == 0},
        "insurers": figures::delivered_json(&insurers),
    });
    let mut amiss = Vec::new();
    let mut check = |holds: bool, what: &'static str| {
        if !holds {
            amiss.push(what);
        }
    };
    check(
        samples.is_whole() && settled,
        "messages that insurers do not have",
    );
    check(race.is_exact(), "a limit that was not promised exactly");
    check(outage.is_whole(), "an outage that left something behind");
    check(
        differences == 0,
        "a ledger whose sums differ from its entries",
    );
    if let (Some(corpus), Value::Object(parts)) = (corpus, &mut parts) {
        check(
            corpus.is_whole(),
            "messages of the folder that insurers do not have",
        );
        parts.insert("corpus".to_owned(), corpus.json());
        rows.extend(corpus.into_rows());
    }
    if screen.json {
        screen::print(object(&rows, parts));
    }
    if amiss.is_empty() {
        return Ok(Exit::Well);
    }
    let log = world.folder.log();
    eprintln!(
        "takmil: found {}; {} may say why",
        amiss.join(", "),
        log.display()
    );
    Ok(Exit::Refused)
}

/// The command's JSON object.
fn object(rows: &[Row], parts: Value) -> Value {
    let mut object: Map<String, Value> = Sums::of(rows).json();
    object.insert("rows".to_owned(), rows.iter().map(figures::row).collect());
    if let Value::Object(parts) = parts {
        object.extend(parts);
    }
    Value::Object(object)
}

fn opening(world: &World) -> String {
    let servers = world.insurers.iter().map(|(id, own)| {
        let (wire, mode) = (
            table::wire(own.endpoint.transport),
            table::contract(own.mode),
        );
        format!(
            "    {:12}  {wire}  {mode:10}  {}",
            id.as_str(),
            own.endpoint.url
        )
    });
    let servers: Vec<String> = servers.collect();
    format!(
        "The hub is at {url}\nSample insurers, each a server of its own:\n{servers}",
        url = world.hub.url,
        servers = servers.join("\n"),
    )
}

fn summed(sums: &Sums) -> String {
    format!(
        "{messages} messages: {accepted} taken, {refused} refused; {delivered} delivered to their insurers. \
         Half were answered within {p50} ms, 99 of 100 within {p99} ms.",
        messages = sums.messages,
        accepted = sums.accepted,
        refused = sums.refused,
        delivered = sums.delivered,
        p50 = table::milliseconds(sums.p50),
        p99 = table::milliseconds(sums.p99),
    )
}

fn ledger(differences: usize) -> String {
    match differences {
        0 => {
            "every limit equals the sum of its entries, every reservation what it holds".to_owned()
        }
        some => format!("{some} sums DIFFER from their entries"),
    }
}

/// Where one may go on from here.
fn where_next(world: &World, rows: &[Row], once: bool) -> Result<String, Fatal> {
    let mut places = Vec::new();
    let sent = rows
        .iter()
        .find_map(|row| Some((&row.sender, row.taken()?)));
    if let (false, Some((sender, taken))) = (once, sent) {
        places.push(("documents", format!("{}/docs", world.hub.url)));
        places.push((
            "a message's way",
            format!(
                "curl --cacert {ca} -H 'authorization: Bearer {key}' {url}/v1/messages/{id}",
                ca = world.folder.authority().display(),
                key = world.keys.of(sender)?,
                url = world.hub.url,
                id = taken.id,
            ),
        ));
    }
    if !(once && world.folder.is_temporary()) {
        let gone = if world.folder.is_temporary() {
            " (all of it gone at the end; --data DIR keeps it)"
        } else {
            ""
        };
        places.push((
            "insurers",
            format!(
                "{}: what each was given",
                world.folder.deliveries().display()
            ),
        ));
        places.push(("the hub's log", world.folder.log().display().to_string()));
        places.push((
            "database",
            format!("{}{gone}", world.folder.database().display()),
        ));
    } else {
        places.push((
            "takmil demo",
            "stays up: its documents, and every message's way by curl".to_owned(),
        ));
        places.push((
            "--data DIR",
            "keeps the database, the hub's log, and what each insurer was given".to_owned(),
        ));
    }
    let lines = places
        .iter()
        .map(|(what, place)| format!("  {what:15}  {place}"));
    Ok(format!(
        "\nWhere to look next\n{}",
        lines.collect::<Vec<_>>().join("\n")
    ))
}
