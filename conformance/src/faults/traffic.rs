//! Clients that send as fast as the hub answers, each one thing after the other, until the hub is gone or they are
//! told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use super::Error;
use super::book::{Book, Told};
use super::desk::Desk;

/// How long a client rests whom the hub has turned away.
const REST: Duration = Duration::from_millis(5);

/// The book, shared by clients.
pub(super) type Shared = Arc<Mutex<Book>>;

pub(super) fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clients at work.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Noticed>,
}

/// What a client noticed.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// Answers that lose or contradict what was acknowledged.
    pub(super) lost: Vec<String>,
    /// Answers that no sound hub gives.
    pub(super) wrong: Vec<String>,
    /// How often the hub said that it cannot serve.
    pub(super) turned_away: i64,
    /// How often no answer came.
    pub(super) unanswered: i64,
}

impl Noticed {
    pub(super) fn add(&mut self, told: Told) {
        match told {
            Told::First { .. } | Told::Same => {}
            Told::TurnedAway => self.turned_away += 1,
            Told::Lost(what) => self.lost.push(what),
            Told::Wrong(what) => self.wrong.push(what),
        }
    }

    pub(super) fn join(mut self, other: Noticed) -> Noticed {
        self.lost.extend(other.lost);
        self.wrong.extend(other.wrong);
        self.turned_away += other.turned_away;
        self.unanswered += other.unanswered;
        self
    }
}

impl FromIterator<Told> for Noticed {
    fn from_iter<I: IntoIterator<Item = Told>>(all: I) -> Noticed {
        let mut noticed = Noticed::default();
        all.into_iter().for_each(|told| noticed.add(told));
        noticed
    }
}

/// How clients behave where no answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// They go home: the hub was killed.
    Leave,
    /// They go on with something else: the way to it is bad.
    GoOn,
}

/// Sets clients to work, one for each desk.
pub(super) fn begin(book: &Shared, desks: Vec<Desk>, seed: u64, patience: Patience) -> Traffic {
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for (client, desk) in desks.into_iter().enumerate() {
        let (book, stop) = (Arc::clone(book), Arc::clone(&stop));
        let own = u64::try_from(client).unwrap_or_default();
        let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(own));
        clients.spawn(work(book, desk, client, random, stop, patience));
    }
    Traffic { stop, clients }
}

async fn work(
    book: Shared,
    desk: Desk,
    client: usize,
    mut random: StdRng,
    stop: Arc<AtomicBool>,
    patience: Patience,
) -> Noticed {
    let mut noticed = Noticed::default();
    while !stop.load(Ordering::Relaxed) {
        let (number, entry) = {
            let mut book = lock(&book);
            let number = book.draw(client, &mut random);
            (number, book.entries.get(number).cloned())
        };
        let Some(entry) = entry else { break };
        match desk.post(&entry.path, &entry.key, &entry.body).await {
            Ok(reply) => {
                let told = lock(&book).told(number, reply, Some(client));
                let rests = told == Told::TurnedAway;
                noticed.add(told);
                if rests {
                    tokio::time::sleep(REST).await;
                }
            }
            Err(_) => {
                noticed.unanswered += 1;
                match patience {
                    Patience::Leave => break,
                    Patience::GoOn => tokio::time::sleep(REST).await,
                }
            }
        }
    }
    noticed
}

impl Traffic {
    /// Tells the clients to stop after what they are at, waits for them, and gives what they noticed.
    pub(super) async fn end(mut self) -> Result<Noticed, Error> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Noticed::default();
        while let Some(noticed) = self.clients.join_next().await {
            all = all.join(noticed?);
        }
        Ok(all)
    }
}
