//! What a partner port needs for a test: authorities, and the files that the hub knows them by.

use serde_json::json;
use std::path::PathBuf;
use takmil_conformance::insurer::HubClient;
use takmil_conformance::tls::{Authority, Identity};

use crate::hub::{Caller, Hub, Place};

/// The authorities of a hub and of its partners, and the files that the hub knows them by.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    /// That of the hub's own certificate.
    pub(crate) own: Authority,
    /// That of the partners' certificates.
    pub(crate) partners: Authority,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        let sandbox = Sandbox {
            folder: tempfile::tempdir().unwrap(),
            own: Authority::new("The hub's authority").unwrap(),
            partners: Authority::new("The partners' authority").unwrap(),
        };
        sandbox.keep("clients.pem", sandbox.partners.certificate_pem());
        sandbox.keep(
            "revoked.pem",
            &sandbox.partners.revocation_list(&[]).unwrap(),
        );
        sandbox.keep_own(&sandbox.own.issue(&["localhost"]).unwrap());
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file in the place of another, as a careful hand does.
    pub(crate) fn keep(&self, name: &str, text: &str) {
        std::fs::write(self.path("next"), text).unwrap();
        std::fs::rename(self.path("next"), self.path(name)).unwrap();
    }

    /// Puts the port's own certificate and key there.
    pub(crate) fn keep_own(&self, identity: &Identity) {
        self.keep("hub.key", &identity.key_pem);
        self.keep("hub.pem", &identity.certificate_pem);
    }

    /// The part of the hub's configuration.
    pub(crate) fn config(&self) -> String {
        let path = |name| format!("{:?}", self.path(name));
        format!(
            "[partners]\naddress = \"127.0.0.1:0\"\ncertificate_file = {}\nkey_file = {}\nclient_authority_files = [{}]\nrevocation_files = [{}]\n",
            path("hub.pem"),
            path("hub.key"),
            path("clients.pem"),
            path("revoked.pem"),
        )
    }

    /// A hub with a partner port, where API keys open nothing that is for systems.
    pub(crate) fn hub(&self) -> Hub {
        let place = Place::new(&self.config());
        place.fill();
        Hub::with(place, &[("TAKMIL_LISTEN__API_KEYS", "never")])
    }

    /// A certificate of a participant, which the hub knows.
    pub(crate) fn member(&self, hub: &Hub, participant: &str) -> Identity {
        let identity = self.partners.issue_client(participant).unwrap();
        self.register(hub, participant, &identity);
        identity
    }

    /// Makes the hub know a certificate.
    pub(crate) fn register(&self, hub: &Hub, participant: &str, identity: &Identity) {
        let file = self.file(identity);
        let named = ["participant", "certificate", participant, "--file", &file];
        let shown = hub.place.json(&named);
        assert_eq!(shown["participant"], json!(participant));
    }

    /// A file with a certificate.
    pub(crate) fn file(&self, identity: &Identity) -> String {
        self.keep("one.pem", &identity.certificate_pem);
        self.path("one.pem").to_str().unwrap().to_owned()
    }

    /// A caller of the partner port.
    pub(crate) fn caller(&self, hub: &Hub, shown: &Identity) -> Caller {
        hub.at_partners(self.own.certificate_pem(), Some(shown))
    }

    /// An insurer's client of the partner port.
    pub(crate) fn insurer(&self, hub: &Hub, shown: &Identity) -> HubClient {
        HubClient::presenting(hub.partners(), Some(self.own.certificate_pem()), shown).unwrap()
    }
}
