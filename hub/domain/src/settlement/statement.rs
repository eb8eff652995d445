//! A day's statement of one pair: what was owed before, what came and went, what is owed now.
//!
//! A statement is drawn from transfers that no other one has, so that a transfer that was booked late is in the next
//! one, and each is in one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::account::{Account, Transfer, TransferKind};
use super::{Due, Pair, Refused, sum, total};
use crate::date::{Date, Instant};
use crate::digest::sha256;
use crate::ids::MessageId;

/// A day's statement of one pair, over the account of what is payable. All sums in smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Whose.
    pub pair: Pair,
    /// Of which day.
    pub day: Date,
    /// What was owed before: what the last one closed with. Below zero where more was paid than is owed.
    pub opening: i64,
    /// What the transfers of each kind come to; kinds that leave what is owed alone are told beside the others.
    pub sums: BTreeMap<TransferKind, i64>,
    /// What is owed now.
    pub closing: i64,
    /// How many claims were moved.
    pub claims: u64,
    /// How many transfers it is drawn from.
    pub transfers: u64,
    /// When it was drawn.
    pub made_at: Instant,
    /// SHA-256 over all of the above but the moment, and over its transfers, in whichever order they were booked.
    pub digest: [u8; 32],
}

impl Statement {
    /// The statement of a day; `None` where nothing moved.
    ///
    /// # Errors
    /// [`Refused::State`] where the day is not after the last statement's; [`Refused::Unknown`] or
    /// [`Refused::Currency`] where a transfer or the last statement is another pair's; [`Refused::Range`] where 64
    /// bits do not hold a sum; those of [`Transfer::check`].
    pub fn draw(
        pair: &Pair,
        day: Date,
        before: Option<&Statement>,
        transfers: &[Transfer],
        made_at: Instant,
    ) -> Result<Option<Statement>, Refused> {
        if let Some(before) = before {
            pair.accepts(&before.pair)?;
            if day <= before.day {
                return Err(Refused::State);
            }
        }
        for transfer in transfers {
            transfer.check()?;
            pair.accepts(&transfer.pair)?;
        }
        if transfers.is_empty() {
            return Ok(None);
        }
        let opening = before.map_or(0, |before| before.closing);
        let sums = sums(transfers)?;
        let claims: BTreeSet<MessageId> = transfers.iter().filter_map(|one| one.message).collect();
        let mut statement = Statement {
            pair: pair.clone(),
            day,
            opening,
            closing: total(i128::from(opening) + moved(&sums, Account::Payable))?,
            sums,
            claims: claims.len().try_into().unwrap_or(u64::MAX),
            transfers: transfers.len().try_into().unwrap_or(u64::MAX),
            made_at,
            digest: [0; 32],
        };
        statement.digest = statement.digest_over(transfers);
        Ok(Some(statement))
    }

    /// Whether it adds up: closing = opening + what the sums move.
    ///
    /// # Errors
    /// [`Refused::Unbalanced`] where it does not.
    pub fn check(&self) -> Result<(), Refused> {
        let closing = i128::from(self.opening) + moved(&self.sums, Account::Payable);
        let sound = closing == i128::from(self.closing) && self.sums.values().all(|sum| *sum >= 0);
        sound.then_some(()).ok_or(Refused::Unbalanced)
    }

    /// Whether it goes on where `before` ended, or is the first one.
    ///
    /// # Errors
    /// [`Refused::Unbalanced`] where it does not.
    pub fn follows(&self, before: Option<&Statement>) -> Result<(), Refused> {
        let sound = match before {
            None => self.opening == 0,
            Some(before) => {
                before.pair == self.pair && before.day < self.day && before.closing == self.opening
            }
        };
        sound.then_some(()).ok_or(Refused::Unbalanced)
    }

    /// What the transfers of a kind come to.
    pub fn sum(&self, kind: TransferKind) -> i64 {
        self.sums.get(&kind).copied().unwrap_or(0)
    }

    /// The digest that it has to have, were it drawn from `transfers`.
    pub fn digest_over(&self, transfers: &[Transfer]) -> [u8; 32] {
        let mut text = format!("{} {} {}", self.pair, self.day, self.opening);
        for (kind, sum) in &self.sums {
            // Writing to a text cannot fail.
            let _ = write!(text, " {}={sum}", kind.as_str());
        }
        let _ = writeln!(text, " {} {}", self.closing, self.claims);
        let line = |one: &Transfer| {
            let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
            format!(
                "{} {} {} {} {} {} {}\n",
                one.kind.as_str(),
                one.amount,
                part(one.message.map(|message| message.to_string())),
                part(one.line.map(|line| line.to_string())),
                part(one.source.map(|source| source.to_string())),
                part(one.turn.map(|turn| turn.to_string())),
                one.at.0
            )
        };
        let mut lines: Vec<String> = transfers.iter().map(line).collect();
        lines.sort_unstable();
        text.extend(lines);
        sha256(text.as_bytes())
    }
}

/// What a claim was moved by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMovement {
    /// The claim.
    pub message: MessageId,
    /// By kind.
    pub sums: BTreeMap<TransferKind, i64>,
    /// What that did to what is payable.
    pub moved: i64,
}

/// What transfers did claim by claim, in the order of the claims.
///
/// # Errors
/// [`Refused::Range`] where 64 bits do not hold a sum.
pub fn by_claim(transfers: &[Transfer]) -> Result<Vec<ClaimMovement>, Refused> {
    let mut claims: BTreeMap<MessageId, Vec<&Transfer>> = BTreeMap::new();
    for transfer in transfers {
        if let Some(message) = transfer.message {
            claims.entry(message).or_default().push(transfer);
        }
    }
    let movement = |(message, own): (MessageId, Vec<&Transfer>)| {
        let sums = sums(own)?;
        let moved = total(moved(&sums, Account::Payable))?;
        Ok(ClaimMovement {
            message,
            sums,
            moved,
        })
    };
    claims.into_iter().map(movement).collect()
}

/// What is to be paid for several claims together, what was overpaid taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netting {
    /// What is open of claims that are still to be paid.
    pub owed: i64,
    /// What was paid for claims beyond what is owed for them.
    pub taken_back: i64,
    /// The one less the other.
    pub net: i64,
    /// The claims that are taken back, with how much of each.
    pub take_backs: Vec<(MessageId, i64)>,
}

impl Netting {
    /// Nets dues of one pair.
    ///
    /// # Errors
    /// [`Refused::Range`] where 64 bits do not hold a sum.
    pub fn of<'d>(dues: impl IntoIterator<Item = &'d Due>) -> Result<Netting, Refused> {
        let (mut owed, mut take_backs) = (Vec::new(), Vec::new());
        for due in dues {
            owed.push(due.open().or_zero());
            if !due.overpaid().is_zero() {
                take_backs.push((due.message, due.overpaid().get()));
            }
        }
        let owed = sum(owed);
        let taken_back: i128 = take_backs.iter().map(|(_, back)| i128::from(*back)).sum();
        Ok(Netting {
            owed: total(owed)?,
            taken_back: total(taken_back)?,
            net: total(owed - taken_back)?,
            take_backs,
        })
    }
}

fn sums<'t>(
    transfers: impl IntoIterator<Item = &'t Transfer>,
) -> Result<BTreeMap<TransferKind, i64>, Refused> {
    let mut sums: BTreeMap<TransferKind, i128> = BTreeMap::new();
    for transfer in transfers {
        *sums.entry(transfer.kind).or_default() += i128::from(transfer.amount.get());
    }
    let stated = |(kind, sum)| Ok((kind, total(sum)?));
    sums.into_iter().map(stated).collect()
}

/// What sums by kind do to an account.
fn moved(sums: &BTreeMap<TransferKind, i64>, account: Account) -> i128 {
    let one =
        |(kind, sum): (&TransferKind, &i64)| i128::from(kind.sign(account)) * i128::from(*sum);
    sums.iter().map(one).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::{amount, at, currency, day, folio, id, pair};
    use super::*;
    use TransferKind as K;

    fn transfer(kind: K, claim: u128, value: i64) -> Transfer {
        let due = folio(&[(claim, &[1])]).due(id(claim)).unwrap().clone();
        due.transfer(kind, amount(value), None, at(1))
    }

    fn draw(day_text: &str, before: Option<&Statement>, transfers: &[Transfer]) -> Statement {
        let drawn = Statement::draw(&pair(), day(day_text), before, transfers, at(2));
        drawn.unwrap().unwrap()
    }

    #[test]
    fn a_statement_says_what_came_and_went() {
        let rest = Transfer {
            message: None,
            ..transfer(K::Prepaid, 1, 5)
        };
        let book = [
            transfer(K::Incurred, 1, 100),
            transfer(K::Incurred, 2, 50),
            transfer(K::Noticed, 1, 70),
            transfer(K::Disputed, 1, 10),
            transfer(K::Confirmed, 1, 70),
            rest,
        ];
        let first = draw("2026-03-01", None, &book);
        assert_eq!((first.opening, first.closing), (0, 70));
        assert_eq!((first.claims, first.transfers), (2, 6));
        assert_eq!((first.sum(K::Incurred), first.sum(K::Bounced)), (150, 0));
        assert_eq!(first.check(), Ok(()));
        assert_eq!(first.follows(None), Ok(()));
        let mut shuffled = book.clone();
        shuffled.reverse();
        assert_eq!(
            draw("2026-03-01", None, &shuffled),
            first,
            "in whichever order"
        );

        let second = draw(
            "2026-03-02",
            Some(&first),
            &[transfer(K::Reversed, 1, 100), transfer(K::Upheld, 1, 10)],
        );
        assert_eq!((second.opening, second.closing), (70, -20));
        assert_eq!(second.follows(Some(&first)), Ok(()));
        assert_eq!(second.follows(None), Err(Refused::Unbalanced));
        assert_eq!(first.follows(Some(&second)), Err(Refused::Unbalanced));

        let claims = by_claim(&book).unwrap();
        let moved: Vec<i64> = claims.iter().map(|claim| claim.moved).collect();
        assert_eq!(moved, [20, 50]);
    }

    #[test]
    fn a_statement_that_was_touched_does_not_check() {
        let book = [transfer(K::Incurred, 1, 100), transfer(K::Noticed, 1, 70)];
        let good = draw("2026-03-01", None, &book);
        let touched: &[fn(&mut Statement)] = &[
            |one| one.opening += 1,
            |one| one.closing -= 1,
            |one| {
                one.sums.insert(K::Upheld, 1);
            },
            |one| {
                one.sums.insert(K::Noticed, -30);
                one.closing = 130;
            },
        ];
        for touch in touched {
            let mut statement = good.clone();
            touch(&mut statement);
            assert_eq!(statement.check(), Err(Refused::Unbalanced), "{statement:?}");
        }
        for at in 0..book.len() {
            let mut other = book.clone();
            other.get_mut(at).unwrap().turn = Some(9);
            assert_ne!(good.digest_over(&other), good.digest);
        }
        assert_eq!(good.digest_over(&book), good.digest);
    }

    #[test]
    fn what_does_not_belong_together_is_not_stated() {
        let good = transfer(K::Incurred, 1, 100);
        let first = draw("2026-03-02", None, std::slice::from_ref(&good));
        let refused = |pair: &Pair, day_text: &str, one: &Transfer| {
            Statement::draw(
                pair,
                day(day_text),
                Some(&first),
                std::slice::from_ref(one),
                at(1),
            )
            .unwrap_err()
        };
        let mut other = pair();
        other.currency = currency("USD");
        assert_eq!(refused(&pair(), "2026-03-02", &good), Refused::State);
        assert_eq!(refused(&pair(), "2026-03-01", &good), Refused::State);
        assert_eq!(refused(&other, "2026-03-03", &good), Refused::Currency);
        let foreign = Transfer {
            pair: other,
            ..good.clone()
        };
        assert_eq!(refused(&pair(), "2026-03-03", &foreign), Refused::Currency);
        let nothing = transfer(K::Incurred, 1, 0);
        assert_eq!(refused(&pair(), "2026-03-03", &nothing), Refused::Amount);
        let quiet = Statement::draw(&pair(), day("2026-03-03"), Some(&first), &[], at(1));
        assert_eq!(quiet, Ok(None), "a day without movement has none");
        let full = Statement {
            closing: i64::MAX,
            ..first.clone()
        };
        let over = Statement::draw(&pair(), day("2026-03-03"), Some(&full), &[good], at(1));
        assert_eq!(over, Err(Refused::Range));
    }

    #[test]
    fn what_was_overpaid_is_netted() {
        let mut page = folio(&[(1, &[100]), (2, &[50])]);
        super::super::sample::decided(&mut page, 1, &[100], 3);
        let mut overpaid = page.due(id(1)).unwrap().clone();
        overpaid.confirmed = amount(130);
        let dues = [&overpaid, page.due(id(2)).unwrap()];
        assert_eq!(
            Netting::of(dues),
            Ok(Netting {
                owed: 50,
                taken_back: 30,
                net: 20,
                take_backs: vec![(id(1), 30)]
            })
        );
    }
}
