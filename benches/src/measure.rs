//! The load: runs of admissions at several paces, claims in FHIR, whole stays, and the ceilings beside them, all on
//! one hub and one database.

use std::sync::Arc;

use hyper::StatusCode;

use crate::arguments::{Ground, Load, Store};
use crate::bodies::Bodies;
use crate::disk;
use crate::drive::{self, Figures, Pace};
use crate::errand::{Ask, Desk, Errand};
use crate::error::Error;
use crate::ground::{Fresh, bodies};
use crate::hub::{self, Site};
use crate::listen::Server;
use crate::machine::Machine;
use crate::process::Servers;
use crate::report::{Ceilings, DiskCeilings, Ratios, Report, Run, Setting, What};
use crate::seed::Webhook;
use crate::sqlite;
use crate::wire::Door;

/// What webhooks of a run are signed with. Nobody checks it: the insurer of a run takes everything.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGFrbWlsLWxvYWQtcnVuLXNlY3JldA==";

/// How many rows bare SQLite commits at a time: one, and as many as connections wait at once by default.
const ROWS_PER_COMMIT: [u64; 2] = [1, 64];

/// The load on a hub of its own, on a fresh database.
///
/// # Errors
/// [`Error`] where it cannot be made.
pub async fn fresh(load: &Load) -> Result<Report, Error> {
    let ground = &load.ground;
    let fresh = Fresh::open(ground, load.store)?;
    let beneath = beneath(ground, &fresh).await?;
    let insurer = match load.deliver {
        true => Some(Server::insurer().await?),
        false => None,
    };
    let url = insurer
        .as_ref()
        .map(|insurer| format!("http://{}", insurer.address));
    let webhook = url.as_deref().map(|url| Webhook {
        transport: "rest",
        url,
        secret: WEBHOOK_SECRET,
    });
    eprintln!("loading {} members", ground.members);
    let site = Site::fill(&fresh.setup(ground, load.tls, webhook)).await?;
    let hub = site.serve().await?;
    let idle = hub.idle().await?;
    let driven = Driven::drive(load, &hub.door, Some(hub.servers)).await?;
    let decided = hub::decided(&hub.door).await?;
    eprintln!("stopping the hub and checking its ledger");
    hub.stop().await?;
    let checkup = site.check().await?;
    let report = driven.report(load, fresh.machine.clone(), Some(beneath));
    Ok(Report {
        idle: Some(idle.into()),
        decided: Some(decided),
        checkup: Some(checkup),
        ..report
    })
}

/// The load on a hub that runs already.
///
/// # Errors
/// [`Error`] where it cannot be made.
pub async fn running(load: &Load) -> Result<Report, Error> {
    let (Some(address), Some(key_file)) = (load.target, &load.key_file) else {
        return Err(Error::Answer("no address and key were given".to_owned()));
    };
    let key = std::fs::read_to_string(key_file).map_err(Error::file(key_file))?;
    let door = Door::new(address, None, Some(&key))?;
    let servers = load.target_pid.map(|hub| Servers {
        hub,
        database: load.target_database_pid,
    });
    let driven = Driven::drive(load, &door, servers).await?;
    Ok(driven.report(load, Machine::look(None), None))
}

/// What the disk and bare databases on it can do, before there is a hub.
async fn beneath(ground: &Ground, fresh: &Fresh) -> Result<DiskCeilings, Error> {
    let window = ground.window();
    eprintln!("waiting for the disk, {} s", ground.seconds);
    let fdatasync = disk::syncs(fresh.folder(), window)?;
    let mut commits = Vec::new();
    for rows in ROWS_PER_COMMIT {
        eprintln!("bare SQLite, {rows} rows a commit, {} s", ground.seconds);
        commits.push(sqlite::commits(fresh.folder(), rows, window).await?);
    }
    let clients = ground.fullest().connections;
    let bench = |server: &crate::postgres::Postgres| {
        eprintln!("pgbench, {clients} connections, {} s", ground.seconds);
        server.bench(clients, ground.members, window)
    };
    Ok(DiskCeilings {
        fdatasync,
        sqlite: commits,
        pgbench: fresh.server().map(bench).transpose()?,
    })
}

/// The runs over one hub.
struct Driven {
    runs: Vec<Run>,
    validation: Option<Figures>,
    hello: Figures,
    body_bytes: usize,
    fhir_body_bytes: usize,
}

impl Driven {
    async fn drive(load: &Load, door: &Door, servers: Option<Servers>) -> Result<Driven, Error> {
        let ground = &load.ground;
        let bodies = bodies(ground.members);
        let mut runs = Vec::new();
        let admissions = Errand::One(Ask::Admission);
        for pace in ground.closed() {
            let figures = run(door, admissions, pace, &bodies, servers).await?;
            let what = What::Admissions;
            runs.push(Run { what, figures });
        }
        let best = runs.iter().map(|run| run.figures.per_second).max();
        let half = ground.at(best.unwrap_or(0) / 2);
        let given = load.rate.iter().map(|rate| ground.at(*rate));
        let given = given.map(|pace| (What::GivenRate, admissions, pace));
        let full = ground.fullest();
        let stays = load.mix.then_some((What::Stays, Errand::Stays, full));
        let others = [(What::HalfRate, admissions, half)]
            .into_iter()
            .chain(given)
            .chain([(What::Fhir, Errand::One(Ask::FhirClaim), full)])
            .chain(stays);
        for (what, errand, pace) in others {
            let figures = run(door, errand, pace, &bodies, servers).await?;
            runs.push(Run { what, figures });
        }
        let validated = Errand::One(Ask::Validation);
        let validation = match can_validate(door, &bodies).await? {
            true => Some(run(door, validated, full, &bodies, servers).await?),
            false => None,
        };
        let nobody = Server::hello().await?;
        let nobodys = Door::new(nobody.address, None, None)?;
        let hello = run(&nobodys, Errand::One(Ask::Hello), full, &bodies, None).await?;
        Ok(Driven {
            runs,
            validation,
            hello,
            body_bytes: bodies.admission().body.len(),
            fhir_body_bytes: bodies.fhir_claim().body.len(),
        })
    }

    fn report(self, load: &Load, machine: Machine, disk: Option<DiskCeilings>) -> Report {
        let Driven {
            runs,
            validation,
            hello,
            body_bytes,
            fhir_body_bytes,
        } = self;
        let is_own = load.target.is_none();
        let store = match load.store {
            Store::Sqlite => "SQLite",
            Store::Postgres => "PostgreSQL",
        };
        let ceilings = Ceilings {
            validation,
            hello,
            disk,
        };
        let answers = runs.iter().flat_map(|run| &run.figures.answers_in_all);
        Report {
            machine,
            setting: Setting {
                store: is_own.then_some(store),
                members: load.ground.members,
                body_bytes,
                fhir_body_bytes,
                tls: load.tls,
                deliver: is_own.then_some(load.deliver),
            },
            idle: None,
            answered: answers
                .filter(|(ask, _)| ask.is_decided())
                .map(|(_, count)| count)
                .sum(),
            ratios: Ratios::of(&runs, &ceilings),
            runs,
            ceilings,
            decided: None,
            checkup: None,
        }
    }
}

/// One run, announced.
///
/// # Errors
/// As [`drive::run`].
pub async fn run(
    door: &Door,
    errand: Errand,
    pace: Pace,
    bodies: &Arc<Bodies>,
    servers: Option<Servers>,
) -> Result<Figures, Error> {
    let Pace {
        connections,
        rate,
        warm_up,
        window,
    } = pace;
    let rate = rate.map_or_else(String::new, |rate| format!(" at {rate}/s"));
    let seconds = (warm_up + window).as_secs();
    let name = errand.name();
    eprintln!("{name}{rate}, {connections} connections, {seconds} s");
    drive::run(door, errand, pace, bodies, servers).await
}

/// Whether the hub has an address that only reads and validates.
async fn can_validate(door: &Door, bodies: &Arc<Bodies>) -> Result<bool, Error> {
    let mut desk = Desk::new(Errand::One(Ask::Validation), Arc::clone(bodies));
    let reply = door.connect().await?.ask(desk.request()).await?;
    Ok(!matches!(
        reply.status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ))
}
