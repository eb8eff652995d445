//! What the hub does, without a face: taking messages, deciding in lanes, asking and telling insurers.
//!
//! [`Engine::submit`] is the way of a message: read, normalise, recognise the member, decide in a lane, ask
//! consulted insurers, answer. Nothing but a lane moves limits. What is acknowledged is durable, and recorded
//! before it is sent on. Clock and random bits come from outside.

mod audit;
mod basis;
mod calls;
mod catalog;
mod changes;
mod clocks;
mod commits;
mod config;
mod consult;
mod corrections;
mod derive;
mod document;
mod error;
mod extract;
mod faults;
mod folding;
mod inquiry;
mod intake;
mod judge;
mod lane;
mod ledger;
mod normalise;
mod outage;
mod owed;
mod period;
mod reads;
mod recognise;
mod record;
mod register;
mod route;
mod seen;
mod sequencer;
mod settlement;
mod stages;
mod standing;
mod submission;
mod together;
mod turn;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use takmil_domain::answer::Answer;
use takmil_domain::audit::{Leaf, Receipt, Signer, VerifierKey};
use takmil_domain::clinical;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Message;
use takmil_insurers::Transports;
use takmil_mappings::Tables;
use takmil_store::{
    DeliveryWay, Leg, MessageEnvelope, MessageTurn, MessageWay, Random, Scope, Store,
};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

pub use basis::{BaseSaid, Basis, MissingDocument, StatedCover};
pub use calls::{DecisionReceipt, Question};
pub use catalog::Catalog;
pub use changes::{Change, Changes};
pub use commits::{Committed, Step};
pub use config::Config;
pub use corrections::{Corrected, MOST_CORRECTIONS};
pub use derive::{Derived, derive};
pub use error::Error;
pub use extract::{ExtractError, Extracted, Wanted, extract};
pub use inquiry::{RequestFound, RequestsFound};
pub use outage::Outage;
pub use period::Period;
pub use reads::Reading;
pub use record::{Record, Spoken};
pub use route::health::{CircuitState, Way as CallWay};
pub use route::party::{Carrier, Due, PartyStanding};
pub use seen::{Observe, Seen};
pub use settlement::{SettledDay, Settlement, TimeOfDay, Zone, settle};
pub use stages::{DocumentStages, StagePage, StagesAsked};
pub use standing::MoneyStanding;
pub use submission::{Outcome, Refusal, Submission, Taken};
pub use turn::{Appealing, Correction, MESSAGE_SYSTEM, Sums};

use owed::Owed;
use route::party::Parties;

use intake::Arrival;
use judge::Heard;
use lane::Lanes;
use turn::{Decided, Done, Order};

/// The hub's clock, passed in.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What all tasks of an engine share.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) tables: Tables,
    pub(crate) clinical: Arc<clinical::Tables>,
    pub(crate) transports: Transports,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) audit: audit::Audit,
    pub(crate) config: Config,
    pub(crate) settlement: Settlement,
    catalog: RwLock<Arc<Catalog>>,
    /// Something became owed to insurers.
    pub(crate) owed: Owed,
    /// Whom this hub calls, and what is on its way.
    pub(crate) parties: Parties,
    /// What insurers said that cannot be used.
    pub(crate) faults: faults::Faults,
    /// Told what took how long.
    pub(crate) observe: Observe,
    /// What the lanes have committed.
    pub(crate) commits: commits::Commits,
    /// True once the engine is to stop.
    pub(crate) stop: watch::Sender<bool>,
}

impl Inner {
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        // A poisoned lock still holds a whole catalog: it is swapped, never edited.
        Arc::clone(
            &self
                .catalog
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Shows what the store holds, where that has changed.
    pub(crate) async fn refresh_catalog(&self) -> Result<(), Error> {
        let held = self.catalog().revision;
        if let Some(catalog) = catalog::load(&self.store, Some(held)).await? {
            *self
                .catalog
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(catalog);
        }
        Ok(())
    }
}

/// What an engine is made of.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The common coding scheme.
    pub tables: Tables,
    /// What the clinical rules go by.
    pub clinical: Arc<clinical::Tables>,
    /// The ways to insurers.
    pub transports: Transports,
    /// The clock.
    pub clock: Clock,
    /// Random bits, for ids and for the jitter of retries.
    pub random: Random,
    /// The key of the tamper-evident log.
    pub log: Signer,
    /// The settings.
    pub config: Config,
    /// When the book's days end and are settled.
    pub settlement: Settlement,
    /// Told what took how long, for metrics.
    pub observe: Observe,
}

/// The hub at work. Clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    lanes: Arc<RwLock<Option<Arc<Lanes>>>>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    counts: Arc<lane::Counts>,
}

/// How the engine is doing, for metrics and status pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Orders that wait for a lane.
    pub waiting: usize,
    /// Turns that lanes have done.
    pub turns: u64,
    /// Orders done in them.
    pub orders: u64,
    /// Whether orders are taken.
    pub open: bool,
}

/// A message's whole way.
#[derive(Debug, Clone)]
pub struct Way {
    /// The message.
    pub envelope: MessageEnvelope,
    /// Its turns, the first one first.
    pub turns: Vec<WayTurn>,
    /// What became owed to insurers because of it, in order.
    pub deliveries: Vec<DeliveryWay>,
}

/// One turn of a message.
#[derive(Debug, Clone)]
pub struct WayTurn {
    /// Its number, from 1.
    pub number: u32,
    /// When.
    pub at: Instant,
    /// How far the message came.
    pub state: State,
    /// The answer, where it changed.
    pub answer: Option<Answer>,
    /// The legs since the turn before.
    pub legs: Vec<Leg>,
}

impl Engine {
    /// Starts lanes, routers and clocks over a store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn start(parts: Parts) -> Result<Engine, Error> {
        let Parts {
            store,
            tables,
            clinical,
            transports,
            clock,
            random,
            log,
            config,
            settlement,
            observe,
        } = parts;
        let audit = audit::Audit::open(log, &store).await?;
        let catalog = catalog::load(&store, None).await?.unwrap_or_default();
        let inner = Arc::new(Inner {
            store,
            tables,
            clinical,
            transports,
            clock,
            random,
            audit,
            config,
            settlement,
            catalog: RwLock::new(Arc::new(catalog)),
            owed: Owed::default(),
            parties: Parties::default(),
            faults: faults::Faults::default(),
            observe,
            commits: commits::Commits::default(),
            stop: watch::channel(false).0,
        });
        let (lanes, mut tasks) = Lanes::start(&inner);
        let counts = Arc::clone(&lanes.counts);
        let lanes = Arc::new(lanes);
        let attempts = Arc::clone(&lanes.attempts);
        tasks.push(tokio::spawn(route::run(Arc::clone(&inner), attempts)));
        tasks.push(tokio::spawn(sequencer::run(Arc::clone(&inner))));
        tasks.push(tokio::spawn(folding::run(Arc::clone(&inner))));
        tasks.push(tokio::spawn(settlement::run(Arc::clone(&inner))));
        tasks.push(tokio::spawn(standing::run(Arc::clone(&inner))));
        tasks.push(tokio::spawn(register::run(Arc::clone(&inner))));
        tasks.push(tokio::spawn(faults::run(Arc::clone(&inner))));
        tasks.push(tokio::spawn(clocks::run(
            Arc::clone(&inner),
            Arc::downgrade(&lanes),
        )));
        Ok(Engine {
            inner,
            lanes: Arc::new(RwLock::new(Some(lanes))),
            tasks: Arc::new(Mutex::new(tasks)),
            counts,
        })
    }

    /// The store, for reads.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The documents that decisions go by.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.catalog()
    }

    /// The common coding scheme.
    pub fn tables(&self) -> &Tables {
        &self.inner.tables
    }

    /// What the clinical rules go by.
    pub fn clinical(&self) -> &clinical::Tables {
        &self.inner.clinical
    }

    /// The day that it is in the book.
    pub fn book_day(&self) -> Date {
        self.inner.settlement.day(self.now())
    }

    /// What the clock shows.
    pub fn now(&self) -> Instant {
        (self.inner.clock)()
    }

    /// Takes a body. Each of its messages has an outcome, in their order; one bad message leaves the others alone.
    ///
    /// When this returns, what was taken is durable.
    ///
    /// # Errors
    /// [`Error::UnreadableBody`] if nothing of the body can be read; else if the hub itself failed, in which case
    /// the same body may be sent again.
    pub async fn submit(&self, submission: Submission) -> Result<Vec<Outcome>, Error> {
        let (lanes, begun) = (self.lanes()?, std::time::Instant::now());
        let (audit, store) = (&self.inner.audit, &self.inner.store);
        audit.know(store, &submission.sender.id).await?;
        let submission = Arc::new(submission);
        let arrivals = intake::arrive(&self.inner, &lanes.recogniser, &submission).await?;
        let sender = &submission.sender.id;
        let mut waiting = Vec::with_capacity(arrivals.len());
        let mut is_admitted = false;
        for Arrival { place, result } in arrivals {
            let pending = match result {
                Err(problems) => Err(problems),
                Ok(fresh) => {
                    let message = Arc::clone(&fresh.message);
                    let account = fresh.basis.covers.first().map(|own| own.cover.account);
                    // A full queue turns a body away as a whole, before anything of it is taken.
                    let order = Order::Take(fresh);
                    let pending = match is_admitted {
                        false => lanes.hand_in(account, sender, order)?,
                        true => lanes.add(account, sender, order)?,
                    };
                    is_admitted = true;
                    Ok((message, pending))
                }
            };
            waiting.push((place, pending));
        }
        let outcomes = waiting.into_iter().map(|(place, pending)| async {
            match pending {
                Err(problems) => Ok(Outcome {
                    place,
                    message: None,
                    result: Err(Refusal::Invalid(problems)),
                }),
                Ok((message, pending)) => {
                    let (engine, lanes, own) = (self.clone(), Arc::clone(&lanes), message.clone());
                    // What insurers say counts, even where whoever sent the message has hung up meanwhile.
                    let finished = tokio::spawn(async move {
                        let decided = pending.done().await?;
                        engine.finish(&lanes, &own, decided, begun).await
                    });
                    Ok(Outcome {
                        place,
                        message: Some(message),
                        result: finished.await.map_err(|_| Error::Stopping)??,
                    })
                }
            }
        });
        futures::future::join_all(outcomes)
            .await
            .into_iter()
            .collect()
    }

    /// Asks who is to be asked, and goes on by what was heard.
    async fn finish(
        &self,
        lanes: &Lanes,
        message: &Message,
        (done, receipt): Decided,
        begun: std::time::Instant,
    ) -> Result<Result<Taken, Refusal>, Error> {
        let told = |answer: &Answer, asks: &[ParticipantId], waited: Duration| {
            seen::answered(&self.inner, answer, asks, begun.elapsed(), waited);
        };
        Ok(match done {
            Done::Repeated(answer) => Ok(Taken {
                answer,
                repeated: true,
                receipt,
            }),
            Done::Changed { earlier } => Err(Refusal::Changed { earlier }),
            Done::Answered { answer, asks, .. } if asks.is_empty() => {
                told(&answer, &asks, Duration::ZERO);
                Ok(Taken {
                    answer,
                    repeated: false,
                    receipt,
                })
            }
            Done::Answered {
                answer,
                asks,
                asks_first,
            } => {
                for insurer in &asks {
                    self.inner.audit.know(&self.inner.store, insurer).await?;
                }
                let (asking, mut asks) = (std::time::Instant::now(), asks);
                let mut heard = consult::ask(&self.inner, &asks, message, &answer).await;
                if asks_first {
                    let (then, proposal) = self.then_asks(&answer, &heard).await?;
                    heard.extend(consult::ask(&self.inner, &then, message, &proposal).await);
                    asks.extend(then);
                }
                let waited = asking.elapsed();
                let order = Order::Hear {
                    message: answer.id,
                    heard,
                    decision: None,
                };
                let (done, receipt) = lanes.go_on(answer.id, order)?.done().await?;
                match done {
                    Done::Answered { answer, .. }
                    | Done::Late { answer, .. }
                    | Done::Repeated(answer) => {
                        told(&answer, &asks, waited);
                        Ok(Taken {
                            answer,
                            repeated: false,
                            receipt,
                        })
                    }
                    Done::Changed { .. } | Done::Refused(_) | Done::Differs(_) | Done::Nothing => {
                        Err(Refusal::Changed { earlier: answer.id })
                    }
                }
            }
            Done::Late { answer, .. } => Ok(Taken {
                answer,
                repeated: true,
                receipt,
            }),
            Done::Refused(problems) => Err(Refusal::Invalid(problems)),
            Done::Differs(_) | Done::Nothing => return Err(Error::NotFound),
        })
    }

    /// Whom to ask after the base insurer, which is asked first and alone, and on which proposal: what the message comes to
    /// with the base insurer's word. Nothing of that is kept before all have spoken.
    async fn then_asks(
        &self,
        answer: &Arc<Spoken>,
        heard: &[(ParticipantId, Heard)],
    ) -> Result<(Vec<ParticipantId>, Arc<Spoken>), Error> {
        let order = Order::Hear {
            message: answer.id,
            heard: heard.to_vec(),
            decision: None,
        };
        let rehearsed = turn::rehearse(&self.inner, &[order]).await?.pop();
        let Some(Done::Answered { answer, asks, .. }) = rehearsed else {
            // Its time ran out meanwhile, or it was taken back.
            return Ok((Vec::new(), Arc::clone(answer)));
        };
        for insurer in &asks {
            self.inner.audit.know(&self.inner.store, insurer).await?;
        }
        Ok((asks, answer))
    }

    /// A message's whole way, as far as the scope sees it: "where is my message?"
    ///
    /// # Errors
    /// [`Error::Store`] with not found if there is no such message in the scope.
    pub async fn way(&self, scope: &Scope, id: MessageId) -> Result<Way, Error> {
        let MessageWay {
            envelope,
            turns,
            deliveries,
        } = self.inner.store.way(scope, id).await?;
        let turn = |turn: MessageTurn| {
            let answer = turn
                .answer
                .map(|text| serde_json::from_str::<Record>(&text))
                .transpose();
            let answer = answer
                .map_err(|_| Error::Unreadable { message: id })?
                .map(|record| record.answer);
            Ok(WayTurn {
                number: turn.number,
                at: turn.at,
                state: turn.state,
                answer,
                legs: turn.legs,
            })
        };
        Ok(Way {
            envelope,
            turns: turns.into_iter().map(turn).collect::<Result<_, Error>>()?,
            deliveries,
        })
    }

    /// Records that somebody reads personal data. When this returns, it is durable: not before is anything to be
    /// given away.
    ///
    /// # Errors
    /// If it could not be recorded.
    pub async fn read(&self, reading: &Reading) -> Result<(), Error> {
        self.lanes()?.reads.record(&self.inner, reading).await
    }

    /// The log's promise to have leaves that are durable, anew.
    pub fn promise(&self, leaves: &[Leaf]) -> Vec<Arc<Receipt>> {
        self.inner.audit.promise(leaves, self.now())
    }

    /// The public key of the tamper-evident log.
    pub fn log_key(&self) -> &VerifierKey {
        self.inner.audit.log.key()
    }

    /// Shows in decisions from now on what the store holds of participants, plans and tariffs.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn refresh(&self) -> Result<(), Error> {
        self.inner.refresh_catalog().await
    }

    /// How the engine is doing.
    pub fn status(&self) -> Status {
        let lanes = self.lanes().ok();
        Status {
            waiting: lanes.as_ref().map_or(0, |lanes| lanes.waiting()),
            turns: self.counts.turns.load(Ordering::Relaxed),
            orders: self.counts.orders.load(Ordering::Relaxed),
            open: lanes.is_some(),
        }
    }

    /// What lanes commit from now on. Whoever does not read it soon loses the oldest.
    pub fn commits(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.inner.commits.watch()
    }

    /// Takes no more orders, does those that wait, ends routers and clocks, and closes the store.
    ///
    /// Whoever still waits for an answer gets it, as long as `deadline` holds.
    pub async fn drain(&self, deadline: Duration) {
        self.lanes
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        self.inner.stop.send_replace(true);
        let tasks = std::mem::take(
            &mut *self
                .tasks
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        if tokio::time::timeout(deadline, futures::future::join_all(tasks))
            .await
            .is_err()
        {
            tracing::warn!(
                deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
                "tasks did not end in time"
            );
        }
        self.inner.store.close().await;
    }

    fn lanes(&self) -> Result<Arc<Lanes>, Error> {
        let lanes = self
            .lanes
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        lanes.as_ref().map(Arc::clone).ok_or(Error::Stopping)
    }
}
