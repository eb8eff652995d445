//! The remittance advice: what a payment paid, or what a day brought, claim by claim and line by line.
//!
//! One document for every face. It adds up: what reached claims and what was put by for later ones is what was paid.

use serde::Serialize;
use std::collections::BTreeMap;

use super::account::{Account, Counter, Transfer, TransferKind};
use super::folio::Folio;
use super::state::PaymentState;
use super::statement::by_claim;
use super::{Due, DueLine, Pair, Refused, Statement, sum, total};
use crate::date::{Date, Instant};
use crate::ids::{MessageId, PaymentId};
use crate::money::Amount;

/// A remittance advice. All amounts in smallest units of the pair's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remittance {
    /// From whom to whom.
    pub pair: Pair,
    /// On what occasion.
    pub occasion: Occasion,
    /// When it was written.
    pub made_at: Instant,
    /// The claims, in the order of their ids.
    pub claims: Vec<RemittedClaim>,
    /// What was put by for later claims; below zero where more was taken of what had been put by.
    pub ahead: i64,
    /// What was paid: what reached claims, and what was put by.
    pub paid: i64,
}

/// What a remittance advice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// One payment.
    Payment {
        /// Which.
        id: PaymentId,
        /// The insurer's reference.
        reference: String,
        /// When it was ordered.
        paid_on: Date,
        /// By what.
        #[serde(skip_serializing_if = "Option::is_none")]
        instrument: Option<String>,
        /// How far it has come.
        state: PaymentState,
    },
    /// One day.
    Statement {
        /// The statement's number.
        number: u64,
        /// The day.
        day: Date,
        /// What was owed before.
        opening: i64,
        /// What is owed now.
        closing: i64,
    },
}

/// One claim of a remittance advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemittedClaim {
    /// The hub's id of it.
    pub message: MessageId,
    /// The provider's own number of it, where it may still be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// When it came to be owed.
    pub on_day: Date,
    /// By when it is to be paid.
    pub due_on: Date,
    /// What was asked.
    pub billed: i64,
    /// What the base insurer pays of it.
    pub base: i64,
    /// What this insurer pays of it, as decided.
    pub amount: i64,
    /// What was paid on this occasion; below zero where it was taken back.
    pub paid: i64,
    /// What the occasion did to what is owed for it.
    pub moved: i64,
    /// What is still open.
    pub open: i64,
    /// What was paid beyond what its lines come to.
    pub beyond: i64,
    /// Its lines.
    pub lines: Vec<RemittedLine>,
}

/// One line of a claim. What was paid for a claim as a whole is told of its lines in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RemittedLine {
    /// The sender's number of the line.
    pub seq: u32,
    /// What was asked.
    pub billed: i64,
    /// What the base insurer pays.
    pub base: i64,
    /// What this insurer pays, as decided.
    pub amount: i64,
    /// The rest of what was asked: the member's part, other insurers', what the provider waives.
    pub others: i64,
    /// What was paid on this occasion.
    pub paid: i64,
}

impl Remittance {
    /// The advice of a payment: `book` are the transfers that its booking made, the page is as they left it. `own` tells
    /// the provider's number of a claim.
    ///
    /// # Errors
    /// [`Refused::Unknown`] where the page lacks the payment or a claim, [`Refused::Unbalanced`] where the transfers
    /// do not come to the payment, [`Refused::Range`] where 64 bits do not hold a sum.
    pub fn of_payment(
        folio: &Folio,
        payment: PaymentId,
        book: &[Transfer],
        own: impl Fn(MessageId) -> Option<String>,
        made_at: Instant,
    ) -> Result<Remittance, Refused> {
        let payment = folio.payment(payment).ok_or(Refused::Unknown)?;
        let occasion = Occasion::Payment {
            id: payment.id,
            reference: payment.reference.clone(),
            paid_on: payment.paid_on,
            instrument: payment.instrument.clone(),
            state: payment.state,
        };
        let remittance = Remittance::of(folio, occasion, book, own, made_at)?;
        match remittance.paid == payment.amount.get() {
            true => Ok(remittance),
            false => Err(Refused::Unbalanced),
        }
    }

    /// The advice of a day: `book` are the transfers that its statement was drawn from.
    ///
    /// # Errors
    /// [`Refused::Unknown`] where the page lacks a claim, [`Refused::Unbalanced`] where the transfers are not the
    /// statement's, [`Refused::Range`] where 64 bits do not hold a sum.
    pub fn of_statement(
        folio: &Folio,
        number: u64,
        statement: &Statement,
        book: &[Transfer],
        own: impl Fn(MessageId) -> Option<String>,
        made_at: Instant,
    ) -> Result<Remittance, Refused> {
        statement.check()?;
        if statement.digest_over(book) != statement.digest {
            return Err(Refused::Unbalanced);
        }
        let occasion = Occasion::Statement {
            number,
            day: statement.day,
            opening: statement.opening,
            closing: statement.closing,
        };
        Remittance::of(folio, occasion, book, own, made_at)
    }

    fn of(
        folio: &Folio,
        occasion: Occasion,
        book: &[Transfer],
        own: impl Fn(MessageId) -> Option<String>,
        made_at: Instant,
    ) -> Result<Remittance, Refused> {
        for transfer in book {
            folio.pair().accepts(&transfer.pair)?;
        }
        let mut claims = Vec::new();
        for movement in by_claim(book)? {
            let due = folio.due(movement.message).ok_or(Refused::Unknown)?;
            let transfers = book
                .iter()
                .filter(|one| one.message == Some(movement.message));
            let mut claim = remit(folio, due, transfers)?;
            claim.own = own(movement.message);
            claim.moved = movement.moved;
            claims.push(claim);
        }
        let ahead: i128 = book
            .iter()
            .map(|one| -i128::from(one.kind.sign(Account::Prepaid)) * i128::from(one.amount.get()))
            .sum();
        let reached: i128 = claims.iter().map(|claim| i128::from(claim.paid)).sum();
        Ok(Remittance {
            pair: folio.pair().clone(),
            occasion,
            made_at,
            claims,
            ahead: total(ahead)?,
            paid: total(reached + ahead)?,
        })
    }
}

/// What a transfer paid for its claim; below zero where it took back.
fn paid(transfer: &Transfer) -> i128 {
    let is_paid = |counter| matches!(counter, Some(Counter::Noticed | Counter::Confirmed));
    let rule = TransferKind::rule(transfer.kind);
    let sign = i128::from(is_paid(rule.adds)) - i128::from(is_paid(rule.takes));
    sign * i128::from(transfer.amount.get())
}

fn remit<'t>(
    folio: &Folio,
    due: &Due,
    book: impl Iterator<Item = &'t Transfer>,
) -> Result<RemittedClaim, Refused> {
    let mut by_line: BTreeMap<Option<u32>, i128> = BTreeMap::new();
    for transfer in book {
        *by_line.entry(transfer.line).or_default() += paid(transfer);
    }
    let mut named: BTreeMap<Option<u32>, i128> = BTreeMap::new();
    let live = folio.payments().filter(|one| one.state.is_live());
    for (line, amount) in live.flat_map(|payment| payment.of_claim(due.message)) {
        *named.entry(line).or_default() += i128::from(amount.get());
    }
    let of = |sums: &BTreeMap<Option<u32>, i128>, line| sums.get(&line).copied().unwrap_or(0);
    // What was paid for the claim as a whole fills its lines in their order; what this occasion paid is what they hold
    // now beyond what they held before.
    let whole = of(&by_line, None);
    let after = of(&named, None);
    let room = |line: &DueLine| (i128::from(line.amount.get()) - of(&named, Some(line.seq))).max(0);
    let (mut before, mut now) = ((after - whole).max(0), after.max(0));
    let mut lines = Vec::new();
    let mut told = 0_i128;
    for line in &due.lines {
        let held = room(line);
        let (was, is) = (held.min(before), held.min(now));
        (before, now) = (before - was, now - is);
        let paid = is - was + of(&by_line, Some(line.seq));
        told += paid;
        lines.push(RemittedLine {
            seq: line.seq,
            billed: line.billed.get(),
            base: line.base.get(),
            amount: line.amount.get(),
            others: (line.billed - line.base - line.amount).get(),
            paid: total(paid)?,
        });
    }
    let paid: i128 = by_line.values().sum();
    let add = |part: fn(&DueLine) -> Amount| total(sum(due.lines.iter().map(part)));
    Ok(RemittedClaim {
        message: due.message,
        own: None,
        on_day: due.on_day,
        due_on: due.due_on,
        billed: add(|line| line.billed)?,
        base: add(|line| line.base)?,
        amount: add(|line| line.amount)?,
        paid: total(paid)?,
        moved: 0,
        open: due.open().get(),
        beyond: total(paid - told)?,
        lines,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::payment::{Notice, Reach, Row};
    use super::super::sample::{amount, at, day, decided, folio, id, pair};
    use super::*;

    fn notice(value: i64, reach: Reach) -> Notice {
        Notice {
            reference: format!("pay {value}"),
            pair: pair(),
            amount: amount(value),
            paid_on: day("2026-02-01"),
            instrument: Some("cheque 7".to_owned()),
            reach,
        }
    }

    fn advise(folio: &mut Folio, number: u128, notice: &Notice) -> Remittance {
        let id = PaymentId(id(500 + number).0);
        let (_, book) = folio.notice(notice, &[], id, at(9)).unwrap();
        let own = |message: MessageId| Some(format!("own {}", message.0.as_u128()));
        let advice = Remittance::of_payment(folio, id, &book, own, at(10)).unwrap();
        for claim in &advice.claims {
            let lines: i64 = claim.lines.iter().map(|line| line.paid).sum();
            assert_eq!(lines + claim.beyond, claim.paid, "{claim:?}");
        }
        let reached: i64 = advice.claims.iter().map(|claim| claim.paid).sum();
        assert_eq!(reached + advice.ahead, advice.paid);
        advice
    }

    /// Per claim: number, paid, beyond, paid by line.
    fn told(advice: &Remittance) -> Vec<(u128, i64, i64, Vec<i64>)> {
        let row = |claim: &RemittedClaim| {
            let lines = claim.lines.iter().map(|line| line.paid).collect();
            (claim.message.0.as_u128(), claim.paid, claim.beyond, lines)
        };
        advice.claims.iter().map(row).collect()
    }

    #[test]
    fn part_payments_fill_a_claims_lines_in_their_order() {
        let mut page = folio(&[(1, &[60, 30, 40])]);
        let first = advise(&mut page, 1, &notice(70, Reach::Bulk));
        assert_eq!(told(&first), [(1, 70, 0, vec![60, 10, 0])]);
        let by_line = Reach::Named(vec![Row {
            message: id(1),
            line: Some(3),
            amount: Some(amount(15)),
        }]);
        let second = advise(&mut page, 2, &notice(15, by_line));
        assert_eq!(told(&second), [(1, 15, 0, vec![0, 0, 15])]);
        let third = advise(&mut page, 3, &notice(50, Reach::Bulk));
        assert_eq!(told(&third), [(1, 45, 0, vec![0, 20, 25])]);
        assert_eq!((third.ahead, third.paid), (5, 50));
        let claim = third.claims.first().unwrap();
        assert_eq!(
            (claim.billed, claim.base, claim.amount, claim.open),
            (3_000, 3, 130, 0)
        );
        assert_eq!(claim.own.as_deref(), Some("own 1"));
        let line = claim.lines.first().unwrap();
        assert_eq!(line.base + line.amount + line.others, line.billed);
    }

    #[test]
    fn what_is_taken_back_is_told_with_its_claim() {
        let mut page = folio(&[(1, &[60, 40])]);
        advise(&mut page, 1, &notice(100, Reach::Bulk));
        decided(&mut page, 1, &[60, 0], 5);
        decided(&mut page, 2, &[90], 6);
        let advice = advise(&mut page, 2, &notice(50, Reach::Bulk));
        assert_eq!(
            told(&advice),
            [(1, -40, -40, vec![0, 0]), (2, 90, 0, vec![90])]
        );
        assert_eq!((advice.ahead, advice.paid), (0, 50));
        let moved: Vec<i64> = advice.claims.iter().map(|claim| claim.moved).collect();
        assert_eq!(moved, [40, -90]);
    }

    #[test]
    fn a_days_advice_goes_with_its_statement() {
        let mut page = folio(&[]);
        let mut book: Vec<Transfer> = decided(&mut page, 1, &[60, 40], 1).into_iter().collect();
        let payment = PaymentId(id(501).0);
        let paid = page.notice(&notice(130, Reach::Bulk), &[], payment, at(9));
        book.extend(paid.unwrap().1);
        let statement = Statement::draw(&pair(), day("2026-01-09"), None, &book, at(9));
        let statement = statement.unwrap().unwrap();
        let none = |_| None;
        let advice = Remittance::of_statement(&page, 3, &statement, &book, none, at(10)).unwrap();
        assert_eq!(told(&advice), [(1, 100, 0, vec![60, 40])]);
        assert_eq!((advice.ahead, advice.paid), (30, 130));
        assert_eq!(advice.claims.first().unwrap().moved, 0, "came and went");

        let part = Remittance::of_statement(&page, 3, &statement, &book[1..], none, at(10));
        assert_eq!(part, Err(Refused::Unbalanced));
        let part = Remittance::of_payment(&page, payment, &book[..2], none, at(10));
        assert_eq!(part, Err(Refused::Unbalanced));
        let unknown = Remittance::of_payment(&folio(&[]), payment, &book, none, at(10));
        assert_eq!(unknown, Err(Refused::Unknown));
        let written = serde_json::to_value(&advice).unwrap();
        assert_eq!(written.pointer("/occasion/statement/closing").unwrap(), 0);
    }
}
