//! A message's later turns: what insurers say, what is taken back, what runs out of time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use takmil_domain::answer::{Note, Reply};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::{self, Event, State};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::message::{Kind, Message, Relation};
use takmil_domain::participant::{InsurerDecision, Purpose};
use takmil_domain::reason::Reason;
use takmil_domain::settlement::{PayeeKind, Says};
use takmil_domain::share::InsurerSays;
use takmil_store::{Leg, LoadedMessage, NewDecision, ReservationState};

use super::due::Left;
use super::{Bench, Done, Fresh, Late, Step, leg};
use crate::basis::{Basis, Said};
use crate::error::Error;
use crate::judge::{self, Heard, Judged};
use crate::ledger::Cause;
use crate::record::{Record, Spoken};

impl Bench<'_> {
    /// Takes back the message that a cancel names.
    pub(super) fn cancel(
        &mut self,
        fresh: &Fresh,
        named: &[(Relation, MessageId)],
    ) -> Result<Judged, Error> {
        let target = named
            .iter()
            .find(|(relation, _)| *relation == Relation::Cancels)
            .map(|(_, id)| *id);
        let reason = match target {
            Some(target) => self.take_back(target, &fresh.sender)?,
            None => Reason::NothingToCancel,
        };
        Ok(Judged {
            state: Some(State::Decided),
            reasons: vec![reason],
            ..Judged::default()
        })
    }

    /// Undoes what an earlier message of the same sender did to limits, and says so to its insurers.
    pub(super) fn take_back(
        &mut self,
        target: MessageId,
        sender: &ParticipantId,
    ) -> Result<Reason, Error> {
        let Some(earlier) = self
            .loaded
            .get(&target)
            .filter(|earlier| earlier.sender == *sender)
        else {
            return Ok(Reason::NothingToCancel);
        };
        let spent = matches!(earlier.kind, Kind::Admission | Kind::Preauthorization)
            && !self.holdings.contains_key(&target)
            && !earlier.entries.is_empty();
        let leads = |to: &State| {
            let (from, kind) = (Some(earlier.state), earlier.kind);
            life::may(from, Event::TakenBack, *to, kind)
        };
        let to = [State::Cancelled, State::Reversed].into_iter().find(leads);
        let Some(to) = to.filter(|_| !spent) else {
            return Ok(Reason::NotCancellable);
        };
        let mut record = read_record(earlier)?;
        let turn = earlier.turn + 1;
        let cause = Cause {
            message: target,
            turn,
        };
        let used = used_of_limits(earlier);
        self.take_off(used, cause)?;
        self.give_back(target, cause)?;
        for past in self.past.values_mut() {
            past.retain(|own| own.message != target);
        }
        record.answer.state = to;
        record.answer.answered_at = self.now;
        record.answer.reasons.push(Reason::Cancelled);
        let covers = record.basis.covers.iter();
        let insurers: BTreeSet<&ParticipantId> = covers
            .map(|own| &own.cover.insurer)
            .chain(judge::base_asked(&record.basis))
            .collect();
        let owed: Vec<(ParticipantId, Purpose)> = insurers
            .into_iter()
            .map(|insurer| (insurer.clone(), Purpose::Cancelled))
            .collect();
        self.owe(&record.answer, turn, record.claim, &owed);
        self.close_reservation(target, ReservationState::Released);
        // Who takes a claim back does not read it again: what is booked says whom it names.
        let booked = self.dues.get(&target).and_then(|dues| dues.first());
        let payee = booked.map_or_else(PayeeKind::default, |due| due.pair.payee);
        self.book(Left {
            message: target,
            sender,
            payee,
            turn,
            says: Says::of(record.answer.kind, to, None),
            covers: &record.basis.covers,
        })?;
        let record = Spoken::new(record.answer)?.record(&record.basis, record.claim)?;
        let step = Step {
            event: Event::TakenBack,
            to,
            deadline: None,
            answer: Some(record),
            legs: vec![leg(self.now, to.as_str(), None, None)],
        };
        self.step(target, step);
        Ok(Reason::Cancelled)
    }

    pub(super) fn hear(
        &mut self,
        message: MessageId,
        heard: &[(ParticipantId, Heard)],
        decision: Option<&(ParticipantId, InsurerDecision)>,
    ) -> Result<Done, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(Done::Nothing);
        };
        let (canonical, mut record) = read_back(loaded)?;
        let (from, turn, running) = (loaded.state, loaded.turn + 1, loaded.deadline);
        if let Some((insurer, word)) = decision {
            if !record
                .basis
                .covers
                .iter()
                .any(|own| own.cover.insurer == *insurer)
            {
                return Ok(Done::Nothing);
            }
            if let Some(known) = said_before(loaded, insurer, word) {
                return match known == *word {
                    true => Ok(Done::Late {
                        answer: Arc::new(Spoken::new(record.answer)?),
                        is: Late::Repeated,
                    }),
                    false => Ok(Done::Changed { earlier: message }),
                };
            }
            self.batch.decisions.push(NewDecision {
                insurer: insurer.clone(),
                decision: word.clone(),
                at: self.now,
            });
        }
        let own = decision.and_then(|(insurer, _)| decided(&record.basis, insurer));
        let own = own.map(|own| (own.revision, told_later(loaded, own)));
        let revision = own.map(|(revision, _)| revision);
        let objects = disagrees(&record.basis, heard);
        // Who does not count its words answers an appeal as it has decided.
        let answers_appeal = from == State::Appealed && revision == Some(0);
        if let Some((insurer, word)) = decision
            && !word.counts_after(revision)
            && !answers_appeal
        {
            let is = match objects && revision == Some(word.revision) {
                true => Late::Objects,
                false => Late::Superseded,
            };
            return self.note(message, Some(insurer), is, record);
        }
        if from == State::Appealed
            && let Some(done) = self.look_again(message, &canonical, &mut record, heard)?
        {
            return Ok(done);
        }
        if !from.is_waiting() {
            // What the insurer decided when nobody waited for it any more, it may decide anew.
            if own.is_some_and(|(_, told_later)| told_later)
                && let Some(done) = self.revise(message, &canonical, &record, heard)?
            {
                return Ok(done);
            }
            // Else what was decided stands: a member has left with the drugs. A different word opens a review by people.
            let is = match objects {
                true => Late::Objects,
                false => Late::Agrees,
            };
            let who = decision.map(|(insurer, _)| insurer);
            return self.note(message, who, is, record);
        }
        let cause = Cause { message, turn };
        let is_unmapped = !record.answer.unmapped.is_empty();
        let judged = self.judge(cause, &canonical, &mut record.basis, is_unmapped, heard)?;
        record.answer.answered_at = self.now;
        record.answer.reasons = judged.reasons;
        record.answer.covers = judged.covers;
        record.answer.decision = judged.decision;
        record.answer.letter = judged.letter;
        record.answer.notes.extend(self.notes_of(heard));
        let state = match judged.state.unwrap_or(from) {
            State::Pended if asks(&record) => State::Queried,
            state => state,
        };
        record.answer.state = state;
        let reminder = self.reminder(&record.answer, &record.basis, running);
        // Who asks something has it again with the reply, and who said "later" once more has it already.
        let has_it = |insurer: &ParticipantId| {
            let mut heard = heard.iter().filter(|(own, _)| own == insurer);
            heard.any(|(_, heard)| match heard {
                Heard::Asks(_) => true,
                Heard::Pends(_) => decision.is_some(),
                Heard::Says { .. } | Heard::Covers { .. } | Heard::Silent | Heard::Invalid => false,
            })
        };
        let is_new = |(insurer, purpose): &&(ParticipantId, Purpose)| {
            *purpose != Purpose::Review || !state.is_waiting() || !has_it(insurer)
        };
        let owed: Vec<_> = judged.owed.iter().filter(is_new).cloned().collect();
        self.owe(&record.answer, turn, record.claim, &owed);
        self.reserve(message, &record.basis.uses.clone());
        let answer = Arc::new(Spoken::new(record.answer)?);
        self.authorise(message, &canonical, &record.basis, &answer);
        self.use_leave(message, &canonical, &record.basis, &answer);
        self.book_anew(&canonical, &answer, &record.basis)?;
        let mut legs: Vec<Leg> = heard
            .iter()
            .map(|(insurer, heard)| {
                leg(self.now, "heard", Some(insurer.clone()), Some(word(heard)))
            })
            .collect();
        legs.push(leg(self.now, state.as_str(), None, None));
        let record = answer.record(&record.basis, record.claim)?;
        let step = Step {
            event: Event::Heard,
            to: state,
            deadline: reminder,
            answer: Some(record),
            legs,
        };
        self.step(message, step);
        let asks = judged.asks;
        Ok(Done::Answered {
            answer,
            asks,
            asks_first: false,
        })
    }

    /// Keeps a word that changes nothing, and shows on the message's way what it is.
    pub(super) fn note(
        &mut self,
        message: MessageId,
        insurer: Option<&ParticipantId>,
        is: Late,
        record: Record,
    ) -> Result<Done, Error> {
        let answer = Arc::new(Spoken::new(record.answer)?);
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(Done::Nothing);
        };
        let (state, kind, deadline) = (loaded.state, loaded.kind, loaded.deadline);
        // While it still waits for others, the turn that ends that tells of it.
        let mut events = [Event::HeardLate, Event::Heard].into_iter();
        if let Some(event) = events.find(|event| life::may(Some(state), *event, state, kind)) {
            let step = Step {
                event,
                to: state,
                deadline,
                answer: None,
                legs: vec![leg(self.now, is.as_str(), insurer.cloned(), None)],
            };
            self.step(message, step);
        }
        Ok(Done::Late { answer, is })
    }

    /// What was heard in words.
    pub(super) fn notes_of(&self, heard: &[(ParticipantId, Heard)]) -> Vec<Note> {
        let noted = heard.iter().filter_map(|(insurer, heard)| {
            let (word, asks) = heard.word()?;
            Some(Note {
                insurer: insurer.clone(),
                reference: word.reference.clone()?,
                at: self.now,
                text: word.note.clone()?,
                asks,
                reply: None,
            })
        });
        noted.collect()
    }

    /// Insurers have had their time: who was asked and did not answer was cut off with the hub itself and counts as
    /// silent; who has something waiting for it is reminded.
    pub(super) fn overdue(&mut self, message: MessageId) -> Result<Done, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(Done::Nothing);
        };
        let is_over = loaded.deadline.is_some_and(|deadline| deadline <= self.now);
        match loaded.state {
            State::Consulting => {
                let record = read_record(loaded)?;
                let heard = judge::silent(&record.basis, record.answer.kind, self.catalog);
                self.hear(message, &heard, None)
            }
            State::Pended | State::Appealed if is_over => self.remind(message),
            _ => Ok(Done::Nothing),
        }
    }

    fn remind(&mut self, message: MessageId) -> Result<Done, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Ok(Done::Nothing);
        };
        let mut record = read_record(loaded)?;
        let waiting = self.waiting(&record.answer, &record.basis);
        if !record.answer.reasons.contains(&Reason::InsurerReminded) {
            record.answer.reasons.push(Reason::InsurerReminded);
        }
        record.answer.answered_at = self.now;
        let legs = waiting
            .iter()
            .map(|insurer| leg(self.now, "reminded", Some(insurer.clone()), None));
        let legs = legs.collect();
        let owed: Vec<(ParticipantId, Purpose)> = waiting
            .into_iter()
            .map(|insurer| (insurer, Purpose::Review))
            .collect();
        self.go_on_waiting(message, Event::Reminded, record, &owed, legs)
    }

    /// Takes a reply to an insurer's question, and puts the message before the insurer again.
    pub(super) fn reply(
        &mut self,
        message: MessageId,
        sender: &ParticipantId,
        reference: &str,
        reply: Reply,
    ) -> Result<Done, Error> {
        let loaded = self.loaded.get(&message);
        let Some(loaded) = loaded.filter(|loaded| loaded.sender == *sender) else {
            return Ok(Done::Nothing);
        };
        let (mut record, state) = (read_record(loaded)?, loaded.state);
        let mut notes = record.answer.notes.iter_mut();
        let Some(note) = notes.find(|note| note.asks && note.reference == reference) else {
            return Ok(Done::Nothing);
        };
        if let Some(known) = &note.reply {
            let is_same = (&known.text, &known.attachments) == (&reply.text, &reply.attachments);
            return Ok(match is_same {
                true => Done::Repeated(Arc::new(Spoken::new(record.answer)?)),
                false => Done::Changed { earlier: message },
            });
        }
        if !matches!(state, State::Queried | State::Appealed) {
            // The insurer has decided without it.
            return Ok(Done::Late {
                answer: Arc::new(Spoken::new(record.answer)?),
                is: Late::Agrees,
            });
        }
        let insurer = note.insurer.clone();
        note.reply = Some(reply);
        record.answer.answered_at = self.now;
        if !record.answer.notes.iter().any(Note::is_open) {
            let reasons = &mut record.answer.reasons;
            reasons.retain(|reason| *reason != Reason::InsurerAsked);
        }
        let legs = vec![leg(self.now, "replied", Some(sender.clone()), None)];
        let owed = [(insurer, Purpose::Clarified)];
        if state == State::Queried && !asks(&record) {
            record.answer.state = State::Pended;
        }
        self.go_on_waiting(message, Event::Replied, record, &owed, legs)
    }

    /// A message goes on waiting for insurers, with another answer.
    pub(super) fn go_on_waiting(
        &mut self,
        message: MessageId,
        event: Event,
        record: Record,
        owed: &[(ParticipantId, Purpose)],
        legs: Vec<Leg>,
    ) -> Result<Done, Error> {
        let Record {
            answer,
            basis,
            claim,
        } = record;
        let turn = self.loaded.get(&message).map_or(1, |own| own.turn + 1);
        self.owe(&answer, turn, claim, owed);
        let deadline = self.reminder(&answer, &basis, None);
        let to = answer.state;
        let answer = Arc::new(Spoken::new(answer)?);
        let step = Step {
            event,
            to,
            deadline,
            answer: Some(answer.record(&basis, claim)?),
            legs,
        };
        self.step(message, step);
        Ok(Done::Answered {
            answer,
            asks: Vec::new(),
            asks_first: false,
        })
    }

    pub(super) fn expire(&mut self, message: MessageId) -> Result<Done, Error> {
        let held = self
            .holdings
            .get(&message)
            .and_then(|holding| holding.expires_on);
        let Some(loaded) = self
            .loaded
            .get(&message)
            .filter(|_| held.is_some_and(|day| day < self.today))
        else {
            return Ok(Done::Nothing);
        };
        let (state, turn, running) = (loaded.state, loaded.turn + 1, loaded.deadline);
        self.give_back(message, Cause { message, turn })?;
        self.close_reservation(message, ReservationState::Expired);
        let step = Step {
            event: Event::Expired,
            to: state,
            deadline: running,
            answer: None,
            legs: vec![leg(self.now, "expired", None, None)],
        };
        self.step(message, step);
        Ok(Done::Nothing)
    }

    /// Releases all that a message holds.
    pub(super) fn give_back(&mut self, message: MessageId, cause: Cause) -> Result<(), Error> {
        let parts = self
            .holdings
            .remove(&message)
            .map(|holding| holding.parts)
            .unwrap_or_default();
        for (key, amount) in parts {
            self.ledger
                .enter(&key, cause, 0, EntryKind::Release, amount, Some(message))?;
        }
        Ok(())
    }
}

/// What a message has used of limits, and not given back, in the order of their keys.
pub(super) fn used_of_limits(message: &LoadedMessage) -> Vec<(LimitKey, i64)> {
    let mut used: BTreeMap<LimitKey, i64> = BTreeMap::new();
    for entry in &message.entries {
        match entry.kind {
            EntryKind::Consume => *used.entry(entry.key.clone()).or_default() += entry.amount,
            EntryKind::Reverse => *used.entry(entry.key.clone()).or_default() -= entry.amount,
            _ => {}
        }
    }
    used.into_iter()
        .filter(|(_, amount)| *amount != 0)
        .collect()
}

/// What an insurer itself has decided.
fn decided<'a>(basis: &'a Basis, insurer: &ParticipantId) -> Option<&'a Said> {
    let mut said = basis.said.iter();
    said.find(|said| said.insurer == *insurer && !said.stand_in)
}

/// Whether what it decided came after the first answer was given.
fn told_later(loaded: &LoadedMessage, said: &Said) -> bool {
    words(loaded, &said.insurer).any(|word| Some(word.reference) == said.reference)
}

/// Whether somebody says otherwise than what was decided by.
fn disagrees(basis: &Basis, heard: &[(ParticipantId, Heard)]) -> bool {
    heard.iter().any(|(insurer, heard)| {
        let mut said = basis.said.iter();
        let decided = said.find(|said| said.insurer == *insurer);
        let decided = decided.map_or(&InsurerSays::Approved, |said| &said.says);
        matches!(heard, Heard::Says { says, .. } if says != decided)
    })
}

/// What was heard, in a word.
fn word(heard: &Heard) -> String {
    let word = match heard {
        Heard::Says {
            says: InsurerSays::Approved,
            ..
        } => "approved",
        Heard::Says {
            says: InsurerSays::Adjusted(_),
            ..
        } => "adjusted",
        Heard::Says {
            says: InsurerSays::Refused,
            ..
        } => "refused",
        Heard::Pends(_) => "pended",
        Heard::Asks(_) => "asked",
        Heard::Covers { .. } => "stated",
        Heard::Silent => "silent",
        Heard::Invalid => "invalid",
    };
    word.to_owned()
}

/// A stored message and its record.
pub(super) fn read_back(message: &LoadedMessage) -> Result<(Message, Record), Error> {
    let canonical = serde_json::from_slice(&message.canonical);
    let unreadable = |_| Error::Unreadable {
        message: message.id,
    };
    Ok((canonical.map_err(unreadable)?, read_record(message)?))
}

/// What an insurer decided before under the same reference as now.
pub(super) fn said_before(
    loaded: &LoadedMessage,
    insurer: &ParticipantId,
    word: &InsurerDecision,
) -> Option<InsurerDecision> {
    words(loaded, insurer).find(|known| known.reference == word.reference)
}

/// What an insurer said when nobody waited for it any more.
fn words(loaded: &LoadedMessage, insurer: &ParticipantId) -> impl Iterator<Item = InsurerDecision> {
    let own = loaded
        .decisions
        .iter()
        .filter(move |(own, _)| own == insurer);
    own.filter_map(|(_, text)| serde_json::from_str(text).ok())
}

/// The record of a stored message.
pub(super) fn read_record(message: &LoadedMessage) -> Result<Record, Error> {
    Record::of(&message.answer, message.state).map_err(|_| Error::Unreadable {
        message: message.id,
    })
}

/// Whether a question of an insurer that has still to decide waits for the sender's reply.
pub(super) fn asks(record: &Record) -> bool {
    let said = |insurer: &ParticipantId| {
        let mut said = record.basis.said.iter();
        said.any(|said| said.insurer == *insurer)
    };
    let mut notes = record.answer.notes.iter();
    notes.any(|note| note.is_open() && !said(&note.insurer))
}
