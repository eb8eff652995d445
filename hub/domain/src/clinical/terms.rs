//! What a contract says of the clinical rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ClinicalRule, Level, RULES, Rule, Severity};
use crate::code::Code;
use crate::money::Rate;

/// A contract's clinical terms, as a plan document carries them. All of it may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// What findings do, where that is not the rule's own level.
    pub levels: Levels,
    /// How much of an earlier supply must be used before the drug is handed out again.
    pub refill_share: Rate,
    /// How many days after it was written a prescription is valid, where it does not say so itself.
    pub prescription_days: u32,
    /// Services that a member can have once, beside those of the table of organs: codes of a national list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub once: Vec<Code>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            levels: Levels::default(),
            // North Carolina's State Health Plan has this share; so have most payers that name one.
            refill_share: Rate::parse("75%").unwrap_or(Rate::ONE),
            prescription_days: 60,
            once: Vec::new(),
        }
    }
}

/// What findings do, where a contract differs from the rules' own levels.
///
/// Of a finding with a severity, the word on the severity counts before that on its rule; a rule that is off
/// finds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Levels {
    /// By rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<ClinicalRule, Setting>,
    /// By severity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    severities: BTreeMap<Severity, Setting>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    rules: BTreeMap<ClinicalRule, Setting>,
    #[serde(default)]
    severities: BTreeMap<Severity, Setting>,
}

/// What a contract makes of a rule or a severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Nothing is found.
    Off,
    /// See [`Level::Information`].
    Information,
    /// See [`Level::Warning`].
    Warning,
    /// See [`Level::Refusal`].
    Refusal,
}

impl Setting {
    fn level(self) -> Option<Level> {
        match self {
            Setting::Off => None,
            Setting::Information => Some(Level::Information),
            Setting::Warning => Some(Level::Warning),
            Setting::Refusal => Some(Level::Refusal),
        }
    }
}

/// A contract gives a rule more weight than its table bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rule {} only informs", .0.code())]
pub struct OnlyInforms(pub ClinicalRule);

impl Levels {
    /// The levels of a contract.
    ///
    /// # Errors
    /// [`OnlyInforms`] where a rule is to warn or refuse whose table cannot carry that.
    pub fn new(
        rules: BTreeMap<ClinicalRule, Setting>,
        severities: BTreeMap<Severity, Setting>,
    ) -> Result<Levels, OnlyInforms> {
        let beyond = |rule: &&Rule| {
            let set = rules.get(&rule.rule).and_then(|setting| setting.level());
            set.is_some_and(|level| level > rule.most)
        };
        match RULES.iter().find(beyond) {
            Some(rule) => Err(OnlyInforms(rule.rule)),
            None => Ok(Levels { rules, severities }),
        }
    }

    /// Whether a rule is to be asked at all.
    pub fn asks(&self, rule: ClinicalRule) -> bool {
        self.rules.get(&rule) != Some(&Setting::Off)
    }

    /// What a finding of `rule` does; `None` where it is not to be told.
    pub fn level(&self, rule: &Rule, severity: Option<Severity>) -> Option<Level> {
        if !self.asks(rule.rule) {
            return None;
        }
        let of_severity = severity.and_then(|severity| self.severities.get(&severity));
        match of_severity.or_else(|| self.rules.get(&rule.rule)) {
            Some(setting) => setting.level(),
            None => Some(severity.map_or(rule.level, Severity::level)),
        }
    }
}

impl TryFrom<Wire> for Levels {
    type Error = OnlyInforms;

    fn try_from(wire: Wire) -> Result<Levels, OnlyInforms> {
        Levels::new(wire.rules, wire.severities)
    }
}
