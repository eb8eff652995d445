//! Payments are written as R4 wants them, whatever they reached.

use std::collections::BTreeMap;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId, PaymentId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::state::PaymentState;
use takmil_domain::settlement::{Due, DueLine, Pair, PayeeKind, Payment, Receipt};

use super::super::payment::reconciliation;
use super::assert_sound;
use crate::fhir::json;

fn amount(value: i64) -> Amount {
    Amount::new(value).unwrap()
}

#[test]
fn a_payment_tells_what_reached_each_claim_beside_what_the_base_insurer_pays() {
    let now = Instant(1_760_000_000_000_000);
    let (claim, other) = (MessageId::new(now, [1; 10]), MessageId::new(now, [2; 10]));
    let id = PaymentId(MessageId::new(now, [3; 10]).0);
    let day = Date::parse("2026-03-31").unwrap();
    let pair = Pair {
        insurer: ParticipantId::parse("alpha").unwrap(),
        provider: ParticipantId::parse("clinic").unwrap(),
        payee: PayeeKind::Provider,
        currency: Currency::parse("MAD").unwrap(),
    };
    let line = |seq, base, own| DueLine {
        seq,
        billed: amount(15_000),
        base: amount(base),
        amount: amount(own),
        held: Amount::ZERO,
    };
    let due = Due {
        pair: pair.clone(),
        message: claim,
        turn: 1,
        on_day: day,
        due_on: day,
        incurred: amount(4_000),
        noticed: amount(4_000),
        confirmed: Amount::ZERO,
        disputed: Amount::ZERO,
        written_off: Amount::ZERO,
        lines: vec![line(1, 10_500, 2_500), line(2, 10_000, 1_500)],
    };
    let mut payment = Payment {
        id,
        pair,
        reference: "P 1".to_owned(),
        digest: [0; 32],
        amount: amount(5_000),
        paid_on: day,
        instrument: None,
        state: PaymentState::Noticed,
        noticed_at: now,
        settled_at: None,
        allocations: BTreeMap::from([
            ((claim, None), amount(2_500)),
            ((claim, Some(2)), amount(1_500)),
            ((other, None), amount(400)),
        ]),
        receipt: Receipt {
            payment: id,
            allocated: amount(4_400),
            prepaid: amount(600),
            rows: Vec::new(),
        },
    };
    let node = reconciliation(&payment, std::slice::from_ref(&due));
    assert_sound(&node);
    let written: serde_json::Value = serde_json::from_str(&json::render(&node)).unwrap();
    assert_eq!(written["paymentAmount"]["value"], 50.0);
    let of_line = &written["detail"][1];
    assert_eq!(of_line["amount"]["value"], 15.0);
    assert_eq!(of_line["extension"][0]["valueString"], "2");
    let base = &of_line["extension"][1]["valueMoney"]["value"];
    assert_eq!(*base, 100.0);
    assert_eq!(
        written["detail"][2].get("extension"),
        None,
        "what is not told is left out"
    );
    assert_eq!(
        written["processNote"][0]["text"],
        "6.00 MAD waits for later claims."
    );
    for state in PaymentState::ALL {
        payment.state = *state;
        assert_sound(&reconciliation(&payment, &[]));
    }
    payment.allocations.clear();
    assert_sound(&reconciliation(&payment, &[]));
}
