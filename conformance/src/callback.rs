//! Where a simulated provider is told how its messages go on: it believes a webhook only where its signature holds.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};

use crate::Error;
use crate::server::Server;

/// What it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The webhook's id.
    pub id: String,
    /// Its body.
    pub body: Value,
}

#[derive(Default)]
struct Heard {
    told: Vec<Told>,
    forged: usize,
}

struct Face {
    webhook: Webhook,
    heard: Arc<Mutex<Heard>>,
}

/// A provider that listens. Dropping it ends it.
pub struct Listener {
    server: Server,
    heard: Arc<Mutex<Heard>>,
}

impl Listener {
    /// Listens on a free port of this machine, in plain text, for webhooks that are signed with a secret ("whsec_…").
    ///
    /// # Errors
    /// [`Error`] where the socket or the secret cannot be used.
    pub async fn start(secret: &str) -> Result<Self, Error> {
        let webhook = Webhook::new(secret).map_err(|_| Error::Secret)?;
        let heard = Arc::default();
        let face = Face {
            webhook,
            heard: Arc::clone(&heard),
        };
        let app = Router::new().route("/told", post(hear));
        let app = app.with_state(Arc::new(face));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(address, app, None, None).await?;
        Ok(Self { server, heard })
    }

    /// Where it listens, as the hub's entry for it has to say.
    pub fn url(&self) -> String {
        format!("{}/told", self.server.url())
    }

    /// Everything that it was told, in the order in which it was, repeats among it.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.heard).told.clone()
    }

    /// How many webhooks it did not believe.
    pub fn forged(&self) -> usize {
        lock(&self.heard).forged
    }

    /// Ends it like a crash.
    pub async fn kill(&self) {
        self.server.kill().await;
    }

    /// Brings it back on the same port.
    ///
    /// # Errors
    /// [`Error::Listen`] where somebody else has taken the port meanwhile.
    pub async fn revive(&self) -> Result<(), Error> {
        self.server.revive().await
    }
}

async fn hear(State(face): State<Arc<Face>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if face.webhook.verify(&body, &headers).is_err() {
        let mut heard = lock(&face.heard);
        heard.forged = heard.forged.saturating_add(1);
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers.get(HEADER_WEBHOOK_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let Ok(body) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let id = id.to_owned();
    lock(&face.heard).told.push(Told { id, body });
    StatusCode::NO_CONTENT
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
