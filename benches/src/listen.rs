//! The servers that the generator itself runs on loopback: the least that a server can do, as a ceiling, and an
//! insurer that takes every delivery at once.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::Error;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Reads a body, throws it away, and says hello: what HTTP itself costs with such requests.
    ///
    /// # Errors
    /// [`Error::System`] where no socket can be had.
    pub async fn hello() -> Result<Server, Error> {
        Server::start(Router::new().route("/", post(async |_: Bytes| "hello"))).await
    }

    /// An insurer that takes every delivery.
    ///
    /// # Errors
    /// [`Error::System`] where no socket can be had.
    pub async fn insurer() -> Result<Server, Error> {
        let taken = post(async |_: Bytes| StatusCode::NO_CONTENT);
        Server::start(Router::new().route("/deliver", taken)).await
    }

    async fn start(router: Router) -> Result<Server, Error> {
        let refused = "no socket can be had on loopback";
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(any)
            .await
            .map_err(Error::system(refused))?;
        let address = listener.local_addr().map_err(Error::system(refused))?;
        let task = tokio::spawn(async move {
            // It ends with the task alone.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Server { address, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
