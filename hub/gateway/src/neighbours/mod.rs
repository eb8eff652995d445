//! The other hubs on the same database, where they share a Redis: what one commits or changes, the others hear at
//! once. Nothing rests on it. What is not heard is found by looking, as it is without Redis: deliveries within
//! a quarter of a second, documents within a tick of the clocks, credentials within five seconds.
//!
//! All goes through one stream, bounded in length: every reader sees the same entries in the same order, and
//! whoever was away for a moment reads on from where it was.

mod link;
mod stream;

use redis::RedisError;
use std::sync::Arc;
use std::time::Duration;
use takmil_engine::Committed;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::cli::Fatal;
use crate::config::Config;
use crate::faces::App;
use crate::feed::{EventId, Place};
pub(crate) use link::Link;
use stream::{Entry, Stream};

/// How long after a wake-up the next one comes: deliveries of other hubs are theirs to make first.
const WAKES_EVERY: Duration = Duration::from_millis(20);

/// How long after entries the next ones are read: under load many come in one answer, and none waits long.
const READS_EVERY: Duration = Duration::from_millis(10);

/// How long after the way broke it is read on.
const READS_AGAIN: Duration = Duration::from_millis(100);

/// The way to the other hubs.
pub(crate) struct Neighbours {
    /// The way to Redis.
    pub(crate) link: Link,
    /// What stands before every key of these hubs.
    pub(crate) name: String,
    stream: Stream,
    owed: Notify,
}

impl Neighbours {
    /// The way that a configuration names, if it names one.
    ///
    /// # Errors
    /// If what it names is no address.
    pub(crate) fn of(config: &Config) -> Result<Option<Arc<Neighbours>>, Fatal> {
        let Some(client) = config.redis.client()? else {
            return Ok(None);
        };
        let name = config.redis.name.clone();
        Ok(Some(Arc::new(Neighbours {
            link: Link::new(client, &name),
            stream: Stream::new(&name),
            owed: Notify::new(),
            name,
        })))
    }

    /// Tells the other hubs what lanes of this one have committed. Says whether they will hear it; its own feed, too,
    /// has it from there then.
    pub(crate) async fn tell(&self, committed: &[Arc<Committed>]) -> bool {
        let Some(connection) = self.link.connection() else {
            return false;
        };
        let told = self.stream.append(connection, committed).await;
        told.inspect_err(|error| self.link.failed(error)).is_ok()
    }

    /// Tells the other hubs that documents, participants or credentials have changed. Nobody waits for it.
    pub(crate) fn tell_of_changes(self: &Arc<Neighbours>) {
        let own = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(connection) = own.link.connection()
                && let Err(error) = own.stream.append_change(connection).await
            {
                own.link.failed(&error);
            }
        });
    }

    /// Looks for Redis, and hears the other hubs, for as long as the hub runs.
    pub(crate) async fn hear(self: Arc<Neighbours>, app: App) {
        let changed = |is_up| app.metrics.redis(is_up);
        tokio::join!(self.link.keep(changed), self.read(&app), self.wake(&app));
    }

    async fn read(&self, app: &App) {
        let mut last = None;
        loop {
            self.link.up().await;
            // Meanwhile anything may have been missed.
            look_again(app).await;
            self.owed.notify_one();
            if let Err(error) = self.read_on(app, &mut last).await {
                self.link.failed(&error);
            }
            sleep(READS_AGAIN).await;
        }
    }

    /// Reads until the way breaks.
    async fn read_on(&self, app: &App, last: &mut Option<Place>) -> Result<(), RedisError> {
        let mut reading = self.stream.open(&self.link, *last).await?;
        while self.link.is_up() {
            let entries = reading.next().await?;
            if entries.is_empty() {
                continue;
            }
            self.take(app, entries).await;
            *last = reading.last();
            sleep(READS_EVERY).await;
        }
        Ok(())
    }

    /// Takes in what was read.
    async fn take(&self, app: &App, entries: Vec<Entry>) {
        let (mut changes, mut owed, mut steps) = (0, 0, 0);
        for entry in entries {
            let is_others = !self.stream.wrote(&entry);
            changes += u64::from(is_others && entry.changes);
            owed += u64::from(is_others && entry.owes);
            steps += u64::from(is_others && entry.step.is_some());
            if let Some(step) = entry.step {
                app.feed.tell(EventId::Shared(entry.place), step);
            }
        }
        if changes > 0 {
            look_again(app).await;
        }
        if owed > 0 {
            self.owed.notify_one();
        }
        for (what, count) in [("changes", changes), ("owed", owed), ("steps", steps)] {
            app.metrics.heard(what, count);
        }
    }

    async fn wake(&self, app: &App) {
        loop {
            self.owed.notified().await;
            app.engine.wake();
            sleep(WAKES_EVERY).await;
        }
    }
}

/// Forgets and reads anew what other hubs or commands may have changed.
async fn look_again(app: &App) {
    app.holders.forget();
    if let Err(error) = app.engine.refresh().await {
        tracing::warn!(%error, "documents that another hub has changed cannot be read; the clocks' next tick does it");
    }
}

/// Tells running hubs that a command has changed documents, participants or credentials. Where they cannot be told,
/// they find it by themselves a little later.
///
/// # Errors
/// If the configuration names what is no address.
pub(crate) async fn tell_of_changes(config: &Config) -> Result<(), Fatal> {
    if let Some(client) = config.redis.client()? {
        let link = Link::new(client, &config.redis.name);
        let told = async {
            let connection = link.connect(link::ANSWER).await?;
            let stream = Stream::new(&config.redis.name);
            stream.append_change(connection).await
        };
        if let Err(error) = told.await {
            eprintln!(
                "takmil: redis cannot be told ({error}): running hubs notice the change within five seconds"
            );
        }
    }
    Ok(())
}
