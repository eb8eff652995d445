//! ExplanationOfBenefit: a bill with what its insurer decided, into the message that the bill was and, among its
//! particulars, what was decided of it, of each line, and in sum.
//!
//! What was decided is told as the insurer states it: one part for each adjudication, whose category is the element
//! ([`ELEMENT`](crate::fhir::ELEMENT)) and whose code says which amount it is. Nothing is made of it: the hub's own
//! decisions are never read from others.

use std::collections::HashSet;

use takmil_domain::bill::Line;
use takmil_domain::code::Coded;
use takmil_domain::message::{Message, Relation, Supporting};
use takmil_domain::money::Amount;

use super::claim::{correlates, opened, purpose, stated};
use super::cursor::Cursor;
use super::links::correlate;
use super::particulars::{sum, sweep};
use super::values::{concept_at, is_negative, money_at, quantity};
use crate::fhir::ELEMENT;

/// The resource.
pub(super) const NAME: &str = "ExplanationOfBenefit";

/// The code of the amount that the provider billed, among those of an adjudication.
const BILLED: &str = "submitted";

/// Reads an ExplanationOfBenefit. A fault on the way is on the cursor's account.
pub(super) fn read(c: Cursor) -> Message {
    let (base, wrap) = purpose(c);
    c.text("use");
    let mut head = opened(c);
    correlates(c, Relation::Related, &mut head);
    let claim = c.get("claim");
    let element = Some("ExplanationOfBenefit.claim");
    let claim = claim.and_then(|claim| correlate(claim, &["Claim"], Relation::Related, element));
    head.correlates.extend(claim);
    let mut bill = stated(c, base, &mut head);
    bill.total = billed(c, "total");
    forget_lost(c, &mut bill.lines);
    for (key, element) in [
        ("adjudication", "ExplanationOfBenefit.adjudication"),
        ("total", "ExplanationOfBenefit.total"),
    ] {
        decided(c, key, element, &mut head.supporting);
    }
    sweep(c, NAME, &mut head.supporting);
    Message {
        head,
        body: wrap(bill),
    }
}

/// Takes numbers that lead nowhere off the lines: insurers leave parts of a bill out, and what is left names them still.
/// They are kept in the original.
fn forget_lost(c: Cursor, lines: &mut [Line]) {
    let known = |list: &str| -> HashSet<u32> {
        let numbers = c
            .items(list)
            .filter_map(|part| part.node.get("sequence")?.as_number());
        numbers.filter_map(|number| number.parse().ok()).collect()
    };
    let team = known("careTeam");
    let diagnoses = known("diagnosis");
    let procedures = known("procedure");
    let supporting = known("supportingInfo");
    for (item, line) in c.items("item").zip(lines) {
        for (key, known, numbers) in [
            ("careTeamSequence", &team, &mut line.practitioners),
            ("diagnosisSequence", &diagnoses, &mut line.diagnoses),
            ("procedureSequence", &procedures, &mut line.procedures),
            ("informationSequence", &supporting, &mut line.supporting),
        ] {
            let lost = item.items(key).filter(|number| {
                let number = number.as_count();
                number.is_some_and(|number| !known.contains(&number))
            });
            lost.for_each(Cursor::inexact);
            numbers.retain(|number| known.contains(number));
        }
    }
}

/// What was billed, where it stands among the amounts under `key` and nowhere else.
pub(super) fn billed(c: Cursor, key: &str) -> Option<Amount> {
    let is_billed = |amount: &Cursor| {
        let value = amount.node.get("amount").and_then(|sum| sum.get("value"));
        if value
            .and_then(|value| value.as_number())
            .is_none_or(is_negative)
        {
            return false;
        }
        let category = amount.node.get("category");
        let codes = category.map_or(&[][..], |category| category.list("coding"));
        let mut codes = codes.iter().filter_map(|coding| coding.text("code"));
        codes.any(|code| code == BILLED)
    };
    money_at(c.items(key).find(is_billed)?, "amount")
}

/// What was decided, an amount and its reason each.
pub(super) fn decided(c: Cursor, key: &str, element: &str, parts: &mut Vec<Supporting>) {
    for one in c.items(key) {
        let mut part = Supporting {
            category: Some(Coded::new(ELEMENT, element)),
            coded: concept_at(one, "category"),
            reason: concept_at(one, "reason"),
            ..Supporting::default()
        };
        let value = one.get("value");
        if value.is_some_and(|value| !is_below_zero(value)) {
            part.quantity = value.and_then(quantity);
        }
        // An amount that was taken for what was billed is told already.
        let amount = one.get("amount");
        if let Some(amount) = amount.filter(|amount| amount.is_untouched()) {
            sum(amount, &mut part);
        }
        parts.push(part);
    }
}

fn is_below_zero(value: Cursor) -> bool {
    value.node.as_number().is_some_and(is_negative)
}
