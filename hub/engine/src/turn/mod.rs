//! One turn of a lane: load what the waiting orders touch, decide them in order, write, commit.
//!
//! Orders are judged on limits as left by those before them. A turn is all or nothing: where one order fails,
//! nothing of any is kept, and the lane does each in a turn of its own.

mod again;
mod appeal;
mod authorisation;
mod base;
mod clinical;
mod correct;
mod due;
mod load;
mod revise;
mod take;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use takmil_domain::answer::{Answer, Reply};
use takmil_domain::audit::Receipt;
use takmil_domain::clinical::Past;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DeliveryId, MemberId, MessageId, ParticipantId};
use takmil_domain::life::{Event, State};
use takmil_domain::limit::EntryKind;
use takmil_domain::message::{Attachment, Message, Relation};
use takmil_domain::participant::{InsurerDecision, Purpose};
use takmil_domain::problem::Problem;
use takmil_domain::reason::Reason;
use takmil_domain::settlement::Due;
use takmil_store::{
    Batch, Entry, KeptAuthorisation, KeptPast, KnownMember, Leg, LoadedMessage, MessageUpdate,
    NewDelivery, NewEntry, NewLimit, OwnerKey, ReservationChange, ReservationState, RevisedLimit,
    Sent, StoreError, StoredAnswer,
};

use crate::Inner;
use crate::audit::Leaves;
use crate::basis::Basis;
use crate::catalog::Catalog;
use crate::error::Error;
use crate::judge::{self, Heard, Holding, Judged, Matter};
use crate::ledger::{Cause, Ledger};
use crate::normalise::Unmapped;
use crate::record::Spoken;

pub use appeal::Appealing;
pub use correct::{Correction, Sums};
pub use takmil_formats::MESSAGE_SYSTEM;

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
    /// Take what the sender of a message replies to an insurer's question.
    Reply {
        message: MessageId,
        sender: ParticipantId,
        /// The insurer's reference of the question.
        reference: String,
        text: String,
        attachments: Vec<Attachment>,
    },
    /// Take what the sender of a decided message says against an insurer's part in it.
    Appeal {
        message: MessageId,
        sender: ParticipantId,
        appeal: Box<Appealing>,
    },
    /// Give back what a message has set aside: its time ran out.
    Expire { message: MessageId },
    /// Judge a decided message again by what is known today; keep it where that is what was agreed to.
    Correct {
        message: MessageId,
        member: Box<KnownMember>,
        /// Whose doing it is.
        insurer: ParticipantId,
        agreed: Option<Correction>,
    },
}

/// A message before its first turn.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) id: MessageId,
    pub(crate) sender: ParticipantId,
    pub(crate) format: &'static str,
    pub(crate) received_at: Instant,
    pub(crate) digest: [u8; 32],
    pub(crate) sent: Sent,
    pub(crate) message: Arc<Message>,
    /// Under which it is sealed: the member's key, or the hub's own.
    pub(crate) key: OwnerKey,
    pub(crate) keys: Vec<String>,
    pub(crate) basis: Basis,
    /// What later messages have to know of it; empty where no clinical rule looks at what the member had before.
    pub(crate) leaves: Vec<Past>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) unmapped: Vec<Unmapped>,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    /// The message has this answer now; `asks` are to be asked before it is given.
    Answered {
        answer: Arc<Spoken>,
        asks: Vec<ParticipantId>,
        /// Whether others are to be asked on what they say.
        asks_first: bool,
    },
    /// The message had been taken before.
    Repeated(Arc<Spoken>),
    /// Another message had been taken under the same key.
    Changed { earlier: MessageId },
    /// An insurer's word came after the decision.
    Late { answer: Arc<Spoken>, is: Late },
    /// It cannot be done, and this is why.
    Refused(Vec<Problem>),
    /// It would come out otherwise by what is known today. Nothing of that is kept.
    Differs(Box<Correction>),
    /// There is nothing (left) to do, or nothing such for the one who asks.
    Nothing,
}

/// What a word is that changes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// It was taken before.
    Repeated,
    /// A later one of the same insurer counts.
    Superseded,
    /// It says what was decided, or nothing to it.
    Agrees,
    /// It says otherwise than what was decided: people look at it.
    Objects,
}

impl Late {
    /// The name on a message's way.
    fn as_str(self) -> &'static str {
        match self {
            Late::Repeated => "repeated",
            Late::Superseded => "superseded",
            Late::Agrees => "accepted",
            Late::Objects => "objected",
        }
    }
}

/// What became of an order, and the log's promise to have it, where it came to anything.
pub(crate) type Decided = (Done, Option<Arc<Receipt>>);

/// Does the orders in one transaction; the results stand in their order.
pub(crate) async fn run(inner: &Inner, orders: &[Order]) -> Result<Vec<Decided>, Error> {
    let now = (inner.clock)();
    let catalog = inner.catalog();
    let mut turn = inner.store.begin().await?;
    let mut bench = load::load(inner, &mut turn, orders, &catalog, now).await?;
    let mut results = Vec::with_capacity(orders.len());
    let mut leaves = Leaves::new(&inner.audit, &inner.random);
    for (at, order) in orders.iter().enumerate() {
        results.push(bench.decide(at, order)?);
        leaves.add(order, &bench.batch)?;
    }
    bench.batch.leaves = leaves.written();
    let loaded = std::mem::take(&mut bench.loaded);
    let batch = bench.finish();
    turn.write(&batch).await?;
    // The promise is signed while the disk is waited for. Nobody sees it before the disk has answered.
    let (committed, receipts) = tokio::join!(turn.commit(), async { leaves.promised(now) });
    committed?;
    if !batch.leaves.is_empty() {
        inner.audit.waiting.notify_one();
    }
    inner.owed.tell(batch.outbox.iter().map(|own| &own.insurer));
    inner.commits.tell(&batch, &loaded);
    Ok(results.into_iter().zip(receipts).collect())
}

/// How often a rehearsal is begun anew where another hub was faster.
const MOST_REHEARSALS: usize = 8;

/// What orders would come to, each for itself, on what is there now. Nothing is written.
pub(crate) async fn rehearse(inner: &Inner, orders: &[Order]) -> Result<Vec<Done>, Error> {
    let mut tries = MOST_REHEARSALS;
    loop {
        tries -= 1;
        match rehearse_once(inner, orders).await {
            Err(Error::Store(StoreError::Contended)) if tries > 0 => {}
            other => return other,
        }
    }
}

async fn rehearse_once(inner: &Inner, orders: &[Order]) -> Result<Vec<Done>, Error> {
    let now = (inner.clock)();
    let catalog = inner.catalog();
    let mut turn = inner.store.begin().await?;
    let mut bench = load::load(inner, &mut turn, orders, &catalog, now).await?;
    let orders = orders.iter().enumerate();
    let rehearsed = orders.map(|(at, order)| {
        bench.may_ask = matches!(order, Order::Hear { .. });
        bench.decide(at, order)
    });
    rehearsed.collect()
}

/// An answer given in this turn: the message, the digest of what was sent, the answer.
type Given = (MessageId, [u8; 32], Arc<Spoken>);

/// What a turn makes of a message that was there before.
struct Step {
    event: Event,
    to: State,
    deadline: Option<Instant>,
    /// The new answer, as it is kept; `None` where it stays.
    answer: Option<String>,
    legs: Vec<Leg>,
}

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
    /// The prescriptions that an order fills.
    filled: Vec<Vec<MessageId>>,
    loaded: HashMap<MessageId, LoadedMessage>,
    authorised: Vec<KeptAuthorisation>,
    /// What insurers owe for the claims that were loaded or decided.
    dues: HashMap<MessageId, Vec<Due>>,
    /// What members had before, as far as rules look at it.
    past: HashMap<MemberId, Vec<KeptPast>>,
    /// Whether insurers can still be asked on what was heard of others: it is a rehearsal of what they are to be told.
    may_ask: bool,
    batch: Batch,
}

impl Order {
    /// The message that an order goes on with.
    fn message(&self) -> Option<MessageId> {
        match self {
            Order::Take(_) => None,
            Order::Hear { message, .. }
            | Order::Overdue { message }
            | Order::Reply { message, .. }
            | Order::Appeal { message, .. }
            | Order::Correct { message, .. }
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

impl Bench<'_> {
    pub(super) fn decide(&mut self, at: usize, order: &Order) -> Result<Done, Error> {
        let (entries, decisions) = (self.ledger.entries().len(), self.batch.decisions.len());
        let done = match order {
            Order::Take(fresh) => self.take(at, fresh),
            Order::Hear {
                message,
                heard,
                decision,
            } => match decision {
                Some(late) if self.is_of_base(*message, &late.0)? => {
                    self.hear_base_late(*message, late)
                }
                decision => self.hear(*message, heard, decision.as_ref()),
            },
            Order::Overdue { message } => self.overdue(*message),
            Order::Reply {
                message,
                sender,
                reference,
                text,
                attachments,
            } => {
                let reply = Reply {
                    at: self.now,
                    text: text.clone(),
                    attachments: attachments.clone(),
                };
                self.reply(*message, sender, reference, reply)
            }
            Order::Appeal {
                message,
                sender,
                appeal,
            } => self.appeal(*message, sender, appeal),
            Order::Expire { message } => self.expire(*message),
            Order::Correct {
                message,
                member,
                insurer,
                agreed,
            } => self.correct(*message, member, insurer, agreed.as_ref()),
        }?;
        self.go_on_from(entries, decisions)?;
        Ok(done)
    }

    /// Later orders of this batch go on from what this one has moved and heard: the messages that were loaded have it
    /// from now on. The counts are those of before it.
    fn go_on_from(&mut self, entries: usize, decisions: usize) -> Result<(), Error> {
        for own in self.ledger.entries().iter().skip(entries) {
            if let Some(loaded) = self.loaded.get_mut(&own.message) {
                loaded.entries.push(Entry {
                    key: own.key.clone(),
                    turn: own.turn,
                    line: own.line,
                    kind: own.kind,
                    amount: own.amount,
                    reservation: own.reservation,
                    at: self.now,
                });
            }
        }
        for new in self.batch.decisions.iter().skip(decisions) {
            if let Some(loaded) = self.loaded.get_mut(&new.decision.message) {
                let said = serde_json::to_string(&new.decision).map_err(|_| Error::Unwritable)?;
                loaded.decisions.push((new.insurer.clone(), said));
            }
        }
        Ok(())
    }

    /// Judges a message on what is known, with what was `heard` of insurers, and enters what it uses.
    pub(super) fn judge(
        &mut self,
        cause: Cause,
        message: &Message,
        basis: &mut Basis,
        is_unmapped: bool,
        heard: &[(ParticipantId, Heard)],
    ) -> Result<Judged, Error> {
        let mut matter = Matter {
            id: cause.message,
            turn: cause.turn,
            message,
            basis,
            unmapped: is_unmapped,
            today: self.today,
            reserve_days: self.reserve_days(message.kind()),
            heard: heard.to_vec(),
            may_ask: cause.turn == 1 || self.may_ask,
        };
        Ok(judge::judge(
            &mut matter,
            self.catalog,
            &mut self.ledger,
            &mut self.holdings,
        )?)
    }

    /// Notes what a message holds now, and which reservations it has used up.
    pub(super) fn reserve(&mut self, id: MessageId, uses: &[MessageId]) {
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

    pub(super) fn close_reservation(&mut self, message: MessageId, state: ReservationState) {
        let reserved = self.loaded.get(&message).is_some_and(|loaded| {
            loaded
                .entries
                .iter()
                .any(|entry| entry.kind == EntryKind::Reserve)
        });
        let reserved = reserved
            || self
                .authorised
                .iter()
                .any(|row| row.line.message == message);
        if reserved {
            self.batch.reservations.push(ReservationChange {
                message,
                expires_on: self.today,
                state,
            });
        }
    }

    /// Leads a message on. Later orders of this batch go on from there.
    pub(super) fn step(&mut self, id: MessageId, step: Step) {
        let Some(loaded) = self.loaded.get(&id) else {
            return;
        };
        let update = MessageUpdate {
            id,
            kind: loaded.kind,
            from: loaded.state,
            event: step.event,
            to: step.to,
            turn: loaded.turn + 1,
            at: self.now,
            deadline: step.deadline,
            answer: step.answer,
            legs: step.legs,
        };
        self.owe_sender(&update);
        if let Some(loaded) = self.loaded.get_mut(&id) {
            loaded.state = update.to;
            loaded.turn = update.turn;
            loaded.deadline = update.deadline;
            if let Some(answer) = &update.answer {
                loaded.answer.clone_from(answer);
            }
        }
        self.batch.updates.push(update);
    }

    pub(super) fn owe(
        &mut self,
        answer: &Answer,
        turn: u32,
        claim: MessageId,
        owed: &[(ParticipantId, Purpose)],
    ) {
        for (insurer, purpose) in owed {
            self.batch.outbox.push(NewDelivery {
                id: DeliveryId::new(self.now, (self.inner.random)()),
                insurer: insurer.clone(),
                claim,
                message: answer.id,
                turn,
                kind: answer.kind,
                purpose: *purpose,
                created_at: self.now,
                due_at: self.now,
            });
        }
    }

    /// Whoever sent a message is told of every answer after the first, where it listens.
    fn owe_sender(&mut self, update: &MessageUpdate) {
        #[derive(Deserialize)]
        struct Kept {
            claim: MessageId,
        }
        let Some(loaded) = self.loaded.get(&update.id) else {
            return;
        };
        let sender = self.catalog.participant(&loaded.sender);
        if sender.is_none_or(|sender| sender.callback.is_none()) {
            return;
        }
        // A turn without an answer of its own tells nothing. One that cannot be read has failed before.
        let answer = update.answer.as_deref();
        let kept = answer.and_then(|answer| serde_json::from_str::<Kept>(answer).ok());
        let Some(Kept { claim }) = kept else { return };
        self.batch.outbox.push(NewDelivery {
            id: DeliveryId::new(self.now, (self.inner.random)()),
            insurer: loaded.sender.clone(),
            claim,
            message: update.id,
            turn: update.turn,
            kind: loaded.kind,
            purpose: Purpose::Answered,
            created_at: self.now,
            due_at: self.now,
        });
    }

    pub(super) fn finish(mut self) -> Batch {
        let (known, entries) = self.ledger.finish();
        for (key, account) in known {
            let version = account.standing.version;
            match (account.first, account.revised) {
                (Some(message), _) => self.batch.limits.push(NewLimit {
                    key,
                    kind: account.kind,
                    unit: account.unit,
                    per: account.per,
                    ceiling: account.first_ceiling,
                    version,
                    message,
                }),
                (None, Some(message)) => self.batch.revised.push(RevisedLimit {
                    key,
                    version,
                    message,
                }),
                (None, None) => {}
            }
        }
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
