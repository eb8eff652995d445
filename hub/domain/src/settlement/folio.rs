//! One pair's page of the book: the dues and payments of it that were read, and what may be done with them.
//!
//! Every operation gives the transfers that it makes and leaves the page as they do. A refusal leaves it as it was. A
//! page may hold a part of the pair's dues and payments alone: those that an operation is about.

use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

use super::account::{Balances, Transfer, TransferKind};
use super::payment::Payment;
use super::state::{PaymentEvent, PaymentState};
use super::{Due, Pair, Refused};
use crate::date::{Date, Instant};
use crate::ids::{MessageId, PaymentId};
use crate::money::Amount;

/// One pair's page of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folio {
    pair: Pair,
    pub(super) dues: BTreeMap<MessageId, Due>,
    pub(super) payments: BTreeMap<PaymentId, Payment>,
    /// Claims between the two that are owed in another currency.
    elsewhere: BTreeSet<MessageId>,
}

/// Money that may still reach a claim: so much of a payment, and by which kind of transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fund {
    pub(super) payment: PaymentId,
    pub(super) left: Amount,
    pub(super) by: TransferKind,
}

/// A claim, or a line of it.
pub(super) type Place = (MessageId, Option<u32>);

impl Folio {
    /// The page of a pair.
    ///
    /// # Errors
    /// [`Refused::Unknown`] or [`Refused::Currency`] where a due or payment is another pair's.
    pub fn open(
        pair: Pair,
        dues: impl IntoIterator<Item = Due>,
        payments: impl IntoIterator<Item = Payment>,
    ) -> Result<Folio, Refused> {
        let mut folio = Folio {
            pair,
            dues: BTreeMap::new(),
            payments: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
        };
        for due in dues {
            folio.put(due)?;
        }
        for payment in payments {
            folio.pair.accepts(&payment.pair)?;
            folio.payments.insert(payment.id, payment);
        }
        Ok(folio)
    }

    /// Whose page it is.
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// The dues, by claim.
    pub fn dues(&self) -> impl Iterator<Item = &Due> {
        self.dues.values()
    }

    /// One claim's due.
    pub fn due(&self, message: MessageId) -> Option<&Due> {
        self.dues.get(&message)
    }

    /// The payments, in the order of their ids.
    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    /// One payment.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.get(&id)
    }

    /// Takes a due as a decision left it, in place of what the page had.
    ///
    /// # Errors
    /// [`Refused::Unknown`] or [`Refused::Currency`] where it is another pair's.
    pub fn put(&mut self, due: Due) -> Result<(), Refused> {
        self.pair.accepts(&due.pair)?;
        self.dues.insert(due.message, due);
        Ok(())
    }

    /// Notes claims between the two that are owed in another currency: whoever names one is told so.
    pub fn note_elsewhere(&mut self, messages: impl IntoIterator<Item = MessageId>) {
        self.elsewhere.extend(messages);
    }

    /// What the accounts have to stand at, by the dues and payments alone. Of a whole page it is what its transfers
    /// come to.
    pub fn balances(&self) -> Balances {
        let mut balances = Balances::default();
        for due in self.dues.values() {
            let sums = [
                due.incurred,
                due.noticed,
                due.confirmed,
                due.disputed,
                due.written_off,
            ];
            balances.add_due(sums.map(|sum| sum.get().into()));
        }
        for payment in self.payments.values() {
            balances.add_rest(payment.state, payment.rest().get().into());
        }
        balances
    }

    /// Lets what earlier payments have left over reach what is open: first what was paid for claims and is no longer
    /// owed becomes rest again, then the oldest due takes of the oldest payment. What was overpaid by payments that the
    /// page does not hold stays for a page that does.
    ///
    /// # Errors
    /// None, on a page whose dues and payments are of one moment.
    pub fn take_prepaid(&mut self, at: Instant) -> Result<Vec<Transfer>, Refused> {
        let mut book = Vec::new();
        let overpaid: Vec<MessageId> = self
            .dues
            .values()
            .filter(|due| !due.overpaid().is_zero())
            .map(|due| due.message)
            .collect();
        for message in overpaid {
            self.net(message, None, at, &mut book)?;
        }
        let mut funds = self.rests();
        for message in self.open_by_age() {
            self.pay((message, None), None, &mut funds, at, &mut book)?;
        }
        Ok(book)
    }

    /// The provider has a payment. Said twice, it changes nothing.
    ///
    /// # Errors
    /// [`Refused::Unknown`] where there is no such payment, [`Refused::State`] where it has bounced or was never
    /// taken.
    pub fn confirm(&mut self, id: PaymentId, at: Instant) -> Result<Vec<Transfer>, Refused> {
        let payment = self.payments.get(&id).ok_or(Refused::Unknown)?;
        if payment.state == PaymentState::Confirmed {
            return Ok(Vec::new());
        }
        let state = payment.state.after(PaymentEvent::Confirmed);
        let state = state.ok_or(Refused::State)?;
        let mut book = Vec::new();
        let by = TransferKind::Confirmed;
        self.move_all(id, by, Some(by), at, &mut book)?;
        self.settle(id, state, at);
        Ok(book)
    }

    /// A payment did not arrive, or was called back: what it reached is owed again. Said twice, it changes nothing.
    ///
    /// # Errors
    /// [`Refused::Unknown`] where there is no such payment, [`Refused::State`] where it was never taken.
    pub fn bounce(&mut self, id: PaymentId, at: Instant) -> Result<Vec<Transfer>, Refused> {
        let payment = self.payments.get(&id).ok_or(Refused::Unknown)?;
        let before = payment.state;
        if before == PaymentState::Bounced {
            return Ok(Vec::new());
        }
        let state = before.after(PaymentEvent::Bounced);
        let state = state.ok_or(Refused::State)?;
        let mut book = Vec::new();
        if before == PaymentState::Confirmed {
            let by = TransferKind::Unconfirmed;
            self.move_all(id, by, Some(by), at, &mut book)?;
        }
        let rest = Some(TransferKind::Returned);
        self.move_all(id, TransferKind::Bounced, rest, at, &mut book)?;
        self.settle(id, state, at);
        Ok(book)
    }

    /// Moves all of a payment: what reached claims by one kind, its rest by another.
    fn move_all(
        &mut self,
        id: PaymentId,
        of_claims: TransferKind,
        of_rest: Option<TransferKind>,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<(), Refused> {
        let payment = self.payments.get(&id).ok_or(Refused::Unknown)?;
        let rest = payment.rest();
        let reached: Vec<(Place, Amount)> = payment
            .allocations
            .iter()
            .map(|(place, amount)| (*place, *amount))
            .collect();
        // All dues are seen before the first is moved: a refusal leaves the page as it was.
        if reached
            .iter()
            .any(|((message, _), _)| !self.dues.contains_key(message))
        {
            return Err(Refused::Unknown);
        }
        for (place, amount) in reached {
            self.move_due(place, of_claims, amount, id.0, at, book)?;
        }
        if let Some(kind) = of_rest
            && !rest.is_zero()
        {
            book.push(self.of_rest(kind, rest, id, at));
        }
        Ok(())
    }

    fn settle(&mut self, id: PaymentId, state: PaymentState, at: Instant) {
        if let Some(payment) = self.payments.get_mut(&id) {
            payment.state = state;
            payment.settled_at = Some(at);
        }
    }

    /// A transfer of a payment's rest, which is no claim's.
    pub(super) fn of_rest(
        &self,
        kind: TransferKind,
        amount: Amount,
        payment: PaymentId,
        at: Instant,
    ) -> Transfer {
        Transfer {
            pair: self.pair.clone(),
            kind,
            amount,
            message: None,
            line: None,
            source: Some(payment.0),
            turn: None,
            at,
        }
    }

    /// Books one transfer of a claim.
    pub(super) fn move_due(
        &mut self,
        (message, line): Place,
        kind: TransferKind,
        amount: Amount,
        source: Uuid,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<(), Refused> {
        let due = self.dues.get_mut(&message).ok_or(Refused::Unknown)?;
        let transfer = Transfer {
            line,
            ..due.transfer(kind, amount, Some(source), at)
        };
        *due = due.apply(&transfer)?;
        book.push(transfer);
        Ok(())
    }

    /// Pays what is open of a claim or line, and no more than `most`, out of `funds` in their order. Gives what was
    /// paid.
    pub(super) fn pay(
        &mut self,
        place: Place,
        most: Option<Amount>,
        funds: &mut [Fund],
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<Amount, Refused> {
        let open = self.open_at(place)?.or_zero();
        let wanted = most.map_or(open, |most| most.min(open));
        let mut left = wanted;
        for fund in funds {
            let part = left.min(fund.left);
            if part <= Amount::ZERO {
                continue;
            }
            self.move_due(place, fund.by, part, fund.payment.0, at, book)?;
            self.reach(fund.payment, place, part)?;
            fund.left -= part;
            left -= part;
        }
        Ok(wanted - left)
    }

    /// Makes rest again of what was paid for a claim and is no longer owed: of the last payment first, and no more than
    /// `most`. Gives the rests, as funds.
    pub(super) fn net(
        &mut self,
        message: MessageId,
        most: Option<Amount>,
        at: Instant,
        book: &mut Vec<Transfer>,
    ) -> Result<Vec<Fund>, Refused> {
        let overpaid = self.dues.get(&message).map(Due::overpaid);
        let overpaid = overpaid.ok_or(Refused::Unknown)?;
        let mut reached: Vec<(Date, PaymentId, PaymentState, Option<u32>, Amount)> = Vec::new();
        for payment in self.payments.values().filter(|one| one.state.is_live()) {
            let of_claim = payment.of_claim(message);
            let row = |(line, amount)| (payment.paid_on, payment.id, payment.state, line, amount);
            reached.extend(of_claim.map(row));
        }
        let found: Amount = reached.iter().map(|row| row.4).sum();
        if most.is_some_and(|most| most > overpaid.min(found)) {
            return Err(Refused::Over);
        }
        reached.sort_by_key(|row| std::cmp::Reverse((row.0, row.1, row.3)));
        let mut left = most.unwrap_or(overpaid);
        let mut freed = Vec::new();
        for (_, id, state, line, amount) in reached {
            let part = left.min(amount);
            if part <= Amount::ZERO {
                continue;
            }
            let (kind, by) = match state {
                PaymentState::Confirmed => (TransferKind::Netted, TransferKind::Drawn),
                _ => (TransferKind::Freed, TransferKind::Applied),
            };
            self.move_due((message, line), kind, part, id.0, at, book)?;
            self.reach(id, (message, line), Amount::ZERO - part)?;
            freed.push(Fund {
                payment: id,
                left: part,
                by,
            });
            left -= part;
        }
        Ok(freed)
    }

    fn reach(
        &mut self,
        payment: PaymentId,
        (message, line): Place,
        change: Amount,
    ) -> Result<(), Refused> {
        let payment = self.payments.get_mut(&payment).ok_or(Refused::Unknown)?;
        payment.reach(message, line, change)
    }

    /// What is open of a claim, which may lie below zero, or of a line.
    pub(super) fn open_at(&self, (message, line): Place) -> Result<Amount, Refused> {
        let due = self.named(message)?;
        match line {
            None => Ok(due.open()),
            Some(seq) => due.open_of(seq).ok_or(Refused::Unknown),
        }
    }

    /// The due of a claim that somebody names.
    pub(super) fn named(&self, message: MessageId) -> Result<&Due, Refused> {
        let missing = match self.elsewhere.contains(&message) {
            true => Refused::Currency,
            false => Refused::Unknown,
        };
        self.dues.get(&message).ok_or(missing)
    }

    /// The claims of which something is open, oldest first: by the day by which they are to be paid, then by age.
    pub(super) fn open_by_age(&self) -> Vec<MessageId> {
        let open = self.dues.values().filter(|due| due.open() > Amount::ZERO);
        let mut open: Vec<(Date, MessageId)> = open.map(|due| (due.due_on, due.message)).collect();
        open.sort_unstable();
        open.into_iter().map(|(_, message)| message).collect()
    }

    /// What payments have left over, oldest first.
    fn rests(&self) -> Vec<Fund> {
        let live = self
            .payments
            .values()
            .filter(|payment| !payment.rest().is_zero());
        let mut live: Vec<&Payment> = live.collect();
        live.sort_by_key(|payment| (payment.paid_on, payment.id));
        let fund = |payment: &&Payment| Fund {
            payment: payment.id,
            left: payment.rest(),
            by: match payment.state {
                PaymentState::Confirmed => TransferKind::Drawn,
                _ => TransferKind::Applied,
            },
        };
        live.iter().map(fund).collect()
    }
}
