//! What a base insurer pays, as the hub computes it where nobody has said it.

use serde::{Deserialize, Serialize};

use super::{CodeGroup, Group};
use crate::bill::EncounterClass;
use crate::date::Date;
use crate::ids::{ParticipantId, PlanId, TariffId};
use crate::money::{Currency, Rate};

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
    /// Groups of services that its rates are made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
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
        let specific = |row: &BaseRate| {
            let length = row.codes.matches(system, code, &self.groups)?;
            Some(((length, row.class.is_some()), row.rate))
        };
        // `max_by_key` keeps the last of equals; the earlier row is to win.
        let matching = self.rates.iter().rev().filter(|row| fits(row));
        let best = matching.filter_map(specific).max_by_key(|(key, _)| *key);
        best.map(|(_, rate)| rate)
    }
}
