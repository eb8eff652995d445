//! From the hub to its insurers: gRPC and signed webhooks, without state.
//!
//! A call is made once: deadlines, retries, order and what an answer means belong to the engine. An insurer is an
//! entry in the store; only one that speaks neither wire as it is gets a folder of its own here.

mod decision;
mod error;
pub mod grpc;
mod pool;
pub mod rest;
mod statement;
mod tls;

use std::time::Duration;

use takmil_domain::answer::Answer;
use takmil_domain::date::Instant;
use takmil_domain::participant::{
    CoverStatement, Delivery, Endpoint, InsurerDecision, Purpose, Transport,
};
use takmil_domain::registration::{Registration, UniqueCode};

pub use decision::StatedDecision;
pub use error::TransportError;
pub use tls::{Identity, IdentityError};

use tls::Shown;

/// The ways to insurers. What it holds is connections, and what the hub shows on them; a clone shares both.
#[derive(Clone)]
pub struct Transports {
    shown: Shown,
    grpc: grpc::Caller,
    rest: rest::Caller,
}

/// An insurer's word that it keeps a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The insurer's own reference, where it gave one.
    pub reference: Option<String>,
    /// Whether the insurer says that it had the delivery before.
    pub repeated: bool,
}

impl Default for Transports {
    fn default() -> Self {
        Self::new()
    }
}

impl Transports {
    /// Ways without a connection yet.
    ///
    /// Makes ring the process's provider of cryptography, where it has none.
    pub fn new() -> Self {
        // An error says that there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shown = Shown::default();
        Self {
            grpc: grpc::Caller::showing(shown.clone()),
            rest: rest::Caller::showing(shown.clone()),
            shown,
        }
    }

    /// Shows this certificate from now on to insurers that ask for one, on new connections. Calls under way end on
    /// the connections that they began on.
    pub fn show(&self, identity: Option<Identity>) {
        self.shown.change(identity);
    }

    /// Asks an insurer to decide on `proposal`, which is the answer of the delivery's own message.
    ///
    /// `deadline` bounds the whole call, connection included; `now` is the time that a webhook is signed with.
    /// The decision is of the asked message, in its currency, about its lines, with amounts of zero or more;
    /// whether its amounts fit the bill is not checked.
    ///
    /// # Errors
    /// [`TransportError`], which says whether asking again can help.
    pub async fn decide(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        proposal: &Answer,
        deadline: Duration,
        now: Instant,
    ) -> Result<InsurerDecision, TransportError> {
        let call = async {
            match endpoint.transport {
                Transport::Grpc => self.grpc.decide(endpoint, delivery, deadline).await,
                Transport::Rest => self.rest.decide(endpoint, delivery, deadline, now).await,
            }
        };
        let stated = self.within(endpoint, deadline, call).await?;
        stated.fit(proposal).map_err(TransportError::Garbled)
    }

    /// Asks an insurer whether a member is covered, as the delivery's message asks; `proposal` is its answer, with what the
    /// hub's own covers say.
    ///
    /// `deadline` bounds the whole call, connection included; `now` is the time that a webhook is signed with.
    ///
    /// # Errors
    /// [`TransportError`], which says whether asking again can help.
    pub async fn eligibility(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        proposal: &Answer,
        deadline: Duration,
        now: Instant,
    ) -> Result<CoverStatement, TransportError> {
        let call = async {
            match endpoint.transport {
                Transport::Grpc => self.grpc.eligibility(endpoint, delivery, deadline).await,
                Transport::Rest => {
                    self.rest
                        .eligibility(endpoint, delivery, deadline, now)
                        .await
                }
            }
        };
        let stated = self.within(endpoint, deadline, call).await?;
        statement::fit(stated, proposal).map_err(TransportError::Garbled)
    }

    /// Hands an insurer something to take note of, or to decide later; or tells a provider how its message goes on.
    ///
    /// `deadline` bounds the whole call, connection included; `now` is the time that a webhook is signed with.
    ///
    /// # Errors
    /// [`TransportError`], which says whether sending again can help. The insurer may have taken the delivery all
    /// the same, where the answer was lost: it recognises a repeat by the delivery's id.
    pub async fn deliver(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
        now: Instant,
    ) -> Result<Receipt, TransportError> {
        let call = async {
            let handed = self.hand_over(endpoint, delivery, deadline, now).await;
            match handed {
                // It has no call for replies of its own: then a reply is one more thing to decide.
                Err(error)
                    if delivery.purpose == Purpose::Clarified && error.is_of_an_unknown_call() =>
                {
                    let review = Delivery {
                        purpose: Purpose::Review,
                        ..delivery.clone()
                    };
                    self.hand_over(endpoint, &review, deadline, now).await
                }
                handed => handed,
            }
        };
        self.within(endpoint, deadline, call).await
    }

    /// Registers something with the central register. A repeat gets the same code.
    ///
    /// `deadline` bounds the whole call, connection included; `now` is the time that it is signed with.
    ///
    /// # Errors
    /// [`TransportError`], which says whether sending again can help.
    pub async fn register(
        &self,
        endpoint: &Endpoint,
        registration: &Registration,
        deadline: Duration,
        now: Instant,
    ) -> Result<UniqueCode, TransportError> {
        let call = self.rest.register(endpoint, registration, now);
        self.within(endpoint, deadline, call).await
    }

    async fn hand_over(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
        now: Instant,
    ) -> Result<Receipt, TransportError> {
        match (endpoint.transport, delivery.purpose) {
            (Transport::Rest, Purpose::Answered) => {
                self.rest.call_back(endpoint, delivery, now).await
            }
            (Transport::Grpc, Purpose::Clarified) => {
                self.grpc.clarify(endpoint, delivery, deadline).await
            }
            (Transport::Rest, Purpose::Clarified) => {
                self.rest.clarify(endpoint, delivery, now).await
            }
            (Transport::Grpc, _) => self.grpc.deliver(endpoint, delivery, deadline).await,
            (Transport::Rest, _) => self.rest.deliver(endpoint, delivery, now).await,
        }
    }

    /// Makes a call that ends by its deadline.
    ///
    /// Where it stays silent, its connections may have been forgotten on the way, by a firewall, say. They are not used
    /// again: each would cost another call its deadline.
    async fn within<T>(
        &self,
        endpoint: &Endpoint,
        deadline: Duration,
        call: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let begun = std::time::Instant::now();
        let silent = |_| {
            Err(TransportError::Silent {
                waited_ms: milliseconds(deadline),
            })
        };
        let settled = tokio::time::timeout(deadline, call).await;
        let settled = settled.unwrap_or_else(silent);
        if matches!(settled, Err(TransportError::Silent { .. })) {
            match endpoint.transport {
                Transport::Grpc => self.grpc.forget(endpoint, begun),
                Transport::Rest => self.rest.forget(endpoint, begun),
            }
        }
        settled
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
