//! A provider's side of the hub's REST face: a till, a hospital desk, a vendor's server.

use std::time::Duration;

use reqwest::{Certificate, Client as Http, ClientBuilder, RequestBuilder};
use serde_json::Value;

use crate::Error;
use crate::tls::{Identity, use_ring};

/// How long a connection to the hub may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a till waits for an answer at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer: a bill of ten thousand lines with its trace fits.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A provider that asks the hub. A clone shares its connections.
#[derive(Clone)]
pub struct Client {
    http: Http,
    url: String,
    key: Option<String>,
}

/// What the hub answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type, without parameters; empty where there is none.
    pub media_type: String,
    /// The id that the hub gave the request (header `x-request-id`); empty where there is none.
    pub request_id: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}

impl Client {
    /// A client of the hub at `url` with a provider's key (`authorization: Bearer …`). `ca_pem` is the authority that
    /// the hub's certificate goes back to; the machine's own where there is none.
    ///
    /// # Errors
    /// [`Error::Hub`] where the authority cannot be used.
    pub fn new(url: &str, ca_pem: Option<&str>, key: Option<&str>) -> Result<Self, Error> {
        Self::of(builder(url, ca_pem)?, url, key)
    }

    /// A client of the hub's partner port, with a provider's certificate. `ca_pem` as for [`Client::new`].
    ///
    /// # Errors
    /// [`Error::Hub`] where the authority or the certificate cannot be used.
    pub fn presenting(url: &str, ca_pem: Option<&str>, identity: &Identity) -> Result<Self, Error> {
        let pem = format!("{}{}", identity.key_pem, identity.certificate_pem);
        let shown = reqwest::Identity::from_pem(pem.as_bytes()).map_err(unusable)?;
        Self::of(builder(url, ca_pem)?.identity(shown), url, None)
    }

    fn of(builder: ClientBuilder, url: &str, key: Option<&str>) -> Result<Self, Error> {
        Ok(Self {
            http: builder.build().map_err(unusable)?,
            url: url.trim_end_matches('/').to_owned(),
            key: key.map(str::to_owned),
        })
    }

    /// Sends a message: bytes of a media type to a path such as "/v1/claims". With an idempotency key it counts once,
    /// however often it is sent.
    ///
    /// # Errors
    /// [`Error`] where there was no answer. An answer that refuses is an answer.
    pub async fn send(
        &self,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
        idempotency_key: Option<&str>,
    ) -> Result<Reply, Error> {
        let request = self.http.post(format!("{}{path}", self.url));
        let request = request.header("content-type", media_type);
        let request = match idempotency_key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        self.ask(request.body(body)).await
    }

    /// Reads what is at a path, such as "/v1/messages/…".
    ///
    /// # Errors
    /// [`Error`] where there was no answer. An answer that refuses is an answer.
    pub async fn read(&self, path: &str) -> Result<Reply, Error> {
        self.ask(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Reply, Error> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let mut response = request.send().await?;
        let header = |name| {
            let value = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        let media_type = header("content-type").split(';').next().unwrap_or("");
        let mut reply = Reply {
            status: response.status().as_u16(),
            media_type: media_type.trim().to_owned(),
            request_id: header("x-request-id").to_owned(),
            bytes: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await? {
            if reply.bytes.len().saturating_add(chunk.len()) > MAX_ANSWER_BYTES {
                return Err(Error::TooLarge {
                    most: MAX_ANSWER_BYTES,
                });
            }
            reply.bytes.extend_from_slice(&chunk);
        }
        Ok(reply)
    }
}

fn unusable(error: reqwest::Error) -> Error {
    Error::Hub(error.to_string())
}

fn builder(url: &str, ca_pem: Option<&str>) -> Result<ClientBuilder, Error> {
    use_ring();
    let builder = Http::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(PATIENCE);
    Ok(match ca_pem {
        Some(ca_pem) => {
            let authorities = Certificate::from_pem_bundle(ca_pem.as_bytes());
            builder.tls_certs_only(authorities.map_err(unusable)?)
        }
        // Nothing is trusted where nothing has to be, so that a machine without root certificates does.
        None if !url.starts_with("https:") => builder.tls_certs_only([]),
        None => builder,
    })
}
