//! The clinical rules over a message, with what the lane knows beside it: what the member had before, and the
//! prescription that is filled.

use takmil_domain::clinical::{Case, Finding, Order, Past, check};
use takmil_domain::ids::{Identifier, MemberId, MessageId};
use takmil_domain::message::{Body, Kind, Message, Relation};
use takmil_domain::share::RefusedLines;
use takmil_store::{KeptPast, NewPast};

use super::again::read_back;
use super::{Bench, Fresh};
use crate::basis::Basis;
use crate::error::Error;
use crate::judge::is_inactive;

/// The identifiers by which whoever fills a prescription may name it.
pub(super) fn written(message: &Message) -> Vec<Identifier> {
    let Body::Prescription(prescription) = &message.body else {
        return Vec::new();
    };
    let of_lines = prescription.lines.iter().flat_map(|line| &line.identifiers);
    let all = message.head.identifiers.iter().chain(of_lines);
    all.filter(|identifier| means_something_to_all(identifier))
        .cloned()
        .collect()
}

/// The identifiers of the prescriptions that a message fills.
pub(super) fn filled(message: &Message) -> Vec<&Identifier> {
    let named = message.head.correlates.iter();
    let named = named.filter(|correlate| correlate.relation == Relation::Prescription);
    let named = named.map(|correlate| &correlate.identifier);
    let of_lines = match &message.body {
        Body::Dispense(dispense) => dispense.lines.as_slice(),
        _ => &[],
    };
    let of_lines = of_lines.iter().flat_map(|line| &line.prescriptions);
    let mut filled: Vec<&Identifier> = named
        .chain(of_lines)
        .filter(|identifier| means_something_to_all(identifier))
        .collect();
    filled.sort();
    filled.dedup();
    filled
}

/// A reference within a sender's own system says nothing to others.
fn means_something_to_all(identifier: &Identifier) -> bool {
    !identifier.system.is_empty() && identifier.system != takmil_formats::fhir::REFERENCE
}

impl Bench<'_> {
    /// What the clinical rules find in a message; what a plan's terms refuse goes into its basis.
    pub(super) fn look_over(
        &mut self,
        at: usize,
        fresh: &Fresh,
        named: &[(Relation, MessageId)],
        basis: &mut Basis,
    ) -> Result<Vec<Finding>, Error> {
        let tables = &self.inner.clinical;
        let mut case = Case::of(&fresh.message, tables, basis.person, basis.day);
        if fresh.message.kind() != Kind::Prescription {
            basis.order = self.order_of(at)?;
            case.order = basis.order;
        }
        let past = self.past_of(fresh, basis.member, named);
        case.past = &past;
        let mut refused = Vec::new();
        let mut findings: Vec<Finding> = Vec::new();
        for (insurer, terms) in basis.clinical_terms(self.catalog) {
            let found = check(&case, tables, terms);
            if let Some(insurer) = insurer {
                let lines = case.refused(&found);
                let insurer = insurer.clone();
                refused.extend((!lines.is_empty()).then_some(RefusedLines { insurer, lines }));
            }
            for finding in found {
                let is_same = |known: &&mut Finding| {
                    let level = known.level;
                    **known
                        == Finding {
                            level,
                            ..finding.clone()
                        }
                };
                match findings.iter_mut().find(is_same) {
                    Some(known) => known.level = known.level.max(finding.level),
                    None => findings.push(finding),
                }
            }
        }
        basis.refused = refused;
        Ok(findings)
    }

    /// The dates of the prescription that an order fills.
    fn order_of(&self, at: usize) -> Result<Order, Error> {
        let filled = self.filled.get(at).into_iter().flatten();
        for prescription in filled.filter_map(|id| self.loaded.get(id)) {
            if let Body::Prescription(prescription) = read_back(prescription)?.0.body {
                return Ok(Order::of(&prescription));
            }
        }
        Ok(Order::default())
    }

    /// What the member had before, without the messages that this one names.
    fn past_of(
        &self,
        fresh: &Fresh,
        member: Option<MemberId>,
        named: &[(Relation, MessageId)],
    ) -> Vec<Past> {
        let kept = member.and_then(|member| self.past.get(&member));
        let Some(kept) = kept.filter(|_| !fresh.leaves.is_empty()) else {
            return Vec::new();
        };
        let others = kept
            .iter()
            .filter(|own| named.iter().all(|(_, message)| *message != own.message));
        let others = others.map(|own| (own.sender == fresh.sender, own.rows.as_slice()));
        Past::beside(&fresh.leaves, others)
    }

    /// What a message tells later ones of its member: what was handed out or done, as far as a rule will look at it.
    pub(super) fn tells_past(&mut self, fresh: &Fresh, basis: &Basis) -> Option<NewPast> {
        let member = basis.member?;
        let is_done = matches!(fresh.message.kind(), Kind::Dispense | Kind::Claim);
        if !is_done || is_inactive(&fresh.message) {
            return None;
        }
        let tables = &self.inner.clinical;
        let terms: Vec<_> = basis
            .clinical_terms(self.catalog)
            .map(|(_, terms)| terms)
            .collect();
        let until = |row: &Past| row.kept_until(tables, &terms);
        let leaves = fresh.leaves.iter().filter(|row| until(row).is_some());
        let rows: Vec<Past> = leaves.cloned().collect();
        let until = rows.iter().filter_map(until).max()?;
        self.past.entry(member).or_default().push(KeptPast {
            message: fresh.id,
            sender: fresh.sender.clone(),
            rows: rows.clone(),
        });
        Some(NewPast { until, rows })
    }
}
