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
use takmil_domain::problem::Problem;
use takmil_store::{CredentialKind, NewCredential, Scope, StaffId, StaffRole, Store};

use super::{ConfigFile, Exit, Fatal};
use crate::auth::{self, Credential};
use crate::clock;
use crate::documents::{self, Document};
use crate::faces::rest::OVERLAP_HOURS;
use crate::hub::open_store;
use crate::lint;
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
    /// Closes the key that stands on standard input, and opens another in its place; or, of a participant that is named,
    /// puts another secret in force with which webhooks to it are signed.
    Rotate {
        /// The participant whose webhook secret is changed.
        #[arg(value_parser = participant_id)]
        participant: Option<ParticipantId>,
        /// For so many hours webhooks are signed with the secret before, too.
        #[arg(long, value_name = "HOURS", default_value_t = OVERLAP_HOURS, requires = "participant")]
        overlap: u32,
    },
    /// Shows by which keys and certificates a participant and its people are let in.
    List {
        /// The participant.
        #[arg(value_parser = participant_id)]
        participant: ParticipantId,
    },
    /// Closes a key or certificate for good: a participant's by its label or hash, or a certificate, or the key that
    /// stands on standard input.
    Revoke {
        /// The participant, where its list names what is to be closed.
        #[arg(value_parser = participant_id, requires = "named", conflicts_with = "certificate")]
        participant: Option<ParticipantId>,
        /// What people call the key or certificate.
        #[arg(long, group = "named", requires = "participant")]
        label: Option<String>,
        /// The last characters of its hash, as the list shows them, or more of them.
        #[arg(long, group = "named", value_parser = hash_end, requires = "participant")]
        hash: Option<String>,
        /// A PEM file with the certificate, or with its public key alone.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
}

pub(super) fn participant_id(text: &str) -> Result<ParticipantId, &'static str> {
    ParticipantId::parse(text).ok_or("1 to 64 of a-z A-Z 0-9 . _ -")
}

/// How many characters of a hash the list shows: enough to tell those of one participant apart.
const SHOWN_OF_HASH: usize = 12;

fn hash_end(text: &str) -> Result<String, &'static str> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_end = (SHOWN_OF_HASH..=64).contains(&text.len()) && is_hex(text);
    let lower = is_end.then(|| text.to_ascii_lowercase());
    lower.ok_or("expected the last 12 or more hexadecimal digits of the hash")
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
    let changes = !matches!(arguments.command, Command::List { .. });
    let shown = act(&store, arguments.command).await;
    store.close().await;
    print(&shown?, json);
    if changes {
        tell_of_changes(&config).await?;
    }
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
            let mut shown = json!({"participant": participant, "key": key});
            let remarks = lint::odd(participant.remarks());
            if !remarks.is_empty() {
                shown["remarks"] = json!(remarks);
            }
            Ok(shown)
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
        Command::Rotate {
            participant: Some(participant),
            overlap,
        } => {
            let secret = auth::fresh_secret();
            let until = clock::now().plus_ms(u64::from(overlap).saturating_mul(3_600_000));
            store.rotate_secret(&participant, &secret, until).await?;
            let until = until.to_string();
            Ok(json!({"participant": participant, "secret": secret, "former_until": until}))
        }
        Command::Rotate { .. } => {
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
                kind: CredentialKind::Certificate,
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
        Command::List { participant } => list(store, &participant).await,
        Command::Revoke {
            participant,
            label,
            hash,
            certificate,
        } => {
            let hash = match (participant, certificate) {
                (Some(participant), _) => named(store, &participant, label, hash).await?,
                (None, Some(file)) => *of_file(&file)?.hash(),
                (None, None) => *presented()?.hash(),
            };
            store.revoke_credential(&hash, clock::now()).await?;
            Ok(json!({"revoked": true}))
        }
    }
}

async fn list(store: &Store, id: &ParticipantId) -> Result<Value, Fatal> {
    let participant = store.participant(id).await?;
    let people = store.staff_of(id).await?;
    let name = |person: StaffId| {
        let known = people.iter().find(|known| known.id == person);
        known.map(|known| known.name.as_str())
    };
    let open = store.credentials(&Scope::Hub, id).await?;
    let shown = open.iter().map(|own| {
        json!({
            "kind": own.kind,
            "label": own.label,
            "person": own.staff.and_then(name),
            "created_at": own.created_at.to_string(),
            "hash_ends": shown_of(&own.hash),
        })
    });
    let shown: Vec<Value> = shown.collect();
    Ok(json!({"participant": participant.id, "credentials": shown}))
}

fn shown_of(hash: &[u8; 32]) -> String {
    let mut hex = hex(hash);
    hex.split_off(hex.len().saturating_sub(SHOWN_OF_HASH))
}

/// The hash of the one credential of a participant that bears the label, or whose hash ends so.
async fn named(
    store: &Store,
    participant: &ParticipantId,
    label: Option<String>,
    end: Option<String>,
) -> Result<[u8; 32], Fatal> {
    let mut open = store.credentials(&Scope::Hub, participant).await?;
    open.retain(|own| {
        label.as_ref().is_none_or(|label| *label == own.label)
            && end.as_ref().is_none_or(|end| hex(&own.hash).ends_with(end))
    });
    match open.as_slice() {
        [one] => Ok(one.hash),
        [] => Err(format!("nothing of {participant} is called so, or it is closed already").into()),
        [..] => {
            let count = open.len();
            Err(format!("{count} of {participant} are called so; name one by --hash").into())
        }
    }
}

fn entry(text: &[u8]) -> Result<Participant, Fatal> {
    let value = documents::json(text).map_err(|problem| problem.to_string())?;
    let said = |problems: Vec<Problem>| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
            .join("; ")
    };
    let read: Participant = documents::read(Document::Participant, &value, "").map_err(said)?;
    match lint::faults(read.faults()) {
        faults if faults.is_empty() => Ok(read),
        faults => Err(said(faults).into()),
    }
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
        callback: None,
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
        kind: CredentialKind::Key,
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
    if let Some(open) = shown.get("credentials").and_then(Value::as_array) {
        return open.iter().for_each(print_credential);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value.as_str() {
            Some(text) => println!("{name}: {text}"),
            None => println!("{name}: {value}"),
        }
    }
    if shown.get("secret").is_some() {
        eprintln!("The secret is shown this once; until the end of the time both sign.");
    }
    if shown.get("key").is_some() {
        eprintln!("The key is shown this once; the hub keeps its hash alone.");
    }
}

/// One line of the list.
fn print_credential(shown: &Value) {
    let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or("–");
    println!(
        "{:<11}  …{}  {}  {}  ({})",
        text("kind"),
        text("hash_ends"),
        text("created_at"),
        text("label"),
        text("person"),
    );
}
