//! Who there is in the month: insurers with a plan and members each, and providers who bill any of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::Error;
use super::super::world::{CURRENCY, MEMBER_SYSTEM, SYSTEM, family, number};

/// How many members each provider sees, on an average.
const MEMBERS: u32 = 6;
/// What a member and a family may have, in the smallest unit: for some it runs dry within the month.
const YEARLY: i64 = 400_000;
const FAMILY: i64 = 1_200_000;

/// How many there are of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct World {
    pub(super) insurers: usize,
    pub(super) providers: usize,
}

pub(super) fn insurer(number: usize) -> String {
    format!("month-insurer-{number}")
}

pub(super) fn provider(number: usize) -> String {
    format!("month-provider-{number}")
}

impl World {
    /// How many are insured.
    pub(super) fn members(self) -> u32 {
        let providers = u32::try_from(self.providers).unwrap_or(u32::MAX);
        providers.saturating_mul(MEMBERS)
    }

    /// Who pays for a member: families are insured together.
    pub(super) fn pays(self, member: u32) -> usize {
        let family = usize::try_from(family(member)).unwrap_or_default();
        family % self.insurers.max(1)
    }

    /// Writes its documents into `folder`, in the layout of `takmil import folder`; `urls` are where the insurers listen.
    pub(super) fn write(self, folder: &Path, urls: &[String]) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::at(folder))?;
        let documents = [
            ("participants.json", self.participants(urls)),
            ("plans.json", (0..self.insurers).map(plan).collect()),
            ("enrolments.json", self.enrolments()),
        ];
        for (name, document) in documents {
            let path = folder.join(name);
            fs::write(&path, document.to_string()).map_err(Error::at(&path))?;
        }
        Ok(())
    }

    fn participants(self, urls: &[String]) -> Value {
        let all: Vec<String> = (0..self.insurers).map(insurer).collect();
        let insurers = all.iter().zip(urls).map(|(id, url)| {
            json!({
                "id": id, "title": "Insurer of a month", "role": "insurer", "currency": CURRENCY,
                "identifiers": [{"system": "urn:takmil:fault:insurer", "value": id}],
                "contract": {"mode": "delegated", "endpoint": {"transport": "grpc", "url": url}},
            })
        });
        let providers = (0..self.providers).map(|number| {
            let id = provider(number);
            json!({
                "id": id, "title": "Provider of a month", "role": "provider", "currency": CURRENCY,
                "identifiers": [{"system": "urn:takmil:fault:facility", "value": id}],
                "sector": "private", "networks": all,
            })
        });
        insurers.chain(providers).collect()
    }

    fn enrolments(self) -> Value {
        let cover = |member: u32| {
            let insurer = insurer(self.pays(member));
            let number = number(member);
            json!({
                "insurer": insurer, "role": "supplementary", "order": 1, "policy": "MONTH",
                "certificate": format!("MONTH-{}", family(member)),
                "member": {
                    "identifiers": [{"system": MEMBER_SYSTEM, "value": format!("MONTH-{number}")}],
                    "birth_date": "1990-01-31",
                },
                "relationship": "other", "plan": format!("{insurer}-plan"), "start": "2020-01-01",
            })
        };
        (0..self.members()).map(cover).collect()
    }
}

/// What is done without asking costs the member a tenth; the rest is for the insurer to authorise.
fn plan(number: usize) -> Value {
    let insurer = insurer(number);
    json!({
        "id": format!("{insurer}-plan"), "version": 1, "insurer": insurer, "title": "Cover of a month",
        "currency": CURRENCY, "from": "2020-01-01", "year": "calendar", "mode": "additive",
        "benefits": [
            {
                "id": "drugs", "title": "Drugs", "rate": "10%", "limits": ["yearly", "family"],
                "codes": [{"system": SYSTEM, "prefix": "NR"}],
            },
            {
                "id": "surgery", "title": "Surgery", "rate": "0%", "limits": ["yearly", "family"],
                "codes": [{"system": SYSTEM, "prefix": "NS"}], "authorisation": {"without": "pend"},
            },
        ],
        "limits": [
            {"id": "yearly", "title": "A year", "ceiling": YEARLY},
            {"id": "family", "title": "The family in a year", "owner": "account", "ceiling": FAMILY},
        ],
    })
}
