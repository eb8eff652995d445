//! `takmil-load`: drives the real hub over HTTP and says how many durable admissions a second it answers, how
//! soon, and at which cost, beside what nothing can be faster than. It measures; it sets no target.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use hyper::StatusCode;
use takmil_benches::admission::Admissions;
use takmil_benches::arguments::Arguments;
use takmil_benches::disk;
use takmil_benches::drive::{self, Errand, Figures, Pace};
use takmil_benches::error::Error;
use takmil_benches::hub::{self, Hub, Start};
use takmil_benches::listen::Server;
use takmil_benches::machine::Machine;
use takmil_benches::report::{Ceilings, Report, Setting};
use takmil_benches::seed::{self, Webhook};
use takmil_benches::wire::Door;
use takmil_domain::date::Instant;

/// What webhooks of a run are signed with. Nobody checks it: the insurer of a run takes everything.
const WEBHOOK_SECRET: &str = "whsec_dGFrbWlsLWxvYWQtcnVuLXNlY3JldA==";

/// Not every answer was good, or the hub's own check found something.
const NOT_WELL: u8 = 1;

/// The run could not be made.
const COULD_NOT_RUN: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(cause) => Err(Error::System {
            what: "no threads can be had",
            cause,
        }),
    };
    match done {
        Ok(is_well) if is_well => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(NOT_WELL),
        Err(error) => {
            eprintln!("takmil-load: {}", Chain(&error));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// An error with all its causes.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

async fn run(arguments: &Arguments) -> Result<bool, Error> {
    if let Some(folder) = &arguments.write_seed {
        seed::write(folder, arguments.members, None)?;
        println!(
            "{} members written; `takmil import folder {}` loads them",
            arguments.members,
            folder.display()
        );
        return Ok(true);
    }
    let report = match arguments.target {
        Some(_) => drive_running(arguments).await?,
        None => drive_fresh(arguments).await?,
    };
    match arguments.json {
        true => {
            eprint!("{report}");
            println!("{}", serde_json::to_string(&report).unwrap_or_default());
        }
        false => print!("{report}"),
    }
    Ok(report.is_well())
}

/// A hub of its own, on a fresh database.
async fn drive_fresh(arguments: &Arguments) -> Result<Report, Error> {
    std::fs::create_dir_all(&arguments.folder).map_err(Error::file(&arguments.folder))?;
    let mut fresh = tempfile::Builder::new();
    fresh.prefix("takmil-load-").disable_cleanup(arguments.keep);
    let folder = fresh
        .tempdir_in(&arguments.folder)
        .map_err(Error::file(&arguments.folder))?;
    let machine = Machine::look(Some((folder.path(), &arguments.hub_binary)));
    if machine.file_system.as_deref().is_some_and(disk::is_memory) {
        eprintln!(
            "{} is in memory: nothing there is durable; name another --folder",
            folder.path().display()
        );
    }
    eprintln!("waiting for the disk, {} s", arguments.seconds);
    let syncs_per_second = disk::syncs_per_second(folder.path(), arguments.window())?;
    let insurer = match arguments.deliver {
        true => Some(Server::insurer().await?),
        false => None,
    };
    let url = insurer
        .as_ref()
        .map(|insurer| format!("http://{}", insurer.address));
    let start = Start {
        binary: &arguments.hub_binary,
        folder: folder.path(),
        members: arguments.members,
        tls: arguments.tls,
        webhook: url.as_deref().map(|url| Webhook {
            url,
            secret: WEBHOOK_SECRET,
        }),
    };
    eprintln!("loading {} members", arguments.members);
    let hub = Hub::start(&start).await?;
    let driven = drive_hub(arguments, &hub.door, Some(hub.pid)).await?;
    let decided = hub::decided(&hub.door).await?;
    eprintln!("stopping the hub and checking its ledger");
    let checkup = hub.stop().await?;
    if arguments.keep {
        eprintln!("kept: {}", folder.path().display());
    }
    let report = driven.report(arguments, machine, Some(syncs_per_second));
    Ok(Report {
        decided: Some(decided),
        checkup: Some(checkup),
        ..report
    })
}

/// A hub that runs already.
async fn drive_running(arguments: &Arguments) -> Result<Report, Error> {
    let (Some(address), Some(key_file)) = (arguments.target, &arguments.key_file) else {
        return Err(Error::Answer("no address and key were given".to_owned()));
    };
    let key = std::fs::read_to_string(key_file).map_err(Error::file(key_file))?;
    let door = Door::new(address, None, Some(&key))?;
    let driven = drive_hub(arguments, &door, arguments.target_pid).await?;
    Ok(driven.report(arguments, Machine::look(None), None))
}

/// The runs over one hub.
struct Driven {
    admissions: Vec<Figures>,
    validation: Option<Figures>,
    hello: Figures,
    body_bytes: usize,
}

impl Driven {
    fn report(
        self,
        arguments: &Arguments,
        machine: Machine,
        syncs_per_second: Option<u64>,
    ) -> Report {
        let Driven {
            admissions,
            validation,
            hello,
            body_bytes,
        } = self;
        Report {
            machine,
            setting: Setting {
                members: arguments.members,
                body_bytes,
                tls: arguments.tls,
                deliver: arguments.target.is_none().then_some(arguments.deliver),
            },
            answered: admissions.iter().map(|run| run.answers_in_all).sum(),
            admissions,
            ceilings: Ceilings {
                validation,
                hello,
                syncs_per_second,
            },
            decided: None,
            checkup: None,
        }
    }
}

async fn drive_hub(
    arguments: &Arguments,
    door: &Door,
    server: Option<u32>,
) -> Result<Driven, Error> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    let run = format!("{:x}", since.as_micros());
    let bodies = Arc::new(Admissions::new(&run, now.day(), arguments.members));
    let mut admissions = Vec::new();
    for pace in arguments.paces() {
        announce("admissions", pace);
        admissions.push(drive::run(door, Errand::Admission, pace, &bodies, server).await?);
    }
    let pace = arguments.ceiling();
    let validation = match can_validate(door, &bodies).await? {
        true => {
            announce("reading and validating alone", pace);
            Some(drive::run(door, Errand::Validation, pace, &bodies, server).await?)
        }
        false => None,
    };
    announce("hello alone", pace);
    let nobody = Server::hello().await?;
    let hello = drive::run(
        &Door::new(nobody.address, None, None)?,
        Errand::Hello,
        pace,
        &bodies,
        None,
    )
    .await?;
    Ok(Driven {
        admissions,
        validation,
        hello,
        body_bytes: bodies.next().body.len(),
    })
}

/// Whether the hub has an address that only reads and validates.
async fn can_validate(door: &Door, bodies: &Admissions) -> Result<bool, Error> {
    let reply = door
        .connect()
        .await?
        .post(Errand::Validation.path(), None, bodies.next().body)
        .await?;
    Ok(!matches!(
        reply.status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ))
}

fn announce(what: &str, pace: Pace) {
    let Pace {
        connections,
        rate,
        warm_up,
        window,
    } = pace;
    let rate = rate.map_or_else(String::new, |rate| format!(" at {rate}/s"));
    eprintln!(
        "{what}{rate}, {connections} connections, {} s",
        (warm_up + window).as_secs()
    );
}
