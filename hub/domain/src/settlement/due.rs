//! What an insurer owes for a claim, as a decision says it, and what became of it.
//!
//! A due is brought to what the decision says *now*: the difference to what was booked is one transfer. So the same
//! word twice books nothing, and whichever way a claim went, its due ends at what it ended with.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

use super::account::{Counter, Transfer, TransferKind};
use super::{Pair, PayeeKind, Refused, amount, sum};
use crate::date::{Date, Instant};
use crate::decision::Decision;
use crate::ids::{MessageId, ParticipantId};
use crate::life::{State, is_payable};
use crate::message::Kind;
use crate::money::Amount;

/// What an insurer owes for a claim, and what became of it. Every sum is 0 or more;
/// open = incurred - noticed - confirmed - disputed - written off, and may lie below zero: then more was paid than is
/// owed any longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// In whose book.
    pub pair: Pair,
    /// The claim.
    pub message: MessageId,
    /// The claim's turn that it was last brought to.
    pub turn: u32,
    /// The day on which it came to be owed.
    pub on_day: Date,
    /// The day by which it is to be paid.
    pub due_on: Date,
    /// What came to be owed.
    pub incurred: Amount,
    /// What is on its way.
    pub noticed: Amount,
    /// What has arrived.
    pub confirmed: Amount,
    /// What is argued about.
    pub disputed: Amount,
    /// What was argued about, and is not paid.
    pub written_off: Amount,
    /// What the decision says, line by line.
    pub lines: Vec<DueLine>,
}

/// One line of a claim, as one insurer's due knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueLine {
    /// The sender's number of the line.
    pub seq: u32,
    /// What was asked.
    pub billed: Amount,
    /// What the base insurer pays.
    pub base: Amount,
    /// What this insurer pays.
    pub amount: Amount,
    /// How much of that was paid, disputed or written off by the line's own number.
    #[serde(default, skip_serializing_if = "Amount::is_zero")]
    pub held: Amount,
}

/// What a claim says to the book.
#[derive(Debug, Clone, Copy)]
pub enum Says<'a> {
    /// The insurers owe what the decision says.
    Owes(&'a Decision),
    /// Nothing is owed: it was taken back.
    Nothing,
    /// Nothing has changed: it is not to be paid, or not yet decided.
    AsBefore,
}

impl<'a> Says<'a> {
    /// What a message of a kind says to the book in a state. Only what was done is paid: claims, and what was
    /// handed out.
    pub fn of(kind: Kind, state: State, decision: Option<&'a Decision>) -> Says<'a> {
        match decision {
            _ if !is_payable(kind) => Says::AsBefore,
            _ if state.is_taken_back() => Says::Nothing,
            Some(decision) if state.is_decided() => Says::Owes(decision),
            _ => Says::AsBefore,
        }
    }
}

/// A claim's word to the book after a turn.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// The claim.
    pub message: MessageId,
    /// Its sender.
    pub provider: &'a ParticipantId,
    /// Whom it names to be paid.
    pub payee: PayeeKind,
    /// What it says.
    pub says: Says<'a>,
    /// Whether a review brought it about that the provider agreed to: what is owed less by it is recovered, not
    /// reversed.
    pub is_reviewed: bool,
    /// The turn.
    pub turn: u32,
    /// The day of the turn, as the hub's clock tells it in its own zone.
    pub day: Date,
    /// The moment of the turn.
    pub at: Instant,
}

/// What a word changes of one insurer's due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The due as it is now.
    pub due: Due,
    /// What brought it there; `None` where only lines moved and their sum did not.
    pub transfer: Option<Transfer>,
}

/// What a claim's word changes, insurer by insurer in the order of their names. Empty where nothing does.
///
/// `booked` are the claim's dues, one for each insurer that has one; `pay_days` says how many days an insurer has to
/// pay. A word of an earlier turn than what was booked changes nothing.
///
/// # Errors
/// [`Refused::Currency`] where the decision is in another currency than what was booked, [`Refused::Unknown`] where
/// the claim was another sender's or payee's, [`Refused::Range`] where lines come to more than any real amount.
pub fn changes(
    word: &Word<'_>,
    booked: &[Due],
    pay_days: impl Fn(&ParticipantId) -> u32,
) -> Result<Vec<Change>, Refused> {
    let booked: Vec<&Due> = booked
        .iter()
        .filter(|due| due.message == word.message)
        .collect();
    let decision = match word.says {
        Says::AsBefore => return Ok(Vec::new()),
        Says::Nothing => None,
        Says::Owes(decision) => Some(decision),
    };
    let said = decision.into_iter().flat_map(|decision| &decision.lines);
    let insurers: BTreeSet<&ParticipantId> = said
        .flat_map(|line| line.supplementary.iter().map(|share| &share.insurer))
        .chain(booked.iter().map(|due| &due.pair.insurer))
        .collect();
    let change = |insurer: &ParticipantId| {
        let due = booked.iter().find(|due| due.pair.insurer == *insurer);
        word.change(insurer, due.copied(), decision, pay_days(insurer))
    };
    insurers
        .into_iter()
        .filter_map(|insurer| change(insurer).transpose())
        .collect()
}

/// Whether a claim is paid: of all its dues nothing is open, on its way or argued about, and something has arrived. A
/// claim of which nobody owes anything is not.
pub fn is_paid(dues: &[Due]) -> bool {
    let is_settled = |due: &Due| {
        [due.open(), due.noticed, due.disputed]
            .iter()
            .all(Amount::is_zero)
    };
    dues.iter().all(is_settled) && dues.iter().any(|due| !due.confirmed.is_zero())
}

impl Word<'_> {
    fn change(
        &self,
        insurer: &ParticipantId,
        booked: Option<&Due>,
        decision: Option<&Decision>,
        pay_days: u32,
    ) -> Result<Option<Change>, Refused> {
        let lines = decision.map_or_else(Vec::new, |decision| lines_for(decision, insurer));
        let currency = decision.map(|decision| decision.currency);
        let Some(currency) = currency.or(booked.map(|due| due.pair.currency)) else {
            return Ok(None);
        };
        let pair = Pair {
            insurer: insurer.clone(),
            provider: self.provider.clone(),
            payee: self.payee,
            currency,
        };
        let mut due = match booked {
            Some(due) => {
                due.pair.accepts(&pair)?;
                due.clone()
            }
            None => Due::none(pair, self.message, self.day),
        };
        if booked.is_some_and(|due| self.turn < due.turn) {
            return Ok(None);
        }
        due.turn = self.turn;
        due.say(&lines);
        if due.incurred.is_zero() {
            due.on_day = self.day;
            due.due_on = self.day.add_days(pay_days);
        }
        let mut transfer = due.missing(self.at)?;
        if let Some(transfer) = &mut transfer {
            if self.is_reviewed && transfer.kind == TransferKind::Reversed {
                transfer.kind = TransferKind::Recovered;
            }
            due = due.apply(transfer)?;
        }
        let is_new = match booked {
            Some(before) => transfer.is_some() || before.lines != due.lines,
            None => transfer.is_some(),
        };
        Ok(is_new.then_some(Change { due, transfer }))
    }
}

/// The lines on which an insurer has a share, with its sums where it has several.
fn lines_for(decision: &Decision, insurer: &ParticipantId) -> Vec<DueLine> {
    let of_line = |line: &crate::decision::LineShare| {
        let mut own = line
            .supplementary
            .iter()
            .filter(|share| share.insurer == *insurer)
            .peekable();
        own.peek()?;
        Some(DueLine {
            seq: line.seq,
            billed: line.billed,
            base: line.base,
            // A line that still waits for the insurer's word is not owed.
            amount: own
                .filter(|share| !share.pended)
                .map(|share| share.amount.or_zero())
                .sum(),
            held: Amount::ZERO,
        })
    };
    decision.lines.iter().filter_map(of_line).collect()
}

impl Due {
    /// A due of nothing.
    fn none(pair: Pair, message: MessageId, day: Date) -> Due {
        Due {
            pair,
            message,
            turn: 0,
            on_day: day,
            due_on: day,
            incurred: Amount::ZERO,
            noticed: Amount::ZERO,
            confirmed: Amount::ZERO,
            disputed: Amount::ZERO,
            written_off: Amount::ZERO,
            lines: Vec::new(),
        }
    }

    /// What is still to be paid; below zero where more was paid than is owed any longer.
    pub fn open(&self) -> Amount {
        self.incurred - self.noticed - self.confirmed - self.disputed - self.written_off
    }

    /// What was paid beyond what is owed.
    pub fn overpaid(&self) -> Amount {
        (Amount::ZERO - self.open()).or_zero()
    }

    /// What is still to be paid of one line; `None` where there is no such line. Nothing where the line has been paid by
    /// its number, or the claim as a whole.
    pub fn open_of(&self, seq: u32) -> Option<Amount> {
        let line = self.lines.iter().find(|line| line.seq == seq)?;
        Some((line.amount - line.held).min(self.open()).or_zero())
    }

    /// Takes over what a decision says of the lines. A line that it no longer has stays as long as something was
    /// paid by its number.
    fn say(&mut self, lines: &[DueLine]) {
        let mut said: Vec<DueLine> = lines.to_vec();
        for before in self.lines.iter().filter(|line| !line.held.is_zero()) {
            match said.iter_mut().find(|line| line.seq == before.seq) {
                Some(line) => line.held = before.held,
                None => said.push(DueLine {
                    amount: Amount::ZERO,
                    ..*before
                }),
            }
        }
        self.lines = said;
    }

    /// The transfer that brings the due to what its lines say; `None` where it is there. What is argued about and
    /// what was written off stays incurred, so that neither is taken off twice: owed is what the decision says less
    /// what was written off of it, and never less than nothing.
    ///
    /// # Errors
    /// [`Refused::Range`] where the lines come to more than any real amount.
    pub fn missing(&self, at: Instant) -> Result<Option<Transfer>, Refused> {
        let said = amount(sum(self.lines.iter().map(|line| line.amount)))?;
        let target = said.max(self.disputed + self.written_off);
        let (kind, amount) = if target >= self.incurred {
            (TransferKind::Incurred, target - self.incurred)
        } else {
            (TransferKind::Reversed, self.incurred - target)
        };
        let transfer = Transfer {
            turn: Some(self.turn),
            ..self.transfer(kind, amount, None, at)
        };
        Ok((!amount.is_zero()).then_some(transfer))
    }

    /// A transfer for this claim.
    pub(super) fn transfer(
        &self,
        kind: TransferKind,
        amount: Amount,
        source: Option<Uuid>,
        at: Instant,
    ) -> Transfer {
        Transfer {
            pair: self.pair.clone(),
            kind,
            amount,
            message: Some(self.message),
            line: None,
            source,
            turn: None,
            at,
        }
    }

    /// The due after a transfer.
    ///
    /// # Errors
    /// [`Refused::Unknown`] where the transfer is not of this claim, or names a line that it does not have;
    /// [`Refused::Currency`] where it is in another currency; [`Refused::Amount`] where it moves nothing;
    /// [`Refused::Over`] where it would take more than is open, argued about, on its way, arrived or overpaid;
    /// [`Refused::Range`] where a sum would be larger than any real one.
    pub fn apply(&self, transfer: &Transfer) -> Result<Due, Refused> {
        transfer.check()?;
        self.pair.accepts(&transfer.pair)?;
        if transfer.message != Some(self.message) {
            return Err(Refused::Unknown);
        }
        let (rule, value) = (transfer.kind.rule(), transfer.amount);
        let within = match transfer.kind {
            TransferKind::Noticed
            | TransferKind::Applied
            | TransferKind::Drawn
            | TransferKind::Disputed => value <= self.open(),
            TransferKind::Freed | TransferKind::Netted => value <= self.overpaid(),
            TransferKind::Reversed | TransferKind::Recovered => {
                value <= self.incurred - self.disputed - self.written_off
            }
            _ => true,
        };
        if !within {
            return Err(Refused::Over);
        }
        let mut next = self.clone();
        if let Some(counter) = rule.takes {
            let counter = next.counter(counter);
            if *counter < value {
                return Err(Refused::Over);
            }
            *counter -= value;
        }
        if let Some(counter) = rule.adds {
            let counter = next.counter(counter);
            *counter = amount(sum([*counter, value]))?;
        }
        if let Some(seq) = transfer.line {
            next.hold(seq, transfer.kind, value)?;
        }
        Ok(next)
    }

    fn counter(&mut self, counter: Counter) -> &mut Amount {
        match counter {
            Counter::Incurred => &mut self.incurred,
            Counter::Noticed => &mut self.noticed,
            Counter::Confirmed => &mut self.confirmed,
            Counter::Disputed => &mut self.disputed,
            Counter::WrittenOff => &mut self.written_off,
        }
    }

    /// Keeps what a line was paid or argued about by its own number.
    fn hold(&mut self, seq: u32, kind: TransferKind, value: Amount) -> Result<(), Refused> {
        let line = self.lines.iter_mut().find(|line| line.seq == seq);
        let line = line.ok_or(Refused::Unknown)?;
        match kind {
            TransferKind::Noticed
            | TransferKind::Applied
            | TransferKind::Drawn
            | TransferKind::Disputed => {
                if value > line.amount - line.held {
                    return Err(Refused::Over);
                }
                line.held += value;
            }
            TransferKind::Bounced
            | TransferKind::Freed
            | TransferKind::Netted
            | TransferKind::Upheld => {
                if value > line.held {
                    return Err(Refused::Over);
                }
                line.held -= value;
            }
            // What has arrived and what is written off stays with its line; decisions are not booked by line.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
