//! The daily run of settlement: payments that nobody said anything to in time count as arrived; what the parties
//! state is compared with the book; what earlier payments left over reaches what has become open since, and every day that is
//! over gets its statements. Of several hubs on one database one does it; where two do it at once, the store sees to it
//! that nothing is stated twice.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use takmil_domain::date::{Calendar, Date, Instant};
use takmil_domain::settlement::period::Month;
use takmil_store::Store;

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;

/// The lease of the hub that makes the statements.
const LEASE: &str = "settlement";

/// For how long the lease is taken: longer than a run of a large day.
const LEASE_MS: u64 = 600_000;

/// How often it is looked whether a day is over.
const LOOK: Duration = Duration::from_secs(1);

/// The most days that one run makes up for: who was away for longer runs again.
const MOST_DAYS: usize = 400;

/// When days end, and when their statements are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settlement {
    /// How far the book's days are ahead of UTC.
    pub zone: Zone,
    /// How long after the end of a day its statements are made: what was decided at its very end is committed by then.
    pub run_at: TimeOfDay,
    /// In which calendar its months are counted.
    pub calendar: Calendar,
    /// How many days a provider has to confirm or bounce a payment: after them it counts as arrived. It may still bounce.
    pub confirm_days: u32,
    /// How many hours an insurer's delivery of a decision may take before the document counts as late.
    pub deliver_hours: u32,
}

impl Default for Settlement {
    fn default() -> Self {
        Self {
            zone: Zone::default(),
            run_at: TimeOfDay::default(),
            calendar: Calendar::default(),
            confirm_days: 7,
            deliver_hours: 24,
        }
    }
}

/// Minutes ahead of UTC; written as "+03:30".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zone(i32);

/// Minutes after midnight; written as "01:30".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOfDay(u16);

/// The minutes of "HH:MM", where there are no more than `most` hours.
fn minutes(text: &str, most: u16) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let part = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number)
    };
    let (hours, minutes) = (part(hours)?, part(minutes)?);
    (hours <= most && minutes < 60).then(|| hours * 60 + minutes)
}

impl Zone {
    /// Reads the form with a sign.
    pub fn parse(text: &str) -> Option<Zone> {
        let ahead = |text| minutes(text, 14).map(i32::from);
        match text.split_at_checked(1)? {
            ("+", rest) => ahead(rest).map(Zone),
            ("-", rest) => ahead(rest).map(|behind| Zone(-behind)),
            _ => None,
        }
    }
}

impl TimeOfDay {
    /// Reads the form of a day of 24 hours.
    pub fn parse(text: &str) -> Option<TimeOfDay> {
        minutes(text, 23).map(TimeOfDay)
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, ahead) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", ahead / 60, ahead % 60)
    }
}

impl std::fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

macro_rules! as_text {
    ($($type:ty: $form:literal)+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let wrong = || serde::de::Error::custom(concat!("expected the form ", $form));
                <$type>::parse(&text).ok_or_else(wrong)
            }
        }
    )+};
}

as_text! { Zone: "+03:30" TimeOfDay: "01:30" }

impl Settlement {
    /// The day of a moment, by the book's clock.
    pub fn day(&self, at: Instant) -> Date {
        Instant(at.0.saturating_add(self.zone_micros())).day()
    }

    /// The last moment of a day, by the book's clock.
    pub fn end_of(&self, day: Date) -> Instant {
        let days = day.days_since(Instant(0).day()).saturating_add(1);
        let micros = days.saturating_mul(86_400_000_000);
        Instant(micros.saturating_sub(self.zone_micros()).saturating_sub(1))
    }

    fn zone_micros(&self) -> i64 {
        i64::from(self.zone.0).saturating_mul(60_000_000)
    }

    /// The moment from which a day's statements may be made.
    fn runs_from(&self, day: Date) -> Instant {
        self.end_of(day).plus_ms(u64::from(self.run_at.0) * 60_000)
    }
}

/// A day that was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SettledDay {
    /// Which.
    pub day: Date,
    /// How many statements were made for it.
    pub statements: u64,
}

/// Makes the statements of every day that is over and has none yet, and up to `until` where it is named. Done again, it
/// makes none twice.
///
/// # Errors
/// If the store cannot serve: what was made until then stays, and the rest is made the next time.
pub async fn settle(
    store: &Store,
    settlement: &Settlement,
    until: Option<Date>,
    now: Instant,
) -> Result<Vec<SettledDay>, Error> {
    let silence = i64::from(settlement.confirm_days).saturating_mul(86_400_000_000);
    let silent_since = Instant(now.0.saturating_sub(silence));
    store.confirm_silent(silent_since, now).await?;
    store.follow_money(now).await?;
    store.reconcile(settlement.day(now), now).await?;
    let mut settled = Vec::new();
    let due = |day: &Date| {
        let is_asked = until.is_none_or(|until| *day <= until);
        is_asked && settlement.runs_from(*day) < now
    };
    let first = match store.last_settled_day().await? {
        Some(last) => Some(last.add_days(1)),
        // Nothing was ever settled: the book begins with the month of its first transfer, so that it can be closed.
        None => store.first_unstated().await?.and_then(|at| {
            let month = Month::of(settlement.day(at), settlement.calendar)?;
            Some(month.first())
        }),
    };
    let Some(first) = first.filter(due) else {
        return Ok(settled);
    };
    store.apply_prepaid(now).await?;
    let days = (0..).map(|days| first.add_days(days));
    for day in days.take_while(due).take(MOST_DAYS) {
        let until = settlement.end_of(day);
        let statements = store.settle_day(day, until, now).await?;
        settled.push(SettledDay { day, statements });
    }
    Ok(settled)
}

/// Settles each day when it is over, until the hub stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let outage = Outage::new("days cannot be settled; it is tried again");
    let holder = uuid::Uuid::from_bytes(crate::clocks::bits(&inner)).to_string();
    let mut next = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = (inner.clock)();
        if next.is_some_and(|next| now <= next) {
            continue;
        }
        match take(&inner, &holder, now).await {
            Ok(is_done) => {
                // The day that runs is the next to be over. Where another hub is at work, it is looked again whether it is.
                next = is_done.then(|| inner.settlement.runs_from(inner.settlement.day(now)));
                outage.went_well();
            }
            Err(error) => outage.failed(&error),
        }
    }
}

/// Settles what is due, and says whether it did: another hub may be at it.
async fn take(inner: &Inner, holder: &str, now: Instant) -> Result<bool, Error> {
    let store = &inner.store;
    if !store.lease(LEASE, holder, now, LEASE_MS).await? {
        return Ok(false);
    }
    let settled = settle(store, &inner.settlement, None, now).await;
    store.release(LEASE, holder).await?;
    for day in settled? {
        tracing::info!(day = %day.day, day.statements, "a day was settled");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn zones_and_times_are_written_as_they_are_read() {
        for text in ["+00:00", "+03:30", "-05:00", "+14:59"] {
            assert_eq!(Zone::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "+",
            "03:30",
            "+3:30",
            "+15:00",
            "+03:60",
            "+03:30:00",
            "*01:00",
            "é1:00",
        ] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
        for (text, read) in [
            ("00:00", true),
            ("23:59", true),
            ("24:00", false),
            ("1:30", false),
        ] {
            assert_eq!(TimeOfDay::parse(text).is_some(), read, "{text}");
        }
    }

    #[test]
    fn a_day_is_over_by_the_books_own_clock() {
        let settlement = Settlement {
            zone: Zone::parse("+03:30").unwrap(),
            run_at: TimeOfDay::parse("01:30").unwrap(),
            ..Settlement::default()
        };
        let day = Date::parse("2026-01-05").unwrap();
        let end = settlement.end_of(day);
        assert_eq!(end.to_string(), "2026-01-05T20:29:59.999999Z");
        assert_eq!(settlement.day(end), day);
        assert_eq!(settlement.day(Instant(end.0 + 1)), day.add_days(1));
        assert_eq!(
            settlement.runs_from(day).to_string(),
            "2026-01-05T21:59:59.999999Z"
        );
    }
}
