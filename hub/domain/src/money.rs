//! Money, rates and quantities: integers and exact fractions, never a float.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::date::Date;

/// An amount in the smallest unit of a currency that the context names: a message, a plan and a
/// decision have one currency each. May be below zero as a difference; what is billed never is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i64")]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// One smallest unit.
    pub const ONE: Amount = Amount(1);
    /// The largest amount that one line or ceiling may name: ten thousand of them still sum within 64 bits.
    pub const MAX: Amount = Amount(900_000_000_000_000);

    /// An amount, where it is no larger than [`Amount::MAX`] either way.
    pub fn new(value: i64) -> Option<Amount> {
        (value.unsigned_abs() <= Self::MAX.0.unsigned_abs()).then_some(Amount(value))
    }

    /// The number of smallest units.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The amount, or nothing where it is below zero.
    pub fn or_zero(self) -> Amount {
        self.max(Self::ZERO)
    }

    /// So many times this much.
    pub(crate) fn times(self, times: i128) -> Amount {
        round_half_up(i128::from(self.0).saturating_mul(times), 1)
    }

    /// Whether this is nothing at all.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// Reads a decimal text in whole units of the currency ("135.50") into smallest units.
    ///
    /// A text finer than `exponent` is rounded half-up; the flag says whether that happened.
    ///
    /// # Errors
    /// [`AmountError`] where the text is no decimal or is larger than [`Amount::MAX`].
    pub fn from_decimal(text: &str, exponent: u32) -> Result<(Amount, bool), AmountError> {
        let decimal = parse_decimal(text).ok_or(AmountError::NotDecimal)?;
        let scaled = decimal
            .checked_mul(Decimal::from(10_u64.pow(exponent.min(9))))
            .ok_or(AmountError::TooLarge)?;
        let whole =
            scaled.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        let amount = whole
            .to_i64()
            .and_then(Amount::new)
            .ok_or(AmountError::TooLarge)?;
        Ok((amount, whole != scaled))
    }

    /// The amount in whole units of the currency, as an exact decimal text.
    pub fn to_decimal(self, exponent: u32) -> String {
        Decimal::new(self.0, exponent.min(9)).to_string()
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is not a plain or exponent decimal number.
    #[error("not a decimal number")]
    NotDecimal,
    /// The number is beyond any real bill.
    #[error("larger than any real amount")]
    TooLarge,
}

fn parse_decimal(text: &str) -> Option<Decimal> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    if plain.contains(['e', 'E']) {
        Decimal::from_scientific(plain).ok()
    } else {
        plain.parse().ok()
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;
    fn try_from(value: i64) -> Result<Self, AmountError> {
        Amount::new(value).ok_or(AmountError::TooLarge)
    }
}

// Sums of bounded amounts cannot reach the ends of i64; saturation keeps even a defect from panicking.
impl Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }
}
impl Sub for Amount {
    type Output = Amount;
    fn sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }
}
impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}
impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Amount) {
        *self = *self - other;
    }
}
impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A currency by its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// From a date on, a currency has this many digits after the point.
struct Exponent {
    currency: &'static str,
    from: &'static str,
    digits: u32,
}

/// The hub's own table of smallest units in use. ISO 4217 is its start; where practice differs, practice
/// wins (nobody counts dinars below a rial), and a redenomination is a new dated row.
const EXPONENTS: &[Exponent] = &[
    Exponent {
        currency: "AED",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "AFN",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "AUD",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "BHD",
        from: "0001-01-01",
        digits: 3,
    },
    Exponent {
        currency: "CAD",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "CHF",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "CNY",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "EUR",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "GBP",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "INR",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "IQD",
        from: "0001-01-01",
        digits: 0,
    },
    Exponent {
        currency: "IRR",
        from: "0001-01-01",
        digits: 0,
    },
    Exponent {
        currency: "JOD",
        from: "0001-01-01",
        digits: 3,
    },
    Exponent {
        currency: "JPY",
        from: "0001-01-01",
        digits: 0,
    },
    Exponent {
        currency: "KWD",
        from: "0001-01-01",
        digits: 3,
    },
    Exponent {
        currency: "MAD",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "MZN",
        from: "2006-07-01",
        digits: 2,
    },
    Exponent {
        currency: "OMR",
        from: "0001-01-01",
        digits: 3,
    },
    Exponent {
        currency: "QAR",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "SAR",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "SEK",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "TRY",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "USD",
        from: "0001-01-01",
        digits: 2,
    },
    // No code at all: the sender named amounts and no currency. Kept readable, never adjudicated.
    Exponent {
        currency: "XXX",
        from: "0001-01-01",
        digits: 2,
    },
    Exponent {
        currency: "YER",
        from: "0001-01-01",
        digits: 0,
    },
    Exponent {
        currency: "ZAR",
        from: "0001-01-01",
        digits: 2,
    },
];

impl Currency {
    /// ISO 4217's code for "no currency": amounts whose sender did not say which.
    pub const NONE: Currency = Currency(*b"XXX");

    /// Reads a three-letter code, in either case.
    pub fn parse(text: &str) -> Option<Currency> {
        let upper = text.to_ascii_uppercase();
        EXPONENTS.iter().any(|row| row.currency == upper).then(|| {
            let mut code = *b"XXX";
            for (slot, byte) in code.iter_mut().zip(upper.bytes()) {
                *slot = byte;
            }
            Currency(code)
        })
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many digits after the point the currency had on `date`: the latest row that is not after it,
    /// else the earliest there is.
    pub fn exponent(self, date: Date) -> u32 {
        let day = date.to_string();
        let mut rows = EXPONENTS.iter().filter(|row| row.currency == self.as_str());
        let first = rows.next().map_or(2, |row| row.digits);
        rows.rfind(|row| row.from <= day.as_str())
            .map_or(first, |row| row.digits)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Currency::parse(&text).ok_or_else(|| de::Error::custom("unknown currency"))
    }
}

/// An exact rate between 0 and 1: "0.15", "15%" or "1/3".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    numerator: i64,
    denominator: i64,
}

impl Rate {
    /// Nothing of it.
    pub const ZERO: Rate = Rate {
        numerator: 0,
        denominator: 1,
    };
    /// All of it.
    pub const ONE: Rate = Rate {
        numerator: 1,
        denominator: 1,
    };
    /// Denominators stay small enough that a product with any amount fits 128 bits many times over.
    const MAX_DENOMINATOR: i64 = 1_000_000_000;

    /// Reads a decimal, a percentage or a fraction between 0 and 1.
    pub fn parse(text: &str) -> Option<Rate> {
        let (top, bottom) = match (text.split_once('/'), text.strip_suffix('%')) {
            (Some((top, bottom)), _) => (top.trim().parse().ok()?, bottom.trim().parse().ok()?),
            (None, Some(percent)) => {
                let (top, bottom) = Self::decimal(percent.trim())?;
                (top, bottom.checked_mul(100)?)
            }
            (None, None) => Self::decimal(text.trim())?,
        };
        let valid = bottom > 0 && bottom <= Self::MAX_DENOMINATOR && top >= 0 && top <= bottom;
        valid.then(|| Self::shortest(top, bottom))
    }

    /// What is written as a decimal is kept as the shortest: "30%" and "0.3" are one rate, with one text.
    fn shortest(mut numerator: i64, mut denominator: i64) -> Rate {
        let is_decimal = 10_i64.pow(denominator.ilog10()) == denominator;
        while is_decimal && denominator > 1 && numerator % 10 == 0 {
            numerator /= 10;
            denominator /= 10;
        }
        Rate {
            numerator,
            denominator,
        }
    }

    fn decimal(text: &str) -> Option<(i64, i64)> {
        let decimal: Decimal = text.parse().ok()?;
        let decimal = decimal.normalize();
        Some((
            i64::try_from(decimal.mantissa()).ok()?,
            10_i64.checked_pow(decimal.scale())?,
        ))
    }

    /// `self × amount`, exact, as a fraction over [`Rate::denominator`].
    pub(crate) fn of(self, amount: Amount) -> i128 {
        i128::from(self.numerator) * i128::from(amount.get())
    }

    /// Numerator and denominator.
    pub(crate) fn fraction(self) -> (i128, i128) {
        (self.numerator.into(), self.denominator.into())
    }

    /// The denominator of the exact products.
    pub(crate) fn denominator(self) -> i128 {
        i128::from(self.denominator)
    }

    /// `self × amount`, rounded half-up.
    pub fn share_of(self, amount: Amount) -> Amount {
        round_half_up(self.of(amount), self.denominator())
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Rate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let mine = i128::from(self.numerator) * i128::from(other.denominator);
        mine.cmp(&(i128::from(other.numerator) * i128::from(self.denominator)))
    }
}
impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.denominator.checked_ilog10().unwrap_or(0);
        if 10_i64.checked_pow(scale) == Some(self.denominator) {
            Decimal::new(self.numerator, scale).normalize().fmt(f)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}
impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Rate::parse(&text).ok_or_else(|| {
            de::Error::custom("a rate is a decimal, percentage or fraction from 0 to 1")
        })
    }
}

/// The hub's one rounding of money: half-up, away from zero at the half.
///
/// `denominator` is above zero. Source: share.md's rounding, one rule for all payers.
pub fn round_half_up(numerator: i128, denominator: i128) -> Amount {
    let denominator = denominator.max(1);
    let doubled = numerator.saturating_mul(2).saturating_add(denominator);
    let whole = denominator.saturating_mul(2);
    // Most amounts of bills fit the narrow division, which is several times as fast as the wide one.
    let narrow = (i64::try_from(doubled), i64::try_from(whole));
    let rounded = match narrow {
        (Ok(doubled), Ok(whole)) => i128::from(doubled.div_euclid(whole)),
        _ => doubled.div_euclid(whole),
    };
    Amount(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
}

/// Ten to a power of 18 at most.
fn ten_to(power: u32) -> i128 {
    10_i64.pow(power.min(18)).into()
}

/// How much of something: an exact decimal, 0 or more.
///
/// In JSON a whole quantity is a number and any other a decimal text, so that no float ever touches it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Decimal);

impl Quantity {
    /// One.
    pub const ONE: Quantity = Quantity(Decimal::ONE);
    /// None.
    pub const ZERO: Quantity = Quantity(Decimal::ZERO);
    /// More than any bill line holds.
    const MAX: i64 = 1_000_000_000;
    /// Digits after the point that are kept exactly.
    const MAX_SCALE: u32 = 9;

    /// Reads a decimal text, plain or with an exponent.
    pub fn parse(text: &str) -> Option<Quantity> {
        let decimal = parse_decimal(text)?.normalize();
        let fits = decimal >= Decimal::ZERO
            && decimal <= Decimal::from(Self::MAX)
            && decimal.scale() <= Self::MAX_SCALE;
        fits.then_some(Quantity(decimal))
    }

    /// A whole quantity.
    pub fn whole(count: u32) -> Quantity {
        Quantity(Decimal::from(count))
    }

    /// The number of started units: what a count limit goes down by.
    pub fn started_units(self) -> i64 {
        self.0.ceil().to_i64().unwrap_or(i64::MAX)
    }

    /// Whether this is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// What is left of it without `other`, or nothing.
    #[must_use]
    pub fn less(self, other: Quantity) -> Quantity {
        Quantity((self.0 - other.0).max(Decimal::ZERO).normalize())
    }

    /// `price × self`, rounded half-up.
    pub fn times(self, price: Amount) -> Amount {
        round_half_up(
            self.0.mantissa() * i128::from(price.get()),
            ten_to(self.0.scale()),
        )
    }

    /// Billionths.
    pub(crate) fn nano(self) -> i128 {
        self.0.mantissa() * ten_to(Self::MAX_SCALE - self.0.scale().min(Self::MAX_SCALE))
    }

    /// `self ×` a price in billionths of the smallest unit, rounded half-up.
    pub(crate) fn times_nano(self, price: i128) -> Amount {
        round_half_up(
            self.0.mantissa().saturating_mul(price),
            ten_to(self.0.scale() + 9),
        )
    }

    /// The part of `amount` that `self` of `whole` is, rounded half-up. All of it where `whole` is nothing.
    pub fn part_of(self, whole: Quantity, amount: Amount) -> Amount {
        if whole.0.is_zero() || self == whole {
            return amount;
        }
        round_half_up(self.nano() * i128::from(amount.get()), whole.nano())
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_i64() {
            Some(whole) if self.0.scale() == 0 => serializer.serialize_i64(whole),
            _ => serializer.collect_str(&self.0),
        }
    }
}
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a decimal text, 0 or more")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
                // The shortest text that reads back as the same number is what the sender wrote.
                self.visit_str(&value.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Quantity::parse(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn decimals_become_smallest_units_of_their_currency() {
        let check = |text: &str, exponent, amount, rounded| {
            assert_eq!(
                Amount::from_decimal(text, exponent),
                Ok((Amount(amount), rounded)),
                "{text}"
            );
        };
        check("135.57", 2, 13_557, false);
        check("135.575", 2, 13_558, true);
        check("1.50e2", 0, 150, false);
        check("-3.5", 1, -35, false);
        check("115000", 0, 115_000, false);
        assert_eq!(
            Amount::from_decimal("9e99", 2),
            Err(AmountError::NotDecimal)
        );
        assert_eq!(
            Amount::from_decimal("99999999999999999", 2),
            Err(AmountError::TooLarge)
        );
        assert_eq!(
            Amount::from_decimal("12,5", 2),
            Err(AmountError::NotDecimal)
        );
        assert_eq!(Amount(13_550).to_decimal(2), "135.50");
    }

    #[test]
    fn rates_are_exact_and_round_half_up() {
        let share = |rate: &str, amount| Rate::parse(rate).unwrap().share_of(Amount(amount)).get();
        assert_eq!(share("1/3", 100), 33);
        assert_eq!(share("0.5", 5), 3);
        assert_eq!(share("15%", 1_010), 152);
        assert_eq!(Rate::parse("1.2"), None);
        assert_eq!(Rate::parse("-0.2"), None);
        assert_eq!(Rate::parse("0.30").unwrap().to_string(), "0.3");
        assert_eq!(Rate::parse("2/3").unwrap().to_string(), "2/3");
        for text in ["0.3", "30%", "30/100", "0.30"] {
            assert_eq!(Rate::parse(text), Rate::parse("3/10"), "{text}");
        }
        assert_eq!(Rate::parse("0%"), Some(Rate::ZERO));
        assert_eq!(Rate::parse("100/100"), Some(Rate::ONE));
        assert!(Rate::parse("1/3").unwrap() > Rate::parse("0.33").unwrap());
    }

    #[test]
    fn the_smallest_unit_in_use_is_the_hubs_own_table() {
        let day = Date::parse("2026-11-21").unwrap();
        for (code, digits) in [("IRR", 0), ("yer", 0), ("MAD", 2), ("MZN", 2), ("KWD", 3)] {
            assert_eq!(
                Currency::parse(code).unwrap().exponent(day),
                digits,
                "{code}"
            );
        }
        assert_eq!(
            Currency::parse("TOM"),
            None,
            "toman is a way of showing rials"
        );
    }

    #[test]
    fn quantities_keep_their_decimals() {
        let half: Quantity = serde_json::from_str("2.5").unwrap();
        assert_eq!(half, Quantity::parse("2.50").unwrap());
        assert_eq!(serde_json::to_string(&half).unwrap(), "\"2.5\"");
        assert_eq!(half.times(Amount(3)), Amount(8));
        assert_eq!(half.started_units(), 3);
        assert_eq!(
            Quantity::whole(1).part_of(Quantity::whole(3), Amount(100)),
            Amount(33)
        );
        assert!(serde_json::from_str::<Quantity>("-1").is_err());
    }
}
