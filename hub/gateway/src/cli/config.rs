//! `takmil config`: is the configuration sound, and what is in force.

use clap::Subcommand;

use super::{ConfigFile, Exit, Fatal};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads the configuration, and shows what is in force, with secrets masked.
    Check(ConfigFile),
}

/// Runs the command.
pub(super) fn run(command: &Command, json: bool) -> Result<Exit, Fatal> {
    let Command::Check(file) = command;
    match file.load() {
        Ok(config) if json => println!("{}", config.shown_json()),
        Ok(config) => print!("{}", config.shown()),
        Err(error) => {
            eprintln!("takmil: {error}");
            return Ok(Exit::Refused);
        }
    }
    Ok(Exit::Well)
}
