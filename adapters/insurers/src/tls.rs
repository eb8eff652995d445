//! Whom to trust: the authority that an insurer's entry names, else the machine's own.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

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
