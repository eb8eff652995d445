//! The clinical rules: what speaks against an order, a handing out or a bill from the medical side.
//!
//! Pure, as the share computation is, and apart from it: a [`Case`] (a message with what is known of its
//! member), the [`Tables`] and a contract's [`Terms`] give [`Finding`]s, the same for ever. A rule never decides
//! what is paid; a finding is information, a warning or a refusal as the contract says. The registry is
//! [`RULES`], one file each. A rule whose table is not here is [`State::Inactive`] and says what it waits for:
//! it finds nothing, and nobody may take that for "nothing is wrong".
//!
//! What a message does not say speaks for nobody: without a birth date no age is judged, without days' supply
//! nothing is left at home.

mod age;
mod case;
mod code_first;
mod days_supply;
mod diagnosis;
mod dose;
mod duplicate;
mod excludes;
mod finding;
mod indication;
mod interaction;
mod key;
mod once;
mod prescription;
mod read;
mod refill;
mod sex;
mod tables;
mod terms;
mod units;
mod use_additional;

pub use case::{Case, Diagnosis, Dose, Ingredient, Line, Order, Past, Procedure};
pub use finding::{ClinicalRule, Finding, Level, Severity};
pub use key::{CodeKey, CodeRange};
pub use tables::{Bearer, Diagnoses, Drugs, Interactions, Lookup, Notes, Organ, Tables, drug_name};
pub use terms::{Levels, OnlyInforms, Setting, Terms};

use crate::code::Code;

/// The system of diagnoses in the common scheme.
pub const ICD_10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
/// The system of drugs in the common scheme.
pub const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
/// The system of services in the common scheme.
pub const HCPCS: &str = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets";
/// The system of a stay's procedures.
pub const ICD_10_PCS: &str = "http://www.cms.gov/Medicare/Coding/ICD10";

/// Every rule, in the order in which their findings are told.
pub const RULES: &[Rule] = &[
    age::RULE,
    sex::RULE,
    diagnosis::RULE,
    excludes::RULE,
    code_first::RULE,
    use_additional::RULE,
    interaction::RULE,
    duplicate::RULE,
    indication::RULE,
    dose::RULE,
    days_supply::RULE,
    units::RULE,
    refill::RULE,
    once::RULE,
    prescription::RULE,
];

/// A clinical rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name to the outside.
    pub rule: ClinicalRule,
    /// What its findings do where no contract says otherwise, unless their severity does.
    pub level: Level,
    /// The most that a contract may make of them.
    pub most: Level,
    /// What it lacks of the tables.
    waits_for: fn(&Tables) -> Option<&'static str>,
    find: fn(&Judging<'_>, &mut Vec<Found>),
}

/// Whether a rule can find anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has what it needs.
    Active,
    /// It finds nothing.
    Inactive {
        /// What it needs for that, in words.
        waits_for: &'static str,
    },
}

impl Rule {
    /// Whether the rule can find anything with these tables.
    pub fn state(&self, tables: &Tables) -> State {
        match (self.waits_for)(tables) {
            Some(waits_for) => State::Inactive { waits_for },
            None => State::Active,
        }
    }
}

/// What the rules find in a case, in the order of [`RULES`].
pub fn check(case: &Case<'_>, tables: &Tables, terms: &Terms) -> Vec<Finding> {
    let judging = Judging {
        case,
        tables,
        terms,
    };
    let mut findings = Vec::new();
    let mut found = Vec::new();
    let asked = RULES
        .iter()
        .filter(|rule| terms.levels.asks(rule.rule) && rule.state(tables) == State::Active);
    for rule in asked {
        (rule.find)(&judging, &mut found);
        findings.extend(found.drain(..).filter_map(|found| {
            Some(Finding {
                rule: rule.rule,
                level: terms.levels.level(rule, found.severity)?,
                lines: found.lines,
                evidence: found.evidence,
                severity: found.severity,
                past: found.past,
            })
        }));
    }
    findings
}

/// What a rule goes by.
struct Judging<'a> {
    case: &'a Case<'a>,
    tables: &'a Tables,
    terms: &'a Terms,
}

/// What a rule says.
#[derive(Debug, Default)]
struct Found {
    lines: Vec<u32>,
    evidence: Vec<Code>,
    severity: Option<Severity>,
    past: bool,
}

/// For a rule that needs no table.
fn nothing(_: &Tables) -> Option<&'static str> {
    None
}
