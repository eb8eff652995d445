//! The script is sent, message by message, over HTTPS with each provider's own key; then it is followed to the
//! insurers.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use takmil_conformance::provider::Client;
use takmil_domain::decision::Totals;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::money::Currency;

use super::World;
use super::reply::{self, Told};
use super::script::{Marks, SCRIPT, Sample};
use super::standing::{Standing, who};
use crate::cli::Fatal;

/// How long insurers may take to have everything.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a message that waits for its insurer is followed.
const REVIEW: Duration = Duration::from_secs(5);

/// One message, and what became of it.
pub(super) struct Row {
    /// Where it belongs in the table.
    pub(super) group: &'static str,
    /// What it is.
    pub(super) title: String,
    /// The provider.
    pub(super) sender: ParticipantId,
    /// Its shape on the wire.
    pub(super) format: &'static str,
    /// From sending it to having read the answer, in microseconds.
    pub(super) micros: u64,
    /// What became of it.
    pub(super) became: Became,
}

/// What became of a message.
pub(super) enum Became {
    /// The hub took it.
    Taken(Box<Taken>),
    /// The hub refused it, with this code, because of what stands at this place.
    Refused { code: String, place: String },
}

/// A message that the hub took.
pub(super) struct Taken {
    /// The hub's id of it.
    pub(super) id: MessageId,
    /// Its kind.
    pub(super) kind: &'static str,
    /// Who decided, as the provider was told; or how far it had come.
    pub(super) who: &'static str,
    /// Who decided in the end, where the provider was told to wait.
    pub(super) later: Option<&'static str>,
    /// Whether it had been taken before, and this was the same answer again.
    pub(super) repeated: bool,
    /// The shares, where there is a bill.
    pub(super) shares: Option<(Currency, Totals)>,
    /// Why, as public codes.
    pub(super) reasons: Vec<&'static str>,
    /// Whether any insurer is to hear of it.
    pub(super) owed: bool,
    /// Whether its insurers have it, by their own word.
    pub(super) delivered: bool,
}

impl Row {
    /// What the hub took, where it did.
    pub(super) fn taken(&self) -> Option<&Taken> {
        match &self.became {
            Became::Taken(taken) => Some(taken),
            Became::Refused { .. } => None,
        }
    }
}

impl Taken {
    /// A message as it stands when its provider has read the answer.
    pub(super) fn of(id: MessageId, pended: bool, repeated: bool, standing: &Standing) -> Taken {
        let answer = &standing.answer;
        let decision = answer.decision.as_ref();
        let lines = decision.into_iter().flat_map(|decision| &decision.lines);
        let of_lines = lines.flat_map(|line| &line.reasons);
        let mut reasons = Vec::new();
        for reason in answer.reasons.iter().chain(of_lines) {
            if !reasons.contains(&reason.code()) {
                reasons.push(reason.code());
            }
        }
        Taken {
            id,
            kind: answer.kind.as_str(),
            who: if pended { "pended" } else { who(answer) },
            later: None,
            repeated,
            shares: decision.map(|decision| (decision.currency, decision.totals.clone())),
            reasons,
            owed: standing.is_owed(),
            delivered: false,
        }
    }
}

/// Sends the script.
pub(super) async fn play(world: &World) -> Result<Vec<Row>, Fatal> {
    let samples = SCRIPT
        .iter()
        .flat_map(|(country, samples)| samples.iter().map(move |sample| (*country, sample)));
    let samples: Vec<_> = samples.collect();
    let progress = world.screen.progress("messages", samples.len());
    let mut clients: HashMap<&str, Client> = HashMap::new();
    let mut marks = Marks {
        today: world.today,
        run: world.run.clone(),
        ids: HashMap::new(),
    };
    let mut rows = Vec::with_capacity(samples.len());
    for (country, sample) in samples {
        if !clients.contains_key(sample.sender) {
            let client = provider(world, sample.sender).await?;
            clients.insert(sample.sender, client);
        }
        if let Some(client) = clients.get(sample.sender) {
            let row = send(world, client, country, sample, &mut marks).await?;
            rows.push(row);
        }
        progress.step();
    }
    Ok(rows)
}

/// A provider's client that is connected already, so that what is measured is the hub.
pub(super) async fn provider(world: &World, sender: &str) -> Result<Client, Fatal> {
    let id = ParticipantId::parse(sender).ok_or("a provider has no id")?;
    let client = world.hub.provider(world.keys.of(&id)?)?;
    client.read("/healthz").await?;
    Ok(client)
}

async fn send(
    world: &World,
    client: &Client,
    group: &'static str,
    sample: &Sample,
    marks: &mut Marks,
) -> Result<Row, Fatal> {
    let body = marks.fill(sample.text)?.into_bytes();
    let key = format!("{}-{}", sample.name, marks.run);
    let began = Instant::now();
    let reply = client
        .send(sample.path, sample.shape.media_type(), body, Some(&key))
        .await?;
    let micros = micros(began.elapsed());
    let told = reply::read(&reply).into_iter().next();
    let became = match told {
        Some(Told::Taken { id, pended }) => {
            let standing = Standing::of(world.hub.store(), id).await?;
            let known = marks.ids.insert(sample.name, id.to_string());
            let repeated = known == Some(id.to_string());
            Became::Taken(Box::new(Taken::of(id, pended, repeated, &standing)))
        }
        Some(Told::Refused { code, place }) => Became::Refused { code, place },
        None => {
            return Err(format!(
                "the hub's reply to {} cannot be read: {}",
                sample.name, reply.status
            )
            .into());
        }
    };
    Ok(Row {
        group,
        title: sample.title.to_owned(),
        sender: ParticipantId::parse(sample.sender).ok_or("a provider has no id")?,
        format: sample.shape.as_str(),
        micros,
        became,
    })
}

/// A time in whole microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Waits until insurers have what they are owed, and says of each message whether they do, and what became of
/// those that waited for a decision.
pub(super) async fn follow(world: &World, rows: &mut [Row]) -> Result<(), Fatal> {
    for row in rows.iter_mut() {
        let Became::Taken(taken) = &mut row.became else {
            continue;
        };
        if taken.who == "pended" {
            taken.later = reviewed(world, taken.id).await?;
        }
    }
    world.hub.settle(PATIENCE, |_| ()).await?;
    let received = world.insurers.received();
    for row in rows {
        let Became::Taken(taken) = &mut row.became else {
            continue;
        };
        let standing = Standing::of(world.hub.store(), taken.id).await?;
        taken.delivered = standing.is_delivered(&received);
    }
    Ok(())
}

/// Who decided a message that waited, if somebody does in time.
pub(super) async fn reviewed(world: &World, id: MessageId) -> Result<Option<&'static str>, Fatal> {
    const PAUSE: Duration = Duration::from_millis(20);
    let began = Instant::now();
    while began.elapsed() < REVIEW {
        let standing = Standing::of(world.hub.store(), id).await?;
        match who(&standing.answer) {
            "pended" => tokio::time::sleep(PAUSE).await,
            who => return Ok(Some(who)),
        }
    }
    Ok(None)
}
