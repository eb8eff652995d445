//! The languages that members are told in.

use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_decimal::options::{DecimalFormatterOptions, GroupingStrategy};
use icu_locale_core::Locale;
use serde::Serialize;
use takmil_domain::date::Calendar;

/// A language that members are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Persian.
    Fa,
    /// Arabic.
    Ar,
    /// Portuguese.
    Pt,
    /// French.
    Fr,
    /// English.
    En,
}

/// Which way a language is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From left to right.
    Ltr,
    /// From right to left.
    Rtl,
}

/// A range that no weight goes with counts in full: a thousand thousandths.
const FULL_WEIGHT: u32 = 1_000;

impl Language {
    /// Every language.
    pub const ALL: &'static [Language] = &[
        Language::Fa,
        Language::Ar,
        Language::Pt,
        Language::Fr,
        Language::En,
    ];

    /// The language's tag.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Fa => "fa",
            Language::Ar => "ar",
            Language::Pt => "pt",
            Language::Fr => "fr",
            Language::En => "en",
        }
    }

    /// Reads a tag such as `fa` or `pt-MZ`: its language counts, its region does not.
    pub fn parse(tag: &str) -> Option<Language> {
        let language = tag.split(['-', '_']).next()?.trim();
        let named = |own: &&Language| own.as_str().eq_ignore_ascii_case(language);
        Language::ALL.iter().find(named).copied()
    }

    /// The language that a reader wants most, by the header `Accept-Language` (RFC 9110); `None` where it names none
    /// of ours.
    pub fn accepted(header: &str) -> Option<Language> {
        let mut best: Option<(u32, Language)> = None;
        for range in header.split(',') {
            let (tag, weight) = match range.split_once(';') {
                Some((tag, weight)) => (tag, thousandths(weight)),
                None => (range, FULL_WEIGHT),
            };
            let wanted = Language::parse(tag.trim()).filter(|_| weight > 0);
            if let Some(language) = wanted
                && best.is_none_or(|(most, _)| weight > most)
            {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// Which way it is written.
    pub fn direction(self) -> Direction {
        match self {
            Language::Fa | Language::Ar => Direction::Rtl,
            Language::Pt | Language::Fr | Language::En => Direction::Ltr,
        }
    }

    /// The calendar in which days are told.
    pub(super) fn calendar(self) -> Calendar {
        match self {
            Language::Fa => Calendar::Persian,
            _ => Calendar::Gregorian,
        }
    }

    /// The tag by which numbers are counted: Portuguese as in Portugal and Africa.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Language::Pt => "pt-PT",
            _ => self.as_str(),
        }
    }

    /// The locale by which numbers are written: Arabic with its own digits.
    fn locale(self) -> &'static str {
        match self {
            Language::Ar => "ar-u-nu-arab",
            _ => self.tag(),
        }
    }

    /// A plain decimal number in the language's digits, its thousands apart. What is no number stays as it is.
    pub(super) fn number(self, text: &str) -> String {
        self.written(text, GroupingStrategy::Auto)
    }

    /// A number in the language's digits alone, as years are written.
    pub(super) fn digits(self, text: &str) -> String {
        self.written(text, GroupingStrategy::Never)
    }

    fn written(self, text: &str, grouping: GroupingStrategy) -> String {
        let shown = || {
            let locale: Locale = self.locale().parse().ok()?;
            let mut options = DecimalFormatterOptions::default();
            options.grouping_strategy = Some(grouping);
            let formatter = DecimalFormatter::try_new(locale.into(), options).ok()?;
            let number: Decimal = text.parse().ok()?;
            Some(formatter.format(&number).to_string())
        };
        shown().unwrap_or_else(|| text.to_owned())
    }
}

/// A weight such as `q=0.8`, in thousandths; nothing where it cannot be read.
fn thousandths(weight: &str) -> u32 {
    let digits = weight.trim().strip_prefix("q=").unwrap_or_default();
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole, part.parse::<u32>()) {
        ("0", Ok(part)) => part,
        ("1", _) => FULL_WEIGHT,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_wanted_most_is_spoken() {
        for (header, expected) in [
            ("fa-IR,fa;q=0.9,en;q=0.8", Some(Language::Fa)),
            ("de, pt-MZ;q=0.4, fr;q=0.7", Some(Language::Fr)),
            ("fr;q=0, ar;q=0.001", Some(Language::Ar)),
            ("EN", Some(Language::En)),
            ("en;q=x, pt;q=1.000", Some(Language::Pt)),
            ("de, *", None),
            ("", None),
        ] {
            assert_eq!(Language::accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn numbers_are_written_as_their_readers_write_them() {
        for (language, expected) in [
            (Language::Fa, "۱٬۲۳۴٬۵۶۷٫۵۰"),
            (Language::Ar, "١٬٢٣٤٬٥٦٧٫٥٠"),
            (Language::Pt, "1\u{a0}234\u{a0}567,50"),
            (Language::Fr, "1\u{202f}234\u{202f}567,50"),
            (Language::En, "1,234,567.50"),
        ] {
            assert_eq!(language.number("1234567.50"), expected);
        }
        assert_eq!(Language::Fa.number("a code"), "a code");
    }
}
