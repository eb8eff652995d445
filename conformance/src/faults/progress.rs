//! How far a test has come, for whoever waits for it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::Error;

/// What a test is at. A clone tells of the same test.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Stage>>);

#[derive(Debug, Default)]
struct Stage {
    /// Which round of how many.
    round: Option<(u64, u64)>,
    what: &'static str,
    /// How many of `what` are done, and how many there are, where they are counted.
    done: usize,
    of: usize,
}

impl Progress {
    /// Begins a round.
    pub(super) fn round(&self, round: u64, of: u64) {
        self.stage().round = Some((round, of));
    }

    /// Begins to do something, so many times, or 0 where that is not counted.
    pub(super) fn begin(&self, what: &'static str, of: usize) {
        let mut stage = self.stage();
        (stage.what, stage.done, stage.of) = (what, 0, of);
    }

    /// It was done so many times more.
    pub(super) fn done(&self, more: usize) {
        self.stage().done += more;
    }

    /// Does something for each item, `most` at once; the results stand in the order of the items.
    pub(super) async fn each<I, T, F>(
        &self,
        what: &'static str,
        items: impl ExactSizeIterator<Item = I>,
        most: usize,
        task: impl Fn(I) -> F,
    ) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.begin(what, items.len());
        let mut running = JoinSet::new();
        let mut results: Vec<(usize, T)> = Vec::with_capacity(items.len());
        let mut items = items.enumerate();
        loop {
            while running.len() < most
                && let Some((place, item)) = items.next()
            {
                let task = task(item);
                running.spawn(async move { Ok::<_, Error>((place, task.await?)) });
            }
            let Some(result) = running.join_next().await else {
                break;
            };
            results.push(result??);
            self.done(1);
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage();
        if let Some((round, of)) = stage.round {
            write!(f, "round {round} of {of}, ")?;
        }
        match stage.of {
            0 => write!(f, "{}", stage.what),
            of => write!(f, "{} of {of} {}", stage.done, stage.what),
        }
    }
}
