//! What a decision rests on, frozen when its message was taken: kept with it, so that it can be derived again.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use takmil_domain::bill::{Bill, EncounterClass};
use takmil_domain::clinical::{Order, Terms};
use takmil_domain::coverage::{Cover, PayingOrder, Person};
use takmil_domain::date::Date;
use takmil_domain::decision::Basis as PlanVersion;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::{MemberId, MessageId, ParticipantId, PlanId, TariffId};
use takmil_domain::message::{Head, Kind};
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::participant::{CoverStatement, Network};
use takmil_domain::party::{InsurerRole, Sector};
use takmil_domain::plan::Tier;
use takmil_domain::share::{
    AuthorisedLine, Case, CoverTerms, InsurerSays, LineTerms, RefusedLines, bill_diagnoses,
    bill_lines,
};

use crate::catalog::Catalog;

/// The clinical terms where no plan says any.
static USUAL: LazyLock<Terms> = LazyLock::new(Terms::default);

/// Everything beside the message itself and the remainders that its decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The day that stands in where the message names none.
    pub day: Date,
    /// The member, where recognised.
    pub member: Option<MemberId>,
    /// What the rules know of the member.
    pub person: Person,
    /// The key that all bills of one visit share.
    pub visit: String,
    /// How the member is treated.
    pub class: Option<EncounterClass>,
    /// Who owns the facility.
    pub sector: Option<Sector>,
    /// The base insurer's documents, where base insurance is used.
    pub base: Option<BaseBasis>,
    /// The supplementary covers, in the order in which they pay.
    pub covers: Vec<CoverBasis>,
    /// The rate by which the bill's amounts are converted, where it is in another currency than the first plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeRate>,
    /// The pre-authorisations that lines go by.
    pub authorised: Vec<AuthorisedBasis>,
    /// The earlier messages whose reservations this one uses.
    pub uses: Vec<MessageId>,
    /// Those of them that keep what this one leaves of their reservations: authorisations of more than it bills.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<MessageId>,
    /// What insurers have said so far.
    pub said: Vec<Said>,
    /// What they have said of the member's covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stated: Vec<StatedCover>,
    /// The dates of the prescription that is filled.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub order: Order,
    /// The lines that the plans' clinical terms refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedLines>,
}

fn is_unknown(order: &Order) -> bool {
    *order == Order::default()
}

/// The base insurer's documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseBasis {
    /// The base insurer.
    pub insurer: ParticipantId,
    /// Its plan.
    pub plan: PlanId,
    /// Which version of it.
    pub version: u32,
    /// Its tariff.
    pub tariff: TariffId,
    /// Which version of it.
    pub tariff_version: u32,
    /// What it said of its part, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<BaseSaid>,
}

/// What a base insurer that was asked said of its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseSaid {
    /// What it pays of each line that the message itself says nothing of, subsidies left out. None where it said nothing
    /// that can be used: then its part is computed.
    pub lines: Option<Vec<(u32, Amount)>>,
    /// The insurer's reference of it.
    pub reference: Option<String>,
}

/// What an insurer that was asked said of the member's cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedCover {
    /// The insurer.
    pub insurer: ParticipantId,
    /// What; none where it said nothing that can be used: then the cover counts as it was registered.
    pub statement: Option<CoverStatement>,
}

/// A supplementary cover with the versions of its documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverBasis {
    /// The cover.
    pub cover: Cover,
    /// The version of its plan.
    pub version: u32,
    /// The tariff and its version.
    pub tariff: Option<(TariffId, u32)>,
    /// The contract's price list and its version.
    pub contract: Option<(TariffId, u32)>,
    /// How the provider stands in the insurer's network.
    pub tier: Tier,
}

/// What a pre-authorisation allows a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorisedBasis {
    /// The line of this message.
    pub seq: u32,
    /// Whose leave it is.
    pub insurer: ParticipantId,
    /// Its number.
    pub number: String,
    /// Which of the authorised lines.
    pub of: u32,
    /// The most units.
    pub quantity: Option<Quantity>,
    /// The most money.
    pub amount: Option<Amount>,
}

/// What an insurer, or the hub in its place, has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The insurer.
    pub insurer: ParticipantId,
    /// What.
    pub says: InsurerSays,
    /// Whether the hub said it in the insurer's place.
    pub stand_in: bool,
    /// The insurer's reference of it.
    pub reference: Option<String>,
    /// How many of a line it authorises, where that is not what was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<(u32, Quantity)>,
    /// The last day on which that counts, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Date>,
    /// The revision of its word.
    #[serde(default, skip_serializing_if = "is_uncounted")]
    pub revision: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_uncounted(revision: &u32) -> bool {
    *revision == 0
}

/// Where a document that a basis names is not in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version} of {document} is not in the catalog")]
pub struct MissingDocument {
    /// The plan or tariff.
    pub document: String,
    /// Its version.
    pub version: u32,
}

impl Basis {
    /// A basis on which nothing can be paid: the member was not recognised.
    pub fn open(day: Date, visit: String) -> Basis {
        Basis {
            day,
            member: None,
            person: Person::default(),
            visit,
            class: None,
            sector: None,
            base: None,
            covers: Vec::new(),
            exchange: None,
            authorised: Vec::new(),
            uses: Vec::new(),
            keeps: Vec::new(),
            said: Vec::new(),
            stated: Vec::new(),
            order: Order::default(),
            refused: Vec::new(),
        }
    }

    /// Freezes a member's covers with the versions that are in force on `day`.
    ///
    /// A cover whose plan has no version for the day stays out: nothing could be computed from it.
    pub fn cover(
        &mut self,
        covers: &[Cover],
        provider: Option<&ParticipantId>,
        networks: &[Network],
        day: Date,
        catalog: &Catalog,
    ) {
        for cover in in_force(covers, day) {
            match cover.role {
                InsurerRole::Base if self.base.is_none() => {
                    self.base = base_basis(cover, day, catalog)
                }
                InsurerRole::Base => {}
                InsurerRole::Supplementary => self
                    .covers
                    .extend(cover_basis(cover, provider, networks, day, catalog)),
            }
        }
        PayingOrder::default().sort(&mut self.covers, |own| &own.cover);
    }

    /// Freezes the rate of exchange for a bill in another currency than that of the first plan.
    pub fn exchange(&mut self, currency: Option<Currency>, catalog: &Catalog) {
        let plan = self
            .covers
            .first()
            .and_then(|own| catalog.plan(&own.cover.plan, own.version));
        if let (Some(plan), Some(currency)) = (plan, currency) {
            let pair = (currency, plan.currency);
            self.exchange = ExchangeRate::of_day(catalog.exchange(), pair, self.day).cloned();
        }
    }

    /// The currency of the decision on a bill.
    pub fn currency(&self, head: &Head) -> Currency {
        let billed = head.currency.unwrap_or(Currency::NONE);
        self.exchange.as_ref().map_or(billed, |rate| rate.to)
    }

    /// The case of a bill, by the documents of `catalog`.
    ///
    /// # Errors
    /// [`MissingDocument`] where the catalog lacks a version that the basis names.
    pub fn case<'a>(
        &'a self,
        kind: Kind,
        head: &'a Head,
        bill: &'a Bill,
        catalog: &'a Catalog,
    ) -> Result<Case<'a>, MissingDocument> {
        let covers = self
            .covers
            .iter()
            .map(|own| self.terms(own, catalog))
            .collect::<Result<Vec<_>, _>>()?;
        let network: Vec<Tier> = self.covers.iter().map(|own| own.tier).collect();
        let terms = |line: &takmil_domain::bill::Line| {
            let leave = |cover: &CoverBasis| {
                let mut leave = self.authorised.iter();
                let own =
                    leave.find(|own| own.seq == line.seq && own.insurer == cover.cover.insurer)?;
                Some(AuthorisedLine {
                    quantity: own.quantity,
                    amount: own.amount,
                })
            };
            LineTerms {
                network: network.clone(),
                authorised: self.covers.iter().map(leave).collect(),
            }
        };
        let mut case = Case {
            currency: head.currency.unwrap_or(Currency::NONE),
            person: self.person,
            visit: &self.visit,
            class: self.class,
            sector: self.sector,
            base: self
                .base
                .as_ref()
                .map(|own| base_terms(own, catalog))
                .transpose()?,
            accident: bill.accident.is_some(),
            diagnoses: bill_diagnoses(bill),
            asks_leave: kind == Kind::Preauthorization,
            covers,
            lines: bill_lines(bill, head, self.day, terms),
        };
        if let Some(rate) = &self.exchange {
            case.exchange(rate);
        }
        if let Some(base) = &self.base {
            base.tell(&mut case);
        }
        Ok(case)
    }

    /// The clinical terms of each insurer's plan; the usual ones, of nobody, where no plan says any.
    pub(crate) fn clinical_terms<'a>(
        &'a self,
        catalog: &'a Catalog,
    ) -> impl Iterator<Item = (Option<&'a ParticipantId>, &'a Terms)> {
        let of_plan = |own: &'a CoverBasis| {
            let plan = catalog.plan(&own.cover.plan, own.version)?;
            Some((Some(&own.cover.insurer), &plan.clinical))
        };
        let usual = self.covers.is_empty().then(|| (None, &*USUAL));
        self.covers.iter().filter_map(of_plan).chain(usual)
    }

    /// The plan versions, as a decision names them.
    pub fn plan_versions(&self) -> Vec<PlanVersion> {
        let base = self
            .base
            .iter()
            .map(|own| (&own.insurer, &own.plan, own.version));
        let supplementary = self
            .covers
            .iter()
            .map(|own| (&own.cover.insurer, &own.cover.plan, own.version));
        let version = |(insurer, plan, version): (&ParticipantId, &PlanId, u32)| PlanVersion {
            insurer: insurer.clone(),
            plan: plan.clone(),
            version,
        };
        base.chain(supplementary).map(version).collect()
    }

    fn terms<'a>(
        &'a self,
        own: &'a CoverBasis,
        catalog: &'a Catalog,
    ) -> Result<CoverTerms<'a>, MissingDocument> {
        let tariff = |named: &Option<(TariffId, u32)>| {
            let Some((id, version)) = named else {
                return Ok(None);
            };
            let found = catalog.tariff(id, *version).map(AsRef::as_ref);
            found.map(Some).ok_or_else(|| MissingDocument {
                document: id.to_string(),
                version: *version,
            })
        };
        let plan = catalog.plan(&own.cover.plan, own.version);
        Ok(CoverTerms {
            cover: &own.cover,
            plan: plan.ok_or_else(|| MissingDocument {
                document: own.cover.plan.to_string(),
                version: own.version,
            })?,
            tariff: tariff(&own.tariff)?,
            contract: tariff(&own.contract)?,
            said: self
                .said
                .iter()
                .find(|said| said.insurer == own.cover.insurer)
                .map(|said| &said.says),
            refused: RefusedLines::by(&own.cover.insurer, &self.refused),
        })
    }
}

impl BaseBasis {
    /// Puts what the insurer said into the lines of a case; what the message itself says of a line counts before it.
    fn tell<'a>(&'a self, case: &mut Case<'a>) {
        let said = self.said.as_ref().and_then(|said| said.lines.as_ref());
        let Some(said) = said else {
            return;
        };
        for line in case.lines.iter_mut().filter(|own| own.base_paid.is_none()) {
            if let Some((_, amount)) = said.iter().find(|(seq, _)| *seq == line.seq) {
                line.base_paid = Some(*amount);
                line.base_said_by = Some(&self.insurer);
            }
        }
    }
}

/// Of each account's covers (renewals follow each other) the one that holds the day, else the latest.
fn in_force(covers: &[Cover], day: Date) -> Vec<&Cover> {
    let holds = |cover: &Cover| cover.start <= day && cover.end.is_none_or(|end| day <= end);
    let mut chosen: Vec<&Cover> = Vec::with_capacity(covers.len());
    for cover in covers {
        match chosen.iter_mut().find(|known| {
            known.insurer == cover.insurer
                && known.account == cover.account
                && known.role == cover.role
        }) {
            None => chosen.push(cover),
            Some(known) if (holds(cover), cover.start) > (holds(known), known.start) => {
                *known = cover
            }
            Some(_) => {}
        }
    }
    chosen
}

fn base_terms<'a>(
    own: &'a BaseBasis,
    catalog: &'a Catalog,
) -> Result<
    (
        &'a takmil_domain::plan::BasePlan,
        &'a takmil_domain::tariff::Tariff,
    ),
    MissingDocument,
> {
    let plan = catalog.base_plan(&own.plan, own.version);
    let tariff = catalog.tariff(&own.tariff, own.tariff_version);
    Ok((
        plan.ok_or_else(|| MissingDocument {
            document: own.plan.to_string(),
            version: own.version,
        })?,
        tariff.ok_or_else(|| MissingDocument {
            document: own.tariff.to_string(),
            version: own.tariff_version,
        })?,
    ))
}

fn base_basis(cover: &Cover, day: Date, catalog: &Catalog) -> Option<BaseBasis> {
    let in_force = cover.start <= day && cover.end.is_none_or(|end| day <= end) && !cover.suspended;
    let plan = catalog
        .base_plan_on(&cover.plan, day)
        .filter(|_| in_force)?;
    let tariff = catalog.tariff_on(&plan.tariff, day)?.document();
    Some(BaseBasis {
        insurer: cover.insurer.clone(),
        plan: plan.id.clone(),
        version: plan.version,
        tariff: tariff.id.clone(),
        tariff_version: tariff.version,
        said: None,
    })
}

fn cover_basis(
    cover: &Cover,
    provider: Option<&ParticipantId>,
    networks: &[Network],
    day: Date,
    catalog: &Catalog,
) -> Option<CoverBasis> {
    let plan = catalog.plan_on(&cover.plan, day)?;
    let named = |tariff: &std::sync::Arc<takmil_domain::tariff::Tariff>| {
        (tariff.document().id.clone(), tariff.document().version)
    };
    let contract =
        provider.and_then(|provider| catalog.agreed_tariff_on(provider, &cover.insurer, day));
    Some(CoverBasis {
        version: plan.version,
        tariff: plan
            .tariff
            .as_ref()
            .and_then(|id| catalog.tariff_on(id, day))
            .map(named),
        contract: contract.map(named),
        tier: match networks.iter().find(|own| own.insurer == cover.insurer) {
            Some(network) => Tier::Inside(network.tier),
            // Who has a contract's price list with an insurer is in its network.
            None if contract.is_some() => Tier::FIRST,
            None => Tier::Outside,
        },
        cover: cover.clone(),
    })
}
