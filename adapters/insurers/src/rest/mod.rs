//! The REST wire: webhooks to the insurer, signed by the Standard Webhooks scheme.
//!
//! `POST {url}/decide` asks for a decision, `POST {url}/eligibility` whether a member is covered; `POST {url}/deliver` hands
//! over something to keep, `POST {url}/clarify` a reply to the insurer's question; [`json`] has the bodies. `POST {url}`
//! tells a provider how its message goes on, and the central register what is to be registered. Every request carries
//! `webhook-id` (the delivery's id, the same at every attempt), `webhook-timestamp` (seconds) and `webhook-signature` (`v1,`
//! and the HMAC-SHA256, in base64, of id, timestamp and body joined by dots, under the secret of the insurer's entry). While
//! a secret is being exchanged there are two signatures, with a space between them.
//!
//! Redirects are not followed and no proxy is used: where a delivery goes is what the entry says.

pub mod json;

use std::fmt::Display;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, StatusCode, Url, redirect};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};
use takmil_domain::date::Instant;
use takmil_domain::participant::{CoverStatement, Delivery, Endpoint};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::registration::{Registration, UniqueCode};
use takmil_proto::MAX_DECISION_BYTES;

use crate::decision::StatedDecision;
use crate::error::TransportError;
use crate::pool::Pool;
use crate::tls::{Identity, Shown};
use crate::{Receipt, milliseconds, tls};

/// How long a connection may take to be made; a call's own deadline may be shorter.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection that nobody used for so long is closed, before a firewall on the way forgets it.
const IDLE: Duration = Duration::from_secs(60);

/// The REST transport.
#[derive(Clone)]
pub(crate) struct Caller {
    clients: Pool<Client>,
}

impl Caller {
    pub(crate) fn showing(shown: Shown) -> Self {
        let clients = Pool::showing(shown);
        Self { clients }
    }

    pub(crate) fn forget(&self, endpoint: &Endpoint, at: std::time::Instant) {
        self.clients.forget(endpoint, at);
    }

    pub(crate) async fn decide(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
        now: Instant,
    ) -> Result<StatedDecision, TransportError> {
        let body = json::request(delivery, Some(milliseconds(deadline)))?;
        let url = address(endpoint, "/decide")?;
        let answer = self.post(endpoint, url, delivery.id, body, now).await?;
        json::decision(&answer).map_err(TransportError::Garbled)
    }

    pub(crate) async fn eligibility(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        deadline: Duration,
        now: Instant,
    ) -> Result<CoverStatement, TransportError> {
        let body = json::request(delivery, Some(milliseconds(deadline)))?;
        let url = address(endpoint, "/eligibility")?;
        let answer = self.post(endpoint, url, delivery.id, body, now).await?;
        json::statement(&answer).map_err(TransportError::Garbled)
    }

    pub(crate) async fn clarify(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        now: Instant,
    ) -> Result<Receipt, TransportError> {
        let body = json::clarification(delivery)?;
        let url = address(endpoint, "/clarify")?;
        let answer = self.post(endpoint, url, delivery.id, body, now).await?;
        json::receipt(&answer).map_err(TransportError::Garbled)
    }

    pub(crate) async fn deliver(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        now: Instant,
    ) -> Result<Receipt, TransportError> {
        let body = json::request(delivery, None)?;
        let url = address(endpoint, "/deliver")?;
        let answer = self.post(endpoint, url, delivery.id, body, now).await?;
        json::receipt(&answer).map_err(TransportError::Garbled)
    }

    /// Tells a provider. Its status alone says whether it has it.
    pub(crate) async fn call_back(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        now: Instant,
    ) -> Result<Receipt, TransportError> {
        let body = delivery.document.clone().into_bytes();
        let url = address(endpoint, "")?;
        self.post(endpoint, url, delivery.id, body, now).await?;
        Ok(Receipt::default())
    }

    /// Registers something with the central register, which answers `{"code": "…"}`.
    pub(crate) async fn register(
        &self,
        endpoint: &Endpoint,
        registration: &Registration,
        now: Instant,
    ) -> Result<UniqueCode, TransportError> {
        let body = json::registration(registration)?;
        let (url, id) = (address(endpoint, "")?, registration.registration);
        let answer = self.post(endpoint, url, id, body, now).await?;
        json::unique_code(&answer).map_err(TransportError::Garbled)
    }

    /// Signs and sends a body, and returns the body of a success.
    async fn post(
        &self,
        endpoint: &Endpoint,
        url: Url,
        id: impl Display,
        body: Vec<u8>,
        now: Instant,
    ) -> Result<Vec<u8>, TransportError> {
        let client = self
            .clients
            .get(endpoint, |identity| client(endpoint, identity))?;
        let id = id.to_string();
        let signature = sign(endpoint, &id, now, &body)?;
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds(now))
            .header(HEADER_WEBHOOK_SIGNATURE, signature)
            .body(body);
        let response = request.send().await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(refused(response.status()));
        }
        bounded(response).await
    }
}

fn address(endpoint: &Endpoint, action: &str) -> Result<Url, TransportError> {
    let base = endpoint.url.trim_end_matches('/');
    let url = Url::parse(&format!("{base}{action}"))
        .map_err(|_| TransportError::endpoint("the url is not one"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(TransportError::endpoint("the url is not http or https"))
    }
}

fn sign(
    endpoint: &Endpoint,
    id: &str,
    now: Instant,
    body: &[u8],
) -> Result<String, TransportError> {
    let seconds = seconds(now);
    let signed = endpoint.secrets(now).map(|secret| {
        let signed = Webhook::new(secret).and_then(|hook| hook.sign(id, seconds, body));
        signed.map_err(|_| TransportError::endpoint("the secret is not \"whsec_\" and base64"))
    });
    let signed = signed.collect::<Result<Vec<_>, _>>()?;
    match signed.is_empty() {
        true => {
            let detail = "webhooks need a secret to be signed with";
            Err(TransportError::endpoint(detail))
        }
        false => Ok(signed.join(" ")),
    }
}

fn seconds(at: Instant) -> i64 {
    at.0.div_euclid(1_000_000)
}

fn client(endpoint: &Endpoint, identity: Option<&Identity>) -> Result<Client, TransportError> {
    let builder = Client::builder()
        .user_agent(concat!("takmil/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE);
    let secured = endpoint.url.starts_with("https:");
    let (builder, fault) = match &endpoint.ca_pem {
        Some(ca_pem) => (trusting(builder, ca_pem)?, "ca_pem cannot be used"),
        None if secured => (builder, tls::NO_ROOTS),
        // Nothing is trusted where nothing has to be, so that a machine without root certificates does.
        None => (builder.tls_certs_only([]), "no client can be made"),
    };
    let builder = match identity {
        Some(identity) => builder.identity(identity.for_rest()?),
        None => builder,
    };
    builder.build().map_err(|_| TransportError::endpoint(fault))
}

fn trusting(builder: ClientBuilder, ca_pem: &str) -> Result<ClientBuilder, TransportError> {
    let authorities = tls::authorities(ca_pem)?;
    let authorities: Result<Vec<_>, _> = authorities
        .iter()
        .map(|authority| Certificate::from_der(authority))
        .collect();
    let authorities = authorities.map_err(|_| TransportError::endpoint("ca_pem cannot be used"))?;
    Ok(builder.tls_certs_only(authorities))
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, TransportError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len().saturating_add(chunk.len()) > MAX_DECISION_BYTES {
            let detail = "the answer is larger than a decision may be";
            let problem = Problem::new(ProblemCode::TooLarge, "", detail);
            return Err(TransportError::Garbled(problem));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A failure of the network. The whole call's deadline is watched elsewhere, so that a timeout in here is one of
/// connecting.
fn broken(error: reqwest::Error) -> TransportError {
    TransportError::unreachable(&error.without_url())
}

/// Sorts a status that is no success: what is said of this call alone lasts, the rest may pass.
fn refused(status: StatusCode) -> TransportError {
    let is_about_the_call = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY
    );
    TransportError::Refused {
        status: format!("http {}", status.as_u16()),
        permanent: is_about_the_call,
    }
}
