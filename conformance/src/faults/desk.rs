//! A desk that talks to the hub over HTTP as a partner does, and reads what a fault test has to know of the answer.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::Error;
use crate::tls::use_ring;

/// How long an answer is waited for: a hub whose disk fails may take its time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The desk. A clone shares its connections.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    client: Client,
    url: String,
    key: String,
}

/// What the hub said.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether it says that it had been answered before.
    pub(super) replayed: bool,
    pub(super) body: Value,
}

impl Reply {
    /// A text in the body.
    pub(super) fn text(&self, pointer: &str) -> &str {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// The body of an answer that has to be one.
    pub(super) fn ok(self, what: &str) -> Result<Value, Error> {
        match self.status {
            200 => Ok(self.body),
            status => Err(Error::Answer(format!("{what}: {status} {}", self.body))),
        }
    }
}

impl Desk {
    pub(super) fn new(url: &str, key: &str) -> Result<Desk, Error> {
        Desk::with_patience(url, key, PATIENCE)
    }

    /// A desk that waits for an answer no longer than this.
    pub(super) fn with_patience(url: &str, key: &str, patience: Duration) -> Result<Desk, Error> {
        use_ring();
        // Nothing is trusted, since nothing has to be: the hub speaks plain HTTP on loopback.
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(patience)
            .build()?;
        Ok(Desk {
            client,
            url: url.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Sends a body under an idempotency key.
    pub(super) async fn post(&self, path: &str, key: &str, body: &str) -> Result<Reply, Error> {
        let request = self.body(path, body).header("idempotency-key", key);
        read(request.send().await?).await
    }

    /// Sends a body that names itself, as an insurer's decisions do.
    pub(super) async fn tell(&self, path: &str, body: &str) -> Result<Reply, Error> {
        read(self.body(path, body).send().await?).await
    }

    fn body(&self, path: &str, body: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(body.to_owned())
    }

    /// Asks.
    pub(super) async fn get(&self, path: &str) -> Result<Reply, Error> {
        let request = self.client.get(format!("{}{path}", self.url));
        read(request.bearer_auth(&self.key).send().await?).await
    }
}

async fn read(response: reqwest::Response) -> Result<Reply, Error> {
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let bytes = response.bytes().await?;
    Ok(Reply {
        status,
        replayed,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}
