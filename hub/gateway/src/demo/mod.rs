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
use std::path::PathBuf;
use std::time::Duration;
use takmil_conformance::tls::Authority;
use takmil_domain::date::Date;
use takmil_domain::ids::ParticipantId;
use takmil_store::Store;

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
    /// Prints one JSON object instead of tables.
    #[arg(long)]
    json: bool,
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
    authority: Authority,
    hub: RunningHub,
    insurers: Insurers,
    keys: Keys,
    today: Date,
    /// A number that no other run has.
    run: String,
}

/// Runs the demonstration.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Fatal> {
    if let Some(missing) = arguments.corpus.as_ref().filter(|folder| !folder.is_dir()) {
        eprintln!("takmil: there is no folder {}", missing.display());
        return Ok(Exit::Usage);
    }
    let mut world = World::start(&arguments).await?;
    let exit = show(&mut world, &arguments).await;
    if exit.is_ok() && !arguments.once {
        world.screen.show("\nThe hub stays up until Ctrl-C.");
        tokio::signal::ctrl_c().await?;
    }
    world.stop().await?;
    exit
}

impl World {
    /// Starts insurers and hub, and fills the hub with the country packs.
    async fn start(arguments: &Arguments) -> Result<World, Fatal> {
        let screen = Screen {
            json: arguments.json,
        };
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
        let seeded = seed::documents(&store, &insurers, now).await;
        let (mut keys, covers) = seeded?;
        if arguments.corpus.is_some() {
            corpus::admit_insurers(&store, &insurers, &mut keys, now).await?;
        }
        let operator = admit_operator(&store, &mut keys).await;
        store.close().await;
        operator?;
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
            authority,
            hub,
            insurers,
            keys,
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
