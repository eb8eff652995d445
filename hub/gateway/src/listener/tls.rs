//! The server's side of TLS: its certificate and key from PEM files, and the protocols it offers.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS cannot start.
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
    /// Certificate and key do not make a server.
    #[error("the certificate and the key do not fit together")]
    Unfit(#[from] rustls::Error),
}

/// A server configuration with the certificate chain and key of two PEM files, for HTTP/2 and HTTP/1.1.
///
/// # Errors
/// [`TlsError`] where a file cannot be read or the two do not fit.
pub(crate) fn server(
    certificate_file: &Path,
    key_file: &Path,
) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |file: &Path, what| {
        let file = file.to_owned();
        move |cause| TlsError::Pem { file, what, cause }
    };
    let certificates = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificate_file, "certificate"))?;
    let key =
        PrivateKeyDer::from_pem_file(key_file).map_err(unreadable(key_file, "private key"))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
