//! Step 8: what is recognised of what is billed.

use super::{Judging, Verdict};
use crate::decision::{Input, RuleName};
use crate::money::Amount;
use crate::reason::Reason;
use crate::tariff::{Tariff, UnitPrice};

/// `A = min(billed, price × quantity)`; then the reference price and the authorised amount may lower it.
pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    by_agreed_price(judging);
    by_reference_price(judging);
    by_authorised_amount(judging);
    Verdict::Go
}

/// The contract price counts in the network alone, the tariff everywhere; without either, what is billed.
fn by_agreed_price(judging: &mut Judging<'_>) {
    let (line, sector) = (judging.line, judging.case.sector);
    let priced = |tariff: &'_ Tariff| tariff.unit_price(line.system, line.code, sector);
    let mut agreed = judging.terms.agreed(judging.tier);
    let found = agreed.find_map(|tariff| Some((priced(tariff)?, tariff)));
    let price = found.map(|(price, _)| price);
    let asked = judging.asked;
    // Whoever names no rule on procedures prices a line as it stands, one side or both.
    let sides = if line.bilateral && !judging.ranks.is_empty() {
        2
    } else {
        1
    };
    let full = price.map_or(asked, |price| {
        price.times(judging.quantity).times(sides).min(asked)
    });
    judging.by_price = full;
    judging.allowed = full;
    if let Some((price, tariff)) = found.filter(|_| full < asked) {
        let document = tariff.document();
        let contract = judging.terms.contract;
        let reason = match contract.is_some_and(|own| std::ptr::eq(own, tariff)) {
            true => Reason::OverContract,
            false => Reason::OverTariff,
        };
        let rule = RuleName::new(&document.id, document.version, line.code.into());
        let inputs = vec![
            Input::new("price", price.rounded()),
            Input::new("quantity", judging.quantity),
        ];
        judging.note(8, reason, Some(rule), asked, full, inputs);
    }
    by_rank(judging, price, sides);
}

/// Of procedures that were done together a part of the price is recognised, unit by unit.
fn by_rank(judging: &mut Judging<'_>, price: Option<UnitPrice>, sides: i128) {
    let units = judging.quantity.nano().saturating_mul(sides);
    let started = i128::from(judging.quantity.started_units()).saturating_mul(sides);
    let started = usize::try_from(started).unwrap_or(usize::MAX);
    let ranks = judging.ranks.get(..started).unwrap_or(judging.ranks);
    let one = price.unwrap_or_else(|| UnitPrice::of_one(judging.asked, units));
    let (full, ranked) = (judging.by_price, one.ranked(units, ranks));
    if ranks.is_empty() || full <= ranked {
        return;
    }
    judging.by_price = ranked;
    judging.allowed = ranked;
    let inputs = vec![
        Input::new("price", one.rounded()),
        Input::new("ranks", ranks),
    ];
    let rule = judging.rule("procedures");
    judging.note(8, Reason::OverRank, rule, full, ranked, inputs);
}

fn by_reference_price(judging: &mut Judging<'_>) {
    let line = judging.line;
    if line.substitution_refused {
        return;
    }
    let of_tariff = || {
        judging
            .terms
            .tariff
            .and_then(|tariff| tariff.reference(line.system, line.code, judging.case.sector))
    };
    if let Some(reference) = line.reference_price.or_else(of_tariff) {
        let inputs = vec![
            Input::new("reference_price", reference),
            Input::new("quantity", judging.quantity),
        ];
        cap(
            judging,
            Reason::OverReference,
            judging.quantity.times(reference),
            inputs,
        );
    }
}

fn by_authorised_amount(judging: &mut Judging<'_>) {
    if let Some(amount) = judging.authorised.and_then(|own| own.amount) {
        cap(
            judging,
            Reason::AuthorisedAmount,
            amount,
            vec![Input::new("authorised", amount)],
        );
    }
}

fn cap(judging: &mut Judging<'_>, reason: Reason, most: Amount, inputs: Vec<Input>) {
    let before = judging.allowed;
    if most < before {
        judging.allowed = most;
        let rule = judging.rule_of_benefit();
        judging.note(8, reason, rule, before, most, inputs);
    }
}
