//! The part of the configuration that is about the tamper-evident log.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use takmil_domain::audit::KeyName;
use takmil_domain::ids::ParticipantId;

use super::{Fault, is_named};

/// The log: whose it is, and who watches it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) origin: String,
    key_file: PathBuf,
    policy_file: PathBuf,
    pub(crate) witnesses: Vec<String>,
}

impl Audit {
    /// The file of the log's key, where one is named; else it is made beside the database.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        is_named(&self.key_file).then_some(self.key_file.as_path())
    }

    /// The file that names witnesses and their quorum, where there is one.
    pub(crate) fn policy_file(&self) -> Option<&Path> {
        is_named(&self.policy_file).then_some(self.policy_file.as_path())
    }

    /// Whether a participant may read entries because it witnesses the log.
    pub(crate) fn is_witness(&self, participant: &ParticipantId) -> bool {
        self.witnesses.iter().any(|own| own == participant.as_str())
    }

    /// What makes no sense in it.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, key: &'static str, what: &str| {
            if !holds {
                let what = what.to_owned();
                faults.push(Fault { key, what });
            }
        };
        check(
            KeyName::parse(&self.origin).is_some(),
            "audit.origin",
            "expected an address without its scheme, such as hub.example/audit",
        );
        let files = [
            ("audit.key_file", self.key_file()),
            ("audit.policy_file", self.policy_file()),
        ];
        for (key, file) in files {
            check(
                file.is_none_or(Path::is_file),
                key,
                "there is no such file (takmil audit key makes one)",
            );
        }
        let known = |name: &String| ParticipantId::parse(name).is_some();
        check(
            self.witnesses.iter().all(known),
            "audit.witnesses",
            "expected ids of participants",
        );
        faults
    }
}
