//! `takmil deliveries`: what is owed to insurers, what they refused, and what a person does about it.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, ParticipantId};
use takmil_store::{
    DeliveryPage, DeliveryState, ListedDelivery, Redelivery, Scope, Store, StoreError,
};

use super::participant::participant_id;
use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::faces::rest::state_name;
use crate::hub::open_store;

/// How many are read from the store at once.
const PAGE: u32 = 1_000;

/// Who it was where a command did it.
const AT_THE_COMMAND_LINE: &str = "command line";

/// What to do about deliveries.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists deliveries, without their content, in the order in which they became owed.
    List {
        /// How far they have come.
        #[arg(long, value_enum, default_value = "owed")]
        state: State,
        /// To whom; to everybody where nobody is named.
        #[arg(long, value_parser = participant_id)]
        insurer: Option<ParticipantId>,
    },
    /// Makes deliveries owed again that were had or refused for good: one by its id, or an insurer's of a stretch of time.
    Redeliver {
        /// The delivery.
        #[arg(value_parser = delivery_id, required_unless_present = "insurer")]
        id: Option<DeliveryId>,
        /// To whom.
        #[arg(long, value_parser = participant_id, requires_all = ["from", "to"], conflicts_with = "id")]
        insurer: Option<ParticipantId>,
        /// From when on they became owed, as 2026-11-21T08:30:00Z.
        #[arg(long, value_parser = moment, requires = "insurer")]
        from: Option<Instant>,
        /// Until when.
        #[arg(long, value_parser = moment, requires = "insurer")]
        to: Option<Instant>,
    },
    /// Closes a delivery that was refused for good: its insurer knows by other means.
    Resolve {
        /// The delivery.
        #[arg(value_parser = delivery_id)]
        id: DeliveryId,
        /// By which means. Nothing of the member.
        #[arg(long)]
        note: String,
    },
    /// Says how much is owed to each insurer, and since when.
    Health,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Owed,
    Dead,
    Delivered,
    All,
}

impl State {
    fn asked(self) -> Option<DeliveryState> {
        match self {
            State::Owed => Some(DeliveryState::Owed),
            State::Dead => Some(DeliveryState::Dead),
            State::Delivered => Some(DeliveryState::Delivered),
            State::All => None,
        }
    }
}

fn delivery_id(text: &str) -> Result<DeliveryId, &'static str> {
    DeliveryId::parse(text).ok_or("a delivery's id, as the list shows it")
}

fn moment(text: &str) -> Result<Instant, &'static str> {
    Instant::parse(text).ok_or("a moment, as 2026-11-21T08:30:00Z")
}

/// Does it.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let store = open_store(&arguments.config.load()?).await?;
    let done = perform(&store, arguments.command, json).await;
    store.close().await;
    match done {
        Ok(()) => Ok(Exit::Well),
        Err(StoreError::NotFound) => {
            eprintln!("takmil: there is no such delivery, or none that this can be done to");
            Ok(Exit::Refused)
        }
        Err(other) => Err(other.into()),
    }
}

async fn perform(store: &Store, command: Command, json: bool) -> Result<(), StoreError> {
    match command {
        Command::List { state, insurer } => list(store, state, insurer, json).await,
        Command::Redeliver {
            id,
            insurer,
            from,
            to,
        } => {
            let what = match (id, &insurer, from.zip(to)) {
                (Some(id), _, _) => Redelivery::One(id),
                (None, Some(insurer), Some((from, to))) => {
                    Redelivery::Stretch { insurer, from, to }
                }
                // The options demand one of the two.
                (None, _, _) => return Err(StoreError::NotFound),
            };
            let again = store.redeliver(&Scope::Hub, what, clock::now()).await?;
            match json {
                true => println!("{}", json!({ "deliveries": again })),
                false => println!("{again} owed again"),
            }
            Ok(())
        }
        Command::Resolve { id, note } => {
            let said = (AT_THE_COMMAND_LINE, note.as_str());
            store
                .resolve_delivery(&Scope::Hub, id, said, clock::now())
                .await?;
            match json {
                true => println!("{}", json!({"delivery": id, "resolved": true})),
                false => println!("{id}: owed no longer"),
            }
            Ok(())
        }
        Command::Health => health(store, json).await,
    }
}

async fn list(
    store: &Store,
    state: State,
    insurer: Option<ParticipantId>,
    json: bool,
) -> Result<(), StoreError> {
    let mut page = DeliveryPage {
        insurer,
        state: state.asked(),
        after: 0,
        most: PAGE,
    };
    loop {
        let found = store.deliveries(&Scope::Hub, &page).await?;
        let Some(last) = found.last() else {
            return Ok(());
        };
        page.after = last.sequence;
        for delivery in &found {
            match json {
                true => println!("{}", shown(delivery)),
                false => println!("{}", line(delivery)),
            }
        }
    }
}

fn shown(delivery: &ListedDelivery) -> Value {
    let (by, note) = delivery.resolved.clone().unzip();
    json!({
        "id": delivery.id, "insurer": delivery.insurer, "purpose": delivery.purpose,
        "message": delivery.message, "kind": delivery.kind, "state": state_name(delivery.state),
        "created_at": delivery.created_at, "delivered_at": delivery.delivered_at,
        "dead_at": delivery.dead_at, "attempts": delivery.attempts, "error": delivery.error,
        "resolved_by": by, "resolved_note": note,
    })
}

fn line(delivery: &ListedDelivery) -> String {
    let ListedDelivery {
        id,
        insurer,
        message,
        created_at,
        attempts,
        ..
    } = delivery;
    let (state, purpose) = (state_name(delivery.state), delivery.purpose.as_str());
    let error = delivery.error.as_deref().unwrap_or_default();
    let told = format!(
        "{id}  {insurer}  {state}  {purpose} of {message}  since {created_at}  tried {attempts}  {error}"
    );
    told.trim_end().to_owned()
}

async fn health(store: &Store, json: bool) -> Result<(), StoreError> {
    for backlog in store.backlogs(&Scope::Hub).await? {
        if json {
            let insurer = json!({
                "insurer": backlog.insurer, "waiting": backlog.waiting, "dead": backlog.dead,
                "oldest": backlog.oldest, "delivered": backlog.delivered,
                "last_delivered": backlog.last_delivered,
            });
            println!("{insurer}");
            continue;
        }
        let oldest = backlog.oldest.map(|oldest| format!(", since {oldest}"));
        println!(
            "{}: {} wait{}, {} refused for good, {} delivered",
            backlog.insurer,
            backlog.waiting,
            oldest.unwrap_or_default(),
            backlog.dead,
            backlog.delivered
        );
    }
    Ok(())
}
