//! A plan as decisions go by it: it changes no more, and where each service stands in it is looked up, not searched for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{Benefit, CodeGroup, Exclusion, Plan};

/// A plan that changes no more, with an index of its services. It is written as the plan alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Plan", into = "Plan")]
pub struct FiledPlan {
    plan: Plan,
    benefits: Index,
    exclusions: Index,
    procedures: Index,
    /// The limits of each benefit's services, by their places in the plan.
    limits: Vec<Vec<usize>>,
}

impl From<Plan> for FiledPlan {
    fn from(plan: Plan) -> FiledPlan {
        let of_benefits = plan.benefits.iter().map(|own| own.codes.as_slice());
        let of_exclusions = plan.exclusions.iter().map(|own| own.codes.as_slice());
        let of_procedures = plan.procedures.iter().map(|own| own.codes.as_slice());
        let limits = plan
            .benefits
            .iter()
            .map(|own| plan.limits_of(own).collect());
        FiledPlan {
            benefits: Index::of(&plan, of_benefits),
            exclusions: Index::of(&plan, of_exclusions),
            procedures: Index::of(&plan, of_procedures),
            limits: limits.collect(),
            plan,
        }
    }
}

impl From<FiledPlan> for Plan {
    fn from(filed: FiledPlan) -> Plan {
        filed.plan
    }
}

impl Deref for FiledPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl AsRef<Plan> for FiledPlan {
    fn as_ref(&self) -> &Plan {
        &self.plan
    }
}

impl PartialEq for FiledPlan {
    fn eq(&self, other: &FiledPlan) -> bool {
        self.plan == other.plan
    }
}

impl Eq for FiledPlan {}

impl FiledPlan {
    /// The benefit that a service falls under, and the limits that it uses there, by their places in the plan: the
    /// longest matching code, the earlier benefit on a tie.
    pub fn benefit(&self, system: &str, code: &str) -> Option<(&Benefit, &[usize])> {
        let matches = self.benefits.matches(&self.plan, system, code);
        let (_, at) = matches
            .map(|(at, length)| (length, std::cmp::Reverse(at)))
            .max()?;
        Some((self.plan.benefits.get(at.0)?, self.limits.get(at.0)?))
    }

    /// The exclusions that name a service, each once for each part of it that does.
    pub(crate) fn exclusions(&self, system: &str, code: &str) -> impl Iterator<Item = &Exclusion> {
        let named = self.exclusions.matches(&self.plan, system, code);
        named.filter_map(|(at, _)| self.plan.exclusions.get(at))
    }

    /// The first rule on procedures done together that names a service, by its place in the plan.
    pub(crate) fn procedure(&self, system: &str, code: &str) -> Option<usize> {
        let named = self.procedures.matches(&self.plan, system, code);
        named.map(|(at, _)| at).min()
    }
}

/// The parts of a plan that name services, by how the codes of the services begin.
#[derive(Debug, Clone)]
struct Index {
    /// By the two bytes that all codes of a part begin with.
    beginning: FxHashMap<[u8; 2], Vec<Named>>,
    /// Those whose codes begin in several ways.
    anyhow: Vec<Named>,
}

/// Codes that a part of the plan names, itself or by a group.
#[derive(Debug, Clone)]
struct Named {
    /// The part, by its place in the plan.
    of: usize,
    codes: CodeGroup,
    /// The group that the codes are from, by its place in the plan: it may have some taken out again.
    group: Option<usize>,
}

impl Index {
    fn of<'a>(plan: &'a Plan, parts: impl Iterator<Item = &'a [CodeGroup]>) -> Index {
        let mut index = Index {
            beginning: FxHashMap::default(),
            anyhow: Vec::new(),
        };
        for (of, codes) in parts.enumerate() {
            for codes in codes {
                index.name(plan, of, codes);
            }
        }
        index
    }

    fn name(&mut self, plan: &Plan, of: usize, codes: &CodeGroup) {
        let group = codes
            .named()
            .and_then(|id| plan.groups.iter().position(|own| own.id == *id));
        match group.and_then(|at| plan.groups.get(at)) {
            Some(named) => {
                for codes in &named.codes {
                    self.push(of, codes, group);
                }
            }
            None => self.push(of, codes, None),
        }
    }

    fn push(&mut self, of: usize, codes: &CodeGroup, group: Option<usize>) {
        for (beginning, codes) in by_beginning(codes) {
            let named = Named { of, codes, group };
            match beginning {
                Some(two) => self.beginning.entry(two).or_default().push(named),
                None => self.anyhow.push(named),
            }
        }
    }

    /// The parts that name a service, each with how specifically it does.
    fn matches(
        &self,
        plan: &Plan,
        system: &str,
        code: &str,
    ) -> impl Iterator<Item = (usize, usize)> {
        let alike = self.beginning.get(&first_two(code)).map(Vec::as_slice);
        let parts = alike.unwrap_or_default().iter().chain(&self.anyhow);
        parts.filter_map(move |named| {
            let length = named.codes.matches(system, code, &plan.groups)?;
            let group = named.group.and_then(|at| plan.groups.get(at));
            let out = group.is_some_and(|own| plan.longest(&own.except, system, code).is_some());
            (!out).then_some((named.of, length))
        })
    }
}

/// A part of a set, told apart by how its codes begin where that is known.
fn by_beginning(codes: &CodeGroup) -> Vec<(Option<[u8; 2]>, CodeGroup)> {
    let of_all = |beginning| vec![(beginning, codes.clone())];
    match codes {
        CodeGroup::Prefix { prefix, .. } if prefix.len() >= 2 => of_all(Some(first_two(prefix))),
        CodeGroup::Listed { system, codes } => {
            let mut apart: BTreeMap<[u8; 2], BTreeSet<String>> = BTreeMap::new();
            for code in codes {
                apart
                    .entry(first_two(code))
                    .or_default()
                    .insert(code.clone());
            }
            let listed = |codes| CodeGroup::Listed {
                system: system.clone(),
                codes,
            };
            let parts = apart.into_iter();
            parts
                .map(|(two, codes)| (Some(two), listed(codes)))
                .collect()
        }
        // What lies between two codes begins as both do.
        CodeGroup::Range { from, to, .. } if to.len() >= 2 && first_two(from) == first_two(to) => {
            of_all(Some(first_two(to)))
        }
        CodeGroup::Prefix { .. } | CodeGroup::Range { .. } | CodeGroup::Named(_) => of_all(None),
    }
}

/// The first two bytes of a code; a shorter one ends in zeros.
fn first_two(code: &str) -> [u8; 2] {
    let mut bytes = code.bytes();
    [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)]
}
