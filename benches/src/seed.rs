//! What a hub must know before admissions can be sent to it: insurers, a hospital, plans, tariffs, and members
//! with a base and a supplementary cover, four to a family. All of it is invented.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::bodies::member_number;
use crate::error::Error;

/// The hospital that sends the admissions.
pub const HOSPITAL: &str = "load-hospital";

/// The documents that are the same for every run. The plan's ceilings are the highest there are, so that no
/// limit runs dry and every admission reserves.
const DOCUMENTS: &[(&str, &str)] = &[
    ("base_plans.json", include_str!("../seed/base_plans.json")),
    ("plans.json", include_str!("../seed/plans.json")),
    ("tariffs.json", include_str!("../seed/tariffs.json")),
];

const PARTICIPANTS: &str = include_str!("../seed/participants.json");

/// Where the insurers of a run listen for deliveries.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// By which wire: "rest" or "grpc".
    pub transport: &'a str,
    /// The address.
    pub url: &'a str,
    /// What the hub signs with.
    pub secret: &'a str,
}

/// Members of a family, in the order of their numbers.
const FAMILY: &[&str] = &["principal", "spouse", "daughter", "son"];

/// Writes the seed of a run into `folder`. Without a webhook the insurers have no address, and what is owed to
/// them waits for them.
///
/// # Errors
/// [`Error::File`] where a file cannot be written.
pub fn write(folder: &Path, members: u64, webhook: Option<Webhook<'_>>) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::file(path))
    };
    for (name, text) in DOCUMENTS {
        put(name, text)?;
    }
    put("participants.json", &participants(webhook))?;
    put("enrolments.json", &enrolments(members))
}

fn participants(webhook: Option<Webhook<'_>>) -> String {
    let Some(own) = webhook else {
        return PARTICIPANTS.to_owned();
    };
    let mut rows: Value = serde_json::from_str(PARTICIPANTS).unwrap_or_default();
    for row in rows.as_array_mut().into_iter().flatten() {
        if let Some(contract) = row.get_mut("contract").and_then(Value::as_object_mut) {
            let Webhook {
                transport,
                url,
                secret,
            } = own;
            let endpoint = match transport {
                "rest" => json!({"transport": transport, "url": url, "secret": secret}),
                _ => json!({"transport": transport, "url": url}),
            };
            contract.insert("endpoint".to_owned(), endpoint);
        }
    }
    rows.to_string()
}

fn enrolments(members: u64) -> String {
    let cover = |at: u64, insurer: &str, role: &str, plan: &str| {
        let family = at / FAMILY.len() as u64;
        let place = usize::try_from(at % FAMILY.len() as u64).unwrap_or_default();
        json!({
            "insurer": insurer,
            "role": role,
            "order": 1,
            "policy": format!("{insurer}-1"),
            "certificate": format!("{insurer}-1-{family}"),
            "member": {
                "identifiers": [{"system": "urn:takmil:load:member", "value": member_number(at)}],
                "name": "عضو نمونه",
                "birth_date": if place < 2 { "1984-03-11" } else { "2012-07-02" },
                "sex": if place == 0 || place == 3 { "male" } else { "female" },
            },
            "relationship": FAMILY.get(place),
            "plan": plan,
            "start": "2020-01-01",
            "prior_cover": true,
            "group_size": 1200,
        })
    };
    let both = |at| {
        [
            cover(at, "load-base", "base", "load-base-plan"),
            cover(at, "load-shield", "supplementary", "load-plan"),
        ]
    };
    let rows: Vec<String> = (0..members)
        .flat_map(both)
        .map(|row| row.to_string())
        .collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Webhook, write};
    use std::fs;
    use takmil_domain::coverage::Enrolment;
    use takmil_domain::participant::Participant;
    use takmil_domain::plan::{BasePlan, Plan};
    use takmil_domain::tariff::Tariff;

    #[test]
    fn the_seed_has_the_forms_that_the_hub_reads() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 10, None).unwrap();
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let plans: Vec<Plan> = serde_json::from_str(&text("plans.json")).unwrap();
        assert!(plans.iter().all(|plan| plan.faults().is_empty()));
        assert_eq!(
            serde_json::from_str::<Vec<BasePlan>>(&text("base_plans.json"))
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            serde_json::from_str::<Vec<Tariff>>(&text("tariffs.json"))
                .unwrap()
                .len(),
            2
        );
        assert_eq!(
            serde_json::from_str::<Vec<Participant>>(&text("participants.json"))
                .unwrap()
                .len(),
            3
        );
        let covers: Vec<Enrolment> = serde_json::from_str(&text("enrolments.json")).unwrap();
        let certificates: std::collections::HashSet<_> =
            covers.iter().map(|cover| &cover.certificate).collect();
        // Ten members in three families, with two covers each.
        assert_eq!((covers.len(), certificates.len()), (20, 6));
    }

    #[test]
    fn insurers_are_told_where_they_listen() {
        let folder = tempfile::tempdir().unwrap();
        let webhook = Webhook {
            transport: "rest",
            url: "http://127.0.0.1:9",
            secret: "whsec_bG9hZA==",
        };
        write(folder.path(), 1, Some(webhook)).unwrap();
        let text = fs::read_to_string(folder.path().join("participants.json")).unwrap();
        let rows: Vec<Participant> = serde_json::from_str(&text).unwrap();
        let told = |row: &Participant| {
            row.contract
                .as_ref()
                .is_some_and(|contract| contract.endpoint.is_some())
        };
        assert_eq!(rows.iter().filter(|row| told(row)).count(), 2);
    }
}
