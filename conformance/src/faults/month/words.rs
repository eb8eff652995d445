//! What the parties of the month write: claims, and insurers' words on them.

use serde_json::{Value, json};
use takmil_proto::v1;

use super::super::Error;
use super::super::desk::{Desk, Reply};
use super::super::world::{CURRENCY, MEMBER_SYSTEM, SYSTEM, number};
use super::record::Claim;
use super::{date, extend};
use crate::insurer::HubClient;

/// A claim as its provider writes it.
pub(super) fn body(claim: &Claim, service: &str, day: i64, replaced: Option<&Claim>) -> String {
    const NUMBERS: &str = "urn:takmil:fault:month";
    let lines = (1..).zip(&claim.lines).map(|(seq, billed)| {
        json!({"seq": seq, "item": {"source": {"system": SYSTEM, "code": service}}, "billed": billed})
    });
    let lines: Vec<Value> = lines.collect();
    let mut body = json!({
        "kind": "claim", "identifiers": [{"system": NUMBERS, "value": claim.key}],
        "occurred_on": date(day), "currency": CURRENCY,
        "member": {"identifiers": [
            {"system": MEMBER_SYSTEM, "value": format!("MONTH-{}", number(claim.member))},
        ]},
        "claim": {"bill": {"class": "pharmacy", "lines": lines}},
    });
    if let Some(old) = replaced {
        let identifier = json!({"system": NUMBERS, "value": old.key});
        let replaces = json!([{"relation": "replaces", "identifier": identifier}]);
        extend(&mut body, "correlates", replaces);
    }
    body.to_string()
}

/// An insurer's word by REST.
pub(super) async fn tell(
    desk: &Desk,
    claim: &Claim,
    verdict: v1::Verdict,
    lines: &[i64],
) -> Result<(), Error> {
    let verdict = match verdict {
        v1::Verdict::Refuse => "refuse",
        v1::Verdict::Adjust => "adjust",
        _ => "approve",
    };
    let mut body = json!({
        "message": claim.id, "reference": format!("{}-{}", claim.key, claim.words),
        "verdict": verdict, "revision": claim.words,
    });
    if !lines.is_empty() {
        let rows = (1..).zip(lines).map(
            |(seq, amount)| json!({"seq": seq, "amount": amount, "reasons": ["by our own rules"]}),
        );
        let rows: Vec<Value> = rows.collect();
        extend(&mut body, "lines", Value::from(rows));
        extend(&mut body, "currency", json!(CURRENCY));
    }
    let reply: Reply = desk.tell("/v1/decisions", &body.to_string()).await?;
    reply.ok("a decision").map(drop)
}

/// An insurer's word by gRPC.
pub(super) async fn call(
    hub: &HubClient,
    claim: &Claim,
    verdict: v1::Verdict,
    lines: &[i64],
) -> Result<(), Error> {
    let line = |(seq, units): (u32, &i64)| v1::DecidedLine {
        seq,
        amount: Some(v1::Money {
            units: *units,
            currency_code: CURRENCY.to_owned(),
        }),
        reasons: vec!["by our own rules".to_owned()],
        ..v1::DecidedLine::default()
    };
    let decision = v1::InsurerDecision {
        message_id: claim.id.clone(),
        reference: format!("{}-{}", claim.key, claim.words),
        verdict: verdict.into(),
        revision: u32::try_from(claim.words).unwrap_or_default(),
        lines: (1..).zip(lines).map(line).collect(),
        ..v1::InsurerDecision::default()
    };
    let told = hub.submit_decisions(vec![decision]).await;
    let told = told.map_err(|status| Error::Answer(format!("a decision: {status}")))?;
    match told.into_iter().next().and_then(|told| told.result) {
        Some(v1::submit_decisions_response::Result::Taken(_)) => Ok(()),
        other => Err(Error::Answer(format!("a decision: {other:?}"))),
    }
}
