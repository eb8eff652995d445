//! A simulated central register: it gives each thing that it is told one unique code, and the same at every repeat.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use serde_json::{Value, json};
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};

use crate::Error;
use crate::server::Server;

/// The number of the first code.
const FIRST: u64 = 10_000_000_001;

/// Something that was registered.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// What it was told, as it came first.
    pub told: Value,
    /// The code that it has.
    pub code: String,
    /// How often it was told.
    pub times: usize,
}

/// How it behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RegisterManner {
    /// Gives codes.
    #[default]
    Issuing,
    /// Takes nothing as it is.
    Refusing,
    /// Gives what is no code.
    Garbling,
    /// Gives everything the same code.
    SameForAll,
}

#[derive(Default)]
struct Book {
    manner: RegisterManner,
    /// By the id that the hub gave.
    registered: BTreeMap<String, Registered>,
}

struct Face {
    webhook: Webhook,
    book: Arc<Mutex<Book>>,
}

/// A running register. Dropping it ends it.
pub struct Register {
    server: Server,
    book: Arc<Mutex<Book>>,
}

impl Register {
    /// Listens on a port of this machine, 0 for any that is free, in plain text, for registrations that are signed with a
    /// secret ("whsec_…").
    ///
    /// # Errors
    /// [`Error`] where the socket or the secret cannot be used.
    pub async fn start(secret: &str, port: u16) -> Result<Self, Error> {
        let webhook = Webhook::new(secret).map_err(|_| Error::Secret)?;
        let book = Arc::default();
        let face = Face {
            webhook,
            book: Arc::clone(&book),
        };
        let app = Router::new().route("/registrations", post(register));
        let app = app.with_state(Arc::new(face));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Server::start(address, app, None, None).await?;
        Ok(Self { server, book })
    }

    /// Where it listens, as the hub's entry for it has to say.
    pub fn url(&self) -> String {
        format!("{}/registrations", self.server.url())
    }

    /// What it has, in the order of the hub's ids.
    pub fn registered(&self) -> Vec<Registered> {
        lock(&self.book).registered.values().cloned().collect()
    }

    /// Behaves so from now on.
    pub fn behave(&self, manner: RegisterManner) {
        lock(&self.book).manner = manner;
    }

    /// Ends it like a crash. What it has it keeps.
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

async fn register(State(face): State<Arc<Face>>, headers: HeaderMap, body: Bytes) -> Response {
    if face.webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let id = headers.get(HEADER_WEBHOOK_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let Ok(told) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut book = lock(&face.book);
    match book.manner {
        RegisterManner::Issuing => {}
        RegisterManner::Refusing => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        RegisterManner::Garbling => return Json(json!({"code": "none yet"})).into_response(),
        RegisterManner::SameForAll => {
            return Json(json!({"code": FIRST.to_string()})).into_response();
        }
    }
    let next = FIRST.saturating_add(u64::try_from(book.registered.len()).unwrap_or(u64::MAX));
    let own = book.registered.entry(id.to_owned()).or_insert(Registered {
        told,
        code: next.to_string(),
        times: 0,
    });
    own.times = own.times.saturating_add(1);
    Json(json!({"code": own.code})).into_response()
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
