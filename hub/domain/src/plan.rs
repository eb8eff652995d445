//! What an insurer promises, as data: a plan of benefits, exclusions and limits, with its dates and version.

use serde::{Deserialize, Serialize};

use crate::bill::EncounterClass;
use crate::date::{Calendar, Date};
use crate::ids::{BenefitId, LimitCode, ParticipantId, PlanId, TariffId};
use crate::money::{Amount, Currency, Quantity, Rate};
use crate::party::Sex;

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
    /// The tariff it recognises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<TariffId>,
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
    /// The ceilings that its payments use up, all together or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitCode>,
}

fn no_rate() -> Rate {
    Rate::ZERO
}

/// A group of services: every code of a system (of any, where none is named) that begins so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeGroup {
    /// The system of the common scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How the code begins. Empty for all codes.
    pub prefix: String,
}

impl CodeGroup {
    /// How specific the match is: the length of the prefix, or `None` where it does not match.
    pub fn matches(&self, system: &str, code: &str) -> Option<usize> {
        let same_system = self.system.as_deref().is_none_or(|own| own == system);
        (same_system && code.starts_with(self.prefix.as_str())).then_some(self.prefix.len())
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

/// What a plan does not pay for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The name people know it by.
    pub title: String,
    /// The services.
    pub codes: Vec<CodeGroup>,
    /// The circumstance of a line that lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
}

/// A limit on money, a count or days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The limit over all versions of the plan.
    pub id: LimitCode,
    /// The name people know it by.
    pub title: String,
    /// What it limits.
    #[serde(default)]
    pub kind: LimitKind,
    /// Of what.
    #[serde(default)]
    pub unit: LimitUnit,
    /// Over which stretch.
    #[serde(default)]
    pub per: LimitPer,
    /// Whose it is.
    #[serde(default)]
    pub owner: LimitOwner,
    /// How much: smallest units of the currency, or a number.
    pub ceiling: i64,
}

/// What a limit limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// What the insurer pays.
    #[default]
    Ceiling,
    /// What the member pays before the insurer does.
    Deductible,
    /// What the member pays at most.
    OutOfPocket,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// Money.
    #[default]
    Money,
    /// Units of service; a started unit counts.
    Count,
    /// Days of a stay: the quantity of a line that bills days.
    Days,
}

/// Over which stretch a limit reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPer {
    /// One line. Nothing is remembered of it.
    Item,
    /// One visit or stay.
    Visit,
    /// One day of service.
    Day,
    /// One month of the plan's calendar.
    Month,
    /// One year, as the plan counts them.
    #[default]
    Year,
    /// For ever.
    Lifetime,
}

/// Whose a limit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOwner {
    /// Each member's own.
    #[default]
    Member,
    /// Shared by all members of the account.
    Account,
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

/// What a base insurer pays (step 9), where the message does not carry its actual result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasePlan {
    /// The plan over all its versions.
    pub id: PlanId,
    /// Counts up from 1.
    pub version: u32,
    /// Whose plan it is.
    pub insurer: ParticipantId,
    /// The name people know it by.
    pub title: String,
    /// The currency of its tariff.
    pub currency: Currency,
    /// For services from this day.
    pub from: Date,
    /// To this day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// The tariff that its rates apply to. A service that is not in it is not paid.
    pub tariff: TariffId,
    /// Its rates; the longest matching code wins, then the one that names the class of the encounter, then the earlier.
    pub rates: Vec<BaseRate>,
}

/// The rate that a base insurer pays of its tariff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseRate {
    /// For which services.
    pub codes: CodeGroup,
    /// For one class of encounter alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<EncounterClass>,
    /// The rate.
    pub rate: Rate,
}

impl BasePlan {
    /// The rate for a service in a class of encounter.
    pub fn rate(&self, system: &str, code: &str, class: Option<EncounterClass>) -> Option<Rate> {
        let fits = |row: &BaseRate| row.class.is_none() || row.class == class;
        let specific = |row: &&BaseRate| (row.codes.prefix.len(), row.class.is_some());
        // `max_by_key` keeps the last of equals; the earlier row is to win.
        let matching = self
            .rates
            .iter()
            .rev()
            .filter(|row| fits(row) && row.codes.matches(system, code).is_some());
        matching.max_by_key(specific).map(|row| row.rate)
    }
}

impl Plan {
    /// Whether the version is in force on `date`.
    pub fn covers_date(&self, date: Date) -> bool {
        self.from <= date && self.to.is_none_or(|to| date <= to)
    }

    /// The benefit that a service falls under: the longest matching code, the earlier benefit on a tie.
    pub fn benefit(&self, system: &str, code: &str) -> Option<&Benefit> {
        let mut best: Option<(usize, &Benefit)> = None;
        for benefit in &self.benefits {
            let length = benefit
                .codes
                .iter()
                .filter_map(|group| group.matches(system, code))
                .max();
            if let Some(length) =
                length.filter(|length| best.is_none_or(|(longest, _)| *length > longest))
            {
                best = Some((length, benefit));
            }
        }
        best.map(|(_, benefit)| benefit)
    }

    /// What makes the document useless, each with a JSON pointer into it.
    ///
    /// Checked where a plan enters, so that no admission ever meets it.
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if self.version == 0 {
            faults.push(("/version".to_owned(), "versions count from 1"));
        }
        if self.to.is_some_and(|to| to < self.from) {
            faults.push(("/to".to_owned(), "ends before it begins"));
        }
        for (at, benefit) in self.benefits.iter().enumerate() {
            if self
                .benefits
                .iter()
                .take(at)
                .any(|earlier| earlier.id == benefit.id)
            {
                faults.push((format!("/benefits/{at}/id"), "another benefit has this id"));
            }
            if benefit.copay < Amount::ZERO {
                faults.push((format!("/benefits/{at}/copay"), "below zero"));
            }
            if matches!((benefit.age_min, benefit.age_max), (Some(min), Some(max)) if max < min) {
                faults.push((format!("/benefits/{at}/age_max"), "below the least age"));
            }
            for (place, code) in benefit.limits.iter().enumerate() {
                let pointer = || format!("/benefits/{at}/limits/{place}");
                match self.limits.iter().find(|limit| limit.id == *code) {
                    None => faults.push((pointer(), "the plan has no such limit")),
                    Some(limit) if limit.kind != LimitKind::Ceiling => {
                        faults.push((
                            pointer(),
                            "deductibles and out-of-pocket maxima apply by themselves",
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        for (at, limit) in self.limits.iter().enumerate() {
            if self
                .limits
                .iter()
                .take(at)
                .any(|earlier| earlier.id == limit.id)
            {
                faults.push((format!("/limits/{at}/id"), "another limit has this id"));
            }
            if !(0..=Amount::MAX.get()).contains(&limit.ceiling) {
                faults.push((format!("/limits/{at}/ceiling"), "outside any real ceiling"));
            }
            if limit.kind != LimitKind::Ceiling && limit.unit != LimitUnit::Money {
                faults.push((
                    format!("/limits/{at}/unit"),
                    "a deductible or maximum is money",
                ));
            }
            if limit.per == LimitPer::Item && limit.owner == LimitOwner::Account {
                faults.push((
                    format!("/limits/{at}/owner"),
                    "a limit on a line has no owner",
                ));
            }
        }
        faults
    }
}
