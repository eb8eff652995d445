//! `takmil participant`: who talks to the hub, the people who work for them, and what they are known by. A key is
//! shown once; of it and of a certificate the store has a hash alone.

use clap::{Args, Subcommand};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::{Participant, Role};
use takmil_store::{NewCredential, StaffId, StaffRole, Store};

use super::{ConfigFile, Exit, Fatal};
use crate::auth::{self, Credential};
use crate::clock;
use crate::documents::{self, Document};
use crate::hub::open_store;
use crate::neighbours::tell_of_changes;

/// What to do with participants.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a participant, or brings it up to date, and gives it a key.
    Add {
        /// Its name in the hub.
        #[arg(value_parser = participant_id, required_unless_present = "document")]
        id: Option<ParticipantId>,
        /// The name people know it by; the name in the hub where it is missing.
        #[arg(long)]
        title: Option<String>,
        /// provider, insurer, regulator or operator.
        #[arg(long, value_parser = role, required_unless_present = "document")]
        role: Option<Role>,
        /// A JSON file with the whole entry, in the place of the other options.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "title", "role"])]
        document: Option<PathBuf>,
    },
    /// Takes on a person of a participant, and gives the person a key.
    Person {
        /// The participant.
        #[arg(value_parser = participant_id)]
        participant: ParticipantId,
        /// The person's name.
        #[arg(long)]
        name: String,
        /// What the person may do: assessor, finance, plan_author, approver, desk, billing, auditor, operator.
        #[arg(long = "role", value_parser = staff_role, required = true)]
        roles: Vec<StaffRole>,
    },
    /// Gives a participant one more key.
    Key {
        /// The participant.
        #[arg(value_parser = participant_id)]
        participant: ParticipantId,
        /// What people call the key.
        #[arg(long, default_value = "key")]
        label: String,
    },
    /// Lets a participant in by a client certificate, whichever its authority renews on the same key.
    Certificate {
        /// The participant.
        #[arg(value_parser = participant_id)]
        participant: ParticipantId,
        /// A PEM file with the certificate, or with its public key alone.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// What people call the certificate.
        #[arg(long, default_value = "certificate")]
        label: String,
    },
    /// Closes the key that stands on standard input, and opens another in its place.
    Rotate,
    /// Closes a certificate for good, or the key that stands on standard input.
    Revoke {
        /// A PEM file with the certificate, or with its public key alone.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
}

pub(super) fn participant_id(text: &str) -> Result<ParticipantId, &'static str> {
    ParticipantId::parse(text).ok_or("1 to 64 of a-z A-Z 0-9 . _ -")
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).ok_or("expected provider, insurer, regulator or operator")
}

fn staff_role(text: &str) -> Result<StaffRole, String> {
    let names = || {
        StaffRole::ALL
            .iter()
            .map(|role| role.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    StaffRole::parse(text).ok_or_else(|| format!("expected one of {}", names()))
}

/// Runs the command, and prints the entry.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    let store = open_store(&config).await?;
    let shown = act(&store, arguments.command).await;
    store.close().await;
    print(&shown?, json);
    tell_of_changes(&config).await?;
    Ok(Exit::Well)
}

async fn act(store: &Store, command: Command) -> Result<Value, Fatal> {
    match command {
        Command::Add {
            id,
            title,
            role,
            document,
        } => {
            let participant = match (document, id, role) {
                (Some(file), ..) => entry(&std::fs::read(file)?)?,
                (None, Some(id), Some(role)) => plain(id, title, role),
                (None, ..) => return Err("name the participant and its role, or a document".into()),
            };
            store.upsert_participant(&participant).await?;
            let key = give(store, &participant.id, None, "key").await?;
            Ok(json!({"participant": participant, "key": key}))
        }
        Command::Person {
            participant,
            name,
            roles,
        } => {
            let person = store
                .add_staff(&participant, &name, &roles, clock::now())
                .await?;
            let key = give(store, &participant, Some(person), &name).await?;
            Ok(
                json!({"participant": participant, "person": person, "name": name, "roles": roles, "key": key}),
            )
        }
        Command::Key { participant, label } => {
            let key = give(store, &participant, None, &label).await?;
            Ok(json!({"participant": participant, "label": label, "key": key}))
        }
        Command::Rotate => {
            let (key, hash) = auth::fresh_key();
            store
                .rotate_credential(presented()?.hash(), hash, clock::now())
                .await?;
            Ok(json!({"key": key}))
        }
        Command::Certificate {
            participant,
            file,
            label,
        } => {
            let public_key = *of_file(&file)?.hash();
            let credential = NewCredential {
                participant,
                staff: None,
                hash: public_key,
                label,
            };
            store.add_credential(&credential, clock::now()).await?;
            let NewCredential {
                participant, label, ..
            } = credential;
            Ok(
                json!({"participant": participant, "label": label, "public_key_sha256": hex(&public_key)}),
            )
        }
        Command::Revoke { certificate } => {
            let credential = match certificate {
                Some(file) => of_file(&file)?,
                None => presented()?,
            };
            store
                .revoke_credential(credential.hash(), clock::now())
                .await?;
            Ok(json!({"revoked": true}))
        }
    }
}

fn entry(text: &[u8]) -> Result<Participant, Fatal> {
    let value = documents::json(text).map_err(|problem| problem.to_string())?;
    let said = |problems: Vec<_>| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
            .join("; ")
    };
    let read = documents::read(Document::Participant, &value, "");
    read.map_err(|problems: Vec<takmil_domain::problem::Problem>| said(problems).into())
}

fn plain(id: ParticipantId, title: Option<String>, role: Role) -> Participant {
    Participant {
        title: title.unwrap_or_else(|| id.to_string()),
        id,
        role,
        identifiers: Vec::new(),
        currency: None,
        sector: None,
        networks: Vec::new(),
        contract: None,
    }
}

async fn give(
    store: &Store,
    participant: &ParticipantId,
    staff: Option<StaffId>,
    label: &str,
) -> Result<String, Fatal> {
    let (key, hash) = auth::fresh_key();
    let credential = NewCredential {
        participant: participant.clone(),
        staff,
        hash,
        label: label.to_owned(),
    };
    store.add_credential(&credential, clock::now()).await?;
    Ok(key)
}

/// The key on standard input: an argument would stand in the list of processes.
fn presented() -> Result<Credential, Fatal> {
    let mut text = String::new();
    std::io::stdin().take(1_024).read_to_string(&mut text)?;
    let key = Credential::of_key(text.trim());
    key.ok_or_else(|| "a key, tk_…, is read from standard input, and none stands there".into())
}

/// The certificate of a PEM file, the first where it holds a chain; or the public key that stands there alone.
fn of_file(file: &Path) -> Result<Credential, Fatal> {
    let pem = std::fs::read(file)?;
    if let Ok(certificate) = CertificateDer::from_pem_slice(&pem) {
        return Ok(Credential::of_certificate(&certificate)?);
    }
    let key = SubjectPublicKeyInfoDer::from_pem_slice(&pem);
    let key = key.map_err(|_| {
        let file = file.display();
        format!("{file} holds neither a certificate nor a public key as PEM")
    })?;
    Ok(Credential::of_public_key(&key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn print(shown: &Value, json: bool) {
    if json {
        return println!("{shown}");
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value.as_str() {
            Some(text) => println!("{name}: {text}"),
            None => println!("{name}: {value}"),
        }
    }
    if shown.get("key").is_some() {
        eprintln!("The key is shown this once; the hub keeps its hash alone.");
    }
}
