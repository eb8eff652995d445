//! Dates: one proleptic Gregorian truth, shown and counted in other calendars where a policy says so.
//!
//! Nothing here asks what day it is.

use icu_calendar::cal::hijri::UmmAlQura;
use icu_calendar::cal::{Hijri, Persian};
use icu_calendar::options::{DateAddOptions, Overflow};
use icu_calendar::types::{DateDuration, Month};
use icu_calendar::{AsCalendar, Iso};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A calendar day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Date> {
        let [year, month, day] = split_digits(text, [4, 2, 2])?;
        Self::from_ymd(
            i32::from(year),
            u8::try_from(month).ok()?,
            u8::try_from(day).ok()?,
        )
    }

    /// A Gregorian day of the years 1 to 9999.
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Option<Date> {
        let year = i16::try_from(year).ok().filter(|year| *year >= 1)?;
        jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
            .ok()
            .map(Date)
    }

    /// Reads a day of another calendar, such as "1403/09/15" in the Persian one. Any digits will do that
    /// [`crate::text::digits`] knows.
    pub fn parse_in(text: &str, calendar: Calendar) -> Option<Date> {
        let text = crate::text::digits(text);
        let mut parts = text.split(['/', '-']);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        if parts.next().is_some() {
            return None;
        }
        match calendar {
            Calendar::Gregorian => Self::from_ymd(year, month, day),
            Calendar::Persian => Self::from_icu(dated(year, month, day, Persian)?),
            Calendar::Hijri => Self::from_icu(dated(year, month, day, umm_al_qura())?),
        }
    }

    /// Year, month and day in `calendar`.
    pub fn ymd_in(self, calendar: Calendar) -> (i32, u8, u8) {
        fn parts<A: AsCalendar>(date: &icu_calendar::Date<A>) -> (i32, u8, u8) {
            (
                date.year().extended_year(),
                date.month().ordinal,
                date.day_of_month().0,
            )
        }
        match (calendar, self.to_icu()) {
            (Calendar::Persian, Some(iso)) => parts(&iso.to_calendar(Persian)),
            (Calendar::Hijri, Some(iso)) => parts(&iso.to_calendar(umm_al_qura())),
            _ => (
                i32::from(self.0.year()),
                self.0.month().unsigned_abs(),
                self.0.day().unsigned_abs(),
            ),
        }
    }

    /// The same day of the month, `months` later in `calendar`; the month's last day where there is no such day.
    /// Stays at the last day that can be told where the sum lies beyond it.
    pub fn add_months(self, months: u32, calendar: Calendar) -> Date {
        let months = i32::try_from(months).unwrap_or(i32::MAX);
        let sum = match calendar {
            Calendar::Gregorian => added(self.to_icu(), months, Iso),
            Calendar::Persian => added(self.to_icu(), months, Persian),
            Calendar::Hijri => added(self.to_icu(), months, umm_al_qura()),
        };
        sum.unwrap_or(Date(jiff::civil::Date::MAX))
    }

    /// The first day of the year of `calendar` that holds this day.
    pub fn year_start(self, calendar: Calendar) -> Date {
        let (year, _, _) = self.ymd_in(calendar);
        let first = match calendar {
            Calendar::Gregorian => Self::from_ymd(year, 1, 1),
            Calendar::Persian => dated(year, 1, 1, Persian).and_then(Self::from_icu),
            Calendar::Hijri => dated(year, 1, 1, umm_al_qura()).and_then(Self::from_icu),
        };
        first.unwrap_or(self)
    }

    /// Full years since `birth`; 0 before the first birthday and before birth.
    pub fn age_since(self, birth: Date) -> u32 {
        let had_birthday = (self.0.month(), self.0.day()) >= (birth.0.month(), birth.0.day());
        let years = i32::from(self.0.year()) - i32::from(birth.0.year()) - i32::from(!had_birthday);
        u32::try_from(years).unwrap_or(0)
    }

    /// Whole days from `earlier` to this day; below zero where this day is the earlier one.
    pub fn days_since(self, earlier: Date) -> i64 {
        let days = |date: Date| {
            date.to_icu()
                .map_or(0, |iso| iso.to_rata_die().to_i64_date())
        };
        days(self) - days(earlier)
    }

    /// The day that many days later, or the last that can be told.
    pub fn add_days(self, days: u32) -> Date {
        Date(
            self.0
                .saturating_add(jiff::Span::new().try_days(days).unwrap_or_default()),
        )
    }

    fn to_icu(self) -> Option<icu_calendar::Date<Iso>> {
        icu_calendar::Date::try_new_iso(
            i32::from(self.0.year()),
            self.0.month().unsigned_abs(),
            self.0.day().unsigned_abs(),
        )
        .ok()
    }

    fn from_icu<A: AsCalendar>(date: icu_calendar::Date<A>) -> Option<Date> {
        let iso = date.to_calendar(Iso);
        Self::from_ymd(
            iso.year().extended_year(),
            iso.month().ordinal,
            iso.day_of_month().0,
        )
    }
}

fn umm_al_qura() -> Hijri<UmmAlQura> {
    Hijri::new_umm_al_qura()
}

fn dated<A: AsCalendar>(
    year: i32,
    month: u8,
    day: u8,
    calendar: A,
) -> Option<icu_calendar::Date<A>> {
    icu_calendar::Date::try_new(year.into(), Month::new(month), day, calendar).ok()
}

fn added<A: AsCalendar>(
    iso: Option<icu_calendar::Date<Iso>>,
    months: i32,
    calendar: A,
) -> Option<Date> {
    let mut options = DateAddOptions::default();
    options.overflow = Some(Overflow::Constrain);
    let sum = iso?
        .to_calendar(calendar)
        .try_added_with_options(DateDuration::for_months(months), options);
    Date::from_icu(sum.ok()?)
}

fn split_digits<const N: usize>(text: &str, widths: [usize; N]) -> Option<[u16; N]> {
    let mut parts = text.split('-');
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.0.year(), self.0.month(), self.0.day());
        let digit = |number: i16| b'0' + u8::try_from(number.rem_euclid(10)).unwrap_or(0);
        let (month, day) = (i16::from(month), i16::from(day));
        let text = [
            digit(year / 1_000),
            digit(year / 100),
            digit(year / 10),
            digit(year),
            b'-',
            digit(month / 10),
            digit(month),
            b'-',
            digit(day / 10),
            digit(day),
        ];
        match std::str::from_utf8(&text) {
            // Every stretch of a limit is named by its first day: this is written more often than anything else.
            Ok(text) if year >= 0 => f.write_str(text),
            _ => write!(f, "{year:04}-{month:02}-{day:02}"),
        }
    }
}
impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Date::parse(&text).ok_or_else(|| de::Error::custom("not a day of the form YYYY-MM-DD"))
    }
}

/// The calendar that a policy counts its months and years in, and that a person reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// The civil calendar of most countries.
    #[default]
    Gregorian,
    /// The solar calendar of Iran and Afghanistan (Jalali).
    Persian,
    /// The lunar calendar, by the Umm al-Qura tables.
    Hijri,
}

/// A date or time as its sender gave it: a year, a month, a day, or a moment with its offset.
///
/// The text is kept, because a birth year is not a birthday and a local time is not another one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct When {
    text: Box<str>,
}

impl When {
    /// Reads `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ss(.f)(Z|±hh:mm)`; the offset may be missing.
    pub fn parse(text: &str) -> Option<When> {
        let (day, time) = match text.split_once('T') {
            Some((day, time)) => (day, Some(time)),
            None => (text, None),
        };
        let real_day = match day.len() {
            4 => split_digits(day, [4]).is_some_and(|[year]| year > 0),
            7 => split_digits(day, [4, 2])
                .is_some_and(|[year, month]| year > 0 && (1..=12).contains(&month)),
            _ => Date::parse(day).is_some(),
        };
        let real_time = time.is_none_or(|time| day.len() == 10 && is_time(time));
        (real_day && real_time).then(|| When { text: text.into() })
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The day, where one was given.
    pub fn day(&self) -> Option<Date> {
        self.text.get(..10).and_then(Date::parse)
    }

    /// The day, or the first day of the month or year that was given.
    pub fn first_day(&self) -> Option<Date> {
        self.day()
            .or_else(|| Date::parse(&format!("{}-01", self.text)))
            .or_else(|| Date::parse(&format!("{}-01-01", self.text)))
    }
}

fn is_time(text: &str) -> bool {
    let (clock, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (clock, fraction) = clock
        .split_once('.')
        .map_or((clock, "0"), |(clock, fraction)| (clock, fraction));
    let two = |text: &str, most: u8| {
        text.len() == 2
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u8>().is_ok_and(|value| value <= most)
    };
    let hours_minutes = |text: &str| {
        text.split_once(':')
            .is_some_and(|(hours, minutes)| two(hours, 23) && two(minutes, 59))
    };
    let whole = match clock.rsplit_once(':') {
        Some((front, seconds)) if front.contains(':') => hours_minutes(front) && two(seconds, 60),
        _ => hours_minutes(clock),
    };
    let zone = offset.is_empty() || offset == "Z" || offset.get(1..).is_some_and(hours_minutes);
    whole && zone && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

impl From<Date> for When {
    fn from(date: Date) -> When {
        When {
            text: date.to_string().into(),
        }
    }
}
impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        When::parse(&text).ok_or_else(|| de::Error::custom("not a date or time"))
    }
}

/// From a date on, to a date, or both. Both ends belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first day or moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<When>,
    /// The last day or moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<When>,
}

impl Period {
    /// Whether the end stands before the start, as far as both name a day.
    pub fn is_reversed(&self) -> bool {
        let day = |when: &Option<When>| when.as_ref().and_then(When::day);
        matches!((day(&self.start), day(&self.end)), (Some(start), Some(end)) if end < start)
    }
}

/// A moment on the hub's clock: microseconds since 1970-01-01T00:00:00Z. Always passed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub i64);

impl Instant {
    /// The moment that many milliseconds later.
    pub fn plus_ms(self, milliseconds: u64) -> Instant {
        let micros = i64::try_from(milliseconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000);
        Instant(self.0.saturating_add(micros))
    }

    /// Reads RFC 3339, as it is written.
    pub fn parse(text: &str) -> Option<Instant> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Instant(moment.as_microsecond()))
    }

    /// How many whole milliseconds after `earlier` it is; 0 where it is before.
    pub fn ms_since(self, earlier: Instant) -> u64 {
        let micros = self.0.saturating_sub(earlier.0);
        u64::try_from(micros / 1_000).unwrap_or(0)
    }

    /// The first moment of a day in UTC.
    pub fn start_of(day: Date) -> Instant {
        let days = day.days_since(Instant(0).day());
        Instant(days.saturating_mul(86_400_000_000))
    }

    /// The day in UTC.
    pub fn day(self) -> Date {
        let moment =
            jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Date(jiff::tz::Offset::UTC.to_datetime(moment).date())
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from_microsecond(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn day(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn a_day_reads_the_same_in_three_calendars() {
        let nowruz = day("2024-03-20");
        assert_eq!(nowruz.ymd_in(Calendar::Persian), (1403, 1, 1));
        assert_eq!(nowruz.ymd_in(Calendar::Hijri), (1445, 9, 10));
        assert_eq!(
            Date::parse_in("۱۴۰۳/۰۱/۰۱", Calendar::Persian),
            Some(nowruz)
        );
        assert_eq!(Date::parse_in("1445-09-10", Calendar::Hijri), Some(nowruz));
        assert_eq!(
            Date::parse_in("1403/12/30", Calendar::Persian),
            Some(day("2025-03-20")),
            "1403 is a leap year"
        );
        assert_eq!(Date::parse_in("1404/12/30", Calendar::Persian), None);
    }

    #[test]
    fn months_are_counted_in_the_policys_calendar() {
        let start = Date::parse_in("1403/02/01", Calendar::Persian).unwrap();
        let after = start.add_months(9, Calendar::Persian);
        assert_eq!(after.ymd_in(Calendar::Persian), (1403, 11, 1));
        assert_eq!(
            day("2024-01-31").add_months(1, Calendar::Gregorian),
            day("2024-02-29")
        );
        assert_eq!(
            day("9999-12-31").add_months(u32::MAX, Calendar::Hijri),
            day("9999-12-31")
        );
    }

    #[test]
    fn ages_are_full_years() {
        assert_eq!(day("2024-02-28").age_since(day("2004-02-29")), 19);
        assert_eq!(day("2024-02-29").age_since(day("2004-02-29")), 20);
        assert_eq!(day("2003-01-01").age_since(day("2004-02-29")), 0);
        assert_eq!(day("2024-03-01").days_since(day("2024-02-01")), 29);
    }

    #[test]
    fn a_sent_date_keeps_its_precision() {
        for text in [
            "1970",
            "1970-05",
            "1970-05-01",
            "2015-02-07T13:28:17-05:00",
            "2020-01-01T10:00:00.123Z",
            "2020-01-01T10:00:00",
        ] {
            assert_eq!(When::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "70",
            "1970-13",
            "1970-02-30",
            "1970T10:00:00Z",
            "2020-01-01T25:00:00Z",
            "2020-01-01T10:00:00+0330",
            "2020-01-01 10:00",
        ] {
            assert_eq!(When::parse(text), None, "{text}");
        }
        assert_eq!(
            When::parse("1970-05").unwrap().first_day(),
            Some(day("1970-05-01"))
        );
    }
}
