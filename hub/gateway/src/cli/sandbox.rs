//! `takmil sandbox`: an authority made on the spot and what it issues, so that certificates can be tried out. The
//! authority's own key is kept nowhere: what it has issued is all that it ever will.

use clap::Args;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use takmil_conformance::tls::{Authority, Identity};
use takmil_domain::ids::ParticipantId;

use super::participant::participant_id;
use super::{Exit, Fatal};

/// The names that the hub's certificate is for.
const LOCAL_NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// What to make.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder to write to: ca.pem, hub.pem and hub.key, and a pair for each client.
    folder: PathBuf,
    /// Participants that get a client certificate.
    #[arg(value_parser = participant_id)]
    clients: Vec<ParticipantId>,
}

/// Makes the certificates, and prints their files.
pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Fatal> {
    let Arguments { folder, clients } = arguments;
    fs::create_dir_all(folder)?;
    let authority = Authority::new("Takmil sandbox")?;
    let ca = folder.join("ca.pem");
    fs::write(&ca, authority.certificate_pem())?;
    let mut files = vec![ca];
    files.extend(keep(folder, "hub", &authority.issue(LOCAL_NAMES)?)?);
    for client in clients {
        let identity = authority.issue_client(client.as_str())?;
        files.extend(keep(folder, client.as_str(), &identity)?);
    }
    if json {
        println!("{}", json!({"files": files}));
    } else {
        files.iter().for_each(|file| println!("{}", file.display()));
    }
    Ok(Exit::Well)
}

/// Writes a certificate and its key, which nobody else may read.
fn keep(folder: &Path, name: &str, identity: &Identity) -> Result<[PathBuf; 2], Fatal> {
    let at = |ending| folder.join(format!("{name}.{ending}"));
    let (certificate, key) = (at("pem"), at("key"));
    fs::write(&certificate, &identity.certificate_pem)?;
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&key)?.write_all(identity.key_pem.as_bytes())?;
    Ok([certificate, key])
}
