//! One turn of a lane: load what the waiting orders touch, decide them in order, write, commit.
//!
//! Orders are judged on limits as left by those before them. A failure of one leaves the others alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use takmil_domain::answer::{Answer, State};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DeliveryId, Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::message::{Body, Kind, Message, Relation};
use takmil_domain::participant::{InsurerDecision, Purpose};
use takmil_domain::reason::Reason;
use takmil_store::{
    Authorised, Batch, Compressed, Leg, LoadedMessage, MessageUpdate, NewDecision, NewDelivery,
    NewEntry, NewLimit, NewMessage, Reservation, ReservationChange, ReservationState, StoredAnswer,
    UnmappedCode,
};

use crate::Inner;
use crate::basis::{AuthorisedBasis, Basis};
use crate::catalog::Catalog;
use crate::error::Error;
use crate::judge::{self, Heard, Holding, Judged, Matter};
use crate::ledger::{Account, Cause, Ledger};
use crate::normalise::Unmapped;
use crate::record::Record;

/// Under this system an identifier names a message by the hub's own id.
pub const MESSAGE_SYSTEM: &str = "urn:takmil:message";

/// What a lane is asked to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Take a message.
    Take(Box<Fresh>),
    /// Go on with a message, by what was heard of insurers.
    Hear {
        message: MessageId,
        heard: Vec<(ParticipantId, Heard)>,
        /// An insurer's own late word, for the record.
        decision: Option<(ParticipantId, InsurerDecision)>,
    },
    /// Go on with a message whose insurers have had their time.
    Overdue { message: MessageId },
    /// Give back what a message has set aside: its time ran out.
    Expire { message: MessageId },
}

/// A message before its first turn.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) id: MessageId,
    pub(crate) sender: ParticipantId,
    pub(crate) format: &'static str,
    pub(crate) received_at: Instant,
    pub(crate) digest: [u8; 32],
    pub(crate) original: Compressed,
    pub(crate) canonical: Compressed,
    pub(crate) canonical_json: String,
    pub(crate) message: Arc<Message>,
    pub(crate) keys: Vec<String>,
    pub(crate) basis: Basis,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) unmapped: Vec<Unmapped>,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    /// The message has this answer now; `asks` are to be asked before it is given.
    Answered {
        answer: Arc<Answer>,
        asks: Vec<ParticipantId>,
        document: Arc<str>,
    },
    /// The message had been taken before.
    Repeated(Arc<Answer>),
    /// Another message had been taken under the same key.
    Changed { earlier: MessageId },
    /// An insurer's word came after the decision.
    Late { answer: Arc<Answer>, repeated: bool },
    /// There is nothing (left) to do.
    Nothing,
}

/// Does the orders in one transaction; the results stand in their order.
pub(crate) async fn run(
    inner: &Inner,
    orders: &[Order],
) -> Result<Vec<Result<Done, Error>>, Error> {
    let now = (inner.clock)();
    let catalog = inner.catalog();
    let mut turn = inner.store.begin().await?;
    let mut bench = load(inner, &mut turn, orders, &catalog, now).await?;
    let mut results = Vec::with_capacity(orders.len());
    for (at, order) in orders.iter().enumerate() {
        bench.ledger.begin();
        let saved = bench.holdings.clone();
        let result = bench.decide(at, order);
        if result.is_err() {
            bench.ledger.undo();
            bench.holdings = saved;
        }
        results.push(result);
    }
    let batch = bench.finish();
    turn.write(&batch).await?;
    turn.commit().await?;
    Ok(results)
}

/// An answer given in this turn: the message, the digest of what was sent, the answer.
type Given = (MessageId, [u8; 32], Arc<Answer>);

/// Everything that a turn works on.
struct Bench<'a> {
    inner: &'a Inner,
    catalog: &'a Catalog,
    now: Instant,
    today: Date,
    ledger: Ledger,
    holdings: HashMap<MessageId, Holding>,
    /// What was answered before under an order's keys.
    answered: Vec<Option<StoredAnswer>>,
    /// What this turn has answered under its keys.
    keys: HashMap<(ParticipantId, String), Given>,
    /// The earlier messages that an order names, by relation.
    named: Vec<Vec<(Relation, MessageId)>>,
    loaded: HashMap<MessageId, LoadedMessage>,
    authorised: Vec<Authorised>,
    batch: Batch,
}

async fn load<'a>(
    inner: &'a Inner,
    turn: &mut takmil_store::Turn,
    orders: &[Order],
    catalog: &'a Catalog,
    now: Instant,
) -> Result<Bench<'a>, Error> {
    let today = now.day();
    let answered = load_answers(turn, orders).await?;
    let named = load_named(turn, orders).await?;
    let mut ids: BTreeSet<MessageId> = named.iter().flatten().map(|(_, id)| *id).collect();
    ids.extend(orders.iter().filter_map(Order::message));
    let authorised = load_authorised(turn, orders).await?;
    let own: BTreeSet<MessageId> = ids
        .iter()
        .copied()
        .chain(authorised.iter().map(|row| row.message))
        .collect();
    let own: Vec<MessageId> = own.into_iter().collect();
    let ids: Vec<MessageId> = ids.into_iter().collect();
    let loaded: HashMap<MessageId, LoadedMessage> = turn
        .load(&ids)
        .await?
        .into_iter()
        .flatten()
        .map(|one| (one.id, one))
        .collect();
    let reservations = turn.reservations(&own).await?;

    let mut keys: BTreeSet<LimitKey> = reservations
        .iter()
        .flat_map(|own| &own.parts)
        .map(|(key, _)| key.clone())
        .collect();
    keys.extend(
        loaded
            .values()
            .flat_map(|message| &message.entries)
            .map(|entry| entry.key.clone()),
    );
    let mut needs = HashMap::new();
    for order in orders {
        let wanted = match order {
            Order::Take(fresh) => judge::needs(&fresh.message, &fresh.basis, catalog, today)?,
            _ => match order.message().and_then(|id| loaded.get(&id)) {
                Some(message) => needs_again(message, catalog, today)?,
                None => Vec::new(),
            },
        };
        needs.extend(wanted.into_iter().map(|need| (need.key.clone(), need)));
    }
    keys.extend(needs.keys().cloned());
    let keys: Vec<LimitKey> = keys.into_iter().collect();
    let standings = turn.standings(&keys).await?;
    let mut ledger = Ledger::default();
    for (key, standing) in keys.into_iter().zip(standings) {
        if let Some(standing) = standing {
            ledger.load(key, Account::stored(standing));
        }
    }
    Ok(Bench {
        inner,
        catalog,
        now,
        today,
        ledger,
        holdings: reservations
            .into_iter()
            .filter(|own| own.state == ReservationState::Open)
            .map(holding)
            .collect(),
        answered,
        keys: HashMap::new(),
        named,
        loaded,
        authorised,
        batch: Batch::default(),
    })
}

fn holding(reservation: Reservation) -> (MessageId, Holding) {
    (
        reservation.message,
        Holding {
            expires_on: Some(reservation.expires_on),
            parts: reservation.parts,
        },
    )
}

impl Order {
    /// The message that an order goes on with.
    fn message(&self) -> Option<MessageId> {
        match self {
            Order::Take(_) => None,
            Order::Hear { message, .. }
            | Order::Overdue { message }
            | Order::Expire { message } => Some(*message),
        }
    }

    fn fresh(&self) -> Option<&Fresh> {
        match self {
            Order::Take(fresh) => Some(fresh),
            _ => None,
        }
    }
}

async fn load_answers(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<Option<StoredAnswer>>, Error> {
    let mut places = Vec::new();
    let mut keys = Vec::new();
    for (at, fresh) in orders
        .iter()
        .enumerate()
        .filter_map(|(at, order)| Some((at, order.fresh()?)))
    {
        for key in &fresh.keys {
            places.push(at);
            keys.push((fresh.sender.clone(), key.clone()));
        }
    }
    let mut answered: Vec<Option<StoredAnswer>> = orders.iter().map(|_| None).collect();
    for (at, found) in places.into_iter().zip(turn.idempotency(&keys).await?) {
        if let Some(slot) = answered.get_mut(at).filter(|slot| slot.is_none()) {
            *slot = found;
        }
    }
    Ok(answered)
}

/// Finds the earlier messages of the same sender that orders name, by the sender's identifiers or the hub's id.
async fn load_named(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<Vec<(Relation, MessageId)>>, Error> {
    let mut named: Vec<Vec<(Relation, MessageId)>> = orders.iter().map(|_| Vec::new()).collect();
    let mut places = Vec::new();
    let mut wanted: Vec<(ParticipantId, Identifier)> = Vec::new();
    for (at, fresh) in orders
        .iter()
        .enumerate()
        .filter_map(|(at, order)| Some((at, order.fresh()?)))
    {
        for correlate in &fresh.message.head.correlates {
            if correlate.identifier.system == MESSAGE_SYSTEM {
                let id = MessageId::parse(&correlate.identifier.value);
                named
                    .get_mut(at)
                    .into_iter()
                    .for_each(|own| own.extend(id.map(|id| (correlate.relation, id))));
            } else {
                places.push((at, correlate.relation));
                wanted.push((fresh.sender.clone(), correlate.identifier.clone()));
            }
        }
    }
    for ((at, relation), found) in places.into_iter().zip(turn.find_messages(&wanted).await?) {
        let earlier = found
            .into_iter()
            .find(|found| found.state != State::Cancelled && fits(relation, found.kind));
        if let (Some(own), Some(earlier)) = (named.get_mut(at), earlier) {
            own.push((relation, earlier.id));
        }
    }
    Ok(named)
}

/// Whether a message of a kind can be what a relation names.
fn fits(relation: Relation, kind: Kind) -> bool {
    match relation {
        Relation::Admission => kind == Kind::Admission,
        Relation::Preauthorization => kind == Kind::Preauthorization,
        Relation::Prescription => kind == Kind::Prescription,
        Relation::Replaces | Relation::Cancels => kind != Kind::Cancel,
        Relation::Referral | Relation::Group | Relation::Related => false,
    }
}

async fn load_authorised(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<Authorised>, Error> {
    let mut numbers: Vec<(MemberId, String)> = Vec::new();
    for fresh in orders.iter().filter_map(Order::fresh) {
        let (Some(member), Some(bill)) = (fresh.basis.member, fresh.message.bill()) else {
            continue;
        };
        let of_lines = bill
            .lines
            .iter()
            .filter_map(|line| line.authorisation.as_ref());
        let of_covers = fresh
            .message
            .head
            .coverages
            .iter()
            .flat_map(|cover| &cover.authorisations);
        numbers.extend(
            of_lines
                .chain(of_covers)
                .map(|number| (member, number.clone())),
        );
    }
    Ok(turn.authorisations(&numbers).await?)
}

fn needs_again(
    message: &LoadedMessage,
    catalog: &Catalog,
    today: Date,
) -> Result<Vec<takmil_domain::limit::LimitNeed>, Error> {
    let (canonical, record) = read_back(message)?;
    Ok(judge::needs(&canonical, &record.basis, catalog, today)?)
}

/// A stored message and its record.
fn read_back(message: &LoadedMessage) -> Result<(Message, Record), Error> {
    let unreadable = |_| Error::Unreadable {
        message: message.id,
    };
    let canonical = serde_json::from_slice(&message.canonical).map_err(unreadable)?;
    let record = serde_json::from_str(&message.answer).map_err(unreadable)?;
    Ok((canonical, record))
}

impl Bench<'_> {
    fn decide(&mut self, at: usize, order: &Order) -> Result<Done, Error> {
        match order {
            Order::Take(fresh) => self.take(at, fresh),
            Order::Hear {
                message,
                heard,
                decision,
            } => self.hear(*message, heard, decision.as_ref()),
            Order::Overdue { message } => self.overdue(*message),
            Order::Expire { message } => self.expire(*message),
        }
    }

    fn take(&mut self, at: usize, fresh: &Fresh) -> Result<Done, Error> {
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
        let answer = Arc::new(self.answer(fresh, state, &judged));
        let document = document(&fresh.canonical_json, &answer)?;
        self.owe(
            fresh.id,
            fresh.message.kind(),
            claim,
            &judged.owed,
            &document,
        );
        self.reserve(fresh.id, &basis.uses);
        self.authorise(fresh, &basis, &answer);
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
        let record = Record {
            answer: Answer::clone(&answer),
            basis,
            claim,
        };
        self.batch.messages.push(NewMessage {
            id: fresh.id,
            sender: fresh.sender.clone(),
            kind: fresh.message.kind(),
            format: fresh.format.into(),
            state,
            received_at: fresh.received_at,
            answered_at: self.now,
            member: record.basis.member,
            insurers: insurers.into_iter().collect(),
            deadline: (state == State::Consulting).then(|| self.deadline(&judged.asks)),
            digest: fresh.digest,
            original: fresh.original.clone(),
            canonical: fresh.canonical.clone(),
            identifiers: fresh.message.head.identifiers.clone(),
            keys: fresh.keys.clone(),
            answer: json(&record)?,
            legs: self.first_legs(fresh, state, &judged),
        });
        Ok(Done::Answered {
            answer,
            asks: judged.asks,
            document,
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
            return Ok(Some(Done::Repeated(Arc::new(record.answer))));
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

    /// Takes back the message that a cancel names.
    fn cancel(&mut self, fresh: &Fresh, named: &[(Relation, MessageId)]) -> Result<Judged, Error> {
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
    fn take_back(&mut self, target: MessageId, sender: &ParticipantId) -> Result<Reason, Error> {
        let Some(earlier) = self
            .loaded
            .get(&target)
            .filter(|earlier| earlier.sender == *sender)
        else {
            return Ok(Reason::NothingToCancel);
        };
        let spent = earlier.kind == Kind::Admission
            && !self.holdings.contains_key(&target)
            && !earlier.entries.is_empty();
        if spent || !earlier.state.may_become(State::Cancelled) {
            return Ok(Reason::NotCancellable);
        }
        let (canonical, mut record) = read_back(earlier)?;
        let (from, turn, kind) = (earlier.state, earlier.turn + 1, earlier.kind);
        let cause = Cause {
            message: target,
            turn,
        };
        let mut used: HashMap<LimitKey, i64> = HashMap::new();
        for entry in &earlier.entries {
            match entry.kind {
                EntryKind::Consume => *used.entry(entry.key.clone()).or_default() += entry.amount,
                EntryKind::Reverse => *used.entry(entry.key.clone()).or_default() -= entry.amount,
                _ => {}
            }
        }
        let mut used: Vec<(LimitKey, i64)> = used.into_iter().collect();
        used.sort();
        for (key, amount) in used {
            self.ledger
                .enter(&key, cause, 0, EntryKind::Reverse, amount, None)?;
        }
        self.give_back(target, cause)?;
        record.answer.state = State::Cancelled;
        record.answer.answered_at = self.now;
        record.answer.reasons.push(Reason::Cancelled);
        let insurers: BTreeSet<&ParticipantId> = record
            .basis
            .covers
            .iter()
            .map(|own| &own.cover.insurer)
            .collect();
        let owed: Vec<(ParticipantId, Purpose)> = insurers
            .into_iter()
            .map(|insurer| (insurer.clone(), Purpose::Cancelled))
            .collect();
        let document = document(&json(&canonical)?, &record.answer)?;
        self.owe(target, kind, record.claim, &owed, &document);
        self.close_reservation(target, ReservationState::Released);
        let legs = vec![leg(self.now, "cancelled", None, None)];
        self.update(
            target,
            from,
            State::Cancelled,
            turn,
            Some(json(&record)?),
            legs,
        );
        Ok(Reason::Cancelled)
    }

    fn hear(
        &mut self,
        message: MessageId,
        heard: &[(ParticipantId, Heard)],
        decision: Option<&(ParticipantId, InsurerDecision)>,
    ) -> Result<Done, Error> {
        let Some(loaded) = self.loaded.get(&message) else {
            return Err(Error::NotFound);
        };
        let (canonical, mut record) = read_back(loaded)?;
        let (from, turn) = (loaded.state, loaded.turn + 1);
        if let Some((insurer, word)) = decision {
            if !record
                .basis
                .covers
                .iter()
                .any(|own| own.cover.insurer == *insurer)
            {
                return Err(Error::NotFound);
            }
            let known = loaded
                .decisions
                .iter()
                .filter(|(own, _)| own == insurer)
                .filter_map(|(_, text)| serde_json::from_str::<InsurerDecision>(text).ok());
            if known
                .into_iter()
                .any(|known| known.reference == word.reference)
            {
                return Ok(Done::Late {
                    answer: Arc::new(record.answer),
                    repeated: true,
                });
            }
            self.batch.decisions.push(NewDecision {
                insurer: insurer.clone(),
                decision: word.clone(),
                at: self.now,
            });
        }
        if !matches!(from, State::Consulting | State::Pended) {
            // What was decided stands: a member has left with the drugs. A different word opens a review by people.
            let who = decision.map(|(insurer, _)| insurer.clone());
            self.update(
                message,
                from,
                from,
                turn,
                None,
                vec![leg(self.now, "objected", who, None)],
            );
            return Ok(Done::Late {
                answer: Arc::new(record.answer),
                repeated: false,
            });
        }
        let mut matter = Matter {
            id: message,
            turn,
            message: &canonical,
            basis: &mut record.basis,
            unmapped: !record.answer.unmapped.is_empty(),
            today: self.today,
            reserve_days: self.inner.config.reserve_days,
            heard: heard.to_vec(),
        };
        let judged = judge::judge(
            &mut matter,
            self.catalog,
            &mut self.ledger,
            &mut self.holdings,
        )?;
        let state = judged.state.unwrap_or(from);
        record.answer.state = state;
        record.answer.answered_at = self.now;
        record.answer.reasons = judged.reasons;
        record.answer.decision = judged.decision;
        record.answer.letter = judged.letter;
        let document = document(&json(&canonical)?, &record.answer)?;
        self.owe(
            message,
            canonical.kind(),
            record.claim,
            &judged.owed,
            &document,
        );
        self.reserve(message, &record.basis.uses.clone());
        let answer = Arc::new(record.answer.clone());
        self.authorise_lines(message, &canonical, &record.basis, &answer);
        let mut legs: Vec<Leg> = heard
            .iter()
            .map(|(insurer, heard)| {
                leg(self.now, "heard", Some(insurer.clone()), Some(word(heard)))
            })
            .collect();
        legs.push(leg(self.now, state.as_str(), None, None));
        self.update(message, from, state, turn, Some(json(&record)?), legs);
        Ok(Done::Answered {
            answer,
            asks: Vec::new(),
            document,
        })
    }

    /// The insurers that were asked and did not answer were cut off with the hub itself: they count as silent.
    fn overdue(&mut self, message: MessageId) -> Result<Done, Error> {
        let Some(loaded) = self
            .loaded
            .get(&message)
            .filter(|loaded| loaded.state == State::Consulting)
        else {
            return Ok(Done::Nothing);
        };
        let (_, record) = read_back(loaded)?;
        let consulted = record
            .basis
            .covers
            .iter()
            .map(|own| &own.cover.insurer)
            .filter(|insurer| {
                let contract = self
                    .catalog
                    .participant(insurer)
                    .and_then(|participant| participant.contract.as_ref());
                contract.is_some_and(|contract| {
                    contract.mode != takmil_domain::participant::AnswerMode::Delegated
                })
            });
        let heard: Vec<(ParticipantId, Heard)> = consulted
            .map(|insurer| (insurer.clone(), Heard::Silent))
            .collect();
        self.hear(message, &heard, None)
    }

    fn expire(&mut self, message: MessageId) -> Result<Done, Error> {
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
        let (state, turn) = (loaded.state, loaded.turn + 1);
        self.give_back(message, Cause { message, turn })?;
        self.close_reservation(message, ReservationState::Expired);
        self.update(
            message,
            state,
            state,
            turn,
            None,
            vec![leg(self.now, "expired", None, None)],
        );
        Ok(Done::Nothing)
    }

    /// Releases all that a message holds.
    fn give_back(&mut self, message: MessageId, cause: Cause) -> Result<(), Error> {
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

    /// Notes what a message holds now, and which reservations it has used up.
    fn reserve(&mut self, id: MessageId, uses: &[MessageId]) {
        let mine = self
            .holdings
            .get(&id)
            .and_then(|holding| Some((holding.expires_on?, holding.parts.is_empty())));
        match mine {
            Some((expires_on, false)) => self.batch.reservations.push(ReservationChange {
                message: id,
                expires_on,
                state: ReservationState::Open,
            }),
            // It held something in an earlier turn, and does so no more.
            _ if self.loaded.contains_key(&id) => {
                self.close_reservation(id, ReservationState::Used)
            }
            _ => {}
        }
        for used in uses {
            if self
                .holdings
                .get(used)
                .is_some_and(|holding| holding.parts.is_empty())
            {
                self.close_reservation(*used, ReservationState::Used);
                self.holdings.remove(used);
            }
        }
    }

    fn close_reservation(&mut self, message: MessageId, state: ReservationState) {
        let reserved = self.loaded.get(&message).is_some_and(|loaded| {
            loaded
                .entries
                .iter()
                .any(|entry| entry.kind == EntryKind::Reserve)
        });
        let reserved = reserved || self.authorised.iter().any(|row| row.message == message);
        if reserved {
            self.batch.reservations.push(ReservationChange {
                message,
                expires_on: self.today,
                state,
            });
        }
    }

    fn update(
        &mut self,
        id: MessageId,
        from: State,
        to: State,
        turn: u32,
        answer: Option<String>,
        legs: Vec<Leg>,
    ) {
        // Later orders of this batch go on from here.
        if let Some(loaded) = self.loaded.get_mut(&id) {
            loaded.state = to;
            loaded.turn = turn;
            if let Some(answer) = &answer {
                loaded.answer.clone_from(answer);
            }
        }
        self.batch.updates.push(MessageUpdate {
            id,
            from,
            to,
            turn,
            at: self.now,
            deadline: None,
            answer,
            legs,
        });
    }

    fn owe(
        &mut self,
        message: MessageId,
        kind: Kind,
        claim: MessageId,
        owed: &[(ParticipantId, Purpose)],
        document: &str,
    ) {
        for (insurer, purpose) in owed {
            self.batch.outbox.push(NewDelivery {
                id: DeliveryId::new(self.now, (self.inner.random)()),
                insurer: insurer.clone(),
                claim,
                message,
                kind,
                purpose: *purpose,
                created_at: self.now,
                due_at: self.now,
                document: document.to_owned(),
            });
        }
    }

    fn authorise(&mut self, fresh: &Fresh, basis: &Basis, answer: &Answer) {
        self.authorise_lines(fresh.id, &fresh.message, basis, answer);
    }

    /// What a decided pre-authorisation lets later claims bill, line by line.
    fn authorise_lines(
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
            .filter_map(|insurer| self.catalog.participant(insurer)?.contract.as_ref());
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

    fn finish(mut self) -> Batch {
        let (fresh, entries) = self.ledger.finish();
        self.batch.limits = fresh
            .into_iter()
            .filter_map(|(key, account)| {
                let Account {
                    kind,
                    unit,
                    per,
                    first,
                    first_ceiling,
                    ..
                } = account;
                Some(NewLimit {
                    key,
                    kind,
                    unit,
                    per,
                    ceiling: first_ceiling,
                    message: first?,
                })
            })
            .collect();
        let at = self.now;
        let entry = |own: crate::ledger::Entry| NewEntry {
            key: own.key,
            message: own.message,
            turn: own.turn,
            line: own.line,
            kind: own.kind,
            amount: own.amount,
            reservation: own.reservation,
            at,
        };
        self.batch.entries = entries.into_iter().map(entry).collect();
        self.batch
    }
}

fn leg(at: Instant, what: &'static str, who: Option<ParticipantId>, detail: Option<String>) -> Leg {
    Leg {
        at,
        what: what.into(),
        who,
        detail,
    }
}

/// What was heard, in a word.
fn word(heard: &Heard) -> String {
    use takmil_domain::share::InsurerSays;
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
        Heard::Pends => "pended",
        Heard::Silent => "silent",
        Heard::Invalid => "invalid",
    };
    word.to_owned()
}

/// The document that insurers get.
fn document(canonical: &str, answer: &Answer) -> Result<Arc<str>, Error> {
    Ok(format!("{{\"message\":{canonical},\"answer\":{}}}", json(answer)?).into())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::Unwritable)
}
