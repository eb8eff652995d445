//! The sample insurers: servers of their own on real sockets, whom the hub reaches as it reaches any insurer.
//! Those that are consulted speak gRPC, the others take signed webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use takmil_conformance::insurer::{HubClient, Setup, Simulator, Wire};
use takmil_conformance::tls::Authority;
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::{AnswerMode, Endpoint, Participant, Transport};
use takmil_mappings::packs::PACKS;

use super::folder::Folder;
use crate::cli::Fatal;

/// How servers on this machine are called.
pub(super) const LOCAL_NAMES: &[&str] = &["127.0.0.1", "localhost"];

/// One sample insurer.
pub(super) struct SampleInsurer {
    /// How the hub answers for it.
    pub(super) mode: AnswerMode,
    /// Where the hub reaches it.
    pub(super) endpoint: Endpoint,
    /// The server.
    pub(super) simulator: Simulator,
}

/// All sample insurers, by their ids at the hub.
#[derive(Default)]
pub(super) struct Insurers(BTreeMap<ParticipantId, SampleInsurer>);

impl Insurers {
    /// Starts the supplementary insurers of all country packs.
    pub(super) async fn start(authority: &Authority) -> Result<Insurers, Fatal> {
        let mut insurers = Insurers::default();
        for pack in PACKS {
            let plans = pack.plans()?;
            let supplementary: BTreeSet<&ParticipantId> =
                plans.iter().map(|plan| &plan.insurer).collect();
            for participant in pack.participants()? {
                if supplementary.contains(&participant.id) {
                    insurers.add(&participant, authority).await?;
                }
            }
        }
        Ok(insurers)
    }

    /// Starts a server for an insurer.
    pub(super) async fn add(
        &mut self,
        participant: &Participant,
        authority: &Authority,
    ) -> Result<(), Fatal> {
        let Some(contract) = &participant.contract else {
            return Ok(());
        };
        let (transport, secret) = match contract.mode {
            AnswerMode::Consulted => (Transport::Grpc, None),
            AnswerMode::Delegated | AnswerMode::StandIn => (Transport::Rest, Some(fresh_secret())),
        };
        let wire = match &secret {
            None => Wire::Grpc,
            Some(secret) => Wire::Rest {
                secret: secret.clone(),
            },
        };
        let setup = Setup {
            identity: Some(authority.issue(LOCAL_NAMES)?),
            ..Setup::new(participant.id.as_str(), wire)
        };
        let simulator = Simulator::start(setup).await?;
        let insurer = SampleInsurer {
            mode: contract.mode,
            endpoint: Endpoint {
                transport,
                url: simulator.url(),
                ca_pem: Some(authority.certificate_pem().to_owned()),
                secret,
                former: None,
            },
            simulator,
        };
        self.0.insert(participant.id.clone(), insurer);
        Ok(())
    }

    /// One of them.
    pub(super) fn get(&self, id: &ParticipantId) -> Option<&SampleInsurer> {
        self.0.get(id)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ParticipantId, &SampleInsurer)> {
        self.0.iter()
    }

    /// The participant with the address of its server, where it is one of them.
    pub(super) fn reachable(&self, mut participant: Participant) -> Participant {
        let endpoint = self.get(&participant.id).map(|own| own.endpoint.clone());
        if let Some(contract) = &mut participant.contract {
            contract.endpoint = endpoint.or(contract.endpoint.take());
        }
        participant
    }

    /// Gives an insurer a way to the hub: it decides what comes for review.
    pub(super) fn report_to(&self, id: &ParticipantId, hub: HubClient) {
        if let Some(own) = self.get(id) {
            own.simulator.report_to(hub);
        }
    }

    /// The ids of every delivery that one of them has.
    pub(super) fn received(&self) -> HashSet<String> {
        let all = self
            .iter()
            .flat_map(|(_, insurer)| insurer.simulator.received());
        all.map(|delivery| delivery.delivery_id).collect()
    }

    /// Writes down what each was given.
    pub(super) fn keep_deliveries(&self, folder: &Folder) -> Result<(), Fatal> {
        for (id, insurer) in self.iter() {
            folder.keep_deliveries(id, &insurer.simulator.received())?;
        }
        Ok(())
    }
}

/// A secret to sign webhooks with.
fn fresh_secret() -> String {
    let bits: [u8; 24] = rand::random();
    format!("whsec_{}", STANDARD.encode(bits))
}
