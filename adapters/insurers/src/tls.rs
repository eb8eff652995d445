//! Whom to trust: the authority that an insurer's entry names, else the machine's own. And what to show: the hub's
//! own certificate, to insurers that ask for one.

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::TransportError;

/// What to tell an operator where neither the entry nor the machine names an authority.
pub(crate) const NO_ROOTS: &str = "https needs ca_pem, the certificate authority of the insurer, because this \
    machine has no root certificates of its own";

/// Reads the authorities of an entry's `ca_pem`: at least one, and each one usable.
pub(crate) fn authorities(ca_pem: &str) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let unusable = || TransportError::endpoint("ca_pem is no list of PEM certificates");
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(ca_pem.as_bytes()).collect();
    let certificates = certificates.map_err(|_| unusable())?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|_| unusable())?;
    }
    if certificates.is_empty() {
        return Err(unusable());
    }
    Ok(certificates)
}

/// The hub's own certificate with its key. `Debug` masks both.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    certificate_pem: String,
    key_pem: String,
}

/// Why a certificate and a key make no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The certificates or the key cannot be read as PEM.
    #[error("the client certificate or its key is not PEM")]
    Pem(#[from] pem::Error),
    /// They are none that the hub can use, or not of each other.
    #[error("the client certificate and its key do not fit together")]
    Unfit(#[from] rustls::Error),
}

impl Identity {
    /// Reads a certificate, with those between it and its authority behind it, and its private key: both PEM.
    ///
    /// # Errors
    /// [`IdentityError`] where they cannot be read, or the key is another certificate's.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Identity, IdentityError> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect();
        let chain = chain?;
        if chain.is_empty() {
            return Err(pem::Error::NoItemsFound.into());
        }
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
        CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        Ok(Identity {
            certificate_pem: certificate_pem.to_owned(),
            key_pem: key_pem.to_owned(),
        })
    }

    /// As gRPC's client takes it.
    pub(crate) fn for_grpc(&self) -> tonic::transport::Identity {
        tonic::transport::Identity::from_pem(&self.certificate_pem, &self.key_pem)
    }

    /// As the webhooks' client takes it.
    pub(crate) fn for_rest(&self) -> Result<reqwest::Identity, TransportError> {
        let pem = format!("{}\n{}", self.key_pem, self.certificate_pem);
        reqwest::Identity::from_pem(pem.as_bytes())
            .map_err(|_| TransportError::endpoint("the hub's own certificate cannot be used"))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(•••)")
    }
}

/// What the hub shows now. A clone shares it.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<RwLock<Option<Arc<Identity>>>>);

impl Shown {
    pub(crate) fn now(&self) -> Option<Arc<Identity>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn change(&self, identity: Option<Identity>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity.map(Arc::new);
    }
}
