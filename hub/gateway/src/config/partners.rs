//! The part of the configuration that is about certificates of others: the partner port, and what insurers are shown.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{ApiKeys, Fault, PAIR, Tls, is_named, pair};

/// The port for participants' systems, which show client certificates; and the one that the hub shows to insurers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Partners {
    address: String,
    certificate_file: PathBuf,
    key_file: PathBuf,
    pub(crate) client_authority_files: Vec<PathBuf>,
    pub(crate) revocation_files: Vec<PathBuf>,
    client_certificate_file: PathBuf,
    client_key_file: PathBuf,
}

impl Partners {
    /// Where the port is, where there is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }

    /// The port's certificate and key: those of [tls] where it has none of its own.
    pub(crate) fn files<'c>(&'c self, tls: &'c Tls) -> Option<(&'c Path, &'c Path)> {
        pair(&self.certificate_file, &self.key_file).or_else(|| tls.files())
    }

    /// The certificate and key that the hub shows to insurers, where it has them.
    pub(crate) fn client_files(&self) -> Option<(&Path, &Path)> {
        pair(&self.client_certificate_file, &self.client_key_file)
    }

    /// What makes no sense in it.
    pub(super) fn faults(&self, tls: &Tls, api_keys: ApiKeys) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, key: &'static str, what: &str| {
            if !holds {
                let what = what.to_owned();
                faults.push(Fault { key, what });
            }
        };
        let halves = [
            ("partners", &self.certificate_file, &self.key_file),
            (
                "partners.client_certificate_file",
                &self.client_certificate_file,
                &self.client_key_file,
            ),
        ];
        for (key, certificate, own_key) in halves {
            let is_whole = is_named(certificate) == is_named(own_key);
            check(is_whole, key, PAIR);
        }
        let named = [
            ("partners.certificate_file", &self.certificate_file),
            ("partners.key_file", &self.key_file),
            (
                "partners.client_certificate_file",
                &self.client_certificate_file,
            ),
            ("partners.client_key_file", &self.client_key_file),
        ];
        let named = named.into_iter().filter(|(_, file)| is_named(file));
        let lists = [
            (
                "partners.client_authority_files",
                &self.client_authority_files,
            ),
            ("partners.revocation_files", &self.revocation_files),
        ];
        let listed = lists
            .into_iter()
            .flat_map(|(key, files)| files.iter().map(move |file| (key, file)));
        for (key, file) in named.chain(listed) {
            check(file.is_file(), key, "there is no such file");
        }
        if self.address.is_empty() {
            let served = api_keys != ApiKeys::Never;
            check(
                served,
                "listen.api_keys",
                "without keys and without a partner port nobody is served",
            );
            return faults;
        }
        check(
            self.address().is_some(),
            "partners.address",
            "expected an address with a port, or nothing",
        );
        check(
            self.files(tls).is_some(),
            "partners.certificate_file",
            "the partner port needs a certificate: here, or in [tls]",
        );
        check(
            !self.client_authority_files.is_empty(),
            "partners.client_authority_files",
            "the partner port needs the authorities of its clients' certificates",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::tests::{defaults, keys};
    use super::*;

    #[test]
    fn a_partner_port_is_whole_or_not_at_all() {
        let mut config = defaults();
        config.listen.api_keys = ApiKeys::Never;
        assert_eq!(keys(&config), ["listen.api_keys"]);
        config.partners.address = "nowhere".to_owned();
        assert_eq!(
            keys(&config),
            [
                "partners.address",
                "partners.certificate_file",
                "partners.client_authority_files"
            ]
        );
        // Any file that is there.
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        config.partners.address = "127.0.0.1:0".to_owned();
        config.tls.certificate_file = here.clone();
        config.tls.key_file = here.clone();
        config.partners.client_authority_files = vec![here.clone(), "absent.pem".into()];
        assert_eq!(keys(&config), ["partners.client_authority_files"]);
        config.partners.client_authority_files.pop();
        assert_eq!(keys(&config), [""; 0]);
        config.partners.client_key_file = here;
        assert_eq!(keys(&config), ["partners.client_certificate_file"]);
    }
}
