//! The door: accepts connections, ends TLS, and hands requests to one router. It knows no address and no
//! message; whoever is slow at it is shown out.

mod impatient;
pub(crate) mod renewal;
pub(crate) mod tls;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::auth::Credential;
use crate::config::Listen;
use crate::telemetry::Metrics;
use impatient::Impatient;
use renewal::Current;

/// How many requests one HTTP/2 connection may have open: a vendor that serves many counters over one.
const MAX_STREAMS: u32 = 256;

/// The most that the head of a request may take: keys, tokens and trace headers fit many times.
const MAX_HEAD_BYTES: u32 = 16 * 1024;

/// How often a silent HTTP/2 connection is asked whether it lives.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long to wait after the system refuses to accept (no file handles), before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// From where.
    pub(crate) address: IpAddr,
    /// The client certificate that it showed: on the partner port always, elsewhere never.
    pub(crate) certificate: Option<Credential>,
}

/// A bound socket.
pub(crate) struct Listener {
    socket: TcpListener,
    door: Arc<Door>,
    drain: Duration,
}

/// What every connection goes by.
struct Door {
    tls: Option<Current>,
    protocol: auto::Builder<TokioExecutor>,
    connections: Arc<Semaphore>,
    handshake_timeout: Duration,
    header_timeout: Duration,
    metrics: Metrics,
}

impl Listener {
    /// Binds an address, to listen there as the configuration says; in plain text where there is no TLS.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<Current>,
        config: &Listen,
        metrics: Metrics,
    ) -> std::io::Result<Listener> {
        let header_timeout = Duration::from_millis(config.header_timeout_ms);
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        let mut http1 = protocol.http1();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout);
        let mut http2 = protocol.http2();
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_BYTES);
        let door = Door {
            tls,
            protocol,
            connections: Arc::new(Semaphore::new(config.connections)),
            handshake_timeout: Duration::from_millis(config.handshake_timeout_ms),
            header_timeout,
            metrics,
        };
        Ok(Listener {
            socket: TcpListener::bind(address).await?,
            door: Arc::new(door),
            drain: Duration::from_millis(config.drain_ms),
        })
    }

    /// The address that was bound, its port chosen by the system where none was named.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop`, then lets the requests that have begun finish, for as long as the drain lasts.
    pub(crate) async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            let connection = tokio::select! {
                () = &mut stop => break,
                connection = self.accept() => connection,
            };
            let Some((stream, address, permit)) = connection else {
                continue;
            };
            let (door, router, watcher) =
                (Arc::clone(&self.door), router.clone(), graceful.watcher());
            tokio::spawn(async move {
                door.metrics.connections.inc();
                door.welcome(stream, address, router, watcher).await;
                door.metrics.connections.dec();
                drop(permit);
            });
        }
        drop(self.socket);
        if tokio::time::timeout(self.drain, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                drain_ms = self.drain.as_millis(),
                "connections were cut at the end of the drain"
            );
        }
    }

    async fn accept(&self) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
        let connections = Arc::clone(&self.door.connections);
        let permit = connections.acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer.ip().to_canonical(), permit)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

impl Door {
    async fn welcome(&self, stream: TcpStream, address: IpAddr, router: Router, watcher: Watcher) {
        // Answers are small and awaited: they must not wait for more to say.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let mut peer = Peer {
            address,
            certificate: None,
        };
        let Some(tls) = &self.tls else {
            return self.converse(stream, peer, router, watcher).await;
        };
        let handshake = TlsAcceptor::from(tls.now()).accept(stream);
        let stream = match tokio::time::timeout(self.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        };
        let shown = stream.get_ref().1.peer_certificates();
        if let Some(certificate) = shown.and_then(<[_]>::first) {
            match Credential::of_certificate(certificate) {
                Ok(credential) => peer.certificate = Some(credential),
                Err(error) => return tracing::debug!(%error, "a client certificate has no key"),
            }
        }
        self.converse(stream, peer, router, watcher).await;
    }

    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        router: Router,
        watcher: Watcher,
    ) {
        let answer = move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().call(request)
        };
        let stream = TokioIo::new(Impatient::new(stream, self.header_timeout));
        let service = hyper::service::service_fn(answer);
        let connection = self.protocol.serve_connection(stream, service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(error, "a connection ended badly");
        }
    }
}
