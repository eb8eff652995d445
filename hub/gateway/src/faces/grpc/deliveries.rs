//! A stream that an insurer opens: what the hub owes goes out within the insurer's credit, and comes to rest when
//! it is acknowledged.

use std::time::Duration;
use takmil_domain::date::Instant;
use takmil_domain::ids::DeliveryId;
use takmil_domain::participant::Delivery;
use takmil_insurers::grpc::{decision, delivery};
use takmil_proto::v1::{self, AckOutcome, deliveries_request};
use takmil_store::{Attempt, Outcome};
use tokio::sync::mpsc::Sender;
use tonic::{Status, Streaming};

use super::desks::Desk;
use crate::auth::{self, Identity};
use crate::code::{Code, Failure};
use crate::faces::decisions::decide;
use crate::faces::{App, Phase, reached};

/// The most deliveries that an insurer may leave unacknowledged.
const MAX_CREDIT: u32 = 1_000;

/// How long an idle stream rests where nothing wakes it: deliveries become due by the clock, too.
const REST: Duration = Duration::from_millis(250);

type Told = Sender<Result<v1::DeliveriesResponse, Status>>;

/// Serves one stream until its insurer leaves or the hub stops.
pub(super) async fn serve(
    app: App,
    identity: Identity,
    desk: Desk,
    requests: Streaming<v1::DeliveriesRequest>,
    tell: Told,
) {
    let mut stream = DeliveryStream {
        app,
        identity,
        desk,
        requests,
        tell,
    };
    if let Err(status) = stream.run().await {
        // Who has left does not hear why.
        let _ = stream.tell.send(Err(status)).await;
    }
}

struct DeliveryStream {
    app: App,
    identity: Identity,
    desk: Desk,
    requests: Streaming<v1::DeliveriesRequest>,
    tell: Told,
}

impl DeliveryStream {
    async fn run(&mut self) -> Result<(), Status> {
        let credit = self.credit().await?;
        let mut phase = self.app.phase.clone();
        let bell = self.app.engine.owed(&self.identity.participant.id);
        loop {
            auth::still(&self.app, &self.identity).await?;
            // What becomes owed while it looks is not to wait for the end of a rest.
            let owed = bell.notified();
            tokio::pin!(owed);
            owed.as_mut().enable();
            self.fill(credit).await?;
            tokio::select! {
                request = self.requests.message() => match request? {
                    Some(request) => self.hear(request).await?,
                    None => return Ok(()),
                },
                () = reached(&mut phase, Phase::Stopping) => return Err(Failure::from(Code::Busy).into()),
                () = self.tell.closed() => return Ok(()),
                () = owed => {}
                () = tokio::time::sleep(REST) => {}
            }
        }
    }

    /// The insurer's first word.
    async fn credit(&mut self) -> Result<usize, Status> {
        let first = self
            .requests
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

    /// Sends what is due, as far as the credit goes.
    async fn fill(&mut self, credit: usize) -> Result<(), Status> {
        if self.desk.load() >= credit {
            return Ok(());
        }
        let insurer = &self.identity.participant.id;
        let most = u32::try_from(credit).unwrap_or(MAX_CREDIT);
        let due = self
            .app
            .engine
            .due(insurer, most)
            .await
            .map_err(Failure::from)?;
        for owed in due {
            if self.desk.load() >= credit {
                break;
            }
            if self.desk.carry(owed.id) {
                self.send(&owed).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, owed: &Delivery) -> Result<(), Status> {
        let delivery = delivery::to_wire(owed).map_err(Failure::internal)?;
        let response = v1::DeliveriesResponse {
            delivery: Some(delivery),
            // A provider that waits is answered by the insurer's own service, never over this stream.
            deadline_ms: 0,
        };
        // Where the insurer has left, the next turn of the loop sees it.
        let _ = self.tell.send(Ok(response)).await;
        Ok(())
    }

    async fn hear(&mut self, request: v1::DeliveriesRequest) -> Result<(), Status> {
        let Some(deliveries_request::Request::Ack(ack)) = request.request else {
            return Err(
                Failure::new(Code::Parameter, "after subscribe come acknowledgements").into(),
            );
        };
        let id = DeliveryId::parse(&ack.delivery_id).filter(|id| self.desk.put_back(*id));
        let id =
            id.ok_or_else(|| Failure::new(Code::NotFound, "no such delivery is on its way here"))?;
        let at = self.app.engine.now();
        let attempt = Attempt {
            delivery: id,
            at,
            outcome: self.outcome(&ack, at)?,
        };
        self.app
            .store
            .record_attempts(&self.identity.scope, &[attempt])
            .await
            .map_err(Failure::from)?;
        if let Some(wire) = &ack.decision {
            let stated = decision::read(wire).map_err(Failure::from)?;
            decide(&self.app, &self.identity, stated).await?;
        }
        Ok(())
    }

    fn outcome(&self, ack: &v1::DeliveryAck, at: Instant) -> Result<Outcome, Failure> {
        let again = |after_ms, error: &str| Outcome::Failed {
            next_due: at.plus_ms(after_ms),
            error: error.to_owned(),
        };
        let config = &self.app.config.engine;
        match ack.outcome() {
            AckOutcome::Taken => Ok(Outcome::Delivered),
            AckOutcome::Later => Ok(again(config.retry_first_ms, "the insurer wants it later")),
            // It stays owed, so that nothing is lost; a person has to look at it.
            AckOutcome::Refused => Ok(again(config.retry_refused_ms, "the insurer refuses it")),
            AckOutcome::Unspecified => Err(Failure::new(
                Code::Parameter,
                "an acknowledgement says what became of it",
            )),
        }
    }
}
