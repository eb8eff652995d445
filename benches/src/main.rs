//! `takmil-load`: drives the real hub over HTTP and says how many durable messages a second it answers, how
//! soon, and at which cost, beside what nothing can be faster than. It measures; it sets no target.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use takmil_benches::arguments::{CommandLine, Load, Other};
use takmil_benches::error::Error;
use takmil_benches::{growth, helios, measure, route, seed};

/// Not every answer was good, or the hub's own check found something.
const NOT_WELL: u8 = 1;

/// The run could not be made.
const COULD_NOT_RUN: u8 = 3;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&line)),
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

impl Display for Chain<'_> {
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

/// Makes what was asked for, tells what was found, and says whether it was as it should be.
async fn run(line: &CommandLine) -> Result<bool, Error> {
    let load = &line.load;
    match &line.other {
        None => match &load.write_seed {
            Some(folder) => write_seed(folder, load),
            None => {
                let report = match load.target {
                    Some(_) => measure::running(load).await?,
                    None => measure::fresh(load).await?,
                };
                tell(&report, load.ground.json);
                Ok(report.is_well())
            }
        },
        Some(Other::Growth(growth)) => {
            let report = growth::measure(growth).await?;
            tell(&report, growth.ground.json);
            Ok(report.is_well())
        }
        Some(Other::Route(asked)) => {
            let report = route::measure(asked).await?;
            tell(&report, asked.ground.json);
            Ok(report.is_well())
        }
        Some(Other::Helios(helios)) => {
            let report = helios::measure(helios).await?;
            tell(&report, helios.ground.json);
            Ok(report.is_well())
        }
    }
}

fn write_seed(folder: &std::path::Path, load: &Load) -> Result<bool, Error> {
    let members = load.ground.members;
    seed::write(folder, members, None)?;
    println!(
        "{members} members written; `takmil import folder {}` loads them",
        folder.display()
    );
    Ok(true)
}

fn tell(report: &(impl Display + Serialize), json: bool) {
    match json {
        true => {
            eprint!("{report}");
            println!("{}", serde_json::to_string(report).unwrap_or_default());
        }
        false => print!("{report}"),
    }
}
