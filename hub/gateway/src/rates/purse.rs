//! What one hub holds of one participant's permits: taken from Redis a few at a time, and spent here. Pure: moments
//! are passed in, nothing waits.

use std::time::{Duration, Instant};

/// For how long permits may be held. Those of a participant that has gone quiet are worth nothing later.
const HELD: Duration = Duration::from_secs(1);

/// Permits that last less than the first are too few to take at once; those that last longer than the second too many.
const QUICK: Duration = Duration::from_millis(50);
const SLOW: Duration = Duration::from_millis(200);

/// The purse.
#[derive(Debug)]
pub(super) struct Purse {
    permits: u32,
    /// When the last ones came.
    since: Instant,
    /// How many are to be taken at once.
    batch: u32,
    /// How many may be taken at once.
    most: u32,
    /// Before then there are no more to be had.
    refused_until: Option<Instant>,
    /// Whether some are being taken.
    is_asking: bool,
    /// How many requests wait for them.
    pub(super) waiting: u32,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It has its permit.
    Yes,
    /// There is none, and will be none for so long.
    No(Duration),
    /// That is being asked.
    Unknown,
}

impl Purse {
    /// An empty purse, into which at most so many come at once.
    pub(super) fn new(most: u32, now: Instant) -> Purse {
        Purse {
            permits: 0,
            since: now,
            batch: 1,
            most: most.max(1),
            refused_until: None,
            is_asking: false,
            waiting: 0,
        }
    }

    /// Spends a permit on a request, and says how many are to be asked for now, if any.
    pub(super) fn spend(&mut self, now: Instant) -> (Spent, Option<u32>) {
        if now.duration_since(self.since) > HELD {
            self.permits = 0;
            self.batch = 1;
        }
        if let Some(left) = self.permits.checked_sub(1) {
            self.permits = left;
            // Whoever spends quickly finds the next ones there already.
            let is_low = self.batch > 1 && left <= self.batch / 2;
            let asks = is_low && self.refused_until.is_none();
            return (Spent::Yes, asks.then(|| self.ask(now)).flatten());
        }
        match self.refused_until {
            Some(until) if now < until => (Spent::No(until.duration_since(now)), None),
            _ => (Spent::Unknown, self.ask(now)),
        }
    }

    fn ask(&mut self, now: Instant) -> Option<u32> {
        if self.is_asking {
            return None;
        }
        self.is_asking = true;
        let lasted = now.duration_since(self.since);
        if lasted < QUICK {
            self.batch = self.batch.saturating_mul(2).min(self.most);
        } else if lasted > SLOW {
            self.batch = (self.batch / 2).max(1);
        }
        Some(self.batch.max(self.waiting).min(self.most))
    }

    /// Takes in an answer: so many permits, or none for so long; or that no answer came.
    pub(super) fn answered(&mut self, answer: Option<(u32, Duration)>, now: Instant) {
        self.is_asking = false;
        let Some((granted, wait)) = answer else {
            return;
        };
        self.permits = self.permits.saturating_add(granted);
        self.refused_until = (granted == 0).then(|| now + wait);
        if granted > 0 {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn purse(most: u32) -> (Purse, Instant) {
        // Long ago is when nothing has come yet.
        let now = Instant::now();
        (Purse::new(most, now), now + LONG)
    }

    #[test]
    fn who_comes_rarely_asks_for_one_each_time() {
        let (mut purse, mut now) = purse(32);
        for _ in 0..5 {
            assert_eq!(purse.spend(now), (Spent::Unknown, Some(1)));
            assert_eq!(
                purse.spend(now),
                (Spent::Unknown, None),
                "it is being asked"
            );
            purse.answered(Some((1, Duration::ZERO)), now);
            assert_eq!(purse.spend(now), (Spent::Yes, None));
            now += LONG;
        }
    }

    #[test]
    fn who_comes_often_asks_for_more_and_ahead_of_time_up_to_the_most() {
        let (mut purse, now) = purse(32);
        let (mut questions, mut waits, mut asked) = (0, 0, Vec::new());
        for _ in 0..1_000 {
            let (mut spent, mut ask) = purse.spend(now);
            while spent == Spent::Unknown {
                waits += 1;
                questions += 1;
                asked.extend(ask);
                purse.answered(ask.map(|count| (count, Duration::ZERO)), now);
                (spent, ask) = purse.spend(now);
            }
            if let Some(count) = ask {
                questions += 1;
                asked.push(count);
                purse.answered(Some((count, Duration::ZERO)), now);
            }
        }
        assert!(questions < 60 && waits < 5, "{questions} {waits}");
        assert_eq!(asked.iter().max(), Some(&32));
    }

    #[test]
    fn a_refusal_holds_without_asking_until_its_time() {
        let (mut purse, now) = purse(32);
        let wait = Duration::from_millis(300);
        assert_eq!(purse.spend(now), (Spent::Unknown, Some(1)));
        purse.answered(Some((0, wait)), now);
        assert_eq!(purse.spend(now), (Spent::No(wait), None));
        assert_eq!(purse.spend(now + wait).0, Spent::Unknown);
    }

    #[test]
    fn permits_that_were_held_for_too_long_are_worth_nothing() {
        let (mut purse, now) = purse(32);
        assert_eq!(purse.spend(now).0, Spent::Unknown);
        purse.answered(Some((5, Duration::ZERO)), now);
        assert_eq!(purse.spend(now).0, Spent::Yes);
        assert_eq!(purse.spend(now + LONG), (Spent::Unknown, Some(1)));
    }

    #[test]
    fn those_who_wait_are_asked_for_together_and_silence_is_asked_again() {
        let (mut purse, now) = purse(32);
        assert_eq!(purse.spend(now), (Spent::Unknown, Some(1)));
        purse.waiting = 20;
        purse.answered(None, now);
        assert_eq!(purse.spend(now), (Spent::Unknown, Some(20)));
    }
}
