//! Judging a decided bill again by what is known today. Late and retroactive facts (an endorsement, a termination, a new
//! tariff, another result of the base insurer) never change a decision by themselves: what they would change is listed,
//! and written once a second person has agreed to the list, as reversals and a new decision.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use takmil_domain::date::Date;
use takmil_domain::decision::Decision;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::{self, Event, State};
use takmil_domain::limit::{EntryKind, LimitKey, LimitNeed};
use takmil_domain::message::Message;
use takmil_domain::money::Amount;
use takmil_domain::participant::Purpose;
use takmil_domain::reason::Reason;
use takmil_store::{KnownMember, LoadedMessage};

use super::again::{read_back, used_of_limits};
use super::{Bench, Done, Step, leg};
use crate::basis::Basis;
use crate::catalog::Catalog;
use crate::error::Error;
use crate::judge;
use crate::ledger::Cause;
use crate::record::Spoken;

/// A decision that would come out otherwise by what is known today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The message.
    pub message: MessageId,
    /// Its last turn: where it has gone on since, the correction is out of date.
    pub turn: u32,
    /// What its decision came to.
    pub before: Sums,
    /// What it comes to by what is known today.
    pub after: Sums,
}

/// Who pays how much of a bill, as an insurer may see it: what others pay counts, who they are does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// What was asked.
    pub billed: Amount,
    /// What the base insurer pays.
    pub base: Amount,
    /// What the insurer pays.
    pub insurer: Amount,
    /// What other supplementary insurers pay.
    pub others: Amount,
    /// What the provider waives.
    pub written_off: Amount,
    /// What the member pays.
    pub member: Amount,
}

impl Sums {
    fn of(decision: &Decision, insurer: &ParticipantId) -> Sums {
        let totals = &decision.totals;
        let own = totals
            .supplementary
            .iter()
            .filter(|(own, _)| own == insurer);
        let own: Amount = own.map(|(_, amount)| *amount).sum();
        Sums {
            billed: totals.billed,
            base: totals.base,
            insurer: own,
            others: totals.supplementary_total() - own,
            written_off: totals.written_off,
            member: totals.member,
        }
    }
}

/// What a decided bill would rest on today: the covers and documents as they are known now, for the same day, with what
/// insurers have said and authorised.
fn today(
    record: &Basis,
    loaded: &LoadedMessage,
    message: &Message,
    member: &KnownMember,
    catalog: &Catalog,
) -> Basis {
    let mut basis = Basis {
        covers: Vec::new(),
        base: None,
        exchange: None,
        person: member.person,
        // What it reserved is used; what is left of an authorisation's reservation stays with it.
        uses: Vec::new(),
        keeps: Vec::new(),
        ..record.clone()
    };
    let networks = catalog
        .participant(&loaded.sender)
        .map(|own| own.networks.as_slice());
    let (day, networks) = (basis.day, networks.unwrap_or_default());
    basis.cover(&member.covers, Some(&loaded.sender), networks, day, catalog);
    basis.exchange(message.head.currency, catalog);
    if let (Some(base), Some(before)) = (&mut basis.base, &record.base)
        && base.insurer == before.insurer
    {
        base.said.clone_from(&before.said);
    }
    basis
}

/// Whether a message is one whose decision can be corrected.
fn is_settled(loaded: &LoadedMessage) -> bool {
    life::may(
        Some(loaded.state),
        Event::Corrected,
        State::Adjusted,
        loaded.kind,
    )
}

/// The remainders that a message may touch when it is judged again.
pub(super) fn needs(
    loaded: &LoadedMessage,
    member: &KnownMember,
    catalog: &Catalog,
    day: Date,
) -> Result<Vec<LimitNeed>, Error> {
    if !is_settled(loaded) {
        return Ok(Vec::new());
    }
    let (message, record) = read_back(loaded)?;
    let basis = today(&record.basis, loaded, &message, member, catalog);
    Ok(judge::needs(&message, &basis, catalog, day)?)
}

impl Bench<'_> {
    /// Judges a decided message again. Without `agreed` nothing is kept of it; with it the new decision is, unless the
    /// message has gone on since, or comes out otherwise than what was agreed to.
    pub(super) fn correct(
        &mut self,
        id: MessageId,
        member: &KnownMember,
        insurer: &ParticipantId,
        agreed: Option<&Correction>,
    ) -> Result<Done, Error> {
        let Some(loaded) = self.loaded.get(&id).filter(|loaded| is_settled(loaded)) else {
            return Ok(Done::Nothing);
        };
        if agreed.is_some_and(|agreed| agreed.turn != loaded.turn) {
            return Ok(Done::Nothing);
        }
        let (last, turn) = (loaded.turn, loaded.turn + 1);
        let used = used_of_limits(loaded);
        let (message, mut record) = read_back(loaded)?;
        let mut basis = today(&record.basis, loaded, &message, member, self.catalog);
        let Some(before) = record.answer.decision.take() else {
            return Ok(Done::Nothing);
        };
        let kept = (self.ledger.clone(), self.holdings.clone());
        let cause = Cause { message: id, turn };
        self.take_off(used, cause)?;
        let is_unmapped = !record.answer.unmapped.is_empty();
        let judged = self.judge(cause, &message, &mut basis, is_unmapped, &[])?;
        let is_settled = judged.state.is_some_and(State::is_decided);
        let after = judged
            .decision
            .filter(|after| is_settled && !pays_the_same(&before, after))
            // What is owed is booked in one currency.
            .filter(|after| after.currency == before.currency);
        let Some(after) = after else {
            (self.ledger, self.holdings) = kept;
            return Ok(Done::Nothing);
        };
        let correction = Correction {
            message: id,
            turn: last,
            before: Sums::of(&before, insurer),
            after: Sums::of(&after, insurer),
        };
        if agreed != Some(&correction) {
            (self.ledger, self.holdings) = kept;
            return Ok(match agreed {
                None => Done::Differs(Box::new(correction)),
                Some(_) => Done::Nothing,
            });
        }
        record.answer.state = State::Adjusted;
        record.answer.decision = Some(after);
        record.answer.covers = judged.covers;
        record.answer.answered_at = self.now;
        record
            .answer
            .reasons
            .retain(|reason| *reason != Reason::Corrected);
        record.answer.reasons.push(Reason::Corrected);
        let insurers = record.basis.covers.iter().chain(&basis.covers);
        let mut owed: Vec<_> = insurers
            .map(|own| (own.cover.insurer.clone(), Purpose::Decided))
            .collect();
        owed.sort();
        owed.dedup();
        self.owe(&record.answer, turn, record.claim, &owed);
        let answer = Arc::new(Spoken::new(record.answer)?);
        self.book_anew(&message, &answer, &basis)?;
        let step = Step {
            event: Event::Corrected,
            to: State::Adjusted,
            deadline: None,
            answer: Some(answer.record(&basis, record.claim)?),
            legs: vec![leg(self.now, "corrected", None, None)],
        };
        self.step(id, step);
        Ok(Done::Answered {
            answer,
            asks: Vec::new(),
            asks_first: false,
        })
    }

    /// Takes back what a message has used of limits.
    pub(super) fn take_off(
        &mut self,
        used: Vec<(LimitKey, i64)>,
        cause: Cause,
    ) -> Result<(), Error> {
        for (key, amount) in used {
            self.ledger
                .enter(&key, cause, 0, EntryKind::Reverse, amount, None)?;
        }
        Ok(())
    }
}

/// Whether everybody pays the same of every line.
pub(super) fn pays_the_same(one: &Decision, other: &Decision) -> bool {
    let paid = |decision: &Decision| -> Vec<_> {
        let lines = decision.lines.iter();
        lines
            .map(|line| {
                let shares = line.supplementary.iter();
                let shares: Vec<_> = shares
                    .map(|share| (share.insurer.clone(), share.amount))
                    .collect();
                (line.seq, line.base, line.written_off, line.member, shares)
            })
            .collect()
    };
    one.currency == other.currency && paid(one) == paid(other)
}
