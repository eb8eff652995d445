//! Kept-alive HTTP/1.1 connections, as a provider's system holds them: one request at a time on each. Made on
//! `hyper` itself, for the generator shares the machine with what it measures.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::errand::Request as Asked;
use crate::error::Error;

/// The header of the sender's own key of a request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Where requests go, and what all of them carry.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

impl Door {
    /// A door in plain HTTP, or in TLS with a server that `tls` trusts.
    ///
    /// # Errors
    /// [`Error::Request`] where the key is none that a header can carry.
    pub fn new(
        address: SocketAddr,
        tls: Option<Arc<ClientConfig>>,
        key: Option<&str>,
    ) -> Result<Door, Error> {
        let value = |text: String| HeaderValue::try_from(text).map_err(hyper::http::Error::from);
        let authorization = key.map(|key| value(format!("Bearer {}", key.trim())));
        Ok(Door {
            address,
            tls,
            host: value(address.to_string())?,
            authorization: authorization.transpose()?,
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`Error::System`] where there is nobody behind the door, [`Error::Http`] where it speaks no HTTP.
    pub async fn connect(&self) -> Result<Connection, Error> {
        let refused = "a connection to the hub cannot be made";
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(Error::system(refused))?;
        stream.set_nodelay(true).map_err(Error::system(refused))?;
        let Some(tls) = &self.tls else {
            return self.greet(stream).await;
        };
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await;
        self.greet(stream.map_err(Error::system(refused))?).await
    }

    async fn greet(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Connection, Error> {
        let (sender, conversation) = handshake(TokioIo::new(stream)).await?;
        // It ends when the sender is dropped, and whatever breaks it off is told to who sends.
        tokio::spawn(conversation);
        Ok(Connection {
            sender,
            door: self.clone(),
        })
    }
}

/// A connection that is used again and again.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<String>,
    door: Door,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Connection {
    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// [`Error::Http`] where the connection breaks off.
    pub async fn ask(&mut self, asked: Asked) -> Result<Reply, Error> {
        let Some(body) = asked.body else {
            return self.get(&asked.path).await;
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(asked.path.as_ref())
            .header(CONTENT_TYPE, HeaderValue::from_static(asked.media_type));
        if let Some(key) = asked.key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        self.send(request.body(body)?).await
    }

    /// Gets `path`.
    ///
    /// # Errors
    /// [`Error::Http`] where the connection breaks off.
    pub async fn get(&mut self, path: &str) -> Result<Reply, Error> {
        self.send(Request::builder().uri(path).body(String::new())?)
            .await
    }

    async fn send(&mut self, mut request: Request<String>) -> Result<Reply, Error> {
        let headers = request.headers_mut();
        headers.insert(HOST, self.door.host.clone());
        if let Some(authorization) = &self.door.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: whole(body).await?,
        })
    }
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(expected.min(64 * 1024));
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(part) = frame?.into_data() {
            bytes.extend_from_slice(&part);
        }
    }
    Ok(bytes)
}

/// A certificate for this machine's own address, made for one run.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate, as a PEM file.
    pub certificate_file: PathBuf,
    /// Its key, as a PEM file.
    pub key_file: PathBuf,
    /// A client that trusts it and nothing else.
    pub client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes a certificate and its key in `folder`.
    ///
    /// # Errors
    /// [`Error::Certificate`], or [`Error::File`] where the files cannot be written.
    pub fn make(folder: &Path, name: &str) -> Result<Certificate, Error> {
        let fault = |cause: rcgen::Error| Error::Certificate(cause.to_string());
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).map_err(fault)?;
        let put = |file: &str, text: String| {
            let path = folder.join(file);
            std::fs::write(&path, text).map_err(Error::file(&path))?;
            Ok::<PathBuf, Error>(path)
        };
        Ok(Certificate {
            certificate_file: put("certificate.pem", made.cert.pem())?,
            key_file: put("key.pem", made.signing_key.serialize_pem())?,
            client: client(made.cert.der().clone())?,
        })
    }
}

fn client(trusted: CertificateDer<'static>) -> Result<Arc<ClientConfig>, Error> {
    let fault = |cause: rustls::Error| Error::Certificate(cause.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(trusted).map_err(fault)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
