//! A message's first turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use takmil_domain::answer::{Answer, State};
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::message::{Body, Message, Relation};
use takmil_store::{Authorised, Leg, NewMessage, UnmappedCode};

use super::{Bench, Done, Fresh, leg};
use crate::basis::{AuthorisedBasis, Basis};
use crate::error::Error;
use crate::judge::{self, Judged, Matter};
use crate::record::{Record, Spoken};

impl Bench<'_> {
    pub(super) fn take(&mut self, at: usize, fresh: &Fresh) -> Result<Done, Error> {
        if let Some(done) = self.before(at, fresh)? {
            return Ok(done);
        }
        let named = self.named.get(at).cloned().unwrap_or_default();
        let mut basis = fresh.basis.clone();
        self.connect(fresh, &named, &mut basis);
        let claim = self.claim_of(fresh.id, &named);
        let mut judged = match &fresh.message.body {
            Body::Cancel(_) => self.cancel(fresh, &named)?,
            _ => {
                for (_, replaced) in named
                    .iter()
                    .filter(|(relation, _)| *relation == Relation::Replaces)
                {
                    self.take_back(*replaced, &fresh.sender)?;
                }
                self.judge(fresh, &mut basis)?
            }
        };
        let state = judged.state.unwrap_or(State::Recorded);
        judged.reasons.splice(0..0, fresh.reasons.iter().copied());
        let answer = Arc::new(Spoken::new(self.answer(fresh, state, &judged))?);
        self.owe(&answer, 1, claim, &judged.owed);
        self.reserve(fresh.id, &basis.uses);
        self.authorise(fresh.id, &fresh.message, &basis, &answer);
        self.count_unmapped(fresh);
        for key in &fresh.keys {
            self.keys.insert(
                (fresh.sender.clone(), key.clone()),
                (fresh.id, fresh.digest, Arc::clone(&answer)),
            );
        }
        let insurers = basis
            .covers
            .iter()
            .map(|own| own.cover.insurer.clone())
            .collect::<BTreeSet<_>>();
        self.batch.messages.push(NewMessage {
            id: fresh.id,
            sender: fresh.sender.clone(),
            kind: fresh.message.kind(),
            format: fresh.format.into(),
            state,
            received_at: fresh.received_at,
            answered_at: self.now,
            member: basis.member,
            key: fresh.key.clone(),
            insurers: insurers.into_iter().collect(),
            deadline: (state == State::Consulting).then(|| self.deadline(&judged.asks)),
            digest: fresh.digest,
            sent: fresh.sent.clone(),
            identifiers: fresh.message.head.identifiers.clone(),
            keys: fresh.keys.clone(),
            answer: answer.record(&basis, claim)?,
            legs: self.first_legs(fresh, state, &judged),
        });
        Ok(Done::Answered {
            answer,
            asks: judged.asks,
        })
    }

    /// The answer that was given before, by an earlier turn or in this one.
    fn before(&self, at: usize, fresh: &Fresh) -> Result<Option<Done>, Error> {
        if let Some(stored) = self.answered.get(at).and_then(Option::as_ref) {
            if stored.digest != fresh.digest {
                return Ok(Some(Done::Changed {
                    earlier: stored.message,
                }));
            }
            let record: Record =
                serde_json::from_str(&stored.answer).map_err(|_| Error::Unreadable {
                    message: stored.message,
                })?;
            return Ok(Some(Done::Repeated(Arc::new(Spoken::new(record.answer)?))));
        }
        let known = fresh
            .keys
            .iter()
            .find_map(|key| self.keys.get(&(fresh.sender.clone(), key.clone())));
        Ok(
            known.map(|(earlier, digest, answer)| match *digest == fresh.digest {
                true => Done::Repeated(Arc::clone(answer)),
                false => Done::Changed { earlier: *earlier },
            }),
        )
    }

    /// Joins a message to the reservations and authorisations that it uses.
    fn connect(&self, fresh: &Fresh, named: &[(Relation, MessageId)], basis: &mut Basis) {
        let reserving = |relation: &Relation| {
            matches!(relation, Relation::Admission | Relation::Preauthorization)
        };
        let own = |id: &MessageId| {
            self.loaded.get(id).is_some_and(|earlier| {
                earlier.sender == fresh.sender && earlier.member == basis.member
            })
        };
        basis.uses = named
            .iter()
            .filter(|(relation, id)| reserving(relation) && own(id))
            .map(|(_, id)| *id)
            .collect();
        let (Some(member), Some(bill)) = (basis.member, fresh.message.bill()) else {
            return;
        };
        let of_covers: Vec<&str> = fresh
            .message
            .head
            .coverages
            .iter()
            .flat_map(|cover| &cover.authorisations)
            .map(String::as_str)
            .collect();
        for line in &bill.lines {
            let code = line.item.effective().unwrap_or_default();
            let given = self.authorised.iter().find(|row| {
                let numbered = line.authorisation.as_deref() == Some(row.number.as_str())
                    || of_covers.contains(&row.number.as_str());
                let same = (row.code.system.as_str(), row.code.code.as_str()) == code;
                row.member == member && numbered && same && row.valid_until >= self.today
            });
            let Some(given) = given else { continue };
            basis.authorised.push(AuthorisedBasis {
                seq: line.seq,
                quantity: given.quantity,
                amount: given.amount,
            });
            if !basis.uses.contains(&given.message) {
                basis.uses.push(given.message);
            }
        }
    }

    /// The first message of the claim that a message belongs to.
    fn claim_of(&self, id: MessageId, named: &[(Relation, MessageId)]) -> MessageId {
        let earlier = named
            .iter()
            .find_map(|(_, earlier)| self.loaded.get(earlier));
        let record =
            earlier.and_then(|earlier| serde_json::from_str::<Record>(&earlier.answer).ok());
        record.map_or(id, |record| record.claim)
    }

    fn judge(&mut self, fresh: &Fresh, basis: &mut Basis) -> Result<Judged, Error> {
        let mut matter = Matter {
            id: fresh.id,
            turn: 1,
            message: &fresh.message,
            basis,
            unmapped: !fresh.unmapped.is_empty(),
            today: self.today,
            reserve_days: self.inner.config.reserve_days,
            heard: Vec::new(),
        };
        Ok(judge::judge(
            &mut matter,
            self.catalog,
            &mut self.ledger,
            &mut self.holdings,
        )?)
    }

    fn answer(&self, fresh: &Fresh, state: State, judged: &Judged) -> Answer {
        Answer {
            id: fresh.id,
            kind: fresh.message.kind(),
            state,
            received_at: fresh.received_at,
            answered_at: self.now,
            reasons: judged.reasons.clone(),
            covers: judged.covers.clone(),
            decision: judged.decision.clone(),
            letter: judged.letter.clone(),
            unmapped: fresh.unmapped.iter().map(|gap| gap.place.clone()).collect(),
        }
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
        if answer.state != State::Decided {
            return;
        }
        let valid_until = self.today.add_days(self.inner.config.authorisation_days);
        for share in &decision.lines {
            let Some(line) = request.bill.lines.iter().find(|line| line.seq == share.seq) else {
                continue;
            };
            let (system, code) = line.item.effective().unwrap_or_default();
            for own in share
                .supplementary
                .iter()
                .filter(|own| own.refused.is_none())
            {
                self.batch.authorisations.push(Authorised {
                    member,
                    number: id.to_string(),
                    insurer: own.insurer.clone(),
                    seq: share.seq,
                    code: takmil_domain::code::Code::new(system, code),
                    quantity: line.quantity,
                    amount: Some(own.allowed),
                    valid_until,
                    message: id,
                });
            }
        }
    }

    fn count_unmapped(&mut self, fresh: &Fresh) {
        for gap in &fresh.unmapped {
            self.batch.unmapped.push(UnmappedCode {
                sender: fresh.sender.clone(),
                system: gap.system.clone(),
                code: gap.code.clone(),
                display: Some(gap.display.clone()).filter(|display| !display.is_empty()),
                message: fresh.id,
                at: self.now,
            });
        }
    }

    /// When the consulted insurers have had their time, and the hub's own with it.
    fn deadline(&self, asks: &[ParticipantId]) -> Instant {
        let contracts = asks
            .iter()
            .filter_map(|insurer| self.catalog.contract(insurer));
        let longest = contracts
            .map(|contract| contract.deadline_ms)
            .max()
            .unwrap_or(0);
        self.now
            .plus_ms(longest.saturating_add(self.inner.config.consult_grace_ms))
    }

    fn first_legs(&self, fresh: &Fresh, state: State, judged: &Judged) -> Vec<Leg> {
        let mut legs = vec![leg(
            fresh.received_at,
            "received",
            Some(fresh.sender.clone()),
            Some(fresh.format.to_owned()),
        )];
        legs.push(leg(self.now, state.as_str(), None, None));
        legs.extend(
            judged
                .asks
                .iter()
                .map(|insurer| leg(self.now, "asked", Some(insurer.clone()), None)),
        );
        legs
    }
}
