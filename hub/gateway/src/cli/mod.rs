//! The command line: what each command takes, and what its exit means. The commands themselves do the work.

mod adjudicate;
mod audit;
mod backup;
mod codes;
mod config;
mod convert;
mod deliveries;
mod doctor;
pub(crate) mod import;
mod member;
mod participant;
mod restore;
mod sandbox;
mod serve;
mod settle;
mod simulate;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::backup::Refusal;
use crate::config::{Config, ConfigError};

/// Takmil: one gateway between those who treat and those who pay.
#[derive(Debug, Parser)]
#[command(name = "takmil", version, propagate_version = true)]
struct Cli {
    /// Prints for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the hub.
    Serve(serve::Arguments),
    /// Shows the hub at work: sample insurers, sample messages, an embedded store.
    Demo(crate::demo::Arguments),
    /// Reads wire messages into canonical ones: one line of JSON for each message.
    Convert(convert::Arguments),
    /// Computes the shares of a bill from files, with no store; or derives a stored decision again.
    Adjudicate(adjudicate::Arguments),
    /// What would a period have cost under a changed plan, tariff or price list? Nothing is written to the store.
    Simulate(simulate::Arguments),
    /// Loads plans, tariffs, participants, coverages and code tables. Running it again is harmless.
    Import(import::Arguments),
    /// Adds participants and persons, and gives, renews and revokes their keys and certificates.
    Participant(participant::Arguments),
    /// Shows codes that no table knows and what they may be, and keeps what a person judges them to be.
    #[command(subcommand)]
    Codes(codes::Command),
    /// Shows what is owed to insurers, delivers it again, and sees to what they refused.
    Deliveries(deliveries::Arguments),
    /// Makes the key file of members' contents, and erases members.
    #[command(subcommand)]
    Member(member::Command),
    /// The parties outside the hub, to try it with: certificates, insurers that behave by a script, a central register.
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    /// Settles days that are over, and says how old is what insurers owe.
    #[command(subcommand)]
    Settle(settle::Command),
    /// Verifies and exports the tamper-evident log, and makes its key.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Copies the database while the hub works, with a manifest that a restore is held against.
    Backup(backup::Arguments),
    /// Puts a backup into an empty place, proves it there, and erases again whoever was erased.
    Restore(restore::Arguments),
    /// Looks at the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Says what is wrong, how far it reaches, and the one command to run next.
    Doctor(doctor::Arguments),
}

/// Where a command finds its configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration file; the defaults and the environment alone where none is named.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref())
    }
}

/// How a command ended, by the contract that scripts rest on. Code 2, wrong usage, is clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All well.
    Well,
    /// Some input was refused, or something was found.
    Refused,
    /// The options name what does not exist.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        match exit {
            Exit::Well => ExitCode::SUCCESS,
            Exit::Refused => ExitCode::from(1),
            Exit::Usage => ExitCode::from(2),
        }
    }
}

/// Exit code of a command that could not run.
const COULD_NOT_RUN: u8 = 3;

/// Why a command could not run; its words are printed, with all causes.
pub(crate) type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let Cli { command, json } = Cli::parse();
    let done = match command {
        Command::Serve(arguments) => wait_for(serve::run(arguments)),
        Command::Demo(arguments) => wait_for(crate::demo::run(arguments, json)),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Adjudicate(arguments) => wait_for(adjudicate::run(arguments, json)),
        Command::Simulate(arguments) => wait_for(simulate::run(arguments, json)),
        Command::Import(arguments) => wait_for(import::run(arguments, json)),
        Command::Participant(arguments) => wait_for(participant::run(arguments, json)),
        Command::Codes(command) => wait_for(codes::run(command, json)),
        Command::Deliveries(arguments) => wait_for(deliveries::run(arguments, json)),
        Command::Member(command) => wait_for(member::run(command, json)),
        Command::Sandbox(command) => wait_for(sandbox::run(command, json)),
        Command::Settle(command) => wait_for(settle::run(command, json)),
        Command::Audit(command) => wait_for(audit::run(command, json)),
        Command::Backup(arguments) => refusable(wait_for(backup::run(arguments, json))),
        Command::Restore(arguments) => refusable(wait_for(restore::run(arguments, json))),
        Command::Config(command) => config::run(&command, json),
        Command::Doctor(arguments) => wait_for(doctor::run(arguments, json)),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(fatal) => {
            eprintln!("takmil: {}", crate::code::Chain(fatal.as_ref()));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// A refusal ends a command as one, with its words.
fn refusable(done: Result<Exit, Fatal>) -> Result<Exit, Fatal> {
    let fatal = match done {
        Err(fatal) if fatal.is::<Refusal>() => fatal,
        other => return other,
    };
    eprintln!("takmil: refused: {fatal}");
    Ok(Exit::Refused)
}

fn wait_for(work: impl Future<Output = Result<Exit, Fatal>>) -> Result<Exit, Fatal> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
