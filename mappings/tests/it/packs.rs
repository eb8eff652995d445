//! The packs hold together: what one document names another has.

mod codes;

use std::collections::BTreeSet;
use std::path::Path;

use takmil_domain::clinical::{ClinicalRule, Level, RULES};
use takmil_domain::code::Equivalence;
use takmil_domain::coverage::Enrolment;
use takmil_domain::date::{Calendar, Date};
use takmil_domain::ids::{ParticipantId, TariffId};
use takmil_domain::money::Quantity;
use takmil_domain::participant::Role;
use takmil_domain::party::InsurerRole;
use takmil_domain::plan::Plan;
use takmil_mappings::packs::{PACKS, Pack, pack};
use takmil_mappings::systems::SYNTHETIC_RVU;
use takmil_mappings::{Lookup, Tables};

#[test]
fn every_folder_is_a_pack_and_says_what_of_it_is_public() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
    let folders = std::fs::read_dir(&folder).unwrap();
    let names = folders.map(|one| one.unwrap().file_name().into_string().unwrap());
    let packs: BTreeSet<String> = PACKS.iter().map(|pack| pack.id.to_owned()).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), packs);
    for id in packs {
        let notes = std::fs::read_to_string(folder.join(&id).join("NOTES.md")).unwrap();
        assert!(notes.contains("invented"), "{id}");
    }
}

#[test]
fn every_pack_has_bills_worked_out_for_members_of_each_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases/scenarios");
    for pack in PACKS {
        let text = std::fs::read_to_string(folder.join(format!("pack-{}.json", pack.id))).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let scenarios = file["scenarios"].as_array().unwrap();
        assert_eq!(file["pack"], pack.id);
        assert!(scenarios.len() >= 6, "{}", pack.id);
        let enrolments = pack.enrolments().unwrap();
        let is_told = |own: &Enrolment| {
            let mut identifiers = own.member.identifiers.iter();
            identifiers.any(|one| text.contains(&format!("\"{}\"", one.value)))
        };
        for plan in pack.plans().unwrap() {
            let mut members = enrolments.iter().filter(|own| own.plan == plan.id);
            assert!(members.any(is_told), "no bill of a member of {}", plan.id);
        }
    }
}

#[test]
fn every_document_parses_and_every_plan_is_without_fault() {
    for pack in PACKS {
        let currency = pack.settings().unwrap().currency;
        let plans = pack.plans().unwrap();
        assert!(
            plans.iter().any(|plan| plan.currency == currency)
                && !pack.participants().unwrap().is_empty(),
            "{}",
            pack.id
        );
        for plan in &plans {
            assert_eq!(plan.faults(), [], "{}", plan.id);
            assert_eq!(plan.remarks(), [], "{}", plan.id);
        }
        for plan in pack.base_plans().unwrap() {
            assert_eq!(plan.faults(), [], "{}", plan.id);
            assert_eq!(plan.remarks(), [], "{}", plan.id);
        }
        for tariff in pack.tariffs().unwrap() {
            let document = tariff.document();
            assert_eq!(document.faults(), [], "{}", document.id);
            assert_eq!(document.remarks(), [], "{}", document.id);
        }
        for participant in pack.participants().unwrap() {
            assert_eq!(participant.faults(), [], "{}", participant.id);
            assert_eq!(participant.remarks(), [], "{}", participant.id);
        }
        for regulation in pack.regulations().unwrap() {
            assert_eq!(regulation.faults(), [], "{}", regulation.id);
            let asked =
                |plan: &&Plan| plan.currency == regulation.currency && regulation.from <= plan.from;
            assert!(plans.iter().any(|plan| asked(&plan)), "{}", regulation.id);
            for plan in &plans {
                assert_eq!(regulation.breaches(plan), [], "{}", plan.id);
            }
        }
    }
}

#[test]
fn every_pack_has_plans_that_refuse_by_clinical_rules_and_bills_that_show_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases/scenarios");
    for pack in PACKS {
        let text = std::fs::read_to_string(folder.join(format!("pack-{}.json", pack.id))).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let scenarios = file["scenarios"].as_array().unwrap().iter();
        let bills = scenarios.flat_map(|own| own["bills"].as_array().unwrap());
        let shown: BTreeSet<&str> = bills
            .filter_map(|bill| bill["expected"]["findings"].as_object())
            .flatten()
            .filter(|(_, level)| *level == "refusal")
            .map(|(rule, _)| rule.as_str())
            .collect();
        assert!(shown.len() >= 2, "{}: {shown:?}", pack.id);
        assert!(text.contains("BEN-CLINICAL"), "{}", pack.id);
        let plans = pack.plans().unwrap();
        let refuses = |rule: &ClinicalRule| {
            let rule = RULES.iter().find(|own| own.rule == *rule).unwrap();
            let level = |plan: &Plan| plan.clinical.levels.level(rule, None);
            plans.iter().any(|plan| level(plan) == Some(Level::Refusal))
        };
        for code in shown.iter().filter(|code| **code != "CLIN-INTERACTION") {
            let rule = ClinicalRule::parse(code).unwrap();
            assert!(refuses(&rule), "{}: no plan refuses by {code}", pack.id);
        }
    }
}

#[test]
fn every_plan_is_in_the_currency_of_its_tariff() {
    for pack in PACKS {
        let tariffs = pack.tariffs().unwrap();
        let currencies = |id: &TariffId| -> Vec<_> {
            let named = tariffs.iter().filter(|one| one.document().id == *id);
            named.map(|one| one.document().currency).collect()
        };
        for plan in pack.plans().unwrap() {
            let tariff = plan.tariff.as_ref().unwrap();
            assert!(
                currencies(tariff).iter().all(|own| *own == plan.currency),
                "{}",
                plan.id
            );
        }
        for plan in pack.base_plans().unwrap() {
            assert!(
                currencies(&plan.tariff)
                    .iter()
                    .all(|own| *own == plan.currency),
                "{}",
                plan.id
            );
        }
    }
}

#[test]
fn rates_of_exchange_are_samples_between_currencies_that_the_pack_uses() {
    for pack in PACKS {
        let plans = pack.plans().unwrap();
        let mut seen = BTreeSet::new();
        for rate in pack.exchange().unwrap() {
            assert!(
                plans.iter().any(|plan| plan.currency == rate.to),
                "{rate:?}"
            );
            assert!(rate.from != rate.to && !rate.rate.is_zero(), "{rate:?}");
            assert!(seen.insert((rate.from, rate.to, rate.on)), "{rate:?}");
            assert_eq!(rate.source, "sample");
        }
        assert!(!seen.is_empty(), "{}", pack.id);
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
        }
        for plan in &base_plans {
            assert!(
                is(&plan.insurer, Role::Insurer) && has_tariff(&plan.tariff),
                "{}",
                plan.id
            );
        }
        for regulation in pack.regulations().unwrap() {
            assert!(is(&regulation.issuer, Role::Regulator), "{}", regulation.id);
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
            let contract = participant.contract.as_ref();
            assert_eq!(
                contract.is_some(),
                participant.role == Role::Insurer,
                "{}",
                participant.id
            );
            let ratifier = contract.and_then(|own| own.ratified_by.as_ref());
            assert!(
                ratifier.is_none_or(|id| is(id, Role::Insurer) || is(id, Role::Regulator)),
                "{}",
                participant.id
            );
        }
        let enrolments = pack.enrolments().unwrap();
        for enrolment in &enrolments {
            check_enrolment(enrolment, &plans, pack);
        }
        for plan in &plans {
            let has_members = enrolments.iter().any(|one| one.plan == plan.id);
            assert!(has_members, "nobody has {}", plan.id);
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
fn every_price_stands_at_a_code_of_the_common_scheme() {
    let tables = Tables::shipped();
    for pack in PACKS {
        for tariff in pack.tariffs().unwrap() {
            let document = tariff.document();
            let priced = document.prices.iter().map(|price| &price.code);
            let packed = document.packages.iter().map(|package| &package.code);
            for code in priced.chain(packed) {
                let Lookup::Mapped(mapped) = tables.common(&code.system, &code.code) else {
                    panic!("{code:?}")
                };
                assert_eq!(mapped.common, *code, "a price stands at the common code");
                let listed = mapped.via.equivalence == Equivalence::Equal;
                assert!(
                    listed || codes::is_licensed(&code.system),
                    "{code:?} is in no table"
                );
            }
        }
    }
}

#[test]
fn a_package_has_a_price_and_holds_services_that_are_priced_without_it() {
    for pack in PACKS {
        let tariffs = pack.tariffs().unwrap();
        for tariff in &tariffs {
            for package in &tariff.document().packages {
                let (system, code) = (package.code.system.as_str(), package.code.code.as_str());
                assert!(
                    tariff.unit_price(system, code, None).is_some(),
                    "{package:?}"
                );
                let prices = tariffs.iter().flat_map(|own| &own.document().prices);
                for part in &package.services {
                    let is_priced = |code: &takmil_domain::code::Code| {
                        part.matches(&code.system, &code.code, &[]).is_some()
                    };
                    let mut prices = prices.clone();
                    assert!(prices.any(|price| is_priced(&price.code)), "{part:?}");
                }
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
            .chain(settings.holidays.iter().map(|holiday| &holiday.title))
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
