//! The live feed: every step of every message as it happens, each reader its own. The latest are kept, so that who
//! was cut off goes on where it was. A reader that is too slow is dropped, and told so; nothing waits for it.

mod event;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use takmil_domain::ids::ParticipantId;
use takmil_engine::{Committed, Engine, Step};
use takmil_store::Scope;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::mpsc;

use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::neighbours::Neighbours;
pub(crate) use event::{Event, EventId, Place};

/// How many events are kept for those who come back: a minute's worth of a busy hub, in a few megabytes.
pub(crate) const KEPT: usize = 10_000;

/// How many events may wait for one reader. Beyond it the reader is dropped.
const MOST_WAITING: usize = 256;

/// How many readers one participant may have at each hub.
const MOST_READERS: usize = 16;

/// How many turns of lanes are told in one go.
const MOST_TURNS: usize = 64;

/// What a reader is told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// A step of a message.
    Event(Arc<Event>),
    /// Events were lost before they could be told.
    Gap,
}

/// The feed of one hub.
pub(crate) struct Feed {
    /// This hub's mark on events that no other hub has.
    hub: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The latest events, in their order.
    kept: VecDeque<Arc<Event>>,
    readers: Vec<Listed>,
    /// How many events were told that no other hub has.
    own: u64,
}

struct Listed {
    participant: ParticipantId,
    scope: Scope,
    tell: mpsc::Sender<Told>,
}

/// A reader's place at the feed. Dropped, it is given up.
#[derive(Debug)]
pub(crate) struct Reader {
    /// What came after the event that the reader had last, already.
    pub(crate) missed: VecDeque<Told>,
    /// What comes now; it ends where the reader is too slow.
    pub(crate) live: mpsc::Receiver<Told>,
}

impl Feed {
    /// A feed in which nothing has happened.
    pub(crate) fn new() -> Arc<Feed> {
        Arc::new(Feed {
            hub: rand::random(),
            state: Mutex::default(),
        })
    }

    /// Tells of a step, and keeps it.
    pub(crate) fn tell(&self, id: EventId, step: Step) {
        self.lock().tell(Event { id, step });
    }

    /// Tells of a step that this hub alone knows of.
    fn tell_own(&self, step: Step) {
        let mut state = self.lock();
        state.own = state.own.saturating_add(1);
        let id = EventId::Own {
            hub: self.hub,
            number: state.own,
        };
        state.tell(Event { id, step });
    }

    /// Tells everybody that events were lost.
    fn tell_of_gap(&self) {
        self.lock().send(|_| Some(Told::Gap));
    }

    /// Opens a place for a reader, which had `last` last, where it was here before.
    ///
    /// # Errors
    /// [`Code::Rate`] where the participant has as many readers as it may.
    pub(crate) fn open(&self, identity: &Identity, last: Option<&str>) -> Result<Reader, Failure> {
        let mut state = self.lock();
        state.readers.retain(|reader| !reader.tell.is_closed());
        let participant = &identity.participant.id;
        let own = |reader: &&Listed| reader.participant == *participant;
        if state.readers.iter().filter(own).count() >= MOST_READERS {
            return Err(Failure::new(
                Code::Rate,
                "the participant has as many readers of the feed as it may",
            ));
        }
        let missed = last.map_or_else(VecDeque::new, |last| state.after(last, &identity.scope));
        let (tell, live) = mpsc::channel(MOST_WAITING);
        state.readers.push(Listed {
            participant: participant.clone(),
            scope: identity.scope.clone(),
            tell,
        });
        Ok(Reader { missed, live })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, event: Event) {
        let event = Arc::new(event);
        self.send(|reader| {
            event
                .is_seen_by(&reader.scope)
                .then(|| Told::Event(Arc::clone(&event)))
        });
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(event);
    }

    /// Sends to each reader what it is to have. One whose events wait up to the bound is dropped.
    fn send(&mut self, told: impl Fn(&Listed) -> Option<Told>) {
        self.readers.retain(|reader| match told(reader) {
            Some(told) => reader.tell.try_send(told).is_ok(),
            None => true,
        });
    }

    /// What a reader has missed since `last`; a gap where nobody knows any more.
    fn after(&self, last: &str, scope: &Scope) -> VecDeque<Told> {
        let id = EventId::parse(last);
        let place = self.kept.iter().rposition(|event| Some(event.id) == id);
        let Some(place) = place else {
            return VecDeque::from([Told::Gap]);
        };
        let later = self.kept.iter().skip(place).skip(1);
        let seen = later.filter(|event| event.is_seen_by(scope));
        seen.map(|event| Told::Event(Arc::clone(event))).collect()
    }
}

/// Tells the feed, and the other hubs, what the lanes of this hub commit.
///
/// What is committed from now on, also before the future is first polled.
pub(crate) fn follow(
    engine: &Engine,
    feed: Arc<Feed>,
    neighbours: Option<Arc<Neighbours>>,
) -> impl Future<Output = ()> + use<> {
    let commits = engine.commits();
    tell_all(commits, feed, neighbours)
}

async fn tell_all(
    mut commits: Receiver<Arc<Committed>>,
    feed: Arc<Feed>,
    neighbours: Option<Arc<Neighbours>>,
) {
    loop {
        let mut committed = match commits.recv().await {
            Ok(first) => vec![first],
            Err(RecvError::Lagged(turns)) => {
                tracing::warn!(turns, "the feed cannot keep up with the lanes");
                feed.tell_of_gap();
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        while committed.len() < MOST_TURNS
            && let Ok(more) = commits.try_recv()
        {
            committed.push(more);
        }
        let shared = match &neighbours {
            Some(neighbours) => neighbours.tell(&committed).await,
            None => false,
        };
        if !shared {
            let steps = committed.iter().flat_map(|turn| &turn.steps);
            steps.for_each(|step| feed.tell_own(step.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
