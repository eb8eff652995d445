//! A payment as a PaymentReconciliation: what was paid in all, and what of it reached each claim and line.
//!
//! Beside what the supplementary insurer paid stands what the base insurer pays of the same claim or line, and what the
//! supplementary one owes for it, in extensions of the hub's own.

use takmil_domain::money::Amount;
use takmil_domain::settlement::state::PaymentState;
use takmil_domain::settlement::{Due, Payment};

use crate::MESSAGE_SYSTEM;
use crate::fhir::datatypes::{Money, Object, concept, participant, words};
use crate::fhir::tree::Node;

/// What the base insurer pays of a claim or line.
const BASE: &str = "urn:takmil:fhir:base";
/// What the supplementary insurer owes for it, as decided.
const SUPPLEMENTARY: &str = "urn:takmil:fhir:supplementary";
/// The number of a line.
const LINE: &str = "urn:takmil:fhir:line";
/// The system of payments: the hub's ids.
const PAYMENTS: &str = "urn:takmil:payment";
/// HL7's list of what a detail of a payment is.
const DETAIL: &str = "http://terminology.hl7.org/CodeSystem/payment-type";

/// The resource. `dues` are those of the claims that the payment has reached.
pub(super) fn reconciliation(payment: &Payment, dues: &[Due]) -> Node<'static> {
    let money = Money::new(payment.pair.currency, payment.paid_on);
    let status = match payment.state {
        PaymentState::Ordered => "draft",
        PaymentState::Noticed | PaymentState::Confirmed => "active",
        PaymentState::Bounced => "cancelled",
    };
    let named = |system: &'static str, value: String| -> Node<'static> {
        Object::new()
            .put("system", system)
            .put("value", value)
            .into()
    };
    let kept = |url: &'static str, amount: Amount| -> Node<'static> {
        Object::new()
            .put("url", url)
            .put("valueMoney", money.of(amount))
            .into()
    };
    let detail = |(place, amount): (&(_, Option<u32>), &Amount)| -> Node<'static> {
        let (message, line) = place;
        let due = dues.iter().find(|due| due.message == *message);
        let lines = due.into_iter().flat_map(|due| &due.lines);
        let own = lines.filter(|own| line.is_none_or(|line| own.seq == line));
        let (base, owed) = own.fold((Amount::ZERO, Amount::ZERO), |(base, owed), own| {
            (base + own.base, owed + own.amount)
        });
        let number = line.map(|line| -> Node<'static> {
            Object::new()
                .put("url", LINE)
                .put("valueString", line.to_string())
                .into()
        });
        let columns = due.map(|_| [kept(BASE, base), kept(SUPPLEMENTARY, owed)]);
        let extensions = number.into_iter().chain(columns.into_iter().flatten());
        let request = Object::new().put("identifier", named(MESSAGE_SYSTEM, message.to_string()));
        Object::new()
            .list("extension", extensions)
            .put("type", concept(DETAIL, "payment", None))
            .put("request", request)
            .put("payee", participant(payment.pair.provider.as_str()))
            .put("amount", money.of(*amount))
            .into()
    };
    let state = format!("The payment is {}.", payment.state.as_str());
    let rest = payment.rest();
    let note = (!rest.is_zero()).then(|| -> Node<'static> {
        let text = format!("{} waits for later claims.", money.words(rest));
        Object::new()
            .put("type", "display")
            .put("text", text)
            .into()
    });
    Object::resource("PaymentReconciliation")
        .put("id", payment.id.to_string())
        .list("identifier", [named(PAYMENTS, payment.id.to_string())])
        .put("status", status)
        .put("created", payment.noticed_at.to_string())
        .put("paymentIssuer", participant(payment.pair.insurer.as_str()))
        .put("outcome", "complete")
        .put("disposition", state)
        .put("paymentDate", payment.paid_on.to_string())
        .put("paymentAmount", money.of(payment.amount))
        .maybe(
            "paymentIdentifier",
            words(&payment.reference).map(|value| Object::new().put("value", value)),
        )
        .list("detail", payment.allocations.iter().map(detail))
        .list("processNote", note)
        .into()
}
