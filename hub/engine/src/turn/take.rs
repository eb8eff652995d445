//! A message's first turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use takmil_domain::answer::Answer;
use takmil_domain::clinical::Finding;
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::{Body, Kind, Relation};
use takmil_domain::reason::Reason;
use takmil_domain::settlement::Says;
use takmil_store::{Leg, NewMessage, UnmappedCode};

use super::due::{Left, payee};
use super::{Bench, Done, Fresh, clinical, leg};
use crate::basis::Basis;
use crate::error::Error;
use crate::judge::{self, Judged};
use crate::ledger::Cause;
use crate::record::{Record, Spoken};

impl Bench<'_> {
    pub(super) fn take(&mut self, at: usize, fresh: &Fresh) -> Result<Done, Error> {
        if let Some(done) = self.before(at, fresh)? {
            return Ok(done);
        }
        let named = self.named.get(at).cloned().unwrap_or_default();
        let mut basis = fresh.basis.clone();
        // What its sender does not mean to count replaces nothing.
        let counts = !judge::is_inactive(&fresh.message);
        let replaced = named
            .iter()
            .filter(|(relation, _)| *relation == Relation::Replaces && counts);
        let mut remarks = Vec::new();
        for (_, replaced) in replaced {
            remarks.push(self.take_back(*replaced, &fresh.sender)?);
        }
        // What stays as it is was not replaced; what goes is no news of this message.
        remarks.retain(|reason| *reason == Reason::NotCancellable);
        self.connect(fresh, &named, &mut basis);
        remarks.extend(self.go_by_leave(fresh, &mut basis));
        let claim = self.claim_of(fresh.id, &named);
        let mut findings = Vec::new();
        let mut judged = match &fresh.message.body {
            Body::Cancel(_) => self.cancel(fresh, &named)?,
            _ => {
                findings = self.look_over(at, fresh, &named, &mut basis)?;
                let (message, turn) = (fresh.id, 1);
                let cause = Cause { message, turn };
                let is_unmapped = !fresh.unmapped.is_empty();
                self.judge(cause, &fresh.message, &mut basis, is_unmapped, &[])?
            }
        };
        let state = judged.state.unwrap_or(State::Recorded);
        let remarks = fresh.reasons.iter().copied().chain(remarks);
        judged.reasons.splice(0..0, remarks);
        let answer = self.answer(fresh, state, &judged, findings);
        let answer = Arc::new(Spoken::new(answer)?);
        let past = self.tells_past(fresh, &basis);
        self.owe(&answer, 1, claim, &judged.owed);
        self.reserve(fresh.id, &basis.uses);
        self.authorise(fresh.id, &fresh.message, &basis, &answer);
        self.use_leave(fresh.id, &fresh.message, &basis, &answer);
        self.book(Left {
            message: fresh.id,
            sender: &fresh.sender,
            payee: payee(&fresh.message),
            turn: 1,
            says: Says::of(answer.kind, state, answer.decision.as_ref()),
            covers: &basis.covers,
        })?;
        self.count_unmapped(fresh);
        self.count_unmapped_for_insurers(fresh, &basis, &answer);
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
            // A base insurer that is asked about it has to do with it.
            .chain(judged.asks.iter().cloned())
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
            deadline: match state {
                State::Consulting => Some(self.deadline(&judged, &basis, answer.kind)),
                _ => self.reminder(&answer, &basis, None),
            },
            digest: fresh.digest,
            sent: fresh.sent.clone(),
            identifiers: fresh.message.head.identifiers.clone(),
            prescription: clinical::written(&fresh.message),
            keys: fresh.keys.clone(),
            past,
            answer: answer.record(&basis, claim)?,
            legs: self.first_legs(fresh, state, &judged),
        });
        Ok(Done::Answered {
            answer,
            asks: judged.asks,
            asks_first: judged.asks_first,
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
            let record = Record::of(&stored.answer, stored.state);
            let record = record.map_err(|_| Error::Unreadable {
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

    /// Joins a message to the reservations that it uses.
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

    fn answer(
        &self,
        fresh: &Fresh,
        state: State,
        judged: &Judged,
        findings: Vec<Finding>,
    ) -> Answer {
        Answer {
            id: fresh.id,
            kind: fresh.message.kind(),
            state,
            received_at: fresh.received_at,
            answered_at: self.now,
            reasons: judged.reasons.clone(),
            covers: judged.covers.clone(),
            decision: judged.decision.clone(),
            findings,
            notes: Vec::new(),
            appeals: Vec::new(),
            letter: judged.letter.clone(),
            unmapped: fresh.unmapped.iter().map(|gap| gap.place.clone()).collect(),
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

    /// What insurers' own codes do not know is counted under the insurer's name, once for each message.
    fn count_unmapped_for_insurers(&mut self, fresh: &Fresh, basis: &Basis, answer: &Answer) {
        let insurers: BTreeSet<_> = basis.covers.iter().map(|own| &own.cover.insurer).collect();
        for insurer in insurers {
            let Some(map) = self.catalog.code_map(insurer) else {
                continue;
            };
            for gap in map.say(&fresh.message, answer).unmapped {
                self.batch.unmapped.push(UnmappedCode {
                    sender: insurer.clone(),
                    system: gap.level.system().to_owned(),
                    code: gap.what,
                    display: None,
                    message: fresh.id,
                    at: self.now,
                });
            }
        }
    }

    /// When the consulted insurers have had their time, and the hub's own with it.
    fn deadline(&self, judged: &Judged, basis: &Basis, kind: Kind) -> Instant {
        let longest = |insurers: &mut dyn Iterator<Item = &ParticipantId>| {
            let contracts = insurers.filter_map(|insurer| self.catalog.contract(insurer));
            contracts.map(|own| own.deadline(kind)).max().unwrap_or(0)
        };
        let covers = basis.covers.iter().map(|own| &own.cover.insurer);
        let mut all = longest(&mut judged.asks.iter());
        if judged.asks_first {
            // The others are asked after it.
            let mut asked = covers.filter(|insurer| self.catalog.is_asked(insurer));
            all = all.saturating_add(longest(&mut asked));
        }
        self.now
            .plus_ms(all.saturating_add(self.inner.config.consult_grace_ms))
    }

    /// When insurers are to be reminded of what waits for them; the time that runs already stands. While the provider
    /// is asked something, none runs.
    pub(super) fn reminder(
        &self,
        answer: &Answer,
        basis: &Basis,
        running: Option<Instant>,
    ) -> Option<Instant> {
        let asked = |by: &ParticipantId| {
            let mut notes = answer.notes.iter();
            notes.any(|note| note.is_open() && note.insurer == *by)
        };
        match answer.state {
            State::Pended => {}
            State::Appealed if !asked(&answer.open_appeal()?.insurer) => {}
            _ => return None,
        }
        let running = running.filter(|at| *at > self.now);
        let waiting = self.waiting(answer, basis);
        let contracts = waiting.iter().filter_map(|own| self.catalog.contract(own));
        let hours = contracts.map(|contract| contract.decision_hours).min();
        running.or_else(|| Some(self.now.plus_ms(u64::from(hours?) * 3_600_000)))
    }

    /// The insurers for whose word a message waits.
    pub(super) fn waiting(&self, answer: &Answer, basis: &Basis) -> Vec<ParticipantId> {
        if let Some(appeal) = answer.open_appeal() {
            return vec![appeal.insurer.clone()];
        }
        let lines = answer.decision.iter().flat_map(|own| &own.lines);
        let shares = lines.flat_map(|line| &line.supplementary);
        let concerned = shares.filter(|share| {
            share.pended || share.refused.is_none() && self.catalog.is_asked(&share.insurer)
        });
        let open = concerned.filter(|share| {
            let mut said = basis.said.iter();
            said.all(|said| said.insurer != share.insurer)
        });
        let waiting: BTreeSet<&ParticipantId> = open.map(|share| &share.insurer).collect();
        waiting.into_iter().cloned().collect()
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
