//! A server on a real socket that can be killed and brought back on the same port.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::tls::{self, Identity};
use crate::{Error, tls::use_ring};

/// A client that says nothing during a handshake is not waited for longer.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How often, and how long after each other, a server that comes back tries for its port: while it was away, the
/// machine may have lent it to somebody's outgoing connection.
const BIND_TRIES: u32 = 100;
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// The server. Dropping it ends it.
pub(crate) struct Server {
    address: SocketAddr,
    app: Router,
    tls: Option<TlsAcceptor>,
    /// The one task that accepts, which owns those of the connections; none while the server is down.
    running: Mutex<Option<JoinSet<()>>>,
}

impl Server {
    /// Listens on `address`, whose port may be 0 for any that is free.
    pub(crate) async fn start(
        address: SocketAddr,
        app: Router,
        identity: Option<&Identity>,
        clients: Option<&str>,
    ) -> Result<Self, Error> {
        use_ring();
        let tls = match identity {
            Some(identity) => {
                let config = tls::server_config(identity, clients)?;
                Some(TlsAcceptor::from(Arc::new(config)))
            }
            None => None,
        };
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let server = Self {
            address: listener.local_addr().map_err(failed)?,
            app,
            tls,
            running: Mutex::new(None),
        };
        *server.running.lock().await = Some(server.accepting(listener));
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as an address for clients.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Whether it listens now.
    pub(crate) async fn is_up(&self) -> bool {
        self.running.lock().await.is_some()
    }

    /// Breaks every connection, finished or not, and refuses new ones.
    pub(crate) async fn kill(&self) {
        if let Some(mut running) = self.running.lock().await.take() {
            running.shutdown().await;
        }
    }

    /// Listens again, on the same port.
    pub(crate) async fn revive(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            let failed = |source| Error::Listen {
                address: self.address,
                source,
            };
            let listener = bind_again(self.address).await.map_err(failed)?;
            *running = Some(self.accepting(listener));
        }
        Ok(())
    }

    fn accepting(&self, listener: TcpListener) -> JoinSet<()> {
        let mut running = JoinSet::new();
        running.spawn(accept(listener, self.app.clone(), self.tls.clone()));
        running
    }
}

async fn bind_again(address: SocketAddr) -> io::Result<TcpListener> {
    for _ in 1..BIND_TRIES {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tokio::time::sleep(BIND_PAUSE).await;
            }
            settled => return settled,
        }
    }
    TcpListener::bind(address).await
}

/// Serves until it is dropped, and with it every connection.
async fn accept(listener: TcpListener, app: Router, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = listener.accept() => match incoming {
                Ok((socket, _)) => {
                    connections.spawn(converse(socket, app.clone(), tls.clone()));
                }
                // Out of file handles, say: no reason to spin.
                Err(_) => tokio::time::sleep(BIND_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(socket: TcpStream, app: Router, tls: Option<TlsAcceptor>) {
    // A socket that is gone already fails at the first read.
    let _ = socket.set_nodelay(true);
    let Some(tls) = tls else {
        return serve(socket, app).await;
    };
    if let Ok(Ok(secured)) = tokio::time::timeout(HANDSHAKE, tls.accept(socket)).await {
        serve(secured, app).await;
    }
}

async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: Router) {
    let service = TowerToHyperService::new(app);
    let connection = auto::Builder::new(TokioExecutor::new());
    // However a connection ends, its client sees it: there is nobody here to tell.
    let _ = connection.serve_connection(TokioIo::new(io), service).await;
}
