//! How old is what an insurer owes.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Due, Refused, total};
use crate::date::Date;
use crate::money::Amount;

/// How long something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Age {
    /// Its day has not passed.
    NotDue,
    /// 1 to 30 days past its day.
    #[serde(rename = "to_30")]
    To30,
    /// 31 to 60.
    #[serde(rename = "to_60")]
    To60,
    /// 61 to 90.
    #[serde(rename = "to_90")]
    To90,
    /// More.
    #[serde(rename = "over_90")]
    Over90,
}

impl Age {
    /// Every age, youngest first.
    pub const ALL: &'static [Age] = &[Age::NotDue, Age::To30, Age::To60, Age::To90, Age::Over90];

    /// The age on `today` of what was to be paid by `due_on`.
    pub fn of(due_on: Date, today: Date) -> Age {
        match today.days_since(due_on) {
            ..=0 => Age::NotDue,
            1..=30 => Age::To30,
            31..=60 => Age::To60,
            61..=90 => Age::To90,
            _ => Age::Over90,
        }
    }

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Age::NotDue => "not_due",
            Age::To30 => "to_30",
            Age::To60 => "to_60",
            Age::To90 => "to_90",
            Age::Over90 => "over_90",
        }
    }
}

/// What is owed at one age, in smallest units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Aged {
    /// How many claims.
    pub claims: u64,
    /// What is open of them.
    pub open: i64,
    /// What of them is argued about, beside what is open.
    pub disputed: i64,
}

/// How old is what is owed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Aging {
    /// By age; ages at which nothing is owed are there, too.
    pub ages: BTreeMap<Age, Aged>,
    /// What was paid beyond what is owed, and will be netted. It has no age.
    pub taken_back: i64,
}

impl Aging {
    /// The ages of dues on a day. What is on its way is no longer owed; what is argued about goes on ageing.
    ///
    /// # Errors
    /// [`Refused::Range`] where 64 bits do not hold a sum.
    pub fn of<'d>(dues: impl IntoIterator<Item = &'d Due>, today: Date) -> Result<Aging, Refused> {
        let mut ages: BTreeMap<Age, (u64, i128, i128)> =
            Age::ALL.iter().map(|age| (*age, (0, 0, 0))).collect();
        let mut taken_back = 0_i128;
        for due in dues {
            taken_back += i128::from(due.overpaid().get());
            let (open, disputed) = (due.open().or_zero(), due.disputed);
            if open + disputed == Amount::ZERO {
                continue;
            }
            let aged = ages.entry(Age::of(due.due_on, today)).or_default();
            aged.0 += 1;
            aged.1 += i128::from(open.get());
            aged.2 += i128::from(disputed.get());
        }
        let stated = |(age, (claims, open, disputed)): (Age, (u64, i128, i128))| {
            let aged = Aged {
                claims,
                open: total(open)?,
                disputed: total(disputed)?,
            };
            Ok((age, aged))
        };
        Ok(Aging {
            ages: ages
                .into_iter()
                .map(stated)
                .collect::<Result<_, Refused>>()?,
            taken_back: total(taken_back)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::{amount, day, folio, id};
    use super::*;

    #[test]
    fn ages_change_on_their_days() {
        let due_on = day("2026-01-31");
        for (today, expected) in [
            ("2025-01-01", Age::NotDue),
            ("2026-01-31", Age::NotDue),
            ("2026-02-01", Age::To30),
            ("2026-03-02", Age::To30),
            ("2026-03-03", Age::To60),
            ("2026-04-01", Age::To60),
            ("2026-04-02", Age::To90),
            ("2026-05-01", Age::To90),
            ("2026-05-02", Age::Over90),
            ("9999-12-31", Age::Over90),
        ] {
            assert_eq!(Age::of(due_on, day(today)), expected, "{today}");
        }
        for age in Age::ALL {
            assert_eq!(serde_json::to_value(age).unwrap(), age.as_str());
        }
    }

    #[test]
    fn what_is_owed_ages_and_what_is_on_its_way_does_not() {
        let page = folio(&[(1, &[100]), (2, &[50]), (3, &[10])]);
        let due = |number, change: &dyn Fn(&mut Due)| {
            let mut due = page.due(id(number)).unwrap().clone();
            change(&mut due);
            due
        };
        let dues = [
            due(1, &|due| {
                due.noticed = amount(60);
                due.disputed = amount(30);
            }),
            due(2, &|due| {
                due.disputed = amount(50);
                due.due_on = day("2026-06-30");
            }),
            due(3, &|due| due.confirmed = amount(35)),
            due(3, &|due| due.noticed = amount(10)),
        ];
        let aging = Aging::of(&dues, day("2026-03-01")).unwrap();
        let aged = |age| *aging.ages.get(&age).unwrap();
        assert_eq!(
            aged(Age::To30),
            Aged {
                claims: 1,
                open: 10,
                disputed: 30
            }
        );
        assert_eq!(
            aged(Age::NotDue),
            Aged {
                claims: 1,
                open: 0,
                disputed: 50
            }
        );
        assert_eq!(aged(Age::Over90), Aged::default());
        assert_eq!(aging.taken_back, 25);
        let all: i64 = aging
            .ages
            .values()
            .map(|aged| aged.open + aged.disputed)
            .sum();
        let owed = dues
            .iter()
            .map(|due| due.open() + due.disputed)
            .sum::<Amount>();
        assert_eq!(all - aging.taken_back, owed.get());
    }
}
