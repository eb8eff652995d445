//! The form of case files, and of what is told of each case: short names of their own, for tests of any hub.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use takmil_domain::date::Date;
use takmil_domain::ids::{BenefitId, LimitCode, ParticipantId};
use takmil_domain::money::{Amount, Currency, Quantity, Rate};
use takmil_domain::plan::{Coordination, LimitPer, LimitUnit, Mode};

/// One case of a case file.
#[derive(Deserialize)]
pub(crate) struct CaseFile {
    pub(super) case: String,
    pub(super) currency: Currency,
    pub(super) member: CaseMember,
    pub(super) base: CaseBase,
    pub(super) insurers: Vec<CaseInsurer>,
    pub(super) lines: Vec<CaseLine>,
}

#[derive(Deserialize)]
pub(super) struct CaseMember {
    pub(super) birth_date: Date,
    pub(super) sex: String,
    pub(super) covers: BTreeMap<ParticipantId, CaseCover>,
}

#[derive(Deserialize)]
pub(super) struct CaseCover {
    pub(super) start: Date,
    pub(super) end: Date,
    pub(super) suspended: bool,
    pub(super) prior_cover: bool,
}

#[derive(Deserialize)]
pub(super) struct CaseBase {
    pub(super) used: bool,
    pub(super) rate: Rate,
    pub(super) tariff: BTreeMap<String, Amount>,
}

#[derive(Deserialize)]
pub(super) struct CaseInsurer {
    pub(super) id: ParticipantId,
    pub(super) cob: Coordination,
    pub(super) plan: CasePlan,
}

#[derive(Deserialize)]
pub(super) struct CasePlan {
    pub(super) mode: Mode,
    pub(super) benefits: Vec<CaseBenefit>,
    pub(super) exclusions: Vec<CaseExclusion>,
    pub(super) prices: BTreeMap<String, CasePrice>,
    pub(super) deductible_left: i64,
    pub(super) oop_left: Option<i64>,
    pub(super) limits: Vec<CaseLimit>,
}

#[derive(Deserialize)]
pub(super) struct CaseBenefit {
    pub(super) id: BenefitId,
    pub(super) codes: Vec<String>,
    pub(super) rate: Rate,
    pub(super) copay: Amount,
    pub(super) deductible: bool,
    pub(super) waiting_months: u32,
    pub(super) waiver_prior_cover: bool,
    pub(super) authorisation: CaseRule,
    pub(super) penalty_rate: Rate,
    pub(super) max_quantity: Option<u32>,
    pub(super) age_min: u32,
    pub(super) age_max: u32,
    pub(super) sex: Option<String>,
    pub(super) limits: Vec<LimitCode>,
}

/// What happens without a pre-authorisation.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaseRule {
    None,
    Refuse,
    Penalty,
}

#[derive(Deserialize)]
pub(super) struct CaseExclusion {
    pub(super) codes: Vec<String>,
    pub(super) unless: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CasePrice {
    pub(super) contract: Option<Amount>,
    pub(super) tariff: Option<Amount>,
}

#[derive(Deserialize)]
pub(super) struct CaseLimit {
    pub(super) id: LimitCode,
    pub(super) unit: LimitUnit,
    pub(super) per: LimitPer,
    pub(super) ceiling: i64,
    pub(super) left: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct CaseLine {
    pub(super) seq: u32,
    pub(super) code: String,
    pub(super) date: Date,
    pub(super) quantity: Quantity,
    pub(super) unit_price: Amount,
    pub(super) in_network: bool,
    pub(super) base_paid: Option<Amount>,
    pub(super) reference_price: Option<Amount>,
    #[serde(default)]
    pub(super) substitution_refused: bool,
    pub(super) authorisation: Option<CaseAuthorisation>,
    pub(super) circumstance: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CaseAuthorisation {
    pub(super) quantity: Option<Quantity>,
    pub(super) amount: Option<Amount>,
}

/// What came out of a case, in the shape of the case file's `expected`.
#[derive(Serialize)]
pub(crate) struct CaseResult {
    pub(super) case: String,
    pub(super) lines: Vec<CaseLineResult>,
    pub(super) left: BTreeMap<ParticipantId, CaseLeft>,
}

#[derive(Serialize)]
pub(super) struct CaseLineResult {
    pub(super) seq: u32,
    pub(super) allowed: Amount,
    pub(super) written_off: Amount,
    pub(super) base: Amount,
    pub(super) supplementary: BTreeMap<ParticipantId, Amount>,
    pub(super) member: Amount,
    pub(super) refused: BTreeMap<ParticipantId, &'static str>,
    pub(super) reasons: BTreeMap<ParticipantId, Vec<&'static str>>,
}

#[derive(Serialize)]
pub(super) struct CaseLeft {
    pub(super) limits: BTreeMap<String, i64>,
    pub(super) deductible_left: i64,
    pub(super) oop_left: Option<i64>,
}
