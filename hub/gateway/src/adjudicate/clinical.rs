//! The clinical rules over the bills of a scenario, as the hub asks them: by the tables that come with it, by the
//! interactions that a holder would import, and by what the member had before.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use takmil_domain::clinical::{
    Case, ClinicalRule, Finding, Ingredient, Interactions, Level, Past, Severity, Tables, check,
};
use takmil_domain::coverage::Person;
use takmil_domain::date::When;
use takmil_domain::message::{Kind, Message};
use takmil_domain::share::{Documents, RefusedLines};
use takmil_mappings::Error;
use takmil_mappings::clinical::tables;

/// Two drugs that act on each other, each by its number in RxNorm or its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    one: Ingredient,
    other: Ingredient,
    severity: Severity,
}

/// The rules with their tables.
#[derive(Debug)]
pub(super) struct Clinic(Tables);

/// What members had before, each by the first identifier.
#[derive(Debug, Default)]
pub(super) struct Histories(BTreeMap<String, Vec<Past>>);

/// The gravest level of each rule that found something.
pub(super) type Gravest = BTreeMap<ClinicalRule, Level>;

impl Clinic {
    /// The rules with the tables that come with the hub, and these interactions.
    ///
    /// # Errors
    /// Where a table cannot be read.
    pub(super) fn with(pairs: &[Pair]) -> Result<Clinic, Error> {
        static SHIPPED: OnceLock<Tables> = OnceLock::new();
        let shipped = match SHIPPED.get() {
            Some(shipped) => shipped,
            None => {
                let read = tables(&takmil_mappings::Tables::shipped())?;
                SHIPPED.get_or_init(|| read)
            }
        };
        let pairs = pairs
            .iter()
            .map(|pair| (pair.one.clone(), pair.other.clone(), pair.severity));
        Ok(Clinic(Tables {
            interactions: Interactions::new(pairs),
            ..shipped.clone()
        }))
    }

    /// What the rules find in a message by the terms of each plan; what a plan refuses is noted in the documents.
    pub(super) fn look_over(
        &self,
        message: &Message,
        documents: &mut Documents,
        histories: &mut Histories,
    ) -> Gravest {
        let member = &message.head.member;
        let person = Person {
            birth_date: member.birth_date.as_ref().and_then(When::first_day),
            sex: member.sex,
        };
        let Some(day) = message.head.occurred_on else {
            return Gravest::new();
        };
        let mut case = Case::of(message, &self.0, person, day);
        let named = member.identifiers.first();
        let named = named.map_or_else(String::new, |own| own.value.clone());
        let past = histories.0.entry(named).or_default();
        case.past = past;
        let mut gravest = Gravest::new();
        for plan in &documents.plans {
            let found = check(&case, &self.0, &plan.clinical);
            for Finding { rule, level, .. } in &found {
                let known = gravest.entry(*rule).or_insert(*level);
                *known = (*known).max(*level);
            }
            let lines = case.refused(&found);
            if !lines.is_empty() {
                let insurer = plan.insurer.clone();
                documents.refused.push(RefusedLines { insurer, lines });
            }
        }
        let is_done = matches!(message.kind(), Kind::Dispense | Kind::Claim);
        let leaves = if is_done { case.leaves() } else { Vec::new() };
        past.extend(leaves);
        gravest
    }
}
