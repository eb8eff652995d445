//! What one currency is worth in another, by the day: for care abroad.

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::money::{Amount, Currency, Quantity, round_half_up};

/// A rate of exchange, from a day on until the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRate {
    /// The currency that is converted.
    pub from: Currency,
    /// The currency that it becomes.
    pub to: Currency,
    /// The first day.
    pub on: Date,
    /// What one whole unit of the one is worth in whole units of the other.
    pub rate: Quantity,
    /// Who says so.
    pub source: String,
}

impl ExchangeRate {
    /// The rate of a day among others: the latest that is not of a later day.
    pub fn of_day<'a>(
        rates: impl IntoIterator<Item = &'a ExchangeRate>,
        (from, to): (Currency, Currency),
        day: Date,
    ) -> Option<&'a ExchangeRate> {
        let known = rates.into_iter();
        let known = known.filter(|own| (own.from, own.to) == (from, to) && own.on <= day);
        known.max_by_key(|own| own.on)
    }

    /// An amount in the other currency, rounded half-up.
    pub fn convert(&self, amount: Amount) -> Amount {
        const NANO: i128 = 1_000_000_000;
        let ten_to = |exponent: u32| 10_i128.saturating_pow(exponent);
        let worth = i128::from(amount.get()).saturating_mul(self.rate.nano());
        round_half_up(
            worth.saturating_mul(ten_to(self.to.exponent(self.on))),
            NANO.saturating_mul(ten_to(self.from.exponent(self.on))),
        )
        .min(Amount::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_amount_is_converted_with_both_currencies_exponents() {
        let rate = |from: &str, to: &str, on: &str, rate: &str| ExchangeRate {
            from: Currency::parse(from).unwrap(),
            to: Currency::parse(to).unwrap(),
            on: Date::parse(on).unwrap(),
            rate: Quantity::parse(rate).unwrap(),
            source: String::new(),
        };
        let rates = [
            rate("USD", "IRR", "2024-03-20", "420000"),
            rate("USD", "IRR", "2024-05-01", "425000.5"),
            rate("EUR", "IRR", "2024-05-01", "460000"),
            rate("IRR", "USD", "2024-05-01", "0.000002353"),
        ];
        let check = |from: &str, to: &str, day: &str, amount: i64, expected: Option<i64>| {
            let pair = (Currency::parse(from).unwrap(), Currency::parse(to).unwrap());
            let found = ExchangeRate::of_day(&rates, pair, Date::parse(day).unwrap());
            let converted = found.map(|rate| rate.convert(Amount::new(amount).unwrap()).get());
            assert_eq!(converted, expected, "{from} {to} {day} {amount}");
        };
        // 12.34 dollars.
        check("USD", "IRR", "2024-04-30", 1_234, Some(5_182_800));
        check("USD", "IRR", "2024-05-01", 1_234, Some(5_244_506));
        check("IRR", "USD", "2024-06-01", 5_244_506, Some(1_234));
        check("USD", "IRR", "2024-03-19", 1_234, None);
        check("MAD", "IRR", "2024-05-01", 1_234, None);
    }
}
