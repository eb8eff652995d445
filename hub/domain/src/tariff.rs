//! What a service may cost: tariffs in money or in relative values, and price lists of a contract.

mod faults;

use std::ops::Range;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::date::Date;
use crate::ids::{ParticipantId, TariffId};
use crate::money::{Amount, Currency, Quantity, Rate, round_half_up};
use crate::party::Sector;
use crate::plan::CodeGroup;

/// A version of a tariff, or of the price list of one provider's contract with one insurer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Tariff {
    document: Document,
    /// Where the prices of each service stand, by its code: few codes are of several systems.
    places: FxHashMap<String, Vec<Range<usize>>>,
}

/// The JSON form of a [`Tariff`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The tariff over all its versions.
    pub id: TariffId,
    /// Counts up from 1.
    pub version: u32,
    /// The name people know it by.
    pub title: String,
    /// The currency of its prices and K values.
    pub currency: Currency,
    /// For services from this day.
    pub from: Date,
    /// To this day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// A contract's price list: whose, and with which insurer. A national tariff names neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// What one relative value is worth, by sector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub k: Vec<KValues>,
    /// The prices.
    pub prices: Vec<Price>,
    /// Services that are priced together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// Groups of drugs of which one price is recognised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generics: Vec<GenericGroup>,
}

/// A code whose price stands for other services of the same bill too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The code that names the package on a bill. Its price is the package's.
    pub code: Code,
    /// The name people know it by.
    pub title: String,
    /// The services that it includes.
    pub services: Vec<CodeGroup>,
}

impl Package {
    /// Whether a service is part of it.
    pub fn includes(&self, system: &str, code: &str) -> bool {
        let mut services = self.services.iter();
        services.any(|part| part.matches(system, code, &[]).is_some())
    }
}

/// Drugs that may stand for each other, and the price that is recognised for one of any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenericGroup {
    /// The name people know it by.
    pub title: String,
    /// The drugs.
    pub codes: Vec<CodeGroup>,
    /// For facilities of this sector; for all others where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<Sector>,
    /// The reference price of one.
    pub reference: Amount,
}

/// Between whom a price list was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The provider.
    pub provider: ParticipantId,
    /// The insurer.
    pub insurer: ParticipantId,
}

/// What one relative value of each component is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KValues {
    /// For facilities of this sector; for all others where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<Sector>,
    /// The professional component.
    pub professional: Amount,
    /// The technical component.
    #[serde(default)]
    pub technical: Amount,
    /// The anaesthesia component.
    #[serde(default)]
    pub anaesthesia: Amount,
}

/// The price of one service, in money or in relative values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The service, in the common scheme.
    pub code: Code,
    /// For facilities of this sector; for all others where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<Sector>,
    /// The price of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// The relative values, where the price is made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<RelativeValues>,
    /// The reference price of the drug's generic group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Amount>,
}

/// The relative values of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelativeValues {
    /// The professional component.
    pub professional: Quantity,
    /// The technical component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technical: Option<Quantity>,
    /// The anaesthesia component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anaesthesia: Option<Quantity>,
}

/// The exact price of one, which may be a fraction of the smallest unit until it is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitPrice {
    /// Billionths of the smallest unit.
    nano: i128,
}

const NANO: i128 = 1_000_000_000;

impl UnitPrice {
    /// A price in smallest units.
    pub fn of(amount: Amount) -> Self {
        Self {
            nano: i128::from(amount.get()) * NANO,
        }
    }

    /// The price of `quantity`, rounded half-up once.
    pub fn times(self, quantity: Quantity) -> Amount {
        quantity.times_nano(self.nano)
    }

    /// The price of one, rounded half-up.
    pub fn rounded(self) -> Amount {
        round_half_up(self.nano, NANO)
    }

    /// The price of one of so many billionths of a unit that cost so much together.
    pub(crate) fn of_one(amount: Amount, units: i128) -> Self {
        Self {
            nano: i128::from(amount.get()) * NANO * NANO / units.max(1),
        }
    }

    /// The price of so many billionths of a unit, of each unit what its rank recognises, each rounded half-up. The
    /// last one may be a part of a unit; units beyond the ranks take the last of them.
    pub(crate) fn ranked(self, units: i128, ranks: &[Rate]) -> Amount {
        let part = |units: i128, rank: &Rate| {
            let (numerator, denominator) = rank.fraction();
            let price = self.nano.saturating_mul(units) / NANO;
            round_half_up(price.saturating_mul(numerator), NANO * denominator)
        };
        let mut rest = units.max(0);
        let mut sum = Amount::ZERO;
        for rank in ranks {
            let unit = rest.min(NANO);
            rest -= unit;
            sum += part(unit, rank);
        }
        ranks.last().map_or(sum, |last| sum + part(rest, last))
    }
}

impl TryFrom<Document> for Tariff {
    type Error = &'static str;

    fn try_from(mut document: Document) -> Result<Self, Self::Error> {
        if document.to.is_some_and(|to| to < document.from) {
            return Err("the tariff ends before it begins");
        }
        let groups = document.packages.iter().flat_map(|own| &own.services);
        let mut groups = groups.chain(document.generics.iter().flat_map(|own| &own.codes));
        if groups.any(|part| part.named().is_some()) {
            return Err("a tariff has no groups to name");
        }
        if document
            .generics
            .iter()
            .any(|own| own.reference < Amount::ZERO)
        {
            return Err("a reference price is below zero");
        }
        for row in &document.prices {
            let below_zero = [row.price, row.reference]
                .into_iter()
                .flatten()
                .any(|amount| amount < Amount::ZERO);
            if below_zero {
                return Err("a price is below zero");
            }
            if row.relative.is_some() && document.k.is_empty() {
                return Err("relative values need K values");
            }
        }
        // Those of one service stand together; rows without a sector come first of their code.
        document
            .prices
            .sort_by(|a, b| (&a.code, a.sector).cmp(&(&b.code, b.sector)));
        let doubled = document
            .prices
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if (&a.code, a.sector) == (&b.code, b.sector)));
        if doubled {
            return Err("a service is priced twice for one sector");
        }
        let mut places: FxHashMap<String, Vec<Range<usize>>> = FxHashMap::default();
        let mut start = 0;
        for own in document.prices.chunk_by(|a, b| a.code == b.code) {
            let place = start..start + own.len();
            start = place.end;
            if let Some(Price { code, .. }) = own.first() {
                places.entry(code.code.clone()).or_default().push(place);
            }
        }
        Ok(Self { document, places })
    }
}

impl From<Tariff> for Document {
    fn from(tariff: Tariff) -> Self {
        tariff.document
    }
}

impl Tariff {
    /// The tariff's document.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Whether the version is in force on `date`.
    pub fn covers_date(&self, date: Date) -> bool {
        self.document.from <= date && self.document.to.is_none_or(|to| date <= to)
    }

    /// The price of one of a service in a sector; `None` where the tariff does not price it.
    ///
    /// A price in relative values is Σ components × K of the sector (professional, technical, anaesthesia).
    pub fn unit_price(
        &self,
        system: &str,
        code: &str,
        sector: Option<Sector>,
    ) -> Option<UnitPrice> {
        let row = self.row(system, code, sector)?;
        match (&row.price, &row.relative) {
            (Some(price), _) => Some(UnitPrice::of(*price)),
            (None, Some(values)) => self.by_relative_values(values, sector),
            (None, None) => None,
        }
    }

    /// The reference price of the generic group of a drug.
    pub fn reference(&self, system: &str, code: &str, sector: Option<Sector>) -> Option<Amount> {
        let of_row = self.row(system, code, sector).and_then(|row| row.reference);
        of_row.or_else(|| {
            let fits = |group: &&GenericGroup| {
                let mut codes = group.codes.iter();
                codes.any(|part| part.matches(system, code, &[]).is_some())
            };
            let groups = || self.document.generics.iter().filter(fits);
            let own = groups().find(|group| sector.is_some() && group.sector == sector);
            let own = own.or_else(|| groups().find(|group| group.sector.is_none()))?;
            Some(own.reference)
        })
    }

    /// The package that a code names.
    pub fn package(&self, system: &str, code: &str) -> Option<&Package> {
        let mut packages = self.document.packages.iter();
        packages.find(|own| own.code.system == system && own.code.code == code)
    }

    fn row(&self, system: &str, code: &str, sector: Option<Sector>) -> Option<&Price> {
        let rows = self.places.get(code)?.iter().find_map(|place| {
            let rows = self.document.prices.get(place.clone())?;
            let is_own = rows.first()?.code.system == system;
            is_own.then_some(rows)
        })?;
        let own = sector.and_then(|_| rows.iter().find(|row| row.sector == sector));
        own.or_else(|| rows.first().filter(|row| row.sector.is_none()))
    }

    fn by_relative_values(
        &self,
        values: &RelativeValues,
        sector: Option<Sector>,
    ) -> Option<UnitPrice> {
        let own = self.document.k.iter().find(|k| k.sector == sector);
        let k = own.or_else(|| self.document.k.iter().find(|k| k.sector.is_none()))?;
        let parts = [
            (Some(values.professional), k.professional),
            (values.technical, k.technical),
            (values.anaesthesia, k.anaesthesia),
        ];
        let nano = parts
            .into_iter()
            .filter_map(|(value, worth)| Some(value?.nano() * i128::from(worth.get())))
            .sum();
        Some(UnitPrice { nano })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_relative_value_price_is_rounded_once_per_line() {
        let tariff: Tariff = serde_json::from_str(
            r#"{"id":"t","version":1,"title":"t","currency":"IRR","from":"2024-01-01",
                "k":[{"professional":1001},{"sector":"private","professional":2001,"technical":500}],
                "prices":[{"code":{"system":"rvu","code":"500"},"relative":{"professional":"2.5","technical":"0.333"}}]}"#,
        )
        .unwrap();
        let price = |sector| tariff.unit_price("rvu", "500", sector).unwrap();
        assert_eq!(
            price(Some(Sector::Private)).times(Quantity::ONE),
            Amount::new(5_169).unwrap()
        );
        assert_eq!(
            price(None).times(Quantity::whole(2)),
            Amount::new(5_005).unwrap()
        );
        assert_eq!(
            price(Some(Sector::Charity)).rounded(),
            Amount::new(2_503).unwrap()
        );
        assert_eq!(tariff.unit_price("rvu", "501", None), None);
    }
}
