//! The remainders under a judgement: what is left, what is held for the message, what it uses up.

use std::collections::HashMap;

use takmil_domain::bill::Bill;
use takmil_domain::date::Date;
use takmil_domain::decision::Remainder;
use takmil_domain::ids::MessageId;
use takmil_domain::limit::{EntryKind, LimitKey, LimitNeed};
use takmil_domain::message::Body;
use takmil_domain::reason::Reason;
use takmil_domain::share::Split;

use super::{Holding, Judged, Matter};
use crate::basis::MissingDocument;
use crate::catalog::Catalog;
use crate::ledger::{Ledger, Unbalanced};

/// What a judgement works on.
pub(super) struct Bench<'b> {
    pub(super) catalog: &'b Catalog,
    pub(super) ledger: &'b mut Ledger,
    pub(super) holdings: &'b mut HashMap<MessageId, Holding>,
    /// The messages whose holdings this one uses, its own earlier turn's first.
    pub(super) uses: Vec<MessageId>,
}

impl Bench<'_> {
    pub(super) fn find_reservations(&mut self, matter: &Matter<'_>, judged: &mut Judged) {
        if self.holdings.contains_key(&matter.id) {
            self.uses.push(matter.id);
        }
        for earlier in &matter.basis.uses {
            let held = self
                .holdings
                .get(earlier)
                .filter(|holding| !holding.parts.is_empty());
            if held.is_some_and(|holding| holding.expires_on.is_none_or(|day| matter.today <= day))
            {
                self.uses.push(*earlier);
            } else if matter.turn == 1 {
                judged.reasons.push(Reason::ReservationGone);
            }
        }
        if self.uses.iter().any(|id| *id != matter.id) {
            judged.reasons.push(Reason::ReservationUsed);
        }
    }

    fn held(&self, key: &LimitKey) -> i64 {
        let parts = self
            .uses
            .iter()
            .filter_map(|id| self.holdings.get(id))
            .flat_map(|holding| &holding.parts);
        parts
            .filter(|(held, _)| held == key)
            .map(|(_, amount)| amount)
            .sum()
    }

    /// The split by what is left, what is held for this message included.
    pub(super) fn split(&self, matter: &Matter<'_>, bill: &Bill) -> Result<Split, MissingDocument> {
        let (kind, head) = (matter.message.kind(), &matter.message.head);
        let case = matter.basis.case(kind, head, bill, self.catalog)?;
        Ok(case.split(|need| self.ledger.left(need) + self.held(&need.key)))
    }

    /// Gives back what was held, then holds or uses what the split draws.
    pub(super) fn enter(
        &mut self,
        matter: &Matter<'_>,
        split: &Split,
        holds_until: Option<Date>,
    ) -> Result<(), Unbalanced> {
        let (id, cause) = (matter.id, matter.cause());
        // A limit that the bill may touch is brought to the plan in force even where nothing is drawn from it.
        for need in &split.needs {
            if self.ledger.knows(need) {
                self.ledger.open(need, cause)?;
            }
        }
        let mut drawn: Vec<(&LimitNeed, u32, i64)> = Vec::with_capacity(split.draws.len());
        for draw in &split.draws {
            let Some(need) = split.needs.get(draw.need) else {
                continue;
            };
            match drawn
                .iter_mut()
                .find(|(known, seq, _)| known.key == need.key && *seq == draw.seq)
            {
                Some((.., amount)) => *amount += draw.amount,
                None => drawn.push((need, draw.seq, draw.amount)),
            }
        }
        let interim = matches!(&matter.message.body, Body::Claim(claim) if claim.interim);
        let keeps = |earlier: MessageId| {
            earlier != id && (interim || matter.basis.keeps.contains(&earlier))
        };
        for (place, held_by, key, amount) in self.give_back(keeps, &drawn) {
            self.ledger.enter(
                &key,
                cause,
                place,
                EntryKind::Release,
                amount,
                Some(held_by),
            )?;
        }
        let kind = if holds_until.is_some() {
            EntryKind::Reserve
        } else {
            EntryKind::Consume
        };
        let mut parts: Vec<(LimitKey, i64)> = Vec::new();
        for (need, seq, amount) in drawn {
            self.ledger.open(need, cause)?;
            self.ledger
                .enter(&need.key, cause, seq, kind, amount, holds_until.map(|_| id))?;
            match parts.iter_mut().find(|(key, _)| *key == need.key) {
                Some((_, sum)) => *sum += amount,
                None => parts.push((need.key.clone(), amount)),
            }
        }
        let holding = self.holdings.entry(id).or_default();
        holding.parts = if holds_until.is_some() {
            parts
        } else {
            Vec::new()
        };
        holding.expires_on = holds_until;
        Ok(())
    }

    /// What goes back of the holdings used: all of it, or, of those that keep what is left, as much as is drawn.
    fn give_back(
        &mut self,
        keeps: impl Fn(MessageId) -> bool,
        drawn: &[(&LimitNeed, u32, i64)],
    ) -> Vec<(u32, MessageId, LimitKey, i64)> {
        let mut back: Vec<(u32, MessageId, LimitKey, i64)> = Vec::new();
        // The ledger tells entries of one limit and turn apart by their line; here it counts the reservations.
        for (place, earlier) in (0..).zip(&self.uses) {
            let Some(holding) = self.holdings.get_mut(earlier) else {
                continue;
            };
            for (key, open) in &mut holding.parts {
                let already: i64 = back
                    .iter()
                    .filter(|(_, _, known, _)| known == key)
                    .map(|(.., amount)| amount)
                    .sum();
                let used: i64 = drawn
                    .iter()
                    .filter(|(need, ..)| need.key == *key)
                    .map(|(.., amount)| amount)
                    .sum();
                let amount = if keeps(*earlier) {
                    (*open).min((used - already).max(0))
                } else {
                    *open
                };
                *open -= amount;
                back.push((place, *earlier, key.clone(), amount));
            }
            holding.parts.retain(|(_, open)| *open > 0);
        }
        back
    }

    pub(super) fn remainders(&self, split: &Split) -> Vec<Remainder> {
        split.remainders(|need| self.ledger.ceiling(need))
    }
}
