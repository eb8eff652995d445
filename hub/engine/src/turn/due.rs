//! What insurers owe for a claim is booked in the turn that decides it: the difference between what the decision says now
//! and what was booked before, whichever way the claim went there.

use std::collections::HashMap;

use takmil_domain::answer::Answer;
use takmil_domain::ids::{MessageId, ParticipantId, RegistrationId, TransferId};
use takmil_domain::life::is_payable;
use takmil_domain::message::Message;
use takmil_domain::participant::PAY_DAYS;
use takmil_domain::settlement::{Due, PayeeKind, Says, Word, due};
use takmil_store::{LoadedMessage, NewRegistration, NewSubject};

use super::Bench;
use crate::basis::{Basis, CoverBasis};
use crate::error::Error;

/// A claim as a turn has left it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) message: MessageId,
    pub(super) sender: &'a ParticipantId,
    /// Whom its bill names to be paid; the provider where it names nobody.
    pub(super) payee: PayeeKind,
    pub(super) turn: u32,
    pub(super) says: Says<'a>,
    /// The covers that it was decided by.
    pub(super) covers: &'a [CoverBasis],
}

/// Whom a message's bill names to be paid.
pub(super) fn payee(message: &Message) -> PayeeKind {
    let bill = message.bill();
    PayeeKind::of(bill.as_ref().and_then(|bill| bill.payee.as_ref()))
}

/// What is booked of the messages that were loaded, locked until the turn ends.
pub(super) async fn load(
    turn: &mut takmil_store::Turn,
    loaded: &HashMap<MessageId, LoadedMessage>,
) -> Result<HashMap<MessageId, Vec<Due>>, Error> {
    let payable = loaded.values().filter(|own| is_payable(own.kind));
    let mut payable: Vec<MessageId> = payable.map(|own| own.id).collect();
    payable.sort_unstable();
    let mut dues: HashMap<MessageId, Vec<Due>> = HashMap::new();
    for due in turn.dues(&payable).await? {
        dues.entry(due.message).or_default().push(due);
    }
    Ok(dues)
}

impl Bench<'_> {
    /// Books what a message that was there before says now, as this turn answers it.
    pub(super) fn book_anew(
        &mut self,
        message: &Message,
        answer: &Answer,
        basis: &Basis,
    ) -> Result<(), Error> {
        let Some(loaded) = self.loaded.get(&answer.id) else {
            return Ok(());
        };
        let (sender, turn) = (loaded.sender.clone(), loaded.turn + 1);
        self.book(Left {
            message: answer.id,
            sender: &sender,
            payee: payee(message),
            turn,
            says: Says::of(answer.kind, answer.state, answer.decision.as_ref()),
            covers: &basis.covers,
        })
    }

    /// Brings what is owed for a claim to what it says now. Later orders of this batch go on from here.
    pub(super) fn book(&mut self, left: Left<'_>) -> Result<(), Error> {
        let booked = self.dues.entry(left.message).or_default();
        let word = Word {
            message: left.message,
            provider: left.sender,
            payee: left.payee,
            says: left.says,
            is_reviewed: false,
            turn: left.turn,
            day: self.inner.settlement.day(self.now),
            at: self.now,
        };
        let pay_days = |insurer: &ParticipantId| {
            let contract = self.catalog.contract(insurer);
            contract.map_or(PAY_DAYS, |contract| contract.pay_days)
        };
        let changes = due::changes(&word, booked, pay_days)
            .map_err(|refused| Error::Unbalanced(format!("{}: {refused}", left.message)))?;
        let mut born = Vec::new();
        for change in changes {
            let transfer = change.transfer.map(|transfer| {
                let id = TransferId::new(self.now, (self.inner.random)());
                (id, transfer)
            });
            self.batch.transfers.extend(transfer);
            self.batch.dues.push(change.due.clone());
            let own = booked
                .iter_mut()
                .find(|due| due.pair.insurer == change.due.pair.insurer);
            match own {
                Some(due) => *due = change.due,
                None => {
                    let insurer = change.due.pair.insurer.clone();
                    born.push(insurer);
                    booked.push(change.due);
                }
            }
        }
        for insurer in born {
            self.register(left.message, &insurer, left.covers);
        }
        Ok(())
    }

    /// A claim for which an insurer owes something is to be registered, where its contract says so; and its policy,
    /// where that is not.
    fn register(&mut self, message: MessageId, insurer: &ParticipantId, covers: &[CoverBasis]) {
        let mut covers = covers.iter().map(|own| &own.cover);
        let cover = covers.find(|own| own.insurer == *insurer);
        let Some(cover) = cover.filter(|_| self.catalog.registers(insurer)) else {
            return;
        };
        for what in [NewSubject::Policy, NewSubject::Claim(message)] {
            self.batch.registrations.push(NewRegistration {
                id: RegistrationId::new(self.now, (self.inner.random)()),
                insurer: insurer.clone(),
                account: cover.account,
                what,
                at: self.now,
            });
        }
    }
}
