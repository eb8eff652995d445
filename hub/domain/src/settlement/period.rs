//! Months: their trial balance, and what stands in the way of closing one.

use std::collections::BTreeSet;
use std::fmt;

use super::account::{Account, Balances};
use super::{Pair, Refused, Statement, total};
use crate::date::{Calendar, Date};
use crate::digest::sha256;
use crate::ids::DifferenceId;

/// A month of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
    last: Date,
    year: i32,
    number: u8,
}

impl Month {
    /// The month that a day lies in.
    pub fn of(day: Date, calendar: Calendar) -> Option<Month> {
        let (year, number, _) = day.ymd_in(calendar);
        let first = Date::parse_in(&format!("{year}-{number}-1"), calendar)?;
        let length = first.add_months(1, calendar).days_since(first);
        let last = first.add_days(u32::try_from(length.checked_sub(1)?).ok()?);
        Some(Month {
            first,
            last,
            year,
            number,
        })
    }

    /// Reads `YYYY-MM` of a calendar.
    pub fn parse(text: &str, calendar: Calendar) -> Option<Month> {
        let (year, month) = text.split_once('-')?;
        let is_number =
            |part: &str, long| part.len() == long && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(year, 4) || !is_number(month, 2) {
            return None;
        }
        Month::of(Date::parse_in(&format!("{text}-1"), calendar)?, calendar)
    }

    /// Its first day.
    pub fn first(&self) -> Date {
        self.first
    }

    /// Its last day.
    pub fn last(&self) -> Date {
        self.last
    }

    /// Whether a day lies in it.
    pub fn holds(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Its days.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        let (first, last) = (self.first, self.last);
        (0..=31)
            .map(move |days| first.add_days(days))
            .take_while(move |day| *day <= last)
    }
}

impl fmt::Display for Month {
    /// `YYYY-MM`, as its calendar counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)
    }
}

/// What went through each account: debits and credits, in smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialBalance {
    /// The account, its debits, its credits; in the order of [`Account::ALL`].
    pub rows: Vec<(Account, i64, i64)>,
}

impl TrialBalance {
    /// The trial balance of statements.
    ///
    /// # Errors
    /// [`Refused::Range`] where 64 bits do not hold a sum.
    pub fn of<'s>(
        statements: impl IntoIterator<Item = &'s Statement>,
    ) -> Result<TrialBalance, Refused> {
        let (mut debits, mut credits) = (Balances::default(), Balances::default());
        for (kind, sum) in statements.into_iter().flat_map(|statement| &statement.sums) {
            debits.add(kind.rule().debit, i128::from(*sum));
            credits.add(kind.rule().credit, i128::from(*sum));
        }
        let row = |account: &Account| {
            Ok((
                *account,
                debits.stated(*account)?,
                credits.stated(*account)?,
            ))
        };
        let rows: Result<Vec<_>, Refused> = Account::ALL.iter().map(row).collect();
        Ok(TrialBalance { rows: rows? })
    }

    /// All debits, and all credits.
    pub fn totals(&self) -> (i128, i128) {
        let add = |(debits, credits), row: &(Account, i64, i64)| {
            (debits + i128::from(row.1), credits + i128::from(row.2))
        };
        self.rows.iter().fold((0, 0), add)
    }
}

/// What is known of a pair when a month is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairBook {
    /// Whose.
    pub pair: Pair,
    /// Its statements up to the end of the month, oldest first: all of them, or from the month's own on, with the one
    /// before.
    pub statements: Vec<Statement>,
    /// How many transfers up to the end of the month are in no statement.
    pub unstated: u64,
    /// What the transfers come to that those statements, and all before them, are drawn from.
    pub stated: Balances,
    /// What all transfers come to.
    pub transfers: Balances,
    /// What all dues and payments say, read together with the transfers: [`super::Folio::balances`].
    pub dues: Balances,
}

/// Everything that the closing of an insurer's month in one currency rests on.
#[derive(Debug, Clone)]
pub struct Closing<'a> {
    /// The month.
    pub month: Month,
    /// Today, by the hub's clock in its own zone.
    pub today: Date,
    /// The days that statements were made for, those without movement included.
    pub days_run: &'a BTreeSet<Date>,
    /// The insurer's pairs.
    pub books: &'a [PairBook],
    /// Differences of the month's days that nobody has settled or explained: how much each is about.
    pub differences: &'a [(DifferenceId, i64)],
    /// How much a difference may be about and not stand in the way.
    pub tolerance: i64,
}

/// What stands in the way of closing a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// It has not ended.
    NotOver,
    /// No statements were made for one of its days.
    DayNotRun(Date),
    /// Transfers of a pair are in no statement.
    Unstated {
        /// Whose.
        pair: Pair,
        /// How many.
        transfers: u64,
    },
    /// A statement does not add up, or does not begin where the last one ended.
    Statement {
        /// Whose.
        pair: Pair,
        /// Of which day.
        day: Date,
    },
    /// A pair's last statement does not close with what its transfers come to.
    Stated {
        /// Whose.
        pair: Pair,
        /// What it closed with.
        closing: i64,
        /// What the transfers come to.
        transfers: i128,
    },
    /// A pair's dues and payments do not say what its transfers come to.
    Book {
        /// Whose.
        pair: Pair,
        /// In which account.
        account: Account,
        /// What the transfers come to.
        transfers: i128,
        /// What the dues and payments say.
        dues: i128,
    },
    /// A sum is larger than the book can state.
    Range,
    /// Parties state something differently.
    Difference {
        /// Which difference.
        id: DifferenceId,
        /// What it is about.
        amount: i64,
    },
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::NotOver => f.write_str("the month is not over"),
            Hindrance::DayNotRun(day) => write!(f, "{day} has no statements yet"),
            Hindrance::Unstated { pair, transfers } => {
                write!(f, "{pair}: {transfers} transfers are in no statement")
            }
            Hindrance::Statement { pair, day } => {
                write!(f, "{pair}: the statement of {day} does not add up")
            }
            Hindrance::Stated {
                pair,
                closing,
                transfers,
            } => write!(
                f,
                "{pair}: the last statement closes with {closing}, its transfers with {transfers}"
            ),
            Hindrance::Book {
                pair,
                account,
                transfers,
                dues,
            } => write!(
                f,
                "{pair}: {} is {dues} by dues and payments, and {transfers} by its transfers",
                account.as_str()
            ),
            Hindrance::Range => f.write_str("a sum is larger than the book can state"),
            Hindrance::Difference { id, amount } => {
                write!(f, "difference {id} about {amount} is open")
            }
        }
    }
}

/// A month that may be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The month's trial balance.
    pub balance: TrialBalance,
    /// All that was debited, which is all that was credited.
    pub debits: i64,
    /// SHA-256 over the month and its statements' digests, in the order of pairs and days.
    pub digest: [u8; 32],
}

impl Closing<'_> {
    /// Whether nothing stands in the way.
    ///
    /// # Errors
    /// Everything that does.
    pub fn close(&self) -> Result<Closed, Vec<Hindrance>> {
        let mut hindrances = Vec::new();
        if self.today <= self.month.last {
            hindrances.push(Hindrance::NotOver);
        }
        let run = |day: &Date| !self.days_run.contains(day);
        hindrances.extend(self.month.days().filter(run).map(Hindrance::DayNotRun));
        for book in self.books {
            book.hinders(&mut hindrances);
        }
        let open = self.differences.iter();
        let open = open.filter(|(_, amount)| amount.unsigned_abs() > self.tolerance.unsigned_abs());
        hindrances.extend(open.map(|(id, amount)| Hindrance::Difference {
            id: *id,
            amount: *amount,
        }));
        let closed = self.sum_up();
        match (closed, hindrances.is_empty()) {
            (Ok(closed), true) => Ok(closed),
            (Ok(_), false) => Err(hindrances),
            (Err(_), _) => {
                hindrances.push(Hindrance::Range);
                Err(hindrances)
            }
        }
    }

    fn sum_up(&self) -> Result<Closed, Refused> {
        let of_month = |book: &PairBook| -> Vec<Statement> {
            let own = book.statements.iter();
            own.filter(|one| self.month.holds(one.day))
                .cloned()
                .collect()
        };
        let mut statements: Vec<Statement> = self.books.iter().flat_map(of_month).collect();
        statements.sort_by(|one, other| (&one.pair, one.day).cmp(&(&other.pair, other.day)));
        let balance = TrialBalance::of(&statements)?;
        let mut text = format!("{} {}", self.month.first, self.month.last).into_bytes();
        for statement in &statements {
            text.extend(statement.digest);
        }
        let debits = total(balance.totals().0)?;
        Ok(Closed {
            balance,
            debits,
            digest: sha256(&text),
        })
    }
}

impl PairBook {
    fn hinders(&self, hindrances: &mut Vec<Hindrance>) {
        let pair = || self.pair.clone();
        if self.unstated > 0 {
            hindrances.push(Hindrance::Unstated {
                pair: pair(),
                transfers: self.unstated,
            });
        }
        let mut before: Option<&Statement> = None;
        for statement in &self.statements {
            let follows = match before {
                None => Ok(()),
                Some(_) => statement.follows(before),
            };
            if statement.check().and(follows).is_err() || statement.pair != self.pair {
                hindrances.push(Hindrance::Statement {
                    pair: pair(),
                    day: statement.day,
                });
            }
            before = Some(statement);
        }
        let closing = before.map_or(0, |last| last.closing);
        let transfers = self.stated.get(Account::Payable);
        if i128::from(closing) != transfers {
            hindrances.push(Hindrance::Stated {
                pair: pair(),
                closing,
                transfers,
            });
        }
        for account in Account::ALL {
            let (transfers, dues) = (self.transfers.get(*account), self.dues.get(*account));
            if transfers != dues {
                hindrances.push(Hindrance::Book {
                    pair: pair(),
                    account: *account,
                    transfers,
                    dues,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
