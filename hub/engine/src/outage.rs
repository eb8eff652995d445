//! A failure that lasts is told when it begins, counted while it goes on, and told once more when it is over. A log
//! that says the same a thousand times a minute hides what else it says.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a failure that lasts is told of again, and how long it stays away before the next one is another.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A failure of one kind, as the log tells of it.
#[derive(Debug)]
pub struct Outage {
    what: String,
    lasting: Mutex<Option<Lasting>>,
}

#[derive(Debug)]
struct Lasting {
    since: Instant,
    last: Instant,
    told: Instant,
    failures: u64,
}

impl Outage {
    /// `what` cannot be done while it lasts, as a sentence.
    pub fn new(what: impl Into<String>) -> Outage {
        Outage {
            what: what.into(),
            lasting: Mutex::new(None),
        }
    }

    /// It has failed. The first time is told of; then the count, once a minute.
    pub fn failed(&self, error: &(dyn Error + 'static)) {
        self.failed_at(Instant::now(), error);
    }

    fn failed_at(&self, now: Instant, error: &(dyn Error + 'static)) {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        lasting.take_if(|lasting| now.duration_since(lasting.last) >= TELL_EVERY);
        let Some(lasting) = &mut *lasting else {
            tracing::error!(error, "{}", self.what);
            *lasting = Some(Lasting {
                since: now,
                last: now,
                told: now,
                failures: 1,
            });
            return;
        };
        lasting.last = now;
        lasting.failures = lasting.failures.saturating_add(1);
        if now.duration_since(lasting.told) >= TELL_EVERY {
            lasting.told = now;
            let failures = lasting.failures;
            tracing::error!(error, failures, "still: {}", self.what);
        }
    }

    /// It has gone well. Where it failed before, that is told to be over.
    pub fn went_well(&self) {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lasting) = lasting.take() {
            let duration_ms = u64::try_from(lasting.since.elapsed().as_millis());
            let duration_ms = duration_ms.unwrap_or(u64::MAX);
            let failures = lasting.failures;
            tracing::warn!(failures, duration_ms, "over: {}", self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::fmt::Debug;
    use std::sync::Arc;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// A log in memory: each line is its sentence and its count of failures.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String, Option<u64>);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "failures" {
                self.1 = Some(value);
            }
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = Line(String::new(), None);
            event.record(&mut line);
            let Line(text, failures) = line;
            let failures = failures.map_or_else(String::new, |count| format!(" ({count})"));
            self.0.lock().unwrap().push(format!("{text}{failures}"));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_failure_that_lasts_is_told_once_counted_and_told_to_be_over() {
        let lines = Lines::default();
        let begun = Instant::now();
        let error = std::io::Error::other("gone");
        tracing::subscriber::with_default(lines.clone(), || {
            let outage = Outage::new("it fails");
            let at = |second: u64| outage.failed_at(begun + Duration::from_secs(second), &error);
            outage.went_well();
            (0..130).for_each(|second| (0..100).for_each(|_| at(second)));
            outage.went_well();
            outage.went_well();
            at(131);
            // Nobody said that it was over, but it stayed away for so long.
            at(300);
        });
        assert_eq!(
            *lines.0.lock().unwrap(),
            [
                "it fails",
                "still: it fails (6001)",
                "still: it fails (12001)",
                "over: it fails (13000)",
                "it fails",
                "it fails",
            ]
        );
    }
}
