//! The world of a fault test: one insurer, one clinic, families of four with limits that run dry on the way. All of
//! it is invented.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Error;

/// Who pays.
pub(super) const INSURER: &str = "fault-shield";
/// Who pays for every other family, where the world has a second insurer.
pub(super) const OTHER: &str = "fault-lantern";
/// Who bills.
pub(super) const CLINIC: &str = "fault-clinic";
/// What is billed: a service of the shipped sample codes, so that nothing is unmapped.
pub(super) const SYSTEM: &str = "urn:takmil:synthetic:services";
pub(super) const SERVICE: &str = "NR110";
/// A service that the insurer has to authorise: it is decided by a person there.
pub(super) const REVIEWED: &str = "NS100";
/// Under which system members have their numbers.
pub(super) const MEMBER_SYSTEM: &str = "urn:takmil:fault:member";
/// What the hub signs deliveries with.
pub(super) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
/// The currency of everything.
pub(super) const CURRENCY: &str = "MAD";
/// The day of every service: long gone, so that all stands in one year's limits.
pub(super) const DAY: &str = "2025-03-02";

/// How many share a certificate and its limit.
const FAMILY: u32 = 4;

/// What a world is made of.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// How many members it has.
    pub(super) members: u32,
    /// What each may have in a year, in the smallest unit, and what a family may.
    pub(super) yearly: i64,
    pub(super) family: i64,
    /// Where the insurer listens.
    pub(super) insurer_url: String,
    /// Where a second insurer listens, over gRPC; empty where there is none.
    pub(super) other_url: String,
}

impl World {
    /// Writes its documents into `folder`, in the layout of `takmil import folder`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::at(folder))?;
        let documents = [
            ("participants.json", self.participants()),
            ("plans.json", self.plans()),
            ("enrolments.json", self.enrolments()),
        ];
        for (name, document) in documents {
            let path = folder.join(name);
            fs::write(&path, document.to_string()).map_err(Error::at(&path))?;
        }
        Ok(())
    }

    fn participants(&self) -> Value {
        let mut participants = vec![
            json!({
                "id": INSURER, "title": "Insurer of the fault tests", "role": "insurer",
                "identifiers": [{"system": "urn:takmil:fault:insurer", "value": "SHIELD"}],
                "currency": CURRENCY,
                "contract": {
                    "mode": "delegated",
                    "endpoint": {"transport": "rest", "url": self.insurer_url, "secret": SECRET},
                },
            }),
            json!({
                "id": CLINIC, "title": "Clinic of the fault tests", "role": "provider",
                "identifiers": [{"system": "urn:takmil:fault:facility", "value": "CLINIC"}],
                "currency": CURRENCY, "sector": "private", "networks": [INSURER],
            }),
        ];
        if self.has_other() {
            participants.push(json!({
                "id": OTHER, "title": "Another insurer of the fault tests", "role": "insurer",
                "identifiers": [{"system": "urn:takmil:fault:insurer", "value": "LANTERN"}],
                "currency": CURRENCY,
                "contract": {
                    "mode": "delegated", "endpoint": {"transport": "grpc", "url": self.other_url},
                },
            }));
        }
        Value::from(participants)
    }

    fn has_other(&self) -> bool {
        !self.other_url.is_empty()
    }

    /// Who pays for a member.
    pub(super) fn pays(&self, member: u32) -> &'static str {
        match self.has_other() && !family(member).is_multiple_of(2) {
            true => OTHER,
            false => INSURER,
        }
    }

    fn plans(&self) -> Value {
        let insurers = [Some(INSURER), self.has_other().then_some(OTHER)];
        insurers
            .into_iter()
            .flatten()
            .map(|own| self.plan(own))
            .collect()
    }

    fn plan(&self, insurer: &str) -> Value {
        json!({
            "id": plan_of(insurer), "version": 1, "insurer": insurer, "title": "Cover of the fault tests",
            "currency": CURRENCY, "from": "2020-01-01", "year": "calendar", "mode": "additive",
            "benefits": [
                {
                    "id": "drugs", "title": "Drugs", "rate": "0%", "limits": ["yearly", "family"],
                    "codes": [{"system": SYSTEM, "prefix": "NR"}],
                },
                {
                    "id": "surgery", "title": "Surgery", "rate": "0%", "limits": ["yearly", "family"],
                    "codes": [{"system": SYSTEM, "prefix": "NS"}], "authorisation": {"without": "pend"},
                },
            ],
            "limits": [
                {"id": "yearly", "title": "A year", "ceiling": self.yearly},
                {"id": "family", "title": "The family in a year", "owner": "account", "ceiling": self.family},
            ],
        })
    }

    fn enrolments(&self) -> Value {
        let cover = |member: u32| {
            json!({
                "insurer": self.pays(member), "role": "supplementary", "order": 1, "policy": "F-1",
                "certificate": format!("F-1-{}", family(member)),
                "member": {
                    "identifiers": [{"system": MEMBER_SYSTEM, "value": number(member)}],
                    "birth_date": "1990-01-31",
                },
                "relationship": if member.is_multiple_of(FAMILY) { "principal" } else { "other" },
                "plan": plan_of(self.pays(member)), "start": "2020-01-01",
            })
        };
        (0..self.members).map(cover).collect()
    }
}

/// The plan of an insurer.
fn plan_of(insurer: &str) -> String {
    format!("{insurer}-plan")
}

/// The family of a member.
pub(super) const fn family(member: u32) -> u32 {
    member / FAMILY
}

/// The number by which a member is named.
pub(super) fn number(member: u32) -> String {
    format!("M-{member}")
}

/// A bill of one line.
pub(super) fn bill(service: &str, billed: i64) -> Value {
    json!({"class": "pharmacy", "lines": [{
        "seq": 1, "item": {"source": {"system": SYSTEM, "code": service}}, "billed": billed,
    }]})
}

/// A message of a member, but for what is its kind's own.
pub(super) fn message(kind: &str, key: &str, member: u32) -> Value {
    json!({
        "kind": kind,
        "identifiers": [{"system": format!("urn:takmil:fault:{kind}"), "value": key}],
        "occurred_on": DAY,
        "currency": CURRENCY,
        "member": {"identifiers": [{"system": MEMBER_SYSTEM, "value": number(member)}]},
    })
}
