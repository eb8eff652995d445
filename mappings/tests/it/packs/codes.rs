//! The packs' groups of services and diagnoses: each is told once, has codes, and leads somewhere.

use std::collections::BTreeSet;

use takmil_domain::ids::GroupId;
use takmil_domain::plan::{BasePlan, CodeGroup, FiledPlan, Group, Plan};
use takmil_mappings::packs::{self, PACKS, Pack};
use takmil_mappings::shipped::SHIPPED;
use takmil_mappings::systems;

/// Systems whose lists may not be shipped, so that a pack's codes of them cannot be checked here.
pub(super) fn is_licensed(system: &str) -> bool {
    [systems::CPT, systems::CDT, systems::CVX].contains(&system)
}

/// Every list of codes that a plan states: its groups, and what it pays for and does not.
fn lists(plan: &Plan) -> impl Iterator<Item = &[CodeGroup]> {
    let benefits = plan
        .benefits
        .iter()
        .flat_map(|own| [&own.codes, &own.diagnoses]);
    let exclusions = plan.exclusions.iter();
    let exclusions = exclusions.flat_map(|own| {
        let lifted = own.unless.iter().map(|one| &one.diagnoses);
        [&own.codes, &own.diagnoses].into_iter().chain(lifted)
    });
    let procedures = plan.procedures.iter().map(|own| &own.codes);
    benefits
        .chain(exclusions)
        .chain(procedures)
        .map(Vec::as_slice)
}

#[test]
fn plans_name_groups_which_are_those_of_their_pack() {
    for pack in PACKS {
        let settings = pack.settings().unwrap();
        let library = pack.groups().unwrap();
        let mut named: BTreeSet<GroupId> = BTreeSet::new();
        let mut is_library = |groups: &[Group], whose: &str| {
            for group in groups {
                named.insert(group.id.clone());
                let own = library.iter().find(|own| own.id == group.id);
                let own = own.unwrap_or_else(|| panic!("{whose}: {} has no name", group.id));
                assert_eq!(
                    (&own.codes, &own.except),
                    (&group.codes, &group.except),
                    "{whose}"
                );
                assert_eq!(
                    settings
                        .languages
                        .first()
                        .and_then(|own_language| own.title.get(own_language)),
                    Some(&group.title),
                    "{whose}"
                );
            }
        };
        for plan in pack.plans().unwrap() {
            is_library(&plan.groups, plan.id.as_str());
            for part in lists(&plan).flatten() {
                assert!(part.named().is_some(), "{}: {part:?} has no name", plan.id);
            }
        }
        for plan in pack.base_plans().unwrap() {
            is_library(&plan.groups, plan.id.as_str());
        }
        for group in library {
            assert!(
                named.contains(&group.id),
                "{}: nobody names {}",
                pack.id,
                group.id
            );
        }
    }
}

/// The parts of a pack's documents that name codes themselves.
fn parts(pack: &Pack) -> Vec<CodeGroup> {
    let groups: Vec<packs::Group> = pack.groups().unwrap();
    let base_plans: Vec<BasePlan> = pack.base_plans().unwrap();
    let tariffs = pack.tariffs().unwrap();
    let of_groups = groups
        .iter()
        .flat_map(|own| own.codes.iter().chain(&own.except));
    let of_base = base_plans.iter().flat_map(|own| &own.rates);
    let of_tariffs = tariffs.iter().flat_map(|own| {
        let document = own.document();
        let packages = document.packages.iter().flat_map(|own| &own.services);
        packages.chain(document.generics.iter().flat_map(|own| &own.codes))
    });
    let all = of_groups.chain(of_base.map(|own| &own.codes));
    all.chain(of_tariffs).cloned().collect()
}

#[test]
fn every_code_of_a_group_is_in_a_table() {
    for pack in PACKS {
        for part in parts(pack) {
            let (system, begins) = match &part {
                CodeGroup::Prefix { system, prefix } => (system, vec![prefix]),
                CodeGroup::Listed { system, codes } => (system, codes.iter().collect()),
                CodeGroup::Range { system, from, to } => (system, vec![from, to]),
                CodeGroup::Named(_) => continue,
            };
            let Some(system) = system.as_deref().filter(|own| !is_licensed(own)) else {
                continue;
            };
            let list = SHIPPED
                .iter()
                .find(|shipped| shipped.system == system && shipped.target.is_none());
            let table = list.unwrap().table().unwrap();
            for begin in begins {
                let is_there = match &part {
                    CodeGroup::Listed { .. } => table.find(begin).is_some(),
                    _ => table.starting_with(begin).next().is_some(),
                };
                assert!(is_there, "{}: no code for {part:?}", pack.id);
            }
        }
    }
}

/// Codes that bills may have: those of the shipped lists, and those that the pack prices.
fn known_codes(pack: &Pack) -> Vec<(String, String)> {
    let mut known = Vec::new();
    for tariff in pack.tariffs().unwrap() {
        for price in &tariff.document().prices {
            known.push((price.code.system.clone(), price.code.code.clone()));
        }
    }
    for shipped in SHIPPED.iter().filter(|own| own.target.is_none()) {
        for row in shipped.table().unwrap().iter() {
            known.push((shipped.system.to_owned(), row.code().to_owned()));
        }
    }
    known
}

#[test]
fn every_benefit_is_reached_by_a_real_code_and_every_exclusion_is_about_one_that_a_benefit_has() {
    for pack in PACKS {
        let known = known_codes(pack);
        for plan in pack.plans().unwrap() {
            let plan = FiledPlan::from(plan);
            for benefit in &plan.benefits {
                let reaches = |(system, code): &(String, String)| {
                    plan.longest(&benefit.codes, system, code).is_some()
                        && plan.benefit(system, code).map(|(own, _)| &own.id) == Some(&benefit.id)
                };
                let is_licensed_alone = leaves(&plan, &benefit.codes).all(is_licensed);
                assert!(
                    is_licensed_alone || known.iter().any(reaches),
                    "{}: nothing reaches {}",
                    plan.id,
                    benefit.id
                );
            }
            for exclusion in &plan.exclusions {
                let concerns = |(system, code): &(String, String)| {
                    plan.longest(&exclusion.codes, system, code).is_some()
                        && plan.benefit(system, code).is_some()
                };
                let is_licensed_alone = leaves(&plan, &exclusion.codes).all(is_licensed);
                assert!(
                    is_licensed_alone || known.iter().any(concerns),
                    "{}: {} excludes what no benefit has",
                    plan.id,
                    exclusion.title
                );
            }
        }
    }
}

/// The systems of the codes that a list comes to.
fn leaves<'a>(plan: &'a Plan, list: &'a [CodeGroup]) -> impl Iterator<Item = &'a str> {
    let mut systems = Vec::new();
    let mut open: Vec<&CodeGroup> = list.iter().collect();
    while let Some(part) = open.pop() {
        match part {
            CodeGroup::Prefix { system, .. }
            | CodeGroup::Listed { system, .. }
            | CodeGroup::Range { system, .. } => {
                systems.push(system.as_deref().unwrap_or_default())
            }
            CodeGroup::Named(name) => open.extend(&name.of(&plan.groups).unwrap().codes),
        }
    }
    systems.into_iter()
}
