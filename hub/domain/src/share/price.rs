//! Step 8: what is recognised of what is billed.

use super::{Judging, Verdict, input};
use crate::money::Amount;
use crate::reason::Reason;
use crate::tariff::Tariff;

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
    let of = |tariff: Option<&Tariff>| {
        tariff.and_then(|tariff| tariff.unit_price(line.system, line.code, sector))
    };
    let contract = judging.terms.contract.filter(|_| judging.in_network);
    let (price, source, reason) = match of(contract) {
        Some(price) => (Some(price), contract, Reason::OverContract),
        None => (
            of(judging.terms.tariff),
            judging.terms.tariff,
            Reason::OverTariff,
        ),
    };
    let asked = judging.asked;
    judging.by_price = price.map_or(asked, |price| price.times(judging.quantity).min(asked));
    judging.allowed = judging.by_price;
    if let (Some(price), true) = (price, judging.by_price < asked) {
        let rule = source.map(|tariff| {
            format!(
                "{}/{}#{}",
                tariff.document().id,
                tariff.document().version,
                line.code
            )
        });
        let inputs = vec![
            input("price", price.rounded()),
            input("quantity", judging.quantity),
        ];
        judging.note(8, reason, rule, asked, judging.by_price, inputs);
    }
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
            input("reference_price", reference),
            input("quantity", judging.quantity),
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
    if let Some(amount) = judging
        .line
        .authorisation
        .and_then(|authorised| authorised.amount)
    {
        cap(
            judging,
            Reason::AuthorisedAmount,
            amount,
            vec![input("authorised", amount)],
        );
    }
}

fn cap(
    judging: &mut Judging<'_>,
    reason: Reason,
    most: Amount,
    inputs: Vec<(std::borrow::Cow<'static, str>, String)>,
) {
    let before = judging.allowed;
    if most < before {
        judging.allowed = most;
        let rule = judging
            .benefit
            .and_then(|benefit| judging.rule(benefit.id.as_str()));
        judging.note(8, reason, rule, before, most, inputs);
    }
}
