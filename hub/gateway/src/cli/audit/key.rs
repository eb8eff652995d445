//! `takmil audit key`: the log's key, made where it is missing, and the policy by which others trust it.

use clap::Args;
use serde_json::json;
use std::path::PathBuf;

use super::super::{ConfigFile, Exit, Fatal};
use crate::audit::{key_file, make_key, policy};

/// Where, and under which name.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file to make. Its owner alone can read it; a file that is there already is left alone. Where none is named
    /// it is the one that the configuration means.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The log's name, an address without its scheme, such as hub.example/audit; that of the configuration where it is
    /// missing.
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Makes a key, and prints what others need of it.
pub(in crate::cli) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Fatal> {
    // A configuration that names the file before it is made is wrong in that alone.
    let config = arguments.config.load();
    let (file, origin) = match (&arguments.file, &arguments.origin) {
        (Some(file), Some(origin)) => (file.clone(), origin.clone()),
        (file, origin) => {
            let config = config.as_ref().map_err(ToString::to_string)?;
            let file = file.clone().unwrap_or_else(|| key_file(config));
            let origin = origin.clone();
            (file, origin.unwrap_or_else(|| config.audit.origin.clone()))
        }
    };
    let key = make_key(&file, &origin)?.key().to_string();
    let policy = match &config {
        Ok(config) => policy(config, &key)?,
        Err(_) => format!("log {key}\nquorum none\n"),
    };
    if json {
        println!("{}", json!({"file": file, "key": key, "policy": policy}));
    } else {
        println!("{} is the log's key.\n\n{policy}", file.display());
    }
    Ok(Exit::Well)
}
