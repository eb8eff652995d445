//! The way to Redis: one shared connection, and one task that keeps it. Whether it is there is decided here and
//! nowhere else, logged when it changes, and asked by all who would otherwise wait for it.
//!
//! The library's own manager of connections lets whoever asks wait while it connects again; here nobody does.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// How long connecting and any answer may take, but for those that callers bound more tightly.
pub(super) const ANSWER: Duration = Duration::from_millis(500);

/// How often it is looked whether Redis is there.
const EVERY: Duration = Duration::from_millis(250);

/// How long the key lives by which that is looked.
const PROBE_MS: u32 = 5_000;

/// The way.
pub(crate) struct Link {
    client: Client,
    /// The key by which it is looked whether Redis takes writes.
    probe: String,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    look: Notify,
}

impl Link {
    /// A way that nobody has gone yet.
    pub(super) fn new(client: Client, name: &str) -> Link {
        // An error says that somebody has chosen it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Link {
            client,
            probe: format!("{name}:probe"),
            connection: watch::channel(None).0,
            look: Notify::new(),
        }
    }

    /// Whether Redis answered when it was last looked.
    pub(crate) fn is_up(&self) -> bool {
        self.connection.borrow().is_some()
    }

    /// The shared connection, where there is one.
    pub(crate) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }

    /// Waits until Redis is there.
    pub(super) async fn up(&self) {
        let mut connection = self.connection.subscribe();
        // An error cannot be: the sender is this link's own.
        let _ = connection.wait_for(Option::is_some).await;
    }

    /// Notes that it did not answer as it should: it is looked at once what is the matter.
    pub(crate) fn failed(&self, error: &RedisError) {
        tracing::debug!(%error, "redis did not answer as it should");
        self.look.notify_one();
    }

    /// A connection of one's own, on which an answer may take so long.
    ///
    /// # Errors
    /// As the library says.
    pub(super) async fn connect(
        &self,
        answer: Duration,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(answer));
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        // The handshake of TLS is bound by this alone.
        match timeout(ANSWER.saturating_mul(2), connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    /// Looks for Redis for as long as the hub runs. `changed` hears whether it is there.
    pub(super) async fn keep(&self, changed: impl Fn(bool)) {
        let mut first = true;
        loop {
            let found = self.look().await;
            let (was, is) = (self.is_up(), found.is_ok());
            match &found {
                Ok(_) if !was => tracing::info!("redis is there"),
                Err(error) if was || first => tracing::warn!(
                    %error,
                    "redis is away: each hub has limits of its own, sees other hubs' changes a little later, and \
                     feeds show this hub alone"
                ),
                _ => {}
            }
            if was != is || first {
                changed(is);
            }
            if !(was && is) {
                self.connection.send_replace(found.ok());
            }
            first = false;
            tokio::select! {
                () = sleep(EVERY) => {}
                () = self.look.notified(), if is => sleep(EVERY / 10).await,
            }
        }
    }

    /// A connection on which Redis has just taken a write: that of before, where there is one.
    async fn look(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut connection = match self.connection() {
            Some(connection) => connection,
            None => self.connect(ANSWER).await?,
        };
        redis::cmd("SET")
            .arg(&self.probe)
            .arg(1)
            .arg("PX")
            .arg(PROBE_MS)
            .exec_async(&mut connection)
            .await?;
        Ok(connection)
    }
}
