//! The server's side of TLS, from PEM files: its certificate and key, whose client certificates it takes, and the
//! protocols it offers.

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS cannot start, or not with new files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A PEM file cannot be read.
    #[error("{file} holds no {what} that can be read")]
    Pem {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        #[source]
        cause: pem::Error,
    },
    /// A file cannot be read.
    #[error("{file} cannot be read")]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// Certificate and key do not make a server, or an authority is none.
    #[error("the certificates and keys cannot be used together")]
    Unfit(#[from] rustls::Error),
    /// Authorities and revocation lists do not make a judge of certificates.
    #[error("the authorities of clients cannot be used")]
    Authorities(#[from] VerifierBuilderError),
    /// Certificate and key do not make what the hub shows to insurers.
    #[error("the hub's own client certificate cannot be used")]
    Shown(#[from] takmil_insurers::IdentityError),
}

/// The files that a port speaks TLS by.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Its certificate, with those between it and its authority.
    pub(crate) certificate: PathBuf,
    /// The certificate's key.
    pub(crate) key: PathBuf,
    /// Whose certificates it asks its clients for, where it does.
    pub(crate) clients: Option<Clients>,
}

/// Whose certificates clients show.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// The authorities that they go back to.
    pub(crate) authorities: Vec<PathBuf>,
    /// The authorities' revocation lists.
    pub(crate) revoked: Vec<PathBuf>,
}

impl Files {
    /// Every file.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        let own = [&self.certificate, &self.key];
        let clients = self.clients.iter();
        let theirs = clients.flat_map(|clients| clients.authorities.iter().chain(&clients.revoked));
        own.into_iter().chain(theirs).cloned().collect()
    }

    /// How the port speaks TLS: HTTP/2 and HTTP/1.1, with ring's cryptography.
    ///
    /// # Errors
    /// [`TlsError`] where a file is not what it should be, or they do not fit together.
    pub(super) fn read(&self) -> Result<ServerConfig, TlsError> {
        let verifier = match &self.clients {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(clients) => clients.verifier()?,
        };
        let chain = all(&self.certificate, "certificate")?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(unreadable(&self.key, "private key"))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if self.clients.is_some() {
            // A resumed session is not judged again: it would outlive its certificate and the revocation lists.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

impl Clients {
    /// Takes certificates of the authorities that are good today. Where there is a revocation list, each certificate
    /// below an authority must be under one. A list that is late still counts: it must not shut everybody out.
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let mut roots = RootCertStore::empty();
        for file in &self.authorities {
            for authority in all::<CertificateDer<'static>>(file, "certificate")? {
                roots.add(authority)?;
            }
        }
        let mut lists = Vec::new();
        for file in &self.revoked {
            let found = all::<CertificateRevocationListDer<'static>>(file, "revocation list")?;
            lists.extend(found);
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(verifier.with_crls(lists).build()?)
    }
}

/// Everything of a kind that a file holds: one at least.
fn all<T: PemObject>(file: &Path, what: &'static str) -> Result<Vec<T>, TlsError> {
    let found = T::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let found = found.and_then(|found| match found.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(found),
    });
    found.map_err(unreadable(file, what))
}

fn unreadable(file: &Path, what: &'static str) -> impl FnOnce(pem::Error) -> TlsError {
    let file = file.to_owned();
    move |cause| TlsError::Pem { file, what, cause }
}
