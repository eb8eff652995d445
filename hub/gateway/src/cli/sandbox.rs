//! `takmil sandbox`: the parties outside the hub, to try it with. An authority made on the spot and what it issues, whose
//! own key is kept nowhere: what it has issued is all that it ever will. Insurers that behave by a script, and a central
//! register.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use takmil_conformance::insurer::{HubClient, Play, Setup, Simulator, Wire};
use takmil_conformance::register::Register;
use takmil_conformance::tls::{Authority, Identity};
use takmil_domain::ids::ParticipantId;

use super::participant::participant_id;
use super::{Exit, Fatal};

/// What webhooks to simulated parties are signed with where nothing else is named: no secret, but a sample.
const SECRET: &str = "whsec_c2FuZGJveC1zYW1wbGUtc2VjcmV0LTEyMzQ1Ng==";

/// The names that the hub's certificate is for.
const LOCAL_NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// What to make, or to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes certificates to try the partner port with.
    Certificates(Certificates),
    /// Runs a simulated insurer until it is interrupted: what the hub calls, in plain text on this machine.
    Insurer(Insurer),
    /// Runs a simulated central register until it is interrupted, which gives unique codes to whatever is told to it.
    Register(Listening),
}

/// Which certificates.
#[derive(Debug, Args)]
pub(crate) struct Certificates {
    /// The folder to write to: ca.pem, hub.pem and hub.key, and a pair for each client.
    folder: PathBuf,
    /// Participants that get a client certificate.
    #[arg(value_parser = participant_id)]
    clients: Vec<ParticipantId>,
}

/// Where a simulated party listens.
#[derive(Debug, Args)]
pub(crate) struct Listening {
    /// The port; any that is free where none is named.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What the hub signs webhooks with, as in its entry.
    #[arg(long, default_value = SECRET)]
    secret: String,
}

/// A simulated insurer.
#[derive(Debug, Args)]
pub(crate) struct Insurer {
    /// Its id at the hub.
    #[arg(value_parser = participant_id)]
    id: ParticipantId,
    #[command(flatten)]
    listening: Listening,
    /// Which wire it speaks.
    #[arg(long, value_enum, default_value_t = Speaks::Rest)]
    wire: Speaks,
    /// How it behaves, as JSON: steps, and what it says otherwise; it approves everything where none is named.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// The hub, whom it tells of its own accord what it decides later.
    #[arg(long, value_name = "URL", requires = "key_file")]
    hub: Option<String>,
    /// A file with its API key there.
    #[arg(long, value_name = "FILE", requires = "hub")]
    key_file: Option<PathBuf>,
}

/// A wire.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Speaks {
    Grpc,
    Rest,
}

/// Makes what was asked for, or runs it.
pub(super) async fn run(command: Command, json: bool) -> Result<Exit, Fatal> {
    match command {
        Command::Certificates(arguments) => certificates(&arguments, json),
        Command::Insurer(arguments) => insurer(arguments, json).await,
        Command::Register(Listening { port, secret }) => {
            let register = Register::start(&secret, port).await?;
            listens("rest", &register.url(), Some(&secret), json).await
        }
    }
}

async fn insurer(arguments: Insurer, json: bool) -> Result<Exit, Fatal> {
    let Listening { port, secret } = arguments.listening;
    let (wire, name) = match arguments.wire {
        Speaks::Grpc => (Wire::Grpc, "grpc"),
        Speaks::Rest => {
            let secret = secret.clone();
            (Wire::Rest { secret }, "rest")
        }
    };
    let simulator = Simulator::start(Setup {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ..Setup::new(arguments.id.as_str(), wire)
    });
    let simulator = simulator.await?;
    if let Some(file) = &arguments.script {
        let text = fs::read_to_string(file)?;
        let play: Play = serde_json::from_str(&text)
            .map_err(|error| format!("{} is no script: {error}", file.display()))?;
        simulator.perform(play).await;
    }
    if let Some((url, file)) = arguments.hub.zip(arguments.key_file) {
        let key = fs::read_to_string(file)?;
        simulator.report_to(HubClient::new(&url, None, key.trim())?);
    }
    let secret = (name == "rest").then_some(secret);
    listens(name, &simulator.url(), secret.as_deref(), json).await
}

/// Says what the hub's entry has to name, and waits to be interrupted.
async fn listens(
    transport: &str,
    url: &str,
    secret: Option<&str>,
    json: bool,
) -> Result<Exit, Fatal> {
    let mut endpoint = json!({"transport": transport, "url": url});
    if let Some(secret) = secret {
        endpoint["secret"] = json!(secret);
    }
    match json {
        true => println!("{}", json!({"endpoint": endpoint})),
        false => println!("listens; in its entry at the hub: {endpoint}"),
    }
    tokio::signal::ctrl_c().await?;
    Ok(Exit::Well)
}

/// Makes the certificates, and prints their files.
fn certificates(arguments: &Certificates, json: bool) -> Result<Exit, Fatal> {
    let Certificates { folder, clients } = arguments;
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
