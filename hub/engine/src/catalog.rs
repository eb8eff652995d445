//! The documents that decisions go by, held in memory: participants, plans, tariffs, in all their versions.

use std::collections::HashMap;
use std::sync::Arc;

use takmil_domain::code_map::CodeMap;
use takmil_domain::date::Date;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::{ParticipantId, PlanId, TariffId};
use takmil_domain::local_map::LocalMap;
use takmil_domain::participant::{AnswerMode, Contract, EligibilitySource, Participant, Role};
use takmil_domain::plan::{BasePlan, FiledPlan, Regulation};
use takmil_domain::tariff::Tariff;
use takmil_store::{Catalogue, Revision, Store, StoreError};

/// All documents of one moment. Never changed: a change makes a new catalog, and what is being decided goes by the old one.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The store's revision that this catalog shows.
    pub revision: i64,
    participants: HashMap<ParticipantId, Arc<Participant>>,
    plans: HashMap<PlanId, Vec<Arc<FiledPlan>>>,
    base_plans: HashMap<PlanId, Vec<Arc<BasePlan>>>,
    tariffs: HashMap<TariffId, Vec<Arc<Tariff>>>,
    contracts: HashMap<(ParticipantId, ParticipantId), Vec<Arc<Tariff>>>,
    exchange: Vec<ExchangeRate>,
    regulations: Vec<Regulation>,
    code_maps: HashMap<ParticipantId, Arc<CodeMap>>,
    local_map: LocalMap,
}

impl Catalog {
    /// The catalog of what the store holds.
    pub fn new(held: Catalogue) -> Catalog {
        let Catalogue {
            revision,
            participants,
            plans,
            base_plans,
            tariffs,
            exchange,
            regulations,
            code_maps,
            judged,
        } = held;
        let judged = judged.into_iter();
        let mut catalog = Catalog {
            revision: revision.0,
            exchange,
            regulations,
            local_map: LocalMap::new(judged.map(|own| (own.version, own.judgement))),
            ..Catalog::default()
        };
        // In the order of their versions: the last one counts.
        for map in code_maps {
            let insurer = map.insurer.clone();
            catalog.code_maps.insert(insurer, Arc::new(map));
        }
        for participant in participants {
            catalog
                .participants
                .insert(participant.id.clone(), Arc::new(participant));
        }
        for plan in plans {
            catalog
                .plans
                .entry(plan.id.clone())
                .or_default()
                .push(Arc::new(plan.into()));
        }
        for plan in base_plans {
            catalog
                .base_plans
                .entry(plan.id.clone())
                .or_default()
                .push(Arc::new(plan));
        }
        for tariff in tariffs {
            let tariff = Arc::new(tariff);
            let document = tariff.document();
            if let Some(contract) = &document.contract {
                let parties = (contract.provider.clone(), contract.insurer.clone());
                catalog
                    .contracts
                    .entry(parties)
                    .or_default()
                    .push(Arc::clone(&tariff));
            }
            catalog
                .tariffs
                .entry(document.id.clone())
                .or_default()
                .push(tariff);
        }
        catalog
    }

    /// A participant.
    pub fn participant(&self, id: &ParticipantId) -> Option<&Arc<Participant>> {
        self.participants.get(id)
    }

    /// What an insurer has agreed with the hub.
    pub fn contract(&self, insurer: &ParticipantId) -> Option<&Contract> {
        self.participants.get(insurer)?.contract.as_ref()
    }

    /// Whether an insurer wants to be asked before the hub decides.
    pub fn is_asked(&self, insurer: &ParticipantId) -> bool {
        self.contract(insurer)
            .is_some_and(|contract| contract.mode != AnswerMode::Delegated)
    }

    /// Whether an insurer wants to be asked whether a member is covered.
    pub fn is_live(&self, insurer: &ParticipantId) -> bool {
        let contract = self.contract(insurer);
        let is_live = contract.is_some_and(|own| own.eligibility == EligibilitySource::Live);
        is_live && self.is_asked(insurer)
    }

    /// Everybody to whom the hub delivers what it owes.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<Participant>> {
        let all = self.participants.values();
        all.filter(|participant| participant.listens().is_some())
    }

    /// Every insurer.
    pub fn insurers(&self) -> impl Iterator<Item = &Arc<Participant>> {
        self.participants
            .values()
            .filter(|participant| participant.role == Role::Insurer)
    }

    /// The central register, where there is one that listens: the first by name.
    pub fn register(&self) -> Option<&Arc<Participant>> {
        let all = self.participants.values();
        let listening = all.filter(|own| own.role == Role::Register && own.callback.is_some());
        listening.min_by(|one, other| one.id.cmp(&other.id))
    }

    /// Whether an insurer's policies, endorsements and claims are registered.
    pub fn registers(&self, insurer: &ParticipantId) -> bool {
        self.contract(insurer).is_some_and(|own| own.registers)
    }

    /// The rates of exchange.
    pub fn exchange(&self) -> &[ExchangeRate] {
        &self.exchange
    }

    /// The latest version of each of the regulator's rules on plans.
    pub fn regulations(&self) -> impl Iterator<Item = &Regulation> {
        let is_latest = |own: &&Regulation| {
            let mut others = self.regulations.iter();
            !others.any(|other| other.id == own.id && other.version > own.version)
        };
        self.regulations.iter().filter(is_latest)
    }

    /// An insurer's own codes, in the version in force.
    pub fn code_map(&self, insurer: &ParticipantId) -> Option<&Arc<CodeMap>> {
        self.code_maps.get(insurer)
    }

    /// What is judged of codes that no table knows.
    pub fn local_map(&self) -> &LocalMap {
        &self.local_map
    }

    /// Every version of a plan, in their order.
    pub fn plan_versions(&self, id: &PlanId) -> &[Arc<FiledPlan>] {
        self.plans.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every participant.
    pub fn participants(&self) -> impl Iterator<Item = &Arc<Participant>> {
        self.participants.values()
    }

    /// The version of a plan that is in force on a day: the highest of those whose period holds it.
    pub fn plan_on(&self, id: &PlanId, day: Date) -> Option<&Arc<FiledPlan>> {
        let versions = self.plans.get(id)?.iter();
        versions
            .filter(|plan| plan.covers_date(day))
            .max_by_key(|plan| plan.version)
    }

    /// One version of a plan.
    pub fn plan(&self, id: &PlanId, version: u32) -> Option<&Arc<FiledPlan>> {
        self.plans
            .get(id)?
            .iter()
            .find(|plan| plan.version == version)
    }

    /// The version of a base plan that is in force on a day.
    pub fn base_plan_on(&self, id: &PlanId, day: Date) -> Option<&Arc<BasePlan>> {
        let in_force =
            |plan: &&Arc<BasePlan>| plan.from <= day && plan.to.is_none_or(|to| day <= to);
        self.base_plans
            .get(id)?
            .iter()
            .filter(in_force)
            .max_by_key(|plan| plan.version)
    }

    /// One version of a base plan.
    pub fn base_plan(&self, id: &PlanId, version: u32) -> Option<&Arc<BasePlan>> {
        self.base_plans
            .get(id)?
            .iter()
            .find(|plan| plan.version == version)
    }

    /// The version of a tariff that is in force on a day.
    pub fn tariff_on(&self, id: &TariffId, day: Date) -> Option<&Arc<Tariff>> {
        latest(self.tariffs.get(id)?, day)
    }

    /// One version of a tariff.
    pub fn tariff(&self, id: &TariffId, version: u32) -> Option<&Arc<Tariff>> {
        self.tariffs
            .get(id)?
            .iter()
            .find(|tariff| tariff.document().version == version)
    }

    /// The price list that a provider has with an insurer on a day.
    pub fn agreed_tariff_on(
        &self,
        provider: &ParticipantId,
        insurer: &ParticipantId,
        day: Date,
    ) -> Option<&Arc<Tariff>> {
        latest(
            self.contracts.get(&(provider.clone(), insurer.clone()))?,
            day,
        )
    }
}

fn latest(versions: &[Arc<Tariff>], day: Date) -> Option<&Arc<Tariff>> {
    let in_force = versions.iter().filter(|tariff| tariff.covers_date(day));
    in_force.max_by_key(|tariff| tariff.document().version)
}

/// The catalog as the store has it; `None` where it has not changed since `held`.
pub(crate) async fn load(store: &Store, held: Option<i64>) -> Result<Option<Catalog>, StoreError> {
    if held.is_some() && held == Some(store.revision().await?.0) {
        return Ok(None);
    }
    let held = store.catalogue(Revision::default()).await?;
    Ok(Some(Catalog::new(held)))
}
