//! What a base insurer pays, as the hub computes it where nobody has said it.

use serde::{Deserialize, Serialize};

use super::sets::{self, Place, of_groups};
use super::{CodeGroup, Group};
use crate::bill::EncounterClass;
use crate::date::Date;
use crate::ids::{ParticipantId, PlanId, TariffId};
use crate::lint::{Remarks, Versioned as _};
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
    /// Whether the version is in force on `date`.
    pub fn covers_date(&self, date: Date) -> bool {
        self.from <= date && self.to.is_none_or(|to| date <= to)
    }

    /// The rate for a service in a class of encounter.
    pub fn rate(&self, system: &str, code: &str, class: Option<EncounterClass>) -> Option<Rate> {
        let (at, _) = self.row(system, code, class)?;
        self.rates.get(at).map(|row| row.rate)
    }

    /// The place of the row that counts for a service, and how exactly it names it.
    fn row(
        &self,
        system: &str,
        code: &str,
        class: Option<EncounterClass>,
    ) -> Option<(usize, (usize, bool))> {
        let rows = self.rates.iter().enumerate();
        let fitting = rows.filter(|(_, row)| row.class.is_none() || row.class == class);
        // `max_by_key` keeps the last of equals; the earlier row is to win.
        let exact = fitting.rev().filter_map(|(at, row)| {
            let length = row.codes.matches(system, code, &self.groups)?;
            Some((at, (length, row.class.is_some())))
        });
        exact.max_by_key(|(_, exactly)| *exactly)
    }

    /// What makes the document useless, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = self.as_version().faults();
        faults.extend(sets::faults(&self.groups, self.code_places()));
        faults
    }

    /// What its author should look at, each with a JSON pointer into the document. It can be used all the same.
    pub fn remarks(&self) -> Remarks {
        let mut remarks = Vec::new();
        if self.rates.is_empty() {
            remarks.push(("/rates".to_owned(), "it pays nothing"));
        }
        for (at, row) in self.rates.iter().enumerate() {
            let samples = sets::samples(&row.codes, &self.groups);
            // Of each sample that is another row's: whether that one names it no more exactly.
            let lost: Vec<bool> = samples
                .iter()
                .filter_map(|(system, code)| {
                    let winner = self.row(system, code, row.class);
                    let own = row.codes.matches(system, code, &self.groups);
                    let own = own.map(|length| (length, row.class.is_some()));
                    let is_own = winner.is_some_and(|(winner, _)| winner == at);
                    (!is_own).then(|| winner.map(|(_, exactly)| exactly) == own)
                })
                .collect();
            let detail = if lost.len() == samples.len() {
                "these services fall under another rate"
            } else if lost.contains(&true) {
                "an earlier rate names some of these services as exactly: they fall under that"
            } else {
                continue;
            };
            remarks.push((format!("/rates/{at}/codes"), detail));
        }
        remarks.extend(sets::remarks(self.code_places()));
        remarks
    }

    /// Every part of a set of codes.
    fn code_places(&self) -> Vec<Place<'_>> {
        let rates = self.rates.iter().enumerate();
        let rates = rates.map(|(at, row)| (format!("/rates/{at}/codes"), &row.codes));
        of_groups(&self.groups).chain(rates).collect()
    }
}
