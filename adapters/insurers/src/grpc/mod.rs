//! The gRPC wire: the hub calls the service that the insurer runs (`takmil/v1/insurer.proto`).

pub mod coverage;
pub mod decision;
pub mod delivery;
mod statement;

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use takmil_domain::participant::{CoverStatement, Delivery, Endpoint};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_proto::v1;
use takmil_proto::v1::insurer_service_client::InsurerServiceClient;
use takmil_proto::{MAX_DECISION_BYTES, MAX_DELIVERY_BYTES};
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request, Response, Status};

use crate::decision::{MAX_REFERENCE, StatedDecision, text};
use crate::error::{TransportError, chain};
use crate::pool::Pool;
use crate::tls::{Identity, Shown};
use crate::{Receipt, milliseconds, tls};

/// How long a connection may take to be made; a call's own deadline may be shorter.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection whose other end is gone without a word is found out after the two together.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(5);

/// The gRPC transport.
#[derive(Clone)]
pub(crate) struct Caller {
    channels: Pool<Channel>,
}

type Client = InsurerServiceClient<Channel>;

impl Caller {
    pub(crate) fn showing(shown: Shown) -> Self {
        let channels = Pool::showing(shown);
        Self { channels }
    }

    pub(crate) fn forget(&self, endpoint: &Endpoint, at: Instant) {
        self.channels.forget(endpoint, at);
    }

    pub(crate) async fn decide(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
    ) -> Result<StatedDecision, TransportError> {
        let question = v1::DecideRequest {
            delivery: Some(delivery::to_wire(delivery)?),
            deadline_ms: u32::try_from(milliseconds(deadline)).unwrap_or(u32::MAX),
        };
        let mut client = self.client(endpoint)?;
        let response = settle(client.decide(timed(question, deadline)), deadline).await?;
        let decision = response.decision.ok_or_else(|| missing("/decision"));
        decision
            .and_then(|decision| decision::read(&decision))
            .map_err(TransportError::Garbled)
    }

    pub(crate) async fn deliver(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
    ) -> Result<Receipt, TransportError> {
        let handed_over = v1::DeliverRequest {
            delivery: Some(delivery::to_wire(delivery)?),
        };
        let mut client = self.client(endpoint)?;
        let response = settle(client.deliver(timed(handed_over, deadline)), deadline).await?;
        let receipt = response.receipt.ok_or_else(|| missing("/receipt"));
        receipt
            .and_then(|receipt| receipt_for(delivery, receipt))
            .map_err(TransportError::Garbled)
    }

    /// Hands over a reply to the insurer's question: the one that was given last is what the delivery tells of.
    pub(crate) async fn clarify(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
    ) -> Result<Receipt, TransportError> {
        let wire = delivery::to_wire(delivery)?;
        let handed_over = v1::ClarifyRequest {
            clarification: delivery::clarification(&wire).cloned(),
            delivery: Some(wire),
        };
        let mut client = self.client(endpoint)?;
        let response = settle(client.clarify(timed(handed_over, deadline)), deadline).await?;
        let receipt = response.receipt.ok_or_else(|| missing("/receipt"));
        receipt
            .and_then(|receipt| receipt_for(delivery, receipt))
            .map_err(TransportError::Garbled)
    }

    pub(crate) async fn eligibility(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
    ) -> Result<CoverStatement, TransportError> {
        let question = v1::EligibilityRequest {
            delivery: Some(delivery::to_wire(delivery)?),
            deadline_ms: u32::try_from(milliseconds(deadline)).unwrap_or(u32::MAX),
        };
        let mut client = self.client(endpoint)?;
        let response = settle(client.eligibility(timed(question, deadline)), deadline).await?;
        let statement = response.statement.ok_or_else(|| missing("/statement"));
        statement
            .and_then(statement::read)
            .map_err(TransportError::Garbled)
    }

    fn client(&self, endpoint: &Endpoint) -> Result<Client, TransportError> {
        let channel = self
            .channels
            .get(endpoint, |identity| channel(endpoint, identity))?;
        Ok(InsurerServiceClient::new(channel)
            .max_decoding_message_size(MAX_DECISION_BYTES)
            .max_encoding_message_size(MAX_DELIVERY_BYTES))
    }
}

/// A channel that connects when it is first used, and again whenever the connection is gone.
fn channel(endpoint: &Endpoint, identity: Option<&Identity>) -> Result<Channel, TransportError> {
    let target = Channel::from_shared(endpoint.url.clone())
        .map_err(|_| TransportError::endpoint("the url is not one"))?;
    let scheme = target.uri().scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        return Err(TransportError::endpoint("the url is not http or https"));
    }
    let plain = scheme == "http";
    let target = target
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .keep_alive_while_idle(true);
    if plain {
        return Ok(target.connect_lazy());
    }
    let (trust, fault) = match &endpoint.ca_pem {
        Some(ca_pem) => {
            tls::authorities(ca_pem)?;
            let trust = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca_pem));
            (trust, "the url is not one of a gRPC service")
        }
        None => (ClientTlsConfig::new().with_native_roots(), tls::NO_ROOTS),
    };
    let trust = match identity {
        Some(identity) => trust.identity(identity.for_grpc()),
        None => trust,
    };
    let secured = target.tls_config(trust);
    let secured = secured.map_err(|_| TransportError::endpoint(fault))?;
    Ok(secured.connect_lazy())
}

fn timed<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    // Tells the insurer's server when nobody waits any more.
    request.set_timeout(deadline);
    request
}

fn missing(pointer: &str) -> Problem {
    Problem::new(ProblemCode::Missing, pointer, "the response is empty")
}

fn receipt_for(delivery: &Delivery, receipt: v1::DeliveryReceipt) -> Result<Receipt, Problem> {
    if receipt.delivery_id != delivery.id.to_string() {
        let pointer = "/receipt/delivery_id";
        let detail = "the receipt is for another delivery";
        return Err(Problem::new(
            ProblemCode::DanglingReference,
            pointer,
            detail,
        ));
    }
    text(&receipt.reference, MAX_REFERENCE, "/receipt/reference")?;
    Ok(Receipt {
        reference: Some(receipt.reference).filter(|reference| !reference.is_empty()),
        repeated: receipt.repeated,
    })
}

/// Waits for a call and sorts its failure.
async fn settle<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
    deadline: Duration,
) -> Result<T, TransportError> {
    // The library panics on a status whose details are not base64, which any server can send.
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(failure(&status, deadline)),
        Err(_) => {
            let detail = "the status is not one of gRPC";
            Err(TransportError::Garbled(Problem::new(
                ProblemCode::Malformed,
                "",
                detail,
            )))
        }
    }
}

fn failure(status: &Status, deadline: Duration) -> TransportError {
    let waited_ms = milliseconds(deadline);
    // Only a status that was made on this side has a source: the insurer's own come without.
    if let Some(source) = status.source() {
        return match is_timeout(source) {
            true => TransportError::Silent { waited_ms },
            false => TransportError::unreachable(source),
        };
    }
    let refused = |permanent| TransportError::Refused {
        status: format!("grpc {:?}", status.code()),
        permanent,
    };
    match status.code() {
        // What a server says that watched the deadline for the hub.
        Code::DeadlineExceeded | Code::Cancelled => TransportError::Silent { waited_ms },
        // What libraries say to a message beyond the bound: this side to the answer, the other to the question.
        Code::OutOfRange => TransportError::Garbled(Problem::new(
            ProblemCode::TooLarge,
            "",
            "the answer is larger than a decision may be, or the question than the insurer takes",
        )),
        Code::Ok
        | Code::Unknown
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::NotFound
        | Code::PermissionDenied
        | Code::Unimplemented
        | Code::Unauthenticated => refused(false),
        Code::InvalidArgument | Code::AlreadyExists | Code::FailedPrecondition => refused(true),
    }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| error.is::<tonic::TimeoutExpired>())
}
