//! The country packs go into the hub: documents as an import puts them there, covers as insurers send them, by
//! the hub's own faces.

use std::collections::BTreeMap;
use takmil_conformance::insurer::HubClient;
use takmil_domain::coverage::{EnrolledMember, Enrolment};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{ParticipantId, PlanId};
use takmil_domain::participant::{Participant, Transport};
use takmil_domain::party::InsurerRole;
use takmil_domain::plan::Relationship;
use takmil_insurers::grpc::coverage;
use takmil_mappings::packs::PACKS;
use takmil_proto::v1::upsert_coverages_response;
use takmil_store::{CredentialKind, NewCredential, Scope, Store};

use super::hub::RunningHub;
use super::insurers::Insurers;
use crate::auth;
use crate::cli::Fatal;

/// The day on which the packs' covers stand as they were thought: who waits, who has just begun.
const PACKS_WRITTEN_FOR: (i32, u8, u8) = (2026, 11, 21);

const DAY_MICROS: i64 = 86_400_000_000;

/// How many covers one request carries.
const ROWS: usize = 1_000;

/// The keys of all participants of the demonstration. They are shown to nobody but the one who runs it.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<ParticipantId, String>);

impl Keys {
    /// The key of a participant.
    ///
    /// # Errors
    /// If it has none.
    pub(super) fn of(&self, id: &ParticipantId) -> Result<&str, Fatal> {
        let key = self.0.get(id).map(String::as_str);
        key.ok_or_else(|| format!("{id} has no key").into())
    }

    /// Makes a participant known to the hub, and gives it a key.
    pub(super) async fn admit(
        &mut self,
        store: &Store,
        participant: &Participant,
        at: Instant,
    ) -> Result<(), Fatal> {
        store.upsert_participant(participant).await?;
        let (key, hash) = auth::fresh_key();
        let credential = NewCredential {
            participant: participant.id.clone(),
            staff: None,
            kind: CredentialKind::Key,
            hash,
            label: "demo".to_owned(),
        };
        store.add_credential(&credential, at).await?;
        self.0.insert(participant.id.clone(), key);
        Ok(())
    }
}

/// Puts the packs' participants, tariffs, plans, rates and regulations into the store; gives the keys, and the covers
/// that are still to be sent.
pub(super) async fn documents(
    store: &Store,
    insurers: &Insurers,
    now: Instant,
) -> Result<(Keys, Vec<Enrolment>), Fatal> {
    let mut keys = Keys::default();
    let mut covers = Vec::new();
    for pack in PACKS {
        for participant in pack.participants()? {
            let participant = insurers.reachable(participant);
            keys.admit(store, &participant, now).await?;
        }
        for tariff in pack.tariffs()? {
            store.upsert_tariff(&Scope::Hub, &tariff).await?;
        }
        for plan in pack.plans()? {
            store.upsert_plan(&Scope::Hub, &plan).await?;
        }
        for plan in pack.base_plans()? {
            store.upsert_base_plan(&Scope::Hub, &plan).await?;
        }
        for rate in pack.exchange()? {
            store.upsert_exchange_rate(&rate).await?;
        }
        for regulation in pack.regulations()? {
            store.upsert_regulation(&regulation).await?;
        }
        let own = pack.enrolments()?;
        covers.extend(own.into_iter().map(|cover| moved(cover, now.day())));
    }
    Ok((keys, covers))
}

/// A cover of a pack, as it stands on `today`: moved by the days since the packs were written.
fn moved(cover: Enrolment, today: Date) -> Enrolment {
    let (year, month, day) = PACKS_WRITTEN_FOR;
    let days = Date::from_ymd(year, month, day).map_or(0, |written| today.days_since(written));
    Enrolment {
        start: plus_days(cover.start, days),
        end: cover.end.map(|end| plus_days(end, days)),
        ..cover
    }
}

/// The day that many days later, or earlier.
pub(super) fn plus_days(date: Date, days: i64) -> Date {
    let since = Instant(0).day();
    let days = date.days_since(since).saturating_add(days);
    Instant(days.saturating_mul(DAY_MICROS)).day()
}

/// The cover of a sample member that no pack has.
pub(super) struct SampleCover<'a> {
    /// The supplementary insurer.
    pub(super) insurer: &'a str,
    /// Its plan.
    pub(super) plan: &'a str,
    /// The number of the certificate, which owns the limits.
    pub(super) certificate: &'a str,
    /// The first day.
    pub(super) start: Date,
    /// The member.
    pub(super) member: EnrolledMember,
}

impl SampleCover<'_> {
    /// The cover, as its insurer registers it.
    pub(super) fn enrolment(self) -> Result<Enrolment, Fatal> {
        Ok(Enrolment {
            insurer: ParticipantId::parse(self.insurer).ok_or("an insurer has no id")?,
            role: InsurerRole::Supplementary,
            order: 1,
            policy: "SAMPLE".to_owned(),
            certificate: self.certificate.to_owned(),
            member: self.member,
            relationship: Relationship::Principal,
            plan: PlanId::parse(self.plan).ok_or("a plan has no id")?,
            start: self.start,
            end: None,
            suspended: false,
            prior_cover: true,
            group_size: None,
        })
    }
}

/// Sends covers to the hub, each by its insurer and the insurer's own wire; says how many were not taken, by the
/// code of their problem.
pub(super) async fn enrol(
    hub: &RunningHub,
    keys: &Keys,
    insurers: &Insurers,
    covers: &[Enrolment],
) -> Result<BTreeMap<String, usize>, Fatal> {
    let mut by_insurer: BTreeMap<&ParticipantId, Vec<&Enrolment>> = BTreeMap::new();
    for cover in covers {
        by_insurer.entry(&cover.insurer).or_default().push(cover);
    }
    let mut refused = BTreeMap::new();
    for (insurer, covers) in by_insurer {
        let key = keys.of(insurer)?;
        let endpoint = insurers.get(insurer).map(|own| own.endpoint.transport);
        for rows in covers.chunks(ROWS) {
            let codes = match endpoint {
                Some(Transport::Grpc) => stream(&hub.insurer(key)?, rows).await?,
                Some(Transport::Rest) | None => put(hub, key, rows).await?,
            };
            for code in codes {
                let count: &mut usize = refused.entry(code).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    Ok(refused)
}

/// Sends covers as a gRPC stream; gives the problems' codes.
async fn stream(client: &HubClient, rows: &[&Enrolment]) -> Result<Vec<String>, Fatal> {
    let rows = rows.iter().map(|cover| coverage::to_wire(cover)).collect();
    let results = client.upsert_coverages(rows).await?;
    let problem = |result| match result {
        Some(upsert_coverages_response::Result::Problem(problem)) => Some(problem.code),
        Some(upsert_coverages_response::Result::Taken(_)) => None,
        None => Some("no result".to_owned()),
    };
    let codes = results
        .into_iter()
        .filter_map(|result| problem(result.result));
    Ok(codes.collect())
}

/// Sends covers in the body of one request; gives the problems' codes.
async fn put(hub: &RunningHub, key: &str, rows: &[&Enrolment]) -> Result<Vec<String>, Fatal> {
    let authority = reqwest::Certificate::from_pem(hub.ca_pem.as_bytes())?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .build()?;
    let request = client
        .put(format!("{}/v1/coverages", hub.url))
        .bearer_auth(key);
    let response = request.json(&rows).send().await?.error_for_status()?;
    let results: serde_json::Value = response.json().await?;
    let results = results
        .get("results")
        .and_then(|results| results.as_array());
    let problem = |result: &serde_json::Value| {
        let code = result.pointer("/problems/0/code")?.as_str()?;
        Some(code.to_owned())
    };
    Ok(results.into_iter().flatten().filter_map(problem).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn days_are_counted_both_ways_across_months_and_years() {
        let check = |from: &str, days, expected: &str| {
            let moved = plus_days(Date::parse(from).unwrap(), days);
            assert_eq!(moved.to_string(), expected);
        };
        check("2026-11-21", 0, "2026-11-21");
        check("2026-12-31", 1, "2027-01-01");
        check("2027-03-01", -1, "2027-02-28");
        check("1969-12-31", 2, "1970-01-02");
        check("2026-03-21", 365, "2027-03-21");
    }
}
