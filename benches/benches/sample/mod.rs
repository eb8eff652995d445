//! The plan and the services that are decided on, again and again: a shipped plan with a base insurer behind it.

use takmil_domain::bill::EncounterClass;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::Date;
use takmil_domain::ids::{AccountId, MemberId, TariffId};
use takmil_domain::money::Amount;
use takmil_domain::party::{InsurerRole, Sector, Sex};
use takmil_domain::plan::{BasePlan, FiledPlan, Relationship, Tier};
use takmil_domain::share::{BillLine, Case, CoverTerms};
use takmil_domain::tariff::Tariff;
use takmil_mappings::packs::pack;
use takmil_mappings::systems::{HCPCS, RXNORM, SYNTHETIC_RVU};
use uuid::Uuid;

/// System, code, and about what is asked.
pub(crate) type Service = (&'static str, &'static str, i64);

/// Services with what is asked for them, one for every benefit that has a limit and one that has none. Together
/// they touch ten limits: of the member and of the family, in money and in pieces.
pub(crate) const SERVICES: &[Service] = &[
    (SYNTHETIC_RVU, "ZS1020", 22_000_000),
    (SYNTHETIC_RVU, "ZH8010", 4_000_000),
    (SYNTHETIC_RVU, "ZS2010", 31_000_000),
    (SYNTHETIC_RVU, "ZV0010", 950_000),
    (SYNTHETIC_RVU, "ZI3030", 2_100_000),
    (SYNTHETIC_RVU, "ZL4010", 430_000),
    (SYNTHETIC_RVU, "ZD5020", 3_600_000),
    (SYNTHETIC_RVU, "ZT7110", 5_200_000),
    (HCPCS, "V2020", 6_000_000),
    (RXNORM, "6809", 270_000),
];

/// What a bill is decided by.
pub(crate) struct Terms {
    pub(crate) plan: FiledPlan,
    base: BasePlan,
    tariffs: Vec<Tariff>,
}

impl Terms {
    /// Those of a plan of the Iranian pack.
    pub(crate) fn shipped() -> Terms {
        let pack = pack("ir").expect("the pack is shipped");
        let plans = pack.plans().expect("its plans are shipped").into_iter();
        let plan = plans
            .into_iter()
            .find(|own| own.id.as_str() == "ir-omid-gold");
        let base = pack.base_plans().expect("its base plans are shipped");
        Terms {
            plan: plan.expect("the plan is shipped").into(),
            base: base.into_iter().next().expect("it has a base plan"),
            tariffs: pack.tariffs().expect("its tariffs are shipped"),
        }
    }

    /// A member's cover by the plan.
    pub(crate) fn cover(&self, account: u64, member: u64) -> Cover {
        Cover {
            account: AccountId(Uuid::from_u128(account.into())),
            member: MemberId(Uuid::from_u128(member.into())),
            insurer: self.plan.insurer.clone(),
            role: InsurerRole::Supplementary,
            order: 1,
            relationship: Relationship::Principal,
            plan: self.plan.id.clone(),
            start: day("2026-03-21"),
            end: None,
            suspended: false,
            prior_cover: true,
            group_size: Some(1_200),
            principal_born: None,
        }
    }

    /// A bill before the plan.
    pub(crate) fn case<'a>(
        &'a self,
        cover: &'a Cover,
        visit: &'a str,
        lines: Vec<BillLine<'a>>,
    ) -> Case<'a> {
        let tariff = |id: &TariffId| self.tariffs.iter().find(|own| own.document().id == *id);
        Case {
            currency: self.plan.currency,
            person: Person {
                birth_date: Date::parse("1984-11-02"),
                sex: Some(Sex::Female),
            },
            visit,
            class: Some(EncounterClass::Inpatient),
            sector: Some(Sector::Private),
            base: tariff(&self.base.tariff).map(|tariff| (&self.base, tariff)),
            accident: false,
            diagnoses: Vec::new(),
            asks_leave: false,
            covers: vec![CoverTerms {
                cover,
                plan: &self.plan,
                tariff: self.plan.tariff.as_ref().and_then(tariff),
                contract: None,
                said: None,
                refused: &[],
            }],
            lines,
        }
    }
}

/// A line of a bill: a service, once.
pub(crate) fn line(seq: u32, (system, code, billed): Service, date: Date) -> BillLine<'static> {
    BillLine {
        network: vec![Tier::FIRST],
        ..BillLine::new(seq, (system, code), date, Amount::new(billed))
    }
}

pub(crate) fn day(text: &str) -> Date {
    Date::parse(text).expect("it is a day")
}
