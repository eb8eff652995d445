//! How often and how long: TQ1 since 2.5, and the quantity/timing field of older versions (ORC-7, RXE-1).

use takmil_domain::code::Coded;
use takmil_domain::money::Quantity;
use takmil_domain::prescription::{Measure, Timing};

use super::er7::{Repeat, Segment};
use super::values::{Reader, period, table};

/// What timings say together: each says what those before it left open.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) timing: Option<Timing>,
    pub(super) dose: Option<Measure>,
    pub(super) as_needed: Option<bool>,
    pub(super) words: Vec<String>,
}

impl Found {
    /// Adds what another timing says.
    pub(super) fn take(&mut self, other: Found) {
        let Found {
            timing,
            dose,
            as_needed,
            words,
        } = other;
        self.dose = self.dose.take().or(dose);
        self.as_needed = self.as_needed.or(as_needed);
        self.words.extend(words);
        let Some(new) = timing else { return };
        let Some(own) = &mut self.timing else {
            self.timing = Some(new);
            return;
        };
        own.coded = own.coded.take().or(new.coded);
        own.bounds = own.bounds.take().or(new.bounds);
        own.duration = own.duration.take().or(new.duration);
        own.frequency = own.frequency.or(new.frequency);
        own.period = own.period.take().or(new.period);
        own.count = own.count.or(new.count);
        if own.when.is_empty() {
            own.when = new.when;
        }
    }

    fn of(mut timing: Timing, pattern: Option<String>) -> Found {
        let mut found = Found::default();
        if let Some(pattern) = pattern {
            let upper = pattern.to_ascii_uppercase();
            found.as_needed = upper.contains("PRN").then_some(true);
            if let Some((frequency, period)) = repeats(&upper) {
                timing.frequency = Some(frequency);
                timing.period = Some(period);
            }
            timing.coded = Some(Coded::new(table("0335"), pattern));
        }
        found.timing = (timing != Timing::default()).then_some(timing);
        found
    }
}

impl Reader<'_> {
    /// A timing segment (TQ1).
    pub(super) fn timing(&self, own: &Segment<'_>) -> Found {
        let pattern = own.field(3).first().component(1);
        let timing = Timing {
            bounds: period(self.when_in(own, 7), self.when_in(own, 8)),
            duration: self.composite(own.field(6).first()),
            count: self.whole(own.field(14).first().component(1)),
            when: own
                .field(4)
                .repeats()
                .filter_map(|part| part.component(1).text())
                .collect(),
            ..Timing::default()
        };
        let mut found = Found::of(timing, pattern.text());
        found.dose = self.composite(own.field(2).first());
        found.words = [10, 11]
            .into_iter()
            .filter_map(|field| own.field(field).first().words())
            .collect();
        found
    }

    /// The quantity/timing field of old versions (TQ).
    pub(super) fn old_timing(&self, own: Repeat<'_>) -> Found {
        let interval = own.component(2);
        let duration = own.component(3).text();
        // Senders write times of the day and free words there, too.
        let number = own
            .component(1)
            .text()
            .and_then(|text| Quantity::parse(&text));
        let unit = own.component(1).sub(2);
        let timing = Timing {
            bounds: period(self.when(own.component(4)), self.when(own.component(5))),
            duration: duration.as_deref().and_then(lasting),
            count: own.component(12).text().and_then(|text| text.parse().ok()),
            when: interval.sub(2).into_iter().collect(),
            ..Timing::default()
        };
        let mut found = Found::of(timing, interval.text());
        found.dose = number.map(|value| Measure {
            value: Some(value),
            unit,
            coded: None,
        });
        found.words = [7, 8]
            .into_iter()
            .filter_map(|at| own.component(at).text())
            .collect();
        found
    }
}

/// A duration such as "D4": a unit and how many of it.
fn lasting(text: &str) -> Option<Measure> {
    let unit = text.get(..1)?;
    let number = text.get(1..).filter(|number| !number.is_empty())?;
    measure(number, unit.chars().next()?)
}

fn measure(number: &str, unit: char) -> Option<Measure> {
    let unit = match unit.to_ascii_uppercase() {
        'S' => "s",
        'M' => "min",
        'H' => "h",
        'D' => "d",
        'W' => "wk",
        'L' => "mo",
        _ => return None,
    };
    Some(Measure {
        value: Some(Quantity::parse(number)?),
        unit: Some(unit.to_owned()),
        coded: None,
    })
}

/// A time unit that a rate is given per: "H1", "1h", "hr".
pub(super) fn span(text: &str) -> Option<Measure> {
    let upper = text.to_ascii_uppercase();
    lasting(&upper).or_else(|| {
        let letters = upper.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let (number, _) = upper.split_at(upper.len().saturating_sub(letters.len()));
        measure(
            if number.is_empty() { "1" } else { number },
            letters.chars().next()?,
        )
    })
}

/// How often in how long a repeat pattern of table 0335 means.
fn repeats(pattern: &str) -> Option<(u32, Measure)> {
    let per_day = |times: u32| Some((times, measure("1", 'D')?));
    let plain = pattern.trim_start_matches("PRN").trim();
    match plain {
        "BID" => per_day(2),
        "TID" => per_day(3),
        "QID" => per_day(4),
        "QD" | "DAILY" | "QAM" | "QPM" | "QHS" => per_day(1),
        "QOD" => Some((1, measure("2", 'D')?)),
        "QW" => Some((1, measure("1", 'W')?)),
        _ => {
            if let Some(times) = plain
                .strip_suffix("ID")
                .and_then(|times| times.parse().ok())
            {
                return per_day(times);
            }
            // Every so many seconds, minutes, hours, days, weeks, months: Q6H.
            let every = plain.strip_prefix('Q')?;
            let unit = every.chars().last().filter(char::is_ascii_alphabetic)?;
            let number = every.get(..every.len().saturating_sub(1))?;
            (!number.is_empty()).then_some((1, measure(number, unit)?))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn repeat_patterns_say_how_often() {
        let check = |pattern: &str, expected: Option<(u32, u32, &str)>| {
            let found = repeats(pattern);
            let found = found
                .as_ref()
                .map(|(times, span)| (*times, span.value.unwrap(), span.unit.as_deref().unwrap()));
            let expected = expected.map(|(times, span, unit)| (times, Quantity::whole(span), unit));
            assert_eq!(found, expected, "{pattern}");
        };
        check("BID", Some((2, 1, "d")));
        check("5ID", Some((5, 1, "d")));
        check("Q6H", Some((1, 6, "h")));
        check("Q24H", Some((1, 24, "h")));
        check("Q2W", Some((1, 2, "wk")));
        check("3 TIMES DAILY", None);
        check("Q", None);
        check("ق", None);
    }
}
