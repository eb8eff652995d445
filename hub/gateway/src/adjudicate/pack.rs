//! The documents of a country pack, for scenarios that tell bills of its sample members: who the member is says plans
//! and covers, who the provider is says networks, price lists and sector, as they do before the hub.

use serde::Deserialize;
use serde_json::{Value, json};
use takmil_domain::coverage::Enrolment;
use takmil_domain::date::Date;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::{Identifier, PlanId};
use takmil_domain::participant::Participant;
use takmil_domain::party::InsurerRole;
use takmil_domain::plan::{BasePlan, Plan, Tier};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::share::{CoverFacts, Documents, Standing};
use takmil_domain::tariff::Tariff;
use takmil_mappings::Error;
use takmil_mappings::packs::pack;

/// A country pack, named by its folder.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pack {
    participants: Vec<Participant>,
    plans: Vec<Plan>,
    base_plans: Vec<BasePlan>,
    tariffs: Vec<Tariff>,
    exchange: Vec<ExchangeRate>,
    enrolments: Vec<Enrolment>,
}

impl TryFrom<String> for Pack {
    type Error = String;

    fn try_from(id: String) -> Result<Pack, String> {
        let pack = pack(&id).ok_or_else(|| format!("there is no pack {id}"))?;
        let read = || -> Result<Pack, Error> {
            Ok(Pack {
                participants: pack.participants()?,
                plans: pack.plans()?,
                base_plans: pack.base_plans()?,
                tariffs: pack.tariffs()?,
                exchange: pack.exchange()?,
                enrolments: pack.enrolments()?,
            })
        };
        read().map_err(|error| error.to_string())
    }
}

impl Pack {
    /// The documents of a bill. What the pack knows of member and provider is put into the message, where it does not
    /// say so itself: birth date, sex, sector, currency.
    ///
    /// # Errors
    /// A problem of the message, which has to name its day, a member and a provider of the pack.
    pub(super) fn documents(&self, message: &mut Value) -> Result<Documents, Problem> {
        let day = message.get("occurred_on").and_then(Value::as_str);
        let day = day.and_then(Date::parse);
        let day = day.ok_or_else(|| missing("/occurred_on", "the day of the bill"))?;
        let covers = self.covers(message)?;
        let provider = self.provider(message)?;
        if let Some(member) = covers.first().map(|cover| &cover.member) {
            fill(message, "member", "birth_date", json!(member.birth_date));
            fill(message, "member", "sex", json!(member.sex));
        }
        fill(message, "provider", "sector", json!(provider.sector));
        let currency = message.as_object_mut().map(|own| own.entry("currency"));
        currency.map(|own| own.or_insert_with(|| json!(provider.currency)));

        let mut documents = Documents {
            exchange: self.exchange.clone(),
            tariffs: self.tariffs_at(provider),
            ..Documents::default()
        };
        for cover in covers {
            if cover.role == InsurerRole::Base {
                let base = self.base_plans.iter().filter(|own| own.id == cover.plan);
                let base = base.filter(|own| own.from <= day && own.to.is_none_or(|to| day <= to));
                documents.base = base.max_by_key(|own| own.version).cloned();
                continue;
            }
            documents.plans.push(self.plan(&cover.plan, day)?.into());
            documents.covers.push(facts(cover));
            let mut networks = provider.networks.iter();
            match networks.find(|own| own.insurer == cover.insurer) {
                Some(own) => documents.tiers.push(Standing {
                    insurer: own.insurer.clone(),
                    tier: Tier::Inside(own.tier),
                }),
                None => documents.out_of_network.push(cover.insurer.clone()),
            }
        }
        Ok(documents)
    }

    /// The member's covers, in the order in which insurers are asked.
    fn covers(&self, message: &Value) -> Result<Vec<&Enrolment>, Problem> {
        let named = identifiers(message, "member");
        let is_named = |cover: &&Enrolment| {
            let mut known = cover.member.identifiers.iter();
            known.any(|identifier| named.contains(identifier))
        };
        let mut covers: Vec<&Enrolment> = self.enrolments.iter().filter(is_named).collect();
        if covers.is_empty() {
            return Err(missing("/member/identifiers", "a member of the pack"));
        }
        covers.sort_by_key(|cover| cover.order);
        Ok(covers)
    }

    fn provider(&self, message: &Value) -> Result<&Participant, Problem> {
        let named = identifiers(message, "provider");
        let mut known = self.participants.iter();
        let provider = known.find(|own| own.identifiers.iter().any(|one| named.contains(one)));
        provider.ok_or_else(|| missing("/provider/identifiers", "a provider of the pack"))
    }

    /// The version of a plan that is in force.
    fn plan(&self, id: &PlanId, day: Date) -> Result<Plan, Problem> {
        let versions = self.plans.iter().filter(|own| own.id == *id);
        let versions = versions.filter(|own| own.covers_date(day));
        let latest = versions.max_by_key(|own| own.version).cloned();
        latest.ok_or_else(|| missing("/occurred_on", &format!("a day on which {id} is in force")))
    }

    /// The tariffs for all, and the price lists of a provider's contracts.
    fn tariffs_at(&self, provider: &Participant) -> Vec<Tariff> {
        let is_for = |own: &&Tariff| {
            let contract = own.document().contract.as_ref();
            contract.is_none_or(|contract| contract.provider == provider.id)
        };
        self.tariffs.iter().filter(is_for).cloned().collect()
    }
}

fn facts(cover: &Enrolment) -> CoverFacts {
    CoverFacts {
        insurer: cover.insurer.clone(),
        start: cover.start,
        end: cover.end,
        suspended: cover.suspended,
        prior_cover: cover.prior_cover,
        relationship: cover.relationship,
        group_size: cover.group_size,
        certificate: Some(cover.certificate.clone()),
    }
}

fn identifiers(message: &Value, party: &str) -> Vec<Identifier> {
    let named = message
        .get(party)
        .and_then(|party| party.get("identifiers"));
    let named = named.map(Vec::<Identifier>::deserialize);
    named.and_then(Result::ok).unwrap_or_default()
}

fn fill(message: &mut Value, party: &str, name: &str, value: Value) {
    let party = message.get_mut(party).and_then(Value::as_object_mut);
    if let Some(party) = party.filter(|_| !value.is_null()) {
        party.entry(name).or_insert(value);
    }
}

fn missing(pointer: &str, what: &str) -> Problem {
    Problem::new(
        ProblemCode::Missing,
        pointer,
        format!("it has to name {what}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn message(day: &str, member: &str, provider: &str) -> Value {
        json!({
            "occurred_on": day,
            "member": {"identifiers": [{"system": "urn:takmil:sample:member", "value": member}]},
            "provider": {"identifiers": [{"system": "urn:takmil:sample:facility", "value": provider}]},
        })
    }

    #[test]
    fn the_documents_are_those_of_member_and_provider() {
        let pack = Pack::try_from("ma".to_owned()).unwrap();
        let mut message = message("2026-11-01", "MA-2002", "MA-ATLAS");
        let documents = pack.documents(&mut message).unwrap();
        let plans: Vec<&str> = documents.plans.iter().map(|own| own.id.as_str()).collect();
        assert_eq!(plans, ["ma-mutuelle-360", "ma-assur-plus"]);
        assert_eq!(documents.base.unwrap().id.as_str(), "ma-amo");
        assert_eq!((documents.covers.len(), documents.tiers.len()), (2, 2));
        let contracts = documents.tariffs.iter().map(|own| own.document());
        let contracts = contracts.filter_map(|own| own.contract.as_ref());
        assert!(contracts.clone().count() > 0);
        assert!(
            contracts
                .clone()
                .all(|own| own.provider.as_str() == "ma-atlas")
        );
        assert_eq!(message["member"]["birth_date"], "1983-06-21");
        assert_eq!(
            (&message["provider"]["sector"], &message["currency"]),
            (&json!("private"), &json!("MAD"))
        );
    }

    #[test]
    fn a_provider_without_a_place_in_the_network_is_outside() {
        let pack = Pack::try_from("ma".to_owned()).unwrap();
        let mut message = message("2026-11-01", "MA-2001", "MA-OPTIC");
        let documents = pack.documents(&mut message).unwrap();
        assert_eq!(
            (documents.tiers.len(), documents.out_of_network.len()),
            (0, 1)
        );
    }

    #[test]
    fn a_bill_names_its_day_a_member_and_a_provider_of_the_pack() {
        assert!(Pack::try_from("nowhere".to_owned()).is_err());
        let pack = Pack::try_from("mz".to_owned()).unwrap();
        for (day, member, provider, pointer) in [
            ("tomorrow", "MZ-3001", "MZ-MAPUTO", "/occurred_on"),
            ("1999-12-31", "MZ-3001", "MZ-MAPUTO", "/occurred_on"),
            ("2026-11-01", "MA-2001", "MZ-MAPUTO", "/member/identifiers"),
            ("2026-11-01", "MZ-3001", "MA-ATLAS", "/provider/identifiers"),
        ] {
            let problem = pack
                .documents(&mut message(day, member, provider))
                .unwrap_err();
            assert_eq!(problem.pointer, pointer, "{day} {member} {provider}");
        }
    }
}
