//! Prices and currencies: what is recognised, what is waived, and the end of what is possible.

use serde_json::json;
use takmil_domain::coverage::Cover;
use takmil_domain::ids::{AccountId, ParticipantId};
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::plan::{BasePlan, FiledPlan, Plan, Tier};
use takmil_domain::reason::Reason;
use takmil_domain::share::{BillLine, CoverTerms};
use takmil_domain::tariff::Tariff;
use uuid::Uuid;

use crate::setting::{Ledger, case, cover, day, line, plan, refusal, tariff, terms, with_benefit};

#[test]
fn nothing_is_paid_in_another_currency() {
    let check = |plan_currency: &str, tariff_currency: &str, expected| {
        let plan = plan(json!({"currency": plan_currency}));
        let (cover, tariff) = (cover(day("2024-01-01")), tariff(tariff_currency, "a", 50));
        for (by_tariff, by_contract) in [(Some(&tariff), None), (None, Some(&tariff))] {
            let terms = CoverTerms {
                tariff: by_tariff,
                contract: by_contract,
                ..terms(&plan, &cover)
            };
            let split =
                Ledger::default().judge(&case(vec![terms], vec![line(1, day("2024-06-01"), 80)]));
            assert_eq!(
                refusal(&split),
                expected,
                "{plan_currency} {tariff_currency}"
            );
        }
    };
    check("IRR", "IRR", None);
    check("USD", "USD", Some(Reason::CurrencyDiffers));
    check("IRR", "USD", Some(Reason::CurrencyDiffers));
}

#[test]
fn a_base_tariff_in_another_currency_computes_nothing() {
    let base = |currency: &str| -> BasePlan {
        serde_json::from_value(json!({
            "id": "base", "version": 1, "insurer": "base", "title": "", "currency": currency, "from": "2000-01-01",
            "tariff": "tariff", "rates": [{"codes": {"prefix": ""}, "rate": "50%"}],
        }))
        .unwrap()
    };
    for (currency, expected) in [("IRR", 40), ("USD", 0)] {
        let (base, tariff) = (base(currency), tariff(currency, "a", 80));
        let mut case = case(Vec::new(), vec![line(1, day("2024-06-01"), 100)]);
        case.base = Some((&base, &tariff));
        let split = Ledger::default().judge(&case);
        assert_eq!(
            (split[0].base.get(), split[0].member.get()),
            (expected, 100 - expected),
            "{currency}"
        );
    }
}

#[test]
fn a_line_without_a_price_goes_by_the_first_tariff_that_has_one() {
    let plan = plan(json!({}));
    let cover = cover(day("2024-01-01"));
    let check = |tariff: &Tariff, quantity: &str, billed: i64, reason: Option<Reason>| {
        let terms = CoverTerms {
            tariff: Some(tariff),
            ..terms(&plan, &cover)
        };
        let mut line = line(1, day("2024-06-01"), 0);
        line.billed = None;
        line.quantity = Quantity::parse(quantity).unwrap();
        let split = Ledger::default().judge(&case(vec![terms], vec![line]));
        assert_eq!(
            (split[0].billed.get(), refusal(&split)),
            (billed, reason),
            "{quantity}"
        );
    };
    check(&tariff("IRR", "a", 50), "2.5", 125, None);
    check(&tariff("IRR", "b", 50), "2.5", 0, Some(Reason::NoPrice));
    check(&tariff("USD", "a", 50), "2.5", 0, Some(Reason::NoPrice));
    check(
        &tariff("IRR", "a", Amount::MAX.get()),
        "1",
        Amount::MAX.get(),
        None,
    );
    check(
        &tariff("IRR", "a", Amount::MAX.get()),
        "1000000000",
        0,
        Some(Reason::NoPrice),
    );
}

#[test]
fn the_largest_bill_with_the_finest_quantity_stays_exact() {
    let plan = with_benefit(&plan(json!({})), |own| {
        own.max_quantity = Quantity::parse("999999998.999999999");
    });
    let cover = cover(day("2024-01-01"));
    let line = BillLine {
        quantity: Quantity::parse("999999999.999999999").unwrap(),
        ..line(1, day("2024-06-01"), Amount::MAX.get())
    };
    let split = Ledger::default().judge(&case(vec![terms(&plan, &cover)], vec![line]));
    // One unit of the thousand million is not covered: 900,000 of the amount.
    assert_eq!(split[0].member.get(), 900_000);
}

#[test]
fn nobody_waives_what_another_insurer_pays() {
    let (plan, cover) = (plan(json!({})), cover(day("2024-01-01")));
    let second = FiledPlan::from(Plan {
        insurer: ParticipantId::parse("second").unwrap(),
        ..plan.clone().into()
    });
    let second_cover = Cover {
        insurer: second.insurer.clone(),
        account: AccountId(Uuid::from_u128(2)),
        ..cover.clone()
    };
    let contract = tariff("IRR", "a", 60);
    // Billed 100; the first insurer has a contract price of 60, the second recognises all.
    let check = |in_network: [bool; 2], insurers: [i64; 2], written_off, member| {
        let first = CoverTerms {
            contract: Some(&contract),
            ..terms(&plan, &cover)
        };
        let mut line = line(1, day("2024-06-01"), 100);
        line.network = in_network
            .map(|inside| if inside { Tier::FIRST } else { Tier::Outside })
            .to_vec();
        let split = Ledger::default().judge(&case(
            vec![first, terms(&second, &second_cover)],
            vec![line],
        ));
        let paid: Vec<i64> = split[0]
            .supplementary
            .iter()
            .map(|share| share.amount.get())
            .collect();
        assert_eq!(
            (paid, split[0].written_off.get(), split[0].member.get()),
            (insurers.to_vec(), written_off, member),
            "{in_network:?}"
        );
    };
    check([true, false], [60, 40], 0, 0);
    check([true, true], [60, 40], 0, 0);
    check([false, true], [100, 0], 0, 0);
}
