//! A notice of a payment becomes allocations: which claims it reaches, in which order, and what is left over.
//!
//! Named rows are taken as they are named; a row beyond what is open is refused and the rest stands. A statement's
//! claims, and a payment in bulk, are served oldest first, after what was overpaid has been netted.

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Transfer, TransferKind};
use super::folio::{Folio, Fund};
use super::payment::{Notice, Payment, Reach, Receipt, Row, RowFate};
use super::state::PaymentState;
use super::{Refused, sum};
use crate::date::Instant;
use crate::ids::{MessageId, PaymentId};
use crate::money::Amount;

/// The most claims and lines that one notice may name: a month of a large hospital, and no answer without bounds.
pub const MAX_ROWS: usize = 10_000;

impl Folio {
    /// Books a payment. A repeat of one that the page holds gives the same receipt and no transfer.
    ///
    /// `stated` are the claims of the statement that the notice names; nothing where it names none.
    ///
    /// # Errors
    /// Nothing is booked then: [`Refused::Unknown`] where the notice is another pair's, [`Refused::Currency`] where in
    /// another currency, [`Refused::Reference`] where its reference belongs to another payment, [`Refused::Amount`]
    /// where it is of nothing, [`Refused::Range`] where it names too many rows or too large a sum.
    pub fn notice(
        &mut self,
        notice: &Notice,
        stated: &[MessageId],
        id: PaymentId,
        at: Instant,
    ) -> Result<(Receipt, Vec<Transfer>), Refused> {
        for payment in self.payments.values() {
            if notice.repeats(payment)? {
                return Ok((payment.receipt.clone(), Vec::new()));
            }
        }
        self.pair().accepts(&notice.pair)?;
        let rows = match &notice.reach {
            Reach::Named(rows) => rows.len(),
            _ => 0,
        };
        if notice.amount <= Amount::ZERO {
            return Err(Refused::Amount);
        }
        if notice.amount > Amount::MAX || rows > MAX_ROWS {
            return Err(Refused::Range);
        }
        if self.payments.contains_key(&id) {
            return Err(Refused::Reference);
        }
        self.payments.insert(id, Payment::of(notice, id, at));
        let mut book = Vec::new();
        let booked = self.reach_out(notice, stated, id, at, &mut book);
        if booked.is_err() {
            // Rows are refused one by one, so that only a page whose dues and payments contradict each other comes
            // here: there is nothing on it that could be gone on with.
            self.payments.remove(&id);
        }
        let rows = booked?;
        let payment = self.payments.get_mut(&id).ok_or(Refused::Unknown)?;
        payment.receipt = Receipt {
            payment: id,
            allocated: payment.allocated(),
            prepaid: payment.rest(),
            rows,
        };
        let receipt = payment.receipt.clone();
        if !receipt.prepaid.is_zero() {
            book.push(self.of_rest(TransferKind::Prepaid, receipt.prepaid, id, at));
        }
        Ok((receipt, book))
    }

    fn reach_out(
        &mut self,
        notice: &Notice,
        stated: &[MessageId],
        id: PaymentId,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<Vec<RowFate>, Refused> {
        let own = Fund {
            payment: id,
            left: notice.amount,
            by: TransferKind::Noticed,
        };
        match &notice.reach {
            Reach::Named(rows) => Ok(self.name(rows, own, at, book)),
            Reach::Statement(_) => {
                let stated: BTreeSet<MessageId> = stated.iter().copied().collect();
                self.serve(|message| stated.contains(&message), own, at, book)?;
                Ok(Vec::new())
            }
            Reach::Bulk => {
                // What earlier payments left over is older money, and goes first.
                let mut earlier = self.set_aside(id, |folio| folio.take_prepaid(at))?;
                book.append(&mut earlier);
                self.serve(|_| true, own, at, book)?;
                Ok(Vec::new())
            }
        }
    }

    /// Does something as if a payment were not there.
    fn set_aside<T>(
        &mut self,
        id: PaymentId,
        act: impl FnOnce(&mut Folio) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let payment = self.payments.remove(&id);
        let done = act(self);
        self.payments.extend(payment.map(|payment| (id, payment)));
        done
    }

    /// Serves claims, oldest first: what was overpaid of them is netted before, and goes first.
    fn serve(
        &mut self,
        among: impl Fn(MessageId) -> bool,
        own: Fund,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<(), Refused> {
        let overpaid = self.dues().filter(|due| !due.overpaid().is_zero());
        let overpaid: Vec<MessageId> = overpaid
            .map(|due| due.message)
            .filter(|message| among(*message))
            .collect();
        let mut funds = Vec::new();
        for message in overpaid {
            funds.append(&mut self.net(message, None, at, book)?);
        }
        funds.push(own);
        for message in self.open_by_age() {
            if among(message) {
                self.pay((message, None), None, &mut funds, at, book)?;
            }
        }
        Ok(())
    }

    /// Takes rows as they are named: those that take back first, then the others in their order.
    fn name(
        &mut self,
        rows: &[Row],
        own: Fund,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Vec<RowFate> {
        let mut funds = Vec::new();
        let mut fates: BTreeMap<usize, RowFate> = BTreeMap::new();
        let rows: Vec<(usize, Row)> = rows.iter().copied().enumerate().collect();
        let mut take = |folio: &mut Folio, funds: &mut Vec<Fund>, (at_row, row), back| {
            let taken = match back {
                true => folio.take_back(row, funds, at, book),
                false => folio.take_row(row, funds, at, book),
            };
            let (booked, refused) = match taken {
                Ok((booked, refused)) => (booked, refused),
                Err(refused) => (Amount::ZERO, Some(refused)),
            };
            fates.insert(
                at_row,
                RowFate {
                    row,
                    booked,
                    refused,
                },
            );
        };
        let (back, forth): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, row)| self.takes_back(*row));
        for row in back {
            take(self, &mut funds, row, true);
        }
        funds.push(own);
        for row in forth {
            take(self, &mut funds, row, false);
        }
        fates.into_values().collect()
    }

    /// Whether a row takes back what was overpaid: by its amount, or because all of a claim is named that has been
    /// paid beyond what is owed.
    fn takes_back(&self, row: Row) -> bool {
        let overpaid = || {
            let due = self.due(row.message);
            row.line.is_none() && due.is_some_and(|due| !due.overpaid().is_zero())
        };
        row.amount
            .map_or_else(overpaid, |amount| amount < Amount::ZERO)
    }

    fn take_back(
        &mut self,
        row: Row,
        funds: &mut Vec<Fund>,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<(Amount, Option<Refused>), Refused> {
        let due = self.named(row.message)?;
        if row
            .line
            .is_some_and(|seq| due.lines.iter().all(|line| line.seq != seq))
        {
            return Err(Refused::Unknown);
        }
        let overpaid = due.overpaid();
        let back = row.amount.map_or(overpaid, |amount| Amount::ZERO - amount);
        funds.append(&mut self.net(row.message, Some(back), at, book)?);
        Ok((Amount::ZERO - back, None))
    }

    fn take_row(
        &mut self,
        row: Row,
        funds: &mut [Fund],
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<(Amount, Option<Refused>), Refused> {
        let place = (row.message, row.line);
        let open = self.open_at(place)?;
        let left = sum(funds.iter().map(|fund| fund.left));
        let wanted = row.amount.unwrap_or(open);
        if wanted.is_zero() && row.amount.is_some() {
            return Err(Refused::Amount);
        }
        if wanted > open || open <= Amount::ZERO {
            return Err(Refused::Over);
        }
        // A row that names no amount takes what there is; one that names it is taken whole or not at all.
        let short = i128::from(wanted.get()) > left;
        if short && (row.amount.is_some() || left == 0) {
            return Err(Refused::Sum);
        }
        let paid = self.pay(place, Some(wanted), funds, at, book)?;
        Ok((paid, short.then_some(Refused::Sum)))
    }
}

impl Payment {
    /// A payment that a notice tells of, before it has reached anything.
    fn of(notice: &Notice, id: PaymentId, at: Instant) -> Payment {
        Payment {
            id,
            pair: notice.pair.clone(),
            reference: notice.reference.clone(),
            digest: notice.digest(),
            amount: notice.amount,
            paid_on: notice.paid_on,
            instrument: notice.instrument.clone(),
            state: PaymentState::Noticed,
            noticed_at: at,
            settled_at: None,
            allocations: BTreeMap::new(),
            receipt: Receipt {
                payment: id,
                allocated: Amount::ZERO,
                prepaid: notice.amount,
                rows: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
