//! The rates that hubs share. Each takes a participant's permits from Redis a few at a time and spends them itself:
//! who sends rarely costs one short question a request, who sends much a few questions a second, ahead of time.
//!
//! Redis counts exactly: over any stretch of time it gives no more than the quota. Because a hub may spend what it
//! took up to a second later, a stretch may see so many of each hub more than that as it takes at once ([`MOST_PERMITS`]); and what a hub holds
//! unspent the others lack meanwhile. No request waits for Redis longer than `redis.wait_ms`.

use redis::{RedisError, Script};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use takmil_domain::ids::ParticipantId;
use tokio::sync::Notify;
use tokio::time::timeout_at;

use super::purse::{Purse, Spent};
use crate::config::Limits;
use crate::neighbours::Neighbours;

/// For how long nobody asks it after somebody has asked in vain.
const SPARED_MS: u64 = 100;

/// The most permits that are taken at once, and which part of the burst at most.
const MOST_PERMITS: u32 = 256;
const PART: u32 = 16;

const GCRA: &str = include_str!("gcra.lua");

/// The shared rates.
pub(super) struct SharedRates {
    asks: Arc<Asks>,
    accounts: Mutex<HashMap<ParticipantId, Arc<Account>>>,
}

/// How Redis is asked.
struct Asks {
    neighbours: Arc<Neighbours>,
    script: Script,
    per_second: u32,
    burst: u32,
    most: u32,
    patience: Duration,
    began: Instant,
    /// Until when nobody asks, in milliseconds after the beginning.
    spared_until: AtomicU64,
}

/// A participant's permits at this hub.
struct Account {
    key: String,
    purse: Mutex<Purse>,
    changed: Notify,
}

impl SharedRates {
    pub(super) fn new(
        limits: &Limits,
        neighbours: Arc<Neighbours>,
        patience: Duration,
    ) -> SharedRates {
        let (per_second, burst) = (limits.requests_per_second, limits.burst);
        SharedRates {
            asks: Arc::new(Asks {
                neighbours,
                script: Script::new(GCRA),
                per_second,
                burst,
                most: (per_second.min(burst) / PART).clamp(1, MOST_PERMITS),
                patience,
                began: Instant::now(),
                spared_until: AtomicU64::new(0),
            }),
            accounts: Mutex::default(),
        }
    }

    /// Counts a request against all hubs' quota: it may go, or has to wait for so long. `None` where nobody knows.
    pub(super) async fn take(&self, participant: &ParticipantId) -> Option<Result<(), Duration>> {
        let account = self.account(participant);
        let deadline = tokio::time::Instant::now() + self.asks.patience;
        let mut waits = Waits::default();
        while self.asks.is_open() {
            // Begun before the purse is looked at, so that no change of it is missed.
            let mut changed = pin!(account.changed.notified());
            changed.as_mut().enable();
            let (spent, ask) = account.spend(&mut waits);
            if let Some(count) = ask {
                tokio::spawn(Arc::clone(&self.asks).fetch(Arc::clone(&account), count));
            }
            match spent {
                Spent::Yes => return Some(Ok(())),
                Spent::No(wait) => return Some(Err(wait)),
                Spent::Unknown => {}
            }
            if timeout_at(deadline, changed).await.is_err() {
                self.asks.spare();
            }
        }
        None
    }

    fn account(&self, participant: &ParticipantId) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(participant) {
            return Arc::clone(account);
        }
        let account = Arc::new(Account {
            key: format!("{}:rate:{participant}", self.asks.neighbours.name),
            purse: Mutex::new(Purse::new(self.asks.most, Instant::now())),
            changed: Notify::new(),
        });
        accounts.insert(participant.clone(), Arc::clone(&account));
        account
    }
}

impl Account {
    fn spend<'a>(&'a self, waits: &mut Waits<'a>) -> (Spent, Option<u32>) {
        let mut purse = self.purse.lock().unwrap_or_else(PoisonError::into_inner);
        let (spent, ask) = purse.spend(Instant::now());
        if spent == Spent::Unknown && waits.0.is_none() {
            purse.waiting = purse.waiting.saturating_add(1);
            waits.0 = Some(self);
        }
        (spent, ask)
    }
}

/// That a request waits, for as long as it does: also one whose sender has left.
#[derive(Default)]
struct Waits<'a>(Option<&'a Account>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(account) = self.0 {
            let mut purse = account.purse.lock().unwrap_or_else(PoisonError::into_inner);
            purse.waiting = purse.waiting.saturating_sub(1);
        }
    }
}

impl Asks {
    /// Whether it is worth asking.
    fn is_open(&self) -> bool {
        self.neighbours.link.is_up() && self.now_ms() >= self.spared_until.load(Ordering::Relaxed)
    }

    /// Lets nobody wait for a moment.
    fn spare(&self) {
        let until = self.now_ms().saturating_add(SPARED_MS);
        self.spared_until.store(until, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Fetches permits into an account, and wakes who waits for them.
    async fn fetch(self: Arc<Asks>, account: Arc<Account>, count: u32) {
        let answer = self.ask(&account.key, count).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.neighbours.link.failed(&error);
                self.spare();
                None
            }
        };
        {
            let mut purse = account.purse.lock().unwrap_or_else(PoisonError::into_inner);
            purse.answered(answer, Instant::now());
        }
        account.changed.notify_waiters();
    }

    async fn ask(&self, key: &str, count: u32) -> Result<Option<(u32, Duration)>, RedisError> {
        let Some(mut connection) = self.neighbours.link.connection() else {
            return Ok(None);
        };
        let mut asked = self.script.key(key);
        let asked = asked.arg(self.per_second).arg(self.burst).arg(count);
        let (granted, wait_us): (u32, u64) = asked.invoke_async(&mut connection).await?;
        Ok(Some((granted, Duration::from_micros(wait_us))))
    }
}
