//! Pre-authorisations: what a decided request lets later bills claim, and what they use of it.

use std::collections::HashMap;

use takmil_domain::answer::Answer;
use takmil_domain::bill::Line;
use takmil_domain::code::Code;
use takmil_domain::decision::{Figure, LineShare, TraceEntry};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::message::{Body, Head, Kind, Message};
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::reason::Reason;
use takmil_store::{Authorised, AuthorisedUse, KeptAuthorisation, NewUse};

use super::{Bench, Fresh};
use crate::basis::{AuthorisedBasis, Basis};
use crate::judge::{Effect, effect};

/// The numbers of the authorisations that a line goes by: its own, and those that the message names with a cover.
pub(super) fn named<'a>(head: &'a Head, line: &'a Line) -> impl Iterator<Item = &'a str> {
    let covers = head.coverages.iter();
    let of_covers = covers.flat_map(|cover| &cover.authorisations);
    line.authorisation
        .iter()
        .chain(of_covers)
        .map(String::as_str)
}

/// How much of an authorised line is left.
#[derive(Clone, Copy)]
struct Left {
    quantity: Option<Quantity>,
    amount: Option<Amount>,
}

impl Left {
    fn of(own: &KeptAuthorisation, counts: impl Fn(&AuthorisedUse) -> bool) -> Left {
        let mut left = Left {
            quantity: own.line.quantity,
            amount: own.line.amount,
        };
        for used in own.uses.iter().filter(|used| counts(used)) {
            left.take(used.quantity, used.amount);
        }
        left
    }

    fn take(&mut self, quantity: Quantity, amount: Amount) {
        self.quantity = self.quantity.map(|left| left.less(quantity));
        self.amount = self.amount.map(|left| (left - amount).or_zero());
    }

    fn is_nothing(self) -> bool {
        self.quantity.is_some_and(Quantity::is_zero) || self.amount.is_some_and(|own| own.is_zero())
    }
}

impl Bench<'_> {
    /// For how many days a message of a kind reserves, or authorises.
    pub(super) fn reserve_days(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Preauthorization => self.inner.config.authorisation_days,
            _ => self.inner.config.reserve_days,
        }
    }

    /// Joins the lines of a message to the authorisations that they go by, of each insurer one: same member, number and
    /// service, not taken back, not expired, and with something left. Says where one that is named is none of that.
    pub(super) fn go_by_leave(&self, fresh: &Fresh, basis: &mut Basis) -> Option<Reason> {
        let (Some(member), Some(bill)) = (basis.member, fresh.message.bill()) else {
            return None;
        };
        // Two lines of a bill may go by one authorised line.
        let mut left: HashMap<usize, Left> = HashMap::new();
        let mut is_gone = false;
        for line in &bill.lines {
            let code = line.item.effective().unwrap_or_default();
            let numbers: Vec<&str> = named(&fresh.message.head, line).collect();
            let rows = self.authorised.iter().enumerate().filter(|(_, own)| {
                let row = &own.line;
                row.member == member
                    && numbers.contains(&row.number.as_str())
                    && (row.code.system.as_str(), row.code.code.as_str()) == code
            });
            for (at, own) in rows {
                let row = &own.line;
                let counts = |used: &AuthorisedUse| !self.is_taken_back(used.message);
                let left = left.entry(at).or_insert_with(|| Left::of(own, counts));
                let is_taken_back = own.cancelled || self.is_taken_back(row.message);
                if is_taken_back || row.valid_until < basis.day || left.is_nothing() {
                    is_gone = true;
                    continue;
                }
                let known = basis.authorised.iter();
                let mut known = known.filter(|own| own.seq == line.seq);
                if known.any(|own| own.insurer == row.insurer) {
                    continue;
                }
                basis.authorised.push(AuthorisedBasis {
                    seq: line.seq,
                    insurer: row.insurer.clone(),
                    number: row.number.clone(),
                    of: row.seq,
                    quantity: left.quantity,
                    amount: left.amount,
                });
                let asked = line.asked().or(left.amount).unwrap_or_default();
                left.take(line.quantity.unwrap_or(Quantity::ONE), asked);
                if !basis.uses.contains(&row.message) {
                    basis.uses.push(row.message);
                }
            }
        }
        for (at, left) in left {
            let message = self.authorised.get(at).map(|own| own.line.message);
            let keeps = message.filter(|message| {
                basis.uses.contains(message) && !left.is_nothing() && left.quantity.is_some()
            });
            basis.keeps.extend(keeps);
        }
        basis.keeps.sort_unstable();
        basis.keeps.dedup();
        is_gone.then_some(Reason::AuthorisationGone)
    }

    /// Whether this turn has taken a message back.
    fn is_taken_back(&self, message: MessageId) -> bool {
        let loaded = self.loaded.get(&message);
        loaded.is_some_and(|loaded| loaded.state.is_taken_back())
    }

    /// What a decided pre-authorisation lets later claims bill, line by line.
    pub(super) fn authorise(
        &mut self,
        id: MessageId,
        message: &Message,
        basis: &Basis,
        answer: &Answer,
    ) {
        let (Body::Preauthorization(request), Some(member), Some(decision)) =
            (&message.body, basis.member, &answer.decision)
        else {
            return;
        };
        let Some(valid_until) = decision.valid_until.filter(|_| is_decided(answer)) else {
            return;
        };
        for share in &decision.lines {
            let mut lines = request.bill.lines.iter();
            let Some(line) = lines.find(|line| line.seq == share.seq) else {
                continue;
            };
            let (system, code) = line.item.effective().unwrap_or_default();
            let given = share
                .supplementary
                .iter()
                .filter(|own| own.refused.is_none());
            for own in given {
                let granted = granted(basis, own.insurer.as_str(), line.seq);
                if granted.is_some_and(Quantity::is_zero) {
                    continue;
                }
                let asked = line.quantity.unwrap_or(Quantity::ONE);
                let part = granted.filter(|granted| *granted < asked);
                self.batch.authorisations.push(Authorised {
                    member,
                    number: id.to_string(),
                    insurer: own.insurer.clone(),
                    seq: share.seq,
                    code: Code::new(system, code),
                    quantity: Some(granted.unwrap_or(asked)),
                    amount: Some(part.map_or(own.allowed, |part| part.part_of(asked, own.allowed))),
                    valid_until,
                    message: id,
                });
            }
        }
    }

    /// Notes what a decided bill uses of the authorisations that its lines go by.
    pub(super) fn use_leave(
        &mut self,
        id: MessageId,
        message: &Message,
        basis: &Basis,
        answer: &Answer,
    ) {
        let (Some(member), Some(decision), Some(bill)) =
            (basis.member, &answer.decision, message.bill())
        else {
            return;
        };
        if effect(message.kind()) != Effect::Consume || !is_decided(answer) {
            return;
        }
        for own in &basis.authorised {
            let mut lines = decision.lines.iter().filter(|line| line.seq == own.seq);
            let paid = lines.find_map(|line| {
                let mut shares = line.supplementary.iter();
                let share =
                    shares.find(|share| share.insurer == own.insurer && share.refused.is_none())?;
                Some((line, share))
            });
            let line = bill.lines.iter().find(|line| line.seq == own.seq);
            let (Some((judged, share)), Some(line)) = (paid, line) else {
                continue;
            };
            let asked = line.quantity.unwrap_or(Quantity::ONE);
            let quantity = capped(judged, &own.insurer).unwrap_or(asked);
            self.batch.uses.push(NewUse {
                member,
                number: own.number.clone(),
                insurer: own.insurer.clone(),
                seq: own.of,
                message: id,
                line: own.seq,
                quantity,
                amount: share.allowed,
            });
            let is_same = |known: &&mut KeptAuthorisation| {
                let line = &known.line;
                (line.member, &line.number, &line.insurer, line.seq)
                    == (member, &own.number, &own.insurer, own.of)
            };
            if let Some(known) = self.authorised.iter_mut().find(is_same) {
                known.uses.push(AuthorisedUse {
                    message: id,
                    quantity,
                    amount: share.allowed,
                });
            }
        }
    }
}

/// How many an insurer covers of a line, where that is less than what was asked.
fn capped(line: &LineShare, insurer: &ParticipantId) -> Option<Quantity> {
    let is_cap = |entry: &&TraceEntry| {
        entry.reason == Reason::QuantityCapped && entry.insurer.as_ref() == Some(insurer)
    };
    let cap = line.trace.iter().find(is_cap)?;
    let mut inputs = cap.inputs.iter().filter(|input| input.name == "covered");
    inputs.find_map(|input| match input.figure {
        Figure::Quantity(covered) => Some(covered),
        _ => None,
    })
}

fn is_decided(answer: &Answer) -> bool {
    answer.state.is_decided()
}

/// How many of a line an insurer has authorised, where it has said another number than what was asked for.
fn granted(basis: &Basis, insurer: &str, seq: u32) -> Option<Quantity> {
    let said = basis
        .said
        .iter()
        .find(|said| said.insurer.as_str() == insurer)?;
    let mut granted = said.granted.iter();
    granted.find(|(line, _)| *line == seq).map(|(_, own)| *own)
}
