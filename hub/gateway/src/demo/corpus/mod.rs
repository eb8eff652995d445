//! A folder of other people's messages is sent to the hub, every one that it can read, and followed to an insurer.
//!
//! Every file has a sender of its own: samples of one source use one another's numbers for different contents,
//! which the hub would rightly refuse from one sender. The members of the messages are covered before, on labelled
//! sample plans; outside of a demonstration nobody covers unknown members.

mod files;
mod people;

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};
use takmil_conformance::tls::Authority;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::money::Currency;
use takmil_domain::participant::Participant;
use takmil_domain::plan::Plan;
use takmil_store::{Scope, Store};

use super::World;
use super::figures::{Sums, in_ms};
use super::insurers::Insurers;
use super::play::{Became, Row, Taken, micros};
use super::reply::{self, Told};
use super::seed::{self, Keys};
use super::standing::{Standing, who};
use crate::cli::Fatal;
use files::Letter;

/// The insurers on whose sample plans the members are: one is consulted by gRPC, the other by contract decided
/// for by the hub and told by REST.
const INSURERS: [&str; 2] = ["sample-grpc", "sample-rest"];

/// How many bodies are under way at once, each on a connection of its own.
const CONNECTIONS: usize = 16;

/// The currency of amounts whose message names none, by agreement with all senders here.
const DEFAULT_CURRENCY: &str = "USD";

/// What stands for a code where the hub gave no answer.
const NO_ANSWER: &str = "no answer";

/// Codes by which the hub says that it failed, not the message.
const FAILURES: &[&str] = &[
    "API-INTERNAL",
    "API-BUSY",
    "API-TIMEOUT",
    "API-RATE",
    NO_ANSWER,
];

/// How long insurers may take to have everything.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of the folder.
pub(super) struct Corpus {
    files: usize,
    skipped: BTreeMap<String, usize>,
    bodies: usize,
    members: usize,
    rows: Vec<Row>,
    /// Messages of which the replies say nothing.
    unaccounted: usize,
    settled: bool,
    took: Duration,
}

/// Starts the insurers.
pub(super) async fn add_insurers(
    insurers: &mut Insurers,
    authority: &Authority,
) -> Result<(), Fatal> {
    for participant in participants()? {
        insurers.add(&participant, authority).await?;
    }
    Ok(())
}

/// Makes the insurers known to the hub.
pub(super) async fn admit_insurers(
    store: &Store,
    insurers: &Insurers,
    keys: &mut Keys,
    now: takmil_domain::date::Instant,
) -> Result<(), Fatal> {
    for participant in participants()? {
        let participant = insurers.reachable(participant);
        keys.admit(store, &participant, now).await?;
    }
    Ok(())
}

fn participants() -> Result<Vec<Participant>, Fatal> {
    let [consulted, delegated] = INSURERS;
    let participants = json!([
        {
            "id": consulted, "title": "Sample insurer, consulted", "role": "insurer",
            "contract": {"mode": "consulted", "deadline_ms": 5_000},
        },
        {
            "id": delegated, "title": "Sample insurer, delegated", "role": "insurer",
            "contract": {"mode": "delegated"},
        },
    ]);
    Ok(serde_json::from_value(participants)?)
}

/// A sample plan: everything in one currency, a tenth for the member. It says that it is a sample.
fn plan(insurer: &str, currency: Currency) -> Result<Plan, Fatal> {
    let plan = json!({
        "id": plan_id(insurer, currency),
        "version": 1,
        "insurer": insurer,
        "title": format!("Sample plan in {currency}: invented, for demonstrations alone"),
        "currency": currency,
        "from": people::SINCE,
        "year": "calendar",
        "benefits": [{"id": "all", "title": "Everything", "codes": [{"prefix": ""}], "rate": "10%", "limits": ["overall"]}],
        "limits": [{"id": "overall", "title": "Everything, a year", "ceiling": 1_000_000_000_000_i64}],
    });
    Ok(serde_json::from_value(plan)?)
}

fn plan_id(insurer: &str, currency: Currency) -> String {
    format!("{insurer}-{}", currency.as_str().to_ascii_lowercase())
}

/// Sends the folder's messages.
pub(super) async fn run(world: &mut World, folder: &Path) -> Result<Corpus, Fatal> {
    world
        .screen
        .show(format_args!("\nEvery message of {}", folder.display()));
    let currency = Currency::parse(DEFAULT_CURRENCY).unwrap_or(Currency::NONE);
    let shelf = files::gather(folder, world.screen, world.today, currency).await?;
    let members = people::covers(&shelf.letters, &world.run)?;
    world.screen.show(format_args!(
        "  {} files: {} bodies with messages, of {} members",
        shelf.files,
        shelf.letters.len(),
        members.len(),
    ));
    for (reason, count) in &shelf.skipped {
        world
            .screen
            .show(format_args!("    {count} bodies skipped: {reason}"));
    }
    open(world, &shelf.letters, &members, currency).await?;
    let began = Instant::now();
    let (sent, unaccounted) = send(world, &shelf.letters).await?;
    let took = began.elapsed();
    let settled = settle(world).await?;
    let corpus = Corpus {
        files: shelf.files,
        skipped: shelf.skipped,
        bodies: shelf.letters.len(),
        members: members.len(),
        rows: rows(world, &shelf.letters, sent).await?,
        unaccounted,
        settled,
        took,
    };
    world.screen.show(corpus.shown());
    Ok(corpus)
}

/// Makes plans, senders and members known.
async fn open(
    world: &mut World,
    letters: &[Letter],
    members: &[people::Covered],
    currency: Currency,
) -> Result<(), Fatal> {
    let now = crate::clock::now();
    let progress = world.screen.progress("senders", letters.len());
    let store = world.hub.store().clone();
    let currencies: BTreeSet<Currency> = members.iter().map(|member| member.currency).collect();
    for (insurer, currency) in currencies
        .iter()
        .flat_map(|currency| INSURERS.map(|insurer| (insurer, *currency)))
    {
        store
            .upsert_plan(&Scope::Hub, &plan(insurer, currency)?)
            .await?;
    }
    for (place, letter) in letters.iter().enumerate() {
        let sender = json!({
            "id": sender(&world.run, place),
            "title": letter.path,
            "role": "provider",
            "currency": currency,
            "networks": INSURERS,
        });
        let sender: Participant = serde_json::from_value(sender)?;
        world.keys.admit(&store, &sender, now).await?;
        progress.step();
    }
    world.hub.refresh().await?;
    let covers: Vec<_> = members
        .iter()
        .flat_map(|member| member.rows.iter().cloned())
        .collect();
    let refused = seed::enrol(&world.hub, &world.keys, &world.insurers, &covers).await?;
    for (code, count) in refused {
        world
            .screen
            .show(format_args!("    {count} covers refused: {code}"));
    }
    Ok(())
}

/// The sender of a file.
fn sender(run: &str, place: usize) -> String {
    format!("file-{run}-{place}")
}

/// What was told of the messages of one body.
struct Sent {
    /// Which letter.
    place: usize,
    micros: u64,
    told: Vec<Told>,
}

/// Sends all letters, some at a time. Also says of how many messages the replies say nothing.
async fn send(world: &World, letters: &[Letter]) -> Result<(Vec<Sent>, usize), Fatal> {
    let progress = world.screen.progress("bodies", letters.len());
    let all = letters
        .iter()
        .enumerate()
        .map(|(place, letter)| send_one(world, place, letter));
    let mut replies = stream::iter(all).buffer_unordered(CONNECTIONS);
    let (mut sent, mut unaccounted) = (Vec::with_capacity(letters.len()), 0_usize);
    while let Some(one) = replies.next().await {
        let mut one = one?;
        let (path, expected) = letters
            .get(one.place)
            .map_or(("", 0), |letter| (letter.path.as_str(), letter.messages));
        if let [Told::Refused { .. }] = one.told.as_slice() {
            // A body that is refused as a whole is so with all its messages.
            let whole = one.told.clone();
            one.told = whole.into_iter().cycle().take(expected).collect();
        }
        let told = one.told.len();
        if told != expected {
            tracing::error!(
                path,
                expected,
                told,
                "a reply does not say what became of each message"
            );
        }
        unaccounted = unaccounted.saturating_add(expected.abs_diff(told));
        sent.push(one);
        progress.step();
    }
    sent.sort_by_key(|one| one.place);
    Ok((sent, unaccounted))
}

async fn send_one(world: &World, place: usize, letter: &Letter) -> Result<Sent, Fatal> {
    let sender = ParticipantId::parse(&sender(&world.run, place)).ok_or("a sender has no id")?;
    let client = world.hub.provider(world.keys.of(&sender)?)?;
    // Connected before, so that what is measured is the hub.
    client.read("/healthz").await?;
    let began = Instant::now();
    let reply = client
        .send(
            letter.address(),
            letter.media_type(),
            letter.body.clone(),
            None,
        )
        .await;
    let micros = micros(began.elapsed());
    let told = match reply {
        Ok(reply) => reply::read(&reply),
        Err(error) => vec![Told::Refused {
            code: NO_ANSWER.to_owned(),
            place: error.to_string(),
        }],
    };
    Ok(Sent {
        place,
        micros,
        told,
    })
}

async fn settle(world: &World) -> Result<bool, Fatal> {
    let most = world.hub.waiting().await?;
    let progress = world
        .screen
        .progress("deliveries", usize::try_from(most).unwrap_or(usize::MAX));
    let done =
        |waiting: u64| progress.at(usize::try_from(most.saturating_sub(waiting)).unwrap_or(0));
    world.hub.settle(PATIENCE, done).await
}

/// What became of every message, as it stands in the end.
async fn rows(world: &World, letters: &[Letter], sent: Vec<Sent>) -> Result<Vec<Row>, Fatal> {
    let received = world.insurers.received();
    let mut known: HashMap<MessageId, bool> = HashMap::new();
    let mut rows = Vec::new();
    for Sent {
        place,
        micros,
        told,
    } in sent
    {
        let Some(letter) = letters.get(place) else {
            continue;
        };
        for told in told {
            let became = match told {
                Told::Refused { code, place } => Became::Refused { code, place },
                Told::Taken { id, pended } => {
                    let standing = Standing::of(world.hub.store(), id).await?;
                    let repeated = known.insert(id, true).is_some();
                    let mut taken = Taken::of(id, pended, repeated, &standing);
                    taken.later = pended
                        .then(|| who(&standing.answer))
                        .filter(|who| *who != "pended");
                    taken.delivered = standing.is_delivered(&received);
                    Became::Taken(Box::new(taken))
                }
            };
            rows.push(Row {
                group: "corpus",
                title: letter.path.clone(),
                sender: ParticipantId::parse(&sender(&world.run, place))
                    .ok_or("a sender has no id")?,
                format: letter.shape(),
                micros,
                became,
            });
        }
    }
    Ok(rows)
}

impl Corpus {
    /// Whether the hub answered for every message, and every one that it took is with its insurer where it has one.
    pub(super) fn is_whole(&self) -> bool {
        let failed = self
            .refused()
            .into_keys()
            .any(|code| FAILURES.contains(&code));
        let settled = self.settled && self.unaccounted == 0;
        settled && !failed && Sums::of(&self.rows).is_whole()
    }

    /// Its messages.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// The folder's figures in JSON.
    pub(super) fn json(&self) -> Value {
        let sums = Sums::of(&self.rows);
        json!({
            "files": self.files,
            "skipped": self.skipped,
            "bodies": self.bodies,
            "members": self.members,
            "messages": sums.messages,
            "accepted": sums.accepted,
            "refused": self.refused(),
            "delivered": sums.delivered,
            "for_nobody": self.for_nobody(),
            "unaccounted": self.unaccounted,
            "settled": self.settled,
            "ms": in_ms(micros(self.took)),
        })
    }

    fn shown(&self) -> String {
        let sums = Sums::of(&self.rows);
        let mut text = format!(
            "  {} messages: {} taken, {} refused; {} delivered to their insurers; {} ms",
            sums.messages,
            sums.accepted,
            sums.refused,
            sums.delivered,
            micros(self.took) / 1_000,
        );
        let mut list = |what: &str, counts: BTreeMap<&str, usize>| {
            for (reason, count) in counts {
                text.push_str(&format!("\n    {count} {what}: {reason}"));
            }
        };
        list("refused", self.refused());
        list("taken, with no insurer to hear of it", self.for_nobody());
        if !self.settled {
            text.push_str("\n  deliveries still wait");
        }
        if self.unaccounted > 0 {
            text.push_str(&format!(
                "\n  {} messages are NOT ACCOUNTED for",
                self.unaccounted
            ));
        }
        text
    }

    /// How many were refused, by code.
    fn refused(&self) -> BTreeMap<&str, usize> {
        let codes = self.rows.iter().filter_map(|row| match &row.became {
            Became::Refused { code, .. } => Some(code.as_str()),
            Became::Taken(_) => None,
        });
        counted(codes)
    }

    /// How many were taken that no insurer is to hear of, by the reason that the answer gives.
    fn for_nobody(&self) -> BTreeMap<&str, usize> {
        let taken = self.rows.iter().filter_map(Row::taken);
        let idle = taken.filter(|taken| !taken.owed);
        counted(idle.map(|taken| taken.reasons.first().copied().unwrap_or(taken.kind)))
    }
}

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in words {
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
    counts
}
