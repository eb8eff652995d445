//! Certificates for parties that have none: an authority made on the spot, and what it issues.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa};
use rcgen::{CertificateRevocationListParams, RevokedCertParams, SerialNumber, date_time_ymd};
use rcgen::{Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

use crate::Error;

/// A certificate authority that trusts itself. For tests, demonstrations and sandboxes.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

/// How long the serial number of a certificate is, in bytes: its first ones of the public key's digest.
const SERIAL_BYTES: usize = 16;

/// The certificate of a server or client, and its key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, and those between it and its authority, as PEM.
    pub certificate_pem: String,
    /// The private key, as PEM.
    pub key_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(•••)")
    }
}

impl Authority {
    /// A new authority under the name.
    ///
    /// # Errors
    /// [`Error::Certificate`] where the machine gives no randomness.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self {
            issuer,
            certificate_pem,
        })
    }

    /// The authority's own certificate as PEM: what others trust it by.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate for a server that goes by these names or addresses.
    ///
    /// # Errors
    /// [`Error::Certificate`] where a name is none.
    pub fn issue(&self, names: &[&str]) -> Result<Identity, Error> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, &KeyPair::generate()?)
    }

    /// A certificate for a client under the name.
    ///
    /// # Errors
    /// [`Error::Certificate`] where the machine gives no randomness.
    pub fn issue_client(&self, name: &str) -> Result<Identity, Error> {
        self.sign(client(name)?, &KeyPair::generate()?)
    }

    /// A certificate for a client whose time ended long ago.
    ///
    /// # Errors
    /// [`Error::Certificate`] where the machine gives no randomness.
    pub fn issue_expired_client(&self, name: &str) -> Result<Identity, Error> {
        let mut params = client(name)?;
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params, &KeyPair::generate()?)
    }

    /// Another certificate for a client that keeps its key, as when the first one's time ends.
    ///
    /// # Errors
    /// [`Error::Certificate`] where the key is none.
    pub fn renew_client(&self, name: &str, identity: &Identity) -> Result<Identity, Error> {
        let mut params = client(name)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        self.sign(params, &KeyPair::from_pem(&identity.key_pem)?)
    }

    /// The authority's list of the certificates that it takes back, as PEM.
    ///
    /// # Errors
    /// [`Error::Certificate`] where a key is none.
    pub fn revocation_list(&self, revoked: &[&Identity]) -> Result<String, Error> {
        let revoked_certs = revoked.iter().map(|identity| {
            let key = KeyPair::from_pem(&identity.key_pem)?;
            Ok(RevokedCertParams {
                serial_number: serial(&key),
                revocation_time: date_time_ymd(2020, 1, 1),
                reason_code: None,
                invalidity_date: None,
            })
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(4096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect::<Result<_, Error>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }

    fn sign(&self, mut params: CertificateParams, key: &KeyPair) -> Result<Identity, Error> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(serial(key));
        Ok(Identity {
            certificate_pem: params.signed_by(key, &self.issuer)?.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

fn client(name: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// A serial number that follows from the key alone, so that a certificate can be taken back by what its holder has.
fn serial(key: &KeyPair) -> SerialNumber {
    let mut digest = CertificateParams::default().key_identifier(key);
    digest.truncate(SERIAL_BYTES);
    SerialNumber::from(digest)
}

/// How a server speaks TLS with this identity: HTTP/2 and HTTP/1.1. Where an authority is named, its clients show
/// a certificate of that authority.
pub(crate) fn server_config(
    identity: &Identity,
    clients: Option<&str>,
) -> Result<ServerConfig, Error> {
    let unusable = |error: &dyn std::fmt::Display| Error::Identity(error.to_string());
    let certificates = certificates(&identity.certificate_pem)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes());
    let key = key.map_err(|error| unusable(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(self::certificates(authority)?);
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| unusable(&error))?
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_client_cert_verifier(verifier)
                .with_single_cert(certificates, key)
        })
        .map_err(|error| unusable(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.map_err(|error| Error::Identity(error.to_string()))
}

/// Makes ring the process's provider of cryptography, where it has none: clients need one.
pub(crate) fn use_ring() {
    // An error says that there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
