//! A stream that an insurer opens: what the hub owes goes out within the insurer's credit, and comes to rest when
//! it is acknowledged. Nobody else carries it meanwhile, on this hub or another.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::ReadyChunks;
use takmil_domain::date::Instant;
use takmil_domain::ids::DeliveryId;
use takmil_engine::Carrier;
use takmil_insurers::grpc::{decision, delivery};
use takmil_proto::v1::{self, deliveries_request};
use takmil_store::Attempt;
use tokio::sync::mpsc::Sender;
use tonic::{Status, Streaming};

use super::desks::Desk;
use super::pull;
use super::wire_failure;
use crate::auth::{self, Identity};
use crate::code::{Code, Failure};
use crate::faces::decisions::{count, decide};
use crate::faces::{App, Phase, reached};

/// The most deliveries that an insurer may leave unacknowledged.
const MAX_CREDIT: u32 = 1_000;

/// So many acknowledgements in a row may be refused before the stream ends: whoever sends them has lost its way.
const MAX_REFUSED: usize = 100;

/// What waits to be read by the insurer at most: its credit, and what it is told of acknowledgements.
pub(super) const UNREAD: usize = 1_000 + MAX_REFUSED + 1;

/// How many acknowledgements are recorded together at most.
const MAX_HEARD: usize = 256;

/// How long an idle stream rests where nothing wakes it: deliveries become due by the clock, too.
const REST: Duration = Duration::from_millis(250);

/// For how long other hubs leave alone what a stream carries, and how often that is said anew.
const CARRIED_MS: u64 = 60_000;
const RENEWED_EVERY: Duration = Duration::from_secs(20);

type Told = Sender<Result<v1::DeliveriesResponse, Status>>;

/// Serves one stream until its insurer leaves or the hub stops.
pub(super) async fn serve(
    app: App,
    identity: Identity,
    _desk: Desk,
    mut requests: Streaming<v1::DeliveriesRequest>,
    tell: Told,
) {
    let credit = match credit(&mut requests).await {
        Ok(credit) => credit,
        Err(status) => {
            // Who has left does not hear why.
            let _ = tell.send(Err(status)).await;
            return;
        }
    };
    let mut stream = DeliveryStream {
        carrier: app.engine.carrier(&identity.participant.id),
        app,
        identity,
        requests: requests.ready_chunks(MAX_HEARD),
        reading: Reading::new(),
        tell,
        renewed: tokio::time::Instant::now(),
        refused: 0,
    };
    if let Err(status) = stream.run(credit).await {
        // Who does not read does not hear why, either.
        let _ = stream.tell.try_send(Err(status));
    }
    stream.carrier.close().await;
}

/// The insurer's first word.
async fn credit(requests: &mut Streaming<v1::DeliveriesRequest>) -> Result<usize, Status> {
    let first = requests
        .message()
        .await?
        .and_then(|request| request.request);
    let wrong = || {
        Failure::new(
            Code::Parameter,
            "the first word is subscribe, with a credit of 1 to 1,000",
        )
    };
    match first {
        Some(deliveries_request::Request::Subscribe(v1::Subscribe { credit }))
            if (1..=MAX_CREDIT).contains(&credit) =>
        {
            usize::try_from(credit).map_err(|_| wrong().into())
        }
        _ => Err(wrong().into()),
    }
}

struct DeliveryStream {
    app: App,
    identity: Identity,
    carrier: Carrier,
    requests: ReadyChunks<Streaming<v1::DeliveriesRequest>>,
    tell: Told,
    reading: Reading,
    /// When other hubs were last told to leave alone what it carries.
    renewed: tokio::time::Instant,
    /// How many acknowledgements were refused in a row.
    refused: usize,
}

impl DeliveryStream {
    async fn run(&mut self, credit: usize) -> Result<(), Status> {
        let mut phase = self.app.phase.clone();
        let bell = self.app.engine.owed(&self.identity.participant.id);
        loop {
            auth::still(&self.app, &self.identity).await?;
            let stall = Duration::from_millis(self.app.config.limits.stream_stall_ms);
            if self.reading.stands_still(&self.tell, stall) {
                let stalled = Failure::from(Code::Stalled);
                count(&self.app, &self.identity, None, &stalled);
                return Err(stalled.into());
            }
            // What becomes owed while it looks is not to wait for the end of a rest.
            let owed = bell.notified();
            tokio::pin!(owed);
            owed.as_mut().enable();
            self.fill(credit).await?;
            self.renew().await?;
            tokio::select! {
                requests = self.requests.next() => match requests {
                    Some(requests) => self.hear(requests).await?,
                    None => return Ok(()),
                },
                () = reached(&mut phase, Phase::Stopping) => return Err(Failure::from(Code::Busy).into()),
                () = self.tell.closed() => return Ok(()),
                () = owed => {}
                () = tokio::time::sleep(REST) => {}
            }
        }
    }

    /// Sends what is due, as far as the credit goes.
    async fn fill(&mut self, credit: usize) -> Result<(), Status> {
        let free = credit.saturating_sub(self.carrier.load());
        let most = u32::try_from(free).unwrap_or(MAX_CREDIT);
        if most == 0 {
            return Ok(());
        }
        let until = self.app.engine.now().plus_ms(CARRIED_MS);
        let due = self.carrier.take(most, until).await;
        for owed in due.map_err(Failure::from)? {
            let delivery = delivery::to_wire(&owed.delivery).map_err(Failure::internal)?;
            self.say(v1::DeliveriesResponse {
                delivery: Some(delivery),
                // A provider that waits is answered by the insurer's own service, never over this stream.
                deadline_ms: 0,
                refused: None,
            })?;
        }
        Ok(())
    }

    /// There is room for all that the credit allows: where there is none, acknowledgements came of what was not read.
    fn say(&mut self, response: v1::DeliveriesResponse) -> Result<(), Status> {
        self.reading.sent();
        self.tell.try_send(Ok(response)).map_err(|_| {
            Status::resource_exhausted("more was acknowledged than the stream has read")
        })
    }

    /// Goes on carrying what it carries.
    async fn renew(&mut self) -> Result<(), Status> {
        if self.renewed.elapsed() >= RENEWED_EVERY && self.carrier.load() > 0 {
            let until = self.app.engine.now().plus_ms(CARRIED_MS);
            self.carrier.hold(until).await.map_err(Failure::from)?;
            self.renewed = tokio::time::Instant::now();
        }
        Ok(())
    }

    /// Takes in what the insurer said since: what it has is recorded together, then its decisions are taken one by one.
    async fn hear(
        &mut self,
        requests: Vec<Result<v1::DeliveriesRequest, Status>>,
    ) -> Result<(), Status> {
        let at = self.app.engine.now();
        let (mut attempts, mut decisions, mut over) = (Vec::new(), Vec::new(), Ok(()));
        for request in requests {
            let ack = match request.map(|request| request.request) {
                Ok(Some(deliveries_request::Request::Ack(ack))) => ack,
                Ok(_) => {
                    let wrong =
                        Failure::new(Code::Parameter, "after subscribe come acknowledgements");
                    over = Err(wrong.into());
                    break;
                }
                Err(status) => {
                    over = Err(status);
                    break;
                }
            };
            match self.attempt(&ack, at, &attempts) {
                Ok(attempt) => {
                    self.refused = 0;
                    attempts.push(attempt);
                    decisions.extend(ack.decision.map(|wire| (ack.delivery_id, wire)));
                }
                Err(failure) => {
                    count(&self.app, &self.identity, None, &failure);
                    self.refuse(ack.delivery_id, &failure)?;
                }
            }
        }
        let settled: Vec<_> = attempts.iter().map(|attempt| attempt.delivery).collect();
        let insurer = &self.identity.participant.id;
        let recorded = self.app.engine.acknowledge(insurer, attempts).await;
        recorded.map_err(Failure::from)?;
        self.carrier.settle(&settled).await;
        for (delivery_id, wire) in decisions {
            let stated = decision::read(&wire);
            match decide(&self.app, &self.identity, stated).await {
                Ok(_) => {}
                // What is wrong with one decision is its own matter; what is wrong with the hub ends the stream.
                Err(failure) if failure.code.http().is_server_error() => return Err(failure.into()),
                Err(failure) => self.refuse(delivery_id, &failure)?,
            }
        }
        over
    }

    /// What an acknowledgement says, of what the stream carries and was not said of before.
    fn attempt(
        &self,
        ack: &v1::DeliveryAck,
        at: Instant,
        said: &[Attempt],
    ) -> Result<Attempt, Failure> {
        let own = DeliveryId::parse(&ack.delivery_id).filter(|id| {
            self.carrier.carries(*id) && said.iter().all(|attempt| attempt.delivery != *id)
        });
        let delivery =
            own.ok_or_else(|| Failure::new(Code::NotFound, "no such delivery is on its way here"))?;
        let unsaid = "an acknowledgement says what became of it";
        let outcome = pull::said(ack).ok_or_else(|| Failure::new(Code::Parameter, unsaid))?;
        Ok(Attempt {
            delivery,
            at,
            outcome: outcome.outcome(&self.app, at),
        })
    }

    /// Says what is wrong with an acknowledgement.
    fn refuse(&mut self, delivery_id: String, failure: &Failure) -> Result<(), Status> {
        let insurer = &self.identity.participant.id;
        tracing::warn!(insurer.id = %insurer, code = failure.public_code(), "an acknowledgement is refused");
        self.refused += 1;
        if self.refused > MAX_REFUSED {
            let lost = "a hundred acknowledgements in a row were refused";
            return Err(Failure::new(Code::Parameter, lost).into());
        }
        self.say(v1::DeliveriesResponse {
            delivery: None,
            deadline_ms: 0,
            refused: Some(v1::AckRefused {
                delivery_id,
                problem: Some(wire_failure(failure)),
            }),
        })
    }
}

/// Whether the insurer reads what it is sent.
struct Reading {
    /// How much was sent, and how much of it was read when that last changed.
    sent: usize,
    read: usize,
    since: tokio::time::Instant,
}

impl Reading {
    fn new() -> Reading {
        Reading {
            sent: 0,
            read: 0,
            since: tokio::time::Instant::now(),
        }
    }

    fn sent(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }

    /// Whether something waits to be read, and nothing was for so long.
    fn stands_still(&mut self, tell: &Told, stall: Duration) -> bool {
        let unread = tell.max_capacity().saturating_sub(tell.capacity());
        let read = self.sent.saturating_sub(unread);
        if unread == 0 || read != self.read {
            (self.read, self.since) = (read, tokio::time::Instant::now());
        }
        self.since.elapsed() >= stall
    }
}
