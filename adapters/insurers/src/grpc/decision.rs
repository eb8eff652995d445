//! An insurer's decision as the wire's types, read strictly. Also what `HubService.SubmitDecisions` reads with.

use takmil_domain::date::Date;
use takmil_domain::ids::MessageId;
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::participant::{DecidedLine, InsurerDecision, InsurerVerdict};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_proto::v1;

use crate::decision::StatedDecision;

/// Reads a decision.
///
/// # Errors
/// A [`Problem`] with a pointer by field names into [`v1::InsurerDecision`].
pub fn read(wire: &v1::InsurerDecision) -> Result<StatedDecision, Problem> {
    let message = MessageId::parse(&wire.message_id).ok_or_else(|| {
        let detail = "the hub's id of a message is a UUID";
        Problem::new(ProblemCode::BadIdentifier, "/message_id", detail)
    })?;
    let verdict = verdict(wire.verdict)?;
    let mut currency = None;
    let mut lines = Vec::with_capacity(wire.lines.len());
    for (at, line) in wire.lines.iter().enumerate() {
        let pointer = format!("/lines/{at}/amount");
        let amount = line
            .amount
            .as_ref()
            .ok_or_else(|| Problem::new(ProblemCode::Missing, &pointer, "a line has an amount"))?;
        let quantity = Some(line.quantity.as_str()).filter(|text| !text.is_empty());
        let quantity = quantity.map(|text| {
            let detail = "a quantity is a decimal number that is not below zero";
            let pointer = format!("/lines/{at}/quantity");
            Quantity::parse(text)
                .ok_or_else(|| Problem::new(ProblemCode::BadValue, pointer, detail))
        });
        lines.push(DecidedLine {
            seq: line.seq,
            amount: money(amount, &mut currency, &pointer)?,
            quantity: quantity.transpose()?,
            reasons: line.reasons.clone(),
        });
    }
    let total = match &wire.total {
        Some(total) => Some(money(total, &mut currency, "/total")?),
        None => None,
    };
    let until = Some(wire.valid_until.as_str()).filter(|text| !text.is_empty());
    let valid_until = until.map(|text| {
        let detail = "a day has the form YYYY-MM-DD";
        Date::parse(text).ok_or_else(|| Problem::new(ProblemCode::BadDate, "/valid_until", detail))
    });
    let decision = InsurerDecision {
        message,
        reference: wire.reference.clone(),
        verdict,
        lines,
        valid_until: valid_until.transpose()?,
        note: Some(wire.note.clone()).filter(|note| !note.is_empty()),
        revision: wire.revision,
    };
    StatedDecision::new(decision, currency, total)
}

fn verdict(wire: i32) -> Result<InsurerVerdict, Problem> {
    match v1::Verdict::try_from(wire) {
        Ok(v1::Verdict::Approve) => Ok(InsurerVerdict::Approve),
        Ok(v1::Verdict::Adjust) => Ok(InsurerVerdict::Adjust),
        Ok(v1::Verdict::Refuse) => Ok(InsurerVerdict::Refuse),
        Ok(v1::Verdict::Pend) => Ok(InsurerVerdict::Pend),
        Ok(v1::Verdict::Ask) => Ok(InsurerVerdict::Ask),
        Ok(v1::Verdict::Unspecified) => {
            let detail = "a decision has a verdict";
            Err(Problem::new(ProblemCode::Missing, "/verdict", detail))
        }
        Err(_) => {
            let detail = "the verdict is not one that this hub knows";
            Err(Problem::new(ProblemCode::BadValue, "/verdict", detail))
        }
    }
}

/// Reads money whose currency is the same throughout a decision.
fn money(
    wire: &v1::Money,
    currency: &mut Option<Currency>,
    pointer: &str,
) -> Result<Amount, Problem> {
    let problem = |code, field, detail| Problem::new(code, format!("{pointer}/{field}"), detail);
    let own = Currency::parse(&wire.currency_code).ok_or_else(|| {
        let detail = "money has a currency that this hub knows";
        problem(ProblemCode::UnknownCurrency, "currency_code", detail)
    })?;
    if *currency.get_or_insert(own) != own {
        let detail = "a decision has one currency";
        let code = ProblemCode::MixedCurrency;
        return Err(problem(code, "currency_code", detail));
    }
    Amount::new(wire.units).ok_or_else(|| {
        let detail = "larger than any real amount";
        problem(ProblemCode::OutOfRange, "units", detail)
    })
}
