//! The packs hold together: what one document names another has.

use std::collections::BTreeSet;

use takmil_domain::code::Equivalence;
use takmil_domain::coverage::Enrolment;
use takmil_domain::date::{Calendar, Date};
use takmil_domain::ids::{ParticipantId, TariffId};
use takmil_domain::money::Quantity;
use takmil_domain::participant::Role;
use takmil_domain::party::InsurerRole;
use takmil_domain::plan::{CodeGroup, LimitKind, Plan};
use takmil_mappings::packs::{PACKS, Pack, pack};
use takmil_mappings::shipped::SHIPPED;
use takmil_mappings::systems::{self, SYNTHETIC_RVU};
use takmil_mappings::{Lookup, Tables};

#[test]
fn every_document_parses_and_every_plan_is_without_fault() {
    for pack in PACKS {
        let currency = pack.settings().unwrap().currency;
        let plans = pack.plans().unwrap();
        assert!(
            !plans.is_empty() && !pack.participants().unwrap().is_empty(),
            "{}",
            pack.id
        );
        for plan in plans {
            assert_eq!(plan.faults(), [], "{}", plan.id);
            assert_eq!(plan.currency, currency, "{}", plan.id);
        }
        for tariff in pack.tariffs().unwrap() {
            assert_eq!(
                tariff.document().currency,
                currency,
                "{}",
                tariff.document().id
            );
        }
        for plan in pack.base_plans().unwrap() {
            assert_eq!(plan.currency, currency, "{}", plan.id);
        }
    }
}

#[test]
fn every_name_in_a_pack_is_in_the_pack() {
    let mut seen = BTreeSet::new();
    for pack in PACKS {
        let participants = pack.participants().unwrap();
        let tariffs = pack.tariffs().unwrap();
        let (plans, base_plans) = (pack.plans().unwrap(), pack.base_plans().unwrap());
        let is = |id: &ParticipantId, role: Role| {
            participants
                .iter()
                .any(|one| one.id == *id && one.role == role)
        };
        let has_tariff = |id: &TariffId| {
            tariffs
                .iter()
                .any(|one| one.document().id == *id && one.document().contract.is_none())
        };

        for plan in &plans {
            assert!(is(&plan.insurer, Role::Insurer), "{}", plan.id);
            assert!(plan.tariff.as_ref().is_none_or(has_tariff), "{}", plan.id);
            for limit in plan
                .limits
                .iter()
                .filter(|limit| limit.kind == LimitKind::Ceiling)
            {
                assert!(
                    plan.benefits
                        .iter()
                        .any(|benefit| benefit.limits.contains(&limit.id)),
                    "{} {} limits nothing",
                    plan.id,
                    limit.id
                );
            }
        }
        for plan in &base_plans {
            assert!(
                is(&plan.insurer, Role::Insurer) && has_tariff(&plan.tariff),
                "{}",
                plan.id
            );
        }
        for tariff in &tariffs {
            if let Some(contract) = &tariff.document().contract {
                assert!(
                    is(&contract.provider, Role::Provider) && is(&contract.insurer, Role::Insurer),
                    "{}",
                    tariff.document().id
                );
            }
        }
        for participant in &participants {
            assert!(
                seen.insert(participant.id.clone()),
                "{} is in two packs",
                participant.id
            );
            assert!(
                participant
                    .networks
                    .iter()
                    .all(|own| is(&own.insurer, Role::Insurer)),
                "{}",
                participant.id
            );
            assert_eq!(
                participant.contract.is_some(),
                participant.role == Role::Insurer,
                "{}",
                participant.id
            );
        }
        for enrolment in pack.enrolments().unwrap() {
            check_enrolment(&enrolment, &plans, pack);
        }
    }
}

fn check_enrolment(enrolment: &Enrolment, plans: &[Plan], pack: &Pack) {
    let (plan, insurer) = (&enrolment.plan, &enrolment.insurer);
    let found = match enrolment.role {
        InsurerRole::Base => pack
            .base_plans()
            .unwrap()
            .iter()
            .any(|one| one.id == *plan && one.insurer == *insurer),
        InsurerRole::Supplementary => plans
            .iter()
            .any(|one| one.id == *plan && one.insurer == *insurer),
    };
    assert!(found, "{} has no plan {plan} of {insurer}", pack.id);
    assert!(enrolment.end.is_none_or(|end| end >= enrolment.start));
    assert!(enrolment.member.birth_date.is_some() && enrolment.member.sex.is_some());
    assert!(
        enrolment
            .member
            .identifiers
            .iter()
            .all(|identifier| identifier.check() != Some(false)),
        "{}",
        enrolment.certificate
    );
}

#[test]
fn every_service_that_a_pack_names_is_one_of_the_common_scheme() {
    let tables = Tables::shipped();
    for pack in PACKS {
        let plans = pack.plans().unwrap();
        let base_plans = pack.base_plans().unwrap();
        let groups = pack.groups().unwrap();
        let of_plans = plans.iter().flat_map(|plan| {
            plan.benefits
                .iter()
                .flat_map(|benefit| &benefit.codes)
                .chain(
                    plan.exclusions
                        .iter()
                        .flat_map(|exclusion| &exclusion.codes),
                )
        });
        let named: Vec<&CodeGroup> = groups.iter().flat_map(|group| &group.codes).collect();
        for group in of_plans.clone() {
            assert!(named.contains(&group), "{}: {group:?} has no name", pack.id);
        }
        for group in of_plans
            .chain(
                base_plans
                    .iter()
                    .flat_map(|plan| plan.rates.iter().map(|rate| &rate.codes)),
            )
            .chain(named.iter().copied())
        {
            assert!(
                has_codes(group),
                "{}: nothing begins with {group:?}",
                pack.id
            );
        }
        for tariff in pack.tariffs().unwrap() {
            for price in &tariff.document().prices {
                let Lookup::Mapped(mapped) = tables.common(&price.code.system, &price.code.code)
                else {
                    panic!("{:?}", price.code)
                };
                assert_eq!(
                    mapped.common, price.code,
                    "a price stands at the common code"
                );
                let listed = mapped.via.equivalence == Equivalence::Equal;
                assert!(
                    listed || is_licensed(&price.code.system),
                    "{:?} is in no table",
                    price.code
                );
            }
        }
    }
}

/// `HH:MM`.
fn is_time(text: &str) -> bool {
    let below =
        |part: &str, most: u8| part.len() == 2 && part.parse::<u8>().is_ok_and(|part| part < most);
    text.split_once(':')
        .is_some_and(|(hour, minute)| below(hour, 24) && below(minute, 60))
}

/// Systems whose lists may not be shipped, so that a pack's codes of them cannot be checked here.
fn is_licensed(system: &str) -> bool {
    [systems::CPT, systems::CDT, systems::CVX].contains(&system)
}

fn has_codes(group: &CodeGroup) -> bool {
    let (system, begins) = match group {
        CodeGroup::Prefix { system, prefix } => (system, vec![prefix]),
        CodeGroup::Listed { system, codes } => (system, codes.iter().collect()),
        CodeGroup::Range { system, from, to } => (system, vec![from, to]),
        CodeGroup::Named(_) => return true,
    };
    let Some(system) = system.as_deref().filter(|system| !is_licensed(system)) else {
        return true;
    };
    let list = SHIPPED
        .iter()
        .find(|shipped| shipped.system == system && shipped.target.is_none());
    list.is_some_and(|list| {
        let table = list.table().unwrap();
        let mut begins = begins.into_iter();
        begins.all(|begin| table.starting_with(begin).next().is_some())
    })
}

#[test]
fn relative_values_of_the_tariffs_are_those_of_the_synthetic_book() {
    let tables = Tables::shipped();
    for tariff in pack("ir").unwrap().tariffs().unwrap() {
        for price in tariff
            .document()
            .prices
            .iter()
            .filter(|price| price.code.system == SYNTHETIC_RVU)
        {
            let Some(values) = &price.relative else {
                continue;
            };
            let row = tables.row(SYNTHETIC_RVU, &price.code.code).unwrap();
            let listed = |column: &str| row.get(column).and_then(Quantity::parse);
            assert_eq!(
                values.professional,
                listed("professional").unwrap_or(Quantity::ZERO),
                "{}",
                price.code.code
            );
            assert_eq!(values.technical, listed("technical"), "{}", price.code.code);
            assert_eq!(
                values.anaesthesia,
                listed("anaesthesia"),
                "{}",
                price.code.code
            );
        }
    }
}

#[test]
fn calendars_have_real_days_and_hours() {
    for pack in PACKS {
        let settings = pack.settings().unwrap();
        for holiday in &settings.holidays {
            let year = match holiday.calendar {
                Calendar::Gregorian => 2026,
                Calendar::Persian => 1405,
                Calendar::Hijri => 1448,
            };
            let text = format!("{year}/{}/{}", holiday.month, holiday.day);
            assert!(
                Date::parse_in(&text, holiday.calendar).is_some(),
                "{} {text}",
                pack.id
            );
            assert!(!holiday.title.is_empty());
        }
        for hours in &settings.office_hours {
            assert!(
                is_time(&hours.from) && is_time(&hours.to) && hours.from < hours.to,
                "{}",
                pack.id
            );
            assert!(
                hours.days.iter().all(|day| !settings.weekend.contains(day)),
                "{} works on its weekend",
                pack.id
            );
        }
        for title in [&settings.title]
            .into_iter()
            .chain(pack.groups().unwrap().iter().map(|group| &group.title))
        {
            assert!(
                settings
                    .languages
                    .iter()
                    .all(|language| title.contains_key(language)),
                "{} {title:?}",
                pack.id
            );
        }
    }
}
