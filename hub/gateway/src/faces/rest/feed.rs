//! What happens, as it happens: server-sent events (the HTML standard's own form), each caller its own.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use crate::auth::{self, Identity};
use crate::code::{Code, Failure};
use crate::faces::{Phase, reached};
use crate::feed::{Reader, Told};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(feed))
}

/// How often an idle feed shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often it is looked whether the reader may still read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The header by which a reader says what it had last.
const LAST_EVENT_ID: &str = "last-event-id";

/// Tells of every step of the caller's messages while it happens, as server-sent events.
///
/// `turn`: a message came further; one may come twice. `gap`: events were lost, read the messages anew. `dropped`:
/// the reader was too slow, and the stream ends; come back with the id of the last event, in the header
/// Last-Event-ID, as browsers do by themselves. `closed`: the credentials no longer open it.
#[utoipa::path(
    get, path = "/v1/feed", tag = "messages",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the caller had.")),
    responses((
        status = 200, description = "The events, without end.", content_type = "text/event-stream",
        body = ref("#/components/schemas/feed_event"),
    )),
)]
async fn feed(
    State(app): State<App>,
    identity: Identity,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    // What cannot be read as text is no id of ours, and answered as one that nobody knows.
    let last = headers.get(LAST_EVENT_ID);
    let last = last.map(|id| id.to_str().unwrap_or_default());
    let Reader { missed, live } = app.feed.open(&identity, last)?;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let telling = Telling {
        phase: app.phase.clone(),
        app,
        identity,
        missed,
        live,
        looks,
        has_ended: false,
    };
    let events = unfold(telling, async |mut telling| {
        let event = telling.next().await?;
        Some((Ok(event), telling))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

const SLOW: &str = "events came faster than they were read; come back with the last one's id";
const SHUT_OUT: &str = "the credentials no longer open the feed";
const LOST: &str = "events were lost; read the messages anew";

/// A stream to one reader.
struct Telling {
    app: App,
    identity: Identity,
    missed: VecDeque<Told>,
    live: mpsc::Receiver<Told>,
    looks: Interval,
    phase: watch::Receiver<Phase>,
    has_ended: bool,
}

impl Telling {
    async fn next(&mut self) -> Option<sse::Event> {
        if self.has_ended {
            return None;
        }
        if let Some(told) = self.missed.pop_front() {
            return Some(self.write(&told));
        }
        loop {
            let told = tokio::select! {
                () = reached(&mut self.phase, Phase::Stopping) => return None,
                told = self.live.recv() => Some(told),
                _ = self.looks.tick() => None,
            };
            match told {
                Some(Some(told)) => return Some(self.write(&told)),
                Some(None) => return Some(self.end("dropped", SLOW)),
                None if self.is_shut_out().await => return Some(self.end("closed", SHUT_OUT)),
                None => {}
            }
        }
    }

    /// Whether the credentials are good no more. A database that is away for a moment shuts nobody out.
    async fn is_shut_out(&self) -> bool {
        let still = auth::still(&self.app, &self.identity).await;
        still.is_err_and(|failure| failure.code != Code::Busy)
    }

    fn write(&self, told: &Told) -> sse::Event {
        match told {
            Told::Event(event) => sse::Event::default()
                .id(event.id.to_string())
                .event("turn")
                .data(event.shown(&self.identity.scope).to_string()),
            Told::Gap => note("gap", LOST),
        }
    }

    fn end(&mut self, name: &str, detail: &str) -> sse::Event {
        self.has_ended = true;
        note(name, detail)
    }
}

fn note(name: &str, detail: &str) -> sse::Event {
    let detail = json!({"detail": detail});
    sse::Event::default().event(name).data(detail.to_string())
}
