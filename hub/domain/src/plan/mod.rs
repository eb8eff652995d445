//! What an insurer promises, as data: a plan of benefits, exclusions and limits, with its dates and version.

mod base;
mod benefit;
mod codes;
mod faults;
mod filed;
mod limit;
mod regulation;
pub(crate) mod sets;

pub use base::{BasePlan, BaseRate};
pub use benefit::{AuthorisationRule, Benefit, Exception, Exclusion, Tier, TierTerms, Waiver};
pub use codes::{CodeGroup, Group, GroupName, MOST_DEPTH};
pub use filed::FiledPlan;
pub use limit::{Limit, LimitKind, LimitOwner, LimitPer, LimitUnit};
pub use regulation::{Breach, Regulation, Requirement};

use serde::{Deserialize, Serialize};

use crate::clinical::Terms;
use crate::date::{Calendar, Date};
use crate::ids::{LimitCode, ParticipantId, PlanId, TariffId};
use crate::money::{Amount, Currency, Rate, round_half_up};

/// A version of an insurer's plan. Amounts are in the plan's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plan over all its versions.
    pub id: PlanId,
    /// Counts up from 1.
    pub version: u32,
    /// Whose plan it is.
    pub insurer: ParticipantId,
    /// The name people know it by.
    pub title: String,
    /// The currency of every amount in it.
    pub currency: Currency,
    /// For services from this day.
    pub from: Date,
    /// To this day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// The calendar that months and years are counted in.
    #[serde(default)]
    pub calendar: Calendar,
    /// When a yearly limit starts anew.
    #[serde(default)]
    pub year: YearStart,
    /// How franchise and base share meet.
    #[serde(default)]
    pub mode: Mode,
    /// How much it pays after an earlier supplementary insurer.
    #[serde(default)]
    pub coordination: Coordination,
    /// To what its payments are rounded.
    #[serde(default, skip_serializing_if = "Rounding::is_plain")]
    pub rounding: Rounding,
    /// The tariff it recognises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<TariffId>,
    /// Groups of services and diagnoses that the rest is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// What it pays for. A service goes to the benefit with the longest matching code; the earlier one on a tie.
    pub benefits: Vec<Benefit>,
    /// What it does not pay for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<Exclusion>,
    /// Ceilings, deductibles and out-of-pocket maxima.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// To which age a relation is covered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub age_out: Vec<AgeOut>,
    /// What it pays of procedures that are done together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub procedures: Vec<ProcedureRule>,
    /// What it makes of the clinical rules' findings.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub clinical: Terms,
}

fn is_usual(terms: &Terms) -> bool {
    *terms == Terms::default()
}

/// When a yearly limit starts anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YearStart {
    /// On the anniversary of the policy's start.
    #[default]
    Cover,
    /// On the first day of the calendar's year.
    Calendar,
}

/// How franchise and base share meet (step 11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The base share pays the franchise off first: `A − max(F, B)`.
    #[default]
    Offset,
    /// No franchise where the base insurer pays: `A − B`, else `A − F`.
    Waive,
    /// Both are taken off: `A − B − F`, not below 0.
    Additive,
}

/// How much a later supplementary insurer pays (step 14).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coordination {
    /// Up to what is still open of the allowed amount.
    #[default]
    Standard,
    /// Only what it would pay beyond what earlier insurers paid.
    CarveOut,
}

/// To what a payment is rounded, once per payer and line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// To a multiple of this, in smallest units.
    pub to: Amount,
    /// Which way.
    #[serde(default)]
    pub way: RoundingWay,
}

impl Default for Rounding {
    fn default() -> Rounding {
        Rounding {
            to: Amount::ONE,
            way: RoundingWay::HalfUp,
        }
    }
}

impl Rounding {
    fn is_plain(&self) -> bool {
        *self == Rounding::default()
    }

    /// Rounds an amount that is not below zero, given as a fraction.
    pub fn round(self, numerator: i128, denominator: i128) -> Amount {
        let to = i128::from(self.to.get().max(1));
        let whole = denominator.max(1).saturating_mul(to);
        let multiples = match self.way {
            RoundingWay::HalfUp => round_half_up(numerator, whole),
            RoundingWay::Down => round_half_up(numerator.div_euclid(whole), 1),
            RoundingWay::Up => {
                round_half_up(numerator.saturating_add(whole - 1).div_euclid(whole), 1)
            }
        };
        multiples.times(to)
    }
}

/// Which way is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundingWay {
    /// To the nearest, halves up.
    #[default]
    HalfUp,
    /// Never more than computed.
    Down,
    /// Never less than computed.
    Up,
}

/// What is paid of procedures of which several are done on one day, by their rank in price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcedureRule {
    /// The procedures.
    pub codes: Vec<CodeGroup>,
    /// What of the price is recognised for the dearest, the next, and so on; the last for all that follow. One that
    /// is done on both sides counts as two.
    pub ranks: Vec<Rate>,
}

/// To which age a relation is covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgeOut {
    /// The relation to the principal.
    pub relationship: Relationship,
    /// Covered while younger than this, in full years.
    pub age: u32,
}

/// A member's relation to the principal of the account.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// The principal.
    #[default]
    Principal,
    /// Wife or husband.
    Spouse,
    /// A son.
    Son,
    /// A daughter.
    Daughter,
    /// A child who studies.
    Student,
    /// Father or mother.
    Parent,
    /// Another dependant.
    Other,
}

impl Plan {
    /// Whether the version is in force on `date`.
    pub fn covers_date(&self, date: Date) -> bool {
        self.from <= date && self.to.is_none_or(|to| date <= to)
    }

    /// How specifically a code is among others, or `None` where it is not.
    pub fn longest(&self, codes: &[CodeGroup], system: &str, code: &str) -> Option<usize> {
        let lengths = codes
            .iter()
            .filter_map(|group| group.matches(system, code, &self.groups));
        lengths.max()
    }

    /// The limit of a code.
    pub fn limit(&self, id: &LimitCode) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.id == *id)
    }

    /// The limits that the services of a benefit use, by their places in the plan.
    pub fn limits_of(&self, benefit: &Benefit) -> impl Iterator<Item = usize> {
        let place = |id: &LimitCode| self.limits.iter().position(|limit| limit.id == *id);
        let mut named = vec![false; self.limits.len()];
        for id in &benefit.limits {
            let mut inner = place(id);
            // What holds a limit that is used is used with it.
            while let Some(at) = inner
                && let (Some(named), Some(limit)) = (named.get_mut(at), self.limits.get(at))
                && !*named
            {
                *named = true;
                inner = limit.within.as_ref().and_then(place);
            }
        }
        let limits = self.limits.iter().zip(named).enumerate();
        limits.filter_map(|(at, (limit, is_named))| {
            let is_used = match limit.kind {
                LimitKind::Deductible => benefit.deductible,
                LimitKind::OutOfPocket => true,
                LimitKind::Ceiling | LimitKind::Copay | LimitKind::LeastShare => is_named,
            };
            is_used.then_some(at)
        })
    }

    /// Whether a limit is used with another one: is it, or holds it.
    pub fn holds(&self, limit: &Limit, used: &LimitCode) -> bool {
        let mut inner = self.limit(used);
        // No deeper than there are limits, whatever they say of each other.
        for _ in &self.limits {
            match inner {
                Some(own) if own.id == limit.id => return true,
                Some(own) => inner = own.within.as_ref().and_then(|id| self.limit(id)),
                None => return false,
            }
        }
        false
    }
}
