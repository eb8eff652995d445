//! What a plan pays for, on which terms, and what it does not pay for.

use serde::{Deserialize, Serialize};

use super::CodeGroup;
use crate::bill::EncounterClass;
use crate::ids::{BenefitId, LimitCode};
use crate::money::{Amount, Quantity, Rate};
use crate::party::Sex;

/// What a plan pays for a group of services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benefit {
    /// The benefit within the plan.
    pub id: BenefitId,
    /// The name people know it by.
    pub title: String,
    /// The services.
    pub codes: Vec<CodeGroup>,
    /// The member's rate of the allowed amount.
    #[serde(default = "no_rate")]
    pub rate: Rate,
    /// The member's fixed part of a line.
    #[serde(default)]
    pub copay: Amount,
    /// Other terms by the provider's standing in the network; these hold for standings that are not named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierTerms>,
    /// Whether the plan's deductibles apply.
    #[serde(default)]
    pub deductible: bool,
    /// Months of cover before the benefit opens.
    #[serde(default)]
    pub waiting_months: u32,
    /// When the wait is waived.
    #[serde(default)]
    pub waiver: Waiver,
    /// Whether a pre-authorisation is needed.
    #[serde(default)]
    pub authorisation: AuthorisationRule,
    /// Lines that ask no more than this need none.
    #[serde(default, skip_serializing_if = "Amount::is_zero")]
    pub authorisation_over: Amount,
    /// The most of one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_quantity: Option<Quantity>,
    /// From this age in full years on the service date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_min: Option<u32>,
    /// To this age, the year of it included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_max: Option<u32>,
    /// For one sex alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// In these classes of encounter alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<EncounterClass>,
    /// For bills that name one of these diagnoses alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<CodeGroup>,
    /// The limits that its services use, all together or none. Deductibles and out-of-pocket maxima are not among
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitCode>,
}

fn no_rate() -> Rate {
    Rate::ZERO
}

/// Terms of a benefit at providers of one standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierTerms {
    /// The standing.
    pub tier: Tier,
    /// The member's rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The member's fixed part of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copay: Option<Amount>,
    /// Whether the benefit is refused there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// A provider's standing in an insurer's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// It has no contract with the insurer.
    Outside,
    /// It is in the network, in this tier: 1 is the insurer's first choice.
    #[serde(untagged)]
    Inside(u8),
}

impl Tier {
    /// What a provider is in whose contract names no tier.
    pub const FIRST: Tier = Tier::Inside(1);

    /// Whether the provider is in the network.
    pub fn is_inside(self) -> bool {
        self != Tier::Outside
    }
}

/// When a waiting period is waived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Where the member comes from another supplementary cover without a gap.
    #[serde(default)]
    pub prior_cover: bool,
    /// For groups of more members than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_over: Option<u32>,
}

/// Whether a benefit needs a pre-authorisation, and what happens without one (step 6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "without", deny_unknown_fields)]
pub enum AuthorisationRule {
    /// None is needed.
    #[default]
    Pay,
    /// The line is refused.
    Refuse,
    /// The line waits for the insurer.
    Pend,
    /// The member's rate is at least this.
    Penalty {
        /// The rate.
        rate: Rate,
    },
}

/// What a plan does not pay for: services, or all that is done for a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The name people know it by.
    pub title: String,
    /// The services.
    pub codes: Vec<CodeGroup>,
    /// For bills that name one of these diagnoses alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<CodeGroup>,
    /// What lifts it: any of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Exception>,
}

/// What lifts an exclusion: all that it names holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The line states this circumstance, as "accident" or "therapeutic".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circumstance: Option<String>,
    /// The member is at least so old, in full years on the service date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_min: Option<u32>,
    /// The member is at most so old, the year of it included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_max: Option<u32>,
    /// The bill names one of these diagnoses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<CodeGroup>,
}
